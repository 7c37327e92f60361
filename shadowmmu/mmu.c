/* SPDX-License-Identifier: MIT */
/* shadowmmu/mmu.c - the public face: life, register changes, the overlay. */
#include "shadowmmu/technique.h"

#include <stdlib.h>

enum { GUEST_FRAMES = 1 << 20 };

const struct mmu_optimization_name mmu_optimizations[] = {
    {"walk-cache", MMU_WALK_CACHE}, {"prefetch", MMU_PREFETCH},
    {"global", MMU_GLOBAL},         {"unsync", MMU_UNSYNC},
    {"unshadow", MMU_UNSHADOW},     {"nested-large", MMU_NESTED_LARGE},
    {"nested-ad", MMU_NESTED_AD},   {0},
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
    walk_cache_init(m);
    m->watches = calloc(GUEST_FRAMES, sizeof *m->watches);
    if (!m->watches)
        goto err_mmu;
    if (!tables_init(&m->t, config->memory, config->frames,
                     config->table_limit_bytes))
        goto err_watches;
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
    tables_free(&m->t);
    free(m->watches);
    free(m);
}

const struct mmu_technique *mmu_technique(const struct mmu *m)
{
    return m->technique;
}

/* With paging off the whole space is the guest's; only a fault there tells
 * that it is wanted. */
void mmu_check_overlay(struct mmu *m)
{
    gpa_t pde;

    if (!m->overlay_pde || !m->c.overlay_wanted || !mmu_paging(m))
        return;
    pde = GPA((m->c.vcpu->cr3 & PTE_FRAME) + m->overlay_index * 4);
    if (walk_read(m, pde, 4) & PTE_P)
        m->c.overlay_wanted(m->c.ctx);
}

void mmu_cr3_written(struct mmu *m)
{
    m->eip = m->c.vcpu->eip;
    m->c.trace->count.cr3_writes++;
    m->ops->cr3_written(m);
    mmu_check_overlay(m);
}

void mmu_mode_changed(struct mmu *m, uint32_t old_cr0, uint32_t old_cr4)
{
    const struct cpu_state *v = m->c.vcpu;
    uint32_t cr0 = (v->cr0 ^ old_cr0) & (CR0_PG | CR0_WP);
    uint32_t cr4 = (v->cr4 ^ old_cr4) & (CR4_PSE | CR4_PGE | CR4_PAE);

    if (!cr0 && !cr4)
        return;
    m->eip = v->eip;
    if (cr0 & CR0_PG)
        trace_mode(m->c.trace, mmu_site(m),
                   mmu_paging(m) ? "paging on" : "paging off", v->cr0, v->cr3,
                   v->cr4, old_cr0, old_cr4);
    m->ops->mode_changed(m, old_cr0, old_cr4);
    mmu_check_overlay(m);
}

void mmu_invlpg(struct mmu *m, uint32_t linear)
{
    m->eip = m->c.vcpu->eip;
    m->c.trace->count.mmu_invlpg++;
    m->ops->invlpg(m, linear);
}

void mmu_set_overlay(struct mmu *m, unsigned pde_index, uint32_t pde)
{
    unsigned old = m->overlay_index;
    bool had = m->overlay_pde != 0;

    m->overlay_index = pde_index;
    m->overlay_pde = pde;
    for (int i = 0; i < m->t.limit; i++) {
        const struct table *table = &m->t.slot[i];

        if (table->kind == TABLE_FREE || !table_is_directory(table))
            continue;
        if (had)
            memory_write32(m->c.memory, table_entry_ma(&m->t, i, old), 0);
        if (pde && table_has(table, pde_index))
            table_clear(&m->t, i, pde_index);
        if (pde)
            memory_write32(m->c.memory, table_entry_ma(&m->t, i, pde_index),
                           pde);
    }
    m->c.hardware.flush_all(m->c.hardware.ctx);
}

/* Is there any memory in the 4 MiB at this index? */
static bool has_memory(const struct mmu *m, unsigned index)
{
    ma_t ma;

    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        if (pmap_lookup(m->c.pmap,
                        GPA((uint64_t)index << LARGE_PAGE_SHIFT |
                            (uint64_t)i << PAGE_SHIFT),
                        &ma) != PMAP_NONE)
            return true;
    return false;
}

unsigned mmu_free_pde(struct mmu *m)
{
    /* Unpaged, the devices of a PC are above 3 GiB and memory grows from
     * below: begin there. */
    unsigned first = mmu_paging(m) ? TABLE_ENTRIES : TABLE_ENTRIES * 3 / 4;

    for (unsigned index = first; index-- > 0;) {
        gpa_t pde = GPA((m->c.vcpu->cr3 & PTE_FRAME) + index * 4);

        if (mmu_paging(m) ? !(walk_read(m, pde, 4) & PTE_P)
                          : !has_memory(m, index))
            return index;
    }
    return MMU_PDE_NONE;
}
