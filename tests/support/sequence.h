/* SPDX-License-Identifier: MIT */
/* tests/support/sequence.h - random code for guests/probe.
 *
 * Short sequences: instructions of random bytes as far as the decoder knows
 * them, and patterns of control flow. What would stop the guest or never end is
 * left out. The same seed gives the same sequences.
 */
#ifndef TESTS_SUPPORT_SEQUENCE_H
#define TESTS_SUPPORT_SEQUENCE_H

#include "tests/support/probe.h"

/* What must be known of a sequence to compare it. */
enum {
    IN_HOLE_0 = 1, /* at ring 0 pure trapping is wrong about it */
    IN_HOLE_3 = 2,
    SHOWS_FCS = 4, /* at ring 0 every technique at ring 1 is */
    UNDEFINED = 8, /* ends in what must be #UD */
    COMPUTED = 16, /* goes where static translation cannot follow */
};

void sequence_seed(uint64_t seed);

/* One that will be at this address; returns its holes. */
unsigned sequence_make(uint8_t out[PROBE_ENTRY_BYTES], uint32_t entry,
                       bool user);

/* Registers, flags and mode to run sequence `index` with. */
struct probe_case sequence_case(uint32_t index, bool user);

#endif
