/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_spaces.h - two address spaces under shadow tables. */
#ifndef TESTS_SHADOWMMU_TEST_SPACES_H
#define TESTS_SHADOWMMU_TEST_SPACES_H

#include "tests/shadowmmu/test_lazy.h"

enum {
    DIR_A = 0x1000,
    DIR_B = 0x2000,
    TABLE_A = 0x3000,
    TABLE_B = 0x4000,
    KERNEL = 0x5000,
};

/* Two address spaces with a working set each, and the kernel's mapping. */
static inline struct world *spaces_without(unsigned without)
{
    struct world *w = world_create(&mmu_shadow, 0, 1, without);

    world_poke(w, DIR_A, TABLE_A | RWU);
    world_poke(w, DIR_B, TABLE_B | RWU);
    world_poke(w, DIR_A + KERNEL_INDEX * 4, KERNEL | PTE_P | PTE_W);
    world_poke(w, DIR_B + KERNEL_INDEX * 4, KERNEL | PTE_P | PTE_W);
    for (uint32_t i = 0; i < 64; i++) {
        world_poke(w, TABLE_A + i * 4, (0x100 + i) << 12 | RWU);
        world_poke(w, TABLE_B + i * 4, (0x140 + i) << 12 | RWU);
        world_poke(w, KERNEL + i * 4, i << 12 | PTE_P | PTE_W);
    }
    world_cr3(w, DIR_A);
    world_mode(w, CR0_PE | CR0_PG | CR0_WP, CR4_PSE);
    return w;
}

/* Every entry is asked for by a fault of its own, every write of a table
 * traced. */
static inline struct world *two_spaces(void)
{
    return spaces_without(MMU_PREFETCH | MMU_UNSYNC);
}

static inline void touch_set(struct world *w, uint32_t pages, unsigned access)
{
    for (uint32_t i = 0; i < pages; i++)
        world_access(w, i << 12, access, i);
}

static inline uint64_t class_count(const struct world *w, enum fault_class cls)
{
    return w->trace.count.page_faults[cls];
}

/* The kernel stores a word at a guest-physical address. */
static inline void store(struct world *w, uint32_t gpa, uint32_t value)
{
    world_access(w, (uint32_t)KERNEL_BASE + gpa, ACC_WRITE, value);
}

#endif
