/* SPDX-License-Identifier: MIT */
/* pv/traps.c - segments and handlers, registered with the VMM.
 *
 * The kernel's segments are of ring 1. Its stubs are the PC's: the frames look
 * the same.
 */
#include "irq.h"
#include "kernel.h"
#include "trap.h"

#define STUB_BYTES 16 /* each stub in trap.S                  */

/* Access bytes: present, ring, type. 4 KiB granularity, 32 bits, 4 GiB. */
#define FLAT(access) (0x00CF00000000FFFFull | (uint64_t)(access) << 40)

extern const char trap_stubs[], trap_stub_syscall[];

void gdt_init(void)
{
    static const uint64_t gdt[] = {
        [SEL_KERNEL_CODE >> 3] = FLAT(0xBA),
        [SEL_KERNEL_DATA >> 3] = FLAT(0xB2),
        [SEL_USER_CODE >> 3] = FLAT(0xFA),
        [SEL_USER_DATA >> 3] = FLAT(0xF2),
    };

    if (hypercall2(PV_SET_GDT, (uint32_t)gdt, sizeof gdt / sizeof *gdt))
        panic(NULL, "the VMM refuses the segments");
    __asm__ volatile("ljmp %0, $1f\n"
                     "1:\tmovl %1, %%ds\n\t"
                     "movl %1, %%es\n\t"
                     "movl %1, %%ss\n\t"
                     "movl %2, %%fs\n\t"
                     "movl %2, %%gs"
                     :
                     : "i"(SEL_KERNEL_CODE), "r"(SEL_KERNEL_DATA), "r"(0)
                     : "memory");
}

static struct pv_trap trap(uint32_t vector, const char *stub, uint8_t flags)
{
    return (struct pv_trap){(uint8_t)vector, flags, SEL_KERNEL_CODE,
                            (uint32_t)stub};
}

void idt_init(void)
{
    struct pv_trap table[VEC_EXCEPTIONS + 1];

    for (uint32_t v = 0; v < VEC_EXCEPTIONS; v++)
        table[v] = trap(v, trap_stubs + v * STUB_BYTES,
                        v == VEC_BP ? PV_TRAP_MASK | 3 : PV_TRAP_MASK);
    table[VEC_EXCEPTIONS] = trap(VEC_SYSCALL, trap_stub_syscall, 3);
    if (hypercall2(PV_SET_TRAP_TABLE, (uint32_t)table,
                   sizeof table / sizeof *table))
        panic(NULL, "the VMM refuses the handlers");
}
