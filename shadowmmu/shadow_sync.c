/* SPDX-License-Identifier: MIT */
/* shadowmmu/shadow_sync.c - the guest wrote to its page tables.
 *
 * An entry is looked at again when the guest's word behind it has changed, and
 * only ever loses rights here; new ones come with the next fault.
 */
#include "shadowmmu/shadow.h"

/* So many traced writes without a fill in between: a page table no more, or
 * one that is being torn down. */
enum { FLOOD_WRITES = 32 };

/* What the guest's tables allow for one of our leaf entries: P, W and U, and
 * the guest frame; 0: nothing. */
static uint32_t allowed_rights(struct mmu *m, int slot, unsigned index,
                               uint32_t entry, uint32_t *gfn)
{
    const struct table *table = &m->t.slot[slot];
    bool write = (table->rights & RIGHT_WRITE) != 0;
    bool user = (table->rights & RIGHT_USER) != 0;
    bool dirty = (table->rights & RIGHT_DIRTY) != 0;

    *gfn = table->gfn + index;
    if (table->kind == TABLE_LEAF) {
        gpa_t at = GPA(((uint64_t)table->gfn << PAGE_SHIFT) + index * 4);
        uint32_t pte = walk_read(m, at);

        if (!(pte & PTE_P) || !(pte & PTE_A))
            return 0;
        *gfn = pte >> PAGE_SHIFT;
        write = write && (pte & PTE_W);
        user = user && (pte & PTE_U);
        dirty = (pte & PTE_D) != 0;
    }
    if (entry & MARK_WP0) {
        write = (m->c.vcpu->cr0 & CR0_WP) == 0;
        user = false;
    }
    return PTE_P | (write && dirty ? PTE_W : 0) | (user ? PTE_U : 0);
}

void shadow_sync_leaf(struct mmu *m, int slot, unsigned index)
{
    uint32_t id = (uint32_t)slot * TABLE_ENTRIES + index;
    uint32_t entry, allowed, gfn;

    if (!table_has(&m->t.slot[slot], index))
        return;
    entry = table_entry(&m->t, slot, index);
    allowed = allowed_rights(m, slot, index, entry, &gfn);
    if (!allowed || gfn != m->t.target[id])
        mmu_entry_clear(m, slot, index);
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
        unsigned index = first;

        while ((index = table_next(table, index)) <= last) {
            if (table->kind == TABLE_LEAF)
                shadow_sync_leaf(m, slot, index);
            else
                sync_directory(m, slot, index);
            index++;
        }
    }
    if (m->overlay_pde && gfn == m->c.vcpu->cr3 >> PAGE_SHIFT &&
        first <= m->overlay_index && m->overlay_index <= last)
        mmu_check_overlay(m);
}
/*:*/

bool shadow_table_given_up(struct mmu *m, uint32_t gfn)
{
    bool give_up = true;
    uint32_t at;

    /* Leaf tables that no directory shows any more are not worth a trace. */
    for (at = m->t.derived[gfn]; at; at = m->t.slot[at - 1].next)
        if (m->t.slot[at - 1].kind != TABLE_LEAF || m->t.slot[at - 1].parents)
            give_up = false;
    for (at = m->t.derived[gfn]; at; at = m->t.slot[at - 1].next)
        if (++m->t.slot[at - 1].flood >= FLOOD_WRITES)
            give_up = true;
    if (!give_up)
        return false;
    at = m->t.derived[gfn];
    while (at) {
        int slot = (int)at - 1;

        at = m->t.slot[slot].next;
        m->t.slot[slot].flood = 0;
        if (slot != m->root)
            mmu_table_drop(m, slot, "dropped: written too often");
    }
    return !tables_traced(&m->t, gfn);
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
    uint32_t entry, allowed, gfn;

    if (table_is_directory(table))
        return audit_directory(m, slot, index);
    entry = table_entry(&m->t, slot, index);
    allowed = allowed_rights(m, slot, index, entry, &gfn);
    if (!allowed)
        return "the guest's entry allows nothing";
    if (gfn != m->t.target[id])
        return "the guest's entry names another frame";
    if (entry & ~allowed & (PTE_W | PTE_U))
        return "a right that the guest's tables do not give";
    return NULL;
}
