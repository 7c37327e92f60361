/* SPDX-License-Identifier: MIT */
/* cpu/tlb.c - see cpu/tlb.h. */
#include "cpu/tlb.h"

#include <stdlib.h>
#include <string.h>

enum { REGION_SHIFT = 22 };

static bool power_of_two(unsigned n)
{
    return n && !(n & (n - 1));
}

bool tlb_shape_valid(unsigned entries, unsigned ways)
{
    return power_of_two(entries) && power_of_two(ways) &&
           entries >= TLB_ENTRIES_LEAST && entries <= TLB_ENTRIES_MOST &&
           ways <= TLB_WAYS_MOST;
}

bool tlb_create(struct tlb *t, unsigned entries, unsigned ways)
{
    *t = (struct tlb){.entries = entries, .ways = ways, .epoch = 1};
    t->entry = calloc(entries, sizeof *t->entry);
    return t->entry != NULL;
}

void tlb_destroy(struct tlb *t)
{
    free(t->entry);
    t->entry = NULL;
}

/* ---- one entry ---------------------------------------------------------- */

static struct tlb_entry *set_of(const struct tlb *t, uint32_t page)
{
    return &t->entry[(page & (t->entries / t->ways - 1)) * t->ways];
}

static uint16_t *pieces_near(struct tlb *t, uint32_t page)
{
    return &t->pieces[page >> (REGION_SHIFT - PAGE_SHIFT)];
}

static bool is_piece(const struct tlb_entry *e)
{
    return e->page_shift != PAGE_SHIFT;
}

static void remove_entry(struct tlb *t, struct tlb_entry *e)
{
    if (is_piece(e))
        --*pieces_near(t, e->page);
    e->order = 0;
}

/* Does it belong to who runs? */
static bool is_own(const struct tlb *t, const struct tlb_entry *e)
{
    return e->tag == t->tag && e->nested == t->nested;
}

static bool in_engine(const struct tlb *t, const struct tlb_entry *e)
{
    return e->epoch == t->epoch && is_own(t, e);
}

struct tlb_entry *tlb_find(struct tlb *t, uint32_t linear)
{
    uint32_t page = linear >> PAGE_SHIFT;
    struct tlb_entry *set = set_of(t, page);

    for (unsigned i = 0; i < t->ways; i++)
        if (set[i].page == page && set[i].order && is_own(t, &set[i]))
            return &set[i];
    return NULL;
}

/* ---- filling ------------------------------------------------------------ */

/* An empty one of the set, or the oldest. */
static struct tlb_entry *room_in(struct tlb_entry *set, unsigned ways)
{
    struct tlb_entry *oldest = set;

    for (unsigned i = 0; i < ways; i++)
        if (set[i].order < oldest->order)
            oldest = &set[i];
    return oldest;
}

static struct tlb_entry entry_of(const struct tlb *t, uint32_t linear,
                                 const struct paging_walk *w, bool global)
{
    return (struct tlb_entry){
        .address = w->address & ~(uint64_t)PAGE_MASK,
        .page = linear >> PAGE_SHIFT,
        .epoch = t->epoch,
        .nested = t->nested,
        .tag = t->tag,
        .page_shift = w->page_shift,
        .writable = w->writable,
        .user = w->user,
        .executable = w->executable,
        .dirty = w->dirty,
        .global = global,
    };
}

/* Would the engine's TLB be wrong with the old one? (The dirty bit only adds a
 * right.) */
static bool differs(const struct tlb_entry *a, const struct tlb_entry *b)
{
    return a->address != b->address || a->writable != b->writable ||
           a->user != b->user || a->executable != b->executable;
}

static void put(struct tlb *t, struct tlb_entry *at, struct tlb_entry e,
                uint64_t order)
{
    if (at->order)
        remove_entry(t, at);
    *at = e;
    at->order = order;
    if (is_piece(at))
        ++*pieces_near(t, at->page);
}

enum tlb_filled tlb_fill(struct tlb *t, uint32_t linear,
                         const struct paging_walk *w, bool global)
{
    struct tlb_entry e = entry_of(t, linear, w, global);
    struct tlb_entry *at = tlb_find(t, linear);
    enum tlb_filled how;

    if (at) {
        how = differs(at, &e) && in_engine(t, at) ? TLB_REPLACED : TLB_SAME;
        put(t, at, e, at->order);
        return how;
    }
    at = room_in(set_of(t, e.page), t->ways);
    how = !at->order ? TLB_FREE : in_engine(t, at) ? TLB_DROPPED : TLB_EVICTED;
    put(t, at, e, ++t->filled);
    return how;
}

/* ---- invalidation ------------------------------------------------------- */

static bool drop_if(struct tlb *t, struct tlb_entry *e, uint16_t tag,
                    uint32_t page)
{
    uint32_t others;

    if (!e->order || e->tag != tag)
        return false;
    others = (1u << (e->page_shift - PAGE_SHIFT)) - 1;
    if ((e->page ^ page) & ~others)
        return false;
    remove_entry(t, e);
    return in_engine(t, e);
}

unsigned tlb_drop(struct tlb *t, uint16_t tag, uint32_t linear)
{
    uint32_t page = linear >> PAGE_SHIFT;
    struct tlb_entry *set = set_of(t, page);
    unsigned dropped = 0;

    if (*pieces_near(t, page)) { /* in any set */
        for (unsigned i = 0; i < t->entries; i++)
            dropped += drop_if(t, &t->entry[i], tag, page);
        return dropped;
    }
    for (unsigned i = 0; i < t->ways; i++)
        dropped += drop_if(t, &set[i], tag, page);
    return dropped;
}

static bool in_scope(enum tlb_scope scope, uint32_t which, uint16_t tag,
                     uint32_t nested)
{
    switch (scope) {
    case TLB_TAGGED: return tag != 0;
    case TLB_NESTED: return nested == which;
    case TLB_ALL_NESTED: return nested != 0;
    default: return tag == which;
    }
}

bool tlb_covers(const struct tlb *t, enum tlb_scope scope, uint32_t which)
{
    return in_scope(scope, which, t->tag, t->nested);
}

void tlb_flush(struct tlb *t, enum tlb_scope scope, uint32_t which)
{
    for (unsigned i = 0; i < t->entries; i++) {
        struct tlb_entry *e = &t->entry[i];

        if (e->order && in_scope(scope, which, e->tag, e->nested) &&
            !(scope == TLB_LOCAL && e->global))
            remove_entry(t, e);
    }
}

void tlb_restore(struct tlb *t, const struct tlb *saved, const void *entries)
{
    memcpy(t->entry, entries, t->entries * sizeof *t->entry);
    memcpy(t->pieces, saved->pieces, sizeof t->pieces);
    t->filled = saved->filled;
    t->nested = saved->nested;
    t->tag = saved->tag;
    for (unsigned i = 0; i < t->entries; i++)
        t->entry[i].epoch = 0;
}

unsigned tlb_occupied(const struct tlb *t)
{
    unsigned occupied = 0;

    for (unsigned i = 0; i < t->entries; i++)
        occupied += t->entry[i].order != 0;
    return occupied;
}
