/* SPDX-License-Identifier: MIT */
/* cli/bench.h - the benchmark guest under several techniques: what was asked,
 * what was measured.
 *
 * Reference: Adams & Agesen, "A Comparison of Software and Hardware Techniques
 * for x86 Virtualization", ASPLOS 2006.
 */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "cli/options.h"

#include <stdio.h>

enum {
    BENCH_TECHNIQUES = 16, /* QEMU is one of them */
    BENCH_ROWS = 16,
    BENCH_REPEATS = 3,
};

/* One benchmark of guests/bench. */
struct bench_row {
    const char *name;
    const char *what; /* one iteration */
    uint32_t iterations;
    /* Published cycles, native and under the paper's software and hardware
     * VMM, as its text gives them; NULL: none of it here. */
    const char *published[3];
    bool nano; /* one of the paper's seven */
};
extern const struct bench_row bench_rows[BENCH_ROWS];

/* A column. */
struct bench_technique {
    char name[40]; /* "bt:shadow", "qemu" */
    enum cpu_technique cpu;
    const struct mmu_technique *mmu;
    bool qemu;
};

/* One run of the guest, or the difference of two. */
struct bench_run {
    char answer[80]; /* what it printed: "checksum 6d0d00d7" */
    struct counters count;
    uint64_t cycles;
    double seconds; /* CPU time of the host */
};

/* One benchmark under one technique. */
struct bench_cell {
    struct bench_run whole; /* of the first run with all iterations */
    struct bench_run loop;  /* less what a run of 0 iterations has, too; a
                             * count may be below 0 then */
    double ns;              /* host CPU time of an iteration */
    bool equal;             /* the answer is bare's */
};

struct bench {
    const char *who;
    bool json, vs_qemu;
    uint64_t iterations; /* 0: each its own */
    double scale;
    unsigned repeats;
    struct bench_technique technique[BENCH_TECHNIQUES];
    size_t techniques;
    bool wanted[BENCH_ROWS];
    size_t wanted_count;
    struct bench_cell cell[BENCH_ROWS][BENCH_TECHNIQUES];
    struct blob guest;
    int guest_fd; /* the same guest as a file, for QEMU */
};

/* How many iterations are asked for. */
uint32_t bench_iterations(const struct bench *b, unsigned row);

/* bench_run.c: fill in one cell. STATUS_OK, or after a line was printed the
 * exit status that says why not. */
int bench_measure(struct bench *b, unsigned row, unsigned technique);
/* Is there a QEMU, and a file to give it? */
bool bench_qemu_open(struct bench *b);
int bench_qemu(const struct bench *b, unsigned row, uint32_t iterations,
               struct bench_run *out);

/* bench_table.c */
void bench_print_row(const struct bench *b, unsigned row, FILE *out);
void bench_print_summary(const struct bench *b, FILE *out);
/* Over the wanted ones of the paper's seven; 0: none. base is a column. */
double bench_mean(const struct bench *b, unsigned technique, unsigned base);

/* bench_json.c. False: no memory. */
bool bench_print_json(const struct bench *b, FILE *out);

#endif
