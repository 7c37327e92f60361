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

static bool holds_cpl(unsigned i)
{
    return i == SEG_CS || i == SEG_SS;
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

    if (vcpu_runs_vm86(&mon->v)) {
        s.attr = mon->v.seg[i].attr; /* loads there change the base alone */
        s.limit = mon->v.seg[i].limit;
        return s;
    }
    if (s.attr && dpl_of(s.attr) == 1)
        s.attr = with_dpl(s.attr, 0);
    if (holds_cpl(i) && (s.selector & SEL_RPL) == 1)
        s.selector &= (uint16_t)~SEL_RPL;
    return s;
}

static bool same_segment(const struct segment *a, const struct segment *b)
{
    return a->selector == b->selector && a->base == b->base &&
           a->limit == b->limit && a->attr == b->attr;
}

static void capture_segment(struct monitor *mon, unsigned i,
                            const struct segment *real)
{
    if (same_segment(real, &mon->installed[i]))
        return;
    mon->v.seg[i] = segment_captured(mon, i, real);
    mon->installed[i] = *real;
}

static void capture_ring(struct cpu_state *v, unsigned cpl)
{
    if (vcpu_runs_vm86(v))
        return;
    if (cpl == 3)
        v->cpl = 3;
    else if (cpl == 1)
        v->cpl = 0;
    else if (v->cpl != 1)
        v->cpl = 2;
}

void vcpu_capture_frame(struct monitor *mon)
{
    struct cpu_state *v = &mon->v, r;
    uint32_t own = VIRTUAL_FLAGS;

    machine_get_frame(mon->machine, &r);
    if (mon->config.iopl1 && !vcpu_runs_vm86(v))
        own &= ~EFL_IF; /* the guest has the real one */
    v->gpr[GPR_ESP] = r.gpr[GPR_ESP];
    v->eip = r.eip;
    v->eflags = (r.eflags & ~own) | (v->eflags & own);
    capture_segment(mon, SEG_CS, &r.seg[SEG_CS]);
    capture_segment(mon, SEG_SS, &r.seg[SEG_SS]);
    v->interrupt_shadow = r.interrupt_shadow;
    v->halted = r.halted;
    capture_ring(v, r.cpl);
    mon->rest_live = true;
}

void vcpu_capture_rest(struct monitor *mon)
{
    struct cpu_state r;

    machine_get_rest(mon->machine, &r);
    for (unsigned i = 0; i < GPR_COUNT; i++)
        if (i != GPR_ESP)
            mon->v.gpr[i] = r.gpr[i];
    for (unsigned i = 0; i < SEG_COUNT; i++)
        if (!holds_cpl(i))
            capture_segment(mon, i, &r.seg[i]);
    mon->rest_live = false;
}

void vcpu_capture(struct monitor *mon)
{
    vcpu_capture_frame(mon);
    vcpu_capture_rest(mon);
}

/* ---- virtual to real ------------------------------------------------------
 */

static uint16_t real_attr(const struct cpu_state *v, unsigned i)
{
    uint16_t attr = v->seg[i].attr;

    if (vcpu_runs_vm86(v))
        return (uint16_t)(ATTR_VM86 | (attr & SEG_D));
    if (!attr && !holds_cpl(i))
        return 0;
    if (i == SEG_CS && (attr & SEG_CONFORM) && (attr & SEG_CODE))
        return attr;
    return with_dpl(attr, real_ring(holds_cpl(i) ? v->cpl : dpl_of(attr)));
}

static uint16_t real_selector(const struct cpu_state *v, unsigned i)
{
    uint16_t selector = v->seg[i].selector;

    if (vcpu_runs_vm86(v) || !holds_cpl(i) ||
        (i == SEG_SS && SEL_NULL(selector)))
        return selector;
    return (uint16_t)((selector & ~SEL_RPL) | real_ring(v->cpl));
}

static bool put32(uint32_t *to, uint32_t value)
{
    bool same = *to == value;

    *to = value;
    return same;
}

/* The tables that the processor walks, and its PDPTE registers. */
static bool same_root(struct cpu_state *r, const struct mmu_root *root)
{
    uint64_t efer = root->nx ? EFER_NXE : 0;
    bool same = put32(&r->cr3, (uint32_t)root->ma.v);

    same &=
        r->efer == efer && memcmp(r->pdpte, root->pdpte, sizeof r->pdpte) == 0;
    r->efer = efer;
    memcpy(r->pdpte, root->pdpte, sizeof r->pdpte);
    return same;
}

/* What code cannot change without a trap. False: something is new. */
static bool same_system(struct monitor *mon)
{
    const struct cpu_state *v = &mon->v;
    struct cpu_state *r = &mon->put.real;
    bool same = mon->put.valid;

    same &= put32(&r->cr0, CR0_PE | CR0_PG | CR0_WP | CR0_NE | CR0_ET |
                               (v->cr0 & (CR0_MP | CR0_EM | CR0_TS)));
    same &= same_root(r, &mon->root);
    /* The machine's time stamp is the guest's until the guest sets its own. */
    same &=
        put32(&r->cr4, (v->tsc_offset ? CR4_TSD : v->cr4 & CR4_TSD) |
                           (mon->root.pae ? CR4_PAE : CR4_PSE) |
                           (v->cr4 & (CR4_DE | CR4_OSFXSR | CR4_OSXMMEXCPT)));
    same &= put32(&r->gdtr.base, descriptors_linear(mon, OVERLAY_GDT));
    same &= r->gdtr.limit == v->gdtr.limit;
    r->gdtr.limit = v->gdtr.limit;
    same &= put32(&r->ldtr.base, v->ldtr.attr & SEG_P
                                     ? descriptors_linear(mon, OVERLAY_LDT)
                                     : v->ldtr.base);
    same &= put32(&r->ldtr.limit, v->ldtr.limit);
    same &=
        r->ldtr.selector == v->ldtr.selector && r->ldtr.attr == v->ldtr.attr;
    r->ldtr.selector = v->ldtr.selector;
    r->ldtr.attr = v->ldtr.attr;
    return same;
}

/* The registers that trap whenever the guest names them. */
static void system_constants(struct cpu_state *r)
{
    r->idtr = (struct table_reg){0, 0};
    r->tr = (struct segment){.attr = SEG_P | SYS_TSS32_BUSY};
    r->sysenter_cs = r->sysenter_esp = r->sysenter_eip = 0;
    r->tsc_offset = r->apicbase = r->pat = r->misc_enable = 0;
    r->nmi_blocked = false;
    memset(r->dr, 0, sizeof r->dr);
}

static void put_segment(struct monitor *mon, unsigned i)
{
    const struct cpu_state *v = &mon->v;
    struct segment *real = &mon->put.real.seg[i];

    real->base = v->seg[i].base;
    real->limit = vcpu_runs_vm86(v) ? 0xFFFF : v->seg[i].limit;
    real->selector = real_selector(v, i);
    real->attr = real_attr(v, i);
    mon->put.shown[i] = v->seg[i];
}

/* The registers that IRET leaves alone. */
static void put_others(struct monitor *mon, bool all)
{
    const struct cpu_state *v = &mon->v;
    struct vcpu_put *p = &mon->put;

    monitor_need_rest(mon);
    for (unsigned i = 0; i < GPR_COUNT; i++)
        p->real.gpr[i] = v->gpr[i];
    for (unsigned i = 0; i < SEG_COUNT; i++)
        if (all || !same_segment(&v->seg[i], &p->shown[i]))
            put_segment(mon, i);
}

/* All but CS and SS and the other frame registers. */
static void put_all(struct monitor *mon, bool vm86)
{
    mon->frame_only = false;
    if (!same_system(mon)) {
        system_constants(&mon->put.real);
        mon->put.valid = false;
    }
    put_others(mon, !mon->put.valid || vm86 != mon->put.vm86);
}

/* CS and SS, which depend on the ring as well. */
static void put_ring(struct monitor *mon, bool vm86)
{
    const struct cpu_state *v = &mon->v;
    struct vcpu_put *p = &mon->put;
    bool same = p->valid && vm86 == p->vm86 && v->cpl == p->cpl;

    if (!same || !same_segment(&v->seg[SEG_CS], &p->shown[SEG_CS]))
        put_segment(mon, SEG_CS);
    if (!same || !same_segment(&v->seg[SEG_SS], &p->shown[SEG_SS]))
        put_segment(mon, SEG_SS);
    p->vm86 = vm86;
    p->cpl = v->cpl;
}

struct cpu_state *vcpu_real(struct monitor *mon)
{
    const struct cpu_state *v = &mon->v;
    struct cpu_state *r = &mon->put.real;
    bool vm86 = vcpu_runs_vm86(v);

    if (!mon->frame_only || !mon->put.valid || vm86 != mon->put.vm86)
        put_all(mon, vm86);
    put_ring(mon, vm86);
    r->gpr[GPR_ESP] = v->gpr[GPR_ESP];
    r->eip = v->eip;
    r->cr2 = v->cr2;
    r->interrupt_shadow = v->interrupt_shadow;
    r->halted = v->halted;
    r->eflags = (v->eflags & ~VIRTUAL_FLAGS) | EFL_IF;
    r->cpl = vm86 ? 3 : (uint8_t)real_ring(v->cpl);
    if (vm86)
        r->eflags |= EFL_VM;
    else if (mon->config.iopl1)
        r->eflags =
            (r->eflags & ~EFL_IF) | (v->eflags & EFL_IF) | 1u << EFL_IOPL_SHIFT;
    return r;
}

void vcpu_put(struct monitor *mon)
{
    const struct cpu_state *r = &mon->put.real;

    if (mon->put.valid && mon->frame_only) {
        mon->installed[SEG_CS] = r->seg[SEG_CS];
        mon->installed[SEG_SS] = r->seg[SEG_SS];
        machine_set_frame(mon->machine, r);
    } else {
        memcpy(mon->installed, r->seg, sizeof mon->installed);
        if (mon->put.valid)
            machine_set_running(mon->machine, r);
        else
            machine_set_state(mon->machine, r);
    }
    mon->put.valid = true;
    mon->dirty = mon->frame_only = false;
}

void vcpu_install(struct monitor *mon)
{
    vcpu_real(mon);
    vcpu_put(mon);
}
