/* SPDX-License-Identifier: MIT */
/* cli/hole.h - the sensitive instructions, and why ring compression gets them
 * wrong.
 *
 * Reference: Robin & Irvine, "Analysis of the Intel Pentium's Ability to
 * Support a Secure Virtual Machine Monitor", USENIX Security 2000.
 */
#ifndef CLI_HOLE_H
#define CLI_HOLE_H

#include "cli/options.h"
#include "vmm/symbols.h"

enum {
    HOLE_ROWS = 23,
    HOLE_TECHNIQUES = 8,
    HOLE_ANSWER_BYTES = 40,
};

struct hole_row {
    const char *name;   /* guests/hole's; its site is the symbol try_NAME */
    const char *group;  /* the paper's: "register", "protection"; "-": none */
    const char *why;    /* what it does at ring 1, one sentence */
    const char *source; /* where the manual says so */
};
extern const struct hole_row hole_rows[HOLE_ROWS];

struct hole_answer {
    char text[HOLE_ANSWER_BYTES];
    /* What the monitor came by there: enum exit_reason, or EXIT_COUNT. */
    unsigned exit;
    bool equal; /* to bare's */
};

struct hole {
    const char *who;
    bool json;
    const char *cpus; /* NULL: all that run a guest as it is */
    struct run_options options;
    struct blob guest;
    struct symbols *symbols;
    enum cpu_technique cpu[HOLE_TECHNIQUES];
    size_t techniques;
    struct hole_answer answer[HOLE_TECHNIQUES][HOLE_ROWS];
};

/* hole_table.c: to standard output. False: no memory. */
void hole_print(const struct hole *h);
bool hole_print_json(const struct hole *h);

#endif
