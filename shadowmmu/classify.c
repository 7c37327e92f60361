/* SPDX-License-Identifier: MIT */
/* shadowmmu/classify.c - whose fault is it? The one place that says.
 *
 * Three questions, in this order, decide: do the guest's own tables allow the
 * access; is there memory behind it; does the VMM's table have it.
 *
 * Reference: SDM 3A, "Interrupt 14 - Page-Fault Exception (#PF)".
 */
#include "shadowmmu/technique.h"

/*S:210*/
enum fault_class mmu_classify(const struct mmu *m, unsigned access,
                              const struct paging_walk *before,
                              enum pmap_kind kind, uint64_t entry)
{
    bool write = (access & ACC_WRITE) != 0;

    if (!before->allowed)
        return FC_TRUE;
    if (kind == PMAP_NONE || (kind == PMAP_ROM && write))
        return FC_MMIO; /* the bus drops a write to ROM, not the VMM */
    if (kind == PMAP_PAGED_OUT || (kind == PMAP_SHARED && write))
        return FC_PAGED_OUT; /* no frame, or none to be written */
    if (write && mmu_guarded(m, walk_gfn(before)))
        return FC_TRACE;
    if (entry_allows(entry, access))
        return FC_SPURIOUS; /* the TLB remembered fewer rights */
    if ((entry & PTE_P) && write && !(entry & PTE_W) && !before->dirty)
        return FC_DIRTY;
    /* No entry, or one that is no longer right: the guest added rights and
     * need not say so, a page is not traced any more, or a page is there in
     * the other of the two forms that stand for CR0.WP = 0. */
    return FC_HIDDEN;
}
/*:*/

static void find_entry(struct mmu *m, uint32_t linear, struct fill *fill)
{
    fill->slot = tables_leaf(&m->t, m->root, linear);
    fill->index = mmu_leaf_index(m, linear);
    fill->entry = 0;
    if (fill->slot != SLOT_NONE && m->t.slot[fill->slot].large)
        large_find(m, linear, fill);
    else if (fill->slot != SLOT_NONE)
        fill->entry = table_entry(&m->t, fill->slot, fill->index);
}

/* Carry out what the class asks for. True: an entry was filled. */
static bool act(struct mmu *m, uint32_t linear, unsigned access,
                struct mmu_result *r, struct fill *fill)
{
    uint32_t gfn = walk_gfn(&r->walk);
    enum pmap_kind kind;

    r->action = MMU_RESUME;
    switch (r->cls) {
    case FC_TRUE:
        r->action = MMU_INJECT;
        r->fault = (struct fault){VEC_PF, true, r->walk.error, linear};
        return false;
    case FC_MMIO:
        mmio_remember(m, linear, access, &r->walk);
        r->action = MMU_EMULATE;
        return false;
    case FC_SPURIOUS:
        m->c.hardware.flush_page(m->c.hardware.ctx, linear);
        return false;
    case FC_TRACE:
        if (tables_traced(&m->t, gfn)) {
            m->c.trace->count.mmu_pte_write++;
            m->ops->traced_write(m, gfn, linear);
        }
        if (!mmu_guarded(m, gfn)) {
            m->c.trace->count.traces_opened++;
            break;
        }
        r->action = MMU_WRITE;
        return false;
    default: break;
    }
    kind = pmap_hold(m->c.pmap, walk_gpa(&r->walk), (access & ACC_WRITE) != 0,
                     &r->ma);
    if (pmap_readable(kind) &&
        mmu_fill(m, linear, access, &r->walk, kind, r->ma, false, fill))
        return true;
    r->action = MMU_NO_MEMORY;
    return false;
}

void mmu_report_fault(struct mmu *m, uint32_t linear, uint32_t error,
                      const struct mmu_result *r)
{
    struct trace *t = m->c.trace;
    bool translated = r->walk.allowed;
    uint32_t guest_error = r->walk.allowed ? 0 : r->walk.error;

    t->count.page_faults[r->cls]++;
    trace_fault(t, mmu_site(m), r->cls, linear,
                translated ? (uint32_t)r->walk.address : 0, (uint32_t)r->ma.v,
                error, guest_error, r->entry);
}

static void report_filled(struct mmu *m, uint32_t linear, uint32_t error,
                          const struct mmu_result *r)
{
    trace_fill(m->c.trace, mmu_site(m), linear, (uint32_t)r->walk.address,
               (uint32_t)r->ma.v, (uint32_t)r->entry_ma.v, error, r->entry);
}

void mmu_report_fill(struct mmu *m, uint32_t linear, int slot, unsigned index)
{
    uint64_t entry = table_entry(&m->t, slot, index);
    uint32_t gfn = m->t.target[(uint32_t)slot * TABLE_ENTRIES + index];

    trace_fill(m->c.trace, mmu_site(m), linear, gfn << PAGE_SHIFT,
               (uint32_t)(entry & PTE_FRAME),
               (uint32_t)table_entry_ma(&m->t, slot, index).v, 0, entry);
}

/* A device access of which everything is remembered. */
static bool known_device(struct mmu *m, uint32_t linear, unsigned access,
                         uint32_t error, struct mmu_result *r)
{
    struct fill fill;
    gpa_t gpa;

    if (!mmio_find(m, linear, access, &gpa, &fill))
        return false;
    r->cls = FC_MMIO;
    r->action = MMU_EMULATE;
    r->walk.allowed = r->walk.translated = true;
    r->walk.address = gpa.v;
    r->entry = fill.entry;
    r->entry_ma = table_entry_ma(&m->t, fill.slot, fill.index);
    m->c.trace->count.mmio_remembered++;
    mmu_report_fault(m, linear, error, r);
    return true;
}

void mmu_fault(struct mmu *m, uint32_t linear, uint32_t error, uint32_t eip,
               struct mmu_result *r)
{
    unsigned access = ((error & PF_WRITE) ? ACC_WRITE : 0) |
                      ((error & PF_USER) ? ACC_USER : 0) |
                      ((error & PF_FETCH) ? ACC_FETCH : 0);
    enum pmap_kind kind = PMAP_NONE;
    struct fill fill;
    uint32_t table;
    bool filled;

    memset(r, 0, sizeof *r);
    m->eip = eip;
    m->starved = false;
    if (m->ops->fault) {
        m->ops->fault(m, linear, access, error, r);
        return;
    }
    m->step.wanted_linear = linear;
    m->step.wanted_access = access;
    if (known_device(m, linear, access, error, r))
        return;
    walk_tables(m, linear, access, &r->walk);
    if (walk_page_table(&r->walk, &table)) /* a fault empties its TLB entry */
        unsync_entry(m, table, mmu_leaf_index(m, linear));
    if (r->walk.allowed && overlay_has(m, linear) && m->c.overlay_wanted) {
        m->overlay.wanted = true;
        m->c.overlay_wanted(m->c.ctx);
        m->overlay.wanted = false;
    }
    if (r->walk.allowed)
        kind = pmap_lookup(m->c.pmap, walk_gpa(&r->walk), &r->ma);
    find_entry(m, linear, &fill);
    r->cls = mmu_classify(m, access, &r->walk, kind, fill.entry);
    if (r->cls != FC_TRUE)
        walk_commit(m, access, &r->walk);
    filled = act(m, linear, access, r, &fill);
    if (m->starved)
        r->action = MMU_NO_MEMORY;
    if (fill.slot != SLOT_NONE) {
        r->entry = fill.entry;
        r->entry_ma = table_entry_ma(&m->t, fill.slot, fill.index);
    }
    mmu_report_fault(m, linear, error, r);
    if (filled)
        report_filled(m, linear, error, r);
    if (filled && r->cls == FC_HIDDEN)
        mmu_prefetch(m, linear, &r->walk, &fill);
}

static bool read_own(void *ctx, uint64_t at, unsigned bytes, uint64_t *entry)
{
    const struct mmu *m = ctx;

    *entry = bytes == sizeof *entry ? memory_read64(m->c.memory, MA(at))
                                    : memory_read32(m->c.memory, MA(at));
    return true;
}

/* What the processor finds in our tables. */
static void inspect_own(struct mmu *m, uint32_t linear, unsigned access,
                        struct mmu_view *view)
{
    struct paging p = {
        .format = m->t.format, .wp = true, .large = true, .nx = m->nx};

    view->root = MA(m->t.slot[m->root].ma);
    view->own_format = p.format;
    p.root = view->root.v;
    for (unsigned i = 0; p.format == &paging_pae && i < PDPTES; i++)
        p.pdpte[i] = table_entry(&m->t, m->root, i);
    paging_walk(&p, linear, access, read_own, m, &view->own);
}

void mmu_inspect(struct mmu *m, uint32_t linear, unsigned access,
                 struct mmu_view *view)
{
    struct paging p;
    struct fill fill;

    memset(view, 0, sizeof *view);
    mmu_translation(m, &p);
    view->format = p.format;
    mmu_guest_walk(m, linear, access, false, &view->walk);
    if (view->walk.translated) {
        view->pmap = pmap_lookup(m->c.pmap, walk_gpa(&view->walk), &view->ma);
        view->traced = mmu_guarded(m, walk_gfn(&view->walk));
    }
    if (m->ops->inspect) {
        m->ops->inspect(m, linear, access, view);
        return;
    }
    inspect_own(m, linear, access, view);
    find_entry(m, linear, &fill);
    view->would = mmu_classify(m, access, &view->walk, view->pmap, fill.entry);
    /* Nothing in the way means no fault at all. */
    if (view->would == FC_SPURIOUS)
        view->would = FC_COUNT;
}
