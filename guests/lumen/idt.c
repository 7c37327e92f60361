/* SPDX-License-Identifier: MIT */
/* idt.c - which code answers which vector.
 *
 * Reference: SDM 3A, "IDT Descriptors".
 */
#include "irq.h"
#include "kernel.h"
#include "trap.h"

#define GATE_INTERRUPT 0x8E00u /* clears IF; present, DPL 0            */
#define GATE_TRAP      0x8F00u /* leaves IF                            */
#define GATE_DPL3      0x6000u /* INT n allowed to programs            */
#define STUB_BYTES     16      /* each stub in trap.S                  */

struct gate {
    uint16_t offset_low, selector, flags, offset_high;
};

struct __attribute__((packed)) table_register {
    uint16_t limit;
    uint32_t base;
};

static struct gate idt[256]; /* a gate of zeros raises #GP           */

extern const char trap_stubs[], trap_stub_syscall[];

#ifdef LUMEN_TRAP
bool irq_on; /* see irq.h                            */
#endif

uint32_t idt_address(void)
{
    return (uint32_t)idt;
}

static void set_gate(uint32_t vector, const char *stub, uint32_t flags)
{
    uint32_t offset = (uint32_t)stub;

    idt[vector] = (struct gate){
        .offset_low = (uint16_t)offset,
        .selector = SEL_KERNEL_CODE,
        .flags = (uint16_t)flags,
        .offset_high = (uint16_t)(offset >> 16),
    };
}

void idt_init(void)
{
    struct table_register idtr = {sizeof idt - 1, (uint32_t)idt};

    /* Interrupt gates for exceptions too: a page fault's CR2 must be read
     * before anything else can fault. */
    for (uint32_t v = 0; v < VEC_IRQ + 16; v++)
        set_gate(v, trap_stubs + v * STUB_BYTES, GATE_INTERRUPT);

    set_gate(VEC_BP, trap_stubs + VEC_BP * STUB_BYTES,
             GATE_INTERRUPT | GATE_DPL3);
    set_gate(VEC_SYSCALL, trap_stub_syscall, GATE_TRAP | GATE_DPL3);

    __asm__ volatile("lidt %0" : : "m"(idtr) : "memory");
}
