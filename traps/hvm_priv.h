/* SPDX-License-Identifier: MIT */
/* traps/hvm_priv.h - inside the hardware-supported technique (traps/hvm*.c).
 *
 * The virtual processor is the VMCS's guest state, and what of it monitor.v
 * holds is fetched when a handler needs it: an exit that looks at three fields
 * reads three fields.
 *
 * With nested paging the guest owns its control registers and its tables, and
 * no page fault exits.
 */
#ifndef TRAPS_HVM_PRIV_H
#define TRAPS_HVM_PRIV_H

#include "cpu/vmx.h"
#include "shadowmmu/nested.h"
#include "traps/monitor_priv.h"

/* Parts of monitor.v. Without nested paging, CR3, CR4 and the bits of CR0 that
 * the monitor owns are always there: the guest cannot change them by itself. */
enum hvm_part {
    PART_SITE = 1,     /* EIP, EFLAGS, CPL, blocking; nested: CR0, CR3, CR4 */
    PART_GPR = 2,      /* general registers */
    PART_SEGMENTS = 4, /* ES to GS */
    PART_SYSTEM = 8,   /* the rest */
    PARTS_DATA = PART_SITE | PART_GPR | PART_SEGMENTS,
    PARTS_ALL = PARTS_DATA | PART_SYSTEM,
};

/* The guest's VPIDs, and the root of the VMM's tables that each has entries of
 * (traps/hvm_tags.c). */
enum { HVM_TAGS = 32, VPID_OF_GUEST = 1 };
struct hvm_tags {
    struct hvm_tag {
        struct mmu_root root;
        uint64_t withdrawn; /* as many of all it was told of; 0: none */
    } tag[HVM_TAGS];        /* by VPID - 1 */
    uint64_t withdrawn;     /* how often a right was, and 1 */
    unsigned current, next;
};

struct hvm {
    ma_t vmxon_region, vmcs;
    ma_t io_bitmap[2], msr_bitmap;
    bool launched;
    bool in_exit;     /* between VM exit and VM entry: the VMCS can be used */
    unsigned valid;   /* parts of monitor.v that are fetched */
    unsigned written; /* parts to write back if monitor.dirty */
    struct mmu_root root; /* in the VMCS; nested: in EPT_POINTER */
    uint32_t proc;        /* the processor-based controls */
    bool window;          /* wait for the guest to allow an interrupt */
    bool nmi_window;
    bool open; /* a traced page is writable for one instruction */
    struct hvm_tags tags;

    /* The event whose delivery the exit interrupted; to be delivered again
     * unless something else comes of it. */
    bool vectoring, injected;
    bool again; /* the event injected last comes of an earlier delivery */
    struct arch_event vectored;
    uint32_t vectored_length;
};

static inline struct hvm *hvm_of(const struct monitor *mon)
{
    return mon->own;
}

/* Are the processor's tables the guest's own, and ours the nested ones? */
static inline bool hvm_nested(const struct monitor *mon)
{
    return mmu_technique(mon->mmu) == &mmu_nested;
}

/* Do the entries of the processor's TLB bear the guest's tags? */
static inline bool hvm_tagged(const struct monitor *mon)
{
    return !(mon->config.mmu_without & MMU_VPID);
}

static inline bool hvm_same_root(const struct mmu_root *a,
                                 const struct mmu_root *b)
{
    return a->ma.v == b->ma.v && a->pae == b->pae && a->nx == b->nx &&
           memcmp(a->pdpte, b->pdpte, sizeof a->pdpte) == 0;
}

/* VMREAD and VMWRITE of fields that exist; anything else is our bug. */
uint32_t hvm_read(struct monitor *mon, uint32_t encoding);
void hvm_write(struct monitor *mon, uint32_t encoding, uint32_t value);

/* hvm_state.c */
void hvm_fetch(struct monitor *mon, unsigned parts);
void hvm_capture(struct monitor *mon);
void hvm_install(struct monitor *mon);
/* The instruction was done: EIP behind it, and what goes with that. */
void hvm_skip(struct monitor *mon);

/* hvm_tags.c */
void hvm_tags_withdrawn(struct monitor *mon);
/* Does the TLB have nothing under the present VPID that the tables have not? */
bool hvm_tags_true(const struct monitor *mon);
/* The VPID for monitor.root. */
void hvm_tags_choose(struct monitor *mon);
/* The TLB is to forget what is under the present VPID. */
void hvm_tags_forget(struct monitor *mon);

/* hvm_setup.c */
bool hvm_start(struct monitor *mon, char **error);
void hvm_destroy(struct monitor *mon);
void hvm_enter(struct monitor *mon);

/* hvm_inject.c */
void hvm_inject(struct monitor *mon, const struct arch_event *event,
                const char *cause);
void hvm_note_vectoring(struct monitor *mon);
/* An exit has cut a delivery short: what it ran through is in monitor.chain. */
void hvm_follow_delivery(struct monitor *mon);
void hvm_events(struct monitor *mon);
void hvm_pin(struct monitor *mon, bool pending);

/* hvm_fault.c */
void hvm_page_fault(struct monitor *mon);
void hvm_ept_violation(struct monitor *mon);
/* The page that was open for one instruction is closed again. */
void hvm_close_step(struct monitor *mon);
/* The instruction at CS:EIP; do it. parts: all that it can change. */
bool hvm_current(struct monitor *mon, struct insn *insn,
                 uint8_t bytes[INSN_MAX_LENGTH]);
void hvm_emulate(struct monitor *mon, const struct insn *insn,
                 const uint8_t *bytes, unsigned parts);

/* hvm_exit.c */
void hvm_exit(struct monitor *mon);
/* Into the guest, whatever is to be written before that. */
void hvm_resume(struct monitor *mon);

#endif
