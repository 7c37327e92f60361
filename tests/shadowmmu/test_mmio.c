/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_mmio.c - device accesses remembered. */
#include "tests/shadowmmu/test_spaces.h"

#define SCREEN 0xB8000000u /* no memory */

/* The first page is a device's. */
static struct world *device_space(unsigned without)
{
    struct world *w = spaces_without(without);

    world_poke(w, TABLE_A, SCREEN | RWU);
    return w;
}

static uint64_t references(const struct world *w)
{
    return w->trace.count.vmm_references;
}

/* An access that comes to a device, by the guest and then by the VMM in its
 * place. Returns the references of the VMM's walks. */
static uint64_t reach(struct world *w, uint32_t linear, unsigned access)
{
    uint64_t before = references(w);
    struct outcome_of got = world_access(w, linear, access, 0);
    bool user = (access & ACC_USER) != 0, device;
    uint32_t value;
    struct fault f;

    cr_assert_eq(got.what, OUTCOME_DEVICE);
    cr_assert_eq(w->last, FC_MMIO);
    cr_assert_not((access & ACC_WRITE)
                      ? mmu_write(w->mmu, linear, 4, user, 0, &f, &device)
                      : mmu_read(w->mmu, linear, 4, user, &value, &f, &device));
    cr_assert(device);
    cr_assert_eq(mmu_device(w->mmu, linear, access).v, got.gpa);
    assert_audit(w);
    return references(w) - before;
}

Test(mmu_mmio, the_second_access_walks_no_table)
{
    struct world *w = device_space(0);

    cr_assert_gt(reach(w, 0x10, ACC_USER), 0);
    cr_assert_eq(reach(w, 0x20, ACC_USER), 0);
    cr_assert_eq(reach(w, 0x20, 0), 0, "the kernel may what the user may");
    cr_assert_eq(w->trace.count.mmio_entries, 1);
    cr_assert_eq(w->trace.count.mmio_remembered, 2);
    world_destroy(w);
}

Test(mmu_mmio, each_walks_without_it)
{
    struct world *w = device_space(MMU_MMIO_CACHE);

    for (unsigned i = 0; i < 3; i++)
        cr_assert_geq(reach(w, 0x10, ACC_USER), 4, "fault and emulation");
    cr_assert_eq(w->trace.count.mmio_remembered, 0);
    world_destroy(w);
}

Test(mmu_mmio, the_first_write_sets_the_dirty_bit)
{
    struct world *w = device_space(0);

    reach(w, 0x10, ACC_USER);
    cr_assert_not(guest_read(w, TABLE_A) & PTE_D);
    cr_assert_gt(reach(w, 0x10, ACC_USER | ACC_WRITE), 0);
    cr_assert(guest_read(w, TABLE_A) & PTE_D);
    cr_assert_eq(reach(w, 0x10, ACC_USER | ACC_WRITE), 0);
    world_destroy(w);
}

Test(mmu_mmio, the_VMM_sets_the_bits_where_it_comes_first)
{
    struct world *w = device_space(0);
    struct fault f;
    bool device;

    cr_assert_not(mmu_write(w->mmu, 0, 4, true, 0, &f, &device));
    cr_assert(device);
    cr_assert_eq(guest_read(w, TABLE_A), SCREEN | RWU | PTE_A | PTE_D);
    world_destroy(w);
}

Test(mmu_mmio, what_the_kernel_may_the_user_may_not)
{
    struct world *w = device_space(0);

    world_poke(w, TABLE_A, SCREEN | PTE_P | PTE_W);
    reach(w, 0, ACC_WRITE);
    cr_assert_eq(reach(w, 0, ACC_WRITE), 0);
    cr_assert_eq(world_access(w, 0, ACC_USER, 0).what, OUTCOME_FAULT);
    cr_assert_eq(w->last, FC_TRUE);
    world_destroy(w);
}

Test(mmu_mmio, write_protection_of_the_kernel_comes_and_goes)
{
    struct world *w = device_space(0);

    world_poke(w, TABLE_A, SCREEN | PTE_P | PTE_U);
    world_mode(w, w->vcpu.cr0 & ~CR0_WP, w->vcpu.cr4);
    reach(w, 0, ACC_WRITE);
    cr_assert_eq(reach(w, 0, ACC_WRITE), 0);
    cr_assert_eq(world_access(w, 0, ACC_USER | ACC_WRITE, 0).what,
                 OUTCOME_FAULT);
    reach(w, 0, ACC_USER);
    cr_assert_eq(reach(w, 0, ACC_USER), 0);
    reach(w, 0, ACC_WRITE);
    world_mode(w, w->vcpu.cr0 | CR0_WP, w->vcpu.cr4);
    cr_assert_eq(world_access(w, 0, ACC_WRITE, 0).what, OUTCOME_FAULT);
    world_destroy(w);
}

/* The guest's table is changed by a store, traced or out of sync. */
static void remap(unsigned without)
{
    struct world *w = device_space(without);

    reach(w, 0, ACC_USER);
    store(w, TABLE_A, 0x107000 | RWU);
    cr_assert_eq(world_access(w, 0, ACC_USER, 0).gpa, 0x107000);
    store(w, TABLE_A, (SCREEN + 0x1000) | RWU);
    mmu_invlpg(w->mmu, 0);
    cr_assert_eq(world_access(w, 4, ACC_USER, 0).gpa, SCREEN + 0x1004);
    store(w, TABLE_A, 0);
    cr_assert_eq(world_access(w, 0, ACC_USER, 0).what, OUTCOME_FAULT);
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_mmio, a_traced_change_is_followed)
{
    remap(MMU_UNSYNC);
}

Test(mmu_mmio, a_change_out_of_sync_is_followed)
{
    remap(0);
}

Test(mmu_mmio, a_page_that_was_memory_is_not_in_the_tlb)
{
    struct world *w = spaces_without(0);

    world_access(w, 0, ACC_USER, 0);
    store(w, TABLE_A, SCREEN | RWU);
    mmu_invlpg(w->mmu, 0);
    reach(w, 0, ACC_USER);
    world_destroy(w);
}

Test(mmu_mmio, an_emulated_tlb_forgets_it_when_the_guest_flushes)
{
    struct world *w = lazy_space(&mmu_tlb_emulation, 0);

    world_poke(w, TABLE, SCREEN | RWU);
    reach(w, 0, ACC_USER);
    cr_assert_eq(reach(w, 0, ACC_USER), 0);
    world_poke(w, TABLE, 0x107000 | RWU);
    mmu_invlpg(w->mmu, 0);
    cr_assert_eq(world_access(w, 0, ACC_USER, 0).gpa, 0x107000);
    world_poke(w, TABLE, SCREEN | RWU);
    mmu_invlpg(w->mmu, 0);
    reach(w, 0, ACC_USER);
    world_poke(w, TABLE, 0x107000 | RWU);
    world_cr3(w, OTHER);
    cr_assert_eq(world_access(w, 0, ACC_USER, 0).gpa, 0x107000);
    world_destroy(w);
}

Test(mmu_mmio, memory_that_appears_there_is_found)
{
    struct world *w = spaces_without(0);
    uint32_t hole = GUEST_BYTES;
    bool step = false;
    uint32_t ma;

    world_poke(w, TABLE_A, hole | RWU);
    reach(w, 0, ACC_USER);
    cr_assert(pmap_add(w->pmap, GPA(hole), PAGE_BYTES, PMAP_RAM));
    cr_assert_eq(world_translate(w, 0, ACC_USER, &ma, &step).gpa, hole);
    cr_assert_eq(w->last, FC_HIDDEN);
    assert_audit(w);
    world_destroy(w);
}

Test(mmu_mmio, with_paging_off_too)
{
    struct world *w = world_create(&mmu_shadow, 0, 1, 0);

    reach(w, SCREEN, 0);
    cr_assert_eq(reach(w, SCREEN + 8, ACC_WRITE), 0);
    cr_assert_eq(w->trace.count.mmio_remembered, 1);
    world_destroy(w);
}

Test(mmu_mmio, an_access_across_pages_is_looked_up_in_both)
{
    struct world *w = device_space(0);
    uint32_t value;
    struct fault f;
    bool device;

    reach(w, 0, ACC_USER);
    store(w, TABLE_A + 4, 0);
    cr_assert_not(mmu_read(w->mmu, 0xFFE, 4, true, &value, &f, &device));
    cr_assert_not(device);
    cr_assert_eq(f.cr2, 0x1000);
    world_destroy(w);
}

Test(mmu_mmio, an_open_page_leads_out_of_memory_for_one_instruction)
{
    struct world *w = device_space(0);
    struct mmu_view view;
    uint32_t linear;

    reach(w, 0x10, ACC_USER);
    cr_assert(mmu_open(w->mmu));
    mmu_inspect(w->mmu, 0x10, ACC_USER, &view);
    cr_assert(view.own.allowed);
    cr_assert_not(memory_has(&w->memory, MA(view.own.address), 1));
    cr_assert_eq(mmu_opened(w->mmu, MA(view.own.address), &linear).v,
                 SCREEN + 0x10);
    cr_assert_eq(linear, 0x10);
    mmu_stepped(w->mmu);
    mmu_inspect(w->mmu, 0x10, ACC_USER, &view);
    cr_assert_not(view.own.allowed);
    reach(w, 0x10, ACC_USER);
    world_destroy(w);
}
