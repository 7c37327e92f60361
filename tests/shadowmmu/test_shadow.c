/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_shadow.c - shadow page tables. */
#include "tests/shadowmmu/test_spaces.h"

enum { STEPS = 2500 };

Test(mmu_shadow, random_guests_see_what_the_manual_says)
{
    for (uint64_t seed = 990; seed <= 1002; seed++)
        program_run(&mmu_shadow, seed, STEPS, 0, false, false);
}

Test(mmu_shadow, the_least_memory_is_enough)
{
    for (uint64_t seed = 101; seed <= 108; seed++)
        program_run(&mmu_shadow, seed, STEPS, PAGE_BYTES, false, false);
}

Test(mmu_shadow, a_little_memory_is_enough)
{
    for (uint64_t seed = 201; seed <= 206; seed++)
        program_run(&mmu_shadow, seed, STEPS, 14 * PAGE_BYTES, false, false);
}

/* ---- directed --------------------------------------------------------------
 */

Test(mmu_shadow, switching_back_costs_no_fault)
{
    struct world *w = two_spaces();
    uint64_t faults;

    touch_set(w, 20, ACC_USER | ACC_WRITE);
    cr_assert_eq(class_count(w, FC_HIDDEN), 20);
    world_cr3(w, DIR_B);
    touch_set(w, 20, ACC_USER | ACC_WRITE);
    cr_assert_eq(class_count(w, FC_HIDDEN), 40);
    faults = w->faults;
    world_cr3(w, DIR_A);
    touch_set(w, 20, ACC_USER | ACC_WRITE);
    cr_assert_eq(w->faults, faults);
    world_destroy(w);
}

Test(mmu_shadow, first_write_after_a_read_is_a_dirty_fault)
{
    struct world *w = two_spaces();

    world_access(w, 0, ACC_USER, 0);
    cr_assert_eq(w->last, FC_HIDDEN);
    world_access(w, 0, ACC_USER | ACC_WRITE, 1);
    cr_assert_eq(w->last, FC_DIRTY);
    cr_assert_eq(class_count(w, FC_DIRTY), 1);
    cr_assert(guest_read(w, TABLE_A) & PTE_D);
    world_destroy(w);
}

Test(mmu_shadow, a_write_to_a_page_table_is_one_trace_fault)
{
    struct world *w = two_spaces();
    uint64_t before;

    touch_set(w, 4, ACC_USER);
    store(w, 0x10, 0); /* the kernel's mapping is there */
    before = class_count(w, FC_TRACE);
    store(w, TABLE_A + 4, 0x150000 | RWU | PTE_A);
    cr_assert_eq(class_count(w, FC_TRACE), before + 1);
    cr_assert_eq(w->trace.count.mmu_pte_write, before + 1);
    assert_audit(w);
    cr_assert_eq(world_access(w, 0x1000, ACC_USER, 0).gpa, 0x150000);
    world_destroy(w);
}

Test(mmu_shadow, one_table_under_two_rights_is_two_shadows)
{
    struct world *w = two_spaces();
    uint64_t tables;

    touch_set(w, 1, ACC_USER);
    tables = w->trace.count.mmu_tables;
    store(w, DIR_A + 4, TABLE_A | PTE_P | PTE_U); /* again, read-only */
    world_access(w, 0x400000, ACC_USER, 0);
    cr_assert_eq(w->trace.count.mmu_tables, tables + 2); /* kernel's too */
    cr_assert_eq(world_access(w, 0x400000, ACC_USER | ACC_WRITE, 0).what,
                 OUTCOME_FAULT);
    cr_assert_eq(world_access(w, 0, ACC_USER | ACC_WRITE, 0).what, OUTCOME_OK);
    store(w, DIR_A + 8, TABLE_A | RWU); /* again, alike: shared */
    world_access(w, 0x800000, ACC_USER, 0);
    cr_assert_eq(w->trace.count.mmu_tables, tables + 2);
    world_destroy(w);
}

Test(mmu_shadow, a_page_table_reused_as_data_is_given_up)
{
    struct world *w = two_spaces();
    uint64_t before;

    touch_set(w, 8, ACC_USER);
    store(w, 0x10, 0);
    before = class_count(w, FC_TRACE);
    for (uint32_t i = 0; i < 1024; i++)
        store(w, TABLE_A + i * 4, i * 7);
    cr_assert_leq(class_count(w, FC_TRACE) - before, 32);
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_shadow, a_page_table_that_no_directory_shows_is_given_up_at_once)
{
    struct world *w = two_spaces();
    uint64_t before;

    touch_set(w, 8, ACC_USER);
    store(w, DIR_A, 0);
    before = class_count(w, FC_TRACE);
    for (uint32_t i = 0; i < 64; i++)
        store(w, TABLE_A + i * 4, 0);
    cr_assert_eq(class_count(w, FC_TRACE) - before, 1);
    cr_assert_eq(world_access(w, 0, ACC_USER, 0).what, OUTCOME_FAULT);
    world_destroy(w);
}

Test(mmu_shadow, a_write_through_a_large_page_is_seen)
{
    struct world *w = two_spaces();

    store(w, DIR_A + 769 * 4, PTE_P | PTE_W | PTE_PS);
    world_access(w, 0xC0400000 + TABLE_A + 64 * 4, ACC_WRITE, 0);
    touch_set(w, 4, ACC_USER | ACC_WRITE);
    cr_assert_eq(world_access(w, 0, ACC_USER, 0).what, OUTCOME_OK);
    world_access(w, 0xC0400000 + TABLE_A, ACC_WRITE, 0);
    cr_assert_eq(world_access(w, 0, ACC_USER, 0).what, OUTCOME_FAULT);
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_shadow, a_write_with_paging_off_is_seen)
{
    struct world *w = two_spaces();
    uint32_t cr0 = w->vcpu.cr0;

    touch_set(w, 4, ACC_USER | ACC_WRITE);
    world_mode(w, cr0 & ~CR0_PG, w->vcpu.cr4);
    world_access(w, TABLE_A, ACC_WRITE, 0);
    cr_assert_eq(w->last, FC_TRACE);
    world_mode(w, cr0, w->vcpu.cr4);
    cr_assert_eq(world_access(w, 0, ACC_USER, 0).what, OUTCOME_FAULT);
    cr_assert_eq(world_access(w, 0x1000, ACC_USER, 0).what, OUTCOME_OK);
    world_destroy(w);
}

Test(mmu_shadow, without_wp_a_read_only_page_changes_its_form)
{
    struct world *w = two_spaces();

    store(w, TABLE_A, 0x100000 | PTE_P | PTE_U);
    world_mode(w, w->vcpu.cr0 & ~CR0_WP, w->vcpu.cr4);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(world_access(w, 0, ACC_WRITE, i).what, OUTCOME_OK);
        cr_assert_eq(world_access(w, 0, ACC_USER, 0).what, OUTCOME_OK);
        cr_assert_eq(world_access(w, 0, ACC_USER | ACC_WRITE, 0).what,
                     OUTCOME_FAULT);
    }
    world_access(w, 0, ACC_WRITE, 9);
    world_mode(w, w->vcpu.cr0 | CR0_WP, w->vcpu.cr4);
    cr_assert_eq(world_access(w, 0, ACC_WRITE, 0).what, OUTCOME_FAULT);
    world_destroy(w);
}

Test(mmu_shadow, the_vmm_moves_when_the_guest_maps_its_place)
{
    struct world *w = two_spaces();

    world_place_overlay(w, 5u << 22);
    touch_set(w, 1, ACC_USER);
    store(w, DIR_A + 5 * 4, TABLE_A | RWU);
    cr_assert_eq(w->overlay_calls, 1);
    cr_assert_eq(world_access(w, 5u << 22, ACC_USER, 0).what, OUTCOME_OK);
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_shadow, classes_of_devices_rom_and_paged_out_frames)
{
    struct world *w = two_spaces();

    store(w, TABLE_A + 0, (uint32_t)ROM_AT | RWU);
    store(w, TABLE_A + 4, (uint32_t)OUT_AT | RWU);
    store(w, TABLE_A + 8, 0xFEE00000 | RWU);
    cr_assert_eq(world_access(w, 0, ACC_USER, 0).what, OUTCOME_OK);
    cr_assert_eq(w->last, FC_HIDDEN);
    cr_assert_eq(world_access(w, 0, ACC_USER | ACC_WRITE, 0).what,
                 OUTCOME_DEVICE);
    cr_assert_eq(w->last, FC_MMIO);
    world_access(w, 0x1000, ACC_USER | ACC_WRITE, 7);
    cr_assert_eq(w->last, FC_PAGED_OUT);
    cr_assert_eq(world_access(w, 0x2000, ACC_USER, 0).what, OUTCOME_DEVICE);
    cr_assert_eq(w->last, FC_MMIO);
    world_destroy(w);
}

Test(mmu_shadow, a_watched_page_tells_after_each_write)
{
    struct world *w = two_spaces();

    world_access(w, 0, ACC_USER | ACC_WRITE, 1);
    mmu_watch(w->mmu, GPA(0x100000));
    world_access(w, 0, ACC_USER | ACC_WRITE, 2);
    world_access(w, 0, ACC_USER | ACC_WRITE, 2);
    cr_assert_eq(w->watched_calls, 2);
    cr_assert_eq(w->last, FC_TRACE);
    mmu_unwatch(w->mmu, GPA(0x100000));
    world_access(w, 0, ACC_USER | ACC_WRITE, 3);
    cr_assert_eq(w->watched_calls, 2);
    cr_assert_eq(w->last, FC_HIDDEN);
    world_destroy(w);
}

Test(mmu_shadow, a_watcher_is_told_the_bytes_that_were_written)
{
    struct world *w = two_spaces();
    struct fault f;
    bool device;

    mmu_watch(w->mmu, GPA(0x100000));
    cr_assert(mmu_write(w->mmu, 0x123, 2, true, 7, &f, &device));
    cr_assert_eq(w->watched_gpa.v, 0x100123);
    cr_assert_eq(w->watched_bytes, 2);
    mmu_gpa_written(w->mmu, GPA(0x0FFFF0), 0x20);
    cr_assert_eq(w->watched_gpa.v, 0x100000);
    cr_assert_eq(w->watched_bytes, 0x10);
    world_access(w, 0x40, ACC_USER | ACC_WRITE, 1);
    cr_assert_eq(w->watched_gpa.v, 0x100040);
    cr_assert_eq(w->watched_bytes, 4);
    world_access(w, 0x40, ACC_USER | ACC_WRITE, 1);
    cr_assert_eq(w->watched_bytes, 0, "nothing changed");
    world_destroy(w);
}

Test(mmu_shadow, a_fetch_is_checked_by_the_guests_tables)
{
    struct world *w = two_spaces();
    uint32_t before = guest_read(w, TABLE_A);
    struct fault f;
    gpa_t gpa;

    cr_assert_not(before & PTE_A);
    cr_assert(mmu_fetchable(w->mmu, 0x123, &gpa, &f));
    cr_assert_eq(gpa.v, 0x100123);
    cr_assert_eq(guest_read(w, TABLE_A), before | PTE_A);
    cr_assert_not(mmu_fetchable(w->mmu, 0x40000000, &gpa, &f));
    cr_assert_eq(f.vector, VEC_PF);
    cr_assert_eq(f.error, 0);
    cr_assert_eq(f.cr2, 0x40000000);
    world_destroy(w);
}

static uint32_t vmm_read(struct world *w, uint32_t linear)
{
    uint32_t value = 0;
    struct fault f;
    bool device;

    cr_assert(mmu_read(w->mmu, linear, 4, true, &value, &f, &device));
    return value;
}

Test(mmu_shadow, what_the_VMM_remembers_is_not_older_than_the_guests_tables)
{
    struct world *w = two_spaces();
    uint32_t elsewhere = 0x107 << 12 | RWU;
    uint64_t references;

    world_poke(w, 0x100040, 11);
    world_poke(w, 0x107040, 22);
    cr_assert_eq(vmm_read(w, 0x40), 11);
    references = w->trace.count.vmm_references;
    cr_assert_eq(vmm_read(w, 0x40), 11);
    cr_assert_eq(w->trace.count.vmm_references, references + 2);
    /* Not even the VMM is told of this. */
    cr_assert(pmap_write(w->pmap, GPA(TABLE_A), &elsewhere, 4));
    cr_assert_eq(vmm_read(w, 0x40), 22);
    cr_assert_eq(guest_read(w, TABLE_A), elsewhere | PTE_A);
    world_destroy(w);
}

Test(mmu_shadow, what_the_VMM_remembers_follows_the_PMap)
{
    struct world *w = two_spaces();

    world_poke(w, 0x100040, 11);
    cr_assert_eq(vmm_read(w, 0x40), 11);
    mmu_drop_gpa(w->mmu, GPA(0x100000));
    cr_assert(pmap_add(w->pmap, GPA(0x100000), PAGE_BYTES, PMAP_RAM));
    cr_assert_eq(vmm_read(w, 0x40), 0);
    world_destroy(w);
}

Test(mmu_shadow, emulated_accesses_cross_pages_and_fault_like_the_guest)
{
    struct world *w = two_spaces();
    struct fault f;
    uint32_t value;
    bool device;

    cr_assert(mmu_write(w->mmu, 0x0FFE, 4, true, 0x11223344, &f, &device));
    cr_assert(mmu_read(w->mmu, 0x0FFE, 4, true, &value, &f, &device));
    cr_assert_eq(value, 0x11223344);
    cr_assert_eq(guest_read(w, 0x100FFC) >> 16, 0x3344);
    cr_assert_not(mmu_write(w->mmu, 64 * 4096 - 2, 4, true, 0, &f, &device));
    cr_assert_not(device);
    cr_assert_eq(f.cr2, 64 * 4096);
    cr_assert_eq(f.error, PF_WRITE | PF_USER);
    world_destroy(w);
}

Test(mmu_shadow, looking_changes_nothing)
{
    struct world *w = two_spaces();
    struct mmu_view v;

    mmu_inspect(w->mmu, 0, ACC_USER | ACC_WRITE, &v);
    cr_assert_eq(v.would, FC_HIDDEN);
    cr_assert_eq(v.walk.address, 0x100000);
    cr_assert_not(guest_read(w, TABLE_A) & PTE_A);
    touch_set(w, 1, ACC_USER);
    mmu_inspect(w->mmu, 0, ACC_USER | ACC_WRITE, &v);
    cr_assert_eq(v.would, FC_DIRTY);
    mmu_inspect(w->mmu, 0, ACC_USER, &v);
    cr_assert_eq(v.would, FC_COUNT);
    cr_assert(v.own.entry[LEVEL_PT] & PTE_P);
    mmu_inspect(w->mmu, 0x40000000, 0, &v);
    cr_assert_eq(v.would, FC_TRUE);
    world_destroy(w);
}

Test(mmu_shadow, without_frames_it_recycles_tables_and_says_so_at_last)
{
    struct world *w = two_spaces();
    struct mmu_result r;
    ma_t frame, taken[8192];
    unsigned n = 0;

    touch_set(w, 8, ACC_USER);
    while (frames_take(w->frames, &frame))
        taken[n++] = frame;
    world_cr3(w, DIR_B); /* a new root and leaf in the place of the old */
    touch_set(w, 8, ACC_USER | ACC_WRITE);
    assert_audit(w);
    cr_assert_gt(w->trace.count.mmu_recycled, 0);
    world_poke(w, TABLE_B, (uint32_t)OUT_AT | RWU);
    mmu_fault(w->mmu, 0, PF_USER, 0, &r);
    cr_assert_eq(r.cls, FC_PAGED_OUT);
    cr_assert_eq(r.action, MMU_NO_MEMORY);
    while (n)
        frames_give(w->frames, taken[--n]);
    world_destroy(w);
}

Test(mmu_shadow, it_continues_from_a_snapshot)
{
    struct world *w = two_spaces();
    uint64_t faults;
    size_t bytes;
    void *saved;

    touch_set(w, 8, ACC_USER | ACC_WRITE);
    bytes = mmu_save(w->mmu, NULL, 0);
    saved = malloc(bytes);
    mmu_save(w->mmu, saved, bytes);
    faults = w->faults;
    touch_set(w, 16, ACC_USER | ACC_WRITE);
    cr_assert_eq(w->faults - faults, 8);
    /* The contents of the tables are the machine's part of a snapshot: what
     * was filled since must be empty again. */
    for (uint32_t i = 8; i < 16; i++) {
        world_poke(w, TABLE_A + i * 4, 0);
        world_poke(w, TABLE_A + i * 4, (0x100 + i) << 12 | RWU);
    }
    cr_assert(mmu_restore(w->mmu, saved, bytes));
    assert_audit(w);
    faults = w->faults;
    touch_set(w, 8, ACC_USER | ACC_WRITE);
    cr_assert_eq(w->faults, faults);
    touch_set(w, 16, ACC_USER | ACC_WRITE);
    cr_assert_eq(w->faults - faults, 8);
    free(saved);
    world_destroy(w);
}

Test(mmu_shadow, what_a_reclaimed_table_held_is_not_in_the_tlb)
{
    struct world *w =
        world_create(&mmu_shadow, PAGE_BYTES, 1, MMU_OPTIMIZATIONS);

    world_poke(w, DIR_A, TABLE_A | RWU);
    for (uint32_t i = 0; i < 8; i++)
        world_poke(w, TABLE_A + i * 4, (0x100 + i) << 12 | RWU);
    for (uint32_t k = 1; k <= 10; k++) {
        world_poke(w, DIR_A + k * 4, (0x20 + k) << 12 | RWU);
        world_poke(w, (0x20 + k) << 12, 0x110000 | RWU);
    }
    world_cr3(w, DIR_A);
    world_mode(w, CR0_PE | CR0_PG | CR0_WP, CR4_PSE);
    touch_set(w, 8, ACC_USER);
    touch_set(w, 8, ACC_USER);
    for (uint32_t k = 1; k <= 10; k++)
        world_access(w, k << 22, ACC_USER, 0);
    cr_assert_gt(w->trace.count.mmu_recycled, 0);
    for (uint32_t i = 0; i < 8; i++) /* not traced any more */
        world_poke(w, TABLE_A + i * 4, 0);
    touch_set(w, 8, ACC_USER);
    world_destroy(w);
}

Test(mmu_shadow, a_page_table_that_is_written_like_data_is_given_up)
{
    struct world *w = two_spaces();
    uint64_t before;

    touch_set(w, 8, ACC_USER);
    store(w, TABLE_A + 0x802, 1);
    before = class_count(w, FC_TRACE);
    for (uint32_t i = 512; i < 600; i++)
        store(w, TABLE_A + i * 4, i);
    cr_assert_eq(class_count(w, FC_TRACE), before);
    cr_assert_eq(w->trace.count.mmu_flooded, 1);
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_shadow, a_directory_that_is_written_while_not_in_use_is_given_up)
{
    struct world *w = two_spaces();
    uint64_t before;

    world_cr3(w, DIR_B);
    touch_set(w, 4, ACC_USER);
    before = class_count(w, FC_TRACE);
    for (uint32_t i = 0; i < 100; i++)
        store(w, DIR_A + i * 4, i);
    cr_assert_eq(class_count(w, FC_TRACE), before + 1);
    cr_assert_eq(w->trace.count.mmu_flooded, 1);
    assert_audit(w);
    world_destroy(w);
}

/* What a hypercall asks for. */
static void update(struct world *w, uint32_t gpa, uint32_t value)
{
    world_poke(w, gpa, value);
    mmu_entry_updated(w->mmu, GPA(gpa));
}

Test(mmu_shadow, an_update_that_says_it_is_used_spares_the_fault)
{
    struct world *w = spaces_without(0);
    uint64_t faults;

    touch_set(w, 1, ACC_USER);
    update(w, TABLE_A + 20 * 4, 0x120000 | RWU | PTE_A | PTE_D);
    assert_audit(w);
    faults = w->faults;
    cr_assert_eq(world_access(w, 20 << 12, ACC_USER | ACC_WRITE, 0).gpa,
                 0x120000);
    cr_assert_eq(w->faults, faults);
    world_destroy(w);
}

Test(mmu_shadow, an_update_sets_no_bit_of_the_guests)
{
    struct world *w = spaces_without(0);

    touch_set(w, 1, ACC_USER);
    update(w, TABLE_A + 20 * 4, 0x120000 | RWU);
    update(w, TABLE_A + 21 * 4, 0x121000 | RWU | PTE_A);
    cr_assert_eq(guest_read(w, TABLE_A + 20 * 4), 0x120000 | RWU);
    world_access(w, 20 << 12, ACC_USER, 0);
    cr_assert_eq(w->last, FC_HIDDEN);
    world_access(w, 21 << 12, ACC_USER | ACC_WRITE, 0);
    cr_assert_eq(w->last, FC_DIRTY);
    world_destroy(w);
}
