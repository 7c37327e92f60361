/* SPDX-License-Identifier: MIT */
/* cpu/arch_run.c - leaving a procedure, memory, stacks. See cpu/arch_run.h. */
#include "cpu/arch_run.h"

/* setjmp stands alone in this frame: r belongs to the caller, so its contents
 * are defined after the jump. */
static bool attempt(struct arch_run *r, run_procedure *procedure, void *args)
{
    if (setjmp(r->escape) != 0)
        return false;
    procedure(r, args);
    return true;
}

bool run_try(struct cpu_state *s, const struct mem_ops *mem, uint32_t ext,
             run_procedure *procedure, void *args, struct fault *f)
{
    struct arch_run r;

    r.s = *s;
    r.mem = mem;
    r.fault = (struct fault){0};
    r.ext = ext;
    r.committed = false;
    r.debug_trap = false;
    bool done = attempt(&r, procedure, args);
    if (done || r.committed)
        *s = r.s;
    if (done && r.debug_trap) {
        *f = (struct fault){.vector = VEC_DB};
        return false;
    }
    if (!done)
        *f = r.fault;
    return done;
}

_Noreturn void run_raise(struct arch_run *r, uint8_t vector, uint32_t error)
{
    r->fault = arch_fault(vector, error | r->ext);
    longjmp(r->escape, 1);
}

_Noreturn void run_raise_plain(struct arch_run *r, uint8_t vector)
{
    r->fault = (struct fault){.vector = vector};
    longjmp(r->escape, 1);
}

uint32_t run_read(struct arch_run *r, uint32_t linear, unsigned size, bool user)
{
    uint32_t value = 0;

    if (!r->mem->read(r->mem->ctx, linear, size, user, &value, &r->fault))
        longjmp(r->escape, 1);
    return value;
}

void run_write(struct arch_run *r, uint32_t linear, unsigned size, bool user,
               uint32_t value)
{
    if (!r->mem->write(r->mem->ctx, linear, size, user, value, &r->fault))
        longjmp(r->escape, 1);
}

void run_descriptor(struct arch_run *r, uint32_t linear, bool write,
                    uint32_t *value)
{
    const struct mem_ops *mem = r->mem;

    if (!(mem->descriptor
              ? mem->descriptor(mem->ctx, linear, write, value, &r->fault)
          : write ? mem->write(mem->ctx, linear, 4, false, *value, &r->fault)
                  : mem->read(mem->ctx, linear, 4, false, value, &r->fault)))
        longjmp(r->escape, 1);
}

/* SDM 3A, "Limit Checking". */
bool arch_segment_holds(const struct segment *seg, uint32_t offset,
                        uint32_t size)
{
    uint64_t last = (uint64_t)offset + size - 1;
    bool expand_down =
        (seg->attr & (SEG_S | SEG_CODE | SEG_EXPAND)) == (SEG_S | SEG_EXPAND);

    if (!expand_down)
        return last <= seg->limit;
    return offset > seg->limit &&
           last <= ((seg->attr & SEG_D) ? 0xFFFFFFFFu : 0xFFFFu);
}

struct stack run_stack(const struct arch_run *r)
{
    return (struct stack){.ss = r->s.seg[SEG_SS],
                          .esp = r->s.gpr[GPR_ESP],
                          .error = 0,
                          .user = r->s.cpl == 3};
}

void run_set_stack(struct arch_run *r, const struct stack *st)
{
    r->s.seg[SEG_SS] = st->ss;
    r->s.gpr[GPR_ESP] = st->esp;
}

static uint32_t stack_mask(const struct stack *st)
{
    return (st->ss.attr & SEG_D) ? 0xFFFFFFFFu : 0xFFFFu;
}

void stack_skip(struct stack *st, uint32_t bytes)
{
    uint32_t mask = stack_mask(st);

    st->esp = (st->esp & ~mask) | ((st->esp + bytes) & mask);
}

static uint32_t stack_check(struct arch_run *r, const struct stack *st,
                            uint32_t esp, unsigned size)
{
    uint32_t offset = esp & stack_mask(st);

    if (!arch_segment_holds(&st->ss, offset, size))
        run_raise(r, VEC_SS, st->error);
    return st->ss.base + offset;
}

void stack_push(struct arch_run *r, struct stack *st, unsigned size,
                uint32_t value)
{
    struct stack next = *st;

    stack_skip(&next, 0u - size);
    uint32_t linear = stack_check(r, st, next.esp, size);
    run_write(r, linear, size, st->user, size == 2 ? value & 0xFFFF : value);
    *st = next;
}

uint32_t stack_pop(struct arch_run *r, struct stack *st, unsigned size)
{
    uint32_t linear = stack_check(r, st, st->esp, size);
    uint32_t value = run_read(r, linear, size, st->user);

    stack_skip(st, size);
    return value;
}

/* The stack for privilege dpl that the current TSS names.
 * SDM 3A, "Stack Switching". */
struct stack run_inner_stack(struct arch_run *r, unsigned dpl)
{
    const struct segment *tr = &r->s.tr;
    bool is32 = (tr->attr & SEG_TYPE & 8) != 0;
    uint32_t at = is32 ? dpl * 8 + 4 : dpl * 4 + 2;
    uint32_t last = is32 ? at + 5 : at + 3;

    if (tr->attr == 0 || last > tr->limit)
        run_raise(r, VEC_TS, sel_error(tr->selector));
    unsigned size = is32 ? 4 : 2;
    uint32_t esp = run_read(r, tr->base + at, size, false);
    uint16_t ss = (uint16_t)run_read(r, tr->base + at + size, 2, false);

    if (SEL_NULL(ss))
        run_raise(r, VEC_TS, 0);
    struct descriptor d = run_fetch(r, ss, VEC_TS);
    if ((ss & SEL_RPL) != dpl || desc_dpl(&d) != dpl || !desc_writable(&d))
        run_raise(r, VEC_TS, sel_error(ss));
    if (!desc_present(&d))
        run_raise(r, VEC_SS, sel_error(ss));
    return (struct stack){.ss = run_accessed(r, &d, ss),
                          .esp = esp,
                          .error = (uint16_t)sel_error(ss),
                          .user = dpl == 3};
}

/* The outer stack that a return to privilege cpl has popped. With a 16-bit
 * stack segment only SP is loaded: the upper half of ESP stays as it was. */
struct stack run_outer_stack(struct arch_run *r, uint16_t selector,
                             uint32_t esp, unsigned cpl, unsigned size)
{
    if (SEL_NULL(selector))
        run_raise(r, VEC_GP, 0);
    struct descriptor d = run_fetch(r, selector, VEC_GP);
    if ((selector & SEL_RPL) != cpl || desc_dpl(&d) != cpl ||
        !desc_writable(&d))
        run_raise(r, VEC_GP, sel_error(selector));
    if (!desc_present(&d))
        run_raise(r, VEC_SS, sel_error(selector));

    struct stack st = {
        .ss = run_accessed(r, &d, selector), .error = 0, .user = cpl == 3};
    uint32_t mask = stack_mask(&st);
    if (size == 2)
        esp &= 0xFFFF;
    st.esp = (r->s.gpr[GPR_ESP] & ~mask) | (esp & mask);
    return st;
}
