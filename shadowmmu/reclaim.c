/* SPDX-License-Identifier: MIT */
/* shadowmmu/reclaim.c - the VMM's tables while the PMap changes under them.
 *
 * A machine frame that goes elsewhere must be in no entry before. What the VMM
 * knows of the guest's page itself stays, for its contents do: tables derived
 * from it, watches. So a page table of the guest can be in the swap while the
 * processor uses its shadow.
 */
#include "shadowmmu/technique.h"

static uint32_t number_of(gpa_t page)
{
    return (uint32_t)(page.v >> PAGE_SHIFT);
}

/* Its contents are compared with older ones, which needs them in memory; and
 * one instruction that was let through must find what it is let through for. */
static bool busy(void *ctx, gpa_t page)
{
    struct mmu *m = ctx;

    if (m->ops->busy)
        return m->ops->busy(m, page);
    for (unsigned i = 0; i < m->step.count; i++)
        if (m->step.page[i].gfn == number_of(page))
            return true;
    return unsync_find(&m->unsync, number_of(page)) != NULL;
}

/* Asked by the clock. The TLB forgets the page, so that the processor marks the
 * entry again when it comes back. */
static bool used(void *ctx, gpa_t page)
{
    struct mmu *m = ctx;
    bool any;

    if (m->ops->used)
        return m->ops->used(m, page);
    any = large_split(m, number_of(page)); /* which of its pages was? */
    for (uint32_t id = m->t.mapped[number_of(page)]; id;
         id = m->t.next[id - 1]) {
        int slot = (int)((id - 1) / TABLE_ENTRIES);
        unsigned index = (id - 1) % TABLE_ENTRIES;
        uint64_t entry = table_entry(&m->t, slot, index);

        if (entry & PTE_A)
            mmu_entry_restrict(m, slot, index, entry & ~(uint64_t)PTE_A);
        any |= (entry & PTE_A) != 0;
    }
    return any;
}

static void moved(void *ctx, gpa_t page)
{
    struct mmu *m = ctx;

    if (m->ops->drop_gpa)
        m->ops->drop_gpa(m, page);
    large_split(m, number_of(page));
    while (m->t.mapped[number_of(page)]) {
        uint32_t id = m->t.mapped[number_of(page)] - 1;

        mmu_entry_clear(m, (int)(id / TABLE_ENTRIES), id % TABLE_ENTRIES);
    }
}

static void protect(void *ctx, gpa_t page)
{
    const struct mmu *m = ctx;

    if (m->ops->protect)
        m->ops->protect(ctx, page);
    else
        mmu_protect(ctx, number_of(page));
}

static void written(void *ctx, ma_t frame, uint64_t bytes)
{
    mmu_wrote(ctx, frame, bytes);
}

static void tell(void *ctx, const char *cause, gpa_t page, ma_t frame,
                 uint32_t slot)
{
    struct mmu *m = ctx;

    trace_frame(m->c.trace, mmu_site(m), cause, (uint32_t)page.v,
                (uint32_t)frame.v, slot, (uint32_t)pmap_resident(m->c.pmap));
}

void reclaim_start(struct mmu *m)
{
    const struct pmap_client client = {.busy = busy,
                                       .used = used,
                                       .moved = moved,
                                       .protect = protect,
                                       .written = written,
                                       .tell = tell,
                                       .ctx = m};

    pmap_set_client(m->c.pmap, &client);
    pmap_set_trace(m->c.pmap, m->c.trace);
}

/* Who watches the contents, or keeps a table of them, sees zeros come first. */
bool mmu_balloon(struct mmu *m, gpa_t page)
{
    static const uint8_t zeros[PAGE_BYTES];
    enum pmap_kind kind;
    ma_t ma;

    page.v &= ~(uint64_t)PAGE_MASK;
    kind = pmap_lookup(m->c.pmap, page, &ma);
    if (!pmap_writable(kind) || (m->ops->busy && m->ops->busy(m, page)))
        return false;
    unsync_end(m, number_of(page));
    if (mmu_guarded(m, number_of(page))) {
        if (!pmap_write(m->c.pmap, page, zeros, sizeof zeros))
            return false;
        mmu_gpa_written(m, page, sizeof zeros);
    }
    return pmap_balloon(m->c.pmap, page);
}
