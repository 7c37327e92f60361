/* SPDX-License-Identifier: MIT */
/* visualizer/target.h - what the inspector drives: a guest, through a table.
 *
 * The program gives it a real guest (cli/step.c), the tests a pretended one.
 */
#ifndef VISUALIZER_TARGET_H
#define VISUALIZER_TARGET_H

#include "vmm/inspect.h"

struct target_saved;

struct target_ops {
    enum vm_stop (*run)(void *ctx, const struct vm_limit *limit);
    void (*take)(void *ctx, const struct inspect_request *request,
                 struct inspection *out);
    /* The newest n events, oldest of them first; returns how many. */
    size_t (*latest)(void *ctx, struct event *out, size_t n);
    /* Linear address of the next instruction; virtual time. */
    uint32_t (*here)(void *ctx);
    uint64_t (*cycles)(void *ctx);
    /* The address of a name of the guest's kernel; false: no such name. */
    bool (*find)(void *ctx, const char *name, uint32_t *address);
    /* A byte typed to the guest. False: the queue is full. */
    bool (*type)(void *ctx, uint8_t byte);
    /* While live, a guest that idles may let the host sleep. */
    void (*live)(void *ctx, bool on);
    /* The VMCS as text (vm_vmcs_text). NULL: not of this target. */
    size_t (*vmcs)(void *ctx, const char *area, char *text, size_t bytes);
    /* The final stop in sentences; "" for none. */
    const char *(*report)(void *ctx);
    /* Everything, to come back to. NULL: no memory, or cannot be done. */
    struct target_saved *(*save)(void *ctx);
    bool (*restore)(void *ctx, const struct target_saved *saved);
    void (*forget)(void *ctx, struct target_saved *saved);
    size_t (*saved_bytes)(void *ctx, const struct target_saved *saved);
};

struct target {
    const struct target_ops *ops;
    void *ctx;
};

#endif
