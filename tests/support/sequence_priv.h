/* SPDX-License-Identifier: MIT */
/* tests/support/sequence_priv.h - a sequence while it is written. */
#ifndef TESTS_SUPPORT_SEQUENCE_PRIV_H
#define TESTS_SUPPORT_SEQUENCE_PRIV_H

#include <string.h>

#include "tests/support/random.h"
#include "tests/support/sequence.h"

struct writer {
    struct sequence *s;
    size_t n; /* bytes so far */
    uint32_t entry;
    bool user;
};

enum {
    CODE_ROOM = PROBE_ENTRY_BYTES - 4, /* INT PROBE_DONE at the end */
    PATTERN_MOST = 48, /* bytes of the longest pattern, or instruction */
};

static inline void put_bytes(struct writer *w, const uint8_t *bytes, size_t n)
{
    memcpy(w->s->code + w->n, bytes, n);
    w->n += n;
}

#define PUT(w, ...)                                                            \
    put_bytes(w, (const uint8_t[]){__VA_ARGS__},                               \
              sizeof((const uint8_t[]){__VA_ARGS__}))

static inline void put_word(struct writer *w, uint32_t value)
{
    put_bytes(w, (const uint8_t *)&value, sizeof value);
}

/* mov r32, value */
static inline void put_mov(struct writer *w, enum gpr reg, uint32_t value)
{
    PUT(w, (uint8_t)(0xB8 + reg));
    put_word(w, value);
}

static inline uint32_t here(const struct writer *w)
{
    return w->entry + (uint32_t)w->n;
}

#define PICK(table) (table)[random_below(sizeof(table) / sizeof *(table))]

/* A pattern each. The first for everybody, the second for ring 0. */
void sequence_pattern(struct writer *w);
void sequence_system(struct writer *w);

#endif
