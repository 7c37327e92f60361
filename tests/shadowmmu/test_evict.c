/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_evict.c - which table goes when there is no room. */
#include "tests/shadowmmu/test_spaces.h"

/* Of each address space: its directory and the table of its own, beside the
 * kernel's table that all have. The pool has room for POOL tables, which are
 * six spaces and the kernel's. */
enum { SPACES = 8, FIRST_DIRECTORY = 0x20, FIRST_OWN = 0x40, POOL = 13 };

static uint32_t directory_of(uint32_t space)
{
    return (FIRST_DIRECTORY + space) << 12;
}

static struct world *many_spaces(const struct mmu_technique *t,
                                 unsigned without)
{
    struct world *w = world_create(t, POOL * PAGE_BYTES, 1,
                                   without | MMU_PREFETCH | MMU_UNSYNC);

    for (uint32_t s = 0; s < SPACES; s++) {
        uint32_t own = (FIRST_OWN + s) << 12;

        world_poke(w, directory_of(s), own | RWU);
        world_poke(w, directory_of(s) + KERNEL_INDEX * 4,
                   KERNEL | PTE_P | PTE_W);
        world_poke(w, own, (0x100 + s) << 12 | RWU);
    }
    for (uint32_t i = 0; i < 64; i++)
        world_poke(w, KERNEL + i * 4, i << 12 | PTE_P | PTE_W);
    world_cr3(w, directory_of(0));
    world_mode(w, CR0_PE | CR0_PG | CR0_WP, CR4_PSE);
    return w;
}

/* A process runs. */
static void turn(struct world *w, uint32_t space)
{
    world_cr3(w, directory_of(space));
    world_access(w, 0, ACC_USER | ACC_WRITE, space);
    world_access(w, (uint32_t)KERNEL_BASE, 0, 0);
    assert_audit(w);
}

/* The tables that are made while processes run by turns. */
static uint64_t made_by_turns(unsigned without, uint32_t spaces,
                              unsigned rounds)
{
    struct world *w = many_spaces(&mmu_shadow, without);
    uint64_t made;

    for (unsigned i = 0; i < 4 * spaces; i++)
        turn(w, i % spaces);
    made = w->trace.count.mmu_cache_miss;
    for (unsigned i = 0; i < rounds * spaces; i++)
        turn(w, i % spaces);
    made = w->trace.count.mmu_cache_miss - made;
    world_destroy(w);
    return made;
}

Test(mmu_evict, the_least_recently_used_is_the_worst_choice_by_turns)
{
    uint64_t oldest = made_by_turns(MMU_EVICTION, SPACES, 20);
    uint64_t made = made_by_turns(0, SPACES, 20);

    cr_expect_geq(oldest, 20 * SPACES * 2, "all of them each time");
    /* Two spaces too many: at best two of eight are made again. */
    cr_expect_leq(made, oldest / 2, "%u of %u", (unsigned)made,
                  (unsigned)oldest);
}

Test(mmu_evict, what_there_is_room_for_stays)
{
    cr_assert_eq(made_by_turns(0, 6, 20), 0);
}

/* The kernel's table causes no faults once it is complete. */
Test(mmu_evict, a_table_that_the_processor_uses_stays)
{
    struct world *w = many_spaces(&mmu_shadow, 0);
    uint64_t hidden;

    for (uint32_t s = 0; s < 6; s++)
        turn(w, s);
    for (unsigned i = 0; i < 100; i++) {
        world_cr3(w, directory_of(i % 2));
        world_access(w, (uint32_t)KERNEL_BASE, 0, 0);
    }
    hidden = class_count(w, FC_HIDDEN);
    turn(w, 6);
    turn(w, 7);
    turn(w, 0);
    turn(w, 1);
    /* Directory and own table's entry of two, and their kernel's link. */
    cr_assert_leq(class_count(w, FC_HIDDEN) - hidden, 4);
    world_destroy(w);
}

Test(mmu_evict, what_is_dead_goes_first)
{
    struct world *w = many_spaces(&mmu_shadow, 0);
    uint64_t before;

    for (uint32_t s = 0; s < 6; s++)
        turn(w, s);
    before = w->trace.count.mmu_recycled;
    store(w, directory_of(3), 0); /* the process has exited */
    turn(w, 6);
    cr_assert_eq(w->trace.count.mmu_recycled, before + 1,
                 "its directory is not counted: it was given up");
    cr_assert_eq(w->trace.count.mmu_recycled_dead, 1);
    for (uint32_t s = 0; s < 6; s++)
        if (s != 3)
            turn(w, s);
    cr_assert_eq(w->trace.count.mmu_recycled, before + 1);
    world_destroy(w);
}

/* Random guests whose address spaces do not fit. */
Test(mmu_evict, random_guests_see_what_the_manual_says)
{
    for (uint64_t seed = 1401; seed <= 1406; seed++)
        program_run(&mmu_shadow, seed * 2 + 1, 1200, 13 * PAGE_BYTES, seed % 2,
                    seed % 3 == 0);
}
