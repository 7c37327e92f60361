/* SPDX-License-Identifier: MIT */
/* shadowmmu/large.c - large pages that stay large.
 *
 * A large page of the guest's, or a stretch of memory with paging off, is a
 * direct table: an entry for each page, because the machine's frames are
 * scattered and some pages may be guarded. Where they are one piece, on a
 * boundary of its size, and no page in it is guarded, the entries above map it
 * at once, and the table beneath stays empty. It stays nevertheless: it is
 * what the entries above stand for, on the lists where it can be found by its
 * frames, and to split them takes no memory and cannot fail.
 *
 * Split is what cannot stay: a page in it becomes a page table or is watched,
 * its frame moves or is shared, or somebody asks which of its pages are used;
 * the kernel writes where only CR0.WP = 0 lets it. It is not put together
 * again; another table may be large from the start.
 *
 * Reference: SDM 3A, "32-Bit Paging", "PAE Paging"; Linux,
 * Documentation/virt/kvm/x86/mmu.rst, "Large pages".
 */
#include "shadowmmu/technique.h"

bool large_fits(const struct mmu *m, const struct table *table, ma_t *first)
{
    uint32_t frames = 1u << m->t.format->index_bits;

    for (uint32_t i = 0; i < frames; i++) {
        uint32_t gfn = table->gfn + i;
        ma_t ma;

        if (mmu_guarded(m, gfn) ||
            pmap_lookup(m->c.pmap, GPA((uint64_t)gfn << PAGE_SHIFT), &ma) !=
                PMAP_RAM)
            return false;
        if (i == 0)
            *first = ma;
        if (ma.v != first->v + ((uint64_t)i << PAGE_SHIFT))
            return false;
    }
    return first->v % ((uint64_t)frames << PAGE_SHIFT) == 0;
}

void large_begin(struct mmu *m, int slot)
{
    ma_t first = MA(0);

    if ((m->c.without & MMU_LARGE) || !large_fits(m, &m->t.slot[slot], &first))
        return;
    table_set_large(&m->t, slot, (uint32_t)first.v);
    m->c.trace->count.mmu_large++;
}

bool large_split(struct mmu *m, uint32_t gfn)
{
    uint32_t first = gfn & ~((1u << m->t.format->index_bits) - 1);
    bool any = false;

    for (int slot = tables_direct(&m->t, first, SLOT_NONE); slot != SLOT_NONE;
         slot = tables_direct(&m->t, first, slot)) {
        if (!m->t.slot[slot].large)
            continue;
        table_set_large(&m->t, slot, 0);
        m->c.trace->count.mmu_split++;
        mmu_report_table(m, &m->t.slot[slot], "split");
        any = true;
    }
    if (any)
        mmu_flush(m);
    return any;
}

/* The entry that maps it is in the directory. */
void large_find(struct mmu *m, uint32_t linear, struct fill *fill)
{
    fill->slot = tables_directory(&m->t, m->root, linear);
    fill->index = paging_index(m->t.format, LEVEL_PD, linear);
    fill->entry = table_entry(&m->t, fill->slot, fill->index);
}
