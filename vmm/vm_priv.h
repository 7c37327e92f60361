/* SPDX-License-Identifier: MIT */
/* vmm/vm_priv.h - inside a VM (vmm/ only). */
#ifndef VMM_VM_PRIV_H
#define VMM_VM_PRIV_H

#include "cpu/machine.h"
#include "io/keys.h"
#include "traps/monitor.h"
#include "vmm/load.h"
#include "vmm/symbols.h"
#include "vmm/vm.h"

/* What is typed, on its way to the guest. */
struct vm_input {
    uint64_t next; /* it takes nothing before this cycle */
    bool waiting;
    uint8_t code[KEYS_MOST]; /* scan codes that the keyboard has yet to send */
    size_t codes, sent;
    int kept; /* was read with an escape, and did not belong to it; -1: none */
};

/* Writes to where memory would be if the guest had more. */
struct vm_beyond {
    uint64_t writes;
    uint32_t first;
};

struct vm {
    struct vm_config config;
    struct trace trace;
    struct machine *machine;
    struct pc *pc;
    struct symbols *symbols;
    struct load_result image;

    /* Virtualized only. */
    struct frames *frames;
    struct commons *commons;
    struct pmap *pmap;
    struct monitor *monitor;

    /* How the run stands. */
    enum vm_stop stop;
    int status;
    char *report;
    const struct vm_limit *limit;
    struct vm_input input;
    struct vm_beyond beyond;
    uint64_t next_scan; /* for equal frames; DEVICE_NEVER: not at all */
};

/* The guest's physical memory, whoever backs it. */
bool vm_write_physical(struct vm *vm, uint64_t gpa, const void *data,
                       uint64_t bytes);

/* A final stop; the first one counts. */
void vm_finish(struct vm *vm, enum vm_stop stop, int status);
void vm_say(struct vm *vm, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Host side of the clock: timers due, serial input, the next deadline. */
void vm_tick(struct vm *vm);

/* input.c: offer the guest what was typed, if it would take it. */
void vm_offer_input(struct vm *vm);

/* memory.c: the guest's memory on the machine. False and *error, with a status,
 * when it cannot be had. */
bool vm_create_memory(struct vm *vm, char **error, int *status);
void vm_destroy_memory(struct vm *vm);
/* What the machine needs for the guest. */
uint64_t vm_machine_bytes(const struct vm_config *config);
/* What the guest's balloon talks to. */
extern const struct pc_balloon vm_balloon;
/* Look for equal frames, if it is time to. */
void vm_scan_memory(struct vm *vm);

/* report.c: what to tell about the end of a run. */
void vm_write_report(struct vm *vm);

#endif
