/* SPDX-License-Identifier: MIT */
/* visualizer/history.h - going back, by saved states and running again.
 *
 * The guest is deterministic: a saved state has one future. So the past need
 * not be recorded; some states of it are enough, a bounded number of bytes.
 */
#ifndef VISUALIZER_HISTORY_H
#define VISUALIZER_HISTORY_H

#include "visualizer/target.h"

enum { HISTORY_STATES = 32 };

struct history_state {
    uint64_t cycles, seq;
    size_t bytes;
    struct target_saved *saved;
};

struct history {
    struct history_state states[HISTORY_STATES]; /* by time */
    unsigned count;
    uint64_t furthest; /* cycles the guest has been to */
};

/* The guest is at (cycles, seq) and about to run: keep this moment, if there
 * is none near. */
void history_note(struct history *h, const struct target *t, uint64_t cycles,
                  uint64_t seq);
/* Go to the latest kept state before cycles (and before seq, if that is not
 * 0). False: there is none. */
bool history_return(struct history *h, const struct target *t, uint64_t cycles,
                    uint64_t seq);
/* The future changed (somebody typed in the past): forget what was after. */
void history_cut(struct history *h, const struct target *t, uint64_t cycles);
void history_close(struct history *h, const struct target *t);

#endif
