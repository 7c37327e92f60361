/* SPDX-License-Identifier: MIT */
/* tests/support/guest.h - a guest under a technique, and what it said and did.
 *
 * Everything that a test compares: the console's bytes, a hash of every field
 * of every event, the counters, the end of the run.
 */
#ifndef TESTS_SUPPORT_GUEST_H
#define TESTS_SUPPORT_GUEST_H

#include "vmm/vm.h"

#define MIB UINT64_C(0x100000)

/* The ways to run a guest. The first is bare. */
struct way {
    enum cpu_technique cpu;
    const struct mmu_technique *mmu;
    const char *name; /* "trap, shadow" */
};
enum {
    WAY_BARE,
    WAY_TRAP_TLB,
    WAY_TRAP_SHADOW,
    WAY_STATIC_TLB,
    WAY_STATIC_SHADOW,
    WAY_BT_TLB,
    WAY_BT_SHADOW,
    WAY_PV_TLB,
    WAY_PV_SHADOW,
    WAY_PV_DIRECT,
    WAY_HVM_TLB,
    WAY_HVM_SHADOW,
    WAY_HVM_NESTED,
    WAYS
};
extern const struct way ways[WAYS];

/* lumen's form that runs right under each way: itself, its port, or what it is
 * without silent instructions. */
extern const char *const way_lumen[WAYS];

/* The ways that run unmodified guests in a VM, by number; false: no more. */
bool guest_way(unsigned number, struct way *way);

/* A hash of what was seen from some moment on. */
struct seen {
    uint64_t hash;
    uint64_t events;
    uint64_t until; /* events behind this number do not count; 0: all do */
};

struct guest {
    struct vm *vm;
    struct trace_sink sink;
    struct seen seen;
    bool watched; /* the sink is attached */
    char *console;
    size_t console_bytes, console_room;
};

/* A guest made from an image in the host's memory; a failed test if it cannot
 * be created. `change` may alter the configuration (may be NULL). */
void guest_open(struct guest *g, const struct way *way, struct blob kernel,
                const char *append, uint64_t memory_bytes,
                void (*change)(struct vm_config *config));
void guest_close(struct guest *g);

/* One of the kernels inside the program: "lumen", "lumen-trap", "lumen-pv". */
struct blob guest_embedded(const char *name);

/* A guest of the build tree that is not inside the program; never freed. */
struct blob guest_built(const char *name);

/* Hash events from now on, to this number (0: all); the hash so far starts
 * afresh. */
void guest_watch(struct guest *g, uint64_t until);
void guest_forget(struct guest *g);

/* Run to the end, or to this virtual time. */
enum vm_stop guest_run(struct guest *g, uint64_t cycles);

/* Until an event has this number. */
enum vm_stop guest_run_to_event(struct guest *g, uint64_t seq);

/* What differs between two sets of counters, for a message; NULL: nothing. */
const char *counters_difference(const struct counters *a,
                                const struct counters *b);

#endif
