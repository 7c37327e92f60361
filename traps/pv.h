/* SPDX-License-Identifier: MIT */
/* traps/pv.h - inside the paravirtual technique (traps/pv*.c only).
 *
 * Nothing is pretended: the virtual processor is the real one, at ring 1 and
 * ring 3, but for the interrupt flag, which is the upcall mask in the page
 * that guest and VMM share. The interface is traps/pv_abi.h.
 */
#ifndef TRAPS_PV_H
#define TRAPS_PV_H

#include "shadowmmu/direct.h"
#include "traps/monitor_priv.h"
#include "traps/pv_abi.h"

/* What the guest has registered and bound: plain data, saved as it is. */
enum { PV_INPUT_BYTES = 256, PORT_FREE = 0, PORT_IPI = 1, PORT_VIRQ = 16 };
enum { PV_M2P_PAGES = MMU_OVERLAY_BYTES / PAGE_BYTES };
struct pv_state {
    struct pv_trap trap[VEC_COUNT]; /* cs 0: no handler */
    uint16_t callback_cs, ss;
    uint32_t callback_eip, esp;
    uint32_t shared_gpa;
    uint8_t port[PV_PORTS]; /* PORT_ */
    uint8_t input[PV_INPUT_BYTES];
    uint32_t input_read, input_written;
    uint32_t m2p[PV_M2P_PAGES]; /* with PV_HAS_DIRECT: its pages' addresses */
};

/* Page tables by hypercall, in two ways. What an address of a table or in an
 * entry means is the way's affair. */
struct pv_tables {
    uint32_t features; /* PV_HAS_ */
    /* The guest's first state is there. */
    void (*enter)(struct monitor *mon);
    struct direct_answer (*update)(struct monitor *mon, uint32_t entry,
                                   uint32_t value, bool keep_bits);
    /* The entry for a linear address; false: no page table covers it. */
    bool (*entry)(struct monitor *mon, uint32_t linear, uint32_t *entry);
    struct direct_answer (*new_base)(struct monitor *mon, uint32_t directory);
    struct direct_answer (*pin)(struct monitor *mon, uint32_t page,
                                enum frame_type type);
    struct direct_answer (*unpin)(struct monitor *mon, uint32_t page);
    struct direct_answer (*no_table)(struct monitor *mon, uint32_t page);
    /* The balloon has got a page that had this machine frame; has given back a
     * page: the number of its machine frame, or an error. NULL: the guest knows
     * of no machine frames. */
    void (*given)(struct monitor *mon, ma_t frame);
    int32_t (*taken)(struct monitor *mon, uint32_t page);
};

extern const struct pv_tables pv_physical_tables; /* pv_physical.c */
extern const struct pv_tables pv_direct_tables;   /* pv_direct.c */

struct pv {
    struct pv_state s;
    const struct pv_tables *tables;
    struct pv_timer *timer; /* the bus's */
    struct event_site site; /* of the hypercall */
    bool batched;           /* inside a multicall */
};

static inline struct pv *pv_of(const struct monitor *mon)
{
    return mon->own;
}

/* ---- guest memory (pv_memory.c) ------------------------------------------
 * By the guest's own tables and its kernel's rights; false: they do not allow
 * it, or it is no memory, or it is the VMM's space. */
bool pv_read(struct monitor *mon, uint32_t linear, void *out, uint32_t bytes);
bool pv_write(struct monitor *mon, uint32_t linear, const void *data,
              uint32_t bytes);
/* By guest-physical address, inside one page; false: no memory. */
bool pv_write_gpa(struct monitor *mon, uint32_t gpa, const void *data,
                  uint32_t bytes);
bool pv_is_memory(const struct monitor *mon, uint32_t gpa);
/* The shared page; what is written there is told by pv_shared_wrote(). */
struct pv_shared_info *pv_shared(const struct monitor *mon);
void pv_shared_wrote(struct monitor *mon);

/* An argument that points to n (count) things of so many bytes: 0 or an
 * error. */
int32_t pv_check_batch(uint32_t linear, uint32_t count, uint32_t bytes);
/* Report how many entries of a batch are done, where the guest wants to know
 * it (0: nowhere); returns the result of the call. */
int32_t pv_batch_done(struct monitor *mon, uint32_t linear, uint32_t done,
                      int32_t result);

/* ---- the processor (pv_cpu.c) -------------------------------------------- */
bool pv_segment(const struct monitor *mon, uint16_t selector,
                struct segment *out);
bool pv_kernel_code(const struct monitor *mon, uint16_t selector,
                    struct segment *out);
bool pv_kernel_stack(const struct monitor *mon, uint16_t selector,
                     struct segment *out);
void pv_flat_segments(struct monitor *mon);
/* Interrupts as the guest has them: at ring 3 always on. */
bool pv_open(const struct monitor *mon);
void pv_refresh_flag(struct monitor *mon);

/* ---- delivery (pv_deliver.c) --------------------------------------------- */
void pv_inject(struct monitor *mon, const struct arch_event *event,
               const char *cause);
/* The event upcall, if one waits and may come. True: it did. */
bool pv_upcall(struct monitor *mon);

/* ---- events (pv_events.c) ------------------------------------------------ */
bool pv_timer_create(struct monitor *mon);
void pv_raise_virq(struct monitor *mon, unsigned virq);
bool pv_console_ready(const struct monitor *mon);
void pv_console_input(struct monitor *mon, uint8_t byte);

/* ---- hypercalls ---------------------------------------------------------- */
typedef int32_t pv_call_fn(struct monitor *mon, const uint32_t arg[5]);
pv_call_fn pv_set_trap_table, pv_set_callbacks, pv_stack_switch, pv_set_gdt,
    pv_set_ldt, pv_update_descriptor, pv_fpu_taskswitch; /* pv_cpu.c */
pv_call_fn pv_mmu_update, pv_mmu_op, pv_update_va;       /* pv_mmu.c */
pv_call_fn pv_event_op, pv_set_timer, pv_console_io, pv_sched_op;
/* pv_calls.c: the call in the guest's registers. */
void pv_hypercall(struct monitor *mon);

#endif
