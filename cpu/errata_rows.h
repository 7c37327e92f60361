/* SPDX-License-Identifier: MIT */
/* cpu/errata_rows.h - the errata sheet's tests, for cpu/errata.c. */
#ifndef CPU_ERRATA_ROWS_H
#define CPU_ERRATA_ROWS_H

#include <string.h>

#include "cpu/engine.h"
#include "cpu/errata.h"

enum {
    ROOM_BYTES = 1 << 16,
    CODE_AT = 0x1000,
    PATCHED_AT = 0x3000, /* code that other code writes to */
    DATA_AT = 0x5000,
    STACK_AT = 0x8000,
    NO_VECTOR = 0x100,
};

/* One engine with a little memory, and what happened on it. */
struct probe {
    struct engine engine;
    uint8_t *room;
    uc_context *start;
    uint32_t vector;    /* the first exception, or NO_VECTOR */
    uint64_t refused;   /* address of the last access out of the room, */
    bool refused_write; /* and its kind */
};

struct errata_test {
    enum erratum_status if_present;
    const char *name, *behaviour, *cure;
    unsigned cpl;
    uint32_t eax; /* and the code's other registers are zero */
    /* Run differs from the manual? Called after the code has run. */
    bool (*departs)(struct probe *p);
    bool lethal; /* present: the process dies or hangs */
    uint8_t bytes;
    uint8_t code[32];
};

extern const struct errata_test errata_tests[];
extern const size_t errata_tests_count;

/* Run the code that the room holds, to its end. */
void errata_run(struct probe *p);

#endif
