/* SPDX-License-Identifier: MIT */
/* memory.h - physical frames, page tables, and the memory of a process.
 *
 * Virtual memory:
 *   0x00400000  a program: text, data, bss, then its heap
 *   0xBFFFF000  top of its stack, which grows down to STACK_BOTTOM
 *   0xC0000000  all of physical memory, up to 256 MiB; the kernel is at +1 MiB
 *   0xE0000000  a window of 4 MiB that the self-test maps things into
 *
 * Reference: SDM 3A, "32-Bit Paging".
 */
#ifndef LUMEN_MEMORY_H
#define LUMEN_MEMORY_H

#define KERNEL_BASE 0xC0000000
#define PAGE_SIZE   4096

#define PTE_P   0x001 /* present                                  */
#define PTE_W   0x002 /* writable                                 */
#define PTE_U   0x004 /* user                                     */
#define PTE_A   0x020 /* accessed, set by the CPU                 */
#define PTE_D   0x040 /* dirty, set by the CPU                    */
#define PDE_PS  0x080 /* a 4 MiB page                             */
#define PTE_G   0x100 /* global: survives a load of CR3           */
#define PTE_COW 0x200 /* ours (bits 9-11 are free): copy on write */

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>

#define PAGE_MASK    (~(uint32_t)(PAGE_SIZE - 1))
#define BIG_PAGE     0x400000u
#define MEMORY_MAX   0x10000000u
#define WINDOW       0xE0000000u
#define STACK_TOP    0xBFFFF000u
#define STACK_BOTTOM (STACK_TOP - 0x40000u)
#define HEAP_LIMIT   0xB0000000u

/* Error code of a page fault. SDM 3A, "Interrupt 14 - Page-Fault Exception". */
#define PF_P 0x1u /* 0: not present, 1: protection            */
#define PF_W 0x2u /* the access was a write                   */
#define PF_U 0x4u /* it came from ring 3                      */

typedef uint32_t phys_t;
typedef uint32_t pte_t;

/* Physical memory through the kernel's direct map. */
static inline void *phys_to_virt(phys_t pa)
{
    return (void *)(pa + (uint32_t)KERNEL_BASE);
}

static inline phys_t virt_to_phys(const void *va)
{
    return (uint32_t)va - (uint32_t)KERNEL_BASE;
}

/* frames.c: physical memory, a frame at a time, with reference counts. A
 * frame shared by copy-on-write has one reference for each page table. */
void frames_init(uint32_t memory_bytes);
void *early_alloc(uint32_t bytes); /* for ever, zeroed, in pages  */
void frames_start(void);           /* ends early_alloc            */
phys_t frame_alloc(void);          /* zeroed; 0 if there is none  */
void frame_share(phys_t frame);
void frame_free(phys_t frame); /* drops one reference         */
uint32_t frame_references(phys_t frame);
uint32_t frames_free(void);
/* Interrupts off: move a free frame into the balloon, or back; its number, 0:
 * there is none. */
uint32_t frame_to_balloon(void);
uint32_t frame_from_balloon(void);

/* balloon.c: frames that are free go back to the VMM when it wishes for them.
 * The word "balloon" on the command line; else nothing happens. */
void balloon_init(void);
void balloon_tick(void);   /* by the timer, interrupts off        */
void balloon_shrink(void); /* frames have run out: take some back */

/* paging.c: page tables. */
void paging_init(uint32_t memory_bytes);
extern pte_t *kernel_directory;
phys_t directory_create(void); /* 0 if there is no memory     */
pte_t *directory_entry(phys_t directory, uint32_t va, bool create);
void directory_load(phys_t directory);
void tlb_flush(void);

/* space.c: the memory of one process. */
struct region {
    uint32_t start, end;
    bool writable;
};

#define REGIONS      6
#define REGION_HEAP  4
#define REGION_STACK 5

struct space {
    phys_t directory;
    uint32_t pages;                 /* present user pages          */
    struct region regions[REGIONS]; /* four ELF segments, heap ... */
};

enum fault_result { FAULT_FIXED, FAULT_ILLEGAL, FAULT_NO_MEMORY };

bool space_create(struct space *space);
void space_destroy(struct space *space);
bool space_fork(struct space *child, struct space *parent);
bool space_add_page(struct space *space, uint32_t va, phys_t frame,
                    bool writable);
enum fault_result space_fault(struct space *space, uint32_t va, uint32_t error);
int32_t space_sbrk(struct space *space, int32_t bytes);
int32_t space_discard(struct space *space, uint32_t va, uint32_t bytes);
int32_t space_protect(struct space *space, uint32_t va, uint32_t bytes,
                      bool writable);
bool space_allows(const struct space *space, uint32_t va, uint32_t bytes,
                  bool write);

#endif
#endif
