/* SPDX-License-Identifier: MIT */
/* tlb/tlb.c - TLB emulation: the VMM's table is a big TLB for the guest.
 *
 * One table per VM. It is filled by hidden faults and emptied when the guest
 * empties its TLB: at every CR3 write, at every change of the paging mode, and
 * page by page at INVLPG. The guest's tables are not watched. What the guest
 * changes in them without a flush stays unseen for a while, which is what a
 * real TLB does too.
 *
 * Simple and always right, but a guest that switches address spaces pays for
 * its whole working set again each time. Only its global pages are spared, as
 * in a real TLB: a CR3 write leaves them, INVLPG and a change of CR4.PGE do
 * not.
 *
 * Reference: SDM 3A, "Caching Translation Information".
 */
#include "shadowmmu/technique.h"

static bool tlb_start(struct mmu *m)
{
    int root = mmu_table_new(m, TABLE_UNPAGED, 0, 0);

    if (root == SLOT_NONE)
        return false;
    mmu_set_root(m, root);
    return true;
}

static int tlb_leaf(struct mmu *m, uint32_t linear, const struct paging_walk *w)
{
    unsigned index = linear >> LARGE_PAGE_SHIFT;
    int slot = tables_leaf(&m->t, m->root, linear);

    (void)w;
    if (slot != SLOT_NONE)
        return slot;
    slot = mmu_table_new(m, TABLE_EMULATED, index * TABLE_ENTRIES, 0);
    if (slot != SLOT_NONE)
        table_link(&m->t, m->root, index, slot);
    return slot;
}

/* Costs as much as there are entries. The tables stay where they are, empty:
 * the next address space needs most of them again. */
static void tlb_empty(struct mmu *m, const char *cause, bool spare_global)
{
    const struct table *root = &m->t.slot[m->root];
    unsigned index = 0;
    uint32_t lost = 0;

    while ((index = table_next(root, index)) < TABLE_ENTRIES) {
        uint32_t linear = (uint32_t)index << LARGE_PAGE_SHIFT;
        int slot = tables_leaf(&m->t, m->root, linear);

        lost +=
            spare_global ? table_flush(&m->t, slot) : table_empty(&m->t, slot);
        index++;
    }
    m->c.hardware.flush_all(m->c.hardware.ctx);
    m->c.trace->count.mmu_flushes++;
    trace_flush(m->c.trace, mmu_site(m), cause, lost, 0, m->c.vcpu->cr3);
}

static void tlb_cr3_written(struct mmu *m)
{
    if (mmu_paging(m))
        tlb_empty(m, "CR3 write", !(m->c.without & MMU_GLOBAL));
}

static void tlb_mode_changed(struct mmu *m, uint32_t old_cr0, uint32_t old_cr4)
{
    (void)old_cr0;
    (void)old_cr4;
    tlb_empty(m, "paging mode", false);
}

/* INVLPG removes all of a page. The guest's 4 MiB page is many entries here,
 * and what the guest's tables say now need not be what was filled. */
static void tlb_invlpg(struct mmu *m, uint32_t linear)
{
    unsigned at = linear >> PAGE_SHIFT & (TABLE_ENTRIES - 1);
    int slot = tables_leaf(&m->t, m->root, linear);
    struct table *table;
    unsigned index = 0;
    uint32_t lost = 0;

    if (slot == SLOT_NONE)
        return;
    table = &m->t.slot[slot];
    if (table_has(table, at)) {
        mmu_entry_clear(m, slot, at);
        lost++;
    }
    while (table->has_large &&
           (index = table_next(table, index)) < TABLE_ENTRIES) {
        if (table_entry(&m->t, slot, index) & MARK_LARGE) {
            mmu_entry_clear(m, slot, index);
            lost++;
        }
        index++;
    }
    table->has_large = 0;
    trace_flush(m->c.trace, mmu_site(m), "INVLPG", lost, linear,
                m->c.vcpu->cr3);
}

/* An entry may be older than the guest's tables. It must still lead to memory
 * of this VM; audit.c has checked that already. */
static const char *tlb_audit(struct mmu *m, int slot, unsigned index)
{
    (void)m;
    (void)slot;
    (void)index;
    return NULL;
}

static const struct mmu_ops tlb_ops = {
    .leaf = tlb_leaf,
    .start = tlb_start,
    .cr3_written = tlb_cr3_written,
    .mode_changed = tlb_mode_changed,
    .invlpg = tlb_invlpg,
    .audit = tlb_audit,
};

static struct mmu *tlb_create(const struct mmu_config *config)
{
    return mmu_create(&mmu_tlb_emulation, &tlb_ops, config);
}

const struct mmu_technique mmu_tlb_emulation = {
    .name = "tlb",
    .blurb = "TLB emulation: one table, emptied when the guest loads CR3",
    .create = tlb_create,
};
