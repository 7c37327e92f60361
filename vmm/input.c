/* SPDX-License-Identifier: MIT */
/* vmm/input.c - what is typed comes to the guest, by its serial line or its
 * keyboard, at moments that depend on the guest alone: it has taken all there
 * was, and some virtual time has passed.
 */
#include "vmm/vm_priv.h"

enum {
    BYTE_GAP = 50000,  /* cycles between two bytes of a serial line */
    CODE_GAP = 200000, /* between two scan codes of a character */
    KEY_GAP = 5000000, /* between two characters: nobody types faster */
    NOTHING_GAP = 20 * BYTE_GAP,
};

/* The next byte typed; -1: none now. */
static int typed(struct vm *vm)
{
    int byte = vm->input.kept;

    vm->input.kept = -1;
    return byte >= 0 ? byte : vm->config.serial_input(vm->config.ctx);
}

/* ---- by the serial line ---------------------------------------------------
 */

static uint64_t offer_serial(struct vm *vm)
{
    bool paravirtual = vm->monitor && monitor_has_console(vm->monitor);
    int byte;

    if (!(paravirtual ? monitor_console_ready(vm->monitor)
                      : pc_serial_ready(vm->pc)))
        return BYTE_GAP;
    byte = typed(vm);
    if (byte < 0)
        return NOTHING_GAP;
    if (paravirtual)
        monitor_console_input(vm->monitor, (uint8_t)byte);
    else
        pc_serial_input(vm->pc, (uint8_t)byte);
    return BYTE_GAP;
}

/* ---- by the keyboard ------------------------------------------------------
 */

/* An escape was read: a terminal's key, or the key Escape. */
static size_t escape(struct vm *vm, uint8_t codes[KEYS_MOST])
{
    char sequence[KEYS_SEQUENCE + 1] = "";
    int byte = typed(vm);

    if (byte != '[' && byte != 'O') {
        vm->input.kept = byte;
        return keys_of(KEYS_ESCAPE, codes);
    }
    for (size_t n = 0; n < KEYS_SEQUENCE && byte >= 0; n++) {
        sequence[n] = (char)byte;
        if (n > 0 && (byte < '0' || byte > '9'))
            break;
        byte = typed(vm);
    }
    return keys_of_sequence(sequence, codes);
}

static uint64_t offer_keys(struct vm *vm)
{
    struct vm_input *in = &vm->input;
    int byte;

    if (!pc_keyboard_ready(vm->pc))
        return CODE_GAP;
    if (in->sent == in->codes) {
        byte = typed(vm);
        if (byte < 0)
            return NOTHING_GAP;
        in->sent = 0;
        in->codes = byte == KEYS_ESCAPE ? escape(vm, in->code)
                                        : keys_of((uint8_t)byte, in->code);
    }
    if (in->sent < in->codes)
        pc_keyboard_input(vm->pc, in->code[in->sent++]);
    return in->sent < in->codes ? CODE_GAP : KEY_GAP;
}

static bool by_keyboard(const struct vm *vm)
{
    switch (vm->config.keyboard) {
    case KEYBOARD_ALWAYS: return true;
    case KEYBOARD_NEVER: return false;
    case KEYBOARD_IF_ALONE: break;
    }
    return pc_keyboard_preferred(vm->pc);
}

void vm_offer_input(struct vm *vm)
{
    uint64_t now = machine_now(vm->machine);

    vm->input.waiting = vm->config.serial_input != NULL;
    if (vm->input.waiting && now >= vm->input.next)
        vm->input.next =
            now + (by_keyboard(vm) ? offer_keys(vm) : offer_serial(vm));
}
