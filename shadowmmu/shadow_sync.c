/* SPDX-License-Identifier: MIT */
/* shadowmmu/shadow_sync.c - the guest wrote to its page tables.
 *
 * An entry is looked at again when the guest's word behind it has changed. It
 * loses what it must not have any more; new rights come with the next fault,
 * but for an entry that names another frame now, which is filled at once.
 */
#include "shadowmmu/shadow.h"

/* So many traced writes without a fill in between: a page table no more, or
 * one that is being torn down. */
enum { FLOOD_WRITES = 32 };

/* What the guest's tables allow for one of our leaf entries: P, W, U and NX,
 * and the guest frame; 0: nothing. pte is the guest's entry. */
static uint64_t allowed_rights(const struct mmu *m, int slot, unsigned index,
                               uint64_t pte, uint32_t *gfn)
{
    const struct table *table = &m->t.slot[slot];
    bool write = (table->rights & RIGHT_WRITE) != 0;
    bool user = (table->rights & RIGHT_USER) != 0;
    bool dirty = (table->rights & RIGHT_DIRTY) != 0;
    bool execute = (table->rights & RIGHT_EXECUTE) != 0;

    *gfn = table->gfn + index;
    if (table->kind == TABLE_GUEST) {
        if (!(pte & PTE_P) || !(pte & PTE_A) ||
            (pte & paging_reserved(&m->seen, LEVEL_PT, true)))
            return 0;
        *gfn = (uint32_t)(pte >> PAGE_SHIFT);
        execute = execute && !(pte & PTE_NX);
        write = write && (pte & PTE_W);
        user = user && (pte & PTE_U);
        dirty = (pte & PTE_D) != 0;
    }
    if (table_entry(&m->t, slot, index) & MARK_WP0) {
        write = (m->c.vcpu->cr0 & CR0_WP) == 0;
        user = false;
    }
    return PTE_P | (write && dirty ? PTE_W : 0) | (user ? PTE_U : 0) |
           (execute ? 0 : PTE_NX);
}

/* The bits of an entry in which it grants what is not allowed. */
static uint64_t too_much(uint64_t entry, uint64_t allowed)
{
    return (entry & ~allowed & (PTE_W | PTE_U)) | (~entry & allowed & PTE_NX);
}

/* The guest's entry behind a leaf entry; TABLE_DIRECT has none. */
static uint64_t guest_word(struct mmu *m, const struct table *table,
                           unsigned index)
{
    if (table->kind != TABLE_GUEST)
        return 0;
    return walk_read(m, mmu_guest_entry(m, table, index),
                     m->t.format->entry_bytes);
}

/* An entry that is there is in use: its new contents will be wanted. */
static void replace(struct mmu *m, int slot, unsigned index)
{
    const struct table *table = &m->t.slot[slot];

    mmu_entry_clear(m, slot, index);
    if (table->kind == TABLE_GUEST && !(m->c.without & MMU_PREFETCH))
        mmu_prefetch_entry(m, slot, index, mmu_guest_entry(m, table, index),
                           table_rights(table));
}

void shadow_sync_leaf(struct mmu *m, int slot, unsigned index)
{
    const struct table *table = &m->t.slot[slot];
    uint32_t id = (uint32_t)slot * TABLE_ENTRIES + index, gfn;
    uint64_t entry, allowed;

    if (!table_has(table, index))
        return;
    entry = table_entry(&m->t, slot, index);
    allowed = allowed_rights(m, slot, index, guest_word(m, table, index), &gfn);
    if (!allowed || gfn != m->t.target[id])
        replace(m, slot, index);
    else if (too_much(entry, allowed))
        mmu_entry_restrict(m, slot, index, entry ^ too_much(entry, allowed));
}

static void sync_directory(struct mmu *m, int slot, unsigned index)
{
    uint32_t id = (uint32_t)slot * TABLE_ENTRIES + index;
    struct table_key key;

    if (!table_has(&m->t.slot[slot], index))
        return;
    if (!shadow_key_at(m, slot, index, &key) ||
        !table_matches(&m->t.slot[m->t.target[id]], &key))
        mmu_entry_clear(m, slot, index);
}

/*S:320*/
/* One guest page may be a directory here and a page table there, or both in
 * one tree (a recursive mapping): each table derived from it is looked at. */
void shadow_table_written(struct mmu *m, uint32_t gfn, unsigned first,
                          unsigned last)
{
    unsigned words = m->t.format->entry_bytes / 4;

    for (uint32_t at = m->t.derived[gfn]; at; at = m->t.slot[at - 1].next) {
        int slot = (int)at - 1;
        const struct table *table = &m->t.slot[slot];

        for (unsigned index = first / words; index <= last / words; index++) {
            if (!table_has(table, index))
                continue;
            if (!table_is_upper(table))
                shadow_sync_leaf(m, slot, index);
            else
                sync_directory(m, slot, index);
        }
    }
    overlay_table_written(m, gfn, first, last);
}
/*:*/

/* Drop what is derived from a page; what is in the root stays. */
static void unshadow(struct mmu *m, uint32_t gfn, const char *cause)
{
    uint32_t at = m->t.derived[gfn];

    bool dropped = false;

    while (at) {
        int slot = (int)at - 1;

        at = m->t.slot[slot].next;
        m->t.slot[slot].flood = 0;
        if (tables_in_root(&m->t, m->root, slot))
            continue;
        mmu_table_drop(m, slot, cause);
        dropped = true;
    }
    m->c.trace->count.mmu_flooded += dropped;
}

static bool is_linked(const struct mmu *m, uint32_t gfn)
{
    for (uint32_t at = m->t.derived[gfn]; at; at = m->t.slot[at - 1].next) {
        const struct table *table = &m->t.slot[at - 1];

        if (table_is_upper(table) || table->parents)
            return true;
    }
    return false;
}

/* A directory, and not that of the current address space. A guest that writes
 * there takes an address space down, or uses the page for another one; should
 * it go on with it, its page tables have their shadows still. */
static bool is_left_directory(const struct mmu *m, uint32_t gfn)
{
    for (uint32_t at = m->t.derived[gfn]; at; at = m->t.slot[at - 1].next)
        if (!table_is_upper(&m->t.slot[at - 1]) ||
            tables_in_root(&m->t, m->root, (int)at - 1))
            return false;
    return true;
}

/* The instruction that writes may need the page table itself, to be fetched or
 * to find its operands: dropped, it would be back with the next fault, and the
 * write no further. */
static bool is_needed(struct mmu *m, uint32_t gfn)
{
    bool again = m->dropped_gfn == gfn && m->dropped_eip == m->eip;

    m->dropped_gfn = gfn;
    m->dropped_eip = m->eip;
    return again;
}

/* Why a traced page is no page table any more, as far as one can tell; NULL: it
 * may be one. */
static const char *why_unshadow(struct mmu *m, uint32_t gfn, uint32_t linear)
{
    bool flooded = false;

    for (uint32_t at = m->t.derived[gfn]; at; at = m->t.slot[at - 1].next)
        flooded |= ++m->t.slot[at - 1].flood >= FLOOD_WRITES;
    if (!is_linked(m, gfn))
        return "dropped: no directory shows it";
    if (is_left_directory(m, gfn))
        return "dropped: written while not in use";
    if ((linear & 3) && !is_needed(m, gfn))
        return "dropped: written like data";
    return flooded ? "dropped: written too often" : NULL;
}

void shadow_traced_write(struct mmu *m, uint32_t gfn, uint32_t linear)
{
    const char *why =
        (m->c.without & MMU_UNSHADOW) ? NULL : why_unshadow(m, gfn, linear);

    if (why)
        unshadow(m, gfn, why);
    if (tables_traced(&m->t, gfn))
        unsync_begin(m, gfn);
}

void shadow_table_synced(struct mmu *m, uint32_t gfn)
{
    if (!(m->c.without & MMU_UNSHADOW) && !is_linked(m, gfn))
        unshadow(m, gfn, "dropped: no directory shows it");
}

/* An entry of a page out of sync, as it was. */
static uint64_t word_before(const struct mmu *m, const struct unsync_page *page,
                            unsigned index)
{
    uint64_t entry = 0;
    unsigned bytes = m->t.format->entry_bytes;

    memcpy(&entry, (const uint8_t *)page->before + index * bytes, bytes);
    return entry;
}

static const char *audit_directory(struct mmu *m, int slot, unsigned index)
{
    uint32_t id = (uint32_t)slot * TABLE_ENTRIES + index;
    const struct table *child = &m->t.slot[m->t.target[id]];
    struct table_key key;

    if (!shadow_key_at(m, slot, index, &key))
        return "the guest's directory entry allows nothing";
    /* An emulated write set the dirty bit; the link follows at a fault. */
    if (child->kind == TABLE_DIRECT && !(child->rights & RIGHT_DIRTY))
        key.rights &= ~(unsigned)RIGHT_DIRTY;
    if (!table_matches(child, &key))
        return "the guest's directory entry means another table";
    return NULL;
}

const char *shadow_audit(struct mmu *m, int slot, unsigned index)
{
    const struct table *table = &m->t.slot[slot];
    uint32_t id = (uint32_t)slot * TABLE_ENTRIES + index, gfn;
    const struct unsync_page *page = unsync_find(&m->unsync, table->gfn);
    uint64_t entry, allowed;

    if (table_is_upper(table))
        return audit_directory(m, slot, index);
    entry = table_entry(&m->t, slot, index);
    /* Out of sync: right by what the guest said before. */
    allowed = allowed_rights(m, slot, index,
                             page && table->kind == TABLE_GUEST
                                 ? word_before(m, page, index)
                                 : guest_word(m, table, index),
                             &gfn);
    if (!allowed)
        return "the guest's entry allows nothing";
    if (gfn != m->t.target[id])
        return "the guest's entry names another frame";
    if (too_much(entry, allowed))
        return "a right that the guest's tables do not give";
    return NULL;
}
