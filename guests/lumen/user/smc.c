/* SPDX-License-Identifier: MIT */
/* smc - a program that writes its own code, and changes it as it runs.
 *
 * For lessons: a translator has copies of what it translated, and must notice
 * each of these writes. A processor needs no more than a jump (SDM 3A,
 * "Self-Modifying Code"); for the bytes just ahead even that happens by itself
 * on every x86 since the Pentium Pro, if written through the same address.
 */
#include "lib.h"

#define ROUNDS 200

typedef uint32_t function(void);

/* movl $value, %eax; ret */
static void write_function(uint8_t *code, uint32_t value)
{
    code[0] = 0xB8;
    memcpy(code + 1, &value, sizeof value);
    code[5] = 0xC3;
}

static uint32_t call_code(const uint8_t *code)
{
    __asm__ volatile("" : : : "memory");
    return ((function *)(uint32_t)code)();
}

/* Rewrite the function and call it, again and again. */
static bool rewrite(uint8_t *code)
{
    for (uint32_t i = 0; i < ROUNDS; i++) {
        write_function(code, i * 0x01010101u);
        if (call_code(code) != i * 0x01010101u)
            return false;
    }
    return true;
}

/* The store changes the instruction that comes next: 0x11 before, 0x42 after.
 * CALL and POP find out where the copy runs. */
__asm__(".pushsection .rodata\n"
        "ahead_start:\n\t"
        "call 1f\n"
        "1:\tpopl %edx\n\t"
        "movb $0x42, 2f - 1b + 1(%edx)\n"
        "2:\tmovb $0x11, %al\n\t"
        "movzbl %al, %eax\n\t"
        "ret\n"
        "ahead_end:\n\t"
        ".popsection");
extern const uint8_t ahead_start[], ahead_end[];

static bool patch_ahead(uint8_t *code)
{
    for (uint32_t i = 0; i < ROUNDS; i++) {
        memcpy(code, ahead_start, (size_t)(ahead_end - ahead_start));
        if (call_code(code) != 0x42)
            return false;
    }
    return true;
}

/* A loop that counts in the immediate operand of one of its own
 * instructions: addl $0, %eax becomes addl $1, $2, ... */
__asm__(".pushsection .rodata\n"
        "loop_start:\n\t"
        "call 1f\n"
        "1:\tpopl %edx\n\t"
        "xorl %eax, %eax\n\t"
        "movl $100, %ecx\n"
        "2:\tincl 3f - 1b + 1(%edx)\n"
        "3:\taddl $0x10000, %eax\n\t"
        "loop 2b\n\t"
        "ret\n"
        "loop_end:\n\t"
        ".popsection");
extern const uint8_t loop_start[], loop_end[];

static bool patch_loop(uint8_t *code)
{
    memcpy(code, loop_start, (size_t)(loop_end - loop_start));
    return call_code(code) == 100 * 0x10000 + 100 * 101 / 2;
}

/* The function lies across two pages; change it through either. */
static bool across_pages(uint8_t *page)
{
    return rewrite(page + PAGE_SIZE - 2) && rewrite(page + PAGE_SIZE - 5);
}

static int report(const char *name, bool good)
{
    printf("smc: %s: %s\n", name, good ? "ok" : "WRONG");
    return good ? 0 : 1;
}

static uint8_t in_bss[64];
static uint8_t in_data[64] = {1};

int main(void)
{
    uint8_t on_stack[64];
    uint8_t *heap = sbrk(2 * PAGE_SIZE);
    int bad = 0;

    bad += report("function in bss", rewrite(in_bss));
    bad += report("function in data", rewrite(in_data));
    bad += report("function on the stack", rewrite(on_stack));
    bad += report("function on the heap", rewrite(heap));
    bad += report("function across pages", across_pages(heap));
    bad += report("the next instruction", patch_ahead(in_bss));
    bad += report("the next instruction, stack", patch_ahead(on_stack));
    bad += report("a loop's own operand", patch_loop(heap));
    return bad != 0;
}
