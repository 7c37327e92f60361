/* SPDX-License-Identifier: MIT */
/* cpu/vmx_cr.c - control registers in VMX non-root operation.
 *
 * A bit that is set in a guest/host mask belongs to the monitor: the guest
 * reads the read shadow's bit, and exits if it would write another value.
 *
 * Reference: SDM 3C, "Instructions That Cause VM Exits Conditionally" (CLTS,
 * LMSW, MOV from CR3, MOV to CR0, CR3, CR4), "Changes to Instruction Behavior
 * in VMX Non-Root Operation", "Exit Qualification for Control-Register
 * Accesses".
 */
#include "cpu/machine_priv.h"
#include "cpu/vmx.h"

enum access { MOV_TO, MOV_FROM, CLTS_ACCESS, LMSW_ACCESS };

void vmx_show_cr(const struct machine *m, struct cpu_state *s)
{
    const struct vmx_controls *c = &m->vmx.c;

    s->cr0 = (s->cr0 & ~c->cr0_mask) | (c->cr0_shadow & c->cr0_mask);
    s->cr4 = (s->cr4 & ~c->cr4_mask) | (c->cr4_shadow & c->cr4_mask);
}

void vmx_merge_cr(const struct machine *m, struct cpu_state *s,
                  const struct cpu_state *before)
{
    const struct vmx_controls *c = &m->vmx.c;

    s->cr0 = (s->cr0 & ~c->cr0_mask) | (before->cr0 & c->cr0_mask);
    s->cr4 = (s->cr4 & ~c->cr4_mask) | (before->cr4 & c->cr4_mask);
}

static void exits(struct machine *m, const struct insn *insn, unsigned n,
                  enum access access, uint32_t rest)
{
    struct vmx_exit x = {.reason = VMX_CR_ACCESS,
                         .qualification = n | (uint32_t)access << 4 | rest,
                         .length = insn->length};

    vmx_exit(m, &x);
}

static bool cr3_load_exits(const struct vmx_controls *c, uint32_t value)
{
    if (!(c->proc & PROC_CR3_LOAD))
        return false;
    for (unsigned i = 0; i < c->cr3_targets; i++)
        if (c->cr3_target[i] == value)
            return false;
    return true;
}

static bool mov_to(struct machine *m, const struct insn *insn,
                   const struct cpu_state *s)
{
    const struct vmx_controls *c = &m->vmx.c;
    unsigned n = insn->op[0].reg, from = insn->op[1].reg;
    uint32_t value = s->gpr[from];
    bool wanted = false;

    if (n == 0)
        wanted = ((value ^ c->cr0_shadow) & c->cr0_mask) != 0;
    else if (n == 3)
        wanted = cr3_load_exits(c, value);
    else if (n == 4)
        wanted = ((value ^ c->cr4_shadow) & c->cr4_mask) != 0;
    if (wanted)
        exits(m, insn, n, MOV_TO, from << 8);
    return wanted;
}

static bool mov_from(struct machine *m, const struct insn *insn)
{
    if (insn->op[1].reg != 3 || !(m->vmx.c.proc & PROC_CR3_STORE))
        return false;
    exits(m, insn, 3, MOV_FROM, (uint32_t)insn->op[0].reg << 8);
    return true;
}

static bool clts(struct machine *m, const struct insn *insn)
{
    const struct vmx_controls *c = &m->vmx.c;

    if (!(c->cr0_mask & c->cr0_shadow & CR0_TS))
        return false;
    exits(m, insn, 0, CLTS_ACCESS, 0);
    return true;
}

/* LMSW sets PE, but does not clear it; TS, EM, MP as they are. */
static bool lmsw(struct machine *m, const struct insn *insn,
                 const struct cpu_state *s)
{
    const struct vmx_controls *c = &m->vmx.c;
    const struct operand *op = &insn->op[0];
    bool memory = op->kind == OPERAND_MEM;
    uint32_t value = 0, linear = 0, changed;
    struct mem_ops mem = machine_mem_ops(m);
    struct fault f;

    if (memory) {
        linear = vmx_operand_linear(s, insn, op);
        if (!mem.read(mem.ctx, linear, 2, s->cpl == 3, &value, &f))
            return false; /* execution faults in the same way */
    } else {
        value = s->gpr[op->reg] & 0xFFFF;
    }
    changed = (value ^ c->cr0_shadow) & c->cr0_mask &
              (CR0_PE | CR0_MP | CR0_EM | CR0_TS);
    if (!(value & CR0_PE))
        changed &= ~CR0_PE;
    if (!changed)
        return false;
    vmcs_put(m, F_GUEST_LINEAR, linear);
    exits(m, insn, 0, LMSW_ACCESS, (memory ? 1u << 6 : 0) | value << 16);
    return true;
}

bool vmx_cr_exits(struct machine *m, const struct insn *insn,
                  const struct cpu_state *s)
{
    switch (insn->id) {
    case INSN_MOV_TO_CR: return mov_to(m, insn, s);
    case INSN_MOV_FROM_CR: return mov_from(m, insn);
    case INSN_CLTS: return clts(m, insn);
    case INSN_LMSW: return lmsw(m, insn, s);
    default: return false;
    }
}
