/* SPDX-License-Identifier: MIT */
/* The local APIC and the I/O APIC. */
#include "tests/io/machine.h"

enum {
    ID = 0x20,
    VERSION = 0x30,
    TPR = 0x80,
    PPR = 0xA0,
    EOI = 0xB0,
    LDR = 0xD0,
    DFR = 0xE0,
    SVR = 0xF0,
    ISR2 = 0x120,
    IRR2 = 0x220,
    ESR = 0x280,
    ICR = 0x300,
    ICR_HIGH = 0x310,
    LVT_TIMER = 0x320,
    LINT0 = 0x350,
    LVT_ERROR = 0x370,
    INITIAL = 0x380,
    CURRENT = 0x390,
    DIVIDE = 0x3E0,

    ENABLED = 0x1FF,
    MASKED = 0x10000,
    PERIODIC = 0x20000,
    LEVEL = 0x8000,
    REMOTE_IRR = 0x4000,
    TO_SELF = 0x40000,
    DIVIDE_BY_1 = 0x0B,
};

static void self_ipi(struct machine *m, unsigned vector)
{
    apic_write(m, ICR, TO_SELF | vector);
}

/* The timer with divisor 1: a count is 10 ns. */
static struct machine *machine_with_timer(unsigned lvt, unsigned count)
{
    struct machine *m = machine_new();
    apic_write(m, DIVIDE, DIVIDE_BY_1);
    apic_write(m, LVT_TIMER, lvt);
    apic_write(m, INITIAL, count);
    return m;
}

static void route(struct machine *m, unsigned pin, uint32_t low)
{
    ioapic_write_reg(m, 0x10 + 2 * pin + 1, 0);
    ioapic_write_reg(m, 0x10 + 2 * pin, low);
}

Test(lapic, the_version_has_six_local_sources)
{
    struct machine *m = machine_new();
    cr_assert_eq(apic_read(m, VERSION), 0x00050014);
    machine_free(m);
}

Test(lapic, a_bios_leaves_virtual_wire_mode)
{
    struct machine *m = machine_new();
    cr_assert_eq(apic_read(m, LINT0), 0x8700);
    machine_free(m);
}

Test(lapic, the_base_register_says_boot_processor_and_enabled)
{
    struct machine *m = machine_new();
    cr_assert_eq(pc_apicbase(m->pc), 0xFEE00900);
    machine_free(m);
}

Test(lapic, reserved_base_bits_are_refused)
{
    struct machine *m = machine_new();
    cr_assert_not(pc_set_apicbase(m->pc, 0xFEE00D00));
    machine_free(m);
}

Test(lapic, the_registers_move_with_the_base)
{
    struct machine *m = machine_new();
    pc_set_apicbase(m->pc, 0xFEDF0900);
    cr_assert_eq(bus_memory_read(m->bus, 0xFEDF0000u + VERSION, 4), 0x50014);
    machine_free(m);
}

Test(lapic, a_self_ipi_interrupts)
{
    struct machine *m = machine_new();
    self_ipi(m, 0x41);
    cr_assert_eq(pc_intr_ack(m->pc), 0x41);
    machine_free(m);
}

Test(lapic, an_ipi_to_its_own_id_interrupts)
{
    struct machine *m = machine_new();
    apic_write(m, ICR_HIGH, 0);
    apic_write(m, ICR, 0x41);
    cr_assert_eq(pc_intr_ack(m->pc), 0x41);
    machine_free(m);
}

Test(lapic, an_ipi_to_a_logical_destination_interrupts)
{
    struct machine *m = machine_new();
    apic_write(m, LDR, 0x04000000);
    apic_write(m, ICR_HIGH, 0x06000000);
    apic_write(m, ICR, 0x841);
    cr_assert(pc_intr(m->pc));
    machine_free(m);
}

Test(lapic, an_ipi_to_another_processor_goes_nowhere)
{
    struct machine *m = machine_new();
    apic_write(m, ICR_HIGH, 0x01000000);
    apic_write(m, ICR, 0x41);
    cr_assert_not(pc_intr(m->pc));
    machine_free(m);
}

Test(lapic, an_nmi_to_itself_is_taken_once)
{
    struct machine *m = machine_new();
    apic_write(m, ICR, TO_SELF | 0x400);
    bool first = pc_nmi_take(m->pc);
    cr_assert(first && !pc_nmi_take(m->pc));
    machine_free(m);
}

Test(lapic, starting_other_processors_does_nothing)
{
    struct machine *m = machine_new();
    apic_write(m, ICR, 0xC4500);
    apic_write(m, ICR, 0xC4608);
    cr_assert(!pc_intr(m->pc) && !pc_nmi_take(m->pc));
    machine_free(m);
}

Test(lapic, the_higher_vector_comes_first)
{
    struct machine *m = machine_new();
    self_ipi(m, 0x41);
    self_ipi(m, 0x52);
    cr_assert_eq(pc_intr_ack(m->pc), 0x52);
    machine_free(m);
}

Test(lapic, the_same_class_waits_for_the_eoi)
{
    struct machine *m = machine_new();
    self_ipi(m, 0x41);
    pc_intr_ack(m->pc);
    self_ipi(m, 0x42);
    cr_assert_not(pc_intr(m->pc));
    machine_free(m);
}

Test(lapic, the_eoi_lets_the_next_through)
{
    struct machine *m = machine_new();
    self_ipi(m, 0x41);
    pc_intr_ack(m->pc);
    self_ipi(m, 0x42);
    apic_write(m, EOI, 0);
    cr_assert_eq(pc_intr_ack(m->pc), 0x42);
    machine_free(m);
}

Test(lapic, the_task_priority_holds_interrupts)
{
    struct machine *m = machine_new();
    apic_write(m, TPR, 0x40);
    self_ipi(m, 0x4F);
    cr_assert_not(pc_intr(m->pc));
    machine_free(m);
}

Test(lapic, a_class_above_the_task_priority_gets_through)
{
    struct machine *m = machine_new();
    apic_write(m, TPR, 0x40);
    self_ipi(m, 0x50);
    cr_assert(pc_intr(m->pc));
    machine_free(m);
}

Test(lapic, the_processor_priority_is_the_service_class)
{
    struct machine *m = machine_new();
    self_ipi(m, 0x57);
    pc_intr_ack(m->pc);
    cr_assert_eq(apic_read(m, PPR), 0x50);
    machine_free(m);
}

Test(lapic, request_and_service_registers_follow)
{
    struct machine *m = machine_new();
    self_ipi(m, 0x41);
    uint32_t requested = apic_read(m, IRR2);
    pc_intr_ack(m->pc);
    cr_assert(requested == 0x02 && apic_read(m, ISR2) == 0x02 &&
              apic_read(m, IRR2) == 0);
    machine_free(m);
}

Test(lapic, software_disable_masks_the_local_vectors)
{
    struct machine *m = machine_new();
    apic_write(m, SVR, 0xFF);
    apic_write(m, LINT0, 0x700);
    cr_assert_eq(apic_read(m, LINT0) & MASKED, MASKED);
    machine_free(m);
}

Test(lapic, software_disable_refuses_fixed_interrupts)
{
    struct machine *m = machine_new();
    apic_write(m, SVR, 0xFF);
    self_ipi(m, 0x41);
    cr_assert_not(pc_intr(m->pc));
    machine_free(m);
}

Test(lapic, hardware_disable_connects_the_pic_directly)
{
    struct machine *m = machine_new();
    apic_write(m, LINT0, MASKED);
    pc_set_apicbase(m->pc, 0xFEE00100);
    line(m, 1, true);
    cr_assert_eq(pc_intr_ack(m->pc), 0x09);
    machine_free(m);
}

Test(lapic, a_masked_lint0_cuts_off_the_pic)
{
    struct machine *m = machine_new();
    apic_write(m, LINT0, MASKED | 0x700);
    line(m, 1, true);
    cr_assert_not(pc_intr(m->pc));
    machine_free(m);
}

Test(lapic, a_fixed_lint0_makes_a_vector_of_the_pics_output)
{
    struct machine *m = machine_new();
    apic_write(m, LINT0, 0x61);
    line(m, 1, true);
    cr_assert_eq(pc_intr_ack(m->pc), 0x61);
    machine_free(m);
}

Test(lapic, an_illegal_vector_is_an_error)
{
    struct machine *m = machine_new();
    self_ipi(m, 0x05);
    apic_write(m, ESR, 0);
    cr_assert_eq(apic_read(m, ESR), 0x20);
    machine_free(m);
}

Test(lapic, an_error_interrupts_through_its_vector)
{
    struct machine *m = machine_new();
    apic_write(m, LVT_ERROR, 0x71);
    self_ipi(m, 0x05);
    cr_assert_eq(pc_intr_ack(m->pc), 0x71);
    machine_free(m);
}

Test(lapic, the_timer_counts_down_at_100_mhz)
{
    struct machine *m = machine_with_timer(0x41, 1000);
    pass(m, 4 * US);
    cr_assert_eq(apic_read(m, CURRENT), 600);
    machine_free(m);
}

Test(lapic, the_timer_is_silent_before_its_end)
{
    struct machine *m = machine_with_timer(0x41, 1000);
    pass(m, 10 * US - 1);
    cr_assert_not(pc_intr(m->pc));
    machine_free(m);
}

Test(lapic, the_timer_interrupts_at_its_end)
{
    struct machine *m = machine_with_timer(0x41, 1000);
    pass(m, 10 * US);
    cr_assert_eq(pc_intr_ack(m->pc), 0x41);
    machine_free(m);
}

Test(lapic, a_one_shot_timer_stops)
{
    struct machine *m = machine_with_timer(0x41, 1000);
    pass(m, 15 * US);
    cr_assert_eq(apic_read(m, CURRENT), 0);
    machine_free(m);
}

Test(lapic, a_periodic_timer_starts_again)
{
    struct machine *m = machine_with_timer(PERIODIC | 0x41, 1000);
    pass(m, 14 * US);
    cr_assert_eq(apic_read(m, CURRENT), 600);
    machine_free(m);
}

Test(lapic, a_masked_timer_counts_silently)
{
    struct machine *m = machine_with_timer(MASKED | 0x41, 1000);
    pass(m, 20 * US);
    cr_assert_not(pc_intr(m->pc));
    machine_free(m);
}

Test(lapic, writing_zero_stops_the_timer)
{
    struct machine *m = machine_with_timer(0x41, 1000);
    apic_write(m, INITIAL, 0);
    pass(m, 20 * US);
    cr_assert_not(pc_intr(m->pc));
    machine_free(m);
}

Test(lapic, the_divider_slows_the_timer)
{
    struct machine *m = machine_with_timer(0x41, 1000);
    apic_write(m, DIVIDE, 0x03); /* by 16 */
    apic_write(m, INITIAL, 1000);
    pass(m, 16 * US);
    cr_assert_eq(apic_read(m, CURRENT), 900);
    machine_free(m);
}

Test(ioapic, it_has_24_pins)
{
    struct machine *m = machine_new();
    cr_assert_eq(ioapic_read_reg(m, 1), 0x00170011);
    machine_free(m);
}

Test(ioapic, pins_are_masked_at_first)
{
    struct machine *m = machine_new();
    cr_assert_eq(ioapic_read_reg(m, 0x10 + 2 * 23), MASKED);
    machine_free(m);
}

Test(ioapic, an_edge_is_delivered)
{
    struct machine *m = machine_new();
    route(m, 20, 0x51);
    pulse(m, 20);
    cr_assert_eq(pc_intr_ack(m->pc), 0x51);
    machine_free(m);
}

Test(ioapic, an_edge_on_a_masked_pin_is_lost)
{
    struct machine *m = machine_new();
    route(m, 20, MASKED | 0x51);
    pulse(m, 20);
    route(m, 20, 0x51);
    cr_assert_not(pc_intr(m->pc));
    machine_free(m);
}

Test(ioapic, the_timer_is_on_pin_two)
{
    struct machine *m = machine_new();
    outb(m, 0x21, 0xFF);
    route(m, 2, 0x51);
    pass(m, 60 * MS);
    cr_assert_eq(pc_intr_ack(m->pc), 0x51);
    machine_free(m);
}

Test(ioapic, a_level_sets_the_remote_irr)
{
    struct machine *m = machine_new();
    route(m, 20, LEVEL | 0x51);
    line(m, 20, true);
    cr_assert_eq(ioapic_read_reg(m, 0x10 + 2 * 20), LEVEL | REMOTE_IRR | 0x51);
    machine_free(m);
}

Test(ioapic, the_eoi_clears_the_remote_irr)
{
    struct machine *m = machine_new();
    route(m, 20, LEVEL | 0x51);
    line(m, 20, true);
    pc_intr_ack(m->pc);
    line(m, 20, false);
    apic_write(m, EOI, 0);
    cr_assert_eq(ioapic_read_reg(m, 0x10 + 2 * 20), LEVEL | 0x51);
    machine_free(m);
}

Test(ioapic, a_level_still_high_interrupts_again_after_the_eoi)
{
    struct machine *m = machine_new();
    route(m, 20, LEVEL | 0x51);
    line(m, 20, true);
    pc_intr_ack(m->pc);
    apic_write(m, EOI, 0);
    cr_assert_eq(pc_intr_ack(m->pc), 0x51);
    machine_free(m);
}

Test(ioapic, a_level_low_again_does_not)
{
    struct machine *m = machine_new();
    route(m, 20, LEVEL | 0x51);
    line(m, 20, true);
    pc_intr_ack(m->pc);
    line(m, 20, false);
    apic_write(m, EOI, 0);
    cr_assert_not(pc_intr(m->pc));
    machine_free(m);
}

Test(ioapic, unmasking_a_high_level_interrupts)
{
    struct machine *m = machine_new();
    line(m, 20, true);
    route(m, 20, LEVEL | 0x51);
    cr_assert_eq(pc_intr_ack(m->pc), 0x51);
    machine_free(m);
}

Test(ioapic, another_destination_gets_nothing_here)
{
    struct machine *m = machine_new();
    ioapic_write_reg(m, 0x10 + 2 * 20 + 1, 0x03000000);
    ioapic_write_reg(m, 0x10 + 2 * 20, 0x51);
    pulse(m, 20);
    cr_assert_not(pc_intr(m->pc));
    machine_free(m);
}

Test(ioapic, a_pin_can_send_an_nmi)
{
    struct machine *m = machine_new();
    route(m, 20, 0x400);
    pulse(m, 20);
    cr_assert(pc_nmi_take(m->pc));
    machine_free(m);
}
