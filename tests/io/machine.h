/* SPDX-License-Identifier: MIT */
/* tests/io/machine.h - a PC platform with a clock that the test turns. */
#ifndef TESTS_IO_MACHINE_H
#define TESTS_IO_MACHINE_H

#include "io/device.h"
#include "io/pc.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define US     UINT64_C(1000)
#define MS     UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

enum { OUTPUT_BYTES = 256, LAPIC = 0xFEE00000u, IOAPIC = 0xFEC00000u };

struct machine {
    struct pc *pc;
    struct bus *bus;
    uint64_t now;
    uint64_t waited; /* by which reads have put the clock forward */
    unsigned unclaimed;
    unsigned irq_changes;
    char output[OUTPUT_BYTES];
    size_t output_count;
    enum pc_stop stop;
    uint32_t stop_value;
};

static inline uint64_t machine_now(void *ctx)
{
    return ((struct machine *)ctx)->now;
}

static inline void machine_wait(void *ctx, uint64_t ns)
{
    ((struct machine *)ctx)->waited += ns;
}

static inline void machine_unclaimed(void *ctx, bool port, uint64_t address,
                                     unsigned size, bool write, uint32_t value)
{
    (void)port, (void)address, (void)size, (void)write, (void)value;
    ((struct machine *)ctx)->unclaimed++;
}

static inline void machine_serial(void *ctx, uint8_t byte)
{
    struct machine *m = ctx;
    if (m->output_count + 1 < OUTPUT_BYTES)
        m->output[m->output_count++] = (char)byte;
}

static inline void machine_irq(void *ctx)
{
    ((struct machine *)ctx)->irq_changes++;
}

static inline void machine_stop(void *ctx, enum pc_stop why, uint32_t value)
{
    struct machine *m = ctx;
    m->stop = why;
    m->stop_value = value;
}

/* A machine with everything (the test device too), and of this configuration
 * what concerns its devices. */
static inline struct machine *machine_create(struct pc_config config)
{
    struct machine *m = calloc(1, sizeof *m);
    cr_assert_not_null(m);
    const struct bus_owner owner = {.now_ns = machine_now,
                                    .wait = machine_wait,
                                    .unclaimed = machine_unclaimed,
                                    .ctx = m};
    config.memory_bytes = UINT64_C(64) << 20;
    config.testdev = true;
    config.serial_output = machine_serial;
    config.irq_changed = machine_irq;
    config.stop = machine_stop;
    config.ctx = m;
    char *error = NULL;
    m->pc = pc_create(&config, &owner, &error);
    cr_assert_not_null(m->pc, "%s", error ? error : "no message");
    m->bus = pc_bus(m->pc);
    return m;
}

static inline struct machine *machine_with(const struct pc_disk *disks,
                                           size_t count)
{
    return machine_create(
        (struct pc_config){.disks = disks, .disk_count = count});
}

static inline struct machine *machine_new(void)
{
    return machine_with(NULL, 0);
}

static inline void machine_free(struct machine *m)
{
    pc_destroy(m->pc);
    free(m);
}

/* Let time pass, calling the devices when they asked for it. */
static inline void pass(struct machine *m, uint64_t ns)
{
    uint64_t end = m->now + ns;
    while (bus_deadline(m->bus) <= end) {
        if (bus_deadline(m->bus) > m->now)
            m->now = bus_deadline(m->bus);
        bus_run_timers(m->bus);
    }
    m->now = end;
}

static inline void outb(struct machine *m, uint16_t port, unsigned value)
{
    bus_port_write(m->bus, port, 1, value);
}

static inline void outw(struct machine *m, uint16_t port, unsigned value)
{
    bus_port_write(m->bus, port, 2, value);
}

static inline unsigned inb(struct machine *m, uint16_t port)
{
    return bus_port_read(m->bus, port, 1);
}

static inline unsigned inw(struct machine *m, uint16_t port)
{
    return bus_port_read(m->bus, port, 2);
}

static inline void apic_write(struct machine *m, unsigned offset,
                              uint32_t value)
{
    bus_memory_write(m->bus, LAPIC + offset, 4, value);
}

static inline uint32_t apic_read(struct machine *m, unsigned offset)
{
    return bus_memory_read(m->bus, LAPIC + offset, 4);
}

static inline void ioapic_write_reg(struct machine *m, unsigned reg,
                                    uint32_t value)
{
    bus_memory_write(m->bus, IOAPIC, 4, reg);
    bus_memory_write(m->bus, IOAPIC + 0x10, 4, value);
}

static inline uint32_t ioapic_read_reg(struct machine *m, unsigned reg)
{
    bus_memory_write(m->bus, IOAPIC, 4, reg);
    return bus_memory_read(m->bus, IOAPIC + 0x10, 4);
}

/* Program the PIC pair as protected-mode kernels do, with these masks. */
static inline void pic_setup(struct machine *m, unsigned mask0, unsigned mask1,
                             unsigned icw4)
{
    outb(m, 0x20, 0x11);
    outb(m, 0xA0, 0x11);
    outb(m, 0x21, 0x20);
    outb(m, 0xA1, 0x28);
    outb(m, 0x21, 0x04);
    outb(m, 0xA1, 0x02);
    outb(m, 0x21, icw4);
    outb(m, 0xA1, icw4);
    outb(m, 0x21, mask0);
    outb(m, 0xA1, mask1);
}

/* Drive an interrupt line by the test device. */
static inline void line(struct machine *m, unsigned irq, bool level)
{
    outb(m, (uint16_t)(0x2000 + irq), level);
}

static inline void pulse(struct machine *m, unsigned irq)
{
    line(m, irq, true);
    line(m, irq, false);
}

#endif
