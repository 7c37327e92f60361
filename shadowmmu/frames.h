/* SPDX-License-Identifier: MIT */
/* shadowmmu/frames.h - the VMM's allocator of machine frames.
 *
 * Hands out 4 KiB frames of machine memory in a fixed scattered order, so that
 * a guest's memory is never contiguous in the machine (and a missing
 * translation shows at once), yet every run is the same.
 *
 * Each frame has one owner: nobody, the VMM itself (its tables), a VM, or, if
 * several VMs share it, all of them in common. A frame with several references
 * is shared; who holds one of them must not let anybody write there.
 */
#ifndef SHADOWMMU_FRAMES_H
#define SHADOWMMU_FRAMES_H

#include "cpu/memory.h"

enum { FRAME_FREE, FRAME_VMM, FRAME_COMMON, FRAME_FIRST_VM };

struct frames;

/* Manage the frames of [first, first + bytes) of memory. NULL: no host
 * memory. */
struct frames *frames_create(const struct memory *memory, ma_t first,
                             uint64_t bytes);
void frames_destroy(struct frames *f);

/* From now on in runs of this many (a power of 2): frames taken one after the
 * other are neighbours, from a boundary of as many on, and only the runs are
 * scattered. Before any frame is taken. */
void frames_in_runs(struct frames *f, uint32_t run);

/* A number for one more VM that will own frames. */
unsigned frames_new_owner(struct frames *f);

/* One zeroed frame with one reference, for the VMM or for an owner; false when
 * none is left. */
bool frames_take(struct frames *f, ma_t *frame);
bool frames_take_for(struct frames *f, unsigned owner, ma_t *frame);
/* One more reference to a frame that is taken, and one less; with the last one
 * it is free. */
void frames_share(struct frames *f, ma_t frame);
void frames_give(struct frames *f, ma_t frame);
/* It changes hands. */
void frames_set_owner(struct frames *f, ma_t frame, unsigned owner);

uint64_t frames_free(const struct frames *f);
/* FRAME_FREE also for what is none of these frames. */
unsigned frames_owner(const struct frames *f, ma_t frame);
unsigned frames_references(const struct frames *f, ma_t frame);

/* Save and restore (NULL buffer: the bytes needed). */
size_t frames_save(const struct frames *f, void *buffer, size_t bytes);
bool frames_restore(struct frames *f, const void *buffer, size_t bytes);

#endif
