/* SPDX-License-Identifier: MIT */
/* shadowmmu/fill.c - putting entries into the VMM's tables, taking them out.
 *
 * The rule of the hardware TLB is kept here: rights may be added in silence,
 * what is removed or restricted is flushed in the same breath.
 */
#include "shadowmmu/technique.h"

#include <stdlib.h>

/* An entry that is gone may have been used under other roots too. */
static void withdrawn(struct mmu *m)
{
    if (m->c.hardware.withdrawn)
        m->c.hardware.withdrawn(m->c.hardware.ctx);
}

static void flush_all(struct mmu *m)
{
    m->c.hardware.flush_all(m->c.hardware.ctx);
}

void mmu_flush(struct mmu *m)
{
    withdrawn(m);
    flush_all(m);
}

/*S:220*/
/* The entry for an access that the guest's tables allow. Write permission is
 * withheld while the guest's dirty bit is clear (the first write must set it),
 * and from pages that the VMM guards.
 *
 * With the guest's CR0.WP = 0 its kernel may write pages that are read-only.
 * The real CR0.WP is always 1, so such a page has two forms: read-only with
 * the guest's U bit, and, from the kernel's write to the next user access,
 * writable for the supervisor alone.
 *
 * Where no memory is the entry is not present, and says what it would be. */
static uint64_t compose(const struct mmu *m, unsigned access,
                        const struct paging_walk *w, enum pmap_kind kind,
                        ma_t ma, bool open)
{
    bool device = kind == PMAP_NONE;
    uint64_t entry = device ? (w->address & PTE_FRAME) | MARK_DEVICE
                            : (ma.v & PTE_FRAME) | PTE_P | PTE_A | PTE_D;
    bool may_write = (device || kind == PMAP_RAM) && w->dirty &&
                     (open || !mmu_guarded(m, walk_gfn(w)));

    if (walk_large(w))
        entry |= MARK_LARGE;
    if (w->global && (m->c.vcpu->cr4 & CR4_PGE))
        entry |= MARK_GLOBAL;
    if (!w->executable)
        entry |= PTE_NX;
    if (!w->writable && (access & ACC_WRITE))
        return may_write ? entry | PTE_W | MARK_WP0 : entry;
    if (w->user)
        entry |= PTE_U;
    if (w->writable && may_write)
        entry |= PTE_W;
    return entry;
}
/*:*/

/* Does an entry grant less than it did, or something else? */
static bool takes_away(uint64_t old, uint64_t entry)
{
    return (old & PTE_P) &&
           (!(entry & PTE_P) || ((old ^ entry) & PTE_FRAME) ||
            (old & ~entry & (PTE_W | PTE_U)) || (entry & ~old & PTE_NX));
}

uint64_t mmu_entry_put(struct mmu *m, int slot, unsigned index, unsigned access,
                       const struct paging_walk *w, enum pmap_kind kind,
                       ma_t ma, bool open)
{
    uint64_t old = table_entry(&m->t, slot, index);
    uint64_t entry = compose(m, access, w, kind, ma, open);

    table_map(&m->t, slot, index, entry, walk_gfn(w));
    table_spare(&m->t, slot, index, (entry & MARK_GLOBAL) != 0);
    m->t.slot[slot].has_large |= walk_large(w);
    if (takes_away(old, entry))
        mmu_entry_flush(m, slot, index);
    return entry;
}

/* Is the leaf table large, and does that do for this access? */
static bool is_large(struct mmu *m, uint32_t linear, unsigned access, bool open,
                     struct fill *fill)
{
    struct fill large;

    if (!m->t.slot[fill->slot].large)
        return false;
    large_find(m, linear, &large);
    if (open || !entry_allows(large.entry, access)) {
        large_split(m, m->t.slot[fill->slot].gfn);
        return false;
    }
    *fill = large;
    return true;
}

bool mmu_fill_silent(struct mmu *m, uint32_t linear, unsigned access,
                     const struct paging_walk *w, enum pmap_kind kind, ma_t ma,
                     bool open, struct fill *fill)
{
    uint32_t table;

    fill->index = mmu_leaf_index(m, linear);
    fill->slot = SLOT_NONE;
    fill->entry = 0;
    if (overlay_has(m, linear))
        return false; /* the VMM has no other place to go */
    if (walk_page_table(w, &table))
        unsync_entry(m, table, fill->index);
    fill->slot = m->ops->leaf(m, linear, w);
    if (fill->slot == SLOT_NONE)
        return false;
    m->t.slot[fill->slot].flood = 0;
    if (is_large(m, linear, access, open, fill))
        return true;
    /* Only now: the new leaf table may be derived from this very page. */
    fill->entry =
        mmu_entry_put(m, fill->slot, fill->index, access, w, kind, ma, open);
    return true;
}

bool mmu_fill(struct mmu *m, uint32_t linear, unsigned access,
              const struct paging_walk *w, enum pmap_kind kind, ma_t ma,
              bool open, struct fill *fill)
{
    bool filled = mmu_fill_silent(m, linear, access, w, kind, ma, open, fill);

    m->c.trace->count.mmu_fills += filled;
    return filled;
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
                table->gfn << PAGE_SHIFT, table->level, (uint32_t)m->t.used);
}

int mmu_table_new(struct mmu *m, const struct table_key *key)
{
    int slot = tables_new(&m->t, key);

    while (slot == SLOT_NONE) {
        if (!evict_one(m))
            return SLOT_NONE;
        slot = tables_new(&m->t, key);
    }
    m->c.trace->count.mmu_cache_miss++;
    evict_made(m, key);
    overlay_show(m, slot);
    mmu_report_table(m, &m->t.slot[slot], "made");
    /* From here on the guest's writes to this page must be seen, unless it is
     * a page table that is out of sync. */
    if (key->kind == TABLE_GUEST && key->level > LEVEL_PT)
        unsync_end(m, key->gfn);
    if (key->kind == TABLE_GUEST && mmu_guarded(m, key->gfn))
        mmu_protect(m, key->gfn);
    if (key->kind == TABLE_DIRECT)
        large_begin(m, slot);
    return slot;
}

int mmu_table_get(struct mmu *m, const struct table_key *key)
{
    int slot = tables_find(&m->t, key);

    return slot == SLOT_NONE ? mmu_table_new(m, key) : slot;
}

void mmu_table_drop(struct mmu *m, int slot, const char *cause)
{
    struct table table = m->t.slot[slot];

    tables_delete(&m->t, slot);
    m->c.trace->count.mmu_shadow_zapped++;
    withdrawn(m);
    if (table.parents)
        flush_all(m);
    if (table.kind == TABLE_GUEST && !tables_traced(&m->t, table.gfn))
        unsync_forget(m, table.gfn);
    mmu_report_table(m, &table, cause);
}

/* The TLB holds translations of the current root alone, so only the places
 * where this root shows the table matter. */
static void flush_shown(struct mmu *m, int slot, uint32_t linear)
{
    if (slot == m->root)
        m->c.hardware.flush_page(m->c.hardware.ctx, linear);
    for (uint32_t id = m->t.slot[slot].parents; id; id = m->t.next[id - 1]) {
        int upper = (int)((id - 1) / TABLE_ENTRIES);
        unsigned shift = paging_shift(m->t.format, m->t.slot[upper].level);

        flush_shown(m, upper, linear | (id - 1) % TABLE_ENTRIES << shift);
    }
}

void mmu_entry_flush(struct mmu *m, int slot, unsigned index)
{
    withdrawn(m);
    flush_shown(m, slot, index << PAGE_SHIFT);
}

void mmu_load_root(struct mmu *m)
{
    struct mmu_root root = {
        .ma = MA(m->t.slot[m->root].ma),
        .pae = m->t.format == &paging_pae,
        .nx = m->t.format == &paging_pae && m->seen.nx,
    };

    m->nx = root.nx;

    for (unsigned i = 0; root.pae && i < PDPTES; i++)
        root.pdpte[i] = table_entry(&m->t, m->root, i);
    m->c.hardware.set_root(m->c.hardware.ctx, &root);
    if (root.pae)
        flush_all(m); /* the root is where it was */
}

static void root_changed(struct mmu *m, int slot)
{
    if (slot == m->root && m->t.slot[slot].level == LEVEL_PDPT)
        mmu_load_root(m);
}

void mmu_entry_clear(struct mmu *m, int slot, unsigned index)
{
    bool upper = table_is_upper(&m->t.slot[slot]);

    table_clear(&m->t, slot, index);
    root_changed(m, slot);
    if (!upper) {
        mmu_entry_flush(m, slot, index);
        return;
    }
    withdrawn(m);
    if (tables_in_root(&m->t, m->root, slot))
        flush_all(m);
}

void mmu_link(struct mmu *m, int slot, unsigned index, int child)
{
    table_link(&m->t, slot, index, child);
    root_changed(m, slot);
}

void mmu_entry_restrict(struct mmu *m, int slot, unsigned index, uint64_t entry)
{
    table_write(&m->t, slot, index, entry);
    mmu_entry_flush(m, slot, index);
}

void mmu_protect(struct mmu *m, uint32_t gfn)
{
    large_split(m, gfn);
    for (uint32_t id = m->t.mapped[gfn]; id; id = m->t.next[id - 1]) {
        int slot = (int)((id - 1) / TABLE_ENTRIES);
        unsigned index = (id - 1) % TABLE_ENTRIES;
        uint64_t entry = table_entry(&m->t, slot, index);

        if (entry & PTE_W)
            mmu_entry_restrict(m, slot, index, entry & ~(uint64_t)PTE_W);
    }
}

void mmu_set_root(struct mmu *m, int slot)
{
    m->root = slot;
    m->evict.loads++;
    m->t.slot[slot].stamp = ++m->t.clock;
    mmu_load_root(m);
}

bool mmu_link_directories(struct mmu *m, int root)
{
    bool complete = true;

    for (unsigned i = 0; i < PDPTES; i++) {
        struct table_key key;
        int child = SLOT_NONE;

        if (m->ops->directory(m, i, &key))
            child = tables_find(&m->t, &key);
        else
            key.rights = 0;
        if (child == SLOT_NONE && (key.rights & ROLE_OVERLAY)) {
            child = mmu_table_new(m, &key);
            complete &= child != SLOT_NONE;
        }
        if (child != SLOT_NONE) {
            table_link(&m->t, root, i, child);
            m->t.slot[child].stamp = m->t.clock;
        } else if (table_has(&m->t.slot[root], i)) {
            table_clear(&m->t, root, i);
        }
    }
    return complete;
}

void mmu_restart(struct mmu *m, const struct paging_format *format,
                 const char *cause)
{
    m->root = SLOT_NONE;
    for (int slot = 0; slot < m->t.limit; slot++)
        if (m->t.slot[slot].kind != TABLE_FREE)
            mmu_table_drop(m, slot, cause);
    overlay_convert(m, format);
    m->t.format = format;
    if (!m->ops->start(m)) /* its own frames can be had again */
        abort();
}

bool mmu_follow_format(struct mmu *m)
{
    if (mmu_format(m) == m->t.format)
        return false;
    mmu_restart(m, mmu_format(m), "paging mode");
    return true;
}
