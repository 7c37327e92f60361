/* SPDX-License-Identifier: MIT */
/* bench.h - what the loops and the C around them share. */
#ifndef BENCH_H
#define BENCH_H

#define SYSCALL      0x80
#define WINDOW       0x40000000 /* pages mapped for a benchmark, ring 3's too */
#define ABSENT       0x50000000 /* never mapped, but has a page table         */
#define SWITCH_PAGES 16
#define CHILD_PAGES  16
#define CHILD_WRITES 4
#define WORK_BYTES   65536

#ifndef __ASSEMBLER__
#include <stdint.h>

uint32_t loop_in(uint32_t n);
uint32_t loop_cr8wr(uint32_t n);
uint32_t loop_callret(uint32_t n);
uint32_t loop_divzero(uint32_t n);
uint32_t loop_pgfault(uint32_t n);
uint32_t loop_ptemod(uint32_t n, volatile uint32_t *pte, uint32_t a,
                     uint32_t b);
uint32_t loop_remap(uint32_t n, volatile uint32_t *pte, uint32_t a, uint32_t b);
uint32_t loop_popf(uint32_t n);
uint32_t loop_clisti(uint32_t n);
uint32_t loop_iret(uint32_t n);
uint32_t loop_int3(uint32_t n);
uint32_t loop_switch(uint32_t n, uint32_t *const directory[2]);
uint32_t kernel_work(uint32_t n, void *table);

void on_syscall(void), on_divzero(void), on_int3(void), on_page_fault(void);
void user_syscalls(void), user_work(void), user_child(void);
extern char work_table[];

/* memory.c: frames and address spaces. */
uint32_t *frame_new(void);
void frame_free(void *frame);
void page_copy(void *to, const void *from);
/* A new address space: the kernel's part, and an empty table for `address`
 * (returned in *table). */
uint32_t *space_new(uint32_t address, uint32_t **table);
#endif

#endif
