/* SPDX-License-Identifier: MIT */
/* shadowmmu/commons_save.c - the commons' part of a snapshot: what decides
 * which frame goes next and which pages are looked at, and the swap's pages. */
#include "shadowmmu/pmap_priv.h"

struct saved_header {
    uint64_t hand;
    uint32_t scan_on, scan_vm, scan_next, has_swap;
};

/* In order: header, buckets of the search, swap. */
static size_t bucket_bytes(const struct saved_header *h)
{
    return h->scan_on ? SCAN_BUCKETS * sizeof(struct scan_bucket) : 0;
}

size_t commons_save(const struct commons *c, void *buffer, size_t bytes)
{
    struct saved_header h = {c->hand, c->scan.on, c->scan.vm, c->scan.next,
                             c->swap != NULL};
    size_t fixed = sizeof h + bucket_bytes(&h);
    size_t swap_bytes = c->swap ? swap_save(c->swap, NULL, 0) : 0;
    uint8_t *out = buffer;

    if (!buffer || bytes < fixed + swap_bytes)
        return fixed + swap_bytes;
    memcpy(out, &h, sizeof h);
    if (h.scan_on)
        memcpy(out + sizeof h, c->scan.bucket, bucket_bytes(&h));
    if (swap_bytes && swap_save(c->swap, out + fixed, swap_bytes) != swap_bytes)
        return 0;
    return fixed + swap_bytes;
}

static bool buckets_valid(const uint8_t *in, const struct saved_header *h)
{
    struct scan_bucket b;

    for (unsigned i = 0; h->scan_on && i < SCAN_BUCKETS; i++) {
        memcpy(&b, in + i * sizeof b, sizeof b);
        if (b.vm >= COMMONS_VMS)
            return false;
    }
    return true;
}

bool commons_restore(struct commons *c, const void *buffer, size_t bytes)
{
    const uint8_t *in = buffer;
    struct saved_header h;
    size_t fixed;

    if (bytes < sizeof h)
        return false;
    memcpy(&h, in, sizeof h);
    fixed = sizeof h + bucket_bytes(&h);
    if (h.hand >= c->machine_frames || h.scan_on != c->scan.on ||
        h.scan_vm >= COMMONS_VMS || h.has_swap != (c->swap != NULL) ||
        bytes < fixed || !buckets_valid(in + sizeof h, &h))
        return false;
    if (c->swap && !swap_restore(c->swap, in + fixed, bytes - fixed))
        return false;
    c->hand = h.hand;
    c->scan.vm = h.scan_vm;
    c->scan.next = h.scan_next;
    if (c->scan.on)
        memcpy(c->scan.bucket, in + sizeof h, bucket_bytes(&h));
    return true;
}
