/* SPDX-License-Identifier: MIT */
/* cpu/emulate_operand.c - registers, memory operands, the stack.
 *
 * Reference: SDM 3A, "Type Checking", "Limit Checking"; SDM 2, "ModR/M and SIB
 * Bytes".
 */
#include "cpu/emulate_run.h"

uint32_t emu_get_reg(const struct emu_run *r, unsigned reg, unsigned size)
{
    if (size == 1 && reg >= 4)
        return r->s.gpr[reg - 4] >> 8 & 0xFF;
    return r->s.gpr[reg] & emu_mask(size);
}

void emu_set_reg(struct emu_run *r, unsigned reg, unsigned size, uint32_t v)
{
    uint32_t mask = emu_mask(size);

    if (size == 1 && reg >= 4) {
        reg -= 4;
        mask <<= 8;
        v <<= 8;
    }
    r->s.gpr[reg] = (r->s.gpr[reg] & ~mask) | (v & mask);
}

/* In real mode and VM86 only the limit counts. */
static bool permits(const struct emu_run *r, const struct segment *seg,
                    bool write)
{
    if (!state_protected(&r->s) || state_vm86(&r->s))
        return true;
    if (seg->attr == 0)
        return false;
    if (write)
        return (seg->attr & (SEG_CODE | SEG_WRITABLE)) == SEG_WRITABLE;
    return (seg->attr & (SEG_CODE | SEG_READABLE)) != SEG_CODE;
}

static uint32_t to_linear(struct emu_run *r, unsigned reg, uint32_t offset,
                          unsigned size, bool write)
{
    const struct segment *seg = &r->s.seg[reg];

    if (!permits(r, seg, write) || !arch_segment_holds(seg, offset, size))
        emu_raise(r, reg == SEG_SS ? VEC_SS : VEC_GP, 0);
    return seg->base + offset;
}

uint32_t emu_read(struct emu_run *r, unsigned seg, uint32_t offset,
                  unsigned size)
{
    uint32_t linear = to_linear(r, seg, offset, size, false);
    uint32_t value = 0;
    struct fault f;

    if (!r->mem->read(r->mem->ctx, linear, size, r->s.cpl == 3, &value, &f))
        emu_raise_fault(r, &f);
    return value & emu_mask(size);
}

void emu_write(struct emu_run *r, unsigned seg, uint32_t offset, unsigned size,
               uint32_t value)
{
    uint32_t linear = to_linear(r, seg, offset, size, true);
    struct fault f;

    if (!r->mem->write(r->mem->ctx, linear, size, r->s.cpl == 3,
                       value & emu_mask(size), &f))
        emu_raise_fault(r, &f);
}

uint32_t emu_offset(const struct emu_run *r, const struct operand *op)
{
    uint32_t offset = op->value;

    if (op->base != REG_NONE)
        offset += r->s.gpr[op->base];
    if (op->index != REG_NONE)
        offset += r->s.gpr[op->index] * op->scale;
    return offset & emu_mask(r->in->address_size);
}

uint32_t emu_load(struct emu_run *r, unsigned n)
{
    const struct operand *op = &r->in->op[n];

    switch (op->kind) {
    case OPERAND_GPR: return emu_get_reg(r, op->reg, op->size);
    case OPERAND_MEM:
        return emu_read(r, op->segment, emu_offset(r, op), op->size);
    case OPERAND_IMM: return op->value;
    default: return 0;
    }
}

void emu_store(struct emu_run *r, unsigned n, uint32_t value)
{
    const struct operand *op = &r->in->op[n];

    if (op->kind == OPERAND_GPR)
        emu_set_reg(r, op->reg, op->size, value);
    else
        emu_write(r, op->segment, emu_offset(r, op), op->size, value);
}

static uint32_t stack_mask(const struct emu_run *r)
{
    return (r->s.seg[SEG_SS].attr & SEG_D) ? 0xFFFFFFFFu : 0xFFFFu;
}

void emu_move_stack(struct emu_run *r, uint32_t by)
{
    uint32_t mask = stack_mask(r);
    uint32_t *esp = &r->s.gpr[GPR_ESP];

    *esp = (*esp & ~mask) | ((*esp + by) & mask);
}

void emu_push(struct emu_run *r, unsigned size, uint32_t value)
{
    uint32_t offset = (r->s.gpr[GPR_ESP] - size) & stack_mask(r);

    emu_write(r, SEG_SS, offset, size, value);
    emu_move_stack(r, 0u - size);
}

uint32_t emu_pop(struct emu_run *r, unsigned size)
{
    uint32_t value =
        emu_read(r, SEG_SS, r->s.gpr[GPR_ESP] & stack_mask(r), size);

    emu_move_stack(r, size);
    return value;
}
