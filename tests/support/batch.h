/* SPDX-License-Identifier: MIT */
/* tests/support/batch.h - many generated cases, on the bare machine and under a
 * technique.
 *
 * Cases are numbered by their seeds: first, first + 1... A few with other
 * registers share a sequence of instructions.
 */
#ifndef TESTS_SUPPORT_BATCH_H
#define TESTS_SUPPORT_BATCH_H

#include "tests/support/sequence.h"

enum {
    BATCH_MOST = 16384, /* cases of one guest */
    BATCH_SHARE = 4,    /* cases with the same instructions */
    CASE_NEVER_ENDED = -1,
};

/* How a case ended. */
struct outcome {
    struct probe_result result;
    int stop; /* VM_RUNNING: it has a result; else how the guest stopped (enum
                 vm_stop), or CASE_NEVER_ENDED */
};

struct batch {
    uint64_t first; /* the first case's seed */
    uint32_t count, sequences;
    bool user;
    struct probe_case *cases;
    unsigned *about;                    /* of each sequence */
    uint8_t (*code)[PROBE_ENTRY_BYTES]; /* likewise */
};

/* Release with batch_free(). */
void batch_make(struct batch *b, uint64_t first, uint32_t count, bool user);
void batch_free(struct batch *b);

/* Of case i its sequence. */
uint32_t batch_sequence(const struct batch *b, uint32_t i);

/* Run the cases that `chosen` lists, or all (NULL, b->count); each one's
 * outcome is where its number says. */
void batch_run(const struct batch *b, const struct way *way,
               const uint32_t *chosen, uint32_t count,
               struct outcome *outcomes);

/* ---- verdicts (verdict.c) ---- */

/* Can case i not be compared under a technique? It is `bare` alone. */
bool batch_left_out(const struct batch *b, uint32_t i,
                    const struct outcome *bare, enum cpu_technique cpu);

/* What is not equal; NULL: everything is. */
const char *outcome_difference(const struct outcome *bare,
                               const struct outcome *other);

/* Is it a fault of segmentation that the engine has not, and emulation has? */
bool batch_stricter(const struct batch *b, uint32_t i,
                    const struct outcome *other);

/* ---- reports (failure.c) ---- */

/* On standard error: the case, both outcomes, the fewest of its instructions
 * that differ as well, and the command that repeats it. */
void failure_print(const struct batch *b, uint32_t i, const struct way *way,
                   const struct outcome *bare, const struct outcome *other);

/* The case alone: where it starts, with what. */
void failure_print_case(const struct batch *b, uint32_t i);

/* Its instructions in one line. */
void failure_describe(const struct batch *b, uint32_t i, char *out,
                      size_t size);

#endif
