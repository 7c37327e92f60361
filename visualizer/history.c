/* SPDX-License-Identifier: MIT */
/* visualizer/history.c - the states that are kept to come back to. */
#include "visualizer/history.h"

#include <string.h>

static const size_t bytes_limit = (size_t)512 << 20;
static const uint64_t shortest_gap = 1000000; /* cycles */

static size_t bytes_kept(const struct history *h)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < h->count; i++)
        bytes += h->states[i].bytes;
    return bytes;
}

static void drop(struct history *h, const struct target *t, unsigned i)
{
    t->ops->forget(t->ctx, h->states[i].saved);
    memmove(&h->states[i], &h->states[i + 1],
            (h->count - i - 1) * sizeof h->states[0]);
    h->count--;
}

/* Make room: drop the state whose loss leaves the smallest gap, so that those
 * kept stay spread over time. The first is never dropped. */
static void thin(struct history *h, const struct target *t)
{
    unsigned least = 0;
    uint64_t smallest = UINT64_MAX;
    for (unsigned i = 1; i + 1 < h->count; i++) {
        uint64_t gap = h->states[i + 1].cycles - h->states[i - 1].cycles;
        if (gap < smallest) {
            smallest = gap;
            least = i;
        }
    }
    if (least == 0 && h->count > 1)
        least = h->count - 1;
    if (least)
        drop(h, t, least);
}

void history_note(struct history *h, const struct target *t, uint64_t cycles,
                  uint64_t seq)
{
    uint64_t gap = h->furthest / HISTORY_STATES;
    if (cycles > h->furthest)
        h->furthest = cycles;
    if (!t->ops->save)
        return;
    if (gap < shortest_gap)
        gap = shortest_gap;
    if (h->count && cycles < h->states[h->count - 1].cycles + gap)
        return;
    while (h->count > 1 && (h->count == HISTORY_STATES ||
                            bytes_kept(h) + h->states[0].bytes > bytes_limit)) {
        unsigned before = h->count;
        thin(h, t);
        if (h->count == before)
            return;
    }
    struct target_saved *saved = t->ops->save(t->ctx);
    if (!saved)
        return;
    h->states[h->count++] = (struct history_state){
        cycles, seq, t->ops->saved_bytes(t->ctx, saved), saved};
}

bool history_return(struct history *h, const struct target *t, uint64_t cycles,
                    uint64_t seq)
{
    for (unsigned i = h->count; i > 0; i--) {
        const struct history_state *state = &h->states[i - 1];
        if (state->cycles < cycles && (seq == 0 || state->seq < seq))
            return t->ops->restore(t->ctx, state->saved);
    }
    return false;
}

void history_cut(struct history *h, const struct target *t, uint64_t cycles)
{
    while (h->count && h->states[h->count - 1].cycles > cycles)
        drop(h, t, h->count - 1);
    h->furthest = cycles;
}

void history_close(struct history *h, const struct target *t)
{
    while (h->count)
        drop(h, t, h->count - 1);
}
