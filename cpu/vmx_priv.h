/* SPDX-License-Identifier: MIT */
/* cpu/vmx_priv.h - inside the machine: the state of its VMX (cpu/ only).
 *
 * While a guest's state is in the processor ("loaded"), its VMCS's guest-state
 * area is cached there: a field of it is read from the processor, unless it
 * was written since the exit ("stale" in the processor), when memory has the
 * newer value until the next entry.
 */
#ifndef CPU_VMX_PRIV_H
#define CPU_VMX_PRIV_H

#include "cpu/arch.h"
#include "cpu/decode.h"
#include "cpu/ept.h"
#include "cpu/paging.h"
#include "cpu/vmx_fields.h"

struct machine;

/* The execution controls as the latest entry checked them. */
struct vmx_controls {
    uint32_t pin, proc, proc2;
    uint32_t exceptions, pf_mask, pf_match;
    uint32_t cr0_mask, cr0_shadow, cr4_mask, cr4_shadow;
    uint32_t cr3_targets, cr3_target[4];
    uint64_t io_bitmap_a, io_bitmap_b, msr_bitmap, tsc_offset;
    uint64_t eptp; /* 0: no nested paging */
    uint32_t exit, entry;
    uint16_t vpid;
};

/* What a walk of the nested tables came to. */
struct ept_result {
    ma_t ma;
    uint8_t rights, references;
    bool misconfigured;
    bool dirty; /* a write sets no bit */
};

/* "Guest-physical mappings": walks of the nested tables whose accessed bits are
 * set, kept until INVEPT (or a flush of everything). Their references count as
 * if they were made again. */
enum { EPT_SLOTS = 1024 };
struct ept_slot {
    uint64_t eptp, gfn;
    uint64_t flushes; /* as many as there had been */
    struct ept_result page;
};

/* The latest access that the nested tables refused: what its exit tells. */
struct ept_refusal {
    bool misconfigured;
    uint32_t qualification, linear;
    uint64_t gpa;
};

struct vmx {
    bool on;       /* in VMX operation */
    bool non_root; /* the guest runs */
    bool loaded;   /* the processor holds the current VMCS's guest state */
    bool control_written; /* since the controls were checked */
    uint64_t region, current;
    uint64_t stale; /* by place */
    struct vmx_controls c;
    uint64_t sites[2]; /* instructions that a control may reach, by insn id */
    uint8_t cr_sites;  /* MOV from CR: which CR */

    /* What is to be done before the guest's next instruction. */
    bool exited;   /* call the monitor */
    bool inject;   /* deliver the event of the entry */
    bool settling; /* that is being done */
    bool trap;     /* exit after one instruction (monitor trap flag) */
    bool injected; /* the event delivered last was the entry's */
    struct ept_refusal ept;
    const char *complaint;
};

/* Fields of the current VMCS in memory. */
uint32_t vmcs_get(const struct machine *m, enum vmcs_place place);
uint64_t vmcs_get64(const struct machine *m, enum vmcs_place place);
void vmcs_put(struct machine *m, enum vmcs_place place, uint32_t value);
void vmcs_put64(struct machine *m, enum vmcs_place place, uint64_t value);

/* Are a guest's physical addresses translated by nested tables now? */
static inline bool vmx_nested(const struct vmx *v)
{
    return v->loaded && v->c.eptp;
}

/* vmx_state.c: the guest-state area and the processor. */
uint64_t vmx_guest_field(const struct machine *m, enum vmcs_place place);
/* Is the newest value there? */
bool vmx_in_processor(const struct machine *m, enum vmcs_place place);
/* From wherever it is newer. */
uint32_t vmx_guest_value(const struct machine *m, enum vmcs_place place);
void vmx_write_back(struct machine *m);
/* Is a guest with these control registers translated by PAE paging? */
bool vmx_guest_pae(const struct machine *m, uint32_t cr0, uint32_t cr4);
/* The PDPTE registers that an entry loads with this CR3; false: reserved
 * bits. */
bool vmx_guest_pdptes(struct machine *m, uint32_t cr3, uint64_t pdpte[PDPTES]);
void vmx_load_guest(struct machine *m);
/* VM entries and VM exits invalidate what has VPID 0, unless the guest has a
 * VPID of its own. */
void vmx_flush_untagged(struct machine *m);

/* vmx_check.c, vmx_check_guest.c: NULL, or what is wrong. */
const char *vmx_check_controls(const struct machine *m);
const char *vmx_check_host(const struct machine *m);
/* qualification: of the exit that follows. */
const char *vmx_check_guest(struct machine *m, uint32_t *qualification);

/* vmx_capability.c */
uint32_t vmx_must_be(uint32_t msr);
uint32_t vmx_may_be(uint32_t msr);

/* vmx_table.c: LGDT LIDT SGDT SIDT, LLDT LTR SLDT STR. True: it exited. */
bool vmx_uses_table(int id);
bool vmx_table_exits(struct machine *m, const struct insn *insn,
                     const struct cpu_state *s);

/* vmx_exit.c */
struct vmx_exit {
    uint32_t reason, qualification;
    uint32_t interruption, error; /* of the event that exits */
    uint32_t length, instruction, linear;
    uint64_t physical;
    const struct arch_event *vectored; /* what was being delivered; NULL */
};
void vmx_exit(struct machine *m, const struct vmx_exit *x);
uint32_t vmx_interruption(const struct arch_event *event);
/* Call the monitor for an exit, deliver what an entry injects, until the guest
 * can run (or the machine is to stop). */
void vmx_settle(struct machine *m);

/* vmx_event.c: exceptions, interrupts, delivery, in non-root operation. */
void vmx_fault(struct machine *m, const struct fault *f);
void vmx_software(struct machine *m, const struct arch_event *event);
void vmx_task_switch(struct machine *m, const struct fault *f,
                     const struct arch_event *event);
void vmx_deliver(struct machine *m, const struct arch_event *event);
void vmx_inject(struct machine *m);
void vmx_boundary(struct machine *m);
/* Must the guest stop at this boundary for an interrupt or a window? Now: even
 * if its flags do not allow interrupts. */
bool vmx_event_due(const struct machine *m);
bool vmx_event_due_now(const struct machine *m);
bool vmx_window_wanted(const struct machine *m);
void vmx_monitor_trap(struct machine *m);

/* vmx_ept.c */
/* The machine's walk_access() and machine_walk() in two dimensions. Addresses
 * in the w of the first are the machine's, and w->dirty is false as long as a
 * write must ask again. A fault with VEC_EPT stands for the exit that
 * m->vmx.ept tells. */
bool vmx_walk(struct machine *m, uint32_t linear, unsigned access,
              struct paging_walk *w, struct fault *f);
/* The same walk, if the nested tables allow all of it and have no bit to be set
 * for it; what the guest's say of the access is not asked. Nothing counts. */
bool vmx_walk_settled(struct machine *m, uint32_t linear, unsigned access,
                      struct paging_walk *w);
bool vmx_look(const struct machine *m, uint32_t linear, struct paging_walk *w,
              ma_t *ma);
/* The guest-physical mappings of these nested tables are kept no longer. */
void vmx_ept_forget(struct machine *m, uint64_t eptp);
/* A guest-physical address that no linear one stands for. */
bool vmx_translate(struct machine *m, gpa_t gpa, ma_t *ma);
/* The refused access was to this linear address, not only to its page. */
void vmx_ept_at(struct machine *m, uint32_t linear);
/* The exit that m->vmx.ept tells; event: what was being delivered, or NULL. */
void vmx_ept_exit(struct machine *m, const struct arch_event *event);

/* vmx_intercept.c: instructions. */
void vmx_find_sites(struct machine *m);
static inline bool vmx_is_site(const struct vmx *v, const struct insn *insn)
{
    if (insn->id == INSN_MOV_FROM_CR)
        return v->cr_sites >> insn->modrm_reg & 1;
    return v->sites[insn->id / 64] >> insn->id % 64 & 1;
}
/* True: it exited, and does not count as retired. */
bool vmx_intercept(struct machine *m, const struct insn *insn,
                   const struct cpu_state *s);
bool vmx_undefined(struct machine *m);
uint32_t vmx_operand_linear(const struct cpu_state *s, const struct insn *insn,
                            const struct operand *op);

/* vmx_cr.c */
bool vmx_cr_exits(struct machine *m, const struct insn *insn,
                  const struct cpu_state *s);
/* Control registers as non-root software sees them, and back. */
void vmx_show_cr(const struct machine *m, struct cpu_state *s);
void vmx_merge_cr(const struct machine *m, struct cpu_state *s,
                  const struct cpu_state *before);

#endif
