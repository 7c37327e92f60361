/* SPDX-License-Identifier: MIT */
/* cpu/emulate_segment.c - segment registers, selectors, far transfers. */
#include "cpu/emulate_run.h"

static void load_seg(struct emu_run *r, unsigned reg, uint32_t selector)
{
    struct fault f;

    if (!arch_load_segment(&r->s, r->mem, (enum seg_reg)reg, (uint16_t)selector,
                           &f))
        emu_raise_fault(r, &f);
}

/* After a load of SS by MOV or POP comes one instruction that nothing
 * interrupts, to load ESP. */
static void guard_stack(struct emu_run *r, unsigned reg)
{
    if (reg == SEG_SS) {
        r->shadow = true;
        r->hold_trap = true;
    }
}

void emu_push_seg(struct emu_run *r)
{
    emu_push(r, r->in->operand_size, r->s.seg[r->in->op[0].reg].selector);
}

void emu_pop_seg(struct emu_run *r)
{
    unsigned reg = r->in->op[0].reg;
    uint32_t selector = emu_pop(r, r->in->operand_size);

    load_seg(r, reg, selector & 0xFFFF);
    guard_stack(r, reg);
}

/* A 32-bit register gets zeroes above the selector. */
void emu_mov_from_seg(struct emu_run *r)
{
    emu_store(r, 0, r->s.seg[r->in->op[1].reg].selector);
}

void emu_mov_to_seg(struct emu_run *r)
{
    unsigned reg = r->in->op[0].reg;

    if (reg == SEG_CS || reg >= SEG_COUNT)
        emu_raise_plain(r, VEC_UD);
    load_seg(r, reg, emu_load(r, 1) & 0xFFFF);
    guard_stack(r, reg);
}

/* A far pointer in memory: offset, then selector. */
static uint32_t read_far(struct emu_run *r, const struct operand *op,
                         uint16_t *selector)
{
    unsigned size = r->in->operand_size;
    uint32_t at = emu_offset(r, op);
    uint32_t offset = emu_read(r, op->segment, at, size);

    *selector = (uint16_t)emu_read(r, op->segment, at + size, 2);
    return offset;
}

void emu_load_far_pointer(struct emu_run *r)
{
    static const uint8_t target[INSN_COUNT] = {
        [INSN_LDS] = SEG_DS, [INSN_LES] = SEG_ES, [INSN_LSS] = SEG_SS,
        [INSN_LFS] = SEG_FS, [INSN_LGS] = SEG_GS,
    };
    uint16_t selector;
    uint32_t offset = read_far(r, &r->in->op[1], &selector);

    load_seg(r, target[r->in->id], selector);
    emu_store(r, 0, offset);
}

/* ---- LDTR and TR -------------------------------------------------------- */

void emu_lldt(struct emu_run *r)
{
    struct fault f;

    if (!arch_lldt(&r->s, r->mem, (uint16_t)emu_load(r, 0), &f))
        emu_raise_fault(r, &f);
    r->tables = true;
}

void emu_ltr(struct emu_run *r)
{
    struct fault f;

    if (!arch_ltr(&r->s, r->mem, (uint16_t)emu_load(r, 0), &f))
        emu_raise_fault(r, &f);
    r->tables = true;
}

void emu_sldt(struct emu_run *r)
{
    emu_store(r, 0, r->s.ldtr.selector);
}

void emu_str(struct emu_run *r)
{
    emu_store(r, 0, r->s.tr.selector);
}

/* ---- Questions about selectors ------------------------------------------ */

static void answer(struct emu_run *r, bool yes, const struct fault *f)
{
    if (!yes && f->vector != 0xFF)
        emu_raise_fault(r, f);
    emu_set_flag(r, EFL_ZF, yes);
}

void emu_lar(struct emu_run *r)
{
    uint32_t value;
    struct fault f;
    bool yes = arch_lar(&r->s, r->mem, (uint16_t)emu_load(r, 1), &value, &f);

    answer(r, yes, &f);
    if (yes)
        emu_store(r, 0, value);
}

void emu_lsl(struct emu_run *r)
{
    uint32_t value;
    struct fault f;
    bool yes = arch_lsl(&r->s, r->mem, (uint16_t)emu_load(r, 1), &value, &f);

    answer(r, yes, &f);
    if (yes)
        emu_store(r, 0, value);
}

void emu_verr(struct emu_run *r)
{
    struct fault f;
    bool yes = arch_verify(&r->s, r->mem, (uint16_t)emu_load(r, 0), false, &f);

    answer(r, yes, &f);
}

void emu_verw(struct emu_run *r)
{
    struct fault f;
    bool yes = arch_verify(&r->s, r->mem, (uint16_t)emu_load(r, 0), true, &f);

    answer(r, yes, &f);
}

/* Raise the RPL of a selector that an outer level has passed. */
void emu_arpl(struct emu_run *r)
{
    uint32_t to = emu_load(r, 0);
    uint32_t rpl = emu_load(r, 1) & SEL_RPL;
    bool raise = (to & SEL_RPL) < rpl;

    if (raise)
        emu_store(r, 0, (to & ~SEL_RPL) | rpl);
    emu_set_flag(r, EFL_ZF, raise);
}

/* ---- Far transfers ------------------------------------------------------ */

/* Until the transfer nothing was changed; if the transfer changed something
 * and yet failed, that was a task switch, and it stays. */
static void conclude(struct emu_run *r, bool done, const struct fault *f)
{
    if (!done) {
        r->keep = true;
        emu_raise_fault(r, f);
    }
    r->jumped = true;
}

static uint32_t far_target(struct emu_run *r, uint16_t *selector)
{
    const struct operand *op = &r->in->op[0];

    if (op->kind == OPERAND_MEM)
        return read_far(r, op, selector);
    *selector = op->selector;
    return op->value;
}

void emu_jmp_far(struct emu_run *r)
{
    uint16_t selector;
    struct fault f;
    uint32_t offset = far_target(r, &selector);

    conclude(r,
             arch_far_jump(&r->s, r->mem, selector, offset, r->in->operand_size,
                           r->next_eip, &f),
             &f);
}

void emu_call_far(struct emu_run *r)
{
    uint16_t selector;
    struct fault f;
    uint32_t offset = far_target(r, &selector);

    conclude(r,
             arch_far_call(&r->s, r->mem, selector, offset, r->in->operand_size,
                           r->next_eip, &f),
             &f);
}

void emu_ret_far(struct emu_run *r)
{
    struct fault f;

    conclude(
        r,
        arch_far_return(&r->s, r->mem, r->in->operand_size, r->in->release, &f),
        &f);
}

void emu_iret(struct emu_run *r)
{
    struct fault f;

    conclude(r, arch_iret(&r->s, r->mem, r->in->operand_size, r->next_eip, &f),
             &f);
    r->keep_rf = true;
}
