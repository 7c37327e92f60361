/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_large.c - large pages that stay large. */
#include "tests/shadowmmu/test_spaces.h"

#define LARGE_LINEAR 0x40000000u

/* An address space with a large page of the memory that is one piece. */
static struct world *large_space(unsigned without)
{
    struct world *w;

    world_piece = true;
    w = spaces_without(without | MMU_PREFETCH);
    world_poke(w, DIR_A + (LARGE_LINEAR >> 22) * 4, PIECE_AT | RWU | PTE_PS);
    return w;
}

static void touch_large(struct world *w, unsigned access)
{
    for (uint32_t i = 0; i < PIECE_BYTES; i += 64 * PAGE_BYTES)
        world_access(w, LARGE_LINEAR + i, access, i);
    assert_audit(w);
}

Test(mmu_large, one_fault_fills_all_of_it)
{
    struct world *w = large_space(0);

    touch_large(w, ACC_USER | ACC_WRITE);
    cr_assert_eq(class_count(w, FC_HIDDEN), 1);
    cr_assert_eq(w->faults, 1);
    cr_assert_eq(w->trace.count.mmu_large, 1);
    world_destroy(w);
}

Test(mmu_large, each_page_faults_without)
{
    struct world *w = large_space(MMU_LARGE);

    touch_large(w, ACC_USER | ACC_WRITE);
    cr_assert_eq(class_count(w, FC_HIDDEN), 16);
    world_destroy(w);
}

Test(mmu_large, the_first_write_sets_the_dirty_bit_for_all)
{
    struct world *w = large_space(0);
    uint32_t pde = DIR_A + (LARGE_LINEAR >> 22) * 4;

    touch_large(w, ACC_USER);
    cr_assert_eq(guest_read(w, pde) & (PTE_A | PTE_D), PTE_A);
    touch_large(w, ACC_USER | ACC_WRITE);
    cr_assert_eq(guest_read(w, pde) & (PTE_A | PTE_D), PTE_A | PTE_D);
    cr_assert_eq(class_count(w, FC_DIRTY), 1);
    cr_assert_eq(w->faults, 2);
    world_destroy(w);
}

Test(mmu_large, a_page_table_in_it_splits_it)
{
    struct world *w = large_space(MMU_UNSYNC);
    uint32_t table = PIECE_AT + 0x5000;

    touch_large(w, ACC_USER | ACC_WRITE);
    world_poke(w, table, 0x107000 | RWU | PTE_A);
    store(w, DIR_A + 4, table | RWU);
    cr_assert_eq(world_access(w, 1 << 22, ACC_USER, 0).gpa, 0x107000);
    cr_assert_eq(w->trace.count.mmu_split, 1);
    assert_audit(w);
    world_access(w, LARGE_LINEAR + 0x5000, ACC_USER | ACC_WRITE, 0);
    cr_assert_eq(w->last, FC_TRACE);
    cr_assert_eq(world_access(w, 1 << 22, ACC_USER, 0).what, OUTCOME_FAULT);
    touch_large(w, ACC_USER | ACC_WRITE);
    world_destroy(w);
}

Test(mmu_large, with_a_guarded_page_it_is_not_large)
{
    struct world *w = large_space(0);

    mmu_watch(w->mmu, GPA(PIECE_AT + 0x3000));
    touch_large(w, ACC_USER | ACC_WRITE);
    cr_assert_eq(w->trace.count.mmu_large, 0);
    world_access(w, LARGE_LINEAR + 0x3000, ACC_USER | ACC_WRITE, 1);
    cr_assert_eq(w->watched_calls, 1);
    world_destroy(w);
}

Test(mmu_large, a_watch_splits_it)
{
    struct world *w = large_space(0);

    touch_large(w, ACC_USER | ACC_WRITE);
    mmu_watch(w->mmu, GPA(PIECE_AT + 0x3000));
    assert_audit(w);
    world_access(w, LARGE_LINEAR + 0x3000, ACC_USER | ACC_WRITE, 1);
    cr_assert_eq(w->watched_calls, 1);
    world_destroy(w);
}

Test(mmu_large, a_frame_that_goes_splits_it)
{
    struct world *w = large_space(0);

    touch_large(w, ACC_USER | ACC_WRITE);
    mmu_drop_gpa(w->mmu, GPA(PIECE_AT + 0x3000));
    cr_assert_eq(w->trace.count.mmu_split, 1);
    assert_audit(w);
    touch_large(w, ACC_USER | ACC_WRITE);
    world_destroy(w);
}

Test(mmu_large, what_only_the_kernel_may_write_splits_it)
{
    struct world *w = large_space(0);

    store(w, DIR_A + (LARGE_LINEAR >> 22) * 4,
          PIECE_AT | PTE_P | PTE_U | PTE_PS | PTE_D);
    world_mode(w, w->vcpu.cr0 & ~CR0_WP, w->vcpu.cr4);
    touch_large(w, ACC_USER);
    world_access(w, LARGE_LINEAR, ACC_WRITE, 1);
    cr_assert_eq(world_access(w, LARGE_LINEAR, ACC_USER | ACC_WRITE, 0).what,
                 OUTCOME_FAULT);
    cr_assert_eq(w->trace.count.mmu_split, 1);
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_large, the_guests_change_of_its_entry_is_followed)
{
    struct world *w = large_space(0);
    uint32_t pde = DIR_A + (LARGE_LINEAR >> 22) * 4;

    touch_large(w, ACC_USER | ACC_WRITE);
    store(w, pde, PIECE_AT | PTE_P | PTE_U | PTE_PS | PTE_A | PTE_D);
    cr_assert_eq(world_access(w, LARGE_LINEAR, ACC_USER | ACC_WRITE, 0).what,
                 OUTCOME_FAULT);
    store(w, pde, 0);
    cr_assert_eq(world_access(w, LARGE_LINEAR, ACC_USER, 0).what,
                 OUTCOME_FAULT);
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_large, with_paging_off_too)
{
    struct world *w;

    world_piece = true;
    w = world_create(&mmu_shadow, 0, 1, MMU_PREFETCH);
    for (uint32_t i = 0; i < 8; i++)
        world_access(w, PIECE_AT + i * PAGE_BYTES, ACC_WRITE, i);
    cr_assert_eq(w->faults, 1);
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_large, looking_finds_the_entry_of_the_directory)
{
    struct world *w = large_space(0);
    struct mmu_view v;

    touch_large(w, ACC_USER | ACC_WRITE);
    mmu_inspect(w->mmu, LARGE_LINEAR + 0x7123, ACC_USER, &v);
    cr_assert_eq(v.would, FC_COUNT);
    cr_assert_eq(v.own.level, LEVEL_PD);
    cr_assert_eq(v.own.address, v.ma.v);
    world_destroy(w);
}

static void random_guests(uint64_t first, uint64_t last, bool pae, bool share)
{
    world_piece = true;
    world_scarce = (struct world_scarcity){.share = share};
    for (uint64_t seed = first; seed <= last; seed++)
        program_run(&mmu_shadow, seed, 1200, seed % 3 ? 0 : 14 * PAGE_BYTES,
                    seed % 4 == 1, pae);
}

Test(mmu_large, random_guests_see_what_the_manual_says)
{
    random_guests(1501, 1506, false, false);
}

Test(mmu_large, random_guests_with_pae)
{
    random_guests(1601, 1606, true, false);
}

Test(mmu_large, random_guests_whose_equal_pages_share_a_frame)
{
    random_guests(1701, 1704, false, true);
    random_guests(1705, 1708, true, true);
}
