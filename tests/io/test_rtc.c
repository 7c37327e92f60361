/* SPDX-License-Identifier: MIT */
/* The MC146818 clock and CMOS memory. */
#include "tests/io/machine.h"

static unsigned cmos(struct machine *m, unsigned index)
{
    outb(m, 0x70, index);
    return inb(m, 0x71);
}

static void cmos_write(struct machine *m, unsigned index, unsigned value)
{
    outb(m, 0x70, index);
    outb(m, 0x71, value);
}

static void set_date(struct machine *m, unsigned year, unsigned month,
                     unsigned day)
{
    cmos_write(m, 0x09, year);
    cmos_write(m, 0x08, month);
    cmos_write(m, 0x07, day);
}

static struct machine *machine_with_rtc_irq(unsigned b)
{
    struct machine *m = machine_new();
    pic_setup(m, 0xFB, 0xFE, 0x01);
    cmos_write(m, 0x0B, 0x02 | b);
    return m;
}

Test(rtc, every_run_starts_in_2026)
{
    struct machine *m = machine_new();
    cr_assert_eq(cmos(m, 0x32) << 8 | cmos(m, 0x09), 0x2026);
    machine_free(m);
}

Test(rtc, the_first_of_january_2026_is_a_thursday)
{
    struct machine *m = machine_new();
    cr_assert_eq(cmos(m, 0x06), 5);
    machine_free(m);
}

Test(rtc, seconds_are_bcd)
{
    struct machine *m = machine_new();
    pass(m, 59 * SECOND);
    cr_assert_eq(cmos(m, 0x00), 0x59);
    machine_free(m);
}

Test(rtc, seconds_are_binary_when_asked)
{
    struct machine *m = machine_new();
    cmos_write(m, 0x0B, 0x06);
    pass(m, 59 * SECOND);
    cr_assert_eq(cmos(m, 0x00), 59);
    machine_free(m);
}

Test(rtc, minutes_carry_into_hours)
{
    struct machine *m = machine_new();
    pass(m, 3600 * SECOND);
    cr_assert_eq(cmos(m, 0x04), 0x01);
    machine_free(m);
}

Test(rtc, a_day_goes_by)
{
    struct machine *m = machine_new();
    pass(m, 86400 * SECOND);
    cr_assert_eq(cmos(m, 0x07) << 8 | cmos(m, 0x06), 0x0206);
    machine_free(m);
}

Test(rtc, february_ends_after_28_days)
{
    struct machine *m = machine_new();
    set_date(m, 0x26, 0x02, 0x28);
    pass(m, 86400 * SECOND);
    cr_assert_eq(cmos(m, 0x08) << 8 | cmos(m, 0x07), 0x0301);
    machine_free(m);
}

Test(rtc, a_leap_year_has_a_29th_of_february)
{
    struct machine *m = machine_new();
    set_date(m, 0x28, 0x02, 0x28);
    pass(m, 86400 * SECOND);
    cr_assert_eq(cmos(m, 0x08) << 8 | cmos(m, 0x07), 0x0229);
    machine_free(m);
}

Test(rtc, the_century_turns)
{
    struct machine *m = machine_new();
    set_date(m, 0x99, 0x12, 0x31);
    pass(m, 86400 * SECOND);
    cr_assert_eq(cmos(m, 0x32) << 8 | cmos(m, 0x09), 0x2100);
    machine_free(m);
}

Test(rtc, twelve_hour_afternoons_have_the_top_bit)
{
    struct machine *m = machine_new();
    cmos_write(m, 0x0B, 0x00);
    cmos_write(m, 0x04, 0x12); /* midnight */
    pass(m, 13 * 3600 * SECOND);
    cr_assert_eq(cmos(m, 0x04), 0x81);
    machine_free(m);
}

Test(rtc, set_holds_the_clock)
{
    struct machine *m = machine_new();
    cmos_write(m, 0x0B, 0x82);
    pass(m, 10 * SECOND);
    cr_assert_eq(cmos(m, 0x00), 0x00);
    machine_free(m);
}

Test(rtc, a_time_that_was_set_goes_on)
{
    struct machine *m = machine_new();
    cmos_write(m, 0x0B, 0x82);
    cmos_write(m, 0x00, 0x30);
    cmos_write(m, 0x0B, 0x02);
    pass(m, 5 * SECOND);
    cr_assert_eq(cmos(m, 0x00), 0x35);
    machine_free(m);
}

Test(rtc, update_in_progress_is_seen_just_before_the_second)
{
    struct machine *m = machine_new();
    pass(m, SECOND - 200 * US);
    cr_assert_eq(cmos(m, 0x0A) & 0x80, 0x80);
    machine_free(m);
}

Test(rtc, update_in_progress_is_clear_earlier)
{
    struct machine *m = machine_new();
    pass(m, SECOND - 300 * US);
    cr_assert_eq(cmos(m, 0x0A) & 0x80, 0);
    machine_free(m);
}

Test(rtc, the_update_interrupt_is_irq_eight)
{
    struct machine *m = machine_with_rtc_irq(0x10);
    pass(m, SECOND);
    cr_assert_eq(pc_intr_ack(m->pc), 0x28);
    machine_free(m);
}

Test(rtc, register_c_names_the_cause)
{
    struct machine *m = machine_with_rtc_irq(0x10);
    pass(m, SECOND - 1);
    cmos(m, 0x0C);
    pass(m, 1);
    cr_assert_eq(cmos(m, 0x0C) & 0xB0, 0x90); /* not the periodic flag */
    machine_free(m);
}

Test(rtc, reading_register_c_lets_the_next_interrupt_come)
{
    struct machine *m = machine_with_rtc_irq(0x10);
    pass(m, SECOND);
    pc_intr_ack(m->pc);
    cmos(m, 0x0C);
    outb(m, 0xA0, 0x20);
    outb(m, 0x20, 0x20);
    pass(m, SECOND);
    cr_assert(pc_intr(m->pc));
    machine_free(m);
}

Test(rtc, the_periodic_interrupt_comes_at_its_rate)
{
    struct machine *m = machine_with_rtc_irq(0x40);
    unsigned count = 0;
    for (unsigned ms = 0; ms < 1000; ms++) {
        pass(m, MS);
        if (cmos(m, 0x0C) & 0x80)
            count++;
    }
    cr_assert_eq(count, 1000); /* at 1024 Hz there is one in each ms */
    machine_free(m);
}

Test(rtc, the_alarm_waits_for_its_second)
{
    struct machine *m = machine_with_rtc_irq(0x20);
    cmos_write(m, 0x01, 0x10);
    cmos_write(m, 0x03, 0xFF);
    cmos_write(m, 0x05, 0xFF);
    pass(m, 10 * SECOND - 1);
    bool early = pc_intr(m->pc);
    pass(m, 1);
    cr_assert(!early && pc_intr(m->pc));
    machine_free(m);
}

Test(rtc, extended_memory_is_in_the_cmos)
{
    struct machine *m = machine_new();
    cr_assert_eq(cmos(m, 0x18) << 8 | cmos(m, 0x17), 63 * 1024);
    machine_free(m);
}

Test(rtc, memory_above_16_mib_is_in_the_cmos)
{
    struct machine *m = machine_new();
    cr_assert_eq(cmos(m, 0x35) << 8 | cmos(m, 0x34), 48 * 16);
    machine_free(m);
}

Test(rtc, base_memory_is_640_kib)
{
    struct machine *m = machine_new();
    cr_assert_eq(cmos(m, 0x16) << 8 | cmos(m, 0x15), 640);
    machine_free(m);
}

Test(rtc, the_shutdown_byte_survives_a_reset)
{
    struct machine *m = machine_new();
    cmos_write(m, 0x0F, 0x0A);
    bus_reset(m->bus);
    cr_assert_eq(cmos(m, 0x0F), 0x0A);
    machine_free(m);
}

Test(rtc, the_nmi_bit_is_no_part_of_the_index)
{
    struct machine *m = machine_new();
    cr_assert_eq(cmos(m, 0x80 | 0x0D), 0x80);
    machine_free(m);
}
