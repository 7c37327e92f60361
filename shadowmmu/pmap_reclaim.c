/* SPDX-License-Identifier: MIT */
/* shadowmmu/pmap_reclaim.c - machine frames found and taken away.
 *
 * When a VM has all the frames it may have and needs one more, a clock's hand
 * goes over the machine's frames: one that was used since the hand was there
 * last gets a second chance, the next one that was not goes to the host's swap.
 * Used is what the VMM held, or what the processor marked accessed in the VMM's
 * tables.
 *
 * A frame full of zeros needs no room in the swap, and one that the guest has
 * never touched is such a frame. So memory costs nothing before it is used.
 */
#include "shadowmmu/pmap_priv.h"

#include <stdio.h>

void pmap_fail(struct pmap *p, const char *why)
{
    if (p->trouble[0])
        return;
    snprintf(p->trouble, sizeof p->trouble, "%s", why);
    if (p->failed)
        p->failed(p->failed_ctx);
}

void pmap_note_use(struct pmap *p, uint32_t gfn)
{
    unsigned i = 0;

    p->entry[gfn] |= ENTRY_USED;
    if (!p->limit || p->held[0] == gfn + 1)
        return;
    while (i < PMAP_HELD - 1 && p->held[i] != gfn + 1)
        i++;
    memmove(&p->held[1], &p->held[0], i * sizeof *p->held);
    p->held[0] = gfn + 1;
}

static bool is_held(const struct pmap *p, uint32_t gfn)
{
    for (unsigned i = 0; i < PMAP_HELD; i++)
        if (p->held[i] == gfn + 1)
            return true;
    return false;
}

/* ---- the victim ---------------------------------------------------------- */

static bool is_zero(const uint8_t *page)
{
    return page[0] == 0 && memcmp(page, page + 1, PAGE_BYTES - 1) == 0;
}

bool pmap_stays(const struct pmap *p, uint32_t gfn)
{
    if (p->entry[gfn] & ENTRY_PINNED)
        return true;
    return p->client.busy && p->client.busy(p->client.ctx, gfn_gpa(gfn));
}

/* May this guest frame lose its machine frame? */
static bool may_go(const struct pmap *p, uint32_t gfn)
{
    return entry_kind(p->entry[gfn]) != PMAP_ROM && !is_held(p, gfn) &&
           !pmap_stays(p, gfn);
}

/* Was it used? Not any more, after this. */
static bool was_used(struct pmap *p, uint32_t gfn)
{
    bool used = (p->entry[gfn] & ENTRY_USED) != 0;

    p->entry[gfn] &= ~(uint32_t)ENTRY_USED;
    if (p->client.used && p->client.used(p->client.ctx, gfn_gpa(gfn)))
        used = true;
    return used;
}

/* All guest frames that a machine frame stands for must agree. */
static bool is_victim(struct pmap *p, uint64_t mfn)
{
    bool used = false;

    for (uint32_t at = p->inverse[mfn]; at; at = p->sharer[at - 1])
        if (!may_go(p, at - 1))
            return false;
    for (uint32_t at = p->inverse[mfn]; at; at = p->sharer[at - 1])
        used |= was_used(p, at - 1);
    return p->inverse[mfn] && !used;
}

/* One of the guest frames of a machine frame whose contents are in a slot now
 * (0: they are zeros). */
static void page_out(struct pmap *p, uint32_t gfn, uint32_t slot)
{
    ma_t frame = entry_frame(p->entry[gfn]);

    pmap_moved(p, gfn);
    pmap_detach(p, gfn);
    p->entry[gfn] = slot << PAGE_SHIFT | PMAP_PAGED_OUT;
    p->n.swapped += slot != 0;
    if (slot)
        PMAP_COUNT(p, pmap_swap_outs);
    else
        PMAP_COUNT(p, pmap_zero_outs);
    pmap_tell(p, slot ? "paged out" : "dropped: full of zeros", gfn, frame,
              slot);
}

/* Give a machine frame up. False: the swap does not take its contents. */
static bool evict(struct pmap *p, uint64_t mfn)
{
    const uint8_t *page = memory_at(p->memory, MA(mfn << PAGE_SHIFT));
    uint32_t slot = SWAP_NONE;
    bool more;

    if (!is_zero(page)) {
        slot = swap_store(p->swap, page);
        if (slot == SWAP_NONE)
            return false;
    }
    do {
        uint32_t gfn = p->inverse[mfn] - 1;

        more = p->sharer[gfn] != 0;
        if (more && slot)
            swap_share(p->swap, slot);
        page_out(p, gfn, slot);
    } while (more);
    return true;
}

/* Twice around, for the first time only marks that all were used. */
static bool evict_one(struct pmap *p)
{
    bool refused = false;

    for (uint64_t i = 0; i < 2 * p->machine_frames + 1; i++) {
        uint64_t mfn = p->hand;

        p->hand = (p->hand + 1) % p->machine_frames;
        if (!is_victim(p, mfn))
            continue;
        if (evict(p, mfn))
            return true;
        refused = true;
    }
    pmap_fail(p, refused ? swap_error(p->swap)
                         : "every machine frame that the guest may have is in "
                           "use at once");
    return false;
}

bool pmap_take(struct pmap *p, ma_t *frame)
{
    while (p->limit && p->n.resident >= p->limit)
        if (!evict_one(p))
            return false;
    while (!frames_take_for(p->frames, p->owner, frame)) {
        if (!p->limit) {
            pmap_fail(p, "the machine is out of frames");
            return false;
        }
        if (!evict_one(p))
            return false;
    }
    return true;
}

/* ---- and back ------------------------------------------------------------ */

void pmap_drop_slot(struct pmap *p, uint32_t gfn)
{
    uint32_t slot = entry_slot(p->entry[gfn]);

    if (slot) {
        swap_drop(p->swap, slot);
        p->n.swapped--;
    }
    if (p->entry[gfn] & ENTRY_BALLOON)
        p->n.ballooned--;
    p->entry[gfn] = PMAP_PAGED_OUT;
}

static const char *cause_of(uint32_t entry)
{
    if (entry & ENTRY_BALLOON)
        return "zeroed: touched in the balloon";
    return entry_slot(entry) ? "paged in" : "zeroed";
}

bool pmap_page_in(struct pmap *p, uint32_t gfn)
{
    uint32_t entry = p->entry[gfn], slot = entry_slot(entry);
    ma_t frame;

    if (!pmap_take(p, &frame))
        return false;
    if (slot && !swap_load(p->swap, slot, memory_at(p->memory, frame))) {
        frames_give(p->frames, frame);
        pmap_fail(p, swap_error(p->swap));
        return false;
    }
    pmap_drop_slot(p, gfn);
    pmap_attach(p, gfn, frame, PMAP_RAM);
    if (p->client.written)
        p->client.written(p->client.ctx, frame, PAGE_BYTES);
    if (slot)
        PMAP_COUNT(p, pmap_swap_ins);
    else
        PMAP_COUNT(p, pmap_zero_fills);
    pmap_tell(p, cause_of(entry), gfn, frame, slot);
    return true;
}

bool pmap_pin(struct pmap *p, gpa_t page)
{
    ma_t frame;

    if (pmap_hold(p, page, true, &frame) != PMAP_RAM)
        return false;
    p->entry[page.v >> PAGE_SHIFT] |= ENTRY_PINNED;
    return true;
}

/* ---- the balloon --------------------------------------------------------- */

bool pmap_balloon(struct pmap *p, gpa_t page)
{
    uint32_t gfn = (uint32_t)(page.v >> PAGE_SHIFT);
    ma_t frame = MA(0);
    enum pmap_kind kind = pmap_lookup(p, page, &frame);

    if (!pmap_writable(kind) || pmap_stays(p, gfn) ||
        (p->entry[gfn] & ENTRY_BALLOON))
        return false;
    if (pmap_readable(kind)) {
        pmap_moved(p, gfn);
        pmap_detach(p, gfn);
    } else {
        pmap_drop_slot(p, gfn);
    }
    p->entry[gfn] = PMAP_PAGED_OUT | ENTRY_BALLOON;
    p->n.ballooned++;
    pmap_tell(p, "given to the balloon", gfn, frame, 0);
    return true;
}

bool pmap_unballoon(struct pmap *p, gpa_t page)
{
    uint32_t gfn = (uint32_t)(page.v >> PAGE_SHIFT);

    if (page.v >> PAGE_SHIFT >= GUEST_FRAMES ||
        !(p->entry[gfn] & ENTRY_BALLOON))
        return false;
    pmap_drop_slot(p, gfn);
    pmap_tell(p, "taken from the balloon", gfn, MA(0), 0);
    return true;
}

uint64_t pmap_ballooned(const struct pmap *p)
{
    return p->n.ballooned;
}
