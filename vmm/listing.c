/* SPDX-License-Identifier: MIT */
/* vmm/listing.c - a unit's guest code and what was emitted for it. */
#include "vmm/listing.h"

#include <stdio.h>
#include <string.h>

#include "cpu/decode.h"
#include "traps/bt.h"
#include "vmm/vm_priv.h"

enum { PLACE = 52 };

static bool translates(const struct vm *vm)
{
    return vm->monitor && vm->config.cpu == CPU_BT;
}

/* "00101234", "00101234 name+0x4" */
static void place(struct vm *vm, uint32_t address, char text[PLACE])
{
    uint32_t offset;
    const char *name = vm_symbol(vm, address, &offset);

    if (!name)
        snprintf(text, PLACE, "%08x", address);
    else if (offset)
        snprintf(text, PLACE, "%08x %.24s+0x%x", address, name, offset);
    else
        snprintf(text, PLACE, "%08x %.32s", address, name);
}

static void put_guest(struct vm *vm, struct listing_row *row)
{
    struct insn insn;
    size_t n =
        vm_peek(vm, row->guest, row->guest_bytes, sizeof row->guest_bytes);

    row->guest_length = decode(row->guest_bytes, n, true, &insn)
                            ? insn.length
                            : 1; /* the processor refuses it */
    if (decode_format(row->guest_bytes, n, true, row->guest, row->guest_text,
                      sizeof row->guest_text) == 0)
        snprintf(row->guest_text, sizeof row->guest_text, ".byte 0x%02x",
                 row->guest_bytes[0]);
}

/* What of the monitor's an emitted instruction reads or writes. */
static const char *touched(struct monitor *mon, const struct bt_piece *p)
{
    struct insn insn;
    const char *name = NULL;

    if (!decode(p->bytes, p->length, true, &insn))
        return NULL;
    for (unsigned i = 0; i < insn.operands && !name; i++)
        if (insn.op[i].kind == OPERAND_MEM)
            name = bt_word_name(mon, insn.op[i].value);
    return name;
}

static void put_note(struct vm *vm, const struct bt_piece *p,
                     struct listing_row *row)
{
    char where[PLACE];
    const char *name;

    place(vm, p->target_guest, where);
    switch ((enum bt_to)p->target) {
    case BT_TO_UNIT:
        snprintf(row->note, sizeof row->note, "-> unit of %s", where);
        break;
    case BT_TO_NOTHING:
        row->open = true;
        snprintf(row->note, sizeof row->note, "-> not translated so far: %s",
                 where);
        break;
    case BT_TO_LOOKUP:
        snprintf(row->note, sizeof row->note, "-> look-up of EAX");
        break;
    case BT_TO_MONITOR:
        snprintf(row->note, sizeof row->note, "calls the VMM");
        break;
    case BT_TO_HERE: break;
    case BT_TO_NEXT:
        name = touched(vm->monitor, p);
        snprintf(row->note, sizeof row->note, "%s", name ? name : "");
        break;
    }
}

static void put_row(struct vm *vm, const struct bt_piece *p,
                    struct listing_row *row)
{
    *row = (struct listing_row){
        .guest = p->guest,
        .first = p->first,
        .kind = bt_kind_name((enum bt_kind)p->kind),
        .cache = p->cache,
        .cache_length = p->length,
    };
    memcpy(row->cache_bytes, p->bytes, p->length);
    if (p->first)
        put_guest(vm, row);
    decode_format(p->bytes, p->length, true, p->cache, row->cache_text,
                  sizeof row->cache_text);
    put_note(vm, p, row);
}

static void fill(struct vm *vm, const struct bt_unit_view *view,
                 struct listing *out)
{
    struct bt_piece pieces[BT_PIECES_MAX];

    *out = (struct listing){.guest = view->guest,
                            .guest_bytes = view->guest_bytes,
                            .cache = view->cache,
                            .cache_bytes = view->cache_bytes,
                            .instructions = view->instructions};
    out->rows = bt_unit_pieces(vm->monitor, view->unit, pieces, BT_PIECES_MAX);
    for (size_t i = 0; i < out->rows; i++)
        put_row(vm, &pieces[i], &out->row[i]);
}

_Static_assert((unsigned)LISTING_ROWS >= (unsigned)BT_PIECES_MAX,
               "a row for each emitted instruction");

bool listing_at(struct vm *vm, uint32_t linear, struct listing *out)
{
    struct bt_unit_view view;

    if (!translates(vm) || !bt_unit_at(vm->monitor, linear, &view))
        return false;
    fill(vm, &view, out);
    return true;
}

bool listing_next(struct vm *vm, uint32_t from, uint32_t end,
                  struct listing *out)
{
    struct bt_unit_view view;

    if (!translates(vm) || !bt_unit_next(vm->monitor, from, end, &view))
        return false;
    fill(vm, &view, out);
    return true;
}

bool listing_has(struct vm *vm, uint32_t linear)
{
    struct bt_unit_view view;

    return translates(vm) && bt_unit_at(vm->monitor, linear, &view);
}

bool listing_make(struct vm *vm, uint32_t linear)
{
    return translates(vm) && bt_translate_only(vm->monitor, linear);
}
