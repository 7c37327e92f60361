/* SPDX-License-Identifier: MIT */
/* traps/scan.h - find the sensitive instructions of an image.
 *
 * First the code that can be reached from the entry point and the known
 * function starts, by following direct jumps and calls; what follows a call
 * counts as code, and so does an address that is pushed or jumped to far. Then
 * a linear sweep over the rest, whose findings may be data: on x86 nothing in
 * the bytes tells the two apart, which is why a static translation can never be
 * sure.
 *
 * Reference: Robin & Irvine, USENIX Security 2000, for what is sensitive (the
 * classes of cpu/decode.h).
 * Units: addresses are the guest's, as linked; lengths are bytes.
 * Owner: a result is the caller's, freed by scan_free(). It does not refer to
 * the input.
 */
#ifndef TRAPS_SCAN_H
#define TRAPS_SCAN_H

#include "cpu/decode.h"

struct scan_range {
    uint32_t address;
    uint32_t length;
    const uint8_t *bytes;
};

struct scan_input {
    const struct scan_range *ranges;
    size_t range_count;
    uint32_t entry;
    const uint32_t *starts; /* may be NULL */
    size_t start_count;
    bool code32;
};

struct scan_site {
    uint32_t address;
    uint8_t length;
    uint8_t id;   /* enum insn_id */
    uint8_t cls;  /* enum insn_class, never CLASS_NONE */
    bool reached; /* false: found by the sweep; maybe data */
    bool overlap; /* its bytes are also part of another instruction */
    uint8_t bytes[INSN_MAX_LENGTH];
};

struct scan_result {
    struct scan_site *sites; /* by range, then by address */
    size_t count;
    size_t total[CLASS_COUNT]; /* of reached sites */
    size_t maybe[CLASS_COUNT]; /* of unreached sites */
    size_t instructions;       /* reached */
    size_t overlapping;        /* reached instructions that overlap */
    uint64_t bytes_reached, bytes_unreached;
    uint64_t bytes_undefined; /* of the unreached: decode as nothing */
};

/* False: no memory; *out is then empty. Addresses outside the ranges are
 * ignored. */
bool scan_image(const struct scan_input *input, struct scan_result *out);
void scan_free(struct scan_result *result);

#endif
