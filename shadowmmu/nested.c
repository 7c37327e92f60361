/* SPDX-License-Identifier: MIT */
/* shadowmmu/nested.c - nested paging as a technique (nested.h). */
#include "shadowmmu/nested_priv.h"

/* What the screens call these tables. */
static const struct paging_format format[EPT_LEVELS_MOST + 1] = {
    [2] = {"EPT", 2, 8, EPT_INDEX_BITS, EPT_INDEX_BITS},
    [3] = {"EPT", 3, 8, EPT_INDEX_BITS, EPT_INDEX_BITS},
    [4] = {"EPT", 4, 8, EPT_INDEX_BITS, EPT_INDEX_BITS},
};

uint64_t nested_pointer(const struct mmu *m)
{
    const struct nested *n = nested_of(m);

    return n->frame[0] | EPTP_WRITE_BACK |
           (uint64_t)(n->levels - 1) << EPTP_LEVELS_SHIFT |
           (m->c.without & MMU_NESTED_AD ? 0 : EPTP_ACCESSED_DIRTY);
}

static enum fault_class classify(enum pmap_kind kind, unsigned needed,
                                 const struct ept_walk *w)
{
    if (kind == PMAP_NONE || (kind == PMAP_ROM && (needed & EPT_FOR_WRITE)))
        return FC_MMIO;
    if (kind == PMAP_PAGED_OUT ||
        (kind == PMAP_SHARED && (needed & EPT_FOR_WRITE)))
        return FC_PAGED_OUT;
    return ept_allows(w, needed) ? FC_SPURIOUS : FC_HIDDEN;
}

static unsigned needed_for(uint32_t error)
{
    return error & PF_WRITE   ? EPT_FOR_WRITE
           : error & PF_FETCH ? EPT_FOR_FETCH
                              : EPT_FOR_READ;
}

/* True: an entry was filled. */
static bool act(struct mmu *m, gpa_t gpa, bool write, struct mmu_result *r)
{
    enum pmap_kind kind;

    r->action = MMU_RESUME;
    if (r->cls == FC_MMIO) {
        r->action = MMU_EMULATE;
        return false;
    }
    if (r->cls == FC_SPURIOUS) {
        m->c.hardware.flush_all(m->c.hardware.ctx);
        return false;
    }
    kind = pmap_hold(m->c.pmap, gpa, write, &r->ma);
    if (pmap_readable(kind) && nested_map(m, gpa, kind, r->ma))
        return true;
    r->action = MMU_NO_MEMORY;
    return false;
}

void nested_fault(struct mmu *m, gpa_t gpa, uint32_t linear, uint32_t error,
                  uint32_t eip, struct mmu_result *r)
{
    enum pmap_kind kind;
    struct ept_walk w;
    bool filled;

    memset(r, 0, sizeof *r);
    m->eip = eip;
    walk_flat(gpa, &r->walk);
    m->step.wanted_linear = linear;
    m->step.wanted_gpa = gpa;
    kind = pmap_lookup(m->c.pmap, gpa, &r->ma);
    nested_walk(m, gpa, &w);
    r->cls = classify(kind, needed_for(error), &w);
    filled = act(m, gpa, (error & PF_WRITE) != 0, r);
    if (filled)
        nested_walk(m, gpa, &w);
    r->entry = w.entry[w.level];
    r->entry_ma = w.at[w.level];
    mmu_report_fault(m, linear, error, r);
    if (!filled)
        return;
    trace_fill(m->c.trace, mmu_site(m), linear, (uint32_t)gpa.v,
               (uint32_t)r->ma.v, (uint32_t)r->entry_ma.v, error, r->entry);
    if (r->cls == FC_HIDDEN)
        nested_map_near(m, gpa);
}

unsigned nested_references(struct mmu *m, gpa_t gpa)
{
    struct ept_walk w;
    ma_t ma;

    if (m->technique != &mmu_nested)
        return 0;
    nested_walk(m, gpa, &w);
    if (!w.present) {
        enum pmap_kind kind = pmap_hold(m->c.pmap, gpa, false, &ma);

        if (pmap_readable(kind) && nested_map(m, gpa, kind, ma))
            nested_walk(m, gpa, &w);
    }
    return w.references;
}

/* ---- the technique ----------------------------------------------------------
 */

static bool start(struct mmu *m)
{
    if (!nested_tables_init(m))
        return false;
    nested_load_root(m);
    return true;
}

static bool open_page(struct mmu *m, gpa_t page, ma_t ma)
{
    return nested_map(m, page, PMAP_RAM, ma);
}

/* What the guest does to its own tables and its TLB is between the two. */
static void cr3_written(struct mmu *m)
{
    (void)m;
}

static void mode_changed(struct mmu *m, uint32_t old_cr0, uint32_t old_cr4)
{
    (void)m, (void)old_cr0, (void)old_cr4;
}

static void invlpg(struct mmu *m, uint32_t linear)
{
    (void)m, (void)linear;
}

/* The nested tables' walk for the page behind a linear address. */
static void inspect(struct mmu *m, uint32_t linear, unsigned access,
                    struct mmu_view *view)
{
    const struct nested *n = nested_of(m);
    unsigned needed = access & ACC_WRITE   ? EPT_FOR_WRITE
                      : access & ACC_FETCH ? EPT_FOR_FETCH
                                           : EPT_FOR_READ;
    struct ept_walk w;

    (void)linear;
    view->root = MA(n->frame[0]);
    view->own_format = &format[n->levels];
    view->nested = true;
    view->would = FC_TRUE;
    if (!view->walk.translated)
        return;
    nested_walk(m, walk_gpa(&view->walk), &w);
    view->own.level = w.level;
    view->own.references = w.references;
    view->own.translated = w.present;
    view->own.allowed = ept_allows(&w, needed);
    view->own.address = w.ma.v;
    for (unsigned level = w.level; level <= n->levels; level++) {
        view->own.entry[level] = w.entry[level];
        view->own.at[level] = w.at[level].v;
    }
    if (!view->walk.allowed)
        return;
    view->would = classify(view->pmap, needed, &w);
    if (view->would == FC_SPURIOUS)
        view->would = FC_COUNT;
}

static const struct mmu_ops nested_ops = {
    .start = start,
    .destroy = nested_tables_free,
    .cr3_written = cr3_written,
    .mode_changed = mode_changed,
    .invlpg = invlpg,
    .used = nested_used,
    .drop_gpa = nested_unmap,
    .open = open_page,
    .protect = nested_protect,
    .inspect = inspect,
    .audit_all = nested_audit,
    .save = nested_save,
    .restore = nested_restore,
};

static struct mmu *create(const struct mmu_config *config)
{
    return mmu_create(&mmu_nested, &nested_ops, config);
}

const struct mmu_technique mmu_nested = {
    .name = "nested",
    .blurb = "nested paging: the processor walks the guest's tables and ours",
    .only_cpu = "hvm",
    .optimizations = MMU_WALK_CACHE | MMU_PREFETCH | MMU_NESTED_LARGE |
                     MMU_NESTED_AD | MMU_VPID,
    .create = create,
};
