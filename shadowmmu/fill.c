/* SPDX-License-Identifier: MIT */
/* shadowmmu/fill.c - putting entries into the VMM's tables, taking them out.
 *
 * The rule of the hardware TLB is kept here: rights may be added in silence,
 * what is removed or restricted is flushed in the same breath.
 */
#include "shadowmmu/technique.h"

static void flush_all(struct mmu *m)
{
    m->c.hardware.flush_all(m->c.hardware.ctx);
}

/*S:220*/
/* The entry for an access that the guest's tables allow. Write permission is
 * withheld while the guest's dirty bit is clear (the first write must set it),
 * and from pages that the VMM guards.
 *
 * With the guest's CR0.WP = 0 its kernel may write pages that are read-only.
 * The real CR0.WP is always 1, so such a page has two forms: read-only with
 * the guest's U bit, and, from the kernel's write to the next user access,
 * writable for the supervisor alone. */
static uint32_t compose(const struct mmu *m, unsigned access,
                        const struct paging_walk *w, enum pmap_kind kind,
                        ma_t ma, bool open)
{
    uint32_t entry = (uint32_t)(ma.v & PTE_FRAME) | PTE_P | PTE_A | PTE_D;
    uint32_t gfn = walk_gfn(w);
    bool may_write =
        kind == PMAP_RAM && w->dirty && (open || !mmu_guarded(m, gfn));

    if (walk_large(w))
        entry |= MARK_LARGE;
    if (w->global && (m->c.vcpu->cr4 & CR4_PGE))
        entry |= MARK_GLOBAL;
    if (!w->writable && (access & ACC_WRITE))
        return may_write ? entry | PTE_W | MARK_WP0 : entry;
    if (w->user)
        entry |= PTE_U;
    if (w->writable && may_write)
        entry |= PTE_W;
    return entry;
}
/*:*/

uint32_t mmu_entry_put(struct mmu *m, int slot, unsigned index, unsigned access,
                       const struct paging_walk *w, enum pmap_kind kind,
                       ma_t ma, bool open)
{
    uint32_t old = table_entry(&m->t, slot, index);
    uint32_t entry = compose(m, access, w, kind, ma, open);

    table_map(&m->t, slot, index, entry, walk_gfn(w));
    table_spare(&m->t, slot, index, (entry & MARK_GLOBAL) != 0);
    m->t.slot[slot].has_large |= walk_large(w);
    if ((old & PTE_P) &&
        (((old ^ entry) & PTE_FRAME) || (old & ~entry & (PTE_W | PTE_U))))
        mmu_entry_flush(m, slot, index);
    return entry;
}

bool mmu_fill(struct mmu *m, uint32_t linear, unsigned access,
              const struct paging_walk *w, enum pmap_kind kind, ma_t ma,
              bool open, struct fill *fill)
{
    uint32_t table;

    fill->index = linear >> PAGE_SHIFT & (TABLE_ENTRIES - 1);
    fill->slot = SLOT_NONE;
    fill->entry = 0;
    if (m->overlay_pde && linear >> LARGE_PAGE_SHIFT == m->overlay_index)
        return false; /* the VMM has no other place to go */
    if (walk_page_table(w, &table))
        unsync_entry(m, table, fill->index);
    fill->slot = m->ops->leaf(m, linear, w);
    if (fill->slot == SLOT_NONE)
        return false;
    /* Only now: the new leaf table may be derived from this very page. */
    fill->entry =
        mmu_entry_put(m, fill->slot, fill->index, access, w, kind, ma, open);
    m->t.slot[fill->slot].flood = 0;
    m->c.trace->count.mmu_fills++;
    return true;
}

static void count_tables(struct mmu *m)
{
    struct counters *c = &m->c.trace->count;

    c->mmu_tables = (uint64_t)m->t.used;
    if (c->mmu_tables > c->mmu_tables_peak)
        c->mmu_tables_peak = c->mmu_tables;
}

void mmu_report_table(struct mmu *m, const struct table *table,
                      const char *cause)
{
    count_tables(m);
    trace_table(m->c.trace, mmu_site(m), cause, table->ma,
                table->gfn << PAGE_SHIFT, table_is_directory(table) ? 2 : 1,
                (uint32_t)m->t.used);
}

int mmu_table_new(struct mmu *m, enum table_kind kind, uint32_t gfn,
                  unsigned rights)
{
    int slot = tables_new(&m->t, kind, gfn, rights);

    while (slot == SLOT_NONE) {
        int victim = tables_oldest(&m->t, m->root);

        if (victim == SLOT_NONE)
            return SLOT_NONE;
        m->c.trace->count.mmu_recycled++;
        mmu_table_drop(m, victim, "reclaimed");
        slot = tables_new(&m->t, kind, gfn, rights);
    }
    if (table_is_directory(&m->t.slot[slot]) && m->overlay_pde)
        memory_write32(m->c.memory,
                       table_entry_ma(&m->t, slot, m->overlay_index),
                       m->overlay_pde);
    m->c.trace->count.mmu_cache_miss++;
    mmu_report_table(m, &m->t.slot[slot], "made");
    /* From here on the guest's writes to this page must be seen, unless it is
     * a page table that is out of sync. */
    if (kind == TABLE_DIRECTORY)
        unsync_end(m, gfn);
    if ((kind == TABLE_DIRECTORY || kind == TABLE_LEAF) && mmu_guarded(m, gfn))
        mmu_protect(m, gfn);
    return slot;
}

void mmu_table_drop(struct mmu *m, int slot, const char *cause)
{
    struct table table = m->t.slot[slot];

    tables_delete(&m->t, slot);
    m->c.trace->count.mmu_shadow_zapped++;
    if (table.parents)
        flush_all(m);
    if (table.kind == TABLE_LEAF && !tables_traced(&m->t, table.gfn))
        unsync_forget(m, table.gfn);
    mmu_report_table(m, &table, cause);
}

/* The TLB holds translations of the current root alone, so only the places
 * where this root shows the table matter. */
void mmu_entry_flush(struct mmu *m, int slot, unsigned index)
{
    for (uint32_t id = m->t.slot[slot].parents; id; id = m->t.next[id - 1])
        if ((int)((id - 1) / TABLE_ENTRIES) == m->root)
            m->c.hardware.flush_page(m->c.hardware.ctx,
                                     (id - 1) % TABLE_ENTRIES
                                             << LARGE_PAGE_SHIFT |
                                         index << PAGE_SHIFT);
}

void mmu_entry_clear(struct mmu *m, int slot, unsigned index)
{
    bool directory = table_is_directory(&m->t.slot[slot]);

    table_clear(&m->t, slot, index);
    if (!directory)
        mmu_entry_flush(m, slot, index);
    else if (slot == m->root)
        flush_all(m);
}

void mmu_entry_restrict(struct mmu *m, int slot, unsigned index, uint32_t entry)
{
    table_set_bits(&m->t, slot, index, entry);
    mmu_entry_flush(m, slot, index);
}

void mmu_protect(struct mmu *m, uint32_t gfn)
{
    for (uint32_t id = m->t.mapped[gfn]; id; id = m->t.next[id - 1]) {
        int slot = (int)((id - 1) / TABLE_ENTRIES);
        unsigned index = (id - 1) % TABLE_ENTRIES;
        uint32_t entry = table_entry(&m->t, slot, index);

        if (entry & PTE_W)
            mmu_entry_restrict(m, slot, index, entry & ~PTE_W);
    }
}

void mmu_set_root(struct mmu *m, int slot)
{
    m->root = slot;
    m->t.slot[slot].stamp = ++m->t.clock;
    m->c.hardware.set_root(m->c.hardware.ctx, MA(m->t.slot[slot].ma));
}
