/* SPDX-License-Identifier: MIT */
/* cpu/emulate_string.c - ports, and the string instructions with REP.
 *
 * An iteration either happens with its register updates or not at all, so a
 * fault or an interrupt between two of them leaves a state from which the same
 * instruction goes on. Reference: SDM 2, "REP/REPE/REPZ/REPNE/REPNZ".
 */
#include "cpu/emulate_run.h"

/* Then the instruction pauses, so that interrupts are not kept waiting. */
enum { ITERATIONS_AT_ONCE = 1024 };

static uint32_t port_in(struct emu_run *r, uint16_t port, unsigned size)
{
    if (!r->ops->port_in)
        return emu_mask(size);
    return r->ops->port_in(r->ops->ctx, port, size) & emu_mask(size);
}

static void port_out(struct emu_run *r, uint16_t port, unsigned size,
                     uint32_t value)
{
    if (r->ops->port_out)
        r->ops->port_out(r->ops->ctx, port, size, value & emu_mask(size));
}

static void check_port(struct emu_run *r, uint16_t port, unsigned size)
{
    struct fault f;

    if (!arch_io_allowed(&r->s, r->mem, port, size, &f))
        emu_raise_fault(r, &f);
}

void emu_in(struct emu_run *r)
{
    unsigned size = r->in->op[0].size;
    uint32_t port = emu_load(r, 1);

    if (r->in->op[1].kind == OPERAND_IMM)
        port &= 0xFF;
    check_port(r, (uint16_t)port, size);
    emu_store(r, 0, port_in(r, (uint16_t)port, size));
}

void emu_out(struct emu_run *r)
{
    unsigned size = r->in->op[1].size;
    uint32_t port = emu_load(r, 0);

    if (r->in->op[0].kind == OPERAND_IMM)
        port &= 0xFF;
    check_port(r, (uint16_t)port, size);
    port_out(r, (uint16_t)port, size, emu_load(r, 1));
}

/* ---- One iteration ------------------------------------------------------ */

static uint32_t index_of(const struct emu_run *r, enum gpr reg)
{
    return r->s.gpr[reg] & emu_mask(r->in->address_size);
}

static void advance(struct emu_run *r, enum gpr reg)
{
    uint32_t step = r->in->operand_size;

    if (r->s.eflags & EFL_DF)
        step = 0u - step;
    emu_set_reg(r, reg, r->in->address_size, r->s.gpr[reg] + step);
}

static uint32_t source(struct emu_run *r)
{
    unsigned seg = r->in->segment == REG_NONE ? SEG_DS : r->in->segment;

    return emu_read(r, seg, index_of(r, GPR_ESI), r->in->operand_size);
}

static uint32_t destination(struct emu_run *r)
{
    return emu_read(r, SEG_ES, index_of(r, GPR_EDI), r->in->operand_size);
}

static void put(struct emu_run *r, uint32_t value)
{
    emu_write(r, SEG_ES, index_of(r, GPR_EDI), r->in->operand_size, value);
}

/* A port's data must not be taken and then lost to a page fault: touch the
 * destination first, without changing it. */
static void ins(struct emu_run *r)
{
    uint16_t port = (uint16_t)r->s.gpr[GPR_EDX];

    check_port(r, port, r->in->operand_size);
    put(r, destination(r));
    put(r, port_in(r, port, r->in->operand_size));
    advance(r, GPR_EDI);
}

static void outs(struct emu_run *r)
{
    uint16_t port = (uint16_t)r->s.gpr[GPR_EDX];

    check_port(r, port, r->in->operand_size);
    port_out(r, port, r->in->operand_size, source(r));
    advance(r, GPR_ESI);
}

static void movs(struct emu_run *r)
{
    put(r, source(r));
    advance(r, GPR_ESI);
    advance(r, GPR_EDI);
}

static void stos(struct emu_run *r)
{
    put(r, emu_get_reg(r, GPR_EAX, r->in->operand_size));
    advance(r, GPR_EDI);
}

static void lods(struct emu_run *r)
{
    emu_set_reg(r, GPR_EAX, r->in->operand_size, source(r));
    advance(r, GPR_ESI);
}

static void cmps(struct emu_run *r)
{
    uint32_t a = source(r);

    emu_subtract(r, a, destination(r), 0, r->in->operand_size);
    advance(r, GPR_ESI);
    advance(r, GPR_EDI);
}

static void scas(struct emu_run *r)
{
    unsigned size = r->in->operand_size;

    emu_subtract(r, emu_get_reg(r, GPR_EAX, size), destination(r), 0, size);
    advance(r, GPR_EDI);
}

static void iterate(struct emu_run *r)
{
    switch (r->in->id) {
    case INSN_INS: ins(r); break;
    case INSN_OUTS: outs(r); break;
    case INSN_MOVS: movs(r); break;
    case INSN_STOS: stos(r); break;
    case INSN_LODS: lods(r); break;
    case INSN_CMPS: cmps(r); break;
    default: scas(r); break;
    }
}

/* Does ZF end the repetition? Only CMPS and SCAS look at it. */
static bool condition_ends(const struct emu_run *r)
{
    bool zf = (r->s.eflags & EFL_ZF) != 0;

    if (r->in->id != INSN_CMPS && r->in->id != INSN_SCAS)
        return false;
    return r->in->repne ? zf : !zf;
}

void emu_string(struct emu_run *r)
{
    unsigned size = r->in->address_size;
    unsigned most = (r->s.eflags & EFL_TF) ? 1 : ITERATIONS_AT_ONCE;

    if (!r->in->rep && !r->in->repne) {
        iterate(r);
        return;
    }
    for (unsigned i = 0; i < most; i++) {
        uint32_t left = emu_get_reg(r, GPR_ECX, size);
        if (left == 0)
            return;
        iterate(r);
        emu_set_reg(r, GPR_ECX, size, left - 1);
        r->keep = true;
        if (condition_ends(r))
            return;
    }
    r->unfinished = emu_get_reg(r, GPR_ECX, size) != 0;
}
