/* SPDX-License-Identifier: MIT */
/* shadowmmu/save.c - the MMU's part of a snapshot.
 *
 * The tables' contents are machine memory and saved with it; here are the
 * slots, what each entry stands for, and the watches. The lists of the reverse
 * maps are built again. Not to be called while a step is under way.
 */
#include "shadowmmu/technique.h"

enum { GUEST_FRAMES = 1 << 20 };

struct saved_header {
    uint32_t limit, slots, watches;
    int32_t root;
    uint32_t eip, levels;
    struct mmu_overlay overlay;
    uint32_t last_eip, last_count, last_linear[STEP_PAGES];
    uint32_t unsync_count, unsync_next, dropped_gfn, dropped_eip, padding;
    uint64_t clock;
    struct evict evict;
};

struct saved_slot {
    uint32_t slot;
    uint32_t padding;
    struct table table;
    uint32_t target[TABLE_ENTRIES];
};

struct saved_watch {
    uint32_t gfn, count;
};

static size_t saved_bytes(const struct saved_header *h)
{
    return sizeof *h + h->slots * sizeof(struct saved_slot) +
           h->watches * sizeof(struct saved_watch) +
           h->unsync_count * sizeof(struct unsync_page);
}

static struct saved_header make_header(const struct mmu *m)
{
    struct saved_header h;

    memset(&h, 0, sizeof h);
    h.limit = (uint32_t)m->t.limit;
    h.slots = (uint32_t)m->t.used;
    for (uint32_t gfn = 0; gfn < GUEST_FRAMES; gfn++)
        h.watches += m->watches[gfn] != 0;
    h.root = m->root;
    h.eip = m->eip;
    h.levels = m->t.format->levels;
    h.overlay = m->overlay;
    h.last_eip = m->step.last_eip;
    h.last_count = m->step.last_count;
    memcpy(h.last_linear, m->step.last_linear, sizeof h.last_linear);
    h.unsync_count = m->unsync.count;
    h.unsync_next = m->unsync.next;
    h.dropped_gfn = m->dropped_gfn;
    h.dropped_eip = m->dropped_eip;
    h.clock = m->t.clock;
    h.evict = m->evict;
    return h;
}

size_t mmu_save(const struct mmu *m, void *buffer, size_t bytes)
{
    struct saved_header h;
    uint8_t *out = buffer;

    if (m->ops->save)
        return m->ops->save(m, buffer, bytes);
    h = make_header(m);
    if (!buffer || bytes < saved_bytes(&h))
        return saved_bytes(&h);
    memcpy(out, &h, sizeof h);
    out += sizeof h;
    for (int slot = 0; slot < m->t.limit; slot++) {
        struct saved_slot s;

        if (m->t.slot[slot].kind == TABLE_FREE)
            continue;
        memset(&s, 0, sizeof s);
        s.slot = (uint32_t)slot;
        s.table = m->t.slot[slot];
        memcpy(s.target, &m->t.target[(size_t)slot * TABLE_ENTRIES],
               sizeof s.target);
        memcpy(out, &s, sizeof s);
        out += sizeof s;
    }
    for (uint32_t gfn = 0; gfn < GUEST_FRAMES; gfn++) {
        struct saved_watch w = {gfn, m->watches[gfn]};

        if (!w.count)
            continue;
        memcpy(out, &w, sizeof w);
        out += sizeof w;
    }
    memcpy(out, m->unsync.page, h.unsync_count * sizeof *m->unsync.page);
    return saved_bytes(&h);
}

static const struct paging_format *format_of(const struct saved_header *h)
{
    if (h->levels == paging_pae.levels)
        return &paging_pae;
    return h->levels == paging_32bit.levels ? &paging_32bit : NULL;
}

static bool overlay_valid(const struct mmu *m, const struct saved_header *h)
{
    for (unsigned i = 0; h->overlay.created && i < 2; i++)
        if ((h->overlay.table[i].v & PAGE_MASK) ||
            !memory_has(m->c.memory, h->overlay.table[i], PAGE_BYTES))
            return false;
    return h->overlay.linear % MMU_OVERLAY_BYTES == 0 &&
           h->overlay.guest_table[0] < GUEST_FRAMES &&
           h->overlay.guest_table[1] < GUEST_FRAMES;
}

/* What could make us read or write outside of our arrays. */
static bool slot_valid(const struct mmu *m, const struct paging_format *f,
                       const struct saved_slot *s)
{
    struct table table = s->table;
    uint32_t top = table_is_upper(&table) ? (uint32_t)m->t.limit : GUEST_FRAMES;
    unsigned end =
        1u << (table.level == f->levels ? f->top_bits : f->index_bits);

    if (s->slot >= (uint32_t)m->t.limit || table.kind == TABLE_FREE ||
        table.kind > TABLE_EMULATED || table.level < LEVEL_PT ||
        table.level > f->levels || table.gfn >= GUEST_FRAMES ||
        (table.ma & PAGE_MASK) || (table.large & PAGE_MASK) ||
        (table.large && table.kind != TABLE_DIRECT) ||
        !memory_has(m->c.memory, MA(table.ma), PAGE_BYTES))
        return false;
    for (unsigned i = table_next(&table, 0); i < TABLE_ENTRIES;
         i = table_next(&table, i + 1))
        if (i >= end || s->target[i] >= top)
            return false;
    return true;
}

/* The pages out of sync end at end. */
static bool unsync_valid(const uint8_t *end, uint32_t count)
{
    struct unsync_page page;

    for (uint32_t i = 1; i <= count; i++) {
        memcpy(&page, end - i * sizeof page, sizeof page);
        if (page.gfn >= GUEST_FRAMES)
            return false;
    }
    return true;
}

static bool header_valid(const struct mmu *m, const uint8_t *in, size_t bytes,
                         struct saved_header *h)
{
    bool root = false;

    if (bytes < sizeof *h)
        return false;
    memcpy(h, in, sizeof *h);
    if (h->limit != (uint32_t)m->t.limit || h->slots > h->limit ||
        h->watches > GUEST_FRAMES || h->unsync_count > UNSYNC_PAGES ||
        bytes < saved_bytes(h) || !format_of(h) || !overlay_valid(m, h) ||
        h->last_count > STEP_PAGES || !evict_valid(&h->evict))
        return false;
    for (uint32_t i = 0; i < h->slots; i++) {
        struct saved_slot s;

        memcpy(&s, in + sizeof *h + i * sizeof s, sizeof s);
        if (!slot_valid(m, format_of(h), &s))
            return false;
        root |= (int)s.slot == h->root && s.table.level == h->levels;
    }
    return root && unsync_valid(in + saved_bytes(h), h->unsync_count);
}

static void restore_watches(struct mmu *m, const uint8_t *in, uint32_t count)
{
    memset(m->watches, 0, GUEST_FRAMES * sizeof *m->watches);
    for (uint32_t i = 0; i < count; i++) {
        struct saved_watch w;

        memcpy(&w, in + i * sizeof w, sizeof w);
        if (w.gfn < GUEST_FRAMES)
            m->watches[w.gfn] = (uint16_t)w.count;
    }
}

bool mmu_restore(struct mmu *m, const void *buffer, size_t bytes)
{
    const uint8_t *in = buffer;
    struct saved_header h;
    struct saved_slot s;

    if (m->ops->restore)
        return m->ops->restore(m, buffer, bytes);
    if (!header_valid(m, in, bytes, &h))
        return false;
    in += sizeof h;
    tables_forget(&m->t);
    m->t.format = format_of(&h);
    mmu_see(m);
    for (uint32_t i = 0; i < h.slots; i++) {
        memcpy(&s, in + i * sizeof s, sizeof s);
        tables_place(&m->t, (int)s.slot, &s.table);
    }
    for (uint32_t i = 0; i < h.slots; i++) {
        memcpy(&s, in + i * sizeof s, sizeof s);
        tables_relink(&m->t, (int)s.slot, &s.table, s.target);
    }
    in += h.slots * sizeof s;
    restore_watches(m, in, h.watches);
    in += h.watches * sizeof(struct saved_watch);
    m->unsync.count = h.unsync_count;
    m->unsync.next = h.unsync_next;
    m->dropped_gfn = h.dropped_gfn;
    m->dropped_eip = h.dropped_eip;
    memcpy(m->unsync.page, in, h.unsync_count * sizeof *m->unsync.page);
    m->eip = h.eip;
    m->overlay = h.overlay;
    m->step.count = 0;
    m->step.last_eip = h.last_eip;
    m->step.last_count = h.last_count;
    memcpy(m->step.last_linear, h.last_linear, sizeof h.last_linear);
    m->t.clock = h.clock;
    m->evict = h.evict;
    m->root = h.root;
    mmu_load_root(m);
    m->c.hardware.flush_all(m->c.hardware.ctx);
    return true;
}
