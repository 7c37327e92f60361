/* SPDX-License-Identifier: MIT */
/* cpu/emulate_data.c - the data instructions, with exact flags.
 *
 * They are here because they may touch a device or a watched page table, where
 * the access itself cannot be let through. LOCK needs nothing: one emulation is
 * atomic. Flags the manual calls undefined are cleared or kept, never random.
 *
 * Reference: SDM 1, "Status Flags"; SDM 2, each instruction.
 */
#include "cpu/emulate_run.h"

/* ---- Flags -------------------------------------------------------------- */

static void set_result_flags(struct emu_run *r, uint32_t value, unsigned size)
{
    emu_set_flag(r, EFL_ZF, (value & emu_mask(size)) == 0);
    emu_set_flag(r, EFL_SF, (value & emu_sign(size)) != 0);
    emu_set_flag(r, EFL_PF, !__builtin_parity(value & 0xFF));
}

static uint32_t add(struct emu_run *r, uint32_t a, uint32_t b, unsigned carry,
                    unsigned size)
{
    uint64_t wide =
        (uint64_t)(a & emu_mask(size)) + (b & emu_mask(size)) + carry;
    uint32_t sum = (uint32_t)wide & emu_mask(size);

    emu_set_flag(r, EFL_CF, wide >> size * 8 & 1);
    emu_set_flag(r, EFL_AF, ((a ^ b ^ sum) & 0x10) != 0);
    emu_set_flag(r, EFL_OF, (~(a ^ b) & (a ^ sum) & emu_sign(size)) != 0);
    set_result_flags(r, sum, size);
    return sum;
}

uint32_t emu_subtract(struct emu_run *r, uint32_t a, uint32_t b, unsigned carry,
                      unsigned size)
{
    uint64_t wide =
        (uint64_t)(a & emu_mask(size)) - (b & emu_mask(size)) - carry;
    uint32_t difference = (uint32_t)wide & emu_mask(size);

    emu_set_flag(r, EFL_CF, wide >> 63);
    emu_set_flag(r, EFL_AF, ((a ^ b ^ difference) & 0x10) != 0);
    emu_set_flag(r, EFL_OF, ((a ^ b) & (a ^ difference) & emu_sign(size)) != 0);
    set_result_flags(r, difference, size);
    return difference;
}

static uint32_t logic(struct emu_run *r, uint32_t value, unsigned size)
{
    r->s.eflags &= ~(EFL_CF | EFL_OF | EFL_AF);
    set_result_flags(r, value, size);
    return value;
}

/* SDM 2, "Condition Codes": odd codes negate the even ones. */
static bool holds(const struct emu_run *r)
{
    uint32_t f = r->s.eflags;
    bool cf = f & EFL_CF, zf = f & EFL_ZF, sf = f & EFL_SF, of = f & EFL_OF;
    bool yes = false;

    switch (r->in->condition >> 1) {
    case 0: yes = of; break;
    case 1: yes = cf; break;
    case 2: yes = zf; break;
    case 3: yes = cf || zf; break;
    case 4: yes = sf; break;
    case 5: yes = f & EFL_PF; break;
    case 6: yes = sf != of; break;
    default: yes = zf || sf != of; break;
    }
    return yes != (r->in->condition & 1);
}

/* ---- Moves -------------------------------------------------------------- */

void emu_mov(struct emu_run *r)
{
    emu_store(r, 0, emu_load(r, 1));
}

void emu_movzx(struct emu_run *r)
{
    emu_store(r, 0, emu_load(r, 1));
}

void emu_movsx(struct emu_run *r)
{
    uint32_t sign = emu_sign(r->in->op[1].size);

    emu_store(r, 0, (emu_load(r, 1) ^ sign) - sign);
}

/* Memory first: if that faults, the register must not have changed. */
void emu_xchg(struct emu_run *r)
{
    unsigned m = r->in->op[1].kind == OPERAND_MEM ? 1 : 0;
    uint32_t a = emu_load(r, m);
    uint32_t b = emu_load(r, !m);

    emu_store(r, m, b);
    emu_store(r, !m, a);
}

void emu_push_op(struct emu_run *r)
{
    emu_push(r, r->in->operand_size, emu_load(r, 0));
}

/* The address of POP [ESP+n] is computed after ESP has moved. */
void emu_pop_op(struct emu_run *r)
{
    uint32_t value = emu_pop(r, r->in->operand_size);

    emu_store(r, 0, value);
}

void emu_setcc(struct emu_run *r)
{
    emu_store(r, 0, holds(r));
}

/* The source is read either way, and may fault. */
void emu_cmovcc(struct emu_run *r)
{
    uint32_t value = emu_load(r, 1);

    if (holds(r))
        emu_store(r, 0, value);
}

/* Within CS. */
static void jump(struct emu_run *r, uint32_t eip)
{
    r->s.eip = eip;
    r->jumped = true;
    if (!arch_segment_holds(&r->s.seg[SEG_CS], eip, 1))
        emu_raise(r, VEC_GP, 0);
}

void emu_loopcc(struct emu_run *r)
{
    bool equal = (r->s.eflags & EFL_ZF) != 0;
    uint32_t mask = emu_mask(r->in->address_size);
    uint32_t *ecx = &r->s.gpr[GPR_ECX];
    uint32_t count = (*ecx - 1) & mask;

    *ecx = (*ecx & ~mask) | count;
    if (count == 0 || equal != (r->in->condition & 1))
        return;
    jump(r, decode_target(r->in, r->s.eip));
}

void emu_ret(struct emu_run *r)
{
    jump(r, emu_pop(r, r->in->operand_size));
    emu_move_stack(r, r->in->release);
}

/* ---- Arithmetic --------------------------------------------------------- */

void emu_arith(struct emu_run *r)
{
    unsigned size = r->in->op[0].size;
    uint32_t a = emu_load(r, 0);
    uint32_t b = emu_load(r, 1);
    unsigned carry = r->s.eflags & EFL_CF;
    uint32_t value;

    switch (r->in->id) {
    case INSN_ADD: value = add(r, a, b, 0, size); break;
    case INSN_ADC: value = add(r, a, b, carry, size); break;
    case INSN_SUB: value = emu_subtract(r, a, b, 0, size); break;
    case INSN_SBB: value = emu_subtract(r, a, b, carry, size); break;
    case INSN_OR: value = logic(r, a | b, size); break;
    case INSN_AND: value = logic(r, a & b, size); break;
    case INSN_XOR: value = logic(r, a ^ b, size); break;
    default: emu_subtract(r, a, b, 0, size); return; /* CMP */
    }
    emu_store(r, 0, value);
}

void emu_test(struct emu_run *r)
{
    logic(r, emu_load(r, 0) & emu_load(r, 1), r->in->op[0].size);
}

/* CF is not theirs. */
void emu_inc_dec(struct emu_run *r)
{
    unsigned size = r->in->op[0].size;
    uint32_t a = emu_load(r, 0);
    bool cf = r->s.eflags & EFL_CF;
    uint32_t value = r->in->id == INSN_INC ? add(r, a, 1, 0, size)
                                           : emu_subtract(r, a, 1, 0, size);

    emu_set_flag(r, EFL_CF, cf);
    emu_store(r, 0, value);
}

void emu_not(struct emu_run *r)
{
    emu_store(r, 0, ~emu_load(r, 0));
}

void emu_neg(struct emu_run *r)
{
    uint32_t value = emu_subtract(r, 0, emu_load(r, 0), 0, r->in->op[0].size);

    emu_store(r, 0, value);
}

/* The destination first: with equal registers the sum is what stays. */
void emu_xadd(struct emu_run *r)
{
    uint32_t a = emu_load(r, 0);
    uint32_t b = emu_load(r, 1);
    uint32_t sum = add(r, a, b, 0, r->in->op[0].size);

    if (r->in->op[0].kind == OPERAND_MEM) {
        emu_store(r, 0, sum);
        emu_store(r, 1, a);
    } else {
        emu_store(r, 1, a);
        emu_store(r, 0, sum);
    }
}

/* The destination is written in either case. */
void emu_cmpxchg(struct emu_run *r)
{
    unsigned size = r->in->op[0].size;
    uint32_t old = emu_load(r, 0);

    emu_subtract(r, emu_get_reg(r, GPR_EAX, size), old, 0, size);
    if (r->s.eflags & EFL_ZF) {
        emu_store(r, 0, emu_load(r, 1));
    } else {
        emu_store(r, 0, old);
        emu_set_reg(r, GPR_EAX, size, old);
    }
}

void emu_cmpxchg8b(struct emu_run *r)
{
    const struct operand *op = &r->in->op[0];
    uint32_t at = emu_offset(r, op);
    uint32_t low = emu_read(r, op->segment, at, 4);
    uint32_t high = emu_read(r, op->segment, at + 4, 4);
    uint32_t *gpr = r->s.gpr;
    bool equal = low == gpr[GPR_EAX] && high == gpr[GPR_EDX];

    emu_write(r, op->segment, at, 4, equal ? gpr[GPR_EBX] : low);
    emu_write(r, op->segment, at + 4, 4, equal ? gpr[GPR_ECX] : high);
    emu_set_flag(r, EFL_ZF, equal);
    if (!equal) {
        gpr[GPR_EAX] = low;
        gpr[GPR_EDX] = high;
    }
}

/* ---- Bits --------------------------------------------------------------- */

/* With a register index the bit string reaches beyond the operand, to either
 * side. */
static uint32_t bit_offset(const struct emu_run *r, int32_t index,
                           unsigned size)
{
    const struct operand *op = &r->in->op[0];
    int32_t units = index >> (size == 4 ? 5 : 4);

    return (emu_offset(r, op) + (uint32_t)units * size) &
           emu_mask(r->in->address_size);
}

void emu_bit_test(struct emu_run *r)
{
    const struct operand *op = &r->in->op[0];
    unsigned size = op->size;
    uint32_t index = emu_load(r, 1);
    uint32_t offset = 0, value;
    bool string = op->kind == OPERAND_MEM && r->in->op[1].kind == OPERAND_GPR;

    if (op->kind == OPERAND_MEM) {
        int32_t wide = size == 2 ? (int16_t)index : (int32_t)index;
        offset = string ? bit_offset(r, wide, size) : emu_offset(r, op);
        value = emu_read(r, op->segment, offset, size);
    } else {
        value = emu_load(r, 0);
    }
    uint32_t bit = 1u << (index & (size * 8 - 1));
    emu_set_flag(r, EFL_CF, (value & bit) != 0);
    switch (r->in->id) {
    case INSN_BTS: value |= bit; break;
    case INSN_BTR: value &= ~bit; break;
    case INSN_BTC: value ^= bit; break;
    default: return; /* BT */
    }
    if (op->kind == OPERAND_MEM)
        emu_write(r, op->segment, offset, size, value);
    else
        emu_store(r, 0, value);
}

/* ---- Shifts and rotations: one bit at a time, as the manual writes them -- */

static uint32_t shift_once(struct emu_run *r, uint32_t v, unsigned size)
{
    bool top = v & emu_sign(size), low = v & 1, cf = r->s.eflags & EFL_CF;
    uint32_t up = v << 1 & emu_mask(size), down = v >> 1;

    switch (r->in->id) {
    case INSN_ROL: v = up | top; break;
    case INSN_RCL: v = up | cf; break;
    case INSN_SHL: v = up; break;
    case INSN_ROR: v = down | (low ? emu_sign(size) : 0); break;
    case INSN_RCR: v = down | (cf ? emu_sign(size) : 0); break;
    case INSN_SAR: v = down | (top ? emu_sign(size) : 0); break;
    default: v = down; break; /* SHR */
    }
    bool left =
        r->in->id == INSN_ROL || r->in->id == INSN_RCL || r->in->id == INSN_SHL;
    emu_set_flag(r, EFL_CF, left ? top : low);
    return v;
}

/* OF after one step; the manual leaves it undefined after several. */
static bool shift_overflow(const struct emu_run *r, uint32_t before,
                           uint32_t after, unsigned size)
{
    bool top = after & emu_sign(size);

    switch (r->in->id) {
    case INSN_ROL:
    case INSN_RCL:
    case INSN_SHL: return top != ((r->s.eflags & EFL_CF) != 0);
    case INSN_ROR:
    case INSN_RCR: return top != ((after & emu_sign(size) >> 1) != 0);
    case INSN_SAR: return false;
    default: return before & emu_sign(size);
    }
}

void emu_shift(struct emu_run *r)
{
    unsigned size = r->in->op[0].size;
    unsigned count = emu_load(r, 1) & 31;
    uint32_t v = emu_load(r, 0), before = v;

    if (count == 0) {
        emu_store(r, 0, v);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        before = v;
        v = shift_once(r, v, size);
    }
    emu_set_flag(r, EFL_OF, shift_overflow(r, before, v, size));
    if (r->in->id == INSN_SHL || r->in->id == INSN_SHR ||
        r->in->id == INSN_SAR) {
        r->s.eflags &= ~EFL_AF;
        set_result_flags(r, v, size);
    }
    emu_store(r, 0, v);
}
