/* SPDX-License-Identifier: MIT */
/* vmm/inspect_bt.c - what the translator makes of an instruction. */
#include <stdlib.h>
#include <string.h>

#include "traps/bt.h"
#include "vmm/inspect_parts.h"
#include "vmm/listing.h"
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

enum { ROWS_BEFORE = 8 };

static void put_cached(const struct listing_row *from, uint32_t here,
                       struct inspect_cached *row)
{
    *row = (struct inspect_cached){.first = from->first,
                                   .current = from->guest == here,
                                   .guest = from->guest,
                                   .cache = from->cache,
                                   .kind = from->kind};
    memcpy(row->text, from->cache_text, sizeof row->text);
    memcpy(row->note, from->note, sizeof row->note);
}

void inspect_bt_cached(struct vm *vm, struct inspection *out)
{
    uint32_t here = out->guest.seg[SEG_CS].base + out->guest.eip;
    struct listing *unit;
    size_t first = 0;

    out->cached_count = 0;
    if (!out->code_count || !out->code[out->current].translated)
        return;
    unit = malloc(sizeof *unit);
    if (unit && listing_at(vm, here, unit)) {
        while (first < unit->rows && unit->row[first].guest != here)
            first++;
        first = first > ROWS_BEFORE ? first - ROWS_BEFORE : 0;
        for (size_t i = first;
             i < unit->rows && out->cached_count < INSPECT_CACHE; i++)
            put_cached(&unit->row[i], here, &out->cached[out->cached_count++]);
    }
    free(unit);
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
