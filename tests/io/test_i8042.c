/* SPDX-License-Identifier: MIT */
/* The keyboard controller, its keyboard, and the ways to reset and power off.
 */
#include "tests/io/machine.h"

static unsigned status(struct machine *m)
{
    return inb(m, 0x64);
}

static void command(struct machine *m, unsigned value)
{
    outb(m, 0x64, value);
}

static void data(struct machine *m, unsigned value)
{
    outb(m, 0x60, value);
}

Test(i8042, the_self_test_passes)
{
    struct machine *m = machine_new();
    command(m, 0xAA);
    cr_assert_eq(inb(m, 0x60), 0x55);
    machine_free(m);
}

Test(i8042, the_keyboard_interface_passes)
{
    struct machine *m = machine_new();
    command(m, 0xAB);
    cr_assert_eq(inb(m, 0x60), 0x00);
    machine_free(m);
}

Test(i8042, the_mouse_interface_fails)
{
    struct machine *m = machine_new();
    command(m, 0xA9);
    cr_assert_eq(inb(m, 0x60), 0x01);
    machine_free(m);
}

Test(i8042, the_command_byte_reads_back)
{
    struct machine *m = machine_new();
    command(m, 0x60);
    data(m, 0x47);
    command(m, 0x20);
    cr_assert_eq(inb(m, 0x60), 0x47);
    machine_free(m);
}

Test(i8042, nothing_to_read_is_in_the_status)
{
    struct machine *m = machine_new();
    cr_assert_eq(status(m) & 0x01, 0);
    machine_free(m);
}

Test(i8042, the_input_buffer_is_never_full)
{
    struct machine *m = machine_new();
    data(m, 0xED);
    cr_assert_eq(status(m) & 0x02, 0);
    machine_free(m);
}

Test(i8042, a_key_raises_irq_one)
{
    struct machine *m = machine_new();
    pic_setup(m, 0xFD, 0xFF, 0x01);
    pc_keyboard_input(m->pc, 0x1E);
    cr_assert_eq(pc_intr_ack(m->pc), 0x21);
    machine_free(m);
}

Test(i8042, a_second_key_is_a_new_edge)
{
    struct machine *m = machine_new();
    pic_setup(m, 0xFD, 0xFF, 0x03);
    pc_keyboard_input(m->pc, 0x1E);
    pc_keyboard_input(m->pc, 0x9E);
    pc_intr_ack(m->pc);
    inb(m, 0x60);
    cr_assert(pc_intr(m->pc));
    machine_free(m);
}

Test(i8042, a_translated_key_is_set_one)
{
    struct machine *m = machine_new();
    pc_keyboard_input(m->pc, 0x1E);
    cr_assert_eq(inb(m, 0x60), 0x1E);
    machine_free(m);
}

Test(i8042, an_untranslated_release_is_set_two)
{
    struct machine *m = machine_new();
    command(m, 0x60);
    data(m, 0x01);
    pc_keyboard_input(m->pc, 0x9E);
    unsigned first = inb(m, 0x60);
    cr_assert_eq(first << 8 | inb(m, 0x60), 0xF01C);
    machine_free(m);
}

Test(i8042, a_full_queue_refuses_keys)
{
    struct machine *m = machine_new();
    unsigned taken = 0;
    while (taken < 1000 && pc_keyboard_input(m->pc, 0x1E))
        taken++;
    cr_assert_lt(taken, 1000);
    machine_free(m);
}

Test(i8042, the_keyboard_resets_with_a_self_test)
{
    struct machine *m = machine_new();
    data(m, 0xFF);
    unsigned first = inb(m, 0x60);
    cr_assert_eq(first << 8 | inb(m, 0x60), 0xFAAA);
    machine_free(m);
}

Test(i8042, the_keyboard_identifies_itself)
{
    struct machine *m = machine_new();
    data(m, 0xF2);
    inb(m, 0x60);
    unsigned first = inb(m, 0x60);
    cr_assert_eq(first << 8 | inb(m, 0x60), 0xAB41);
    machine_free(m);
}

Test(i8042, lights_take_an_argument)
{
    struct machine *m = machine_new();
    data(m, 0xED);
    inb(m, 0x60);
    data(m, 0x02);
    cr_assert_eq(inb(m, 0x60), 0xFA);
    machine_free(m);
}

Test(i8042, echo_answers_echo)
{
    struct machine *m = machine_new();
    data(m, 0xEE);
    cr_assert_eq(inb(m, 0x60), 0xEE);
    machine_free(m);
}

Test(i8042, an_unknown_command_asks_for_a_repeat)
{
    struct machine *m = machine_new();
    data(m, 0xEC);
    cr_assert_eq(inb(m, 0x60), 0xFE);
    machine_free(m);
}

Test(i8042, a_disabled_keyboard_loses_keys)
{
    struct machine *m = machine_new();
    data(m, 0xF5);
    inb(m, 0x60);
    pc_keyboard_input(m->pc, 0x1E);
    cr_assert_eq(status(m) & 0x01, 0);
    machine_free(m);
}

Test(i8042, a_disabled_interface_holds_keys)
{
    struct machine *m = machine_new();
    command(m, 0xAD);
    pc_keyboard_input(m->pc, 0x1E);
    command(m, 0xAE);
    cr_assert_eq(inb(m, 0x60), 0x1E);
    machine_free(m);
}

Test(i8042, a_controller_reply_does_not_lose_a_key)
{
    struct machine *m = machine_new();
    pc_keyboard_input(m->pc, 0x1E);
    command(m, 0x20);
    inb(m, 0x60);
    cr_assert_eq(inb(m, 0x60), 0x1E);
    machine_free(m);
}

Test(i8042, pulsing_line_zero_resets)
{
    struct machine *m = machine_new();
    command(m, 0xFE);
    cr_assert_eq(m->stop, PC_RESET);
    machine_free(m);
}

Test(i8042, a20_goes_through_the_output_port)
{
    struct machine *m = machine_new();
    command(m, 0xD1);
    data(m, 0xDD);
    cr_assert_eq(inb(m, 0x92) & 0x02, 0);
    machine_free(m);
}

Test(power, port_92_resets)
{
    struct machine *m = machine_new();
    outb(m, 0x92, 0x03);
    cr_assert_eq(m->stop, PC_RESET);
    machine_free(m);
}

Test(power, port_cf9_resets)
{
    struct machine *m = machine_new();
    outb(m, 0xCF9, 0x02);
    outb(m, 0xCF9, 0x06);
    cr_assert_eq(m->stop, PC_RESET);
    machine_free(m);
}

Test(power, soft_off_powers_off)
{
    struct machine *m = machine_new();
    outw(m, 0x604, 0x2000);
    cr_assert_eq(m->stop, PC_POWER_OFF);
    machine_free(m);
}

Test(power, the_bochs_port_powers_off)
{
    struct machine *m = machine_new();
    outw(m, 0xB004, 0x2000);
    cr_assert_eq(m->stop, PC_POWER_OFF);
    machine_free(m);
}

Test(power, other_sleep_types_do_nothing)
{
    struct machine *m = machine_new();
    outw(m, 0x604, 0x2400);
    cr_assert_eq(m->stop, PC_RUNNING);
    machine_free(m);
}

Test(power, there_is_no_pci_bus)
{
    struct machine *m = machine_new();
    bus_port_write(m->bus, 0xCF8, 4, 0x80000000u);
    cr_assert_eq(bus_port_read(m->bus, 0xCF8, 4), UINT32_MAX);
    machine_free(m);
}

Test(power, looking_for_pci_is_not_an_unclaimed_access)
{
    struct machine *m = machine_new();
    bus_port_write(m->bus, 0xCF8, 4, 0x80000000u);
    bus_port_read(m->bus, 0xCFC, 4);
    inw(m, 0xCFE);
    cr_assert_eq(m->unclaimed, 0);
    machine_free(m);
}

Test(debugexit, the_byte_written_ends_the_run)
{
    struct machine *m = machine_new();
    bus_port_write(m->bus, 0xF4, 4, 0x21);
    cr_assert(m->stop == PC_DEBUG_EXIT && m->stop_value == 0x21);
    machine_free(m);
}
