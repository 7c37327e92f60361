/* SPDX-License-Identifier: MIT */
/* shadowmmu/mmio.c - what a device access leads to, remembered.
 *
 * Where no memory is, each access must fault, for a device answers it. But the
 * guest's tables need not be walked each time to find that out: the VMM's
 * entry, which stays not present, says it. KVM sets reserved bits in such an
 * entry; two-level tables have none, and the processor uses no other bit of an
 * entry that is not present.
 *
 * It is an entry like others: derived from the guest's, with the rights that
 * the guest's tables give by then (D withholds W), on the list of its guest
 * frame, and gone or restricted by whatever would have changed one that leads
 * to memory. That there is still none is asked of the PMap at each use. (KVM
 * has a generation for that.)
 *
 * Reference: SDM 3A, "Paging-Structure Entries"; Linux,
 * Documentation/virt/kvm/x86/mmu.rst, "MMIO" and "Fast invalidation of MMIO
 * sptes".
 */
#include "shadowmmu/technique.h"

/* Techniques without tables of the pool have nowhere to remember it. */
static bool remembers(const struct mmu *m)
{
    return m->ops->leaf && !(m->c.without & MMU_MMIO_CACHE);
}

void mmio_remember(struct mmu *m, uint32_t linear, unsigned access,
                   const struct paging_walk *w)
{
    struct fill fill;
    ma_t ma;

    if (!remembers(m) || pmap_lookup(m->c.pmap, walk_gpa(w), &ma) != PMAP_NONE)
        return; /* a write to ROM */
    m->c.trace->count.mmio_entries +=
        mmu_fill_silent(m, linear, access, w, PMAP_NONE, MA(0), false, &fill);
}

/* The entry for an address, as new as a fault would make it. */
static bool find_entry(struct mmu *m, uint32_t linear, struct fill *fill)
{
    const struct table *table;

    fill->slot = tables_leaf(&m->t, m->root, linear);
    if (fill->slot == SLOT_NONE)
        return false;
    fill->index = mmu_leaf_index(m, linear);
    if (!entry_is_device(table_entry(&m->t, fill->slot, fill->index)))
        return false;
    table = &m->t.slot[fill->slot];
    if (table->kind == TABLE_GUEST)
        unsync_entry(m, table->gfn, fill->index);
    fill->entry = table_entry(&m->t, fill->slot, fill->index);
    return entry_is_device(fill->entry);
}

static bool rights_allow(uint64_t entry, unsigned access)
{
    return (!(access & ACC_USER) || (entry & PTE_U)) &&
           (!(access & ACC_FETCH) || !(entry & PTE_NX)) &&
           (!(access & ACC_WRITE) || (entry & PTE_W));
}

bool mmio_find(struct mmu *m, uint32_t linear, unsigned access, gpa_t *gpa,
               struct fill *fill)
{
    ma_t ma;

    if (!remembers(m) || !find_entry(m, linear, fill) ||
        !rights_allow(fill->entry, access))
        return false;
    *gpa = GPA((fill->entry & PTE_FRAME) | (linear & PAGE_MASK));
    return pmap_lookup(m->c.pmap, *gpa, &ma) == PMAP_NONE;
}
