/* SPDX-License-Identifier: MIT */
/* cpu/arch_task.c - the hardware task switch.
 *
 * Reference: SDM 3A, "Task Switching", "Task-State Segment (TSS)", "16-Bit
 * Task-State Segment", table "Exception Conditions Checked During a Task
 * Switch".
 */
#include "cpu/arch_run.h"

#define TYPE_BUSY 2u

/* A task as its TSS holds it. */
struct task {
    bool is32;
    uint32_t cr3, eip, eflags;
    uint32_t gpr[GPR_COUNT];
    uint16_t seg[SEG_COUNT]; /* FS and GS: 32-bit TSS only */
    uint16_t ldt;
    bool trap;
};

/* Offsets of the dynamic fields in the two formats. */
struct layout {
    unsigned size; /* of a register slot */
    uint32_t eip, eflags, gpr, seg, ldt;
    unsigned segments;
    uint32_t min_limit;
};
static const struct layout layouts[2] = {
    {.size = 2,
     .eip = 0x0E,
     .eflags = 0x10,
     .gpr = 0x12,
     .seg = 0x22,
     .ldt = 0x2A,
     .segments = 4,
     .min_limit = 0x2B},
    {.size = 4,
     .eip = 0x20,
     .eflags = 0x24,
     .gpr = 0x28,
     .seg = 0x48,
     .ldt = 0x60,
     .segments = 6,
     .min_limit = 0x67},
};

/* A TSS that can be switched to: in the GDT, of the right kind, present. */
struct descriptor run_fetch_tss(struct arch_run *r, uint16_t selector,
                                uint8_t vector, bool busy)
{
    if (selector & SEL_TI || SEL_NULL(selector))
        run_raise(r, vector, sel_error(selector));
    struct descriptor d = run_fetch(r, selector, vector);
    unsigned wanted = SYS_TSS16 | (busy ? TYPE_BUSY : 0);
    if (!desc_system(&d) || (desc_type(&d) & ~8u) != wanted)
        run_raise(r, vector, sel_error(selector));
    if (!desc_present(&d))
        run_raise(r, VEC_NP, sel_error(selector));
    return d;
}

static struct task read_task(struct arch_run *r, uint32_t base, bool is32)
{
    const struct layout *l = &layouts[is32];
    struct task t = {.is32 = is32};

    t.eip = run_read(r, base + l->eip, l->size, false);
    t.eflags = run_read(r, base + l->eflags, l->size, false);
    for (unsigned i = 0; i < GPR_COUNT; i++) {
        t.gpr[i] = run_read(r, base + l->gpr + i * l->size, l->size, false);
        if (!is32) /* the upper halves are not in the TSS */
            t.gpr[i] |= 0xFFFF0000u;
    }
    for (unsigned i = 0; i < l->segments; i++)
        t.seg[i] = (uint16_t)run_read(r, base + l->seg + i * l->size, 2, false);
    t.ldt = (uint16_t)run_read(r, base + l->ldt, 2, false);
    if (is32) {
        t.cr3 = run_read(r, base + 0x1C, 4, false);
        t.trap = run_read(r, base + 0x64, 2, false) & 1;
    }
    return t;
}

static void save_task(struct arch_run *r, uint32_t eip, uint32_t eflags)
{
    const struct segment *tr = &r->s.tr;
    const struct layout *l = &layouts[(tr->attr & 8) != 0];

    if (tr->limit < l->min_limit)
        run_raise(r, VEC_TS, sel_error(tr->selector));
    run_write(r, tr->base + l->eip, l->size, false,
              l->size == 2 ? eip & 0xFFFF : eip);
    run_write(r, tr->base + l->eflags, l->size, false,
              l->size == 2 ? eflags & 0xFFFF : eflags);
    for (unsigned i = 0; i < GPR_COUNT; i++)
        run_write(r, tr->base + l->gpr + i * l->size, l->size, false,
                  l->size == 2 ? r->s.gpr[i] & 0xFFFF : r->s.gpr[i]);
    for (unsigned i = 0; i < l->segments; i++)
        run_write(r, tr->base + l->seg + i * l->size, 2, false,
                  r->s.seg[i].selector);
}

/* The current TSS's descriptor stops being busy. */
static void release_old(struct arch_run *r)
{
    struct descriptor d;

    if (run_find(r, r->s.tr.selector & (uint16_t)~SEL_TI, &d))
        run_set_type_bits(r, &d, 0, TYPE_BUSY);
}

static void load_task_ldt(struct arch_run *r, uint16_t selector)
{
    if (SEL_NULL(selector))
        return;
    r->s.ldtr.selector = selector;
    if (selector & SEL_TI)
        run_raise(r, VEC_TS, sel_error(selector));
    struct descriptor d = run_fetch(r, selector, VEC_TS);
    if (!desc_system(&d) || desc_type(&d) != SYS_LDT || !desc_present(&d))
        run_raise(r, VEC_TS, sel_error(selector));
    r->s.ldtr = arch_segment(selector, d.low, d.high);
}

static void load_task_cs(struct arch_run *r, uint16_t selector)
{
    unsigned rpl = selector & SEL_RPL;

    if (SEL_NULL(selector))
        run_raise(r, VEC_TS, 0);
    struct descriptor d = run_fetch(r, selector, VEC_TS);
    bool level =
        desc_conforming(&d) ? desc_dpl(&d) <= rpl : desc_dpl(&d) == rpl;
    if (!desc_code(&d) || !level)
        run_raise(r, VEC_TS, sel_error(selector));
    if (!desc_present(&d))
        run_raise(r, VEC_NP, sel_error(selector));
    r->s.seg[SEG_CS] = run_accessed(r, &d, selector);
}

/* In the new task already: what goes wrong here is the new task's fault. */
static void load_task_segments(struct arch_run *r, const struct task *t)
{
    static const enum seg_reg data[] = {SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS};

    for (unsigned i = 0; i < SEG_COUNT; i++)
        r->s.seg[i] = (struct segment){.selector = t->seg[i]};
    r->s.ldtr = (struct segment){.selector = t->ldt};
    if (r->s.eflags & EFL_VM) {
        r->s.cpl = 3;
        for (unsigned i = 0; i < SEG_COUNT; i++)
            run_load_vm86(r, (enum seg_reg)i, t->seg[i]);
        load_task_ldt(r, t->ldt);
        return;
    }
    r->s.cpl = t->seg[SEG_CS] & SEL_RPL;
    load_task_ldt(r, t->ldt);
    load_task_cs(r, t->seg[SEG_CS]);
    for (unsigned i = 0; i < sizeof data / sizeof *data; i++)
        run_load_data(r, data[i], t->seg[data[i]], true);
}

static void load_registers(struct arch_run *r, const struct task *t)
{
    for (unsigned i = 0; i < GPR_COUNT; i++)
        r->s.gpr[i] = t->gpr[i];
    r->s.eip = t->eip;
    uint32_t mask = t->is32 ? EFL_DEFINED : EFL_DEFINED & 0xFFFF;
    r->s.eflags = flags_merge(0, t->eflags, mask);
    r->s.cr0 |= CR0_TS;
    r->s.dr[7] &= ~0x155u; /* local breakpoints belong to the old task */
}

/* PDPTE registers that cannot be loaded are the new task's #GP (the manual
 * gives no exception of the task switch for them), by the old ones. */
static void load_address_space(struct arch_run *r, const struct task *t)
{
    bool changes = t->cr3 != r->s.cr3, loaded;

    if (!t->is32 || !(r->s.cr0 & CR0_PG))
        return;
    r->s.cr3 = t->cr3;
    loaded = !changes || !state_pae(&r->s) ||
             arch_load_pdptes(&r->s, r->mem, &r->fault);
    if (r->mem->switch_cr3)
        r->mem->switch_cr3(r->mem->ctx, r->s.cr3, r->s.pdpte);
    if (!loaded)
        longjmp(r->escape, 1);
}

static _Noreturn void refuse_switch(struct arch_run *r, uint16_t selector,
                                    enum task_reason reason)
{
    static const uint8_t by[] = {[TASK_JUMP] = SWITCH_BY_JMP,
                                 [TASK_CALL] = SWITCH_BY_CALL,
                                 [TASK_IRET] = SWITCH_BY_IRET};

    r->fault = (struct fault){
        .vector = VEC_TASK_SWITCH, .error = selector, .cr2 = by[reason]};
    longjmp(r->escape, 1);
}

/* old_eip is where the old task goes on. The caller has checked the
 * descriptor (run_fetch_tss) and the privilege. */
void run_task_switch(struct arch_run *r, struct descriptor *tss,
                     enum task_reason reason, uint32_t old_eip)
{
    bool is32 = desc_is32(tss);
    uint16_t old = r->s.tr.selector;
    uint32_t eflags = r->s.eflags;
    struct segment tr = arch_segment(tss->selector, tss->low, tss->high);

    if (tr.limit < layouts[is32].min_limit)
        run_raise(r, VEC_TS, sel_error(tss->selector));
    if (r->mem->task_switch_exits)
        refuse_switch(r, tss->selector, reason);
    if (reason == TASK_IRET)
        eflags &= ~EFL_NT;
    struct task task = read_task(r, tr.base, is32);
    save_task(r, old_eip, eflags);
    if (reason != TASK_CALL)
        release_old(r);
    if (reason == TASK_CALL) {
        run_write(r, tr.base, 2, false, old);
        task.eflags |= EFL_NT;
    }
    run_set_type_bits(r, tss, TYPE_BUSY, 0);
    r->s.tr = arch_segment(tss->selector, tss->low, tss->high);
    r->committed = true;
    load_registers(r, &task);
    load_address_space(r, &task);
    load_task_segments(r, &task);
    r->debug_trap = task.trap;
    if (task.trap)
        r->s.dr[6] |= 0x8000; /* BT */
}
