/* SPDX-License-Identifier: MIT */
#include "io/keys.h"

#include "tests/io/machine.h"

#define assert_keys(call, ...)                                                 \
    do {                                                                       \
        uint8_t codes_[KEYS_MOST], right_[] = {__VA_ARGS__};                   \
        size_t n_ = (call);                                                    \
        cr_assert_eq(n_, sizeof right_);                                       \
        cr_assert_arr_eq(codes_, right_, sizeof right_);                       \
    } while (0)

Test(keys, a_letter_is_pressed_and_released)
{
    assert_keys(keys_of('a', codes_), 0x1E, 0x9E);
}

Test(keys, a_capital_takes_shift)
{
    assert_keys(keys_of('Z', codes_), 0x2A, 0x2C, 0xAC, 0xAA);
}

Test(keys, the_last_key_of_the_table)
{
    assert_keys(keys_of('/', codes_), 0x35, 0xB5);
}

Test(keys, both_ends_of_line_are_enter)
{
    assert_keys(keys_of('\r', codes_), 0x1C, 0x9C);
    assert_keys(keys_of('\n', codes_), 0x1C, 0x9C);
}

Test(keys, delete_is_backspace)
{
    assert_keys(keys_of(0x7F, codes_), 0x0E, 0x8E);
}

Test(keys, control_characters_take_control)
{
    assert_keys(keys_of('P' - '@', codes_), 0x1D, 0x19, 0x99, 0x9D);
}

Test(keys, every_printable_character_has_a_key)
{
    uint8_t codes[KEYS_MOST];
    for (int c = ' '; c <= '~'; c++)
        cr_expect_geq(keys_of((uint8_t)c, codes), 2, "%c", c);
}

Test(keys, what_is_not_on_the_keyboard_is_no_key)
{
    uint8_t codes[KEYS_MOST];
    cr_assert_eq(keys_of(0, codes) + keys_of(0xE4, codes), 0);
}

Test(keys, an_arrow_is_an_extended_key)
{
    assert_keys(keys_of_sequence("[A", codes_), 0xE0, 0x48, 0xE0, 0xC8);
}

Test(keys, a_function_key)
{
    assert_keys(keys_of_sequence("[15~", codes_), 0x3F, 0xBF);
}

Test(keys, an_unknown_sequence_is_no_key)
{
    uint8_t codes[KEYS_MOST];
    cr_assert_eq(keys_of_sequence("[99~", codes), 0);
}

/* ---- Who gets what is typed ---- */

static void initialize_pic(struct machine *m, uint8_t mask)
{
    static const uint8_t icw[] = {0x20, 0x04, 0x01};
    outb(m, 0x20, 0x11);
    for (size_t i = 0; i < sizeof icw; i++)
        outb(m, 0x21, icw[i]);
    outb(m, 0x21, mask);
}

Test(keyboard, a_guest_that_opened_its_interrupt_gets_keys)
{
    struct machine *m = machine_new();
    initialize_pic(m, 0xFD);
    cr_assert(pc_keyboard_preferred(m->pc));
    machine_free(m);
}

Test(keyboard, a_guest_that_masks_it_does_not)
{
    struct machine *m = machine_new();
    initialize_pic(m, 0xFF);
    cr_assert_not(pc_keyboard_preferred(m->pc));
    machine_free(m);
}

Test(keyboard, as_the_bios_leaves_it_nobody_waits_for_keys)
{
    struct machine *m = machine_new();
    cr_assert_not(pc_keyboard_preferred(m->pc));
    machine_free(m);
}

Test(keyboard, an_open_pin_of_the_io_apic_will_do)
{
    struct machine *m = machine_new();
    bus_memory_write(m->bus, IOAPIC, 4, 0x12); /* pin 1 */
    bus_memory_write(m->bus, IOAPIC + 0x10, 4, 0x21);
    cr_assert(pc_keyboard_preferred(m->pc));
    machine_free(m);
}

Test(keyboard, polling_will_do)
{
    struct machine *m = machine_new();
    for (int i = 0; i < 256; i++)
        inb(m, 0x64);
    cr_assert(pc_keyboard_preferred(m->pc));
    machine_free(m);
}

Test(keyboard, a_driver_that_speaks_on_the_serial_line_comes_first)
{
    struct machine *m = machine_new();
    initialize_pic(m, 0xED);
    outb(m, 0x3F9, 0x01);
    outb(m, 0x3F8, '$');
    cr_assert_not(pc_keyboard_preferred(m->pc));
    machine_free(m);
}

/* Linux 0.11 opens both and has its shell on the screen. */
Test(keyboard, a_driver_that_says_nothing_does_not)
{
    struct machine *m = machine_new();
    outb(m, 0x3F8, 'B'); /* the BIOS's copy of its screen */
    initialize_pic(m, 0xED);
    outb(m, 0x3F9, 0x01);
    cr_assert(pc_keyboard_preferred(m->pc));
    machine_free(m);
}

Test(keyboard, the_next_key_waits_until_the_last_was_read)
{
    struct machine *m = machine_new();
    pc_keyboard_input(m->pc, 0x1E);
    bool at_once = pc_keyboard_ready(m->pc);
    inb(m, 0x60);
    cr_assert(!at_once && pc_keyboard_ready(m->pc));
    machine_free(m);
}
