/* SPDX-License-Identifier: MIT */
/* cpu/arch_deliver.c - events through the interrupt table.
 *
 * Reference: SDM 2, "INT n/INTO/INT3/INT1 - Call to Interrupt Procedure"
 * (the names of the steps below follow its pseudo-code); SDM 3A, "Interrupt
 * and Exception Handling", "8086 Emulation".
 */
#include "cpu/arch_run.h"

#define ERROR_IDT 2u /* the error code's index is of the IDT */

struct delivery {
    const struct arch_event *event;
    uint32_t return_eip;
    bool is32;         /* the gate's size */
    bool mask_if;      /* an interrupt gate */
    uint32_t eip;      /* from the gate */
    uint16_t selector; /* from the gate */
    uint32_t flags;    /* EFLAGS image to push */
};

static bool is_software(const struct arch_event *e)
{
    return e->source == ARCH_SOFTWARE || e->source == ARCH_INT3_INTO;
}

/* Exceptions reported before the instruction is done, with RF set in the
 * pushed image so that an instruction breakpoint does not hit again. */
static bool is_fault_class(const struct arch_event *e)
{
    const uint32_t faults = 1u << VEC_DE | 1u << VEC_BR | 1u << VEC_UD |
                            1u << VEC_NM | 1u << VEC_TS | 1u << VEC_NP |
                            1u << VEC_SS | 1u << VEC_GP | 1u << VEC_PF |
                            1u << VEC_MF | 1u << VEC_AC | 1u << VEC_XM;

    return e->source == ARCH_EXCEPTION && e->vector < VEC_EXCEPTIONS &&
           (faults >> e->vector & 1);
}

uint32_t event_return(const struct cpu_state *s, const struct arch_event *e)
{
    return is_software(e) || e->source == ARCH_ICEBP ? e->next_eip : s->eip;
}

uint32_t arch_event_flags(const struct cpu_state *s, const struct arch_event *e)
{
    return s->eflags | (is_fault_class(e) ? EFL_RF : 0);
}

/* SDM 2, INT n, "REAL-ADDRESS-MODE". */
static void deliver_real(struct arch_run *r, const struct delivery *d)
{
    uint32_t at = d->event->vector * 4u;
    struct stack st = run_stack(r);

    if (at + 3 > r->s.idtr.limit)
        run_raise(r, VEC_GP, 0);
    stack_push(r, &st, 2, d->flags);
    stack_push(r, &st, 2, r->s.seg[SEG_CS].selector);
    stack_push(r, &st, 2, d->return_eip);
    uint32_t vector = run_read(r, r->s.idtr.base + at, 4, false);
    struct segment cs = run_real_segment(r, SEG_CS, (uint16_t)(vector >> 16));
    run_check_eip(r, &cs, vector & 0xFFFF);
    r->s.eflags &= ~(EFL_IF | EFL_TF | EFL_AC | EFL_RF);
    r->s.seg[SEG_CS] = cs;
    r->s.eip = vector & 0xFFFF;
    run_set_stack(r, &st);
}

static void push_error(struct arch_run *r, struct stack *st, unsigned size,
                       const struct arch_event *e)
{
    if (e->source == ARCH_EXCEPTION && e->has_error)
        stack_push(r, st, size, e->error);
}

static void push_return(struct arch_run *r, struct stack *st,
                        const struct delivery *d)
{
    unsigned size = d->is32 ? 4 : 2;

    stack_push(r, st, size, d->flags);
    stack_push(r, st, size, r->s.seg[SEG_CS].selector);
    stack_push(r, st, size, d->return_eip);
    push_error(r, st, size, d->event);
}

/* "INTER-PRIVILEGE-LEVEL-INTERRUPT" and "INTERRUPT-FROM-VIRTUAL-8086-MODE". */
static void to_inner_level(struct arch_run *r, const struct delivery *d,
                           struct descriptor *code)
{
    static const enum seg_reg vm86_data[] = {SEG_GS, SEG_FS, SEG_DS, SEG_ES};
    unsigned size = d->is32 ? 4 : 2;
    unsigned dpl = desc_dpl(code);
    bool from_vm86 = state_vm86(&r->s);
    struct stack st = run_inner_stack(r, dpl);
    struct segment limit = arch_segment(d->selector, code->low, code->high);

    run_check_eip(r, &limit, d->eip);
    for (unsigned i = 0; from_vm86 && i < 4; i++) {
        stack_push(r, &st, size, r->s.seg[vm86_data[i]].selector);
        r->s.seg[vm86_data[i]] = (struct segment){0};
    }
    stack_push(r, &st, size, r->s.seg[SEG_SS].selector);
    stack_push(r, &st, size, r->s.gpr[GPR_ESP]);
    push_return(r, &st, d);
    struct segment cs = run_accessed(r, code, d->selector);
    run_set_cs(r, &cs, d->eip, dpl);
    run_set_stack(r, &st);
    r->s.seg[SEG_SS].selector =
        (uint16_t)(sel_error(r->s.seg[SEG_SS].selector) | dpl);
}

/* "INTRA-PRIVILEGE-LEVEL-INTERRUPT". */
static void to_same_level(struct arch_run *r, const struct delivery *d,
                          struct descriptor *code)
{
    struct stack st = run_stack(r);
    struct segment limit = arch_segment(d->selector, code->low, code->high);

    run_check_eip(r, &limit, d->eip);
    push_return(r, &st, d);
    struct segment cs = run_accessed(r, code, d->selector);
    run_set_cs(r, &cs, d->eip, r->s.cpl);
    run_set_stack(r, &st);
}

/* "TRAP-OR-INTERRUPT-GATE". */
static void through_gate(struct arch_run *r, const struct delivery *d)
{
    unsigned cpl = r->s.cpl;

    if (SEL_NULL(d->selector))
        run_raise(r, VEC_GP, 0);
    struct descriptor code = run_fetch(r, d->selector, VEC_GP);
    if (!desc_code(&code) || desc_dpl(&code) > cpl)
        run_raise(r, VEC_GP, sel_error(d->selector));
    if (!desc_present(&code))
        run_raise(r, VEC_NP, sel_error(d->selector));
    bool inner = !desc_conforming(&code) && desc_dpl(&code) < cpl;
    if (state_vm86(&r->s) && (!inner || desc_dpl(&code) != 0))
        run_raise(r, VEC_GP, sel_error(d->selector));
    if (inner)
        to_inner_level(r, d, &code);
    else
        to_same_level(r, d, &code);
    r->s.eflags &= ~(EFL_TF | EFL_NT | EFL_VM | EFL_RF);
    if (d->mask_if)
        r->s.eflags &= ~EFL_IF;
}

/* "TASK-GATE": a nested task, with the error code on its stack. */
static void through_task_gate(struct arch_run *r, const struct delivery *d)
{
    struct descriptor tss = run_fetch_tss(r, d->selector, VEC_GP, false);
    bool is32 = desc_is32(&tss);

    r->s.eflags = d->flags;
    run_task_switch(r, &tss, TASK_CALL, d->return_eip);
    struct stack st = run_stack(r);
    push_error(r, &st, is32 ? 4 : 2, d->event);
    run_set_stack(r, &st);
    run_check_eip(r, &r->s.seg[SEG_CS], r->s.eip);
}

/* "PROTECTED-MODE": the gate itself. */
static void deliver_protected(struct arch_run *r, struct delivery *d)
{
    const struct arch_event *e = d->event;
    uint32_t error = e->vector * 8u | ERROR_IDT;

    if (state_vm86(&r->s) && e->source == ARCH_SOFTWARE &&
        state_iopl(&r->s) < 3)
        run_raise(r, VEC_GP, 0);
    if (e->vector * 8u + 7 > r->s.idtr.limit)
        run_raise(r, VEC_GP, error);
    struct descriptor gate = {.linear = r->s.idtr.base + e->vector * 8u};
    gate.low = run_read(r, gate.linear, 4, false);
    gate.high = run_read(r, gate.linear + 4, 4, false);

    unsigned type = desc_type(&gate);
    bool is_gate =
        desc_system(&gate) &&
        (type == SYS_TASK_GATE || type == SYS_INT16 || type == SYS_TRAP16 ||
         type == SYS_INT32 || type == SYS_TRAP32);
    if (!is_gate || (is_software(e) && desc_dpl(&gate) < r->s.cpl))
        run_raise(r, VEC_GP, error);
    if (!desc_present(&gate))
        run_raise(r, VEC_NP, error);
    d->selector = gate_selector(&gate);
    if (type == SYS_TASK_GATE) {
        through_task_gate(r, d);
        return;
    }
    d->is32 = desc_is32(&gate);
    d->mask_if = type == SYS_INT16 || type == SYS_INT32;
    d->eip = gate_offset(&gate);
    through_gate(r, d);
}

static void deliver(struct arch_run *r, void *args)
{
    const struct arch_event *e = args;
    struct delivery d = {.event = e,
                         .return_eip = event_return(&r->s, e),
                         .flags = arch_event_flags(&r->s, e)};

    if (state_protected(&r->s))
        deliver_protected(r, &d);
    else
        deliver_real(r, &d);
    r->s.interrupt_shadow = false;
    r->s.halted = false;
    if (e->source == ARCH_NMI)
        r->s.nmi_blocked = true;
}

/* SDM 3A, "Interrupt 8 - Double Fault Exception", the classes. */
enum severity { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

static enum severity severity_of(const struct arch_event *e)
{
    if (e->source != ARCH_EXCEPTION)
        return BENIGN;
    switch (e->vector) {
    case VEC_DE:
    case VEC_TS:
    case VEC_NP:
    case VEC_SS:
    case VEC_GP: return CONTRIBUTORY;
    case VEC_PF: return PAGE_FAULT;
    case VEC_DF: return DOUBLE_FAULT;
    default: return BENIGN;
    }
}

bool arch_escalate(const struct arch_event *first, const struct fault *f,
                   struct arch_event *second)
{
    *second = (struct arch_event){.vector = f->vector,
                                  .source = ARCH_EXCEPTION,
                                  .has_error = f->has_error,
                                  .error = f->error,
                                  .cr2 = f->cr2};
    enum severity one = severity_of(first);
    enum severity two = severity_of(second);

    if (two == BENIGN || one == BENIGN)
        return true;
    if (one == DOUBLE_FAULT)
        return false;
    if (one == CONTRIBUTORY && two == PAGE_FAULT)
        return true;
    *second = (struct arch_event){
        .vector = VEC_DF, .source = ARCH_EXCEPTION, .has_error = true};
    return true;
}

void arch_chain_add(struct arch_chain *chain, const struct arch_event *e)
{
    unsigned most = sizeof chain->event / sizeof *chain->event;

    if (chain->count < most)
        chain->event[chain->count++] = *e;
}

bool arch_deliver_once(struct cpu_state *s, const struct mem_ops *mem,
                       const struct arch_event *event, struct fault *f)
{
    struct arch_event copy = *event;

    if (event->source == ARCH_EXCEPTION && event->vector == VEC_PF)
        s->cr2 = event->cr2;
    return run_try(s, mem, is_software(event) ? 0 : 1, deliver, &copy, f);
}

enum arch_result arch_deliver(struct cpu_state *s, const struct mem_ops *mem,
                              const struct arch_event *event,
                              struct arch_chain *chain)
{
    struct arch_chain unread;
    struct arch_event now = *event;
    struct arch_event second;
    struct fault f;

    if (arch_deliver_plain(s, mem, event))
        return ARCH_OK;
    if (!chain)
        chain = &unread;
    chain->count = 0;
    /* Every chain of benign, contributory, page fault, double fault ends, but
     * a #DB from a task switch is benign and may recur: count. */
    for (unsigned tries = 0; tries < 8; tries++) {
        arch_chain_add(chain, &now);
        if (arch_deliver_once(s, mem, &now, &f))
            return ARCH_OK;
        if (!arch_escalate(&now, &f, &second))
            return ARCH_TRIPLE_FAULT;
        now = second;
    }
    return ARCH_TRIPLE_FAULT;
}
