/* SPDX-License-Identifier: MIT */
/* fault KIND - do something that a program must not do. The kernel should
 * end this process and nothing else. `popf` is the exception: it asks for
 * something that is refused without a word.
 */
#include "lib.h"

#define KERNEL_TEXT 0xC0101000u
#define EFLAGS_IF   0x200u

static void null_pointer(void)
{
    __asm__ volatile("movl 0, %%eax" : : : "eax");
}

static void kernel_memory(void)
{
    __asm__ volatile("movl (%0), %%eax" : : "r"(KERNEL_TEXT) : "eax");
}

static void kernel_jump(void)
{
    __asm__ volatile("call *%0" : : "r"(KERNEL_TEXT));
}

static void read_only(void)
{
    __asm__ volatile("movb $0, (%0)" : : "r"(read_only) : "memory");
}

static void divide(void)
{
    __asm__ volatile("xorl %%edx, %%edx; movl $1, %%eax; xorl %%ecx, %%ecx\n\t"
                     "divl %%ecx"
                     :
                     :
                     : "eax", "ecx", "edx");
}

static void invalid(void)
{
    __asm__ volatile("ud2");
}

static void clear_if(void)
{
    __asm__ volatile("cli");
}

static void halt(void)
{
    __asm__ volatile("hlt");
}

static void port_in(void)
{
    __asm__ volatile("inb $0x64, %%al" : : : "eax");
}

static void breakpoint(void)
{
    __asm__ volatile("int3");
}

static void load_gdt(void)
{
    static const char zeros[6];

    __asm__ volatile("lgdt %0" : : "m"(zeros));
}

static void load_cr3(void)
{
    __asm__ volatile("movl %0, %%cr3" : : "r"(0));
}

/* Vector 14 is the CPU's to use; its gate has DPL 0. */
static void fake_fault(void)
{
    __asm__ volatile("int $14");
}

static void kernel_segment(void)
{
    __asm__ volatile("movl %0, %%ds" : : "r"(0x10));
}

/* Down past the end of the stack, a page at a time. */
static void deep_stack(void)
{
    __asm__ volatile("1: pushl $0; jmp 1b");
}

/* POPF at CPL 3 with IOPL 0 leaves IF as it is, without a fault (SDM 2,
 * "POPF/POPFD/POPFQ"). So does IRET; but that one nobody would expect. */
static int try_popf(void)
{
    uint32_t before, after;

    __asm__ volatile("pushfl; popl %0" : "=r"(before));
    __asm__ volatile("pushl %1; popfl; pushfl; popl %0"
                     : "=r"(after)
                     : "r"(before & ~EFLAGS_IF)
                     : "memory", "cc");
    printf("fault: popf tried to clear IF, it is %d, no exception\n",
           (after & EFLAGS_IF) != 0);
    return after & EFLAGS_IF ? 0 : 1;
}

static const struct {
    const char *name;
    void (*act)(void);
} kinds[] = {
    {"null", null_pointer}, {"kernel", kernel_memory},
    {"jump", kernel_jump},  {"ro", read_only},
    {"div", divide},        {"ud", invalid},
    {"cli", clear_if},      {"hlt", halt},
    {"in", port_in},        {"int3", breakpoint},
    {"gp", load_gdt},       {"cr3", load_cr3},
    {"int14", fake_fault},  {"seg", kernel_segment},
    {"stack", deep_stack},
};

#define KINDS (sizeof kinds / sizeof *kinds)

int main(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "";

    if (strcmp(kind, "popf") == 0)
        return try_popf();
    for (uint32_t i = 0; i < KINDS; i++) {
        if (strcmp(kind, kinds[i].name) == 0) {
            kinds[i].act();
            printf("fault: %s: still alive\n", kind);
            return 2;
        }
    }
    printf("fault KIND:");
    for (uint32_t i = 0; i < KINDS; i++)
        printf(" %s", kinds[i].name);
    printf(" popf\n");
    return 1;
}
