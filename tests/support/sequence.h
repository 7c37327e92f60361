/* SPDX-License-Identifier: MIT */
/* tests/support/sequence.h - random code for guests/probe.
 *
 * Short sequences: instructions of random bytes as far as the decoder knows
 * them, and patterns of what chance hardly makes. What would stop the guest or
 * never end is left out. A seed gives the same sequence for ever.
 */
#ifndef TESTS_SUPPORT_SEQUENCE_H
#define TESTS_SUPPORT_SEQUENCE_H

#include "tests/support/probe.h"

/* What must be known of a sequence to run and compare it. */
enum {
    IN_HOLE_0 = 1, /* at ring 0 pure trapping is wrong about it */
    IN_HOLE_3 = 2,
    SHOWS_FCS = 4,    /* at ring 0 every technique at ring 1 is */
    UNDEFINED = 8,    /* ends in what must be #UD */
    COMPUTED = 16,    /* goes where static translation cannot follow */
    READS_CLOCK = 32, /* RDTSC: for programs it must fault */
    PORTS = 64,       /* any: programs may not get at them */
    CHANGES = 128,    /* system registers (CASE_RESTORE) */
    LEAVES = 256,     /* goes to ring 3 and goes on there */
};

struct sequence {
    uint8_t code[PROBE_ENTRY_BYTES];
    unsigned about; /* the bits above */
};

/* One that will be at this address. */
void sequence_make(struct sequence *s, uint64_t seed, uint32_t entry,
                   bool user);

/* Registers, flags, segments and mode to run it with. */
struct probe_case sequence_case(const struct sequence *s, uint64_t seed,
                                uint32_t entry, bool user);

#endif
