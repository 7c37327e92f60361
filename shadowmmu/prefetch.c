/* SPDX-License-Identifier: MIT */
/* shadowmmu/prefetch.c - entries filled before they are asked for.
 *
 * A hidden fault costs as much as a hundred entries. So when one entry is
 * filled, its neighbours are too, as far as the processor's TLB could have
 * them: the guest's entry is present and its accessed bit is set already, and
 * writable only with its dirty bit. No bit of the guest's changes.
 */
#include "shadowmmu/technique.h"

/* Entries around the one that faulted, on their natural boundary. */
enum { PREFETCH_WINDOW = 16 };

/* rights: W and U of the guest's directory entry. False: not to be had. */
static bool make_walk(struct mmu *m, gpa_t table, unsigned index,
                      uint32_t rights, struct guest_walk *w)
{
    uint32_t pte = walk_read(m, GPA(table.v + index * 4));

    if (!(pte & PTE_P) || !(pte & PTE_A))
        return false;
    rights &= pte;
    *w = (struct guest_walk){.allowed = true,
                             .paging = true,
                             .gpa = GPA(pte & PTE_FRAME),
                             .writable = (rights & PTE_W) != 0,
                             .user = (rights & PTE_U) != 0,
                             .dirty = (pte & PTE_D) != 0,
                             .global = (pte & PTE_G) != 0};
    return true;
}

static bool put(struct mmu *m, int slot, unsigned index,
                const struct guest_walk *w)
{
    ma_t ma;
    enum pmap_kind kind = pmap_lookup(m->c.pmap, w->gpa, &ma);

    if (kind != PMAP_RAM && kind != PMAP_ROM)
        return false;
    mmu_entry_put(m, slot, index, 0, w, kind, ma, false);
    m->c.trace->count.mmu_prefetched++;
    return true;
}

bool mmu_prefetch_entry(struct mmu *m, int slot, unsigned index, gpa_t table,
                        uint32_t rights)
{
    struct guest_walk w;

    return make_walk(m, table, index, rights, &w) && put(m, slot, index, &w);
}

/* One of a large page's, or of memory with paging off. */
static bool prefetch_piece(struct mmu *m, int slot, unsigned index,
                           const struct guest_walk *walk)
{
    struct guest_walk w = *walk;

    w.gpa = GPA((walk->gpa.v & ~(uint64_t)(LARGE_PAGE_BYTES - 1)) |
                (uint64_t)index << PAGE_SHIFT);
    return put(m, slot, index, &w);
}

void mmu_prefetch(struct mmu *m, uint32_t linear, const struct guest_walk *w,
                  const struct fill *fill)
{
    unsigned first = fill->index & ~(PREFETCH_WINDOW - 1u);
    gpa_t table = GPA(w->pde & PTE_FRAME);

    if (m->c.without & MMU_PREFETCH)
        return;
    for (unsigned i = first; i < first + PREFETCH_WINDOW; i++) {
        bool put;

        if (table_has(&m->t.slot[fill->slot], i))
            continue;
        if (w->pte_valid)
            unsync_entry(m, w->pde >> PAGE_SHIFT, i);
        put = w->pte_valid ? mmu_prefetch_entry(m, fill->slot, i, table, w->pde)
                           : prefetch_piece(m, fill->slot, i, w);
        if (put)
            mmu_report_fill(m, (linear & PDE_LARGE_FRAME) | i << PAGE_SHIFT,
                            fill->slot, i);
    }
}
