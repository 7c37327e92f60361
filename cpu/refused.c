/* SPDX-License-Identifier: MIT */
/* cpu/refused.c - what becomes of an access that a TLB fill refused.
 *
 * The engine has stopped at the instruction, with its exact EIP. A page fault
 * is delivered; an access to a device's memory is done by hand.
 *
 * So is an IRET that the engine refused. It looks at the stack's selector
 * before it reads the descriptor, and has #NP for a stack that is not present,
 * which is #SS. The return from a nested task it would do by itself, with
 * whatever CR3 is in the TSS and without the exit that it is in non-root
 * operation; therefore its task register leads to a page of ones, where the
 * back link is no TSS.
 */
#include "cpu/emulate.h"
#include "cpu/machine_priv.h"

/* Instead of the engine, which stands before it and has not counted it. */
static void execute_by_hand(struct machine *m, const struct insn *insn)
{
    uint32_t linear = live_linear(m);

    clock_add(&m->clock, (int)code_weight(m, linear));
    if (!intercept_execute(m, insn))
        return;
    m->stepped = true;
    m->mid_block =
        !code_boundary_after(insn) && !code_crosses(m, linear, live_linear(m));
    machine_look(m);
}

/* Segment loads and far transfers at CPL 3 read descriptors and inner stacks
 * as a supervisor, which a TLB fill cannot know, but their operands as what
 * they are. */
static bool reads_as_supervisor(const struct insn *insn)
{
    return insn->cls == CLASS_SEGMENT || insn->cls == CLASS_DESCRIPTOR ||
           insn->id == INSN_CALL_FAR || insn->id == INSN_JMP_FAR ||
           insn->id == INSN_RET_FAR || insn->id == INSN_IRET;
}

bool refused_ahead(const struct machine *m)
{
    return m->refused_fetch && !m->stepping &&
           m->refused_fault.cr2 >> PAGE_SHIFT != live_linear(m) >> PAGE_SHIFT;
}

bool refused_inside(const struct machine *m)
{
    return m->refused == REFUSED_FAULT && !m->stepping;
}

/* A page fault at an exact EIP. */
void refused_page_fault(struct machine *m)
{
    struct fault f = m->refused_fault;
    uint32_t linear = live_linear(m);
    uint32_t full = (uint32_t)*m->engine.live.invalid_address;
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;
    size_t n;

    if (full >> PAGE_SHIFT == f.cr2 >> PAGE_SHIFT)
        f.cr2 = full; /* the fill was only told the page */
    if (f.vector == VEC_EPT)
        vmx_ept_at(m, f.cr2);
    if (!m->refused_fetch && !m->stepping)
        code_refund(m, linear);
    if (live_cpl(m) == 3 && !m->refused_fetch) {
        n = code_executed_bytes(m, linear, bytes, sizeof bytes);
        if (decode(bytes, n, (*m->engine.live.hflags & HF_CS32) != 0, &insn) &&
            reads_as_supervisor(&insn)) {
            execute_by_hand(m, &insn);
            return;
        }
    }
    machine_fault(m, &f);
}

/* JMP by the monitor's data, which emulation does not know. */
static void jump_by_hand(struct machine *m, const struct insn *insn)
{
    uint32_t linear = live_linear(m), target = 0;
    struct mem_ops mem = machine_mem_ops(m);
    struct fault f;

    if (!mem.read(mem.ctx, insn->op[0].value, 4, false, &target, &f)) {
        machine_fault(m, &f);
        return;
    }
    clock_add(&m->clock, (int)code_weight(m, linear));
    *m->engine.live.eip = target;
    m->stepped = true;
    machine_look(m);
}

/* PUSH of the monitor's data, on a stack that is the guest's. */
static void push_by_hand(struct machine *m, struct insn *insn)
{
    struct mem_ops mem = machine_mem_ops(m);
    uint32_t value = 0;
    struct fault f;
    bool read;

    m->own.by_hand = true;
    read = mem.read(mem.ctx, insn->op[0].value, 4, false, &value, &f);
    m->own.by_hand = false;
    if (!read) {
        machine_fault(m, &f);
        return;
    }
    insn->op[0] = (struct operand){
        .kind = OPERAND_IMM, .value = value, .size = insn->op[0].size};
    execute_by_hand(m, insn);
}

void refused_own(struct machine *m)
{
    uint32_t linear = live_linear(m);
    bool write = (m->refused_fault.error & PF_WRITE) != 0;
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;

    if (m->refused_fetch || !own_instruction(m, linear)) {
        refused_page_fault(m);
        return;
    }
    if (!decode(bytes, code_bytes(m, linear, bytes, sizeof bytes), true,
                &insn)) {
        machine_break(m, "the monitor's code is none");
        return;
    }
    if (write && insn.id == INSN_PUSH) {
        refused_page_fault(m); /* where the guest's stack leads */
        return;
    }
    if (write && !own_writable(m, m->refused_fault.cr2)) {
        m->refused_fault.error |= PF_PRESENT;
        refused_page_fault(m);
        return;
    }
    if (!m->stepping)
        code_refund(m, linear);
    if (insn.id == INSN_PUSH) {
        push_by_hand(m, &insn);
        return;
    }
    m->own.by_hand = true;
    if (insn.id == INSN_JMP)
        jump_by_hand(m, &insn);
    else
        execute_by_hand(m, &insn);
    m->own.by_hand = false;
}

/* An instruction that touches a device's memory, at an exact EIP: do it by
 * hand, or, where that is not known, let the engine do it alone. */
void refused_device(struct machine *m)
{
    uint32_t linear = live_linear(m);
    uint8_t bytes[INSN_MAX_LENGTH];
    size_t n = code_bytes(m, linear, bytes, sizeof bytes);
    struct insn insn;

    if (!m->stepping)
        code_refund(m, linear);
    if (decode(bytes, n, (*m->engine.live.hflags & HF_CS32) != 0, &insn) &&
        emulate_knows(insn.id)) {
        execute_by_hand(m, &insn);
        device_refused(m, linear, &insn);
        return;
    }
    m->device_once = true;
    step_trapped(m, linear);
    m->device_once = false;
    drops_engine(m);
}

bool refused_return(struct machine *m, uint32_t vector)
{
    uint32_t linear = live_linear(m);
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;
    size_t n;

    if (vector < VEC_TS || vector > VEC_GP)
        return false;
    n = code_bytes(m, linear, bytes, sizeof bytes);
    if (!decode(bytes, n, (*m->engine.live.hflags & HF_CS32) != 0, &insn) ||
        insn.id != INSN_IRET)
        return false;
    if (!m->stepping)
        code_refund(m, linear);
    execute_by_hand(m, &insn);
    return true;
}
