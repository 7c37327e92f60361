/* SPDX-License-Identifier: MIT */
/* trace/cost.h - a model of what virtualization costs, in cycles.
 *
 * The counters say how often something happened; this table says what one of
 * each costs. The constants are declared, not measured: round figures in the
 * spirit of Adams & Agesen, "A Comparison of Software and Hardware Techniques
 * for x86 Virtualization" (ASPLOS 2006), so that two techniques can be compared
 * by arithmetic that a student can redo, and give the same sum on every host.
 */
#ifndef TRACE_COST_H
#define TRACE_COST_H

#include "trace/trace.h"

enum cost_part {
    COST_EXITS,     /* world switches out of the guest and back */
    COST_EMULATION, /* instructions done for the guest */
    COST_WALKS,     /* the hardware's references to tables */
    COST_VMM_WALKS, /* the VMM's references to the guest's tables */
    COST_FILLS,     /* entries put into the VMM's tables */
    COST_TRACES,    /* bringing the tables into line with a traced write */
    COST_FLUSHES,   /* the VMM's tables emptied */
    COST_TLB_FILLS,
    COST_TLB_FLUSHES,
    COST_SWITCHES,   /* guest CR3 writes */
    COST_RECYCLING,  /* tables reclaimed */
    COST_INTERRUPTS, /* events delivered */
    COST_HYPERCALLS, /* work asked for by hypercall, entry by entry */
    COST_COUNT,
};

struct model_cost {
    uint64_t part[COST_COUNT];
    uint64_t total;
};

struct cost_row {
    const char *name; /* the JSON key */
    uint32_t cycles;  /* of one */
    const char *what;
};

const struct cost_row *cost_describe(enum cost_part part);
struct model_cost trace_model_cost(const struct counters *c);

#endif
