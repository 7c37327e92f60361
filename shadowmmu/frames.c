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

struct frames {
    const struct memory *memory;
    uint32_t first; /* machine frame number */
    uint32_t count;
    uint32_t free;   /* how many are on the stack */
    uint32_t *stack; /* indexes from first */
    uint8_t *taken;  /* by index; catches a frame given twice */
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
    f->free = f->count;
    f->stack = calloc(f->count + 1u, sizeof *f->stack);
    f->taken = calloc(f->count + 1u, 1);
    if (!f->stack || !f->taken) {
        frames_destroy(f);
        return NULL;
    }
    step = f->count ? scatter_step(f->count) : 0;
    for (uint32_t i = 0; i < f->count; i++)
        f->stack[i] = (uint32_t)((uint64_t)i * step % f->count);
    return f;
}

void frames_destroy(struct frames *f)
{
    if (!f)
        return;
    free(f->stack);
    free(f->taken);
    free(f);
}

bool frames_take(struct frames *f, ma_t *frame)
{
    uint32_t index;

    if (!f->free)
        return false;
    index = f->stack[--f->free];
    f->taken[index] = 1;
    *frame = MA((uint64_t)(f->first + index) << PAGE_SHIFT);
    memset(memory_at(f->memory, *frame), 0, PAGE_BYTES);
    return true;
}

void frames_give(struct frames *f, ma_t frame)
{
    uint32_t index = (uint32_t)(frame.v >> PAGE_SHIFT) - f->first;

    assert(index < f->count && f->taken[index]);
    f->taken[index] = 0;
    f->stack[f->free++] = index;
}

uint64_t frames_free(const struct frames *f)
{
    return f->free;
}

/* Saved: count, free, the stack (all of it: what is above free is not read,
 * but the size is then constant), and the taken bytes. */
size_t frames_save(const struct frames *f, void *buffer, size_t bytes)
{
    size_t stack_bytes = (size_t)f->count * sizeof *f->stack;
    size_t want = 2 * sizeof(uint32_t) + stack_bytes + f->count;
    uint8_t *out = buffer;

    if (!buffer || bytes < want)
        return want;
    memcpy(out, &f->count, sizeof f->count);
    memcpy(out + sizeof f->count, &f->free, sizeof f->free);
    memcpy(out + 2 * sizeof f->count, f->stack, stack_bytes);
    memcpy(out + 2 * sizeof f->count + stack_bytes, f->taken, f->count);
    return want;
}

bool frames_restore(struct frames *f, const void *buffer, size_t bytes)
{
    size_t stack_bytes = (size_t)f->count * sizeof *f->stack;
    const uint8_t *in = buffer;
    uint32_t count, unused;

    if (bytes < frames_save(f, NULL, 0))
        return false;
    memcpy(&count, in, sizeof count);
    memcpy(&unused, in + sizeof count, sizeof unused);
    if (count != f->count || unused > count)
        return false;
    f->free = unused;
    memcpy(f->stack, in + 2 * sizeof count, stack_bytes);
    memcpy(f->taken, in + 2 * sizeof count + stack_bytes, count);
    return true;
}
