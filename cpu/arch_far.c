/* SPDX-License-Identifier: MIT */
/* cpu/arch_far.c - far JMP, CALL and RET.
 *
 * Reference: SDM 2, JMP, CALL, RET, "Operation"; SDM 3A, "Call Gates".
 */
#include "cpu/arch_run.h"

struct far {
    uint16_t selector;
    uint32_t offset;
    unsigned size;
    uint32_t next_eip;
    uint32_t release; /* RETF n */
    bool call;
};

/* "CONFORMING-CODE-SEGMENT" and "NONCONFORMING-CODE-SEGMENT": no gate, so the
 * level stays. */
static void direct(struct arch_run *r, const struct far *a,
                   struct descriptor *code)
{
    unsigned cpl = r->s.cpl;
    bool level = desc_conforming(code)
                     ? desc_dpl(code) <= cpl
                     : desc_dpl(code) == cpl && (a->selector & SEL_RPL) <= cpl;
    uint32_t eip = a->size == 2 ? a->offset & 0xFFFF : a->offset;
    struct stack st = run_stack(r);

    if (!level)
        run_raise(r, VEC_GP, sel_error(a->selector));
    if (!desc_present(code))
        run_raise(r, VEC_NP, sel_error(a->selector));
    struct segment cs = arch_segment(a->selector, code->low, code->high);
    run_check_eip(r, &cs, eip);
    if (a->call) {
        stack_push(r, &st, a->size, r->s.seg[SEG_CS].selector);
        stack_push(r, &st, a->size, a->next_eip);
    }
    cs = run_accessed(r, code, a->selector);
    run_set_cs(r, &cs, eip, cpl);
    run_set_stack(r, &st);
}

/* The parameters of the caller, from its stack to the inner one. */
static void copy_parameters(struct arch_run *r, struct stack *to, unsigned size,
                            unsigned count)
{
    uint32_t value[31];
    struct stack from = run_stack(r);

    for (unsigned i = 0; i < count; i++)
        value[i] = stack_pop(r, &from, size);
    for (unsigned i = count; i > 0; i--)
        stack_push(r, to, size, value[i - 1]);
}

/* "CALL-GATE", with "MORE-PRIVILEGE" when a call goes to an inner level. */
static void through_call_gate(struct arch_run *r, const struct far *a,
                              const struct descriptor *gate)
{
    unsigned cpl = r->s.cpl;
    unsigned size = desc_is32(gate) ? 4 : 2;
    uint16_t selector = gate_selector(gate);
    uint32_t eip = gate_offset(gate);

    if (SEL_NULL(selector))
        run_raise(r, VEC_GP, 0);
    struct descriptor code = run_fetch(r, selector, VEC_GP);
    bool inner = a->call && !desc_conforming(&code) && desc_dpl(&code) < cpl;
    bool level = desc_conforming(&code) || a->call ? desc_dpl(&code) <= cpl
                                                   : desc_dpl(&code) == cpl;
    if (!desc_code(&code) || !level)
        run_raise(r, VEC_GP, sel_error(selector));
    if (!desc_present(&code))
        run_raise(r, VEC_NP, sel_error(selector));
    struct segment cs = arch_segment(selector, code.low, code.high);
    struct stack st =
        inner ? run_inner_stack(r, desc_dpl(&code)) : run_stack(r);
    run_check_eip(r, &cs, eip);
    if (inner) {
        stack_push(r, &st, size, r->s.seg[SEG_SS].selector);
        stack_push(r, &st, size, r->s.gpr[GPR_ESP]);
        copy_parameters(r, &st, size, gate->high & 0x1F);
    }
    if (a->call) {
        stack_push(r, &st, size, r->s.seg[SEG_CS].selector);
        stack_push(r, &st, size, a->next_eip);
    }
    cs = run_accessed(r, &code, selector);
    run_set_cs(r, &cs, eip, inner ? desc_dpl(&code) : cpl);
    run_set_stack(r, &st);
}

static void to_task(struct arch_run *r, const struct far *a,
                    struct descriptor *tss)
{
    run_task_switch(r, tss, a->call ? TASK_CALL : TASK_JUMP, a->next_eip);
    run_check_eip(r, &r->s.seg[SEG_CS], r->s.eip);
}

static void through_system(struct arch_run *r, const struct far *a,
                           struct descriptor *d)
{
    unsigned type = desc_type(d);
    unsigned rpl = a->selector & SEL_RPL;

    if (desc_dpl(d) < r->s.cpl || desc_dpl(d) < rpl)
        run_raise(r, VEC_GP, sel_error(a->selector));
    switch (type) {
    case SYS_CALL16:
    case SYS_CALL32:
    case SYS_TASK_GATE:
        if (!desc_present(d))
            run_raise(r, VEC_NP, sel_error(a->selector));
        if (type != SYS_TASK_GATE) {
            through_call_gate(r, a, d);
        } else {
            struct descriptor tss =
                run_fetch_tss(r, gate_selector(d), VEC_GP, false);
            to_task(r, a, &tss);
        }
        break;
    case SYS_TSS16:
    case SYS_TSS32: {
        struct descriptor tss = run_fetch_tss(r, a->selector, VEC_GP, false);
        to_task(r, a, &tss);
        break;
    }
    default: run_raise(r, VEC_GP, sel_error(a->selector));
    }
}

static void transfer_real(struct arch_run *r, const struct far *a)
{
    struct stack st = run_stack(r);

    if (a->call) {
        stack_push(r, &st, a->size, r->s.seg[SEG_CS].selector);
        stack_push(r, &st, a->size, a->next_eip);
    }
    run_load_real_cs(r, a->selector,
                     a->size == 2 ? a->offset & 0xFFFF : a->offset);
    run_set_stack(r, &st);
}

static void transfer(struct arch_run *r, void *args)
{
    const struct far *a = args;

    if (!state_protected(&r->s) || state_vm86(&r->s)) {
        transfer_real(r, a);
        return;
    }
    if (SEL_NULL(a->selector))
        run_raise(r, VEC_GP, 0);
    struct descriptor d = run_fetch(r, a->selector, VEC_GP);
    if (desc_system(&d))
        through_system(r, a, &d);
    else if (desc_code(&d))
        direct(r, a, &d);
    else
        run_raise(r, VEC_GP, sel_error(a->selector));
}

bool arch_far_jump(struct cpu_state *s, const struct mem_ops *mem,
                   uint16_t selector, uint32_t offset, unsigned size,
                   uint32_t next_eip, struct fault *f)
{
    struct far a = {.selector = selector,
                    .offset = offset,
                    .size = size,
                    .next_eip = next_eip};

    return run_try(s, mem, 0, transfer, &a, f);
}

bool arch_far_call(struct cpu_state *s, const struct mem_ops *mem,
                   uint16_t selector, uint32_t offset, unsigned size,
                   uint32_t next_eip, struct fault *f)
{
    struct far a = {.selector = selector,
                    .offset = offset,
                    .size = size,
                    .next_eip = next_eip,
                    .call = true};

    return run_try(s, mem, 0, transfer, &a, f);
}

static void far_return(struct arch_run *r, void *args)
{
    const struct far *a = args;
    struct stack st = run_stack(r);
    uint32_t eip = stack_pop(r, &st, a->size);
    uint16_t selector = (uint16_t)stack_pop(r, &st, a->size);
    unsigned rpl = selector & SEL_RPL;

    stack_skip(&st, a->release);
    if (!state_protected(&r->s) || state_vm86(&r->s)) {
        run_load_real_cs(r, selector, eip);
        run_set_stack(r, &st);
        return;
    }
    struct descriptor code = run_fetch_return_cs(r, selector);
    struct segment cs = arch_segment(selector, code.low, code.high);
    bool outer = rpl > r->s.cpl;
    if (outer) {
        uint32_t esp = stack_pop(r, &st, a->size);
        uint16_t ss = (uint16_t)stack_pop(r, &st, a->size);
        st = run_outer_stack(r, ss, esp, rpl, a->size);
        stack_skip(&st, a->release);
    }
    run_check_eip(r, &cs, eip);
    cs = run_accessed(r, &code, selector);
    run_set_cs(r, &cs, eip, rpl);
    run_set_stack(r, &st);
    if (outer)
        run_drop_inner_segments(r);
}

bool arch_far_return(struct cpu_state *s, const struct mem_ops *mem,
                     unsigned size, uint16_t release_bytes, struct fault *f)
{
    struct far a = {.size = size, .release = release_bytes};

    return run_try(s, mem, 0, far_return, &a, f);
}
