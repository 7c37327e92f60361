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

/* What the processor's TLB may have for this entry; rights: W, U and NX of the
 * directory entry above. False: nothing. */
static bool make_walk(const struct mmu *m, uint64_t pte, uint64_t rights,
                      struct paging_walk *w)
{
    bool executable = !m->seen.nx || !((pte | rights) & PTE_NX);

    if (!(pte & PTE_P) || !(pte & PTE_A) ||
        (pte & paging_reserved(&m->seen, LEVEL_PT, true)))
        return false;
    rights &= pte;
    *w = (struct paging_walk){.allowed = true,
                              .translated = true,
                              .level = LEVEL_PT,
                              .page_shift = PAGE_SHIFT,
                              .address = pte & PAGING_ADDRESS,
                              .executable = executable,
                              .writable = (rights & PTE_W) != 0,
                              .user = (rights & PTE_U) != 0,
                              .dirty = (pte & PTE_D) != 0,
                              .global = (pte & PTE_G) != 0};
    return true;
}

static bool put(struct mmu *m, int slot, unsigned index,
                const struct paging_walk *w)
{
    ma_t ma;
    enum pmap_kind kind = pmap_lookup(m->c.pmap, walk_gpa(w), &ma);

    if (!pmap_readable(kind))
        return false;
    mmu_entry_put(m, slot, index, 0, w, kind, ma, false);
    m->c.trace->count.mmu_prefetched++;
    return true;
}

bool mmu_prefetch_entry(struct mmu *m, int slot, unsigned index, gpa_t at,
                        uint64_t rights)
{
    uint64_t pte = walk_read(m, at, m->t.format->entry_bytes);
    struct paging_walk w;

    return make_walk(m, pte, rights, &w) && put(m, slot, index, &w);
}

uint64_t table_rights(const struct table *table)
{
    return ((table->rights & RIGHT_WRITE) ? PTE_W : 0) |
           ((table->rights & RIGHT_USER) ? PTE_U : 0) |
           ((table->rights & RIGHT_EXECUTE) ? 0 : PTE_NX);
}

/* A fault less, if the guest says by the accessed bit that it is in use. */
void mmu_entry_updated(struct mmu *m, gpa_t entry)
{
    unsigned index = (unsigned)(entry.v & PAGE_MASK) / m->t.format->entry_bytes;

    if (m->c.without & MMU_PREFETCH)
        return;
    for (uint32_t at = m->t.derived[entry.v >> PAGE_SHIFT]; at;
         at = m->t.slot[at - 1].next) {
        const struct table *table = &m->t.slot[at - 1];

        if (!table_is_upper(table) && !table_has(table, index))
            mmu_prefetch_entry(m, (int)at - 1, index, entry,
                               table_rights(table));
    }
}

/* An entry of the table that a linear address is in. */
static void report(struct mmu *m, uint32_t linear, int slot, unsigned index)
{
    uint32_t inside = (1u << paging_shift(m->t.format, LEVEL_PD)) - 1;

    mmu_report_fill(m, (linear & ~inside) | index << PAGE_SHIFT, slot, index);
}

/* From first on, of a guest page table that is in memory. */
static void prefetch_window(struct mmu *m, uint32_t linear,
                            const struct paging_walk *walk, int slot,
                            unsigned first)
{
    unsigned bytes = m->t.format->entry_bytes;
    gpa_t table = GPA(walk->entry[LEVEL_PD] & PAGING_ADDRESS);
    uint8_t window[PREFETCH_WINDOW * sizeof(uint64_t)];
    ma_t ma;
    enum pmap_kind kind =
        pmap_lookup(m->c.pmap, GPA(table.v + first * bytes), &ma);

    if (!pmap_readable(kind))
        return;
    memcpy(window, memory_at(m->c.memory, ma), PREFETCH_WINDOW * bytes);
    for (unsigned i = 0; i < PREFETCH_WINDOW; i++) {
        struct paging_walk w;
        uint64_t pte = 0;

        if (table_has(&m->t.slot[slot], first + i))
            continue;
        m->c.trace->count.vmm_references++;
        memcpy(&pte, window + i * bytes, bytes);
        if (!make_walk(m, pte, walk->entry[LEVEL_PD], &w))
            continue;
        unsync_entry(m, (uint32_t)(table.v >> PAGE_SHIFT), first + i);
        if (put(m, slot, first + i, &w))
            report(m, linear, slot, first + i);
    }
}

/* Of a large page, or of memory with paging off. */
static void prefetch_pieces(struct mmu *m, uint32_t linear,
                            const struct paging_walk *walk, int slot,
                            unsigned first)
{
    uint64_t inside = (1u << paging_shift(m->t.format, LEVEL_PD)) - 1;
    struct paging_walk w = *walk;

    for (unsigned i = first; i < first + PREFETCH_WINDOW; i++) {
        if (table_has(&m->t.slot[slot], i))
            continue;
        w.address = (walk->address & ~inside) | (uint64_t)i << PAGE_SHIFT;
        if (put(m, slot, i, &w))
            report(m, linear, slot, i);
    }
}

void mmu_prefetch(struct mmu *m, uint32_t linear, const struct paging_walk *w,
                  const struct fill *fill)
{
    unsigned first = fill->index & ~(PREFETCH_WINDOW - 1u);

    if ((m->c.without & MMU_PREFETCH) || (fill->entry & PTE_PS))
        return;
    if (w->level == LEVEL_PT)
        prefetch_window(m, linear, w, fill->slot, first);
    else
        prefetch_pieces(m, linear, w, fill->slot, first);
}
