/* SPDX-License-Identifier: MIT */
/* The 8254, its IRQ and the speaker port. */
#include "tests/io/machine.h"

#define PIT_HZ UINT64_C(1193182)

/* The first nanosecond of a tick. */
static uint64_t tick_ns(uint64_t tick)
{
    return tick / PIT_HZ * SECOND +
           (tick % PIT_HZ * SECOND + PIT_HZ - 1) / PIT_HZ;
}

static void at_tick(struct machine *m, uint64_t tick)
{
    pass(m, tick_ns(tick) - m->now);
}

static void program(struct machine *m, unsigned counter, unsigned mode,
                    unsigned count)
{
    outb(m, 0x43, counter << 6 | 0x30 | mode << 1);
    outb(m, (uint16_t)(0x40 + counter), count & 0xFF);
    outb(m, (uint16_t)(0x40 + counter), count >> 8);
}

static unsigned read_count(struct machine *m, unsigned counter)
{
    outb(m, 0x43, counter << 6);
    unsigned low = inb(m, (uint16_t)(0x40 + counter));
    return low | inb(m, (uint16_t)(0x40 + counter)) << 8;
}

static bool out2(struct machine *m)
{
    return inb(m, 0x61) & 0x20;
}

static struct machine *machine_with_timer_irq(void)
{
    struct machine *m = machine_new();
    pic_setup(m, 0xFE, 0xFF, 0x03);
    return m;
}

/* Interrupts taken, by automatic EOI, in a stretch of time. */
static unsigned interrupts_in(struct machine *m, uint64_t ns)
{
    unsigned count = 0;
    uint64_t end = m->now + ns;
    while (bus_deadline(m->bus) <= end) {
        m->now = bus_deadline(m->bus);
        bus_run_timers(m->bus);
        while (pc_intr(m->pc)) {
            pc_intr_ack(m->pc);
            count++;
        }
    }
    m->now = end;
    return count;
}

Test(pit, mode_0_counts_down_from_the_tick_after_loading)
{
    struct machine *m = machine_new();
    outb(m, 0x61, 0x01);
    program(m, 2, 0, 1000);
    at_tick(m, 1 + 100);
    cr_assert_eq(read_count(m, 2), 1000 - 100);
    machine_free(m);
}

Test(pit, mode_0_is_low_until_the_terminal_count)
{
    struct machine *m = machine_new();
    outb(m, 0x61, 0x01);
    program(m, 2, 0, 1000);
    at_tick(m, 1000);
    cr_assert_not(out2(m));
    machine_free(m);
}

Test(pit, mode_0_is_high_at_the_terminal_count)
{
    struct machine *m = machine_new();
    outb(m, 0x61, 0x01);
    program(m, 2, 0, 1000);
    at_tick(m, 1001);
    cr_assert(out2(m));
    machine_free(m);
}

Test(pit, mode_0_goes_on_counting_past_zero)
{
    struct machine *m = machine_new();
    outb(m, 0x61, 0x01);
    program(m, 2, 0, 10);
    at_tick(m, 1 + 12);
    cr_assert_eq(read_count(m, 2), 0xFFFE);
    machine_free(m);
}

Test(pit, a_low_gate_stops_mode_0)
{
    struct machine *m = machine_new();
    outb(m, 0x61, 0x01);
    program(m, 2, 0, 1000);
    at_tick(m, 101);
    outb(m, 0x61, 0x00);
    at_tick(m, 500);
    cr_assert_eq(read_count(m, 2), 900);
    machine_free(m);
}

Test(pit, a_rising_gate_resumes_mode_0)
{
    struct machine *m = machine_new();
    outb(m, 0x61, 0x01);
    program(m, 2, 0, 1000);
    at_tick(m, 101);
    outb(m, 0x61, 0x00);
    at_tick(m, 500);
    outb(m, 0x61, 0x01);
    at_tick(m, 600);
    cr_assert_eq(read_count(m, 2), 800);
    machine_free(m);
}

Test(pit, mode_0_interrupts_once)
{
    struct machine *m = machine_with_timer_irq();
    program(m, 0, 0, 1000);
    cr_assert_eq(interrupts_in(m, SECOND), 1);
    machine_free(m);
}

Test(pit, mode_1_is_high_until_triggered)
{
    struct machine *m = machine_new();
    program(m, 2, 1, 100);
    at_tick(m, 50);
    cr_assert(out2(m));
    machine_free(m);
}

Test(pit, mode_1_is_low_after_the_trigger)
{
    struct machine *m = machine_new();
    program(m, 2, 1, 100);
    outb(m, 0x61, 0x01);
    at_tick(m, 50);
    cr_assert_not(out2(m));
    machine_free(m);
}

Test(pit, mode_1_is_high_again_after_its_count)
{
    struct machine *m = machine_new();
    program(m, 2, 1, 100);
    outb(m, 0x61, 0x01);
    at_tick(m, 101);
    cr_assert(out2(m));
    machine_free(m);
}

Test(pit, mode_2_interrupts_every_period)
{
    struct machine *m = machine_with_timer_irq();
    program(m, 0, 2, 11932); /* 100 Hz, near enough */
    cr_assert_eq(interrupts_in(m, SECOND), 99);
    machine_free(m);
}

Test(pit, mode_2_does_not_drift)
{
    struct machine *m = machine_with_timer_irq();
    program(m, 0, 2, 11932);
    interrupts_in(m, 1000 * SECOND);
    cr_assert_eq(interrupts_in(m, 1000 * SECOND),
                 2000 * PIT_HZ / 11932 - 1000 * PIT_HZ / 11932);
    machine_free(m);
}

Test(pit, mode_2_interrupts_at_the_exact_nanosecond)
{
    struct machine *m = machine_with_timer_irq();
    program(m, 0, 2, 11932);
    m->now = tick_ns(1 + 5 * 11932) - 1;
    bus_run_timers(m->bus);
    while (pc_intr(m->pc))
        pc_intr_ack(m->pc);
    m->now++;
    bus_run_timers(m->bus);
    cr_assert(pc_intr(m->pc));
    machine_free(m);
}

Test(pit, mode_2_reloads_after_one)
{
    struct machine *m = machine_new();
    outb(m, 0x61, 0x01);
    program(m, 2, 2, 100);
    at_tick(m, 1 + 100);
    cr_assert_eq(read_count(m, 2), 100);
    machine_free(m);
}

Test(pit, mode_2_is_low_for_its_last_tick)
{
    struct machine *m = machine_new();
    outb(m, 0x61, 0x01);
    program(m, 2, 2, 100);
    at_tick(m, 1 + 99);
    cr_assert_not(out2(m));
    machine_free(m);
}

Test(pit, mode_2_takes_a_new_count_at_the_end_of_the_period)
{
    struct machine *m = machine_new();
    outb(m, 0x61, 0x01);
    program(m, 2, 2, 100);
    at_tick(m, 51);
    outb(m, 0x42, 200);
    outb(m, 0x42, 0);
    at_tick(m, 1 + 100 + 20);
    cr_assert_eq(read_count(m, 2), 180);
    machine_free(m);
}

Test(pit, mode_3_is_high_for_the_longer_half_of_an_odd_count)
{
    struct machine *m = machine_new();
    outb(m, 0x61, 0x01);
    program(m, 2, 3, 101);
    at_tick(m, 1 + 50);
    cr_assert(out2(m));
    machine_free(m);
}

Test(pit, mode_3_is_low_for_the_second_half)
{
    struct machine *m = machine_new();
    outb(m, 0x61, 0x01);
    program(m, 2, 3, 101);
    at_tick(m, 1 + 51);
    cr_assert_not(out2(m));
    machine_free(m);
}

Test(pit, mode_3_counts_by_two)
{
    struct machine *m = machine_new();
    outb(m, 0x61, 0x01);
    program(m, 2, 3, 100);
    at_tick(m, 1 + 10);
    cr_assert_eq(read_count(m, 2), 80);
    machine_free(m);
}

Test(pit, mode_3_interrupts_once_a_period)
{
    struct machine *m = machine_with_timer_irq();
    program(m, 0, 3, 11932);
    cr_assert_eq(interrupts_in(m, SECOND), 99);
    machine_free(m);
}

Test(pit, mode_4_strobes_low_for_one_tick)
{
    struct machine *m = machine_new();
    outb(m, 0x61, 0x01);
    program(m, 2, 4, 100);
    at_tick(m, 1 + 100);
    cr_assert_not(out2(m));
    machine_free(m);
}

Test(pit, mode_4_is_high_after_the_strobe)
{
    struct machine *m = machine_new();
    outb(m, 0x61, 0x01);
    program(m, 2, 4, 100);
    at_tick(m, 1 + 101);
    cr_assert(out2(m));
    machine_free(m);
}

Test(pit, mode_4_interrupts_once)
{
    struct machine *m = machine_with_timer_irq();
    program(m, 0, 4, 1000);
    cr_assert_eq(interrupts_in(m, SECOND), 1);
    machine_free(m);
}

Test(pit, mode_5_strobes_after_the_trigger)
{
    struct machine *m = machine_new();
    program(m, 2, 5, 100);
    at_tick(m, 500);
    outb(m, 0x61, 0x01);
    at_tick(m, 501 + 100);
    cr_assert_not(out2(m));
    machine_free(m);
}

Test(pit, a_count_of_zero_is_65536)
{
    struct machine *m = machine_with_timer_irq();
    cr_assert_eq(interrupts_in(m, SECOND), 18);
    machine_free(m);
}

Test(pit, a_latched_count_holds_until_read)
{
    struct machine *m = machine_new();
    outb(m, 0x61, 0x01);
    program(m, 2, 2, 1000);
    at_tick(m, 1 + 100);
    outb(m, 0x43, 0x80);
    at_tick(m, 1 + 200);
    outb(m, 0x43, 0x80); /* ignored: the first one holds */
    unsigned low = inb(m, 0x42);
    cr_assert_eq(low | inb(m, 0x42) << 8, 900);
    machine_free(m);
}

Test(pit, bcd_counts_in_decimal)
{
    struct machine *m = machine_new();
    outb(m, 0x61, 0x01);
    outb(m, 0x43, 0xB5); /* counter 2, word, mode 2, BCD */
    outb(m, 0x42, 0x00);
    outb(m, 0x42, 0x10);
    at_tick(m, 1 + 1);
    cr_assert_eq(read_count(m, 2), 0x0999);
    machine_free(m);
}

Test(pit, read_back_shows_mode_and_null_count)
{
    struct machine *m = machine_new();
    program(m, 2, 2, 1000);
    outb(m, 0x43, 0xE8); /* status of counter 2 */
    cr_assert_eq(inb(m, 0x42), 0x80 | 0x40 | 0x30 | 0x04);
    machine_free(m);
}

Test(pit, read_back_gives_the_status_before_the_count)
{
    struct machine *m = machine_new();
    outb(m, 0x61, 0x01);
    program(m, 2, 2, 0x1234);
    at_tick(m, 1);
    outb(m, 0x43, 0xC8); /* both, counter 2 */
    inb(m, 0x42);
    cr_assert_eq(inb(m, 0x42), 0x34);
    machine_free(m);
}

Test(pit, late_service_of_many_periods_is_one_edge)
{
    struct machine *m = machine_with_timer_irq();
    program(m, 0, 2, 100);
    m->now += SECOND;
    bus_run_timers(m->bus);
    pc_intr_ack(m->pc);
    cr_assert_not(pc_intr(m->pc));
    machine_free(m);
}

Test(pit, the_refresh_bit_toggles_with_time)
{
    struct machine *m = machine_new();
    unsigned before = inb(m, 0x61) & 0x10;
    pass(m, 16 * US);
    cr_assert_neq(inb(m, 0x61) & 0x10, before);
    machine_free(m);
}
