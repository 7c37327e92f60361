/* SPDX-License-Identifier: MIT */
/* io/devices.h - the devices of the PC platform: how pc.c makes them and what
 * it may ask of each. Internal to io/ and its tests.
 *
 * Every constructor makes one device, attaches it to the bus with its ranges
 * and puts it in its reset state, which is the one a BIOS leaves. NULL: memory
 * is short or a range is taken (the bus still destroys what was attached).
 * The bus owns the result.
 */
#ifndef IO_DEVICES_H
#define IO_DEVICES_H

#include "io/device.h"
#include "io/pc.h"

/* One nanosecond clock, many crystals. Ticks of a crystal that have passed at
 * a time, and the first nanosecond at which a tick has passed: exact in whole
 * numbers, so clocks never drift apart. */
#define NS_PER_SECOND UINT64_C(1000000000)

static inline uint64_t clock_ticks(uint64_t ns, uint64_t hz)
{
    return ns / NS_PER_SECOND * hz + ns % NS_PER_SECOND * hz / NS_PER_SECOND;
}

static inline uint64_t clock_ns(uint64_t ticks, uint64_t hz)
{
    return ticks / hz * NS_PER_SECOND +
           (ticks % hz * NS_PER_SECOND + hz - 1) / hz;
}

/* Allocate a device's struct, zeroed, and attach it. NULL: memory is short. */
void *device_create(struct bus *bus, size_t bytes,
                    const struct device_ops *ops);

/* 8259A pair (pic.c). Inputs 0-15, of which 2 is the cascade. */
struct pic;
struct pic *pic_create(struct bus *bus, struct irq_line intr);
void pic_set_line(struct pic *pic, unsigned irq, bool level);
bool pic_intr(const struct pic *pic);
/* The guest has initialized the controller and opened this input. */
bool pic_takes(const struct pic *pic, unsigned irq);
uint8_t pic_acknowledge(struct pic *pic);
/* Forget what the lines did so far: a BIOS served it before it handed over. */
void pic_drop_requests(struct pic *pic);

/* 8254 timer and the speaker port (pit.c). */
struct device *pit_create(struct bus *bus, struct irq_line irq0);

/* 16550A at COM1 (uart.c). */
struct uart;
struct uart *uart_create(struct bus *bus, struct irq_line irq,
                         const struct pc_config *config);
bool uart_receive(struct uart *uart, uint8_t byte);
bool uart_ready(const struct uart *uart);
/* The guest has set the line or its interrupts, and sent something then. */
bool uart_speaks(const struct uart *uart);

/* MC146818 clock and CMOS memory (rtc.c). */
struct device *rtc_create(struct bus *bus, struct irq_line irq8,
                          uint64_t memory_bytes, size_t disk_count);

/* Power, reset, A20, POST and the absent PCI bus (power.c). */
struct power;
struct power *power_create(struct bus *bus, const struct pc_config *config);
bool power_a20(const struct power *power);
void power_set_a20(struct power *power, bool open);
void power_request_reset(struct power *power);

/* 8042 with a keyboard, no mouse (i8042.c). */
struct i8042;
struct i8042 *i8042_create(struct bus *bus, struct irq_line irq1,
                           struct power *power);
bool i8042_scancode(struct i8042 *kbd, uint8_t set1_code);
/* The guest has taken everything and would take a key. */
bool i8042_ready(const struct i8042 *kbd);
/* It asks again and again whether there is something. */
bool i8042_polled(const struct i8042 *kbd);

/* VGA registers (vga.c). */
struct vga;
struct vga *vga_create(struct bus *bus);
unsigned vga_start(const struct vga *vga);
unsigned vga_cursor(const struct vga *vga);

/* A raw disk image (disk.c). Sectors are of 512 bytes. */
enum { SECTOR_BYTES = 512 };
struct disk {
    int fd; /* -1: no disk */
    bool read_only;
    uint64_t sectors;
};
bool disk_open(struct disk *disk, const struct pc_disk *config, char **error);
void disk_close(struct disk *disk);
bool disk_read(const struct disk *disk, uint64_t sector, void *buffer,
               unsigned count);
bool disk_write(const struct disk *disk, uint64_t sector, const void *buffer,
                unsigned count);
bool disk_flush(const struct disk *disk);

/* One ATA channel with two drives (ide.c). The disks become the channel's,
 * also when it fails. */
enum ide_channel { IDE_PRIMARY, IDE_SECONDARY, IDE_CHANNELS };
struct device *ide_create(struct bus *bus, struct irq_line irq,
                          enum ide_channel channel, struct disk disks[2]);

/* Local APIC (lapic.c). How a message is to be delivered, as in the ICR, the
 * LVT and the I/O APIC's redirection entries. */
enum apic_mode {
    APIC_FIXED = 0,
    APIC_LOWEST = 1,
    APIC_SMI = 2,
    APIC_NMI = 4,
    APIC_INIT = 5,
    APIC_STARTUP = 6,
    APIC_EXTINT = 7,
};
struct apic_message {
    enum apic_mode mode;
    uint8_t vector;
    uint8_t destination;
    bool logical;
    bool level;
};
struct lapic;
/* changed is called whenever lapic_pending, lapic_takes_pic or the NMI may
 * have changed; eoi when a level-triggered vector was served. */
struct lapic_wires {
    void (*changed)(void *ctx);
    void (*eoi)(void *ctx, uint8_t vector);
    void *ctx;
};
struct lapic *lapic_create(struct bus *bus, const struct lapic_wires *wires);
bool lapic_deliver(struct lapic *lapic, const struct apic_message *message);
bool lapic_pending(const struct lapic *lapic);
int lapic_acknowledge(struct lapic *lapic);
bool lapic_takes_pic(const struct lapic *lapic);
void lapic_set_lint0(struct lapic *lapic, bool level);
bool lapic_nmi(const struct lapic *lapic);
bool lapic_take_nmi(struct lapic *lapic);
uint64_t lapic_base(const struct lapic *lapic);
bool lapic_set_base(struct lapic *lapic, uint64_t value);

/* I/O APIC (ioapic.c): 24 pins. */
enum { IOAPIC_PINS = 24 };
struct ioapic;
struct ioapic *ioapic_create(struct bus *bus, struct lapic *lapic);
void ioapic_set_pin(struct ioapic *ioapic, unsigned pin, bool level);
/* The guest has opened this pin. */
bool ioapic_takes(const struct ioapic *ioapic, unsigned pin);
void ioapic_eoi(struct ioapic *ioapic, uint8_t vector);

/* The balloon (balloon.c). */
struct device *balloon_create(struct bus *bus, const struct pc_balloon *host);

/* Debug exit (debugexit.c) and QEMU's pc-testdev (testdev.c). The test device
 * drives the lines 0 to 23 of `line`. */
struct device *debugexit_create(struct bus *bus,
                                const struct pc_config *config);
struct device *testdev_create(struct bus *bus, struct irq_line line,
                              const struct pc_config *config);

/* Walks of page tables that the processor cannot do (walker.c). */
struct device *walker_create(struct bus *bus, const struct pc_config *config);

#endif
