/* SPDX-License-Identifier: MIT */
/* cpu/step.c - one instruction at a time.
 *
 * Through the engine's trap flag, which the guest does not see, or by hand
 * where the machine executes the instruction itself.
 */
#include "cpu/machine_priv.h"

/* One instruction through the engine's own trap flag. */
enum machine_stop step_trapped(struct machine *m, uint32_t linear)
{
    enum machine_stop why;

    if (m->drop_count)
        drops_run(m); /* they put the flags back as they found them */
    m->stepping = true;
    m->stepped = false;
    m->stepped_at = linear;
    m->weight = (uint8_t)code_weight(m, linear);
    machine_look_now(m);
    *m->engine.live.hflags |= HF_TF;
    why = run_execute(m);
    m->stepping = false;
    *m->engine.live.hflags &= ~(uint32_t)HF_TF;
    code_stepped(m, linear);
    machine_look(m);
    if (why == MACHINE_HALTED || why == MACHINE_BROKEN)
        return why;
    return m->stepped ? MACHINE_STEPPED : MACHINE_FAULTED;
}

/* A REP instruction that counts; 0 for every other and for its last pass. */
static uint32_t repeats_left(const struct machine *m, const struct insn *insn)
{
    uint32_t count = (uint32_t)m->engine.live.regs[GPR_ECX];

    switch (insn->id) {
    case INSN_MOVS:
    case INSN_STOS:
    case INSN_LODS:
    case INSN_CMPS:
    case INSN_SCAS: break;
    default: return 0;
    }
    if (!insn->rep && !insn->repne)
        return 0;
    return insn->address_size == 2 ? count & 0xFFFF : count;
}

/* The engine ends a REP by one more pass, which finds the count 0; not so under
 * its trap flag. Step it the same way: go back for that pass. */
static void repeat_last_pass(struct machine *m, const struct insn *insn,
                             uint32_t eip)
{
    uint32_t flags = engine_eflags(&m->engine);
    bool compares = insn->id == INSN_CMPS || insn->id == INSN_SCAS;
    bool equal = (flags & EFL_ZF) != 0;

    if (repeats_left(m, insn) || (flags & EFL_TF) ||
        (compares && equal == insn->repne))
        return;
    *m->engine.live.eip = eip;
}

/* PAUSE: the engine would run on behind it. */
static void step_over(struct machine *m, uint32_t linear, unsigned length)
{
    struct live *l = &m->engine.live;

    *l->eip = (uint32_t)*l->eip + length;
    *l->hflags &= ~(uint32_t)HF_INHIBIT_IRQ;
    *l->eflags &= ~(uint64_t)EFL_RF;
    clock_add(&m->clock, code_weight(m, linear));
    if (*l->eflags & EFL_TF)
        run_single_step(m);
}

/* A load of SS holds the trap flag back, so that the engine's step would run
 * the next instruction too. */
static bool holds_trap(const struct insn *insn)
{
    return (insn->id == INSN_MOV_TO_SEG || insn->id == INSN_POP_SEG) &&
           insn->op[0].reg == SEG_SS;
}

/* Step the instruction at CS:EIP, wherever it is. */
enum machine_stop step_one(struct machine *m)
{
    uint32_t eip = (uint32_t)*m->engine.live.eip;
    bool repeats;
    uint32_t linear = live_linear(m);
    bool code32 = (*m->engine.live.hflags & HF_CS32) != 0;
    bool shadow = (*m->engine.live.hflags & HF_INHIBIT_IRQ) != 0;
    uint8_t bytes[INSN_MAX_LENGTH];
    size_t n = code_bytes(m, linear, bytes, sizeof bytes);
    enum machine_stop why;
    struct insn insn;

    if (!decode(bytes, n, code32, &insn)) {
        if (insn_undefined(&insn)) {
            struct fault f = {.vector = VEC_UD};
            machine_fault(m, &f);
            return MACHINE_FAULTED;
        }
        return step_trapped(m, linear);
    }
    if (code_is_pause(bytes, &insn) && !vmx_is_site(&m->vmx, &insn)) {
        step_over(m, linear, insn.length);
        why = MACHINE_STEPPED;
    } else if ((!is_own_code(m, linear) || insn.id == INSN_RDTSC) &&
               (holds_trap(&insn) ||
                intercept_wanted(m, &insn, live_cpl(m) > 0))) {
        m->stepping = true;
        clock_add(&m->clock, (int)code_weight(m, linear));
        why = intercept_execute(m, &insn) ? MACHINE_STEPPED : MACHINE_FAULTED;
        m->stepping = false;
    } else {
        repeats = repeats_left(m, &insn) != 0;
        code_stepping(m, linear, insn.length);
        why = step_trapped(m, linear);
        if (repeats && why == MACHINE_STEPPED)
            repeat_last_pass(m, &insn, eip);
    }
    if (why == MACHINE_STEPPED)
        m->mid_block = !code_boundary_after(&insn) && !shadow &&
                       !code_crosses(m, linear, live_linear(m));
    m->creep &= m->mid_block;
    machine_look(m);
    return why;
}
