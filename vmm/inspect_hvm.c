/* SPDX-License-Identifier: MIT */
/* vmm/inspect_hvm.c - what an instruction will do in VMX non-root operation.
 *
 * Which ones exit follows from the controls that traps/hvm_setup.c writes.
 */
#include <stddef.h>
#include <string.h>

#include "cpu/vmx.h"
#include "vmm/inspect_parts.h"

/* CR0 bits that the guest owns (traps/hvm_state.c). */
#define CR0_OWNED (CR0_MP | CR0_EM | CR0_TS | CR0_AM)

struct hvm_why {
    const char *sentence, *cite;
};

static const struct hvm_why exits[INSN_COUNT] = {
    [INSN_CPUID] = {"%n exits unconditionally: the VMM says what the "
                    "processor is.",
                    "SDM 3C, Instructions That Cause VM Exits Unconditionally"},
    [INSN_INVD] = {"%n exits unconditionally.",
                   "SDM 3C, Instructions That Cause VM Exits Unconditionally"},
    [INSN_HLT] = {"%n exits: the control \"HLT exiting\" is 1.",
                  "SDM 3C, Instructions That Cause VM Exits Conditionally"},
    [INSN_INVLPG] = {"%n exits: the control \"INVLPG exiting\" is 1, for the "
                     "processor uses the VMM's tables.",
                     "SDM 3C, Instructions That Cause VM Exits Conditionally"},
    [INSN_MOV_TO_CR] =
        {"%n exits: CR3 is the VMM's (\"CR3-load exiting\"), and "
         "so is a bit of CR0 or CR4 that would change "
         "(guest/host mask).",
         "SDM 3C, Guest/Host Masks and Read Shadows"},
    [INSN_MOV_FROM_CR] = {"%n exits: the real CR3 holds the VMM's root "
                          "(\"CR3-store exiting\").",
                          "SDM 3C, Instructions That Cause VM Exits "
                          "Conditionally"},
    [INSN_LMSW] = {"%n exits: it would set CR0.PE, which is the VMM's.",
                   "SDM 3C, Guest/Host Masks and Read Shadows"},
    [INSN_RDMSR] = {"%n exits: the MSR bitmap's bit is 1.",
                    "SDM 3C, MSR-Bitmap Address"},
    [INSN_WRMSR] = {"%n exits: the MSR bitmap's bit is 1.",
                    "SDM 3C, MSR-Bitmap Address"},
    [INSN_IN] = {"%n exits: ports are devices of the VMM's "
                 "(\"unconditional I/O exiting\").",
                 "SDM 3C, Instructions That Cause VM Exits Conditionally"},
};

static const struct hvm_why native = {
    "%n runs natively: in non-root operation the guest's privilege levels, "
    "flags and tables are the processor's own, and no control asks for an "
    "exit.",
    "SDM 3C, VMX Non-Root Operation"};
static const struct hvm_why faults = {
    "%n needs privilege that the guest's program has not: the processor "
    "raises the fault and delivers it by the guest's own table, without an "
    "exit.",
    "SDM 3C, Relative Priority of Faults and VM Exits"};

static bool to_cr_exits(const struct insn *insn, const struct cpu_state *g)
{
    uint32_t value = g->gpr[insn->op[1].reg & 7];

    switch (insn->op[0].reg) {
    case 0: return ((value ^ g->cr0) & ~CR0_OWNED) != 0;
    case 3: return true;
    default: return insn->op[0].reg == 4 && value != g->cr4;
    }
}

/* With nested paging the control registers are the guest's, but for the bits
 * that VMX operation fixes. */
static bool nested_exits(const struct insn *insn, const struct cpu_state *g)
{
    uint32_t value = g->gpr[insn->op[1].reg & 7];

    if (insn->id != INSN_MOV_TO_CR)
        return false;
    return insn->op[0].reg == 0 ? ((value ^ g->cr0) & CR0_NE) != 0
                                : insn->op[0].reg == 4 && (value & CR4_VMXE);
}

static bool msr_exits(const struct cpu_state *g)
{
    return g->gpr[GPR_ECX] < MSR_SYSENTER_CS ||
           g->gpr[GPR_ECX] > MSR_SYSENTER_EIP;
}

static bool sets_pe(const struct insn *insn, const struct cpu_state *g)
{
    return !(g->cr0 & CR0_PE) && insn->op[0].kind == OPERAND_GPR &&
           (g->gpr[insn->op[0].reg & 7] & CR0_PE);
}

static bool privilege_fails(const struct insn *insn, const struct cpu_state *g)
{
    bool iopl_decides = insn->id == INSN_CLI || insn->id == INSN_STI;

    return insn->cls == CLASS_PRIVILEGED && state_protected(g) &&
           g->cpl > (iopl_decides ? state_iopl(g) : 0);
}

enum code_mark inspect_hvm_mark(const struct insn *insn,
                                const struct inspection *in)
{
    const struct cpu_state *guest = &in->guest;
    bool exit = exits[insn->id].sentence != NULL;
    bool nested = in->mmu && strcmp(in->mmu, mmu_nested.name) == 0;

    if (insn->cls == CLASS_IO)
        return MARK_DEVICE;
    if (privilege_fails(insn, guest))
        return MARK_NONE;
    switch (insn->id) {
    case INSN_MOV_TO_CR:
        exit = nested ? nested_exits(insn, guest) : to_cr_exits(insn, guest);
        break;
    case INSN_MOV_FROM_CR: exit = !nested && insn->op[1].reg == 3; break;
    case INSN_INVLPG: exit = !nested; break;
    case INSN_LMSW: exit = !nested && sets_pe(insn, guest); break;
    case INSN_RDMSR:
    case INSN_WRMSR: exit = msr_exits(guest); break;
    default: break;
    }
    return exit ? MARK_TRAPS : MARK_NONE;
}

const char *inspect_hvm_why(const struct insn *insn, enum code_mark mark,
                            const struct cpu_state *guest, const char **cite)
{
    const struct hvm_why *why = &native;

    if (mark == MARK_DEVICE)
        why = &exits[INSN_IN];
    else if (mark == MARK_TRAPS)
        why = &exits[insn->id];
    else if (privilege_fails(insn, guest))
        why = &faults;
    else if (insn->cls == CLASS_NONE)
        return NULL;
    *cite = why->cite;
    return why->sentence;
}
