/* SPDX-License-Identifier: MIT */
/* trace/stats.h - the counters as JSON (--stats FILE).
 *
 * The keys are a contract: tools and the grader read them. Everything but
 * host_seconds is the same on every host.
 */
#ifndef TRACE_STATS_H
#define TRACE_STATS_H

#include "trace/trace.h"

/* What the counters do not know. */
struct stats_run {
    const char *cpu, *mmu; /* names of the techniques; NULL: left out */
    uint64_t virtual_cycles;
    double host_seconds;
    int exit_status;
};

/* The whole document as text; free() it. NULL: no host
 * memory. */
char *stats_text(const struct stats_run *run, const struct counters *c);

/* To a file, or to standard output for "-". Returns 0 or an errno. */
int stats_write(const char *path, const struct stats_run *run,
                const struct counters *c);

#endif
