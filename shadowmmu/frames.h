/* SPDX-License-Identifier: MIT */
/* shadowmmu/frames.h - the VMM's allocator of machine frames.
 *
 * Hands out 4 KiB frames of machine memory in a fixed scattered order, so that
 * a guest's memory is never contiguous in the machine (and a missing
 * translation shows at once), yet every run is the same.
 */
#ifndef SHADOWMMU_FRAMES_H
#define SHADOWMMU_FRAMES_H

#include "cpu/memory.h"

struct frames;

/* Manage the frames of [first, first + bytes) of memory. NULL: no host
 * memory. */
struct frames *frames_create(const struct memory *memory, ma_t first,
                             uint64_t bytes);
void frames_destroy(struct frames *f);

/* One zeroed frame; false when none is left. */
bool frames_take(struct frames *f, ma_t *frame);
void frames_give(struct frames *f, ma_t frame);
uint64_t frames_free(const struct frames *f);

/* Save and restore (NULL buffer: the bytes needed). */
size_t frames_save(const struct frames *f, void *buffer, size_t bytes);
bool frames_restore(struct frames *f, const void *buffer, size_t bytes);

#endif
