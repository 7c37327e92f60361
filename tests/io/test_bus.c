/* SPDX-License-Identifier: MIT */
/* The bus: claims, splitting, time, save and restore, and a rain of random
 * accesses. */
#include "tests/io/machine.h"

/* A device that remembers the last access and counts its timer. */
struct probe {
    struct device dev;
    struct probe_state {
        uint32_t offset, value;
        unsigned size, accesses, timers;
    } state;
};

static uint32_t probe_read(struct device *dev, uint32_t offset, unsigned size)
{
    struct probe *probe = (struct probe *)dev;
    probe->state.offset = offset;
    probe->state.size = size;
    probe->state.accesses++;
    return 0x40302010 >> (8 * (offset & 3));
}

static void probe_write(struct device *dev, uint32_t offset, unsigned size,
                        uint32_t value)
{
    struct probe *probe = (struct probe *)dev;
    probe->state.offset = offset;
    probe->state.size = size;
    probe->state.value = value;
    probe->state.accesses++;
}

static void probe_timer(struct device *dev, uint64_t now_ns)
{
    (void)now_ns;
    ((struct probe *)dev)->state.timers++;
}

static const struct region_ops wide_ops = {"probe.wide", 0, probe_read,
                                           probe_write};
static const struct region_ops byte_ops = {"probe.byte", 1, probe_read,
                                           probe_write};
static const struct device_ops probe_ops = {
    .name = "probe",
    .timer = probe_timer,
    .state_offset = offsetof(struct probe, state),
    .state_bytes = sizeof(struct probe_state),
};

struct bench {
    struct machine m; /* only its clock and counters */
    struct bus *bus;
    struct probe *probe;
};

static struct bench *bench_new(void)
{
    struct bench *b = calloc(1, sizeof *b);
    const struct bus_owner owner = {
        .now_ns = machine_now, .unclaimed = machine_unclaimed, .ctx = &b->m};
    b->bus = bus_create(&owner);
    b->probe = calloc(1, sizeof *b->probe);
    bus_attach(b->bus, &b->probe->dev, &probe_ops);
    return b;
}

static void bench_free(struct bench *b)
{
    bus_destroy(b->bus);
    free(b);
}

Test(bus, an_unclaimed_port_reads_all_ones_of_its_size)
{
    struct bench *b = bench_new();
    cr_assert_eq(bus_port_read(b->bus, 0x1234, 2), 0xFFFF);
    bench_free(b);
}

Test(bus, an_unclaimed_access_is_told_once)
{
    struct bench *b = bench_new();
    bus_port_read(b->bus, 0x1234, 4);
    cr_assert_eq(b->m.unclaimed, 1);
    bench_free(b);
}

Test(bus, overlapping_ports_are_refused)
{
    struct bench *b = bench_new();
    bus_add_ports(b->bus, &b->probe->dev, &wide_ops, 0x100, 8);
    cr_assert_not(bus_add_ports(b->bus, &b->probe->dev, &wide_ops, 0x107, 1));
    bench_free(b);
}

Test(bus, a_refused_range_claims_nothing)
{
    struct bench *b = bench_new();
    bus_add_ports(b->bus, &b->probe->dev, &wide_ops, 0x100, 8);
    bus_add_ports(b->bus, &b->probe->dev, &wide_ops, 0xF8, 16);
    cr_assert_null(bus_port_name(b->bus, 0xF8));
    bench_free(b);
}

Test(bus, ports_end_at_64_ki)
{
    struct bench *b = bench_new();
    cr_assert_not(bus_add_ports(b->bus, &b->probe->dev, &wide_ops, 0xFFFF, 2));
    bench_free(b);
}

Test(bus, overlapping_memory_is_refused)
{
    struct bench *b = bench_new();
    bus_add_memory(b->bus, &b->probe->dev, &wide_ops, 0x1000, 0x1000);
    cr_assert_not(
        bus_add_memory(b->bus, &b->probe->dev, &wide_ops, 0x800, 0x801));
    bench_free(b);
}

Test(bus, memory_ranges_are_listed_in_order)
{
    struct bench *b = bench_new();
    uint64_t first, bytes;
    bus_add_memory(b->bus, &b->probe->dev, &wide_ops, 0x3000, 0x1000);
    bus_add_memory(b->bus, &b->probe->dev, &wide_ops, 0x1000, 0x1000);
    bus_memory_range(b->bus, 1, &first, &bytes);
    cr_assert_eq(first, 0x3000);
    bench_free(b);
}

Test(bus, handlers_get_offsets)
{
    struct bench *b = bench_new();
    bus_add_memory(b->bus, &b->probe->dev, &wide_ops, 0x100000000, 0x1000);
    bus_memory_write(b->bus, 0x100000010, 4, 1);
    cr_assert_eq(b->probe->state.offset, 0x10);
    bench_free(b);
}

Test(bus, a_moved_range_answers_at_its_new_place)
{
    struct bench *b = bench_new();
    bus_add_memory(b->bus, &b->probe->dev, &wide_ops, 0x1000, 0x1000);
    bus_move_memory(b->bus, &b->probe->dev, 0x1000, 0x9000);
    cr_assert(!bus_memory_name(b->bus, 0x1000) &&
              bus_memory_name(b->bus, 0x9FFF));
    bench_free(b);
}

Test(bus, moving_onto_another_range_is_refused)
{
    struct bench *b = bench_new();
    bus_add_memory(b->bus, &b->probe->dev, &wide_ops, 0x1000, 0x1000);
    bus_add_memory(b->bus, &b->probe->dev, &wide_ops, 0x4000, 0x1000);
    bool moved = bus_move_memory(b->bus, &b->probe->dev, 0x1000, 0x3800);
    cr_assert(!moved && bus_memory_name(b->bus, 0x1000));
    bench_free(b);
}

Test(bus, a_wide_access_within_a_range_is_one_access)
{
    struct bench *b = bench_new();
    bus_add_ports(b->bus, &b->probe->dev, &wide_ops, 0x100, 8);
    bus_port_write(b->bus, 0x102, 4, 0x12345678);
    cr_assert(b->probe->state.accesses == 1 && b->probe->state.size == 4);
    bench_free(b);
}

Test(bus, a_byte_wide_range_gets_bytes)
{
    struct bench *b = bench_new();
    bus_add_ports(b->bus, &b->probe->dev, &byte_ops, 0x100, 4);
    cr_assert_eq(bus_port_read(b->bus, 0x100, 4), 0x40302010);
    bench_free(b);
}

Test(bus, an_access_over_a_ranges_end_is_split)
{
    struct bench *b = bench_new();
    bus_add_ports(b->bus, &b->probe->dev, &wide_ops, 0x100, 1);
    cr_assert_eq(bus_port_read(b->bus, 0x100, 4), 0xFFFFFF10);
    bench_free(b);
}

Test(bus, an_access_into_a_range_is_split)
{
    struct bench *b = bench_new();
    bus_add_ports(b->bus, &b->probe->dev, &wide_ops, 0x101, 1);
    cr_assert_eq(bus_port_read(b->bus, 0x100, 2), 0x10FF);
    bench_free(b);
}

Test(bus, the_earliest_deadline_is_the_bus_s)
{
    struct bench *b = bench_new();
    struct probe *other = calloc(1, sizeof *other);
    bus_attach(b->bus, &other->dev, &probe_ops);
    device_set_deadline(&b->probe->dev, 500);
    device_set_deadline(&other->dev, 300);
    cr_assert_eq(bus_deadline(b->bus), 300);
    bench_free(b);
}

Test(bus, a_timer_runs_once_when_due)
{
    struct bench *b = bench_new();
    device_set_deadline(&b->probe->dev, 500);
    b->m.now = 500;
    bus_run_timers(b->bus);
    bus_run_timers(b->bus);
    cr_assert_eq(b->probe->state.timers, 1);
    bench_free(b);
}

Test(bus, a_timer_does_not_run_early)
{
    struct bench *b = bench_new();
    device_set_deadline(&b->probe->dev, 500);
    b->m.now = 499;
    bus_run_timers(b->bus);
    cr_assert_eq(b->probe->state.timers, 0);
    bench_free(b);
}

/* ---- Save and restore ---- */

/* A fixed generator: the same accesses in every run. */
static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(*seed >> 33);
}

/* Set everything going at once. */
static void stir(struct machine *m)
{
    pic_setup(m, 0x00, 0x00, 0x01);
    outb(m, 0x43, 0x34);
    outb(m, 0x40, 0x00);
    outb(m, 0x40, 0x10);
    outb(m, 0x43, 0xB6);
    outb(m, 0x42, 0x11); /* half a count */
    apic_write(m, 0x3E0, 0x0B);
    apic_write(m, 0x320, 0x20000 | 0x61);
    apic_write(m, 0x380, 12345);
    outb(m, 0x70, 0x0B);
    outb(m, 0x71, 0x72);
    outb(m, 0x3FA, 0x81);
    outb(m, 0x3F9, 0x0F);
    pc_serial_input(m->pc, 'q');
    pc_keyboard_input(m->pc, 0x10);
    ioapic_write_reg(m, 0x10 + 2 * 20, 0x8051);
    line(m, 20, true);
    pass(m, 777 * US);
    pc_intr_ack(m->pc);
}

/* What a processor would see for a while, as one number. */
static uint64_t future(struct machine *m)
{
    uint64_t hash = 1469598103934665603u, seed = 7;
    for (unsigned i = 0; i < 2000; i++) {
        static const uint16_t ports[] = {0x20, 0x21,  0xA0,  0x40,  0x42,
                                         0x61, 0x3F8, 0x3FA, 0x3FD, 0x60,
                                         0x64, 0x71,  0x1F7, 0x3DA, 0x3D5};
        pass(m, next_random(&seed) % (300 * US));
        uint64_t seen = inb(m, ports[next_random(&seed) % 15]);
        seen =
            seen << 32 ^ apic_read(m, 0x390) ^ (uint64_t)bus_deadline(m->bus);
        if (pc_intr(m->pc)) {
            seen ^= (uint64_t)pc_intr_ack(m->pc) << 24;
            outb(m, 0xA0, 0x20);
            outb(m, 0x20, 0x20);
            apic_write(m, 0xB0, 0);
        }
        hash = (hash ^ seen) * 1099511628211u;
    }
    return hash;
}

Test(save, a_restored_machine_has_the_same_future)
{
    struct machine *m = machine_new();
    stir(m);
    size_t bytes = bus_save(m->bus, NULL, 0);
    void *saved = malloc(bytes);
    uint64_t now = m->now;
    bus_save(m->bus, saved, bytes);
    uint64_t first = future(m);
    m->now = now;
    cr_assert(bus_restore(m->bus, saved, bytes));
    cr_assert_eq(future(m), first);
    free(saved);
    machine_free(m);
}

Test(save, a_fresh_machine_takes_over)
{
    struct machine *m = machine_new(), *other = machine_new();
    stir(m);
    size_t bytes = bus_save(m->bus, NULL, 0);
    void *saved = malloc(bytes);
    bus_save(m->bus, saved, bytes);
    other->now = m->now;
    cr_assert(bus_restore(other->bus, saved, bytes));
    cr_assert_eq(future(other), future(m));
    free(saved);
    machine_free(m);
    machine_free(other);
}

Test(save, saving_changes_nothing)
{
    struct machine *m = machine_new();
    stir(m);
    size_t bytes = bus_save(m->bus, NULL, 0);
    uint8_t *saved = malloc(bytes), *again = malloc(bytes);
    bus_save(m->bus, saved, bytes);
    bus_save(m->bus, again, bytes);
    cr_assert_eq(memcmp(saved, again, bytes), 0);
    free(saved);
    free(again);
    machine_free(m);
}

Test(save, a_moved_apic_is_restored_where_it_was)
{
    struct machine *m = machine_new();
    pc_set_apicbase(m->pc, 0xFEDF0900);
    size_t bytes = bus_save(m->bus, NULL, 0);
    void *saved = malloc(bytes);
    bus_save(m->bus, saved, bytes);
    pc_set_apicbase(m->pc, 0xFEE00900);
    bus_restore(m->bus, saved, bytes);
    cr_assert_str_eq(bus_memory_name(m->bus, 0xFEDF0000u), "lapic");
    free(saved);
    machine_free(m);
}

Test(save, what_is_no_save_is_refused)
{
    struct machine *m = machine_new();
    size_t bytes = bus_save(m->bus, NULL, 0);
    void *zeroes = calloc(1, bytes);
    cr_assert_not(bus_restore(m->bus, zeroes, bytes));
    free(zeroes);
    machine_free(m);
}

Test(save, a_reset_machine_is_as_new)
{
    struct machine *m = machine_new(), *fresh = machine_new();
    stir(m);
    line(m, 20, false);
    m->now = 0;
    fresh->now = 0;
    bus_reset(m->bus);
    cr_assert(!pc_intr(m->pc) && inb(m, 0x21) == inb(fresh, 0x21));
    machine_free(m);
    machine_free(fresh);
}

/* ---- Random accesses ---- */

static void random_access(struct machine *m, uint64_t *seed)
{
    static const unsigned sizes[] = {1, 2, 4};
    static const uint32_t windows[] = {LAPIC, IOAPIC, 0xFF000000u, 0xFEE00FFEu,
                                       0xA0000u};
    unsigned size = sizes[next_random(seed) % 3];
    uint32_t value = next_random(seed) << 1 ^ next_random(seed);
    uint16_t port = (uint16_t)(next_random(seed) % 0x700);
    uint64_t address =
        windows[next_random(seed) % 5] + (uint64_t)next_random(seed) % 0x500;
    switch (next_random(seed) % 8) {
    case 0: bus_memory_read(m->bus, address, size); break;
    case 1: bus_memory_write(m->bus, address, size, value); break;
    case 2: bus_port_read(m->bus, (uint16_t)value, size); break;
    case 3: bus_port_write(m->bus, (uint16_t)value, size, value >> 8); break;
    case 4: bus_port_read(m->bus, port, size); break;
    default: bus_port_write(m->bus, port, size, value); break;
    }
}

Test(fuzz, random_accesses_never_crash)
{
    char path[] = "/tmp/umbra-fuzz-XXXXXX";
    int fd = mkstemp(path);
    cr_assert_eq(ftruncate(fd, 100 * 512), 0);
    const struct pc_disk disk = {path, false};
    struct machine *m = machine_with(&disk, 1);
    uint64_t seed = 42;
    for (unsigned i = 0; i < 1000000; i++) {
        random_access(m, &seed);
        if (i % 16 == 0) {
            m->now += next_random(&seed) % (100 * US);
            bus_run_timers(m->bus);
            pc_serial_input(m->pc, (uint8_t)i);
            pc_keyboard_input(m->pc, (uint8_t)i);
            pc_intr_ack(m->pc);
            pc_nmi_take(m->pc);
        }
        if (i % 4096 == 0)
            pc_set_apicbase(m->pc, (uint64_t)next_random(&seed) << 12 | 0x900);
        if (i % 65536 == 0)
            bus_reset(m->bus);
    }
    machine_free(m);
    close(fd);
    unlink(path);
}

/* The registers that guests poll to see time go by. */
Test(bus, reading_a_clock_takes_a_bus_cycle)
{
    static const uint16_t ports[] = {0x40, 0x42, 0x61, 0x71, 0x3DA};
    struct machine *m = machine_new();
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        m->waited = 0;
        inb(m, ports[i]);
        cr_expect_eq(m->waited, ISA_CYCLE_NS, "port 0x%x", ports[i]);
    }
    machine_free(m);
}

Test(bus, other_reads_take_no_time_of_their_own)
{
    static const uint16_t ports[] = {0x20, 0x21, 0x60, 0x64, 0x92, 0x3FD};
    struct machine *m = machine_new();
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++)
        inb(m, ports[i]);
    cr_assert_eq(m->waited, 0);
    machine_free(m);
}
