/* SPDX-License-Identifier: MIT */
/* vmm/inspect_bt.c - what the translator makes of an instruction. */
#include <string.h>

#include "traps/bt.h"
#include "vmm/inspect_parts.h"
#include "vmm/vm_priv.h"

void inspect_bt_row(struct vm *vm, const struct insn *insn,
                    const uint8_t *bytes, struct inspect_line *row)
{
    int kind;

    if (!vm->monitor || vm->config.cpu != CPU_BT)
        return;
    kind = bt_kind_of(vm->monitor, insn, bytes, row->address);
    if (kind < 0)
        return; /* executed where it lies */
    row->translated = bt_kind_name((enum bt_kind)kind);
    if (kind == BT_INLINED)
        row->mark = MARK_INLINE;
    else if (kind == BT_CALLOUT)
        row->mark = MARK_CALLOUT;
    else if (insn->id != INSN_CPUID)
        row->mark = MARK_NONE;
}

const char *inspect_bt_why(const struct insn *insn, const struct inspection *in)
{
    static const struct {
        const char *kind, *sentence;
    } table[] = {
        {"ident", "%n is copied: the processor executes the same bytes in the "
                  "translation cache, at CPL %r."},
        {"control", "%n leads from translation to translation. A return "
                    "address that it pushes is the guest's own."},
        {"indirect", "%n goes to an address that only now is known: emitted "
                     "code looks up its translation in a table."},
        {"in-line", "%n is sensitive. It was translated into code on the "
                    "virtual processor's state, and the VMM is not called."},
        {"callout", "%n is translated into a call of the VMM, which does it on "
                    "the virtual processor."},
    };
    const char *kind = in->code[in->current].translated;

    if (!kind || insn->id == INSN_CPUID)
        return NULL;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].kind, kind) == 0)
            return table[i].sentence;
    return NULL;
}
