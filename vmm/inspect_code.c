/* SPDX-License-Identifier: MIT */
/* vmm/inspect_code.c - the code around the current instruction, and what each
 * instruction will do.
 */
#include <stdio.h>
#include <string.h>

#include "vmm/inspect_parts.h"
#include "vmm/vm_priv.h"

enum {
    ROWS_BEFORE = 16,
    BYTES_BEFORE = 64,
    BYTES_AFTER = 15 * INSPECT_CODE,
};

static bool code32(const struct cpu_state *s)
{
    return (s->seg[SEG_CS].attr & SEG_D) != 0;
}

/* Static translation: is there a trapping instruction at this place now? */
static bool patched(struct vm *vm, uint32_t linear)
{
    struct paging_walk walk;
    uint8_t original;

    if (!vm->monitor || vm->config.cpu != CPU_BT_STATIC)
        return false;
    mmu_guest_walk(vm_mmu(vm), linear, 0, false, &walk);
    return walk.allowed &&
           monitor_patched(vm->monitor, walk_gpa(&walk), &original);
}

/* One instruction to a row; returns its length (at least 1). */
static unsigned decode_row(struct vm *vm, const struct inspection *in,
                           uint32_t address, const uint8_t *bytes,
                           size_t available, struct inspect_line *row,
                           struct insn *insn)
{
    bool wide = code32(&in->guest);
    uint32_t offset = 0;

    memset(row, 0, sizeof *row);
    row->address = address;
    if (!decode(bytes, available, wide, insn)) {
        *insn = (struct insn){.id = INSN_OTHER, .length = 1};
        snprintf(row->text, sizeof row->text, ".byte 0x%02x", bytes[0]);
    } else {
        decode_format(bytes, available, wide, address, row->text,
                      sizeof row->text);
        row->mark = inspect_mark(insn, in, vm_configuration(vm)->cpu);
        if (row->mark == MARK_SILENT && patched(vm, address))
            row->mark = MARK_PATCHED;
        inspect_bt_row(vm, insn, bytes, row);
    }
    row->length = insn->length ? insn->length : 1;
    memcpy(row->bytes, bytes,
           row->length < sizeof row->bytes ? row->length : sizeof row->bytes);
    const char *symbol = vm_symbol(vm, address, &offset);
    if (symbol && offset == 0)
        snprintf(row->symbol, sizeof row->symbol, "%.39s", symbol);
    return row->length;
}

/* Does decoding from start arrive exactly at end? */
static bool arrives(const uint8_t *bytes, size_t start, size_t end, bool wide)
{
    struct insn insn;
    while (start < end) {
        if (!decode_flow(bytes + start, end - start, wide, &insn) ||
            insn.length == 0)
            return false;
        start += insn.length;
    }
    return start == end;
}

/* x86 cannot be decoded backwards. So: the symbol's start if that arrives at
 * the current instruction, else the farthest place that does. */
static unsigned code_before(struct vm *vm, struct inspection *out,
                            uint32_t here)
{
    uint8_t bytes[BYTES_BEFORE];
    struct inspect_line rows[BYTES_BEFORE];
    struct insn insn;
    uint32_t offset = 0;
    unsigned count = 0;
    size_t start = 0, end = here < BYTES_BEFORE ? here : BYTES_BEFORE;
    bool wide = code32(&out->guest);

    /* A page that cannot be read may lie between: then none is shown. */
    if (vm_peek(vm, here - (uint32_t)end, bytes, end) != end)
        return 0;
    if (vm_symbol(vm, here, &offset) && offset <= end &&
        arrives(bytes, end - offset, end, wide))
        start = end - offset;
    else
        while (start < end && !arrives(bytes, start, end, wide))
            start++;
    while (start < end) {
        start += decode_row(vm, out, here - (uint32_t)(end - start),
                            bytes + start, end - start, &rows[count], &insn);
        count++;
    }
    unsigned skip = count > ROWS_BEFORE ? count - ROWS_BEFORE : 0;
    memcpy(out->code, rows + skip, (count - skip) * sizeof rows[0]);
    return count - skip;
}

struct insn inspect_code(struct vm *vm, struct inspection *out)
{
    uint8_t bytes[BYTES_AFTER];
    uint32_t here = out->guest.seg[SEG_CS].base + out->guest.eip;
    struct insn current = {.id = INSN_OTHER}, insn;
    size_t at = 0, available = vm_peek(vm, here, bytes, sizeof bytes);

    if (available == 0)
        return current;
    unsigned row = code_before(vm, out, here);
    out->current = row;
    while (row < INSPECT_CODE && at < available) {
        unsigned length = decode_row(vm, out, here + (uint32_t)at, bytes + at,
                                     available - at, &out->code[row], &insn);
        if (at == 0)
            current = insn;
        at += length;
        row++;
    }
    out->code_count = row;
    return current;
}

/* ---- What will happen -----------------------------------------------------*/

/* Sensitive and never trapping: does the guest notice, at these levels? */
static bool silently_wrong(const struct insn *insn, const struct inspection *in)
{
    const struct cpu_state *g = &in->guest, *m = &in->real;
    switch ((enum insn_class)insn->cls) {
    case CLASS_FLAG:
        /* User code may not change IF on any machine; it can only see it. */
        return g->cpl < m->cpl ||
               (insn->id == INSN_PUSHF &&
                ((g->eflags ^ m->eflags) & (EFL_IF | EFL_IOPL)));
    case CLASS_TABLE: return true;
    case CLASS_DESCRIPTOR:
    case CLASS_SEGMENT:
    case CLASS_TRANSFER: return g->cpl != m->cpl;
    default: return false;
    }
}

static bool through_idt(unsigned id)
{
    return id == INSN_INT || id == INSN_INT1 || id == INSN_INT3 ||
           id == INSN_INTO;
}

enum code_mark inspect_mark(const struct insn *insn,
                            const struct inspection *in,
                            enum cpu_technique technique)
{
    const struct cpu_state *m = &in->real;
    bool iopl_decides = insn->id == INSN_CLI || insn->id == INSN_STI;

    if (technique == CPU_HVM)
        return inspect_hvm_mark(insn, in);
    if (insn->cls == CLASS_IO)
        return MARK_DEVICE;
    if (technique == CPU_BARE)
        return MARK_NONE;
    if (insn->cls == CLASS_PRIVILEGED)
        return m->cpl > (iopl_decides ? state_iopl(m) : 0) ? MARK_TRAPS
                                                           : MARK_NONE;
    if (insn->id == INSN_CPUID || through_idt(insn->id))
        return MARK_TRAPS;
    if (!silently_wrong(insn, in))
        return MARK_NONE;
    return MARK_SILENT;
}
