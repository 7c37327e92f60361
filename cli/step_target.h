/* SPDX-License-Identifier: MIT */
/* cli/step_target.h - a guest as the inspector drives it. */
#ifndef CLI_STEP_TARGET_H
#define CLI_STEP_TARGET_H

#include "cli/guest.h"
#include "visualizer/session.h"

enum { STEP_PENDING_BYTES = 4096 };

/* What the guest was given to read, and when: going back gives it again. */
struct given {
    uint64_t cycles;
    uint8_t byte;
};

struct step_target {
    struct vm *vm;
    struct inspector *inspector;
    struct session *session; /* told when a limit ends it */
    enum vm_stop stop;
    bool live;
    uint64_t max_cycles; /* 0: no limit */
    struct target target;

    struct given *given;
    size_t given_count, given_room, given_read;
    uint8_t pending[STEP_PENDING_BYTES]; /* typed, and not yet asked for */
    size_t pending_count;
};

/* Create the guest of a configuration (its callbacks are set here). False: a
 * line was printed; *status says which kind. */
bool step_target_open(struct step_target *t, struct vm_config *config,
                      const char *who, int *status);
void step_target_close(struct step_target *t);

#endif
