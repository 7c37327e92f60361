/* SPDX-License-Identifier: MIT */
/* VGA registers and the test device. */
#include "tests/io/machine.h"

static void crtc(struct machine *m, unsigned index, unsigned value)
{
    outw(m, 0x3D4, value << 8 | index);
}

Test(vga, crtc_registers_read_back)
{
    struct machine *m = machine_new();
    crtc(m, 0x0E, 0x12);
    outb(m, 0x3D4, 0x0E);
    cr_assert_eq(inb(m, 0x3D5), 0x12);
    machine_free(m);
}

Test(vga, the_cursor_is_where_the_crtc_says)
{
    struct machine *m = machine_new();
    unsigned row, column;
    crtc(m, 0x0E, (3 * 80 + 7) >> 8);
    crtc(m, 0x0F, (3 * 80 + 7) & 0xFF);
    pc_vga_cursor(m->pc, &row, &column);
    cr_assert(row == 3 && column == 7);
    machine_free(m);
}

Test(vga, the_cursor_follows_the_start_address)
{
    struct machine *m = machine_new();
    unsigned row, column;
    crtc(m, 0x0D, 80);
    crtc(m, 0x0F, 82);
    pc_vga_cursor(m->pc, &row, &column);
    cr_assert(row == 0 && column == 2);
    machine_free(m);
}

Test(vga, the_start_address_is_in_cells)
{
    struct machine *m = machine_new();
    crtc(m, 0x0C, 0x01);
    crtc(m, 0x0D, 0x40);
    cr_assert_eq(pc_vga_start(m->pc), 0x140);
    machine_free(m);
}

Test(vga, timing_registers_are_protected)
{
    struct machine *m = machine_new();
    crtc(m, 0x00, 0x00);
    outb(m, 0x3D4, 0x00);
    cr_assert_eq(inb(m, 0x3D5), 0x5F);
    machine_free(m);
}

Test(vga, reading_the_status_resets_the_attribute_flip_flop)
{
    struct machine *m = machine_new();
    outb(m, 0x3C0, 0x10);
    inb(m, 0x3DA);
    outb(m, 0x3C0, 0x11);
    outb(m, 0x3C0, 0x2A);
    cr_assert_eq(inb(m, 0x3C1), 0x2A);
    machine_free(m);
}

Test(vga, retrace_comes_seventy_times_a_second)
{
    struct machine *m = machine_new();
    unsigned retraces = 0;
    bool before = false;
    for (unsigned i = 0; i < 100000; i++) {
        pass(m, 10 * US);
        bool retrace = inb(m, 0x3DA) & 0x08;
        retraces += retrace && !before;
        before = retrace;
    }
    cr_assert_eq(retraces, 70);
    machine_free(m);
}

Test(vga, palette_entries_are_three_bytes)
{
    struct machine *m = machine_new();
    outb(m, 0x3C8, 5);
    outb(m, 0x3C9, 1);
    outb(m, 0x3C9, 2);
    outb(m, 0x3C9, 3);
    outb(m, 0x3C7, 5);
    inb(m, 0x3C9);
    cr_assert_eq(inb(m, 0x3C9), 2);
    machine_free(m);
}

Test(vga, sequencer_and_graphics_registers_read_back)
{
    struct machine *m = machine_new();
    outw(m, 0x3C4, 0x0F02);
    outw(m, 0x3CE, 0x0305);
    cr_assert_eq(inb(m, 0x3C5) << 8 | inb(m, 0x3CF), 0x0F03);
    machine_free(m);
}

Test(testdev, the_port_register_has_any_width)
{
    struct machine *m = machine_new();
    bus_port_write(m->bus, 0xE0, 4, 0x12345678);
    outb(m, 0xE1, 0xAB);
    cr_assert_eq(bus_port_read(m->bus, 0xE0, 4), 0x1234AB78);
    machine_free(m);
}

Test(testdev, its_memory_is_plain)
{
    struct machine *m = machine_new();
    bus_memory_write(m->bus, 0xFF00FFFCu, 4, 0xCAFEF00Du);
    cr_assert_eq(bus_memory_read(m->bus, 0xFF00FFFEu, 2), 0xCAFE);
    machine_free(m);
}

Test(testdev, its_console_is_the_serial_output)
{
    struct machine *m = machine_new();
    outb(m, 0xF1, 'T');
    cr_assert_str_eq(m->output, "T");
    machine_free(m);
}

Test(testdev, it_says_that_there_is_one_processor)
{
    struct machine *m = machine_new();
    outw(m, 0x510, 0x05);
    cr_assert_eq(inb(m, 0x511), 1);
    machine_free(m);
}

Test(testdev, it_says_how_much_memory_there_is)
{
    struct machine *m = machine_new();
    uint64_t bytes = 0;
    outw(m, 0x510, 0x03);
    for (unsigned i = 0; i < 8; i++)
        bytes |= (uint64_t)inb(m, 0x511) << (8 * i);
    cr_assert_eq(bytes, UINT64_C(64) << 20);
    machine_free(m);
}

Test(testdev, it_is_absent_unless_asked_for)
{
    struct machine *m = calloc(1, sizeof *m);
    const struct bus_owner owner = {.now_ns = machine_now, .ctx = m};
    const struct pc_config config = {.ctx = m};
    char *error;
    m->pc = pc_create(&config, &owner, &error);
    cr_assert_null(bus_memory_name(pc_bus(m->pc), 0xFF000000u));
    machine_free(m);
}
