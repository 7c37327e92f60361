/* SPDX-License-Identifier: MIT */
/* shadowmmu/mmu.c - the public face: life, register changes, the overlay. */
#include "shadowmmu/technique.h"

#include <stdlib.h>

enum { GUEST_FRAMES = 1 << 20 };

const struct mmu_optimization_name mmu_optimizations[] = {
    {"walk-cache", MMU_WALK_CACHE},
    {"prefetch", MMU_PREFETCH},
    {"global", MMU_GLOBAL},
    {"unsync", MMU_UNSYNC},
    {"unshadow", MMU_UNSHADOW},
    {"nested-large", MMU_NESTED_LARGE},
    {"nested-ad", MMU_NESTED_AD},
    {"mmio-cache", MMU_MMIO_CACHE},
    {"eviction", MMU_EVICTION},
    {"large", MMU_LARGE},
    {"vpid", MMU_VPID},
    {"space-vpid", MMU_SPACE_VPID},
    {0},
};

struct mmu *mmu_create(const struct mmu_technique *technique,
                       const struct mmu_ops *ops,
                       const struct mmu_config *config)
{
    struct mmu *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    m->technique = technique;
    m->ops = ops;
    m->c = *config;
    m->root = SLOT_NONE;
    mmu_see(m);
    walk_cache_init(m);
    evict_init(m);
    m->watches = calloc(GUEST_FRAMES, sizeof *m->watches);
    if (!m->watches)
        goto err_mmu;
    if (!tables_init(&m->t, config->memory, config->frames,
                     config->table_limit_bytes))
        goto err_watches;
    m->t.format = mmu_format(m);
    if (!ops->start(m))
        goto err_tables;
    reclaim_start(m);
    return m;

err_tables:
    if (ops->destroy)
        ops->destroy(m);
    tables_free(&m->t);
err_watches:
    free(m->watches);
err_mmu:
    free(m);
    return NULL;
}

void mmu_destroy(struct mmu *m)
{
    if (!m)
        return;
    if (m->ops->destroy)
        m->ops->destroy(m);
    for (unsigned i = 0; m->overlay.created && i < 2; i++)
        frames_give(m->c.frames, m->overlay.table[i]);
    tables_free(&m->t);
    free(m->watches);
    free(m);
}

const struct mmu_technique *mmu_technique(const struct mmu *m)
{
    return m->technique;
}

void mmu_cr3_written(struct mmu *m)
{
    m->eip = m->c.vcpu->eip;
    m->c.trace->count.cr3_writes++;
    mmu_see(m);
    m->ops->cr3_written(m);
    overlay_check(m);
}

/* Does the guest's mode say the same as before, but for CR3? */
static bool same_mode(const struct paging *a, const struct paging *b)
{
    return a->format == b->format && a->nx == b->nx &&
           memcmp(a->pdpte, b->pdpte, sizeof a->pdpte) == 0;
}

void mmu_mode_changed(struct mmu *m, uint32_t old_cr0, uint32_t old_cr4)
{
    const struct cpu_state *v = m->c.vcpu;
    uint32_t cr0 = (v->cr0 ^ old_cr0) & (CR0_PG | CR0_WP);
    uint32_t cr4 = (v->cr4 ^ old_cr4) & (CR4_PSE | CR4_PGE | CR4_PAE);
    struct paging before = m->seen;

    mmu_see(m);
    if (!cr0 && !cr4 && same_mode(&before, &m->seen))
        return;
    m->eip = v->eip;
    if (cr0 & CR0_PG)
        trace_mode(m->c.trace, mmu_site(m),
                   mmu_paging(m) ? "paging on" : "paging off", v->cr0, v->cr3,
                   v->cr4, old_cr0, old_cr4);
    m->ops->mode_changed(m, old_cr0, old_cr4);
    overlay_check(m);
}

void mmu_invlpg(struct mmu *m, uint32_t linear)
{
    m->eip = m->c.vcpu->eip;
    m->c.trace->count.mmu_invlpg++;
    m->ops->invlpg(m, linear);
    if (overlay_has(m, linear))
        overlay_check(m);
}
