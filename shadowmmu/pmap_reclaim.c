/* SPDX-License-Identifier: MIT */
/* shadowmmu/pmap_reclaim.c - machine frames found and taken away.
 *
 * When a VM has all the frames it may have and needs one more, one of its own
 * goes; when the machine has none left, one of any VM that is overcommitted
 * (shadowmmu/commons.c).
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

bool pmap_stays(const struct pmap *p, uint32_t gfn)
{
    if (p->entry[gfn] & ENTRY_PINNED)
        return true;
    return p->client.busy && p->client.busy(p->client.ctx, gfn_gpa(gfn));
}

/* A VM that was promised all its frames keeps them. */
bool pmap_may_go(const struct pmap *p, uint32_t gfn)
{
    return p->limit && entry_kind(p->entry[gfn]) != PMAP_ROM &&
           !is_held(p, gfn) && !pmap_stays(p, gfn);
}

bool pmap_was_used(struct pmap *p, uint32_t gfn)
{
    bool used = (p->entry[gfn] & ENTRY_USED) != 0;

    p->entry[gfn] &= ~(uint32_t)ENTRY_USED;
    if (p->client.used && p->client.used(p->client.ctx, gfn_gpa(gfn)))
        used = true;
    return used;
}

void pmap_page_out(struct pmap *p, uint32_t gfn, uint32_t slot)
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

/* A frame becomes free: of this VM's, or of any. */
static bool free_one(struct pmap *p, bool own)
{
    enum eviction end = commons_evict(p->commons, own ? p : NULL);

    if (end == EVICT_DONE)
        return true;
    pmap_fail(p, end == EVICT_REFUSED ? swap_error(p->commons->swap)
                 : own ? "every machine frame that the guest may "
                         "have is in use at once"
                       : "the machine is out of frames");
    return false;
}

bool pmap_take(struct pmap *p, ma_t *frame)
{
    while (p->limit && p->n.resident >= p->limit)
        if (!free_one(p, true))
            return false;
    while (frames_free(p->frames) <= p->commons->reserve)
        if (!free_one(p, false))
            return false;
    return frames_take_for(p->frames, p->owner, frame);
}

/* ---- and back ------------------------------------------------------------ */

void pmap_drop_slot(struct pmap *p, uint32_t gfn)
{
    uint32_t slot = entry_slot(p->entry[gfn]);

    if (slot) {
        swap_drop(p->commons->swap, slot);
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
    if (slot &&
        !swap_load(p->commons->swap, slot, memory_at(p->memory, frame))) {
        frames_give(p->frames, frame);
        pmap_fail(p, swap_error(p->commons->swap));
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
