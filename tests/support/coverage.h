/* SPDX-License-Identifier: MIT */
/* tests/support/coverage.h - which instructions and forms were generated. */
#ifndef TESTS_SUPPORT_COVERAGE_H
#define TESTS_SUPPORT_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { COVERAGE_NAMES = 2048, COVERAGE_NAME_BYTES = 20 };

struct coverage {
    struct {
        char name[COVERAGE_NAME_BYTES];
        uint64_t count;
    } names[COVERAGE_NAMES]; /* by a hash of the mnemonic */
    uint64_t forms[32];      /* prefixes, kinds of operands: coverage.c */
    uint64_t instructions, undefined;
};

/* Count the instructions of one sequence, to the end or what is none. */
void coverage_add(struct coverage *c, const uint8_t *code, size_t bytes);

/* What the integer and system instructions and forms lack; NULL: nothing. */
const char *coverage_missing(const struct coverage *c);

void coverage_print(const struct coverage *c, FILE *to);

#endif
