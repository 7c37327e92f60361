/* SPDX-License-Identifier: MIT */
/* vmm/inspect_pv.c - why it traps, or does not, where the guest knows.
 *
 * The same for a paravirtual guest: what others must be helped with is its own
 * affair, and one instruction means something new.
 */
#include <stdio.h>

#include "traps/pv_abi.h"
#include "vmm/inspect_parts.h"

static bool is_hypercall(const struct insn *insn, const struct inspection *in)
{
    return insn->id == INSN_INT && insn->op[0].value == PV_VECTOR &&
           in->real.cpl != 3;
}

const char *inspect_pv_why(const struct insn *insn, const struct inspection *in)
{
    if (is_hypercall(insn, in))
        return "int 0x82 at ring %r is a hypercall: it will trap, EAX says "
               "which one it is, and the VMM checks its arguments and does it.";
    switch (insn->id) {
    case INSN_INT:
    case INSN_INT3:
    case INSN_INTO:
        return "%n goes through the real IDT, which is the VMM's: so it will "
               "trap, and the VMM goes on at the handler that the guest has "
               "registered.";
    case INSN_IRET:
        return "iret is the processor's own and costs no exit. It leaves IF "
               "alone; this guest's interrupt mask is a byte in the page that "
               "it shares with the VMM, and does not hold at ring 3.";
    case INSN_PUSHF:
    case INSN_POPF:
        return "%n does not trap and sees the real IF, which this guest does "
               "not use: its interrupt mask is a byte in the page that it "
               "shares with the VMM.";
    default: return NULL;
    }
}

bool inspect_pv_next(const struct insn *insn, const struct inspection *in,
                     char *next, size_t bytes)
{
    if (is_hypercall(insn, in))
        snprintf(next, bytes, "hypercall %u, %s", in->guest.gpr[GPR_EAX],
                 hypercall_name(in->guest.gpr[GPR_EAX]));
    else if (insn->id == INSN_INT || insn->id == INSN_INT3)
        snprintf(next, bytes, "to the guest's handler");
    else
        return false;
    return true;
}
