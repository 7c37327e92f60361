/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_reclaim.c - the VMM's tables over a PMap that takes
 * frames away, and lets pages share one. */
#include "tests/shadowmmu/test_lazy.h"

extern const struct mmu_technique mmu_tlb_emulation;

static void run_scarce(struct world_scarcity scarce, uint64_t seed,
                       uint64_t seeds)
{
    world_scarce = scarce;
    for (uint64_t end = seed + seeds; seed < end; seed++) {
        program_run(&mmu_shadow, seed, 1000, seed % 4 ? 0 : 14 * PAGE_BYTES,
                    true, seed & 1);
        program_run(&mmu_tlb_emulation, seed, 1000, 0, true, seed & 1);
    }
}

Test(reclaim, random_guests_with_the_fewest_frames_see_what_the_manual_says)
{
    run_scarce((struct world_scarcity){.frames = PMAP_FRAMES_LEAST}, 401, 5);
}

Test(reclaim, random_guests_whose_pages_share_see_what_the_manual_says)
{
    run_scarce((struct world_scarcity){.share = true}, 501, 5);
}

Test(reclaim, random_guests_with_both_see_what_the_manual_says)
{
    run_scarce(
        (struct world_scarcity){.frames = PMAP_FRAMES_LEAST, .share = true},
        601, 5);
}

Test(reclaim, random_guests_that_give_pages_back_see_what_the_manual_says)
{
    run_scarce((struct world_scarcity){.balloon = true}, 701, 3);
    run_scarce((struct world_scarcity){.frames = PMAP_FRAMES_LEAST,
                                       .share = true,
                                       .balloon = true},
               801, 4);
}

Test(reclaim, guests_that_flush_late_see_only_what_a_tlb_may_show)
{
    world_scarce = (struct world_scarcity){.frames = PMAP_FRAMES_LEAST};
    lazy_guests(&mmu_shadow, 2);
    lazy_guests(&mmu_tlb_emulation, 2);
}

/* ---- one fault at a time --------------------------------------------------
 */

static enum fault_class access_class(struct world *w, uint32_t page,
                                     unsigned access)
{
    uint64_t faults = w->faults;

    world_access(w, page << 12, access, page + 1);
    return w->faults == faults ? FC_COUNT : w->last;
}

static struct world *scarce_space(struct world_scarcity scarce)
{
    world_scarce = scarce;
    return lazy_space(&mmu_shadow, MMU_OPTIMIZATIONS);
}

Test(reclaim, the_first_touch_of_a_page_is_paged_out)
{
    struct world *w =
        scarce_space((struct world_scarcity){.frames = PMAP_FRAMES_LEAST});

    cr_assert_eq(access_class(w, 0, ACC_USER), FC_PAGED_OUT);
    cr_assert_eq(access_class(w, 0, ACC_USER), FC_COUNT);
    /* The dirty bit is still the guest's to see. */
    cr_assert_eq(access_class(w, 0, ACC_USER | ACC_WRITE), FC_DIRTY);
    cr_assert(guest_read(w, TABLE) & PTE_D);
    world_destroy(w);
}

/* Pages from first on; how many times each is written. */
static void sweep(struct world *w, uint32_t pages)
{
    for (uint32_t page = 0; page < pages; page++)
        world_access(w, page << 12, ACC_USER | ACC_WRITE, page + 1);
}

Test(reclaim, what_was_taken_away_comes_back_as_it_was)
{
    struct world *w =
        scarce_space((struct world_scarcity){.frames = PMAP_FRAMES_LEAST});

    sweep(w, 63);
    cr_assert_leq(pmap_resident(w->pmap), PMAP_FRAMES_LEAST);
    cr_assert_gt(w->trace.count.pmap_swap_outs, 0);
    for (uint32_t page = 0; page < 63; page++)
        cr_assert_eq(guest_read(w, (0x100 + page) << 12), page + 1);
    assert_audit(w);
    world_destroy(w);
}

Test(reclaim, a_page_in_constant_use_stays)
{
    struct world *w =
        scarce_space((struct world_scarcity){.frames = PMAP_FRAMES_LEAST});

    world_access(w, 0, ACC_USER | ACC_WRITE, 1);
    for (uint32_t page = 1; page < 63; page++) {
        world_access(w, page << 12, ACC_USER | ACC_WRITE, page);
        cr_assert_neq(access_class(w, 0, ACC_USER), FC_PAGED_OUT, "page %u",
                      (unsigned)page);
    }
    cr_assert_gt(w->trace.count.pmap_swap_outs, 0);
    world_destroy(w);
}

Test(reclaim, the_shadow_of_a_page_table_survives_its_page)
{
    struct world *w =
        scarce_space((struct world_scarcity){.frames = PMAP_FRAMES_LEAST});
    ma_t ma;

    world_access(w, 0, ACC_USER, 0);
    /* Reading elsewhere by the VMM's hand pushes the table out. */
    for (uint32_t gpa = 0x80000; gpa < 0x180000; gpa += PAGE_BYTES) {
        uint32_t word = gpa;

        pmap_write(w->pmap, GPA(gpa), &word, sizeof word);
        reference_write(w, gpa, word);
        cr_assert(pmap_lookup(w->pmap, GPA(0x100000), &ma) != PMAP_NONE);
    }
    cr_assert_eq(pmap_lookup(w->pmap, GPA(TABLE), &ma), PMAP_PAGED_OUT);
    cr_assert(w->trace.count.mmu_tables > 1);
    assert_audit(w);
    world_access(w, 0, ACC_USER, 0);
    assert_audit(w);
    world_destroy(w);
}

Test(reclaim, a_write_to_a_shared_page_is_paged_out_and_copies)
{
    struct world *w = scarce_space((struct world_scarcity){.share = true});

    sweep(w, 2);
    world_access(w, 0, ACC_USER | ACC_WRITE, 7);
    world_access(w, 0x1000, ACC_USER | ACC_WRITE, 7);
    for (unsigned round = 0; round < 2; round++)
        commons_scan(w->commons, GUEST_BYTES >> PAGE_SHIFT);
    cr_assert_gt(w->trace.count.pmap_merges, 0);
    cr_assert_gt(w->trace.count.pmap_sharing, w->trace.count.pmap_shared);
    assert_audit(w);
    cr_assert_neq(access_class(w, 0, ACC_USER), FC_PAGED_OUT);
    cr_assert_eq(access_class(w, 0, ACC_USER | ACC_WRITE), FC_PAGED_OUT);
    cr_assert_eq(w->trace.count.pmap_cow_breaks, 1);
    cr_assert_eq(guest_read(w, 0x100000), 1);
    cr_assert_eq(guest_read(w, 0x101000), 7);
    assert_audit(w);
    world_destroy(w);
}

/* ---- isolation ------------------------------------------------------------
 */

/* The VMM's entry for page 0. */
static ma_t entry_of_page_0(struct world *w)
{
    struct mmu_view v;

    mmu_inspect(w->mmu, 0, ACC_USER, &v);
    cr_assert(v.own.translated);
    return MA(v.own.at[v.own.level]);
}

static void expect_found(struct world *w, ma_t at, uint32_t planted,
                         const char *what)
{
    uint32_t right = memory_read32(&w->memory, at);
    char line[200];

    memory_write32(&w->memory, at, planted);
    cr_assert_gt(mmu_audit(w->mmu, line, sizeof line), 0);
    cr_assert_not_null(strstr(line, what), "%s", line);
    memory_write32(&w->memory, at, right);
    assert_audit(w);
}

Test(isolation, an_entry_to_a_frame_of_the_VMM_is_found)
{
    struct world *w = scarce_space((struct world_scarcity){0});
    ma_t at;

    world_access(w, 0, ACC_USER, 0);
    at = entry_of_page_0(w);
    expect_found(w, at,
                 (memory_read32(&w->memory, at) & PAGE_MASK) |
                     (uint32_t)w->root.ma.v,
                 "a machine frame that the PMap does not give this VM");
    world_destroy(w);
}

Test(isolation, an_entry_to_a_frame_of_another_VM_is_found)
{
    struct world *w = scarce_space((struct world_scarcity){0});
    struct pmap *other = pmap_create(w->commons);
    ma_t at, frame = MA(0);

    cr_assert(pmap_add(other, GPA(0), PAGE_BYTES, PMAP_RAM));
    pmap_lookup(other, GPA(0), &frame);
    world_access(w, 0, ACC_USER, 0);
    at = entry_of_page_0(w);
    expect_found(
        w, at, (memory_read32(&w->memory, at) & PAGE_MASK) | (uint32_t)frame.v,
        "a machine frame that the PMap does not give this VM");
    pmap_destroy(other);
    world_destroy(w);
}

Test(isolation, a_writable_entry_to_a_shared_frame_is_found)
{
    struct world *w = scarce_space((struct world_scarcity){.share = true});
    ma_t at;

    for (unsigned round = 0; round < 2; round++)
        commons_scan(w->commons, GUEST_BYTES >> PAGE_SHIFT);
    world_access(w, 0, ACC_USER, 0);
    at = entry_of_page_0(w);
    expect_found(w, at, memory_read32(&w->memory, at) | PTE_W,
                 "a shared machine frame is writable");
    world_destroy(w);
}

Test(isolation, a_frame_that_was_given_away_is_found)
{
    struct world *w = scarce_space((struct world_scarcity){0});
    char line[200];
    ma_t frame = MA(0);

    pmap_lookup(w->pmap, GPA(0x1F0000), &frame);
    frames_give(w->frames, frame);
    cr_assert_gt(mmu_audit(w->mmu, line, sizeof line), 0);
    cr_assert_not_null(strstr(line, "not this VM's"), "%s", line);
}
