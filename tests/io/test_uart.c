/* SPDX-License-Identifier: MIT */
/* The 16550A at COM1. */
#include "tests/io/machine.h"

enum {
    DATA = 0x3F8,
    IER = 0x3F9,
    IIR = 0x3FA,
    FCR = 0x3FA,
    LCR = 0x3FB,
    MCR = 0x3FC,
    LSR = 0x3FD,
    MSR = 0x3FE,
    SCRATCH = 0x3FF,
};

static struct machine *machine_with_fifo(unsigned fcr)
{
    struct machine *m = machine_new();
    outb(m, FCR, fcr);
    return m;
}

static void receive(struct machine *m, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        pc_serial_input(m->pc, (uint8_t)('a' + i));
}

Test(uart, a_written_byte_is_transmitted)
{
    struct machine *m = machine_new();
    outb(m, DATA, 'U');
    cr_assert_str_eq(m->output, "U");
    machine_free(m);
}

Test(uart, the_transmitter_is_always_empty)
{
    struct machine *m = machine_new();
    outb(m, DATA, 'U');
    cr_assert_eq(inb(m, LSR), 0x60);
    machine_free(m);
}

Test(uart, the_divisor_hides_behind_dlab)
{
    struct machine *m = machine_new();
    outb(m, LCR, 0x80);
    outw(m, DATA, 0x0102);
    outb(m, LCR, 0x03);
    outb(m, IER, 0x00);
    outb(m, LCR, 0x83);
    cr_assert_eq(inw(m, DATA), 0x0102);
    machine_free(m);
}

Test(uart, a_16550a_shows_its_fifo)
{
    struct machine *m = machine_with_fifo(0x01);
    cr_assert_eq(inb(m, IIR), 0xC1);
    machine_free(m);
}

Test(uart, interrupt_enable_has_four_bits)
{
    struct machine *m = machine_new();
    outb(m, IER, 0xFF);
    cr_assert_eq(inb(m, IER), 0x0F);
    machine_free(m);
}

Test(uart, scratch_reads_back)
{
    struct machine *m = machine_new();
    outb(m, SCRATCH, 0xA5);
    cr_assert_eq(inb(m, SCRATCH), 0xA5);
    machine_free(m);
}

Test(uart, loopback_turns_the_modem_lines_around)
{
    struct machine *m = machine_new();
    outb(m, MCR, 0x1A); /* loop, OUT2, RTS: drivers probe with it */
    cr_assert_eq(inb(m, MSR) & 0xF0, 0x90);
    machine_free(m);
}

Test(uart, loopback_receives_what_it_sends)
{
    struct machine *m = machine_new();
    outb(m, MCR, 0x10);
    outb(m, DATA, 0xAE);
    cr_assert_eq(inb(m, DATA), 0xAE);
    machine_free(m);
}

Test(uart, loopback_keeps_bytes_from_the_line)
{
    struct machine *m = machine_new();
    outb(m, MCR, 0x10);
    outb(m, DATA, 'x');
    cr_assert_eq(m->output_count, 0);
    machine_free(m);
}

Test(uart, loopback_overruns_without_a_fifo)
{
    struct machine *m = machine_new();
    outb(m, MCR, 0x10);
    outb(m, DATA, 1);
    outb(m, DATA, 2);
    cr_assert_eq(inb(m, LSR) & 0x02, 0x02);
    machine_free(m);
}

Test(uart, an_overrun_destroys_the_byte_that_was_not_read)
{
    struct machine *m = machine_new();
    outb(m, MCR, 0x10);
    outb(m, DATA, 1);
    outb(m, DATA, 2);
    cr_assert_eq(inb(m, DATA), 2);
    machine_free(m);
}

Test(uart, an_overrun_of_the_fifo_leaves_what_is_in_it)
{
    struct machine *m = machine_with_fifo(0x01);
    outb(m, MCR, 0x10);
    for (unsigned i = 0; i < 17; i++)
        outb(m, DATA, i);
    for (unsigned i = 0; i < 15; i++)
        inb(m, DATA);
    cr_assert_eq(inb(m, DATA), 15);
    machine_free(m);
}

Test(uart, reading_the_line_status_clears_the_overrun)
{
    struct machine *m = machine_new();
    outb(m, MCR, 0x10);
    outb(m, DATA, 1);
    outb(m, DATA, 2);
    inb(m, LSR);
    cr_assert_eq(inb(m, LSR) & 0x02, 0);
    machine_free(m);
}

Test(uart, without_fifo_one_byte_is_all_it_takes)
{
    struct machine *m = machine_new();
    receive(m, 1);
    cr_assert_not(pc_serial_input(m->pc, 'b'));
    machine_free(m);
}

Test(uart, the_fifo_takes_sixteen)
{
    struct machine *m = machine_with_fifo(0x01);
    receive(m, 16);
    cr_assert_not(pc_serial_ready(m->pc));
    machine_free(m);
}

Test(uart, bytes_come_out_in_order)
{
    struct machine *m = machine_with_fifo(0x01);
    receive(m, 3);
    inb(m, DATA);
    cr_assert_eq(inb(m, DATA), 'b');
    machine_free(m);
}

Test(uart, clearing_the_fifo_drops_what_is_in_it)
{
    struct machine *m = machine_with_fifo(0x01);
    receive(m, 3);
    outb(m, FCR, 0x03);
    cr_assert_eq(inb(m, LSR) & 0x01, 0);
    machine_free(m);
}

Test(uart, the_trigger_level_interrupts)
{
    struct machine *m = machine_with_fifo(0x81); /* 8 bytes */
    outb(m, IER, 0x01);
    receive(m, 8);
    cr_assert_eq(inb(m, IIR), 0xC4);
    machine_free(m);
}

Test(uart, below_the_trigger_level_is_silence)
{
    struct machine *m = machine_with_fifo(0x81);
    outb(m, IER, 0x01);
    receive(m, 7);
    cr_assert_eq(inb(m, IIR), 0xC1);
    machine_free(m);
}

Test(uart, old_bytes_below_the_trigger_level_time_out)
{
    struct machine *m = machine_with_fifo(0x81);
    outb(m, IER, 0x01);
    receive(m, 1);
    pass(m, 10 * MS);
    cr_assert_eq(inb(m, IIR), 0xCC);
    machine_free(m);
}

Test(uart, a_timeout_that_came_is_not_taken_back_by_another_byte)
{
    struct machine *m = machine_with_fifo(0x81);
    outb(m, IER, 0x01);
    receive(m, 1);
    pass(m, 10 * MS);
    receive(m, 1);
    cr_assert_eq(inb(m, IIR), 0xCC);
    machine_free(m);
}

Test(uart, a_read_takes_the_timeout_back)
{
    struct machine *m = machine_with_fifo(0x81);
    outb(m, IER, 0x01);
    receive(m, 2);
    pass(m, 10 * MS);
    inb(m, DATA);
    cr_assert_eq(inb(m, IIR), 0xC1);
    machine_free(m);
}

Test(uart, what_is_left_after_a_read_times_out_again)
{
    struct machine *m = machine_with_fifo(0x81);
    outb(m, IER, 0x01);
    receive(m, 2);
    pass(m, 10 * MS);
    inb(m, DATA);
    pass(m, 10 * MS);
    cr_assert_eq(inb(m, IIR), 0xCC);
    machine_free(m);
}

Test(uart, the_trigger_level_comes_before_the_timeout)
{
    struct machine *m = machine_with_fifo(0x41); /* 4 bytes */
    outb(m, IER, 0x01);
    receive(m, 3);
    pass(m, 10 * MS);
    receive(m, 1);
    cr_assert_eq(inb(m, IIR), 0xC4);
    machine_free(m);
}

Test(uart, a_read_below_the_trigger_level_ends_the_interrupt)
{
    struct machine *m = machine_with_fifo(0x41);
    outb(m, IER, 0x01);
    receive(m, 4);
    inb(m, DATA);
    cr_assert_eq(inb(m, IIR), 0xC1);
    machine_free(m);
}

Test(uart, data_are_ready_until_the_last_byte_is_read)
{
    struct machine *m = machine_with_fifo(0x81);
    receive(m, 2);
    inb(m, DATA);
    cr_assert_eq(inb(m, LSR) & 0x01, 0x01);
    inb(m, DATA);
    cr_assert_eq(inb(m, LSR) & 0x01, 0);
    machine_free(m);
}

Test(uart, the_interrupt_of_the_last_byte_is_an_edge_after_the_read)
{
    struct machine *m = machine_new();
    pic_setup(m, 0xEF, 0xFF, 0x03);
    outb(m, IER, 0x01);
    receive(m, 1);
    pc_intr_ack(m->pc);
    inb(m, DATA);
    receive(m, 1); /* before the handler's end */
    cr_assert(pc_intr(m->pc));
    machine_free(m);
}

Test(uart, bytes_that_wait_interrupt_when_it_is_enabled)
{
    struct machine *m = machine_with_fifo(0x01);
    receive(m, 1);
    outb(m, IER, 0x01);
    cr_assert_eq(inb(m, IIR), 0xC4);
    machine_free(m);
}

Test(uart, enabling_the_transmit_interrupt_asks_at_once)
{
    struct machine *m = machine_new();
    outb(m, IER, 0x02);
    cr_assert_eq(inb(m, IIR), 0x02);
    machine_free(m);
}

Test(uart, reading_the_iir_answers_the_transmit_interrupt)
{
    struct machine *m = machine_new();
    outb(m, IER, 0x02);
    inb(m, IIR);
    cr_assert_eq(inb(m, IIR), 0x01);
    machine_free(m);
}

Test(uart, writing_the_same_interrupt_enables_asks_no_more)
{
    struct machine *m = machine_new();
    outb(m, IER, 0x02);
    inb(m, IIR);
    outb(m, IER, 0x02);
    cr_assert_eq(inb(m, IIR), 0x01);
    machine_free(m);
}

Test(uart, enabling_it_again_asks_again)
{
    struct machine *m = machine_new();
    outb(m, IER, 0x02);
    inb(m, IIR);
    outb(m, IER, 0x00);
    outb(m, IER, 0x02);
    cr_assert_eq(inb(m, IIR), 0x02);
    machine_free(m);
}

Test(uart, a_received_byte_comes_before_the_empty_transmitter)
{
    struct machine *m = machine_new();
    outb(m, IER, 0x03);
    receive(m, 1);
    cr_assert_eq(inb(m, IIR), 0x04);
    machine_free(m);
}

Test(uart, an_overrun_comes_before_a_received_byte)
{
    struct machine *m = machine_new();
    outb(m, IER, 0x07);
    outb(m, MCR, 0x10);
    outb(m, DATA, 1);
    outb(m, DATA, 2);
    cr_assert_eq(inb(m, IIR), 0x06);
    machine_free(m);
}

Test(uart, a_modem_change_interrupts)
{
    struct machine *m = machine_new();
    outb(m, IER, 0x08);
    outb(m, MCR, 0x10);
    cr_assert_eq(inb(m, IIR), 0x00);
    machine_free(m);
}

Test(uart, reading_the_modem_status_clears_its_changes)
{
    struct machine *m = machine_new();
    outb(m, MCR, 0x10);
    inb(m, MSR);
    cr_assert_eq(inb(m, MSR) & 0x0F, 0);
    machine_free(m);
}

Test(uart, input_raises_irq_four)
{
    struct machine *m = machine_new();
    pic_setup(m, 0xEF, 0xFF, 0x01);
    outb(m, IER, 0x01);
    receive(m, 1);
    cr_assert_eq(pc_intr_ack(m->pc), 0x24);
    machine_free(m);
}

Test(uart, each_byte_sent_is_a_new_transmit_interrupt)
{
    struct machine *m = machine_new();
    pic_setup(m, 0xEF, 0xFF, 0x03);
    outb(m, IER, 0x02);
    pc_intr_ack(m->pc);
    outb(m, DATA, 'x'); /* a driver that never looks at the IIR */
    cr_assert(pc_intr(m->pc));
    machine_free(m);
}

Test(uart, the_other_ports_are_absent)
{
    struct machine *m = machine_new();
    m->unclaimed = 0;
    inb(m, 0x2F8 + 5);
    cr_assert_eq(m->unclaimed, 1);
    machine_free(m);
}
