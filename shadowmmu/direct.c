/* SPDX-License-Identifier: MIT */
/* shadowmmu/direct.c - direct paging: the processor walks the guest's tables.
 *
 * The technique's side of it, as any other has it: the walk, the fault, the
 * screens, and the one directory entry that is the VMM's in every directory of
 * the guest. What the guest may put into its tables is direct_types.c's and
 * direct_update.c's business.
 *
 * A page fault here is mostly true. The VMM withholds nothing and fills
 * nothing; what is left is a fault that found its reason gone (spurious).
 */
#include "shadowmmu/direct_priv.h"

#include <stdlib.h>

/* ---- life ------------------------------------------------------------------
 */

static bool direct_start(struct mmu *m)
{
    struct direct *d = calloc(1, sizeof *d);

    m->own = d;
    if (!d)
        return false;
    d->frames = m->c.memory->bytes >> PAGE_SHIFT;
    d->frame = calloc(d->frames, sizeof *d->frame);
    return d->frame != NULL;
}

static void direct_destroy(struct mmu *m)
{
    if (m->own)
        free(direct_of(m)->frame);
    free(m->own);
}

/* The first directory is the domain builder's, and pinned. Not refused: the
 * builder is ours. */
static void direct_mode_changed(struct mmu *m, uint32_t old_cr0,
                                uint32_t old_cr4)
{
    ma_t directory = MA(m->c.vcpu->cr3 & PTE_FRAME);

    (void)old_cr0;
    (void)old_cr4;
    if (!direct_of(m)->base.v &&
        (direct_pin(m, directory, FRAME_DIRECTORY).why != REFUSAL_NONE ||
         direct_new_base(m, directory).why != REFUSAL_NONE))
        abort();
    m->ops->cr3_written(m);
}

/* ---- the guest changes its paging ------------------------------------------
 */

void direct_set_root(struct mmu *m)
{
    const struct mmu_root root = {.ma = direct_of(m)->base};

    m->c.hardware.set_root(m->c.hardware.ctx, &root);
}

static void direct_cr3_written(struct mmu *m)
{
    direct_set_root(m);
    direct_flush(m);
}

static void direct_invlpg(struct mmu *m, uint32_t linear)
{
    m->c.hardware.flush_page(m->c.hardware.ctx, linear);
}

/* Into every directory that is in use. */
static void direct_show_overlay(struct mmu *m)
{
    struct direct *d = direct_of(m);

    for (uint32_t frame = 0; frame < d->frames; frame++)
        if (d->frame[frame].uses && d->frame[frame].type == FRAME_DIRECTORY)
            entry_store(m, entry_at(frame, hole_index(m)), hole_entry(m));
    direct_flush(m);
}

/* The guest cannot want the VMM's place: it could not get it. */
static bool direct_find_overlay(struct mmu *m, uint32_t *linear)
{
    uint32_t base = frame_of(direct_of(m)->base);
    unsigned index = TABLE_ENTRIES;

    *linear = m->overlay.linear;
    if (m->overlay.placed)
        return true;
    while (index-- > 0) {
        *linear = (uint32_t)index << LARGE_PAGE_SHIFT;
        if (!(memory_read32(m->c.memory, entry_at(base, index)) & PTE_P))
            return true;
    }
    return false;
}

/* ---- walks -----------------------------------------------------------------
 */

static bool read_entry(void *ctx, uint64_t at, unsigned bytes, uint64_t *entry)
{
    struct mmu *m = ctx;

    (void)bytes;
    if (!m->quiet)
        m->c.trace->count.vmm_references++;
    *entry = memory_read32(m->c.memory, MA(at));
    return true;
}

static gpa_t gpa_of(const struct mmu *m, uint64_t ma)
{
    gpa_t gpa = GPA(0);

    pmap_inverse(m->c.pmap, MA(ma), &gpa);
    return gpa;
}

/* What lies behind the VMM's own directory entry is not there for the guest. */
static bool in_hole(const struct mmu *m, uint32_t linear)
{
    return is_hole(m, FRAME_DIRECTORY, linear >> LARGE_PAGE_SHIFT);
}

/* As the processor walks; then the addresses are told in the guest's terms. */
static void direct_walk(struct mmu *m, uint32_t linear, unsigned access,
                        struct paging_walk *w)
{
    struct paging p;

    mmu_translation(m, &p);
    paging_walk(&p, linear, access, read_entry, m, w);
    if (in_hole(m, linear)) {
        w->allowed = w->translated = false;
        w->error &= ~(uint32_t)PF_PRESENT;
        w->level = LEVEL_PD;
    }
    for (unsigned level = w->level; level <= LEVEL_PD; level++)
        w->at[level] = gpa_of(m, w->at[level]).v;
    if (w->translated)
        w->address = gpa_of(m, w->address).v;
}

static void direct_fault(struct mmu *m, uint32_t linear, unsigned access,
                         uint32_t error, struct mmu_result *r)
{
    enum pmap_kind kind = PMAP_NONE;

    direct_walk(m, linear, access, &r->walk);
    if (r->walk.allowed)
        kind = pmap_lookup(m->c.pmap, walk_gpa(&r->walk), &r->ma);
    r->entry = (uint32_t)r->walk.entry[LEVEL_PT];
    if (r->walk.level == LEVEL_PT)
        pmap_lookup(m->c.pmap, GPA(r->walk.at[LEVEL_PT]), &r->entry_ma);
    r->cls = mmu_classify(m, access, &r->walk, kind, r->entry);
    r->action = MMU_RESUME;
    if (r->cls == FC_TRUE) {
        r->action = MMU_INJECT;
        r->fault = (struct fault){VEC_PF, true, r->walk.error, linear};
    } else if (r->cls == FC_MMIO) {
        r->action = MMU_EMULATE;
    } else {
        m->c.hardware.flush_page(m->c.hardware.ctx, linear);
    }
    mmu_report_fault(m, linear, error, r);
}

static void direct_inspect(struct mmu *m, uint32_t linear, unsigned access,
                           struct mmu_view *view)
{
    const struct frame_info *f;
    struct paging p;

    mmu_translation(m, &p);
    paging_walk(&p, linear, access, read_entry, m, &view->own);
    view->root = direct_of(m)->base;
    view->own_format = p.format;
    view->same_table = true;
    view->would = view->walk.allowed ? FC_COUNT : FC_TRUE;
    if (in_hole(m, linear) || view->pmap != PMAP_RAM)
        return;
    f = &direct_of(m)->frame[frame_of(view->ma)];
    view->frame_type = frame_type_name(f->uses ? f->type : FRAME_UNTYPED);
    view->frame_uses = f->uses;
    view->frame_references = f->references;
    view->frame_pinned = f->pinned;
}

/* ---- frames that the guest gives back --------------------------------------
 */

/* Whatever names it would lead to another's frame. */
static bool direct_busy(struct mmu *m, gpa_t page)
{
    const struct frame_info *f;
    ma_t ma;

    if (!pmap_readable(pmap_lookup(m->c.pmap, page, &ma)))
        return false;
    f = &direct_of(m)->frame[frame_of(ma)];
    return f->references || f->uses;
}

/* The TLB is the last that may name it. */
static void direct_drop(struct mmu *m, gpa_t page)
{
    struct frame_info *f;
    ma_t ma;

    if (!pmap_readable(pmap_lookup(m->c.pmap, page, &ma)))
        return;
    f = &direct_of(m)->frame[frame_of(ma)];
    if (f->unmapped == direct_of(m)->flushes)
        direct_flush(m);
    *f = (struct frame_info){.type = FRAME_UNTYPED};
}

static const struct mmu_ops direct_ops = {
    .busy = direct_busy,
    .drop_gpa = direct_drop,
    .start = direct_start,
    .destroy = direct_destroy,
    .cr3_written = direct_cr3_written,
    .mode_changed = direct_mode_changed,
    .invlpg = direct_invlpg,
    .show_overlay = direct_show_overlay,
    .find_overlay = direct_find_overlay,
    .walk = direct_walk,
    .fault = direct_fault,
    .inspect = direct_inspect,
    .audit_all = direct_audit,
    .save = direct_save,
    .restore = direct_restore,
};

static struct mmu *direct_create(const struct mmu_config *config)
{
    return mmu_create(&mmu_direct, &direct_ops, config);
}

const struct mmu_technique mmu_direct = {
    .name = "direct",
    .blurb = "direct paging: a paravirtual guest's own tables, every update "
             "checked",
    .only_cpu = "pv",
    .optimizations = MMU_WALK_CACHE,
    .create = direct_create,
};
