/* SPDX-License-Identifier: MIT */
/* shadowmmu/pmap_save.c - the PMap's part of a snapshot.
 *
 * The map with its sharers, everything that decides which frame goes next, and
 * the pages in the swap. Machine memory and the allocator's books are saved by
 * the owner of both.
 */
#include "shadowmmu/pmap_priv.h"

struct saved_header {
    uint32_t entries, top, scan_next, scan_on, has_swap, padding;
    uint64_t hand, limit;
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
    h.scan_next = p->scan.next;
    h.scan_on = p->scan.on;
    h.has_swap = p->swap != NULL;
    h.hand = p->hand;
    h.limit = p->limit;
    h.n = p->n;
    memcpy(h.held, p->held, sizeof h.held);
    return h;
}

/* In order: header, entries, buckets of the scanner, swap. */
static size_t bucket_bytes(const struct saved_header *h)
{
    return h->scan_on ? SCAN_BUCKETS * sizeof(uint32_t) : 0;
}

static size_t map_bytes(const struct saved_header *h)
{
    return sizeof *h + h->entries * sizeof(struct saved_entry) +
           bucket_bytes(h);
}

static uint8_t *save_entries(const struct pmap *p, uint8_t *out)
{
    for (uint32_t gfn = 0; gfn < p->top; gfn++) {
        struct saved_entry e = {gfn, p->entry[gfn], p->sharer[gfn],
                                p->scan.on ? p->scan.hash[gfn] : 0};

        if (e.entry == PMAP_NONE)
            continue;
        memcpy(out, &e, sizeof e);
        out += sizeof e;
    }
    return out;
}

size_t pmap_save(const struct pmap *p, void *buffer, size_t bytes)
{
    struct saved_header h = make_header(p);
    size_t swap_bytes = p->swap ? swap_save(p->swap, NULL, 0) : 0;
    uint8_t *out = buffer;

    if (!buffer || bytes < map_bytes(&h) + swap_bytes)
        return map_bytes(&h) + swap_bytes;
    memcpy(out, &h, sizeof h);
    out = save_entries(p, out + sizeof h);
    if (h.scan_on)
        memcpy(out, p->scan.bucket, bucket_bytes(&h));
    if (swap_bytes &&
        swap_save(p->swap, out + bucket_bytes(&h), swap_bytes) != swap_bytes)
        return 0;
    return map_bytes(&h) + swap_bytes;
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
        h->limit != p->limit || h->has_swap != (p->swap != NULL) ||
        h->scan_on != p->scan.on || h->hand >= p->machine_frames)
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
        if (p->scan.on)
            p->scan.hash[e.gfn] = e.hash;
    }
    restore_inverse(p);
    p->n = h->n;
    p->hand = h->hand;
    p->scan.next = h->scan_next;
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
    if (p->swap &&
        !swap_restore(p->swap, in + map_bytes(&h), bytes - map_bytes(&h)))
        return false;
    restore_map(p, in + sizeof h, &h);
    if (p->scan.on)
        memcpy(p->scan.bucket,
               in + sizeof h + h.entries * sizeof(struct saved_entry),
               bucket_bytes(&h));
    return true;
}
