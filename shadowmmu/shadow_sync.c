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

static gpa_t table_gpa(const struct table *table)
{
    return GPA((uint64_t)table->gfn << PAGE_SHIFT);
}

/* What the guest's tables allow for one of our leaf entries: P, W and U, and
 * the guest frame; 0: nothing. pte is the guest's word. */
static uint32_t allowed_rights(const struct mmu *m, int slot, unsigned index,
                               uint32_t pte, uint32_t *gfn)
{
    const struct table *table = &m->t.slot[slot];
    bool write = (table->rights & RIGHT_WRITE) != 0;
    bool user = (table->rights & RIGHT_USER) != 0;
    bool dirty = (table->rights & RIGHT_DIRTY) != 0;

    *gfn = table->gfn + index;
    if (table->kind == TABLE_LEAF) {
        if (!(pte & PTE_P) || !(pte & PTE_A))
            return 0;
        *gfn = pte >> PAGE_SHIFT;
        write = write && (pte & PTE_W);
        user = user && (pte & PTE_U);
        dirty = (pte & PTE_D) != 0;
    }
    if (table_entry(&m->t, slot, index) & MARK_WP0) {
        write = (m->c.vcpu->cr0 & CR0_WP) == 0;
        user = false;
    }
    return PTE_P | (write && dirty ? PTE_W : 0) | (user ? PTE_U : 0);
}

/* The guest's word behind a leaf entry; TABLE_DIRECT has none. */
static uint32_t guest_word(struct mmu *m, const struct table *table,
                           unsigned index)
{
    if (table->kind != TABLE_LEAF)
        return 0;
    return (uint32_t)walk_read(m, GPA(table_gpa(table).v + index * 4), 4);
}

/* An entry that is there is in use: its new contents will be wanted. */
static void replace(struct mmu *m, int slot, unsigned index)
{
    const struct table *table = &m->t.slot[slot];
    uint32_t rights = ((table->rights & RIGHT_WRITE) ? PTE_W : 0) |
                      ((table->rights & RIGHT_USER) ? PTE_U : 0);

    mmu_entry_clear(m, slot, index);
    if (table->kind == TABLE_LEAF && !(m->c.without & MMU_PREFETCH))
        mmu_prefetch_entry(m, slot, index, table_gpa(table), rights);
}

void shadow_sync_leaf(struct mmu *m, int slot, unsigned index)
{
    const struct table *table = &m->t.slot[slot];
    uint32_t id = (uint32_t)slot * TABLE_ENTRIES + index;
    uint32_t entry, allowed, gfn;

    if (!table_has(table, index))
        return;
    entry = table_entry(&m->t, slot, index);
    allowed = allowed_rights(m, slot, index, guest_word(m, table, index), &gfn);
    if (!allowed || gfn != m->t.target[id])
        replace(m, slot, index);
    else if (entry & ~allowed & (PTE_W | PTE_U))
        mmu_entry_restrict(m, slot, index,
                           entry & ~(~allowed & (PTE_W | PTE_U)));
}

static void sync_directory(struct mmu *m, int slot, unsigned index)
{
    uint32_t id = (uint32_t)slot * TABLE_ENTRIES + index;
    struct shadow_key key;

    if (!table_has(&m->t.slot[slot], index))
        return;
    if (!shadow_key_at(m, slot, index, &key) ||
        !shadow_key_matches(&m->t.slot[m->t.target[id]], &key))
        mmu_entry_clear(m, slot, index);
}

/*S:320*/
/* One guest page may be a directory here and a page table there, or both in
 * one tree (a recursive mapping): each table derived from it is looked at. */
void shadow_table_written(struct mmu *m, uint32_t gfn, unsigned first,
                          unsigned last)
{
    for (uint32_t at = m->t.derived[gfn]; at; at = m->t.slot[at - 1].next) {
        int slot = (int)at - 1;
        const struct table *table = &m->t.slot[slot];

        for (unsigned index = first; index <= last; index++) {
            if (!table_has(table, index))
                continue;
            if (table->kind == TABLE_LEAF)
                shadow_sync_leaf(m, slot, index);
            else
                sync_directory(m, slot, index);
        }
    }
    if (m->overlay_pde && gfn == m->c.vcpu->cr3 >> PAGE_SHIFT &&
        first <= m->overlay_index && m->overlay_index <= last)
        mmu_check_overlay(m);
}
/*:*/

/* Drop what is derived from a page; the root alone stays. */
static void unshadow(struct mmu *m, uint32_t gfn, const char *cause)
{
    uint32_t at = m->t.derived[gfn];

    bool dropped = false;

    while (at) {
        int slot = (int)at - 1;

        at = m->t.slot[slot].next;
        m->t.slot[slot].flood = 0;
        if (slot == m->root)
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

        if (table->kind != TABLE_LEAF || table->parents)
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
        if (m->t.slot[at - 1].kind != TABLE_DIRECTORY || (int)at - 1 == m->root)
            return false;
    return true;
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
    if (linear & 3)
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

static const char *audit_directory(struct mmu *m, int slot, unsigned index)
{
    uint32_t id = (uint32_t)slot * TABLE_ENTRIES + index;
    const struct table *child = &m->t.slot[m->t.target[id]];
    struct shadow_key key;

    if (!shadow_key_at(m, slot, index, &key))
        return "the guest's directory entry allows nothing";
    /* An emulated write set the dirty bit; the link follows at a fault. */
    if (child->kind == TABLE_DIRECT && !(child->rights & RIGHT_DIRTY))
        key.rights &= ~(unsigned)RIGHT_DIRTY;
    if (!shadow_key_matches(child, &key))
        return "the guest's directory entry means another table";
    return NULL;
}

const char *shadow_audit(struct mmu *m, int slot, unsigned index)
{
    const struct table *table = &m->t.slot[slot];
    uint32_t id = (uint32_t)slot * TABLE_ENTRIES + index;
    const struct unsync_page *page = unsync_find(&m->unsync, table->gfn);
    uint32_t entry, allowed, gfn;

    if (table_is_directory(table))
        return audit_directory(m, slot, index);
    entry = table_entry(&m->t, slot, index);
    /* Out of sync: right by what the guest said before. */
    allowed = allowed_rights(m, slot, index,
                             page && table->kind == TABLE_LEAF
                                 ? page->before[index]
                                 : guest_word(m, table, index),
                             &gfn);
    if (!allowed)
        return "the guest's entry allows nothing";
    if (gfn != m->t.target[id])
        return "the guest's entry names another frame";
    if (entry & ~allowed & (PTE_W | PTE_U))
        return "a right that the guest's tables do not give";
    return NULL;
}
