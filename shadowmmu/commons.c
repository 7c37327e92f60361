/* SPDX-License-Identifier: MIT */
/* shadowmmu/commons.c - who has the machine's memory, and which frame goes when
 * there is none left.
 *
 * A clock's hand goes over the machine's frames: one that was used since the
 * hand was there last gets a second chance, the next one that was not goes to
 * the host's swap, from all guest frames of all VMs that it stands for. Used is
 * what the VMM held, or what the processor marked accessed in the VMM's tables.
 */
#include <assert.h>
#include <stdlib.h>

#include "shadowmmu/pmap_priv.h"

struct commons *commons_create(const struct memory *memory,
                               struct frames *frames)
{
    struct commons *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->memory = memory;
    c->frames = frames;
    c->machine_frames = memory->bytes >> PAGE_SHIFT;
    return c;
}

void commons_destroy(struct commons *c)
{
    if (!c)
        return;
    swap_close(c->swap);
    free(c->scan.bucket);
    free(c);
}

void commons_set_swap(struct commons *c, struct swap *swap)
{
    assert(!c->swap);
    c->swap = swap;
}

void commons_reserve(struct commons *c, uint64_t frames)
{
    c->reserve = frames;
}

/* ---- who has it ---------------------------------------------------------- */

bool commons_join(struct commons *c, struct pmap *p)
{
    for (unsigned i = 0; i < COMMONS_VMS; i++)
        if (!c->vm[i]) {
            c->vm[i] = p;
            p->number = i;
            return true;
        }
    return false;
}

void commons_leave(struct commons *c, const struct pmap *p)
{
    c->vm[p->number] = NULL;
    for (unsigned i = 0; c->scan.on && i < SCAN_BUCKETS; i++)
        if (c->scan.bucket[i].known && c->scan.bucket[i].vm == p->number)
            c->scan.bucket[i].known = 0;
}

struct pmap *commons_user(const struct commons *c, uint64_t mfn,
                          unsigned *number)
{
    while (*number < COMMONS_VMS) {
        struct pmap *p = c->vm[(*number)++];

        if (p && p->inverse[mfn])
            return p;
    }
    return NULL;
}

/* The allocator's books say whose it is, and its last guest frame may write. */
void commons_settle(struct commons *c, ma_t frame)
{
    uint64_t mfn = frame.v >> PAGE_SHIFT;
    unsigned at = 0;
    struct pmap *p = commons_user(c, mfn, &at);

    if (!p)
        return;
    if (commons_user(c, mfn, &at)) {
        frames_set_owner(c->frames, frame, FRAME_COMMON);
        return;
    }
    frames_set_owner(c->frames, frame, p->owner);
    if (frames_references(c->frames, frame) == 1)
        pmap_alone(p, p->inverse[mfn] - 1);
}

/* ---- the victim ---------------------------------------------------------- */

static bool is_zero(const uint8_t *page)
{
    return page[0] == 0 && memcmp(page, page + 1, PAGE_BYTES - 1) == 0;
}

/* All guest frames that a machine frame stands for must agree. */
static bool is_victim(const struct commons *c, uint64_t mfn)
{
    bool used = false, any = false;
    struct pmap *p;

    for (unsigned i = 0; (p = commons_user(c, mfn, &i));)
        for (uint32_t at = p->inverse[mfn]; at; at = p->sharer[at - 1])
            if (!pmap_may_go(p, at - 1))
                return false;
    for (unsigned i = 0; (p = commons_user(c, mfn, &i)); any = true)
        for (uint32_t at = p->inverse[mfn]; at; at = p->sharer[at - 1])
            used |= pmap_was_used(p, at - 1);
    return any && !used;
}

/* Give a machine frame up. False: the swap does not take its contents. */
static bool evict(struct commons *c, uint64_t mfn)
{
    ma_t frame = MA(mfn << PAGE_SHIFT);
    uint32_t slot = SWAP_NONE;
    struct pmap *p;

    if (!is_zero(memory_at(c->memory, frame))) {
        slot = swap_store(c->swap, memory_at(c->memory, frame));
        if (slot == SWAP_NONE)
            return false;
    }
    for (unsigned i = 0; (p = commons_user(c, mfn, &i));)
        while (p->inverse[mfn]) {
            if (slot && frames_references(c->frames, frame) > 1)
                swap_share(c->swap, slot);
            pmap_page_out(p, p->inverse[mfn] - 1, slot);
        }
    return true;
}

/* Twice around, for the first time only marks that all were used. */
enum eviction commons_evict(struct commons *c, const struct pmap *of)
{
    enum eviction end = EVICT_NONE;

    for (uint64_t i = 0; c->swap && i < 2 * c->machine_frames + 1; i++) {
        uint64_t mfn = c->hand;

        c->hand = (c->hand + 1) % c->machine_frames;
        if ((of && !of->inverse[mfn]) || !is_victim(c, mfn))
            continue;
        if (evict(c, mfn))
            return EVICT_DONE;
        end = EVICT_REFUSED;
    }
    return end;
}
