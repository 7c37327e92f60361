/* SPDX-License-Identifier: MIT */
/* shadowmmu/pmap.c - PMap as one flat array.
 *
 * One word for each of the 2^20 guest frames (shadowmmu/pmap_priv.h), 4 MiB of
 * host address space, of which the host only backs what is used. The inverse
 * is an array by machine frame; guest frames that share one are a list.
 */
#include "shadowmmu/pmap_priv.h"

#include <assert.h>
#include <stdlib.h>

static void free_all(struct pmap *p)
{
    free(p->entry);
    free(p->sharer);
    free(p->hash);
    free(p->inverse);
    free(p);
}

struct pmap *pmap_create(struct commons *commons)
{
    struct pmap *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->commons = commons;
    p->memory = commons->memory;
    p->frames = commons->frames;
    p->owner = frames_new_owner(commons->frames);
    p->machine_frames = commons->machine_frames;
    p->entry = calloc(GUEST_FRAMES, sizeof *p->entry);
    p->sharer = calloc(GUEST_FRAMES, sizeof *p->sharer);
    p->hash = calloc(GUEST_FRAMES, sizeof *p->hash);
    p->inverse = calloc(p->machine_frames + 1, sizeof *p->inverse);
    if (p->entry && p->sharer && p->hash && p->inverse &&
        commons_join(commons, p))
        return p;
    free_all(p);
    return NULL;
}

void pmap_destroy(struct pmap *p)
{
    if (!p)
        return;
    for (uint32_t gfn = 0; gfn < p->top; gfn++)
        if (pmap_readable(entry_kind(p->entry[gfn])))
            pmap_detach(p, gfn);
        else if (entry_kind(p->entry[gfn]) == PMAP_PAGED_OUT)
            pmap_drop_slot(p, gfn);
    commons_leave(p->commons, p);
    free_all(p);
}

void pmap_set_client(struct pmap *p, const struct pmap_client *client)
{
    p->client = *client;
}

void pmap_set_trace(struct pmap *p, struct trace *trace)
{
    p->trace = trace;
    pmap_show(p);
}

void pmap_set_failed(struct pmap *p, void (*failed)(void *ctx), void *ctx)
{
    p->failed = failed;
    p->failed_ctx = ctx;
}

const char *pmap_trouble(const struct pmap *p)
{
    return p->trouble;
}

void pmap_overcommit(struct pmap *p, uint64_t frames)
{
    assert(frames >= PMAP_FRAMES_LEAST && p->commons->swap);
    p->limit = frames;
}

/* ---- one entry ----------------------------------------------------------- */

void pmap_show(struct pmap *p)
{
    struct counters *c = p->trace ? &p->trace->count : NULL;

    if (!c)
        return;
    c->pmap_ram = p->n.ram;
    c->pmap_resident = p->n.resident;
    if (c->pmap_resident_peak < p->n.resident)
        c->pmap_resident_peak = p->n.resident;
    c->pmap_swapped = p->n.swapped;
    c->pmap_ballooned = p->n.ballooned;
    c->pmap_sharing = p->n.sharing;
    c->pmap_shared = p->n.shared;
}

void pmap_tell(struct pmap *p, const char *cause, uint32_t gfn, ma_t frame,
               uint32_t slot)
{
    pmap_show(p);
    if (p->client.tell)
        p->client.tell(p->client.ctx, cause, gfn_gpa(gfn), frame, slot);
}

void pmap_moved(struct pmap *p, uint32_t gfn)
{
    if (p->client.moved)
        p->client.moved(p->client.ctx, gfn_gpa(gfn));
}

void pmap_attach(struct pmap *p, uint32_t gfn, ma_t frame, enum pmap_kind kind)
{
    uint32_t *head = &p->inverse[frame.v >> PAGE_SHIFT];

    p->generation++;
    p->entry[gfn] = (uint32_t)frame.v | (uint32_t)kind | ENTRY_USED;
    if (!*head)
        p->n.resident++;
    if (kind == PMAP_SHARED) {
        p->n.sharing++;
        p->n.shared += !*head;
    }
    p->sharer[gfn] = *head;
    *head = gfn + 1;
    commons_settle(p->commons, frame);
}

void pmap_alone(struct pmap *p, uint32_t gfn)
{
    if (entry_kind(p->entry[gfn]) != PMAP_SHARED)
        return;
    p->generation++;
    p->entry[gfn] = (p->entry[gfn] & ~(uint32_t)KIND_MASK) | PMAP_RAM;
    p->n.sharing--;
    p->n.shared--;
}

void pmap_detach(struct pmap *p, uint32_t gfn)
{
    ma_t frame = entry_frame(p->entry[gfn]);
    uint32_t *head = &p->inverse[frame.v >> PAGE_SHIFT], *at = head;

    p->generation++;
    while (*at != gfn + 1)
        at = &p->sharer[*at - 1];
    *at = p->sharer[gfn];
    p->sharer[gfn] = 0;
    if (entry_kind(p->entry[gfn]) == PMAP_SHARED) {
        p->n.sharing--;
        p->n.shared -= !*head;
    }
    p->entry[gfn] = PMAP_NONE;
    p->n.resident -= !*head;
    frames_give(p->frames, frame);
    commons_settle(p->commons, frame);
}

/* The guest frame is nothing any more. */
static void release(struct pmap *p, uint32_t gfn)
{
    uint32_t entry = p->entry[gfn];

    if (pmap_writable(entry_kind(entry)))
        p->n.ram--;
    if (pmap_readable(entry_kind(entry)))
        pmap_detach(p, gfn);
    else if (entry_kind(entry) == PMAP_PAGED_OUT)
        pmap_drop_slot(p, gfn);
    p->generation++;
    p->entry[gfn] = PMAP_NONE;
}

static bool add_frame(struct pmap *p, uint32_t gfn, enum pmap_kind kind)
{
    ma_t frame;

    release(p, gfn);
    if (p->top <= gfn)
        p->top = gfn + 1;
    p->n.ram += pmap_writable(kind);
    p->entry[gfn] = PMAP_PAGED_OUT;
    if (!pmap_readable(kind)) {
        p->entry[gfn] = (uint32_t)kind;
    } else if (pmap_take(p, &frame)) {
        pmap_attach(p, gfn, frame, kind);
    } else {
        p->entry[gfn] = PMAP_NONE;
        p->n.ram -= pmap_writable(kind);
        return false;
    }
    return true;
}

bool pmap_add(struct pmap *p, gpa_t first, uint64_t bytes, enum pmap_kind kind)
{
    uint64_t end = first.v + bytes;
    bool all = true;

    assert(kind != PMAP_SHARED);
    for (uint64_t gpa = first.v & PTE_FRAME;
         all && gpa < end && gpa >> PAGE_SHIFT < GUEST_FRAMES;
         gpa += PAGE_BYTES)
        all = add_frame(p, (uint32_t)(gpa >> PAGE_SHIFT), kind);
    pmap_show(p);
    return all;
}

/* ---- looking ------------------------------------------------------------- */

enum pmap_kind pmap_lookup(const struct pmap *p, gpa_t gpa, ma_t *ma)
{
    uint32_t entry;

    if (gpa.v >> PAGE_SHIFT >= GUEST_FRAMES)
        return PMAP_NONE;
    entry = p->entry[gpa.v >> PAGE_SHIFT];
    if (pmap_readable(entry_kind(entry)))
        *ma = MA(entry_frame(entry).v | (gpa.v & PAGE_MASK));
    return entry_kind(entry);
}

enum pmap_kind pmap_hold(struct pmap *p, gpa_t gpa, bool write, ma_t *ma)
{
    enum pmap_kind kind = pmap_lookup(p, gpa, ma);
    uint32_t gfn = (uint32_t)(gpa.v >> PAGE_SHIFT);

    if (kind == PMAP_NONE)
        return kind;
    pmap_note_use(p, gfn);
    if (kind == PMAP_PAGED_OUT && !pmap_page_in(p, gfn))
        return kind;
    if (kind == PMAP_SHARED && write && !pmap_make_own(p, gfn))
        return kind;
    return pmap_lookup(p, gpa, ma);
}

bool pmap_inverse(const struct pmap *p, ma_t ma, gpa_t *gpa)
{
    uint64_t mfn = ma.v >> PAGE_SHIFT;

    if (mfn >= p->machine_frames || !p->inverse[mfn])
        return false;
    *gpa =
        GPA((uint64_t)(p->inverse[mfn] - 1) << PAGE_SHIFT | (ma.v & PAGE_MASK));
    return true;
}

const uint64_t *pmap_generation(const struct pmap *p)
{
    return &p->generation;
}

uint64_t pmap_ram_bytes(const struct pmap *p)
{
    return p->n.ram << PAGE_SHIFT;
}

uint64_t pmap_resident(const struct pmap *p)
{
    return p->n.resident;
}

/* ---- copying ------------------------------------------------------------- */

static uint64_t part_of(gpa_t gpa, uint64_t bytes)
{
    uint64_t room = PAGE_BYTES - (gpa.v & PAGE_MASK);

    return bytes < room ? bytes : room;
}

/* From a page that has no machine frame; false: the swap cannot be read. */
static bool read_paged_out(const struct pmap *p, gpa_t gpa, void *out,
                           uint64_t bytes)
{
    uint32_t slot = entry_slot(p->entry[gpa.v >> PAGE_SHIFT]);
    uint8_t page[PAGE_BYTES];

    if (!slot) {
        memset(out, 0, bytes);
        return true;
    }
    if (!swap_load(p->commons->swap, slot, page)) {
        pmap_fail((struct pmap *)(uintptr_t)p, swap_error(p->commons->swap));
        return false;
    }
    memcpy(out, page + (gpa.v & PAGE_MASK), bytes);
    return true;
}

bool pmap_read(const struct pmap *p, gpa_t gpa, void *out, uint64_t bytes)
{
    uint8_t *at = out;

    while (bytes) {
        uint64_t part = part_of(gpa, bytes);
        ma_t ma = MA(0);
        enum pmap_kind kind = pmap_lookup(p, gpa, &ma);

        if (pmap_readable(kind))
            memcpy(at, memory_at(p->memory, ma), part);
        else if (kind != PMAP_PAGED_OUT || !read_paged_out(p, gpa, at, part))
            return false;
        at += part;
        gpa.v += part;
        bytes -= part;
    }
    return true;
}

bool pmap_write(struct pmap *p, gpa_t gpa, const void *data, uint64_t bytes)
{
    const uint8_t *from = data;

    while (bytes) {
        uint64_t part = part_of(gpa, bytes);
        ma_t ma = MA(0);
        enum pmap_kind kind = pmap_hold(p, gpa, true, &ma);

        if (kind != PMAP_RAM && kind != PMAP_ROM)
            return false;
        memcpy(memory_at(p->memory, ma), from, part);
        from += part;
        gpa.v += part;
        bytes -= part;
    }
    return true;
}
