/* SPDX-License-Identifier: MIT */
/* cpu/vmx_state.c - the guest-state area and the processor.
 *
 * Reference: SDM 3C, "Guest-State Area", "Loading Guest State", "Saving Guest
 * State".
 */
#include "cpu/machine_priv.h"
#include "cpu/vmx.h"

#define BIT(place) (1ull << (place))

/* Fields of which nothing else in the processor depends. */
#define INDEPENDENT                                                            \
    (BIT(F_GUEST_EIP) | BIT(F_GUEST_EFLAGS) | BIT(F_GUEST_ESP) |               \
     BIT(F_GUEST_CR3) | BIT(F_GUEST_DR7) | BIT(F_GUEST_SYSENTER_CS) |          \
     BIT(F_GUEST_SYSENTER_ESP) | BIT(F_GUEST_SYSENTER_EIP) |                   \
     BIT(F_GUEST_INTERRUPTIBILITY) | BIT(F_GUEST_ACTIVITY) | MEMORY_ONLY)
#define MEMORY_ONLY                                                            \
    (BIT(F_GUEST_PENDING_DEBUG) | BIT(F_GUEST_SMBASE) |                        \
     BIT(F_GUEST_DEBUGCTL) | BIT(F_VMCS_LINK_POINTER))

enum { SEGMENTS = SEG_COUNT + 2 }; /* with LDTR and TR, as the fields count */

_Static_assert(F_VMCS_LINK_POINTER < 64, "a bit for each guest field");

static bool is_pdpte(enum vmcs_place place)
{
    return place >= F_GUEST_PDPTE0 && place <= F_GUEST_PDPTE3;
}

bool vmx_in_processor(const struct machine *m, enum vmcs_place place)
{
    const struct vmx *v = &m->vmx;

    if (!v->loaded || (v->stale & BIT(place)))
        return false;
    if (place == F_GUEST_EFER)
        return (v->c.exit & EXIT_SAVE_EFER) != 0;
    if (is_pdpte(place)) /* fields that only EPT saves and loads */
        return (v->c.proc2 & PROC2_EPT) && m->paging.format == &paging_pae;
    return !(MEMORY_ONLY & BIT(place));
}

/* Without EPT an unrestricted guest is translated in every mode. */
bool vmx_guest_pae(const struct machine *m, uint32_t cr0, uint32_t cr4)
{
    uint32_t proc2 = m->vmx.c.proc2;
    bool always = (proc2 & PROC2_UNRESTRICTED) && !(proc2 & PROC2_EPT);

    return ((cr0 & CR0_PG) || always) && (cr4 & CR4_PAE);
}

bool vmx_guest_pdptes(struct machine *m, uint32_t cr3, uint64_t pdpte[PDPTES])
{
    struct mem_ops mem = machine_mem_ops(m);
    struct cpu_state s = {.cr3 = cr3};
    bool valid = true;
    struct fault f;

    if (!(m->vmx.c.proc2 & PROC2_EPT)) {
        valid = arch_load_pdptes(&s, &mem, &f);
        memcpy(pdpte, s.pdpte, sizeof s.pdpte);
        return valid;
    }
    for (unsigned i = 0; i < PDPTES; i++) {
        enum vmcs_place place = (enum vmcs_place)(F_GUEST_PDPTE0 + i);

        pdpte[i] = vmx_in_processor(m, place) ? vmx_guest_field(m, place)
                                              : vmcs_get64(m, place);
        valid &= paging_pdpte_valid(pdpte[i]);
    }
    return valid;
}

/* ---- from the processor -------------------------------------------------- */

static const struct live_segment *segment_of(const struct machine *m,
                                             unsigned n)
{
    const struct live *l = &m->engine.live;

    return n < SEG_COUNT ? &l->seg[n] : n == SEG_COUNT ? l->ldt : l->tr;
}

/* A segment that was loaded is accessed, though the engine's copy of the
 * descriptor may be from before. */
static uint32_t rights_of(const struct live_segment *s)
{
    uint32_t rights = s->flags >> 8 & SEG_ATTR_MASK;

    if (rights & SEG_S)
        rights |= SEG_ACCESSED;
    return rights ? rights : RIGHTS_UNUSABLE;
}

/* Which instruction blocks is not known; STI leaves IF set. */
static uint32_t interruptibility(const struct machine *m)
{
    const struct live *l = &m->engine.live;
    uint32_t state = *l->hflags2 & HF2_NMI ? BLOCKING_NMI : 0;

    if (*l->hflags & HF_INHIBIT_IRQ)
        state |= *l->eflags & EFL_IF ? BLOCKING_STI : BLOCKING_MOV_SS;
    return state;
}

uint64_t vmx_guest_field(const struct machine *m, enum vmcs_place place)
{
    const struct live *l = &m->engine.live;
    unsigned n = place % SEGMENTS;

    if (place <= F_GUEST_TR_BASE) {
        const struct live_segment *s = segment_of(m, n);

        return place < F_GUEST_ES_LIMIT    ? s->selector & 0xFFFF
               : place < F_GUEST_ES_RIGHTS ? s->limit
               : place < F_GUEST_ES_BASE   ? rights_of(s)
               : place < F_GUEST_TR_BASE   ? (uint32_t)s->base
                                           : m->extra.tr.base;
    }
    switch (place) {
    case F_GUEST_GDTR_BASE: return (uint32_t)l->gdt->base;
    case F_GUEST_IDTR_BASE: return (uint32_t)l->idt->base;
    case F_GUEST_GDTR_LIMIT: return l->gdt->limit & 0xFFFF;
    case F_GUEST_IDTR_LIMIT: return l->idt->limit & 0xFFFF;
    case F_GUEST_CR0: return (uint32_t)l->cr[0];
    case F_GUEST_CR3: return (uint32_t)l->cr[3];
    case F_GUEST_CR4: return (uint32_t)l->cr[4] | CR4_VMXE;
    case F_GUEST_DR7: return m->extra.dr[7];
    case F_GUEST_ESP: return (uint32_t)l->regs[GPR_ESP];
    case F_GUEST_EIP: return (uint32_t)*l->eip;
    case F_GUEST_EFLAGS: return engine_eflags(&m->engine);
    case F_GUEST_SYSENTER_CS: return m->extra.sysenter_cs;
    case F_GUEST_SYSENTER_ESP: return m->extra.sysenter_esp;
    case F_GUEST_SYSENTER_EIP: return m->extra.sysenter_eip;
    case F_GUEST_EFER: return m->extra.efer;
    case F_GUEST_PDPTE0:
    case F_GUEST_PDPTE1:
    case F_GUEST_PDPTE2:
    case F_GUEST_PDPTE3: return m->extra.pdpte[place - F_GUEST_PDPTE0];
    case F_GUEST_INTERRUPTIBILITY: return interruptibility(m);
    case F_GUEST_ACTIVITY: return m->halted ? ACTIVITY_HLT : ACTIVITY_ACTIVE;
    default: return vmcs_get(m, place);
    }
}

void vmx_write_back(struct machine *m)
{
    for (unsigned place = 0; place <= F_VMCS_LINK_POINTER; place++)
        if (vmx_in_processor(m, place))
            vmcs_put64(m, place, vmx_guest_field(m, place));
}

/* ---- into the processor -------------------------------------------------- */

static struct segment segment_from(const struct machine *m, unsigned n)
{
    uint32_t rights = vmcs_get(m, F_GUEST_ES_RIGHTS + n);

    return (struct segment){
        .base = vmcs_get(m, F_GUEST_ES_BASE + n),
        .limit = vmcs_get(m, F_GUEST_ES_LIMIT + n),
        .selector = (uint16_t)vmcs_get(m, F_GUEST_ES_SELECTOR + n),
        .attr =
            rights & RIGHTS_UNUSABLE ? 0 : (uint16_t)(rights & SEG_ATTR_MASK),
    };
}

static void load_blocking(struct machine *m, struct cpu_state *s)
{
    uint32_t state = vmcs_get(m, F_GUEST_INTERRUPTIBILITY);

    s->interrupt_shadow = (state & (BLOCKING_STI | BLOCKING_MOV_SS)) != 0;
    s->nmi_blocked = (state & BLOCKING_NMI) != 0;
}

/* Paging registers that the state's control registers bring with them. */
static void load_paging(struct machine *m, struct cpu_state *s)
{
    if (m->vmx.c.entry & ENTRY_LOAD_EFER)
        s->efer = vmcs_get64(m, F_GUEST_EFER);
    if (vmx_guest_pae(m, s->cr0, s->cr4))
        vmx_guest_pdptes(m, s->cr3, s->pdpte);
}

/* All of the area is in memory. */
static void load_all(struct machine *m)
{
    struct cpu_state s;

    machine_get_state(m, &s); /* the registers that the area has not */
    for (unsigned i = 0; i < SEG_COUNT; i++)
        s.seg[i] = segment_from(m, i);
    s.ldtr = segment_from(m, SEG_COUNT);
    s.tr = segment_from(m, SEG_COUNT + 1);
    s.gdtr = (struct table_reg){vmcs_get(m, F_GUEST_GDTR_BASE),
                                (uint16_t)vmcs_get(m, F_GUEST_GDTR_LIMIT)};
    s.idtr = (struct table_reg){vmcs_get(m, F_GUEST_IDTR_BASE),
                                (uint16_t)vmcs_get(m, F_GUEST_IDTR_LIMIT)};
    s.cr0 = vmcs_get(m, F_GUEST_CR0);
    s.cr3 = vmcs_get(m, F_GUEST_CR3);
    s.cr4 = vmcs_get(m, F_GUEST_CR4) & ~CR4_VMXE;
    load_paging(m, &s);
    s.dr[7] = vmcs_get(m, F_GUEST_DR7);
    s.gpr[GPR_ESP] = vmcs_get(m, F_GUEST_ESP);
    s.eip = vmcs_get(m, F_GUEST_EIP);
    s.eflags = vmcs_get(m, F_GUEST_EFLAGS);
    s.sysenter_cs = vmcs_get(m, F_GUEST_SYSENTER_CS);
    s.sysenter_esp = vmcs_get(m, F_GUEST_SYSENTER_ESP);
    s.sysenter_eip = vmcs_get(m, F_GUEST_SYSENTER_EIP);
    load_blocking(m, &s);
    s.cpl = 0;
    if (state_protected(&s))
        s.cpl = (uint8_t)((s.seg[SEG_SS].attr & SEG_DPL) >> SEG_DPL_SHIFT);
    if (!s.seg[SEG_SS].attr) /* null: its selector has the privilege */
        s.cpl = s.seg[SEG_SS].selector & SEL_RPL;
    machine_put_state(m, &s);
}

static void load_flags(struct machine *m)
{
    uint32_t *h = m->engine.live.hflags, *h2 = m->engine.live.hflags2;
    struct cpu_state s;

    load_blocking(m, &s);
    *h = (*h & ~(uint32_t)HF_INHIBIT_IRQ) |
         (s.interrupt_shadow ? HF_INHIBIT_IRQ : 0u);
    *h2 = (*h2 & ~(uint32_t)HF2_NMI) | (s.nmi_blocked ? HF2_NMI : 0u);
}

/* The processor may load the PDPTEs at every entry; this one does when CR3 was
 * written. */
static void load_cr3(struct machine *m)
{
    const uint64_t *cr = m->engine.live.cr;
    uint32_t cr3 = vmcs_get(m, F_GUEST_CR3);
    bool pae = vmx_guest_pae(m, (uint32_t)cr[0], (uint32_t)cr[4]);

    if (pae)
        vmx_guest_pdptes(m, cr3, m->extra.pdpte);
    m->engine.live.cr[3] = cr3;
}

/* The fields of INDEPENDENT that were written. */
static void load_some(struct machine *m, uint64_t which)
{
    struct live *l = &m->engine.live;

    if (which & BIT(F_GUEST_EIP))
        *l->eip = vmcs_get(m, F_GUEST_EIP);
    if (which & BIT(F_GUEST_ESP))
        l->regs[GPR_ESP] = vmcs_get(m, F_GUEST_ESP);
    if (which & BIT(F_GUEST_EFLAGS))
        engine_set_eflags(&m->engine, vmcs_get(m, F_GUEST_EFLAGS));
    if (which & BIT(F_GUEST_INTERRUPTIBILITY))
        load_flags(m);
    if (which & BIT(F_GUEST_CR3))
        load_cr3(m);
    if (which & BIT(F_GUEST_DR7))
        m->extra.dr[7] = vmcs_get(m, F_GUEST_DR7);
    if (which & BIT(F_GUEST_SYSENTER_CS))
        m->extra.sysenter_cs = vmcs_get(m, F_GUEST_SYSENTER_CS);
    if (which & BIT(F_GUEST_SYSENTER_ESP))
        m->extra.sysenter_esp = vmcs_get(m, F_GUEST_SYSENTER_ESP);
    if (which & BIT(F_GUEST_SYSENTER_EIP))
        m->extra.sysenter_eip = vmcs_get(m, F_GUEST_SYSENTER_EIP);
}

/* The guest changed its EFER, and neither the exit nor it is to be kept. */
static bool reloads_efer(const struct machine *m)
{
    return (m->vmx.c.entry & ENTRY_LOAD_EFER) &&
           !vmx_in_processor(m, F_GUEST_EFER) &&
           m->extra.efer != vmcs_get64(m, F_GUEST_EFER);
}

static bool changes_mode(const struct machine *m)
{
    uint64_t stale = m->vmx.stale;

    if (!m->vmx.loaded || (stale & ~INDEPENDENT) || reloads_efer(m))
        return true;
    return (stale & BIT(F_GUEST_EFLAGS)) &&
           ((vmcs_get(m, F_GUEST_EFLAGS) ^ *m->engine.live.eflags) & EFL_VM);
}

void vmx_flush_untagged(struct machine *m)
{
    if (m->vmx.c.proc2 & PROC2_VPID)
        return;
    m->trace->count.tlb_flushes++;
    drops_flush(m, TLB_CONTEXT, 0);
}

void vmx_load_guest(struct machine *m)
{
    struct vmx *v = &m->vmx;

    if (!v->loaded || (v->stale & BIT(F_GUEST_ACTIVITY)))
        m->halted = vmcs_get(m, F_GUEST_ACTIVITY) == ACTIVITY_HLT;
    if (changes_mode(m)) {
        if (v->loaded)
            vmx_write_back(m);
        load_all(m);
    } else if (v->stale) {
        load_some(m, v->stale);
    }
    m->extra.tsc_offset = v->c.tsc_offset;
    v->loaded = true;
    v->stale = 0;
    walk_configure(m);
    /* With a VPID even other control registers leave translations alone. */
    drops_switch(m, v->c.proc2 & PROC2_VPID ? v->c.vpid : 0,
                 v->c.eptp ? TLB_NESTED_BY(v->c.eptp) : 0);
    vmx_flush_untagged(m);
}
