/* SPDX-License-Identifier: MIT */
/* traps/vcpu.c - ring compression: the virtual processor on the real one.
 *
 * The guest's ring 0 runs at ring 1 (rings 1 and 2 at 2, ring 3 at 3), so
 * every privileged instruction traps. What the guest would see of that is kept
 * in the virtual processor: its interrupt flag, IOPL, control registers and
 * the true privilege bits of CS and SS. Real mode and virtual-8086 mode run in
 * the real virtual-8086 mode, where everything sensitive traps.
 *
 * Reference: SDM 3A, "Privilege Levels", "Virtual-8086 Mode".
 */
#include "traps/monitor_priv.h"

/* EFLAGS bits that the guest's processor has for itself. */
#define VIRTUAL_FLAGS (EFL_IF | EFL_IOPL | EFL_VM | EFL_VIF | EFL_VIP)
#define ATTR_VM86                                                              \
    (SEG_P | 3 << SEG_DPL_SHIFT | SEG_S | SEG_WRITABLE | SEG_ACCESSED)

bool vcpu_runs_vm86(const struct cpu_state *v)
{
    return !state_protected(v) || state_vm86(v);
}

static unsigned real_ring(unsigned ring)
{
    static const uint8_t rings[4] = {1, 2, 2, 3};

    return rings[ring];
}

static uint16_t with_dpl(uint16_t attr, unsigned dpl)
{
    return (uint16_t)((attr & ~SEG_DPL) | dpl << SEG_DPL_SHIFT);
}

static unsigned dpl_of(uint16_t attr)
{
    return (attr & SEG_DPL) >> SEG_DPL_SHIFT;
}

/* ---- real to virtual ------------------------------------------------------
 */

/* A segment register that the guest loaded natively since the last install. */
static struct segment segment_captured(const struct monitor *mon, unsigned i,
                                       const struct segment *real)
{
    struct segment s = *real;
    bool holds_cpl = i == SEG_CS || i == SEG_SS;

    if (vcpu_runs_vm86(&mon->v)) {
        s.attr = mon->v.seg[i].attr; /* loads there change the base alone */
        s.limit = mon->v.seg[i].limit;
        return s;
    }
    if (s.attr && dpl_of(s.attr) == 1)
        s.attr = with_dpl(s.attr, 0);
    if (holds_cpl && (s.selector & SEL_RPL) == 1)
        s.selector &= (uint16_t)~SEL_RPL;
    return s;
}

static bool same_segment(const struct segment *a, const struct segment *b)
{
    return a->selector == b->selector && a->base == b->base &&
           a->limit == b->limit && a->attr == b->attr;
}

void vcpu_capture(struct monitor *mon)
{
    struct cpu_state *v = &mon->v, r;
    uint32_t own = VIRTUAL_FLAGS;

    machine_get_state(mon->machine, &r);
    if (mon->config.iopl1 && !vcpu_runs_vm86(v))
        own &= ~EFL_IF; /* the guest has the real one */
    for (unsigned i = 0; i < GPR_COUNT; i++)
        v->gpr[i] = r.gpr[i];
    v->eip = r.eip;
    v->eflags = (r.eflags & ~own) | (v->eflags & own);
    for (unsigned i = 0; i < SEG_COUNT; i++)
        if (!same_segment(&r.seg[i], &mon->installed[i])) {
            v->seg[i] = segment_captured(mon, i, &r.seg[i]);
            mon->installed[i] = r.seg[i];
        }
    v->interrupt_shadow = r.interrupt_shadow;
    v->halted = r.halted;
    if (!vcpu_runs_vm86(v)) {
        if (r.cpl == 3)
            v->cpl = 3;
        else if (r.cpl == 1)
            v->cpl = 0;
        else if (v->cpl != 1)
            v->cpl = 2;
    }
}

/* ---- virtual to real ------------------------------------------------------
 */

static struct segment segment_installed(const struct cpu_state *v, unsigned i)
{
    struct segment s = v->seg[i];
    bool holds_cpl = i == SEG_CS || i == SEG_SS;

    if (vcpu_runs_vm86(v)) {
        s.attr = (uint16_t)(ATTR_VM86 | (s.attr & SEG_D));
        s.limit = 0xFFFF;
        return s;
    }
    if (!s.attr && !holds_cpl)
        return s;
    s.attr = with_dpl(s.attr, holds_cpl ? real_ring(v->cpl)
                                        : real_ring(dpl_of(s.attr)));
    if (i == SEG_CS && (s.attr & SEG_CONFORM) && (s.attr & SEG_CODE))
        s.attr = with_dpl(s.attr, dpl_of(v->seg[i].attr));
    if (i == SEG_CS || (i == SEG_SS && !SEL_NULL(s.selector)))
        s.selector = (uint16_t)((s.selector & ~SEL_RPL) | real_ring(v->cpl));
    return s;
}

void vcpu_real(struct monitor *mon, struct cpu_state *real)
{
    const struct cpu_state *v = &mon->v;
    bool vm86 = vcpu_runs_vm86(v);
    struct cpu_state r = *v;

    for (unsigned i = 0; i < SEG_COUNT; i++)
        mon->installed[i] = r.seg[i] = segment_installed(v, i);
    r.eflags = (v->eflags & ~VIRTUAL_FLAGS) | EFL_IF;
    r.cpl = vm86 ? 3 : (uint8_t)real_ring(v->cpl);
    if (vm86)
        r.eflags |= EFL_VM;
    else if (mon->config.iopl1)
        r.eflags =
            (r.eflags & ~EFL_IF) | (v->eflags & EFL_IF) | 1u << EFL_IOPL_SHIFT;
    r.cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_NE | CR0_ET |
            (v->cr0 & (CR0_MP | CR0_EM | CR0_TS));
    r.cr3 = (uint32_t)mon->root.v;
    /* The machine's time stamp is the guest's until the guest sets its own. */
    r.cr4 = (v->tsc_offset ? CR4_TSD : v->cr4 & CR4_TSD) |
            (v->cr4 & (CR4_DE | CR4_OSFXSR | CR4_OSXMMEXCPT));
    r.gdtr =
        (struct table_reg){descriptors_linear(mon, OVERLAY_GDT), v->gdtr.limit};
    r.idtr = (struct table_reg){0, 0};
    if (v->ldtr.attr & SEG_P)
        r.ldtr.base = descriptors_linear(mon, OVERLAY_LDT);
    r.tr = (struct segment){.attr = SEG_P | SYS_TSS32_BUSY};
    r.sysenter_cs = 0; /* SYSENTER traps */
    r.tsc_offset = 0;
    r.nmi_blocked = false;
    memset(r.dr, 0, sizeof r.dr);
    *real = r;
}

void vcpu_install(struct monitor *mon)
{
    struct cpu_state r;

    vcpu_real(mon, &r);
    machine_set_state(mon->machine, &r);
    mon->dirty = false;
}
