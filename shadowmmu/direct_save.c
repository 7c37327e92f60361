/* SPDX-License-Identifier: MIT */
/* shadowmmu/direct_save.c - direct paging's part of a snapshot: the types and
 * counts. The tables are guest memory, and saved with it. */
#include "shadowmmu/direct_priv.h"

struct saved_header {
    uint64_t frames;
    uint64_t base;
    uint32_t flushes, tables;
    struct mmu_overlay overlay;
    uint32_t eip, padding;
};

size_t direct_save(const struct mmu *m, void *buffer, size_t bytes)
{
    const struct direct *d = direct_of(m);
    size_t all = d->frames * sizeof *d->frame;
    struct saved_header h = {.frames = d->frames,
                             .base = d->base.v,
                             .flushes = d->flushes,
                             .tables = d->tables,
                             .overlay = m->overlay,
                             .eip = m->eip};

    if (!buffer || bytes < sizeof h + all)
        return sizeof h + all;
    memcpy(buffer, &h, sizeof h);
    memcpy((uint8_t *)buffer + sizeof h, d->frame, all);
    return sizeof h + all;
}

bool direct_restore(struct mmu *m, const void *buffer, size_t bytes)
{
    struct direct *d = direct_of(m);
    size_t all = d->frames * sizeof *d->frame;
    struct saved_header h;

    if (bytes < sizeof h + all)
        return false;
    memcpy(&h, buffer, sizeof h);
    if (h.frames != d->frames ||
        !memory_has(m->c.memory, MA(h.base), PAGE_BYTES))
        return false;
    memcpy(d->frame, (const uint8_t *)buffer + sizeof h, all);
    d->base = MA(h.base);
    d->flushes = h.flushes;
    d->tables = h.tables;
    m->overlay = h.overlay;
    m->eip = h.eip;
    direct_set_root(m);
    m->c.hardware.flush_all(m->c.hardware.ctx);
    return true;
}
