/* SPDX-License-Identifier: MIT */
/* silent.c - one test for each kind of sensitive instruction that does not
 * trap. In lumen only: lumen-trap does not contain this file.
 *
 * In ring 0 all of these pass. Deprivileged to ring 1 with nothing but traps
 * to rely on, the CPU executes them without telling the monitor: they show
 * the real machine's state, or silently do nothing.
 *
 * Reference: Robin & Irvine, "Analysis of the Intel Pentium's Ability to
 * Support a Secure Virtual Machine Monitor", USENIX Security 2000; SDM 2.
 */
#include "irq.h"
#include "kernel.h"
#include "selftest.h"
#include "x86.h"

#define ACCESS_BITS 0x00F0FE00u /* LAR's answer without the A bit      */
#define CODE_ACCESS 0x00C09A00u /* 4 GiB, 32 bits, present, ring 0     */

struct __attribute__((packed)) table_register {
    uint16_t limit;
    uint32_t base;
};

static uint32_t flags_now(void)
{
    uint32_t flags;

    __asm__ volatile("pushfl; popl %0" : "=r"(flags) : : "memory");
    return flags;
}

static void flags_set(uint32_t flags)
{
    __asm__ volatile("pushl %0; popfl" : : "r"(flags) : "memory", "cc");
}

static const char *test_pushf(void)
{
    bool off, on;

    irq_disable();
    off = !(flags_now() & EFLAGS_IF);
    irq_enable();
    on = (flags_now() & EFLAGS_IF) != 0;
    return off && on ? NULL : "PUSHF does not show the kernel's own IF";
}

static const char *test_popf(void)
{
    uint32_t flags = flags_now();

    flags_set(flags & ~EFLAGS_IF);
    if (flags_now() & EFLAGS_IF)
        return "POPF did not clear IF";
    flags_set(flags | EFLAGS_IF);
    return flags_now() & EFLAGS_IF ? NULL : "POPF did not set IF";
}

/* To the same ring, with flags that say "interrupts off". */
static const char *test_iret(void)
{
    uint32_t after;

    __asm__ volatile("pushl %1\n\t"
                     "pushl %2\n\t"
                     "pushl $1f\n\t"
                     "iret\n"
                     "1:\tpushfl\n\t"
                     "popl %0"
                     : "=&r"(after)
                     : "r"((uint32_t)EFLAGS_FIXED), "i"(SEL_KERNEL_CODE)
                     : "memory", "cc");
    irq_enable();
    return after & EFLAGS_IF ? "IRET did not restore IF" : NULL;
}

static const char *test_sgdt(void)
{
    struct table_register gdtr;

    __asm__ volatile("sgdt %0" : "=m"(gdtr));
    return gdtr.base == gdt_address() && gdtr.limit == SEL_TSS + 7
               ? NULL
               : "SGDT shows another table";
}

static const char *test_sidt(void)
{
    struct table_register idtr;

    __asm__ volatile("sidt %0" : "=m"(idtr));
    return idtr.base == idt_address() && idtr.limit == 256 * 8 - 1
               ? NULL
               : "SIDT shows another table";
}

static const char *test_sldt_str(void)
{
    uint16_t ldt, task;

    __asm__ volatile("sldt %0" : "=m"(ldt));
    __asm__ volatile("str %0" : "=m"(task));
    if (ldt != 0)
        return "SLDT shows a table we did not load";
    return task == SEL_TSS ? NULL : "STR shows another task";
}

static const char *test_smsw(void)
{
    uint16_t word;

    __asm__ volatile("smsw %0" : "=m"(word));
    return word == (uint16_t)read_cr0() ? NULL : "SMSW does not agree with CR0";
}

static const char *test_cs_ss(void)
{
    uint32_t moved, pushed, stack;

    __asm__ volatile("movl %%cs, %0" : "=r"(moved));
    __asm__ volatile("pushl %%cs; popl %0" : "=r"(pushed) : : "memory");
    __asm__ volatile("movl %%ss, %0" : "=r"(stack));
    if ((moved & 0xFFFF) != SEL_KERNEL_CODE ||
        (pushed & 0xFFFF) != SEL_KERNEL_CODE)
        return "CS shows another ring";
    return (stack & 0xFFFF) == SEL_KERNEL_DATA ? NULL : "SS shows another ring";
}

static const char *test_lar_lsl(void)
{
    uint32_t access = 0, limit = 0;

    __asm__ volatile("lar %1, %0" : "+r"(access) : "r"(SEL_KERNEL_CODE) : "cc");
    __asm__ volatile("lsl %1, %0" : "+r"(limit) : "r"(SEL_KERNEL_CODE) : "cc");
    if ((access & ACCESS_BITS) != CODE_ACCESS)
        return "LAR shows another descriptor";
    return limit == 0xFFFFFFFF ? NULL : "LSL shows another limit";
}

static const char *test_verr_verw(void)
{
    bool data_writable, code_readable, code_writable;

    __asm__ volatile("verw %w1"
                     : "=@ccz"(data_writable)
                     : "r"(SEL_KERNEL_DATA));
    __asm__ volatile("verr %w1"
                     : "=@ccz"(code_readable)
                     : "r"(SEL_KERNEL_CODE));
    __asm__ volatile("verw %w1"
                     : "=@ccz"(code_writable)
                     : "r"(SEL_KERNEL_CODE));
    return data_writable && code_readable && !code_writable
               ? NULL
               : "VERR, VERW see other segments";
}

/* CALL pushes CS for everybody to see; RET goes back through it. */
static const char *test_far_call(void)
{
    uint32_t pushed;

    __asm__ volatile("lcall %1, $1f\n\t"
                     "jmp 2f\n"
                     "1:\tmovl 4(%%esp), %0\n\t"
                     "lret\n"
                     "2:"
                     : "=r"(pushed)
                     : "i"(SEL_KERNEL_CODE)
                     : "memory");
    return (pushed & 0xFFFF) == SEL_KERNEL_CODE
               ? NULL
               : "a far CALL pushes another CS";
}

const struct self_test silent_tests[] = {
    {"PUSHF", test_pushf},
    {"POPF", test_popf},
    {"IRET in ring 0", test_iret},
    {"SGDT", test_sgdt},
    {"SIDT", test_sidt},
    {"SLDT, STR", test_sldt_str},
    {"SMSW", test_smsw},
    {"CS, SS", test_cs_ss},
    {"LAR, LSL", test_lar_lsl},
    {"VERR, VERW", test_verr_verw},
    {"far CALL, RET", test_far_call},
    {NULL, NULL},
};
