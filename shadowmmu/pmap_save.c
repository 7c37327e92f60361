/* SPDX-License-Identifier: MIT */
/* shadowmmu/pmap_save.c - the PMap's part of a snapshot.
 *
 * The map with its sharers and what decides which frame goes next. Machine
 * memory, the allocator's books and the commons are saved by their owner.
 */
#include "shadowmmu/pmap_priv.h"

struct saved_header {
    uint32_t entries, top;
    uint64_t limit;
    struct pmap_numbers n;
    uint32_t held[PMAP_HELD];
};

struct saved_entry {
    uint32_t gfn, entry, sharer, hash;
};

static struct saved_header make_header(const struct pmap *p)
{
    struct saved_header h;

    memset(&h, 0, sizeof h);
    for (uint32_t gfn = 0; gfn < p->top; gfn++)
        h.entries += p->entry[gfn] != PMAP_NONE;
    h.top = p->top;
    h.limit = p->limit;
    h.n = p->n;
    memcpy(h.held, p->held, sizeof h.held);
    return h;
}

static size_t map_bytes(const struct saved_header *h)
{
    return sizeof *h + h->entries * sizeof(struct saved_entry);
}

static void save_entries(const struct pmap *p, uint8_t *out)
{
    for (uint32_t gfn = 0; gfn < p->top; gfn++) {
        struct saved_entry e = {gfn, p->entry[gfn], p->sharer[gfn],
                                p->hash[gfn]};

        if (e.entry == PMAP_NONE)
            continue;
        memcpy(out, &e, sizeof e);
        out += sizeof e;
    }
}

size_t pmap_save(const struct pmap *p, void *buffer, size_t bytes)
{
    struct saved_header h = make_header(p);
    uint8_t *out = buffer;

    if (!buffer || bytes < map_bytes(&h))
        return map_bytes(&h);
    memcpy(out, &h, sizeof h);
    save_entries(p, out + sizeof h);
    return map_bytes(&h);
}

/* ---- and back ------------------------------------------------------------ */

static struct saved_entry entry_at(const uint8_t *in, uint32_t i)
{
    struct saved_entry e;

    memcpy(&e, in + i * sizeof e, sizeof e);
    return e;
}

/* What could make us read or write outside of our arrays, or for ever. */
static bool entry_valid(const struct pmap *p, struct saved_entry e,
                        uint32_t top)
{
    if (e.gfn >= top || e.sharer > top || entry_kind(e.entry) > PMAP_SHARED)
        return false;
    return !pmap_readable(entry_kind(e.entry)) ||
           e.entry >> PAGE_SHIFT < p->machine_frames;
}

static bool map_valid(const struct pmap *p, const uint8_t *in, size_t bytes,
                      struct saved_header *h)
{
    if (bytes < sizeof *h)
        return false;
    memcpy(h, in, sizeof *h);
    if (h->top > GUEST_FRAMES || h->entries > h->top || bytes < map_bytes(h) ||
        h->limit != p->limit)
        return false;
    for (uint32_t i = 0; i < h->entries; i++)
        if (!entry_valid(p, entry_at(in + sizeof *h, i), h->top))
            return false;
    return true;
}

/* A machine frame's list begins with the one that no other points to: what
 * remains of all its members and all their pointers. */
static void restore_inverse(struct pmap *p)
{
    memset(p->inverse, 0, p->machine_frames * sizeof *p->inverse);
    for (uint32_t gfn = 0; gfn < p->top; gfn++)
        if (pmap_readable(entry_kind(p->entry[gfn])))
            p->inverse[p->entry[gfn] >> PAGE_SHIFT] ^= gfn + 1;
    for (uint32_t gfn = 0; gfn < p->top; gfn++)
        if (p->sharer[gfn])
            p->inverse[p->entry[gfn] >> PAGE_SHIFT] ^= p->sharer[gfn];
}

static void restore_map(struct pmap *p, const uint8_t *in,
                        const struct saved_header *h)
{
    p->generation++;
    memset(p->entry, 0, GUEST_FRAMES * sizeof *p->entry);
    memset(p->sharer, 0, GUEST_FRAMES * sizeof *p->sharer);
    p->top = h->top;
    for (uint32_t i = 0; i < h->entries; i++) {
        struct saved_entry e = entry_at(in, i);

        p->entry[e.gfn] = e.entry;
        p->sharer[e.gfn] = e.sharer;
        p->hash[e.gfn] = e.hash;
    }
    restore_inverse(p);
    p->n = h->n;
    memcpy(p->held, h->held, sizeof p->held);
}

/* The frames themselves are not given back or taken: the allocator is restored
 * from the same snapshot. */
bool pmap_restore(struct pmap *p, const void *buffer, size_t bytes)
{
    const uint8_t *in = buffer;
    struct saved_header h;

    if (!map_valid(p, in, bytes, &h))
        return false;
    restore_map(p, in + sizeof h, &h);
    return true;
}
