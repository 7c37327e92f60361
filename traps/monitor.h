/* SPDX-License-Identifier: MIT */
/* traps/monitor.h - the virtual machine monitor: a guest kernel deprivileged.
 *
 * The guest kernel runs at ring 1 and its programs at ring 3. What it does
 * that needs ring 0 traps to the monitor, which does it on a virtual
 * processor; what happens to the processor (faults, interrupts) the monitor
 * delivers as the guest's own tables say.
 *
 * The monitor is a client of the machine and uses nothing that hardware of the
 * kind would not offer.
 *
 * Reference: Popek & Goldberg, "Formal Requirements for Virtualizable Third
 * Generation Architectures"; Robin & Irvine, "Analysis of the Intel Pentium's
 * Ability to Support a Secure Virtual Machine Monitor".
 */
#ifndef TRAPS_MONITOR_H
#define TRAPS_MONITOR_H

#include "cpu/machine.h"
#include "io/pc.h"
#include "shadowmmu/mmu.h"

struct monitor;

/* How the guest's kernel is kept from the processor (traps/technique.h). */
struct technique;
extern const struct technique technique_trap, technique_bt_static, technique_pv,
    technique_hvm;

enum monitor_stop {
    MONITOR_TRIPLE_FAULT,
    MONITOR_UNSUPPORTED, /* the technique cannot do what the guest wants */
    MONITOR_NO_MEMORY,
    MONITOR_BROKEN, /* a bug of ours */
};

struct monitor_config {
    struct machine *machine;
    struct trace *trace;
    struct pc *pc;
    struct pmap *pmap;
    struct frames *frames;
    const struct technique *technique;
    const struct mmu_technique *mmu;
    uint64_t table_limit_bytes;
    unsigned mmu_without;   /* enum mmu_optimization */
    unsigned nested_levels; /* 2, 3 or 4 */
    bool iopl1; /* what if: real IOPL 1, the guest owns the real IF */
    bool audit; /* report every silent instruction (trap only) */
    void (*tick)(void *ctx); /* run timers, set the machine's deadline */
    void (*stop)(void *ctx, enum monitor_stop why);
    void *ctx;
};

/* A part of the guest's image for static translation. */
struct monitor_code {
    uint32_t linear, gpa, size;
};

/* A monitor for a machine still to be made: fills in the client's monitor
 * part. Then monitor_start() when the machine and the platform exist. Both
 * NULL/false with one line in *error. */
struct monitor *monitor_new(struct machine_client *client, char **error);
bool monitor_start(struct monitor *mon, const struct monitor_config *config,
                   char **error);
void monitor_destroy(struct monitor *mon);

/* Static translation: replace every silent sensitive instruction in these
 * parts of the image by a trapping one. Before monitor_enter(). */
void monitor_patch(struct monitor *mon, const struct monitor_code *code,
                   unsigned count, const uint32_t *starts, size_t start_count,
                   uint32_t entry);
/* Is there a translated site at this guest-physical address, and what byte was
 * there? */
bool monitor_patched(const struct monitor *mon, gpa_t gpa, uint8_t *original);
size_t monitor_patch_count(const struct monitor *mon);

/* The guest's first state. */
void monitor_enter(struct monitor *mon, const struct cpu_state *state);

/* Wires. */
void monitor_intr_changed(struct monitor *mon);
void monitor_raise_nmi(struct monitor *mon);

/* A console that the technique itself offers the guest: is there one, does it
 * want a byte, and here is one. */
bool monitor_has_console(const struct monitor *mon);
bool monitor_console_ready(const struct monitor *mon);
void monitor_console_input(struct monitor *mon, uint8_t byte);

/* The processor as the guest believes it to be. */
void monitor_guest_state(struct monitor *mon, struct cpu_state *out);
struct mmu *monitor_mmu(struct monitor *mon);
/* Is the guest between two of its instructions? One of them may be several of
 * the processor's. */
bool monitor_between(struct monitor *mon);

/* Bytes of the guest's code or data as the guest wrote them (translated sites
 * undone), by supervisor rights; how many could be read. */
size_t monitor_peek(struct monitor *mon, uint32_t linear, void *out,
                    size_t bytes);

/* What was lost: the sensitive instructions that did not trap and should have
 * changed the interrupt flag. */
struct monitor_lost {
    uint64_t count;
    uint64_t first_cycle;
    uint32_t first_eip, last_eip;
    uint8_t insn; /* enum insn_id of the first */
    bool wanted;  /* the IF value it wanted */
};
struct monitor_audit {
    struct monitor_lost lost[2]; /* POPF, IRET */
    struct monitor_lost missed;  /* bt-static: silent and not translated */
    uint64_t if_off_cycle;       /* virtual IF became 0 */
    uint32_t if_off_eip;
    const char *if_off_by; /* "cli", "interrupt gate", ... */
};
const struct monitor_audit *monitor_audit(const struct monitor *mon);
const struct arch_chain *monitor_triple_fault(const struct monitor *mon);
const char *monitor_message(const struct monitor *mon); /* one line or "" */

void monitor_observe(struct monitor *mon,
                     void (*observer)(void *ctx, uint32_t linear,
                                      uint32_t error,
                                      const struct mmu_result *result),
                     void *ctx);

size_t monitor_save(const struct monitor *mon, void *buffer, size_t bytes);
bool monitor_restore(struct monitor *mon, const void *buffer, size_t bytes);

#endif
