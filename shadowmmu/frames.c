/* SPDX-License-Identifier: MIT */
/* shadowmmu/frames.c - the allocator of machine frames.
 *
 * A stack of free frames. It starts in a scattered order (index times a step
 * that is coprime with the count: every frame comes once), so neighbours in a
 * guest's memory are never neighbours in the machine.
 */
#include "shadowmmu/frames.h"

#include <assert.h>
#include <stdlib.h>

struct frame {
    uint32_t references; /* 0: free */
    uint32_t owner;
};

struct frames {
    const struct memory *memory;
    uint32_t first; /* machine frame number */
    uint32_t count;
    uint32_t owners;     /* numbers given out */
    uint32_t free;       /* how many are on the stack */
    uint32_t *stack;     /* indexes from first */
    struct frame *frame; /* by index */
};

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b) {
        uint32_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* About the golden ratio of count, and coprime with it. */
static uint32_t scatter_step(uint32_t count)
{
    uint32_t step = (uint32_t)((uint64_t)count * 618 / 1000) | 1u;

    while (common_divisor(step, count) != 1)
        step += 2;
    return step;
}

struct frames *frames_create(const struct memory *memory, ma_t first,
                             uint64_t bytes)
{
    struct frames *f = calloc(1, sizeof *f);
    uint32_t step;

    if (!f)
        return NULL;
    assert(memory_has(memory, first, bytes));
    f->memory = memory;
    f->first = (uint32_t)((first.v + PAGE_MASK) >> PAGE_SHIFT);
    f->count = (uint32_t)((first.v + bytes) >> PAGE_SHIFT) - f->first;
    f->owners = FRAME_FIRST_VM;
    f->free = f->count;
    f->stack = calloc(f->count + 1u, sizeof *f->stack);
    f->frame = calloc(f->count + 1u, sizeof *f->frame);
    if (!f->stack || !f->frame) {
        frames_destroy(f);
        return NULL;
    }
    step = f->count ? scatter_step(f->count) : 0;
    for (uint32_t i = 0; i < f->count; i++)
        f->stack[i] = (uint32_t)((uint64_t)i * step % f->count);
    return f;
}

/* Whole runs on top of the stack, the last frame of each deepest; below them
 * what is left over at both ends. */
void frames_in_runs(struct frames *f, uint32_t run)
{
    uint32_t lead = (run - f->first % run) % run;
    uint32_t runs = lead < f->count ? (f->count - lead) / run : 0;
    uint32_t step = runs ? scatter_step(runs) : 0, n = 0;

    assert(f->free == f->count);
    for (uint32_t i = 0; i < f->count; i++)
        if (!runs || i < lead || i >= lead + runs * run)
            f->stack[n++] = i;
    for (uint32_t r = 0; r < runs; r++)
        for (uint32_t i = run; i-- > 0;)
            f->stack[n++] =
                lead + (uint32_t)((uint64_t)r * step % runs) * run + i;
}

void frames_destroy(struct frames *f)
{
    if (!f)
        return;
    free(f->stack);
    free(f->frame);
    free(f);
}

unsigned frames_new_owner(struct frames *f)
{
    return f->owners++;
}

bool frames_take_for(struct frames *f, unsigned owner, ma_t *frame)
{
    uint32_t index;

    assert(owner != FRAME_FREE);
    if (!f->free)
        return false;
    index = f->stack[--f->free];
    f->frame[index] = (struct frame){1, owner};
    *frame = MA((uint64_t)(f->first + index) << PAGE_SHIFT);
    memset(memory_at(f->memory, *frame), 0, PAGE_BYTES);
    return true;
}

bool frames_take(struct frames *f, ma_t *frame)
{
    return frames_take_for(f, FRAME_VMM, frame);
}

static struct frame *taken(const struct frames *f, ma_t frame)
{
    uint32_t index = (uint32_t)(frame.v >> PAGE_SHIFT) - f->first;

    return index < f->count && f->frame[index].references ? &f->frame[index]
                                                          : NULL;
}

void frames_share(struct frames *f, ma_t frame)
{
    struct frame *t = taken(f, frame);

    assert(t);
    t->references++;
}

void frames_give(struct frames *f, ma_t frame)
{
    struct frame *t = taken(f, frame);

    assert(t);
    if (--t->references)
        return;
    t->owner = FRAME_FREE;
    f->stack[f->free++] = (uint32_t)(t - f->frame);
}

void frames_set_owner(struct frames *f, ma_t frame, unsigned owner)
{
    struct frame *t = taken(f, frame);

    assert(t && owner != FRAME_FREE);
    t->owner = owner;
}

uint64_t frames_free(const struct frames *f)
{
    return f->free;
}

unsigned frames_owner(const struct frames *f, ma_t frame)
{
    const struct frame *t = taken(f, frame);

    return t ? t->owner : FRAME_FREE;
}

unsigned frames_references(const struct frames *f, ma_t frame)
{
    const struct frame *t = taken(f, frame);

    return t ? t->references : 0;
}

struct saved_frames {
    uint32_t count, free, owners;
};

/* Saved: the numbers, the stack (all of it: what is above free is not read,
 * but the size is then constant), and the frames. */
size_t frames_save(const struct frames *f, void *buffer, size_t bytes)
{
    struct saved_frames h = {f->count, f->free, f->owners};
    size_t stack_bytes = (size_t)f->count * sizeof *f->stack;
    size_t frame_bytes = (size_t)f->count * sizeof *f->frame;
    uint8_t *out = buffer;

    if (!buffer || bytes < sizeof h + stack_bytes + frame_bytes)
        return sizeof h + stack_bytes + frame_bytes;
    memcpy(out, &h, sizeof h);
    memcpy(out + sizeof h, f->stack, stack_bytes);
    memcpy(out + sizeof h + stack_bytes, f->frame, frame_bytes);
    return sizeof h + stack_bytes + frame_bytes;
}

bool frames_restore(struct frames *f, const void *buffer, size_t bytes)
{
    size_t stack_bytes = (size_t)f->count * sizeof *f->stack;
    struct saved_frames h;
    const uint8_t *in = buffer;

    if (bytes < frames_save(f, NULL, 0))
        return false;
    memcpy(&h, in, sizeof h);
    if (h.count != f->count || h.free > h.count)
        return false;
    f->free = h.free;
    f->owners = h.owners;
    memcpy(f->stack, in + sizeof h, stack_bytes);
    memcpy(f->frame, in + sizeof h + stack_bytes,
           (size_t)f->count * sizeof *f->frame);
    return true;
}
