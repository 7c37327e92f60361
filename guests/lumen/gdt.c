/* SPDX-License-Identifier: MIT */
/* gdt.c - flat segments for rings 0 and 3, and the task state segment, of
 * which only the ring-0 stack is used.
 *
 * Reference: SDM 3A, "Segment Descriptors" and "Task-State Segment (TSS)".
 */
#include "kernel.h"
#include "trap.h"

#define DESCRIPTOR_BYTES 8
#define GDT_ENTRIES      6

struct tss {
    uint32_t link, esp0, ss0;
    uint32_t unused[22];
    uint16_t trap, io_map;
};

struct __attribute__((packed)) table_register {
    uint16_t limit;
    uint32_t base;
};

/* Access bytes: present, ring, type. 4 KiB granularity, 32 bits, 4 GiB. */
#define FLAT(access) (0x00CF00000000FFFFull | (uint64_t)(access) << 40)

/* A page of its own, as real kernels give it: who virtualizes this machine
 * watches the pages that hold descriptor tables, and other data there would
 * make every write to it slow. */
#define PAGE_ENTRIES (4096 / DESCRIPTOR_BYTES)

static uint64_t gdt[PAGE_ENTRIES] __attribute__((aligned(4096))) = {
    [SEL_KERNEL_CODE >> 3] = FLAT(0x9A),
    [SEL_KERNEL_DATA >> 3] = FLAT(0x92),
    [SEL_USER_CODE >> 3] = FLAT(0xFA),
    [SEL_USER_DATA >> 3] = FLAT(0xF2),
};

static struct tss tss = {
    .ss0 = SEL_KERNEL_DATA,
    .io_map = sizeof(struct tss), /* none: IN and OUT need CPL <= IOPL   */
};

uint32_t gdt_address(void)
{
    return (uint32_t)gdt;
}

void tss_set_stack(uint32_t esp0)
{
    tss.esp0 = esp0;
}

void gdt_init(void)
{
    struct table_register gdtr = {GDT_ENTRIES * DESCRIPTOR_BYTES - 1,
                                  (uint32_t)gdt};
    uint32_t base = (uint32_t)&tss;

    gdt[SEL_TSS >> 3] = (sizeof tss - 1) | (uint64_t)(base & 0xFFFFFF) << 16 |
                        (uint64_t)0x89 << 40 /* 32-bit TSS, available  */
                        | (uint64_t)(base >> 24) << 56;

    /* Segment registers keep the loader's descriptors until loaded anew; CS
     * only a far transfer can load. */
    __asm__ volatile("lgdt %0\n\t"
                     "ljmp %1, $1f\n"
                     "1:\tmovl %2, %%ds\n\t"
                     "movl %2, %%es\n\t"
                     "movl %2, %%ss\n\t"
                     "movl %3, %%fs\n\t"
                     "movl %3, %%gs\n\t"
                     "ltr %w4\n\t"
                     "lldt %w3"
                     :
                     : "m"(gdtr), "i"(SEL_KERNEL_CODE), "r"(SEL_KERNEL_DATA),
                       "r"(0), "r"(SEL_TSS)
                     : "memory");
}
