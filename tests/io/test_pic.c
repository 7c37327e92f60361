/* SPDX-License-Identifier: MIT */
/* The 8259 pair, seen from the processor and its ports. */
#include "io/devices.h"
#include "tests/io/machine.h"

enum { EOI = 0x20, ICW4 = 0x01, ICW4_AUTO = 0x03 };

Test(pic, a_bios_leaves_real_mode_vectors)
{
    struct machine *m = machine_new();
    line(m, 1, true);
    cr_assert_eq(pc_intr_ack(m->pc), 0x09);
    machine_free(m);
}

Test(pic, nothing_is_pending_at_the_start)
{
    struct machine *m = machine_new();
    cr_assert_not(pc_intr(m->pc));
    machine_free(m);
}

Test(pic, an_acknowledge_gives_base_plus_line)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    line(m, 5, true);
    cr_assert_eq(pc_intr_ack(m->pc), 0x25);
    machine_free(m);
}

Test(pic, a_slave_line_gives_the_slaves_vector)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    line(m, 12, true);
    cr_assert_eq(pc_intr_ack(m->pc), 0x2C);
    machine_free(m);
}

Test(pic, an_edge_survives_the_line_going_low)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    pulse(m, 3);
    cr_assert_eq(pc_intr_ack(m->pc), 0x23);
    machine_free(m);
}

Test(pic, a_held_edge_line_interrupts_once)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    line(m, 3, true);
    pc_intr_ack(m->pc);
    outb(m, 0x20, EOI);
    cr_assert_not(pc_intr(m->pc));
    machine_free(m);
}

Test(pic, a_held_level_line_interrupts_again)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    outb(m, 0x4D0, 0x08);
    line(m, 3, true);
    pc_intr_ack(m->pc);
    outb(m, 0x20, EOI);
    cr_assert(pc_intr(m->pc));
    machine_free(m);
}

Test(pic, the_system_timer_cannot_be_made_level_triggered)
{
    struct machine *m = machine_new();
    outb(m, 0x4D0, 0xFF);
    cr_assert_eq(inb(m, 0x4D0), 0xF8);
    machine_free(m);
}

Test(pic, a_masked_line_does_not_interrupt)
{
    struct machine *m = machine_new();
    pic_setup(m, 0xFF, 0xFF, ICW4);
    line(m, 3, true);
    cr_assert_not(pc_intr(m->pc));
    machine_free(m);
}

Test(pic, unmasking_lets_a_latched_request_through)
{
    struct machine *m = machine_new();
    pic_setup(m, 0xFF, 0xFF, ICW4);
    pulse(m, 3);
    outb(m, 0x21, 0xF7);
    cr_assert(pc_intr(m->pc));
    machine_free(m);
}

Test(pic, lower_priority_waits_for_the_eoi)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    pulse(m, 3);
    pc_intr_ack(m->pc);
    pulse(m, 4);
    cr_assert_not(pc_intr(m->pc));
    machine_free(m);
}

Test(pic, higher_priority_interrupts_a_service)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    pulse(m, 3);
    pc_intr_ack(m->pc);
    pulse(m, 1);
    cr_assert_eq(pc_intr_ack(m->pc), 0x21);
    machine_free(m);
}

Test(pic, slave_lines_come_before_line_three)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    pulse(m, 3);
    pulse(m, 15);
    cr_assert_eq(pc_intr_ack(m->pc), 0x2F);
    machine_free(m);
}

Test(pic, a_second_slave_request_comes_after_both_eois)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    pulse(m, 9);
    pulse(m, 10);
    pc_intr_ack(m->pc);
    outb(m, 0xA0, EOI);
    outb(m, 0x20, EOI);
    cr_assert_eq(pc_intr_ack(m->pc), 0x2A);
    machine_free(m);
}

Test(pic, a_poll_with_nothing_pending_says_so)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    outb(m, 0x20, 0x0C);
    cr_assert_eq(inb(m, 0x20), 0);
    machine_free(m);
}

Test(pic, a_request_withdrawn_by_the_slave_is_irq_fifteen)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    pulse(m, 9);
    outb(m, 0xA1, 0xFF); /* the master has latched the slave's edge */
    cr_assert_eq(pc_intr_ack(m->pc), 0x2F);
    machine_free(m);
}

Test(pic, a_spurious_irq_fifteen_is_not_in_service_at_the_slave)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    pulse(m, 9);
    outb(m, 0xA1, 0xFF);
    pc_intr_ack(m->pc);
    outb(m, 0xA0, 0x0B);
    cr_assert_eq(inb(m, 0xA0), 0x00);
    machine_free(m);
}

static uint64_t no_time(void *ctx)
{
    (void)ctx;
    return 0;
}

/* The platform never lets the processor acknowledge in vain, but a processor
 * that had already begun to would meet this. */
Test(pic, an_acknowledge_of_a_request_that_went_away_is_spurious_seven)
{
    const struct bus_owner owner = {.now_ns = no_time};
    struct bus *bus = bus_create(&owner);
    struct pic *pic = pic_create(bus, (struct irq_line){0});
    bus_port_write(bus, 0x4D0, 1, 0x08);
    bus_port_write(bus, 0x21, 1, 0x00);
    pic_set_line(pic, 3, true);
    pic_set_line(pic, 3, false);
    cr_assert_eq(pic_acknowledge(pic), 0x0F);
    bus_destroy(bus);
}

Test(pic, an_acknowledge_with_nothing_pending_gives_none)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    cr_assert_eq(pc_intr_ack(m->pc), -1);
    machine_free(m);
}

Test(pic, special_mask_mode_lets_lower_priorities_in)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    pulse(m, 3);
    pc_intr_ack(m->pc);
    outb(m, 0x21, 0x08);
    outb(m, 0x20, 0x68);
    pulse(m, 6);
    cr_assert_eq(pc_intr_ack(m->pc), 0x26);
    machine_free(m);
}

Test(pic, without_special_mask_a_masked_service_still_blocks)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    pulse(m, 3);
    pc_intr_ack(m->pc);
    outb(m, 0x21, 0x08);
    pulse(m, 6);
    cr_assert_not(pc_intr(m->pc));
    machine_free(m);
}

Test(pic, automatic_eoi_leaves_nothing_in_service)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4_AUTO);
    pulse(m, 3);
    pc_intr_ack(m->pc);
    outb(m, 0x20, 0x0B);
    cr_assert_eq(inb(m, 0x20), 0x00);
    machine_free(m);
}

Test(pic, rotating_eoi_makes_the_line_the_lowest)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    pulse(m, 3);
    pc_intr_ack(m->pc);
    outb(m, 0x20, 0xA0);
    pulse(m, 3);
    pulse(m, 6);
    cr_assert_eq(pc_intr_ack(m->pc), 0x26);
    machine_free(m);
}

Test(pic, set_priority_moves_the_lowest_line)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    outb(m, 0x20, 0xC4);
    pulse(m, 1);
    pulse(m, 5);
    cr_assert_eq(pc_intr_ack(m->pc), 0x25);
    machine_free(m);
}

Test(pic, a_specific_eoi_ends_just_that_line)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    pulse(m, 5);
    pc_intr_ack(m->pc);
    pulse(m, 3);
    pc_intr_ack(m->pc);
    outb(m, 0x20, 0x65);
    outb(m, 0x20, 0x0B);
    cr_assert_eq(inb(m, 0x20), 0x08);
    machine_free(m);
}

Test(pic, poll_mode_names_the_line)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    pulse(m, 6);
    outb(m, 0x20, 0x0C);
    cr_assert_eq(inb(m, 0x20), 0x86);
    machine_free(m);
}

Test(pic, the_irr_can_be_read)
{
    struct machine *m = machine_new();
    pic_setup(m, 0xFF, 0xFF, ICW4);
    pulse(m, 4);
    outb(m, 0x20, 0x0A);
    cr_assert_eq(inb(m, 0x20), 0x10);
    machine_free(m);
}

Test(pic, the_mask_reads_back)
{
    struct machine *m = machine_new();
    pic_setup(m, 0xFF, 0xFF, ICW4);
    outb(m, 0xA1, 0x5A);
    cr_assert_eq(inb(m, 0xA1), 0x5A);
    machine_free(m);
}

Test(pic, initialisation_forgets_latched_edges)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    pulse(m, 3);
    pic_setup(m, 0x00, 0x00, ICW4);
    cr_assert_not(pc_intr(m->pc));
    machine_free(m);
}

Test(pic, the_owner_hears_of_a_change_once)
{
    struct machine *m = machine_new();
    pic_setup(m, 0x00, 0x00, ICW4);
    m->irq_changes = 0;
    pulse(m, 3);
    pulse(m, 4);
    pulse(m, 5);
    cr_assert_eq(m->irq_changes, 1);
    machine_free(m);
}
