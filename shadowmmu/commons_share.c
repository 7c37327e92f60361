/* SPDX-License-Identifier: MIT */
/* shadowmmu/commons_share.c - equal pages are one in the machine.
 *
 * The scanner goes over the guests' memory again and again. A hash finds pages
 * that may be equal; their bytes decide. What has changed since the last round
 * is left alone: it would soon change again, and a copy costs more than it
 * saves.
 *
 * A shared frame is mapped read-only everywhere, whatever the guest's tables
 * say. The first write to it gives the writer a frame of its own.
 */
#include "shadowmmu/pmap_priv.h"

#include <stdlib.h>

/* ---- apart --------------------------------------------------------------- */

/* It is held, so its frame does not go while another one is found. But the
 * search may leave it alone with it. */
bool pmap_make_own(struct pmap *p, uint32_t gfn)
{
    ma_t old = entry_frame(p->entry[gfn]), frame;

    if (!pmap_take(p, &frame))
        return false;
    if (entry_kind(p->entry[gfn]) != PMAP_SHARED) {
        frames_give(p->frames, frame);
        return true;
    }
    memcpy(memory_at(p->memory, frame), memory_at(p->memory, old), PAGE_BYTES);
    pmap_moved(p, gfn);
    pmap_detach(p, gfn);
    pmap_attach(p, gfn, frame, PMAP_RAM);
    if (p->client.written)
        p->client.written(p->client.ctx, frame, PAGE_BYTES);
    PMAP_COUNT(p, pmap_cow_breaks);
    pmap_tell(p, "copied: written while shared", gfn, frame, 0);
    return true;
}

/* ---- together ------------------------------------------------------------ */

/* One that was alone with its frame begins to share it. */
static void open_to_others(struct pmap *p, uint32_t gfn)
{
    if (entry_kind(p->entry[gfn]) == PMAP_SHARED)
        return;
    if (p->client.protect)
        p->client.protect(p->client.ctx, gfn_gpa(gfn));
    p->entry[gfn] = (p->entry[gfn] & ~(uint32_t)KIND_MASK) | PMAP_SHARED;
    p->generation++;
    p->n.sharing++;
    p->n.shared++;
}

static void merge(struct pmap *p, uint32_t gfn, struct pmap *other,
                  uint32_t with)
{
    ma_t frame = entry_frame(other->entry[with]);

    open_to_others(other, with);
    pmap_moved(p, gfn);
    pmap_detach(p, gfn);
    frames_share(p->frames, frame);
    pmap_attach(p, gfn, frame, PMAP_SHARED);
    PMAP_COUNT(p, pmap_merges);
    pmap_tell(p, "shared: equal to another", gfn, frame, 0);
}

/* ---- the scanner --------------------------------------------------------- */

bool commons_share(struct commons *c)
{
    c->scan.bucket = calloc(SCAN_BUCKETS, sizeof *c->scan.bucket);
    c->scan.on = c->scan.bucket != NULL;
    return c->scan.on;
}

/* Multiply and fold, eight bytes at a time: good enough to tell pages apart,
 * since nothing is believed that the bytes do not confirm. */
static uint32_t hash_page(const uint8_t *page)
{
    uint64_t h = 1;

    for (unsigned i = 0; i < PAGE_BYTES; i += sizeof h) {
        uint64_t word;

        memcpy(&word, page + i, sizeof word);
        h = (h ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 32;
    }
    return (uint32_t)h;
}

static const uint8_t *page_of(const struct pmap *p, uint32_t gfn)
{
    return memory_at(p->memory, entry_frame(p->entry[gfn]));
}

static bool may_share(const struct pmap *p, uint32_t gfn)
{
    enum pmap_kind kind = entry_kind(p->entry[gfn]);

    return (kind == PMAP_RAM || kind == PMAP_SHARED) && !pmap_stays(p, gfn);
}

/* Not the same frame already, and the same bytes. */
static bool is_equal(const struct pmap *p, uint32_t gfn,
                     const struct pmap *other, uint32_t with)
{
    return (p->entry[gfn] ^ other->entry[with]) >> PAGE_SHIFT &&
           memcmp(page_of(p, gfn), page_of(other, with), PAGE_BYTES) == 0;
}

/* Does what had this hash last have it still, as far as is known? */
static bool is_current(const struct commons *c, const struct scan_bucket *b,
                       uint32_t hash)
{
    return b->known && may_share(c->vm[b->vm], b->gfn) &&
           c->vm[b->vm]->hash[b->gfn] == hash;
}

/* Merge it with the page that had this hash last. */
static void look_for_equal(struct pmap *p, uint32_t gfn, uint32_t hash)
{
    struct commons *c = p->commons;
    struct scan_bucket *b = &c->scan.bucket[hash % SCAN_BUCKETS];
    struct pmap *other = b->known ? c->vm[b->vm] : NULL;

    if (other && (other != p || b->gfn != gfn) && may_share(other, b->gfn) &&
        is_equal(p, gfn, other, b->gfn))
        merge(p, gfn, other, b->gfn);
    else if (!is_current(c, b, hash))
        *b = (struct scan_bucket){gfn, (uint16_t)p->number, 1};
}

static void scan_page(struct pmap *p, uint32_t gfn)
{
    uint32_t hash, *last = &p->hash[gfn];

    if (entry_kind(p->entry[gfn]) != PMAP_RAM || !may_share(p, gfn))
        return;
    PMAP_COUNT(p, pmap_scanned);
    hash = hash_page(page_of(p, gfn));
    if (*last == hash)
        look_for_equal(p, gfn, hash);
    else
        *last = hash;
}

/* The VM whose turn it is; all have been there: from the first again. */
static struct pmap *scanned_vm(struct commons *c)
{
    struct scanner *s = &c->scan;

    for (unsigned i = 0; i <= COMMONS_VMS; i++) {
        struct pmap *p = c->vm[s->vm];

        if (p && s->next < p->top)
            return p;
        s->vm = (s->vm + 1) % COMMONS_VMS;
        s->next = 0;
    }
    return NULL;
}

void commons_scan(struct commons *c, unsigned frames)
{
    for (unsigned i = 0; c->scan.on && i < frames; i++) {
        struct pmap *p = scanned_vm(c);

        if (!p)
            return;
        scan_page(p, c->scan.next++);
    }
}
