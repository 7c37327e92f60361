/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_pae.c - guests with three levels of tables. */
#include "tests/shadowmmu/test_program.h"

enum { STEPS = 1500 };

Test(mmu_pae, random_guests_under_shadow_tables_see_what_the_manual_says)
{
    for (uint64_t seed = 301; seed <= 312; seed++)
        program_run(&mmu_shadow, seed, STEPS, 0, false, true);
}

Test(mmu_pae, random_guests_that_flush_see_what_the_manual_says)
{
    for (uint64_t seed = 321; seed <= 332; seed++)
        program_run(&mmu_shadow, seed, STEPS, 0, true, true);
}

Test(mmu_pae, random_guests_under_an_emulated_tlb_see_what_the_manual_says)
{
    for (uint64_t seed = 341; seed <= 352; seed++)
        program_run(&mmu_tlb_emulation, seed, STEPS, 0, true, true);
}

Test(mmu_pae, the_least_memory_is_enough)
{
    for (uint64_t seed = 361; seed <= 366; seed++) {
        program_run(&mmu_shadow, seed, STEPS, PAGE_BYTES, false, true);
        program_run(&mmu_tlb_emulation, seed, STEPS, PAGE_BYTES, true, true);
    }
}

/* ---- directed --------------------------------------------------------------
 */

/* Two directories: the lower GiB and, with all of memory at its start for the
 * kernel alone, the upper one. */
enum {
    POINTER_TABLE = 0x1000,
    DIR_LOW = 0x2000,
    DIR_HIGH = 0x3000,
    TABLE_LOW = 0x4000,
    PAGE = 0x10000, /* of data */
    KERNEL_MAP = 0x5000,
    SPARE = 0x6000,
    SECOND = 0x200000, /* linear: of the second directory entry */
};
enum { RW = PTE_P | PTE_W, RWU = PTE_P | PTE_W | PTE_U };

static void set(struct world *w, uint32_t at, uint64_t entry)
{
    world_poke(w, at, (uint32_t)entry);
    world_poke(w, at + 4, (uint32_t)(entry >> 32));
}

/* The kernel's own store, through its mapping. */
static void store(struct world *w, uint32_t gpa, uint32_t value)
{
    world_access(w, (uint32_t)KERNEL_BASE + gpa, ACC_WRITE, value);
}

static struct world *pae_space(const struct mmu_technique *t, unsigned without)
{
    struct world *w = world_create(t, 0, 1, without);

    set(w, POINTER_TABLE, DIR_LOW | PTE_P);
    set(w, POINTER_TABLE + 3 * 8, DIR_HIGH | PTE_P);
    set(w, DIR_LOW, TABLE_LOW | RWU);
    set(w, DIR_HIGH, KERNEL_MAP | RW);
    for (uint32_t i = 0; i < 64; i++) {
        set(w, TABLE_LOW + i * 8, (uint64_t)(PAGE + (i << 12)) | RWU);
        set(w, KERNEL_MAP + i * 8, (uint64_t)i << 12 | RW);
    }
    w->vcpu.efer = EFER_NXE;
    world_mode(w, CR0_PE | CR0_WP, CR4_PAE);
    world_cr3(w, POINTER_TABLE);
    world_mode(w, CR0_PE | CR0_PG | CR0_WP, CR4_PAE);
    return w;
}

static void keep_entry(void *ctx, const struct event *e)
{
    if (e->kind == EV_FILL)
        *(uint64_t *)ctx = e->entry;
}

Test(mmu_pae, an_event_carries_the_whole_entry)
{
    struct world *w = pae_space(&mmu_shadow, MMU_PREFETCH);
    uint64_t entry = 0;
    struct trace_sink sink = {.event = keep_entry, .ctx = &entry};

    set(w, TABLE_LOW, PAGE | RWU | PTE_NX);
    trace_attach(&w->trace, &sink);
    world_access(w, 0, ACC_USER, 0);
    cr_assert(entry & PTE_NX);
    world_destroy(w);
}

static enum outcome fetch(struct world *w, uint32_t linear)
{
    return world_access(w, linear, ACC_USER | ACC_FETCH, 0).what;
}

Test(mmu_pae, no_execute_is_withdrawn_from_an_entry_that_is_there)
{
    struct world *w = pae_space(&mmu_shadow, MMU_UNSYNC);

    cr_assert_eq(fetch(w, 0), OUTCOME_OK);
    store(w, TABLE_LOW + 4, 0x80000000);
    cr_assert_eq(fetch(w, 0), OUTCOME_FAULT);
    cr_assert_eq(world_access(w, 0, ACC_USER, 0).what, OUTCOME_OK);
    store(w, TABLE_LOW + 4, 0);
    cr_assert_eq(fetch(w, 0), OUTCOME_OK);
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_pae, one_table_under_two_directory_entries_has_the_rights_of_each)
{
    struct world *w = pae_space(&mmu_shadow, 0);

    set(w, DIR_LOW + 8, TABLE_LOW | PTE_P | PTE_U | PTE_NX);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(fetch(w, 0), OUTCOME_OK);
        cr_assert_eq(fetch(w, SECOND), OUTCOME_FAULT);
        cr_assert_eq(world_access(w, 0, ACC_USER | ACC_WRITE, 5).what,
                     OUTCOME_OK);
        cr_assert_eq(world_access(w, SECOND, ACC_USER | ACC_WRITE, 6).what,
                     OUTCOME_FAULT);
        cr_assert_eq(world_access(w, SECOND, ACC_USER, 0).what, OUTCOME_OK);
    }
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_pae, a_pointer_changed_in_memory_counts_from_the_next_load_of_cr3)
{
    const struct mmu_technique *both[] = {&mmu_shadow, &mmu_tlb_emulation};

    for (unsigned i = 0; i < 2; i++) {
        struct world *w = pae_space(both[i], 0);

        cr_assert_eq(world_access(w, 1u << 30, 0, 0).what, OUTCOME_FAULT);
        store(w, POINTER_TABLE + 8, DIR_LOW | PTE_P);
        cr_assert_eq(world_access(w, 1u << 30, 0, 0).what, OUTCOME_FAULT);
        world_cr3(w, POINTER_TABLE);
        cr_assert_eq(world_access(w, 1u << 30, 0, 0).what, OUTCOME_OK);
        store(w, POINTER_TABLE + 8, 0);
        cr_assert_eq(world_access(w, 1u << 30, 0, 0).what, OUTCOME_OK);
        world_cr3(w, POINTER_TABLE);
        cr_assert_eq(world_access(w, 1u << 30, 0, 0).what, OUTCOME_FAULT);
        assert_audit(w);
        world_destroy(w);
    }
}

Test(mmu_pae, a_table_is_traced_through_a_large_page_too)
{
    struct world *w = pae_space(&mmu_shadow, MMU_UNSYNC);

    set(w, DIR_LOW + 8, RWU | PTE_PS); /* all of memory */
    world_access(w, 0, ACC_USER | ACC_WRITE, 1);
    world_access(w, SECOND + TABLE_LOW, ACC_USER | ACC_WRITE, 0);
    cr_assert_eq(w->last, FC_TRACE);
    cr_assert_eq(world_access(w, 0, ACC_USER, 0).what, OUTCOME_FAULT);
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_pae, a_directory_may_be_its_own_page_table)
{
    struct world *w = pae_space(&mmu_shadow, MMU_UNSYNC);

    set(w, DIR_LOW + 511 * 8, DIR_LOW | RWU);
    /* Through it the directory's first entry is a word of user memory. */
    world_access(w, 511u << 21 | 511 << 12, ACC_USER | ACC_WRITE, SPARE | RWU);
    cr_assert_eq(world_access(w, 0, ACC_USER, 0).what, OUTCOME_FAULT);
    world_access(w, 511u << 21, ACC_USER | ACC_WRITE, PAGE | RWU);
    cr_assert_eq(world_access(w, 0, ACC_USER, 0).what, OUTCOME_OK);
    assert_audit(w);
    world_destroy(w);
}

/* What the processor finds in the VMM's own pages. */
static bool overlay_page(struct world *w, uint32_t linear, uint64_t *pte)
{
    uint64_t pde;

    return fake_entries(w, linear, &pde, pte);
}

Test(mmu_pae, the_vmm_sits_at_one_place_of_a_directory_that_is_at_two)
{
    struct world *w = pae_space(&mmu_shadow, 0);
    uint32_t place = 64 << 20, twin = place + (1u << 30);
    uint64_t pte;

    world_place_overlay(w, place);
    mmu_overlay_map(w->mmu, 700, MA(0x9000), PTE_P | PTE_A);
    set(w, POINTER_TABLE + 8, DIR_LOW | PTE_P);
    world_cr3(w, POINTER_TABLE);
    world_access(w, 1u << 30, ACC_USER, 0);
    cr_assert(overlay_page(w, place + (700 << 12), &pte));
    cr_assert_eq(pte, 0x9000 | PTE_P | PTE_A);
    cr_assert_not(overlay_page(w, twin + (700 << 12), &pte));
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_pae, the_vmms_pages_are_there_in_either_format)
{
    const struct mmu_technique *both[] = {&mmu_shadow, &mmu_tlb_emulation};

    for (unsigned i = 0; i < 2; i++) {
        struct world *w = pae_space(both[i], 0);
        uint32_t cr0 = w->vcpu.cr0, at = (64 << 20) + (700 << 12);
        uint64_t pte = 0;

        world_place_overlay(w, 64 << 20);
        mmu_overlay_map(w->mmu, 700, MA(0x9000), PTE_P | PTE_A);
        world_mode(w, cr0 & ~(uint32_t)CR0_PG, CR4_PAE);
        cr_assert(!w->root.pae && overlay_page(w, at, &pte));
        cr_assert_eq(pte, 0x9000 | PTE_P | PTE_A);
        world_mode(w, cr0, CR4_PAE);
        cr_assert(w->root.pae && overlay_page(w, at, &pte));
        cr_assert_eq(pte, 0x9000 | PTE_P | PTE_A);
        assert_audit(w);
        world_destroy(w);
    }
}

Test(mmu_pae, the_vmm_moves_when_the_guest_maps_its_place)
{
    struct world *w = pae_space(&mmu_shadow, 0);

    world_place_overlay(w, 64 << 20);
    store(w, DIR_LOW + 33 * 8, TABLE_LOW | RWU); /* its second half */
    cr_assert_eq(w->overlay_calls, 1);
    cr_assert_eq(world_access(w, 33u << 21, ACC_USER, 0).what, OUTCOME_OK);
    assert_audit(w);
    world_destroy(w);
}
