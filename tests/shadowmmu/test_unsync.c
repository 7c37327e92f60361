/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_unsync.c - page tables out of sync. */
#include "tests/shadowmmu/test_spaces.h"

Test(mmu_unsync, random_guests_that_flush_see_what_the_manual_says)
{
    for (uint64_t seed = 301; seed <= 309; seed++)
        program_run(&mmu_shadow, seed, 1500, seed % 4 ? 0 : 14 * PAGE_BYTES,
                    true, false);
}

Test(mmu_unsync, a_guest_that_flushes_late_sees_only_what_a_tlb_may_show)
{
    lazy_guests(&mmu_shadow, 8);
}

Test(mmu_unsync, a_thousand_table_writes_are_one_trace_fault)
{
    struct world *w = spaces_without(0);
    uint64_t before;

    touch_set(w, 60, ACC_USER);
    before = class_count(w, FC_TRACE);
    for (uint32_t i = 0; i < 1000; i++)
        store(w, TABLE_A + i * 4, (0x140 + i % 64) << 12 | RWU | PTE_A);
    cr_assert_eq(class_count(w, FC_TRACE), before + 1);
    cr_assert_eq(w->trace.count.mmu_unsync, 1);
    assert_audit(w);
    world_cr3(w, DIR_A);
    assert_audit(w);
    for (uint32_t i = 0; i < 60; i++)
        cr_assert_eq(world_access(w, i << 12, ACC_USER, 0).gpa, (0x140 + i)
                                                                    << 12);
    world_destroy(w);
}

Test(mmu_unsync, invlpg_brings_one_entry_into_line)
{
    struct world *w = spaces_without(MMU_PREFETCH);
    bool step = false;
    uint32_t ma = 0;

    touch_set(w, 2, ACC_USER);
    store(w, TABLE_A, 0x150000 | RWU | PTE_A);
    store(w, TABLE_A + 4, 0x151000 | RWU | PTE_A);
    mmu_invlpg(w->mmu, 0);
    cr_assert_eq(world_translate(w, 0, ACC_USER, &ma, &step).gpa, 0x150000);
    /* Not flushed: what a TLB may hold. */
    cr_assert_eq(world_translate(w, 0x1000, ACC_USER, &ma, &step).gpa,
                 0x101000);
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_unsync, a_page_fault_brings_its_entry_into_line)
{
    struct world *w = spaces_without(MMU_PREFETCH);
    bool step = false;
    uint32_t ma = 0;

    touch_set(w, 1, ACC_USER);
    store(w, TABLE_A, 0x150000 | PTE_P | PTE_U | PTE_A);
    /* The processor looks at the tables again before it faults. */
    cr_assert_eq(world_translate(w, 0, ACC_USER | ACC_WRITE, &ma, &step).what,
                 OUTCOME_FAULT);
    cr_assert_eq(world_translate(w, 0, ACC_USER, &ma, &step).gpa, 0x150000);
    assert_audit(w);
    world_destroy(w);
}

/* No TLB has anything from there: the guest need not flush. */
Test(mmu_unsync, a_new_place_of_a_table_shows_what_it_says_now)
{
    struct world *w = spaces_without(0);

    touch_set(w, 2, ACC_USER);
    store(w, TABLE_A + 4, 0);
    store(w, DIR_A + 4, TABLE_A | RWU);
    world_access(w, 0x400000, ACC_USER, 0);
    world_access(w, 0x401000, ACC_USER, 0); /* a page fault */
    assert_audit(w);
    world_destroy(w);
}

/* A dead address space's table goes out of sync, and into another directory. */
Test(mmu_unsync, a_table_that_changes_hands_shows_what_it_says_now)
{
    struct world *w = spaces_without(0);

    touch_set(w, 2, ACC_USER);
    world_cr3(w, DIR_B);
    store(w, TABLE_A + 4, 0);
    store(w, DIR_B + 4, TABLE_A | RWU);
    world_access(w, 0x400000, ACC_USER, 0);
    world_access(w, 0x401000, ACC_USER, 0); /* a page fault */
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_unsync, a_table_that_is_left_alone_is_traced_again)
{
    struct world *w = spaces_without(0);
    uint64_t before;

    touch_set(w, 8, ACC_USER);
    store(w, TABLE_A, 0x150000 | RWU | PTE_A);
    for (unsigned i = 0; i < 20; i++)
        world_cr3(w, DIR_A);
    before = class_count(w, FC_TRACE);
    store(w, TABLE_A, 0x151000 | RWU | PTE_A);
    cr_assert_eq(class_count(w, FC_TRACE), before + 1);
    world_destroy(w);
}

Test(mmu_unsync, directories_never_are)
{
    struct world *w = spaces_without(0);

    touch_set(w, 8, ACC_USER);
    store(w, TABLE_A, 0x150000 | RWU | PTE_A);
    world_cr3(w, TABLE_A); /* and now this one is a directory, too */
    assert_audit(w);
    world_cr3(w, DIR_A);
    store(w, TABLE_A, TABLE_B | RWU | PTE_A);
    cr_assert_eq(w->last, FC_TRACE);
    cr_assert_eq(w->trace.count.mmu_unsync, 1);
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_unsync, more_tables_than_there_is_room_for)
{
    struct world *w = spaces_without(0);

    for (uint32_t i = 0; i < 20; i++) {
        world_poke(w, DIR_A + 4 + i * 4, (0x20 + i) << 12 | RWU);
        world_poke(w, (0x20 + i) << 12, 0x150000 | RWU);
        world_access(w, (1 + i) << 22, ACC_USER, 0);
    }
    for (uint32_t i = 0; i < 20; i++)
        store(w, (0x20 + i) << 12, 0x151000 | RWU | PTE_A);
    cr_assert_eq(w->trace.count.mmu_unsync, 20);
    assert_audit(w);
    world_cr3(w, DIR_A);
    for (uint32_t i = 0; i < 20; i++)
        cr_assert_eq(world_access(w, (1 + i) << 22, ACC_USER, 0).gpa, 0x151000);
    world_destroy(w);
}
