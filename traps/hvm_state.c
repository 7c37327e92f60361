/* SPDX-License-Identifier: MIT */
/* traps/hvm_state.c - the virtual processor in the VMCS.
 *
 * What differs between the guest's belief and the processor's state: paging is
 * always on (the VMM's tables), writes always obey the W bit, and some fixed
 * bits. These bits of CR0 and CR4 are the monitor's, and their read shadows
 * show what the guest believes. With nested paging they are the guest's, but
 * for what VMX operation fixes. A real-mode guest runs in real mode, as an
 * unrestricted guest.
 *
 * Reference: SDM 3C, "Guest/Host Masks and Read Shadows for CR0 and CR4".
 */
#include "traps/hvm_priv.h"

/* The guest's own: switched often, by Linux at each use of the FPU. */
#define CR0_GUEST (CR0_MP | CR0_EM | CR0_TS | CR0_AM)
#define CR4_GUEST_REAL                                                         \
    (CR4_TSD | CR4_DE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT)

/* Fixed to 1 in VMX operation, whatever the guest believes. */
#define CR0_FIXED CR0_NE
#define CR4_FIXED CR4_VMXE

uint32_t hvm_read(struct monitor *mon, uint32_t encoding)
{
    uint32_t value = 0;

    if (vmx_read(mon->machine, encoding, &value) != VMX_SUCCEED)
        exits_stop(mon, MONITOR_BROKEN, "VMREAD of field %04x failed",
                   encoding);
    return value;
}

void hvm_write(struct monitor *mon, uint32_t encoding, uint32_t value)
{
    if (vmx_write(mon->machine, encoding, value) != VMX_SUCCEED)
        exits_stop(mon, MONITOR_BROKEN, "VMWRITE of field %04x failed",
                   encoding);
}

static uint64_t hvm_read64(struct monitor *mon, uint32_t encoding)
{
    return hvm_read(mon, encoding) | (uint64_t)hvm_read(mon, encoding + 1)
                                         << 32;
}

static void hvm_write64(struct monitor *mon, uint32_t encoding, uint64_t value)
{
    hvm_write(mon, encoding, (uint32_t)value);
    hvm_write(mon, encoding + 1, (uint32_t)(value >> 32));
}

/* ---- from the VMCS --------------------------------------------------------
 */

static struct segment read_segment(struct monitor *mon, unsigned n)
{
    uint32_t rights = hvm_read(mon, VMCS_GUEST_ES_RIGHTS + 2 * n);

    return (struct segment){
        .base = hvm_read(mon, VMCS_GUEST_ES_BASE + 2 * n),
        .limit = hvm_read(mon, VMCS_GUEST_ES_LIMIT + 2 * n),
        .selector = (uint16_t)hvm_read(mon, VMCS_GUEST_ES_SELECTOR + 2 * n),
        .attr = rights & RIGHTS_UNUSABLE ? 0 : (uint16_t)rights,
    };
}

/* The guest may have changed them without an exit. */
static void fetch_own_control_registers(struct monitor *mon)
{
    struct cpu_state *v = &mon->v;

    v->cr0 =
        (hvm_read(mon, VMCS_GUEST_CR0) & ~CR0_FIXED) | (v->cr0 & CR0_FIXED);
    v->cr3 = hvm_read(mon, VMCS_GUEST_CR3);
    v->cr4 = hvm_read(mon, VMCS_GUEST_CR4) & ~CR4_FIXED;
    for (unsigned i = 0; i < PDPTES && state_pae(v); i++)
        v->pdpte[i] = hvm_read64(mon, VMCS_GUEST_PDPTE0 + 2 * i);
}

static void fetch_site(struct monitor *mon)
{
    struct cpu_state *v = &mon->v;
    uint32_t ss = hvm_read(mon, VMCS_GUEST_SS_RIGHTS);
    uint32_t blocking = hvm_read(mon, VMCS_GUEST_INTERRUPTIBILITY);

    if (hvm_nested(mon))
        fetch_own_control_registers(mon);
    v->eip = hvm_read(mon, VMCS_GUEST_EIP);
    v->eflags = hvm_read(mon, VMCS_GUEST_EFLAGS);
    v->cpl = 0;
    if (state_protected(v))
        v->cpl = (uint8_t)((ss & SEG_DPL) >> SEG_DPL_SHIFT);
    v->interrupt_shadow = (blocking & (BLOCKING_STI | BLOCKING_MOV_SS)) != 0;
    v->nmi_blocked = (blocking & BLOCKING_NMI) != 0;
}

static void fetch_system(struct monitor *mon)
{
    struct cpu_state *v = &mon->v, real;

    v->ldtr = read_segment(mon, SEG_COUNT);
    v->tr = read_segment(mon, SEG_COUNT + 1);
    v->gdtr.base = hvm_read(mon, VMCS_GUEST_GDTR_BASE);
    v->gdtr.limit = (uint16_t)hvm_read(mon, VMCS_GUEST_GDTR_LIMIT);
    v->idtr.base = hvm_read(mon, VMCS_GUEST_IDTR_BASE);
    v->idtr.limit = (uint16_t)hvm_read(mon, VMCS_GUEST_IDTR_LIMIT);
    if (!hvm_nested(mon))
        v->cr0 =
            (v->cr0 & ~CR0_GUEST) | (hvm_read(mon, VMCS_GUEST_CR0) & CR0_GUEST);
    v->sysenter_cs = hvm_read(mon, VMCS_GUEST_SYSENTER_CS);
    v->sysenter_esp = hvm_read(mon, VMCS_GUEST_SYSENTER_ESP);
    v->sysenter_eip = hvm_read(mon, VMCS_GUEST_SYSENTER_EIP);
    machine_get_state(mon->machine, &real); /* not in a VMCS */
    v->cr2 = real.cr2;
    memcpy(v->dr, real.dr, sizeof v->dr);
    v->dr[7] = hvm_read(mon, VMCS_GUEST_DR7);
    v->halted = hvm_read(mon, VMCS_GUEST_ACTIVITY) == ACTIVITY_HLT;
}

void hvm_fetch(struct monitor *mon, unsigned parts)
{
    struct hvm *h = hvm_of(mon);
    unsigned missing = parts & ~h->valid;

    if (missing & PART_SITE)
        fetch_site(mon);
    if (missing & PART_GPR)
        for (unsigned i = 0; i < GPR_COUNT; i++)
            mon->v.gpr[i] = machine_reg(mon->machine, (enum gpr)i);
    if (missing & PART_SEGMENTS)
        for (unsigned i = 0; i < SEG_COUNT; i++)
            mon->v.seg[i] = read_segment(mon, i);
    if (missing & PART_SYSTEM)
        fetch_system(mon);
    h->valid |= missing;
}

/* From outside, while the guest runs: somebody looks at the processor. */
static void look(struct monitor *mon)
{
    struct cpu_state *v = &mon->v, real;
    const struct cpu_state kept = *v;

    machine_get_state(mon->machine, &real);
    *v = real;
    if (hvm_nested(mon)) {
        v->cr0 = (real.cr0 & ~CR0_FIXED) | (kept.cr0 & CR0_FIXED);
        v->cr4 = real.cr4 & ~CR4_FIXED;
    } else {
        v->cr0 = (kept.cr0 & ~CR0_GUEST) | (real.cr0 & CR0_GUEST);
        v->cr3 = kept.cr3;
        v->cr4 = kept.cr4;
        v->efer = kept.efer;
        memcpy(v->pdpte, kept.pdpte, sizeof v->pdpte);
    }
    v->tsc_offset = kept.tsc_offset;
    v->apicbase = kept.apicbase;
    v->pat = kept.pat;
    v->misc_enable = kept.misc_enable;
}

void hvm_capture(struct monitor *mon)
{
    if (hvm_of(mon)->in_exit)
        hvm_fetch(mon, PARTS_ALL);
    else
        look(mon);
}

/* ---- to the VMCS ----------------------------------------------------------
 */

static void write_segment(struct monitor *mon, unsigned n,
                          const struct segment *s)
{
    hvm_write(mon, VMCS_GUEST_ES_SELECTOR + 2 * n, s->selector);
    hvm_write(mon, VMCS_GUEST_ES_BASE + 2 * n, s->base);
    hvm_write(mon, VMCS_GUEST_ES_LIMIT + 2 * n, s->limit);
    hvm_write(mon, VMCS_GUEST_ES_RIGHTS + 2 * n,
              s->attr ? s->attr : RIGHTS_UNUSABLE);
}

static void write_site(struct monitor *mon)
{
    const struct cpu_state *v = &mon->v;
    uint32_t blocking = v->nmi_blocked ? BLOCKING_NMI : 0;

    if (v->interrupt_shadow)
        blocking |= v->eflags & EFL_IF ? BLOCKING_STI : BLOCKING_MOV_SS;
    hvm_write(mon, VMCS_GUEST_EIP, v->eip);
    hvm_write(mon, VMCS_GUEST_EFLAGS, v->eflags);
    hvm_write(mon, VMCS_GUEST_INTERRUPTIBILITY, blocking);
}

/* A task register that was never loaded: a VM entry wants a busy TSS. Nothing
 * fits into this one. */
static struct segment task_register(const struct cpu_state *v)
{
    struct segment tr = v->tr;

    if ((tr.attr & SEG_TYPE & ~8u) != SYS_TSS16_BUSY || !(tr.attr & SEG_P))
        tr = (struct segment){.selector = tr.selector,
                              .attr = SEG_P | SYS_TSS32_BUSY};
    return tr;
}

/* With a VPID the processor's TLB outlives a VM entry: what the guest's own
 * write would have emptied, the monitor empties when it writes for the guest.
 */
static void forget_translations(struct monitor *mon)
{
    const struct cpu_state *v = &mon->v;

    if (((hvm_read(mon, VMCS_GUEST_CR0) ^ v->cr0) & CR0_PG) ||
        ((hvm_read(mon, VMCS_GUEST_CR4) ^ v->cr4) &
         (CR4_PGE | CR4_PAE | CR4_PSE)) ||
        hvm_read(mon, VMCS_GUEST_CR3) != v->cr3 ||
        hvm_read64(mon, VMCS_GUEST_EFER) != v->efer)
        hvm_tags_forget(mon);
}

static void write_own_control_registers(struct monitor *mon)
{
    const struct cpu_state *v = &mon->v;

    forget_translations(mon);
    hvm_write(mon, VMCS_GUEST_CR0, v->cr0 | CR0_FIXED | CR0_ET);
    hvm_write(mon, VMCS_CR0_MASK, CR0_FIXED);
    hvm_write(mon, VMCS_CR0_SHADOW, v->cr0);
    hvm_write(mon, VMCS_GUEST_CR3, v->cr3);
    hvm_write(mon, VMCS_GUEST_CR4, v->cr4 | CR4_FIXED);
    hvm_write(mon, VMCS_CR4_MASK, CR4_FIXED);
    hvm_write(mon, VMCS_CR4_SHADOW, v->cr4);
    hvm_write64(mon, VMCS_GUEST_EFER, v->efer);
    for (unsigned i = 0; i < PDPTES; i++)
        hvm_write64(mon, VMCS_GUEST_PDPTE0 + 2 * i, v->pdpte[i]);
}

static void write_cr4(struct monitor *mon)
{
    hvm_write(mon, VMCS_GUEST_CR4,
              (mon->v.cr4 & CR4_GUEST_REAL) | CR4_VMXE |
                  (mon->root.pae ? CR4_PAE : CR4_PSE));
}

static void write_control_registers(struct monitor *mon)
{
    const struct cpu_state *v = &mon->v;
    uint32_t paging = state_protected(v) ? CR0_PE | CR0_PG : 0;

    hvm_write(mon, VMCS_GUEST_CR0,
              (v->cr0 & CR0_GUEST) | CR0_WP | CR0_NE | CR0_ET | paging);
    hvm_write(mon, VMCS_CR0_MASK, ~CR0_GUEST);
    hvm_write(mon, VMCS_CR0_SHADOW, v->cr0);
    write_cr4(mon);
    hvm_write(mon, VMCS_CR4_MASK, 0xFFFFFFFF);
    hvm_write(mon, VMCS_CR4_SHADOW, v->cr4);
}

static void write_system(struct monitor *mon)
{
    const struct cpu_state *v = &mon->v;
    struct segment tr = task_register(v);

    write_segment(mon, SEG_COUNT, &v->ldtr);
    write_segment(mon, SEG_COUNT + 1, &tr);
    hvm_write(mon, VMCS_GUEST_GDTR_BASE, v->gdtr.base);
    hvm_write(mon, VMCS_GUEST_GDTR_LIMIT, v->gdtr.limit);
    hvm_write(mon, VMCS_GUEST_IDTR_BASE, v->idtr.base);
    hvm_write(mon, VMCS_GUEST_IDTR_LIMIT, v->idtr.limit);
    if (hvm_nested(mon))
        write_own_control_registers(mon);
    else
        write_control_registers(mon);
    hvm_write(mon, VMCS_GUEST_SYSENTER_CS, v->sysenter_cs);
    hvm_write(mon, VMCS_GUEST_SYSENTER_ESP, v->sysenter_esp);
    hvm_write(mon, VMCS_GUEST_SYSENTER_EIP, v->sysenter_eip);
    hvm_write(mon, VMCS_TSC_OFFSET, (uint32_t)v->tsc_offset);
    hvm_write(mon, VMCS_TSC_OFFSET + 1, (uint32_t)(v->tsc_offset >> 32));
    hvm_write(mon, VMCS_GUEST_DR7, v->dr[7] | 0x400);
    hvm_write(mon, VMCS_GUEST_ACTIVITY,
              v->halted ? ACTIVITY_HLT : ACTIVITY_ACTIVE);
    vmx_set_cr2(mon->machine, v->cr2);
    for (unsigned i = 0; i < 7; i++)
        vmx_set_dr(mon->machine, i, v->dr[i]);
}

/* The VMM's tables: the processor's, or the nested ones. The four entries of a
 * PAE root are read by the processor itself. */
static void write_root(struct monitor *mon)
{
    struct hvm *h = hvm_of(mon);

    if (hvm_same_root(&mon->root, &h->root) && hvm_tags_true(mon))
        return;
    if (hvm_nested(mon)) {
        hvm_write(mon, VMCS_EPT_POINTER, (uint32_t)nested_pointer(mon->mmu));
        hvm_write(mon, VMCS_EPT_POINTER + 1, 0);
    } else {
        hvm_write(mon, VMCS_GUEST_CR3, (uint32_t)mon->root.ma.v);
        if (mon->root.pae != h->root.pae)
            write_cr4(mon);
        if (mon->root.nx != h->root.nx)
            hvm_write64(mon, VMCS_GUEST_EFER, mon->root.nx ? EFER_NXE : 0);
        hvm_tags_choose(mon);
    }
    h->root = mon->root;
}

/* Only what was fetched can have changed. */
void hvm_install(struct monitor *mon)
{
    struct hvm *h = hvm_of(mon);
    unsigned parts = h->written & h->valid;

    if (parts & PART_SITE)
        write_site(mon);
    if (parts & PART_GPR)
        for (unsigned i = 0; i < GPR_COUNT; i++)
            if (i != GPR_ESP)
                machine_set_reg(mon->machine, (enum gpr)i, mon->v.gpr[i]);
    if (parts & PART_GPR)
        hvm_write(mon, VMCS_GUEST_ESP, mon->v.gpr[GPR_ESP]);
    if (parts & PART_SEGMENTS)
        for (unsigned i = 0; i < SEG_COUNT; i++)
            write_segment(mon, i, &mon->v.seg[i]);
    if (parts & PART_SYSTEM)
        write_system(mon);
    write_root(mon);
    h->written = 0;
    mon->dirty = false;
}

void hvm_skip(struct monitor *mon)
{
    struct cpu_state *v = &mon->v;
    bool single_step = (v->eflags & EFL_TF) != 0;

    v->eip += hvm_read(mon, VMCS_EXIT_LENGTH);
    v->eflags &= ~EFL_RF;
    v->interrupt_shadow = false;
    hvm_of(mon)->written |= PART_SITE;
    mon->dirty = true;
    if (single_step) {
        struct fault trap = {.vector = VEC_DB};

        /* The instruction's result is in the processor alone. */
        hvm_of(mon)->valid &= ~(unsigned)PART_GPR;
        hvm_fetch(mon, PARTS_ALL);
        v->dr[6] |= DR6_BS;
        hvm_of(mon)->written = PARTS_ALL;
        inject_fault(mon, &trap);
    }
}
