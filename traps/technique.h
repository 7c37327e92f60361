/* SPDX-License-Identifier: MIT */
/* traps/technique.h - a CPU technique: how the guest's kernel is kept from the
 * real processor. The monitor is the same for all; what differs is here.
 *
 * A technique with NULL for an operation takes the usual way, which is ring
 * compression with trap and emulate (traps/vcpu.c, traps/exits.c).
 */
#ifndef TRAPS_TECHNIQUE_H
#define TRAPS_TECHNIQUE_H

#include "traps/monitor.h"

struct technique {
    const char *name;
    /* The processor uses the guest's own descriptor tables: nothing of the
     * monitor's is in the guest's linear space. */
    bool own_tables;
    /* No selector shows the guest's kernel at which ring it runs. (Otherwise it
     * may load one, which works at that ring and nowhere else.) */
    bool hides_ring;
    /* The guest knows of the monitor's linear space, and may read there. */
    bool shows_space;
    /* When the machine, the platform and the memory side exist. False: one
     * line in *error. What it makes for itself hangs on monitor.own. */
    bool (*start)(struct monitor *mon, char **error);
    void (*destroy)(struct monitor *mon);
    /* The guest's first state is in monitor.v, before it is installed. */
    void (*enter)(struct monitor *mon);

    /* The real processor's state into monitor.v, and back (which clears
     * monitor.dirty). */
    void (*capture)(struct monitor *mon);
    void (*install)(struct monitor *mon);

    /* An exit that needs so little of the state that it is not captured: true
     * if it was such a one and is dealt with. */
    bool (*quick)(struct monitor *mon, const struct machine_exit *e);
    /* An exit, captured: true if it was the technique's own and is dealt with,
     * false for the usual handling. */
    bool (*exit)(struct monitor *mon, const struct machine_exit *e);
    /* A VM exit (cpu/vmx.h). */
    void (*vm_exit)(struct monitor *mon);
    /* Instead of all that follows when the machine asks for attention. */
    void (*attend)(struct monitor *mon);
    /* The instruction that was to run alone did, or faulted. */
    void (*stepped)(struct monitor *mon);
    /* The current instruction is about to write to a traced page. */
    void (*tripped)(struct monitor *mon);
    /* At a place where the machine asks for attention: may the guest be
     * interrupted here? False: asked again at the next. NULL: always. */
    bool (*boundary)(struct monitor *mon);
    /* The processor stands still, captured: is the guest between two of its
     * instructions? NULL: always. */
    bool (*between)(struct monitor *mon);
    /* Give the guest an exception or a software interrupt. NULL: by the tables
     * of its own processor. */
    void (*inject)(struct monitor *mon, const struct arch_event *event,
                   const char *cause);
    /* The guest touches an address that no memory is behind. NULL: a device
     * answers. */
    struct fault (*device)(struct monitor *mon, uint32_t linear,
                           uint32_t error);
    /* At such a place: give the guest what waits. NULL: the platform's
     * interrupts. */
    void (*pending)(struct monitor *mon);
    /* Drive the machine's interrupt pin; pending: an interrupt or NMI waits. */
    void (*pin)(struct monitor *mon, bool pending);
    /* Watched guest memory was written (mmu_watch_fn). */
    void (*written)(struct monitor *mon, gpa_t gpa, uint32_t bytes);
    /* The VMM's tables lost a right, under the root in use or another. */
    void (*withdrawn)(struct monitor *mon);
    /* The guest changed CR0, CR3, CR4 (n), or one page's mapping (n < 0). */
    void (*remapped)(struct monitor *mon, int n, uint32_t linear);

    /* Does the clock count the instruction at this linear address, in the
     * range of machine_set_weighed()? */
    uint32_t (*weight)(struct monitor *mon, uint32_t linear);
    /* Does the instruction there reach the monitor's data
     * (machine_set_own_space())? NULL: none does. */
    bool (*owns)(struct monitor *mon, uint32_t linear);

    /* A console that is not a device. NULL: there is none. */
    bool (*console_ready)(const struct monitor *mon);
    void (*console_input)(struct monitor *mon, uint8_t byte);

    /* The technique's own state; NULL buffer: the bytes needed. */
    size_t (*save)(const struct monitor *mon, void *buffer, size_t bytes);
    bool (*restore)(struct monitor *mon, const void *buffer, size_t bytes);
};

#endif
