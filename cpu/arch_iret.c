/* SPDX-License-Identifier: MIT */
/* cpu/arch_iret.c - IRET in all its variants.
 *
 * Reference: SDM 2, "IRET/IRETD - Interrupt Return" (the names of the steps
 * below follow its pseudo-code).
 */
#include "cpu/arch_run.h"

struct frame {
    uint32_t eip;
    uint16_t cs;
    uint32_t flags;
};

static struct frame pop_frame(struct arch_run *r, struct stack *st,
                              unsigned size)
{
    struct frame fr;

    fr.eip = stack_pop(r, st, size);
    fr.cs = (uint16_t)stack_pop(r, st, size);
    fr.flags = stack_pop(r, st, size);
    return fr;
}

static uint32_t size_mask(unsigned size)
{
    return size == 2 ? 0xFFFFu : 0xFFFFFFFFu;
}

/* "REAL-ADDRESS-MODE", and VM86 at IOPL 3, which may not change IOPL. */
static void return_real(struct arch_run *r, unsigned size)
{
    uint32_t mask = EFL_ARITH | EFL_TF | EFL_IF | EFL_DF | EFL_NT | EFL_RF |
                    EFL_AC | EFL_ID;
    struct stack st = run_stack(r);

    if (state_vm86(&r->s) && state_iopl(&r->s) < 3)
        run_raise(r, VEC_GP, 0);
    if (!state_vm86(&r->s))
        mask |= EFL_IOPL;
    struct frame fr = pop_frame(r, &st, size);
    run_load_real_cs(r, fr.cs, fr.eip);
    r->s.eflags = flags_merge(r->s.eflags, fr.flags, mask & size_mask(size));
    run_set_stack(r, &st);
}

/* "TASK-RETURN": to the task named by the link field. */
static void return_task(struct arch_run *r, uint32_t next_eip)
{
    struct descriptor tss;
    uint16_t link;

    if (r->s.tr.limit < 1)
        run_raise(r, VEC_TS, r->s.tr.selector & SEL_INDEX);
    link = (uint16_t)run_read(r, r->s.tr.base, 2, false);
    tss = run_fetch_tss(r, link, VEC_TS, true);
    run_task_switch(r, &tss, TASK_IRET, next_eip);
    run_check_eip(r, &r->s.seg[SEG_CS], r->s.eip);
}

/* "RETURN-TO-VIRTUAL-8086-MODE". */
static void return_vm86(struct arch_run *r, struct stack *st,
                        const struct frame *fr)
{
    static const enum seg_reg order[] = {SEG_SS, SEG_ES, SEG_DS, SEG_FS,
                                         SEG_GS};
    uint32_t esp = stack_pop(r, st, 4);

    for (unsigned i = 0; i < sizeof order / sizeof *order; i++)
        run_load_vm86(r, order[i], (uint16_t)stack_pop(r, st, 4));
    if (fr->eip > 0xFFFF)
        run_raise(r, VEC_GP, 0);
    run_load_vm86(r, SEG_CS, fr->cs);
    r->s.eip = fr->eip;
    r->s.gpr[GPR_ESP] = esp;
    r->s.eflags = flags_merge(0, fr->flags, EFL_DEFINED);
    r->s.cpl = 3;
}

uint32_t iret_flags(const struct cpu_state *s, unsigned size)
{
    uint32_t mask =
        EFL_ARITH | EFL_TF | EFL_DF | EFL_NT | EFL_RF | EFL_AC | EFL_ID;

    if (s->cpl <= state_iopl(s))
        mask |= EFL_IF;
    if (s->cpl == 0)
        mask |= EFL_IOPL;
    return mask & size_mask(size);
}

/* "PROTECTED-MODE-RETURN", to the same or to an outer level. */
static void return_protected(struct arch_run *r, struct stack *st,
                             const struct frame *fr, unsigned size)
{
    uint32_t mask = iret_flags(&r->s, size);
    unsigned rpl = fr->cs & SEL_RPL;
    struct descriptor code = run_fetch_return_cs(r, fr->cs);
    struct segment cs = arch_segment(fr->cs, code.low, code.high);
    bool outer = rpl > r->s.cpl;

    if (outer) {
        uint32_t esp = stack_pop(r, st, size);
        uint16_t ss = (uint16_t)stack_pop(r, st, size);
        *st = run_outer_stack(r, ss, esp, rpl, size);
    }
    run_check_eip(r, &cs, fr->eip);
    cs = run_accessed(r, &code, fr->cs);
    run_set_cs(r, &cs, fr->eip, rpl);
    run_set_stack(r, st);
    r->s.eflags = flags_merge(r->s.eflags, fr->flags, mask);
    if (outer)
        run_drop_inner_segments(r);
}

static void iret_protected(struct arch_run *r, unsigned size)
{
    struct stack st = run_stack(r);
    struct frame fr = pop_frame(r, &st, size);

    if (size == 4 && (fr.flags & EFL_VM) && r->s.cpl == 0)
        return_vm86(r, &st, &fr);
    else
        return_protected(r, &st, &fr, size);
}

struct iret_args {
    unsigned size;
    uint32_t next_eip;
};

static void iret(struct arch_run *r, void *args)
{
    const struct iret_args *a = args;
    unsigned size = a->size;

    if (!state_protected(&r->s) || state_vm86(&r->s))
        return_real(r, size);
    else if (r->s.eflags & EFL_NT)
        return_task(r, a->next_eip);
    else
        iret_protected(r, size);
    r->s.nmi_blocked = false;
    r->s.interrupt_shadow = false;
}

bool arch_iret(struct cpu_state *s, const struct mem_ops *mem, unsigned size,
               uint32_t next_eip, struct fault *f)
{
    struct iret_args args = {size, next_eip};

    if (size == 4 && arch_iret_plain(s, mem))
        return true;
    return run_try(s, mem, 0, iret, &args, f);
}
