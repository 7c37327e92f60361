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
    *t = (struct tlb){
        .entries = entries, .ways = ways, .sets = entries / ways, .epoch = 1};
    t->entry = calloc(entries, sizeof *t->entry);
    t->used = calloc(t->sets, sizeof *t->used);
    return t->entry && t->used;
}

void tlb_destroy(struct tlb *t)
{
    free(t->entry);
    free(t->used);
    t->entry = NULL;
    t->used = NULL;
}

/* ---- one entry ---------------------------------------------------------- */

static unsigned set_of(const struct tlb *t, uint32_t page)
{
    return page & (t->sets - 1);
}

static struct tlb_entry *entry_at(const struct tlb *t, unsigned set,
                                  unsigned way)
{
    return &t->entry[set * t->ways + way];
}

/* The lowest of some ways, of which there is one. */
static unsigned first_of(unsigned ways)
{
    return (unsigned)__builtin_ctz(ways);
}

static uint16_t *pieces_near(struct tlb *t, uint32_t page)
{
    return &t->pieces[page >> (REGION_SHIFT - PAGE_SHIFT)];
}

static bool is_piece(const struct tlb_entry *e)
{
    return e->page_shift != PAGE_SHIFT;
}

static void remove_entry(struct tlb *t, unsigned set, unsigned way)
{
    struct tlb_entry *e = entry_at(t, set, way);

    if (is_piece(e))
        --*pieces_near(t, e->page);
    e->order = 0;
    t->used[set] &= (uint16_t) ~(1u << way);
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
    unsigned set = set_of(t, page);

    for (unsigned ways = t->used[set]; ways; ways &= ways - 1) {
        struct tlb_entry *e = entry_at(t, set, first_of(ways));

        if (e->page == page && is_own(t, e))
            return e;
    }
    return NULL;
}

/* ---- filling ------------------------------------------------------------ */

/* An empty way of a set, or the oldest. */
static unsigned room_in(const struct tlb *t, unsigned set)
{
    unsigned empty = ~t->used[set] & ((1u << t->ways) - 1), oldest = 0;

    if (empty)
        return first_of(empty);
    for (unsigned way = 1; way < t->ways; way++)
        if (entry_at(t, set, way)->order < entry_at(t, set, oldest)->order)
            oldest = way;
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

static struct tlb_entry *put(struct tlb *t, unsigned set, unsigned way,
                             const struct tlb_entry *e, uint64_t order)
{
    struct tlb_entry *at = entry_at(t, set, way);

    if (at->order)
        remove_entry(t, set, way);
    *at = *e;
    at->order = order;
    t->used[set] |= (uint16_t)(1u << way);
    if (is_piece(at))
        ++*pieces_near(t, at->page);
    return at;
}

enum tlb_filled tlb_fill(struct tlb *t, uint32_t linear,
                         const struct paging_walk *w, bool global,
                         struct tlb_entry **e)
{
    struct tlb_entry new = entry_of(t, linear, w, global), *at = *e;
    unsigned set = set_of(t, new.page), way;
    enum tlb_filled how;

    if (at) {
        how = differs(at, &new) && in_engine(t, at) ? TLB_REPLACED : TLB_SAME;
        put(t, set, (unsigned)(at - entry_at(t, set, 0)), &new, at->order);
        return how;
    }
    way = room_in(t, set);
    at = entry_at(t, set, way);
    how = !at->order ? TLB_FREE : in_engine(t, at) ? TLB_DROPPED : TLB_EVICTED;
    *e = put(t, set, way, &new, ++t->filled);
    return how;
}

/* ---- invalidation ------------------------------------------------------- */

/* The entries of a set that are the page or other pieces of it. */
static unsigned drop_from(struct tlb *t, unsigned set, uint16_t tag,
                          uint32_t page, uint32_t *lost)
{
    unsigned dropped = 0;

    for (unsigned ways = t->used[set]; ways; ways &= ways - 1) {
        unsigned way = first_of(ways);
        const struct tlb_entry *e = entry_at(t, set, way);
        uint32_t others = (1u << (e->page_shift - PAGE_SHIFT)) - 1;

        if (e->tag != tag || ((e->page ^ page) & ~others))
            continue;
        if (in_engine(t, e)) {
            *lost = e->page << PAGE_SHIFT;
            dropped++;
        }
        remove_entry(t, set, way);
    }
    return dropped;
}

unsigned tlb_drop(struct tlb *t, uint16_t tag, uint32_t linear, uint32_t *lost)
{
    uint32_t page = linear >> PAGE_SHIFT;
    unsigned dropped = 0;

    if (!*pieces_near(t, page))
        return drop_from(t, set_of(t, page), tag, page, lost);
    for (unsigned set = 0; set < t->sets; set++)
        dropped += drop_from(t, set, tag, page, lost);
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

unsigned tlb_flush(struct tlb *t, enum tlb_scope scope, uint32_t which,
                   uint32_t *lost, unsigned room)
{
    unsigned count = 0;

    for (unsigned set = 0; set < t->sets; set++) {
        for (unsigned ways = t->used[set]; ways; ways &= ways - 1) {
            unsigned way = first_of(ways);
            const struct tlb_entry *e = entry_at(t, set, way);

            if (!in_scope(scope, which, e->tag, e->nested) ||
                (scope == TLB_LOCAL && e->global))
                continue;
            if (in_engine(t, e) && count++ < room)
                lost[count - 1] = e->page << PAGE_SHIFT;
            remove_entry(t, set, way);
        }
    }
    return count;
}

void tlb_restore(struct tlb *t, const struct tlb *saved, const void *entries)
{
    memcpy(t->entry, entries, t->entries * sizeof *t->entry);
    memcpy(t->pieces, saved->pieces, sizeof t->pieces);
    t->filled = saved->filled;
    t->nested = saved->nested;
    t->tag = saved->tag;
    memset(t->used, 0, t->sets * sizeof *t->used);
    for (unsigned i = 0; i < t->entries; i++) {
        t->entry[i].epoch = 0;
        if (t->entry[i].order)
            t->used[i / t->ways] |= (uint16_t)(1u << i % t->ways);
    }
}

unsigned tlb_occupied(const struct tlb *t)
{
    unsigned occupied = 0;

    for (unsigned set = 0; set < t->sets; set++)
        occupied += (unsigned)__builtin_popcount(t->used[set]);
    return occupied;
}
