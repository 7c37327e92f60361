/* SPDX-License-Identifier: MIT */
/* cli/compare.h - one guest run under several techniques, and the verdict. */
#ifndef CLI_COMPARE_H
#define CLI_COMPARE_H

#include "cli/guest.h"

#include <stdio.h>

enum {
    COMPARE_MAX = 8,
    CONSOLE_MAX_BYTES = 64 << 20,
};

enum { CPU_TEXT = 56 };

struct technique {
    char name[64]; /* "trap+iopl1:tlb" */
    enum cpu_technique cpu;
    const struct mmu_technique *mmu;
    bool iopl1;
    bool nobatch;        /* lumen-pv's command line gets that word */
    unsigned bt_without; /* 1 << enum bt_option */
};

/* What a run came to. */
struct outcome {
    const struct technique *technique;
    enum vm_stop stop;
    int status;
    bool limited; /* stopped by --max-time or --max-cycles */
    struct counters count;
    uint64_t cycles;
    double seconds;
    uint64_t memory_digest, state_digest;
    char *console;
    size_t console_bytes, console_room;
    char *report;

    /* Against the first outcome. */
    bool equal;
    size_t line; /* of the consoles' first difference, from 1; 0: none */
    char expected[80], found[80];
};

struct comparison {
    struct technique technique[COMPARE_MAX];
    struct outcome outcome[COMPARE_MAX];
    size_t count;
    bool equal;
    bool limited;
};

/* "trap+iopl1", "bt-chain": the processor's part of the name. */
const char *compare_cpu_text(const struct technique *t, char text[CPU_TEXT]);

/* Fill in equal, line... of every outcome, and of the whole. */
void compare_judge(struct comparison *c);

/* False: standard output or memory failed. */
void compare_print(const struct comparison *c, FILE *out);
bool compare_print_json(const struct comparison *c, FILE *out);

/* "bare", "trap:tlb", "trap+iopl1:shadow", "bt-chain:tlb" (bt without chain),
 * "pv+nobatch:tlb",
 * separated by commas. False: a line was printed. */
bool compare_parse_list(struct comparison *c, struct run_options *o,
                        const char *list);

#endif
