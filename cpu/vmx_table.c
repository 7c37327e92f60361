/* SPDX-License-Identifier: MIT */
/* cpu/vmx_table.c - exits of the instructions that use descriptor tables.
 *
 * LGDT LIDT SGDT SIDT, LLDT LTR SLDT STR, with the operand in the exit's
 * information fields: the monitor need not decode them.
 *
 * Reference: SDM 3C, "Secondary Processor-Based VM-Execution Controls"
 * (descriptor-table exiting), "VM-Exit Instruction-Information Field as Used
 * for LIDT, LGDT, SIDT, or SGDT", "... for LLDT, LTR, SLDT, and STR".
 */
#include "cpu/machine_priv.h"
#include "cpu/vmx.h"

enum {
    INFO_ADDRESS_32 = 1 << 7,
    INFO_REGISTER = 1 << 10,   /* the operand; of LLDT and its like */
    INFO_OPERAND_32 = 1 << 11, /* of LGDT and its like */
    INFO_SEGMENT_SHIFT = 15,
    INFO_INDEX_SHIFT = 18,
    INFO_NO_INDEX = 1 << 22,
    INFO_BASE_SHIFT = 23,
    INFO_NO_BASE = 1 << 27,
    INFO_WHICH_SHIFT = 28,
};

/* Which of its four an instruction is, as both fields count them; -1: none. */
static int number_of(int id)
{
    switch (id) {
    case INSN_SGDT:
    case INSN_SLDT: return 0;
    case INSN_SIDT:
    case INSN_STR: return 1;
    case INSN_LGDT:
    case INSN_LLDT: return 2;
    case INSN_LIDT:
    case INSN_LTR: return 3;
    default: return -1;
    }
}

static bool names_selector(const struct insn *insn)
{
    return insn->id == INSN_SLDT || insn->id == INSN_STR ||
           insn->id == INSN_LLDT || insn->id == INSN_LTR;
}

bool vmx_uses_table(int id)
{
    return number_of(id) >= 0;
}

/* Scaling, address size, segment and registers of a memory operand. */
static uint32_t memory_info(const struct insn *insn, const struct operand *op)
{
    static const uint8_t scaling[9] = {[1] = 0, [2] = 1, [4] = 2, [8] = 3};
    uint32_t info = insn->address_size == 4 ? INFO_ADDRESS_32 : 0;

    info |= (uint32_t)op->segment << INFO_SEGMENT_SHIFT;
    info |= op->index == REG_NONE
                ? INFO_NO_INDEX
                : (uint32_t)op->index << INFO_INDEX_SHIFT | scaling[op->scale];
    info |= op->base == REG_NONE ? INFO_NO_BASE
                                 : (uint32_t)op->base << INFO_BASE_SHIFT;
    return info;
}

/* Faults of the instruction come first: of LLDT and its like in real and in
 * virtual-8086 mode, of loads above privilege 0. */
static bool faults(const struct cpu_state *s, const struct insn *insn)
{
    bool loads = number_of(insn->id) >= 2;

    if (names_selector(insn) && (!state_protected(s) || state_vm86(s)))
        return true;
    return loads && state_protected(s) && s->cpl != 0;
}

bool vmx_table_exits(struct machine *m, const struct insn *insn,
                     const struct cpu_state *s)
{
    const struct operand *op = &insn->op[0];
    bool selector = names_selector(insn);
    struct vmx_exit x = {
        .reason = selector ? VMX_LDTR_TR_ACCESS : VMX_GDTR_IDTR_ACCESS,
        .length = insn->length,
        .instruction = (uint32_t)number_of(insn->id) << INFO_WHICH_SHIFT,
    };

    if (!(m->vmx.c.proc2 & PROC2_DESCRIPTOR_TABLE) || faults(s, insn))
        return false;
    if (op->kind == OPERAND_MEM) {
        x.qualification = op->value; /* the displacement */
        x.instruction |= memory_info(insn, op);
    } else {
        x.instruction |= INFO_REGISTER | (uint32_t)op->reg << 3;
    }
    if (!selector && insn->operand_size == 4)
        x.instruction |= INFO_OPERAND_32;
    vmx_exit(m, &x);
    return true;
}
