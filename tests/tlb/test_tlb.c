/* SPDX-License-Identifier: MIT */
/* tests/tlb/test_tlb.c - TLB emulation. */
#include "tests/shadowmmu/test_lazy.h"

Test(mmu_tlb, random_guests_that_flush_see_what_the_manual_says)
{
    for (uint64_t seed = 1; seed <= 12; seed++)
        program_run(&mmu_tlb_emulation, seed, 1500, 0, true, false);
}

Test(mmu_tlb, the_least_memory_is_enough)
{
    for (uint64_t seed = 101; seed <= 108; seed++)
        program_run(&mmu_tlb_emulation, seed, 1500, PAGE_BYTES, true, false);
}

static struct world *space_without(unsigned without)
{
    return lazy_space(&mmu_tlb_emulation, without);
}

/* Every entry is asked for by a fault of its own. */
static struct world *one_space(void)
{
    return space_without(MMU_OPTIMIZATIONS);
}

static void touch_set(struct world *w, uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++)
        world_access(w, i << 12, ACC_USER | ACC_WRITE, i);
}

struct flush_sink {
    struct trace_sink sink;
    uint32_t lost;
};

static void on_event(void *ctx, const struct event *e)
{
    if (e->kind == EV_FLUSH)
        ((struct flush_sink *)ctx)->lost = e->arg[0];
}

Test(mmu_tlb, switching_back_costs_the_working_set_again)
{
    struct world *w = one_space();
    struct flush_sink s = {{on_event, &s, NULL}, 0};

    trace_attach(&w->trace, &s.sink);
    touch_set(w, 20);
    world_cr3(w, OTHER);
    cr_assert_eq(s.lost, 20);
    touch_set(w, 20);
    world_cr3(w, DIRECTORY);
    touch_set(w, 20);
    cr_assert_eq(w->trace.count.page_faults[FC_HIDDEN], 60);
    cr_assert_eq(w->faults, 60);
    trace_detach(&w->trace, &s.sink);
    world_destroy(w);
}

static uint64_t hidden_of(struct world *w, uint32_t pages)
{
    uint64_t before = w->trace.count.page_faults[FC_HIDDEN];

    touch_set(w, pages);
    return w->trace.count.page_faults[FC_HIDDEN] - before;
}

Test(mmu_tlb, global_pages_survive_a_CR3_write_and_nothing_else)
{
    struct world *w = space_without(MMU_PREFETCH);

    for (uint32_t i = 0; i < 10; i++)
        world_poke(w, TABLE + i * 4, (0x100 + i) << 12 | RWU | PTE_G);
    world_mode(w, w->vcpu.cr0, CR4_PSE | CR4_PGE);
    cr_assert_eq(hidden_of(w, 20), 20);
    world_cr3(w, OTHER);
    cr_assert_eq(hidden_of(w, 20), 10);
    mmu_invlpg(w->mmu, 0);
    cr_assert_eq(hidden_of(w, 20), 1);
    world_mode(w, w->vcpu.cr0, CR4_PSE);
    cr_assert_eq(hidden_of(w, 20), 20);
    world_cr3(w, DIRECTORY);
    cr_assert_eq(hidden_of(w, 20), 20);
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_tlb, neighbours_whose_accessed_bit_is_set_are_prefetched)
{
    struct world *w = space_without(0);

    cr_assert_eq(hidden_of(w, 16), 16); /* sets the bits */
    world_cr3(w, OTHER);
    cr_assert_eq(hidden_of(w, 16), 1);
    cr_assert_eq(w->trace.count.mmu_prefetched, 15);
    cr_assert_eq(guest_read(w, TABLE + 16 * 4) & PTE_A, 0);
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_tlb, a_prefetched_page_is_writable_only_if_it_is_dirty)
{
    struct world *w = space_without(0);

    world_access(w, 0x0000, ACC_USER, 0);
    world_access(w, 0x1000, ACC_USER, 0);
    world_cr3(w, OTHER);
    world_access(w, 0x0000, ACC_USER, 0);
    cr_assert_eq(w->trace.count.mmu_prefetched, 1);
    world_access(w, 0x1000, ACC_USER | ACC_WRITE, 5);
    cr_assert_eq(w->last, FC_DIRTY);
    cr_assert_eq(guest_read(w, TABLE + 4) & PTE_D, PTE_D);
    world_destroy(w);
}

Test(mmu_tlb, invlpg_forgets_all_of_a_large_page)
{
    struct world *w = one_space();

    world_poke(w, DIRECTORY + 4, PTE_PS | PTE_D | RWU);
    world_access(w, 0x400000, ACC_USER, 0);
    world_access(w, 0x410000, ACC_USER, 0);
    world_poke(w, DIRECTORY + 4, 0);
    mmu_invlpg(w->mmu, 0x410000);
    cr_assert_eq(world_access(w, 0x400000, ACC_USER, 0).what, OUTCOME_FAULT);
    world_destroy(w);
}

Test(mmu_tlb, accessed_and_dirty_bits_come_back_after_invlpg)
{
    struct world *w = one_space();

    touch_set(w, 1);
    world_poke(w, TABLE, 0x100000 | RWU);
    mmu_invlpg(w->mmu, 0);
    world_access(w, 0, ACC_USER, 0);
    cr_assert_eq(guest_read(w, TABLE) & (PTE_A | PTE_D), PTE_A);
    world_access(w, 0, ACC_USER | ACC_WRITE, 0);
    cr_assert_eq(guest_read(w, TABLE) & (PTE_A | PTE_D), PTE_A | PTE_D);
    world_destroy(w);
}

Test(mmu_tlb, page_tables_are_not_traced)
{
    struct world *w = one_space();

    world_poke(w, TABLE + 63 * 4, TABLE | RWU);
    touch_set(w, 4);
    world_access(w, 63u << 12, ACC_USER | ACC_WRITE, 0);
    cr_assert_eq(w->trace.count.page_faults[FC_TRACE], 0);
    world_destroy(w);
}

Test(mmu_tlb, a_guest_that_flushes_late_sees_only_what_a_tlb_may_show)
{
    lazy_guests(&mmu_tlb_emulation, 6);
}

/* A write fault on a page that the guest maps elsewhere by now replaces the
 * entry; nobody would find the old frame's translation any more. */
Test(mmu_tlb, a_replaced_entry_is_not_in_the_hardware_tlb)
{
    for (uint64_t seed = 1; seed < 16; seed++) {
        struct world *w = one_space();
        uint32_t ma = 0;
        bool step = false;

        w->random = seed * 77777;
        world_access(w, 0, ACC_USER, 0); /* write is withheld */
        world_access(w, 0, ACC_USER, 0);
        world_poke(w, TABLE, 0x150000 | RWU);
        world_translate(w, 0, ACC_USER | ACC_WRITE, &ma, &step);
        mmu_drop_gpa(w->mmu, GPA(0x100000));
        cr_assert_eq(world_translate(w, 0, ACC_USER, &ma, &step).gpa, 0x150000);
        world_destroy(w);
    }
}
