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
    struct table_key key = {.kind = TABLE_UPPER, .level = m->t.format->levels};
    int root = mmu_table_new(m, &key);

    if (root == SLOT_NONE ||
        (key.level == LEVEL_PDPT && !mmu_link_directories(m, root)))
        return false;
    mmu_set_root(m, root);
    return true;
}

/* PAE: any directory may hold anything, and one is the VMM's, too. */
static bool tlb_directory(struct mmu *m, unsigned index, struct table_key *key)
{
    bool overlay = m->overlay.placed && m->overlay.linear >> 30 == index;

    *key = (struct table_key){.kind = TABLE_UPPER,
                              .level = LEVEL_PD,
                              .gfn = index << (30 - PAGE_SHIFT),
                              .rights = overlay ? ROLE_OVERLAY : 0};
    return true;
}

/* The table of the level below, for a linear address. */
static int tlb_child(struct mmu *m, int slot, unsigned index, uint32_t linear)
{
    struct table_key key = {
        .kind = TABLE_EMULATED, .level = LEVEL_PT, .gfn = linear >> PAGE_SHIFT};
    int child;

    m->t.slot[slot].stamp = ++m->t.clock;
    if (table_has(&m->t.slot[slot], index))
        return (int)m->t.target[(uint32_t)slot * TABLE_ENTRIES + index];
    if (m->t.slot[slot].level == LEVEL_PDPT)
        tlb_directory(m, index, &key);
    else
        key.gfn &= ~((1u << m->t.format->index_bits) - 1);
    child = mmu_table_new(m, &key);
    if (child != SLOT_NONE)
        mmu_link(m, slot, index, child);
    return child;
}

static int tlb_leaf(struct mmu *m, uint32_t linear, const struct paging_walk *w)
{
    const struct paging_format *f = m->t.format;
    int slot = m->root;

    (void)w;
    for (unsigned level = f->levels; level > LEVEL_PT && slot != SLOT_NONE;
         level--)
        slot = tlb_child(m, slot, paging_index(f, level, linear), linear);
    return slot;
}

/* Costs as much as there are entries. The tables stay where they are, empty:
 * the next address space needs most of them again. */
static uint32_t empty(struct mmu *m, int slot, bool spare_global)
{
    const struct table *table = &m->t.slot[slot];
    unsigned index = 0;
    uint32_t lost = 0;

    if (!table_is_upper(table))
        return spare_global ? table_flush(&m->t, slot)
                            : table_empty(&m->t, slot);
    while ((index = table_next(table, index)) < TABLE_ENTRIES) {
        uint32_t id = (uint32_t)slot * TABLE_ENTRIES + index++;

        lost += empty(m, (int)m->t.target[id], spare_global);
    }
    return lost;
}

static void tlb_empty(struct mmu *m, const char *cause, bool spare_global)
{
    uint32_t lost = empty(m, m->root, spare_global);

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
    if (!mmu_follow_format(m) && m->t.format == &paging_pae &&
        m->seen.nx != m->nx)
        mmu_set_root(m, m->root);
}

/* INVLPG removes all of a page. The guest's large page is many entries here,
 * and what the guest's tables say now need not be what was filled. */
static void tlb_invlpg(struct mmu *m, uint32_t linear)
{
    unsigned at = mmu_leaf_index(m, linear);
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
    .directory = tlb_directory,
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
    .optimizations = MMU_WALK_CACHE | MMU_PREFETCH | MMU_GLOBAL |
                     MMU_MMIO_CACHE | MMU_EVICTION | MMU_VPID,
    .create = tlb_create,
};
