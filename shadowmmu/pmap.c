/* SPDX-License-Identifier: MIT */
/* shadowmmu/pmap.c - PMap as one flat array.
 *
 * One word for each of the 2^20 guest frames: the machine frame's address and,
 * in the low bits, the kind. 4 MiB of host address space, of which the host
 * only backs what is used. The inverse is an array by machine frame.
 */
#include "shadowmmu/pmap.h"

#include <stdlib.h>

#include "cpu/x86.h"

enum { GUEST_FRAMES = 1 << 20, KIND_MASK = 3 };

struct pmap {
    const struct memory *memory;
    struct frames *frames;
    uint32_t *entry;   /* by guest frame: machine address | kind */
    uint32_t *inverse; /* by machine frame: guest frame + 1, 0: none */
    uint64_t machine_frames;
    uint64_t ram_frames;
    uint64_t generation;
};

struct pmap *pmap_create(const struct memory *memory, struct frames *frames)
{
    struct pmap *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->memory = memory;
    p->frames = frames;
    p->machine_frames = memory->bytes >> PAGE_SHIFT;
    p->entry = calloc(GUEST_FRAMES, sizeof *p->entry);
    p->inverse = calloc(p->machine_frames + 1, sizeof *p->inverse);
    if (!p->entry || !p->inverse) {
        free(p->entry);
        free(p->inverse);
        free(p);
        return NULL;
    }
    return p;
}

static bool has_frame(uint32_t entry)
{
    return (entry & KIND_MASK) == PMAP_RAM || (entry & KIND_MASK) == PMAP_ROM;
}

void pmap_destroy(struct pmap *p)
{
    if (!p)
        return;
    for (uint32_t gfn = 0; gfn < GUEST_FRAMES; gfn++)
        if (has_frame(p->entry[gfn]))
            frames_give(p->frames, MA(p->entry[gfn] & PTE_FRAME));
    free(p->entry);
    free(p->inverse);
    free(p);
}

static bool back(struct pmap *p, uint32_t gfn, enum pmap_kind kind)
{
    ma_t frame;

    if (!frames_take(p->frames, &frame))
        return false;
    p->generation++;
    p->entry[gfn] = (uint32_t)frame.v | (uint32_t)kind;
    p->inverse[frame.v >> PAGE_SHIFT] = gfn + 1;
    return true;
}

static void release(struct pmap *p, uint32_t gfn)
{
    uint32_t entry = p->entry[gfn];

    if (has_frame(entry)) {
        p->inverse[entry >> PAGE_SHIFT] = 0;
        frames_give(p->frames, MA(entry & PTE_FRAME));
    }
    if ((entry & KIND_MASK) == PMAP_RAM ||
        (entry & KIND_MASK) == PMAP_PAGED_OUT)
        p->ram_frames--;
    p->generation++;
    p->entry[gfn] = PMAP_NONE;
}

bool pmap_add(struct pmap *p, gpa_t first, uint64_t bytes, enum pmap_kind kind)
{
    uint64_t end = first.v + bytes;

    for (uint64_t gpa = first.v & PTE_FRAME;
         gpa < end && gpa >> PAGE_SHIFT < GUEST_FRAMES; gpa += PAGE_BYTES) {
        uint32_t gfn = (uint32_t)(gpa >> PAGE_SHIFT);

        release(p, gfn);
        if (kind == PMAP_RAM || kind == PMAP_ROM) {
            if (!back(p, gfn, kind))
                return false;
        } else {
            p->entry[gfn] = (uint32_t)kind;
        }
        if (kind == PMAP_RAM || kind == PMAP_PAGED_OUT)
            p->ram_frames++;
    }
    return true;
}

enum pmap_kind pmap_lookup(const struct pmap *p, gpa_t gpa, ma_t *ma)
{
    uint32_t entry;

    if (gpa.v >> PAGE_SHIFT >= GUEST_FRAMES)
        return PMAP_NONE;
    entry = p->entry[gpa.v >> PAGE_SHIFT];
    if (has_frame(entry))
        *ma = MA((entry & PTE_FRAME) | (gpa.v & PAGE_MASK));
    return (enum pmap_kind)(entry & KIND_MASK);
}

bool pmap_page_in(struct pmap *p, gpa_t gpa)
{
    return back(p, (uint32_t)(gpa.v >> PAGE_SHIFT), PMAP_RAM);
}

/* Walk [gpa, gpa + bytes) frame by frame, copying one way. */
static bool copy(struct pmap *p, gpa_t gpa, void *host, uint64_t bytes,
                 bool to_guest)
{
    uint8_t *at = host;

    while (bytes) {
        uint64_t chunk = PAGE_BYTES - (gpa.v & PAGE_MASK);
        ma_t ma = MA(0);
        enum pmap_kind kind = pmap_lookup(p, gpa, &ma);

        if (chunk > bytes)
            chunk = bytes;
        if (kind == PMAP_PAGED_OUT && pmap_page_in(p, gpa))
            kind = pmap_lookup(p, gpa, &ma);
        if (kind != PMAP_RAM && kind != PMAP_ROM)
            return false;
        if (to_guest)
            memcpy(memory_at(p->memory, ma), at, chunk);
        else
            memcpy(at, memory_at(p->memory, ma), chunk);
        at += chunk;
        gpa.v += chunk;
        bytes -= chunk;
    }
    return true;
}

bool pmap_read(struct pmap *p, gpa_t gpa, void *out, uint64_t bytes)
{
    return copy(p, gpa, out, bytes, false);
}

bool pmap_write(struct pmap *p, gpa_t gpa, const void *data, uint64_t bytes)
{
    return copy(p, gpa, (void *)(uintptr_t)data, bytes, true);
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
    return p->ram_frames << PAGE_SHIFT;
}

/* Saved: the number of frames that are something, and a pair for each: guest
 * frame, entry. */
size_t pmap_save(const struct pmap *p, void *buffer, size_t bytes)
{
    uint32_t used = 0;
    size_t want;
    uint8_t *out = buffer;

    for (uint32_t gfn = 0; gfn < GUEST_FRAMES; gfn++)
        used += p->entry[gfn] != PMAP_NONE;
    want = sizeof used + (size_t)used * 2 * sizeof used;
    if (!buffer || bytes < want)
        return want;
    memcpy(out, &used, sizeof used);
    out += sizeof used;
    for (uint32_t gfn = 0; gfn < GUEST_FRAMES; gfn++) {
        if (p->entry[gfn] == PMAP_NONE)
            continue;
        memcpy(out, &gfn, sizeof gfn);
        memcpy(out + sizeof gfn, &p->entry[gfn], sizeof gfn);
        out += 2 * sizeof gfn;
    }
    return want;
}

/* Check everything, then change. The frames themselves are not given back or
 * taken: the allocator is restored from the same snapshot. */
bool pmap_restore(struct pmap *p, const void *buffer, size_t bytes)
{
    const uint8_t *in = buffer;
    uint32_t used;
    uint32_t pair[2];

    if (bytes < sizeof used)
        return false;
    memcpy(&used, in, sizeof used);
    in += sizeof used;
    if (used > GUEST_FRAMES || bytes < sizeof used + used * sizeof pair)
        return false;
    for (uint32_t i = 0; i < used; i++) {
        memcpy(pair, in + i * sizeof pair, sizeof pair);
        if (pair[0] >= GUEST_FRAMES ||
            pair[1] >> PAGE_SHIFT >= p->machine_frames)
            return false;
    }
    p->generation++;
    memset(p->entry, 0, GUEST_FRAMES * sizeof *p->entry);
    memset(p->inverse, 0, p->machine_frames * sizeof *p->inverse);
    p->ram_frames = 0;
    for (uint32_t i = 0; i < used; i++) {
        memcpy(pair, in + i * sizeof pair, sizeof pair);
        p->entry[pair[0]] = pair[1];
        if (has_frame(pair[1]))
            p->inverse[pair[1] >> PAGE_SHIFT] = pair[0] + 1;
        if ((pair[1] & KIND_MASK) != PMAP_ROM)
            p->ram_frames++;
    }
    return true;
}
