/* SPDX-License-Identifier: MIT */
/* io/pc.c - the PC platform: which devices there are and how their wires run.
 *
 *   devices --ISA lines--+--> PIC pair --INTR--> LINT0 --+
 *                        |                               +--> the processor
 *   test device ---------+--> I/O APIC --messages--> local APIC
 *
 * Each ISA line goes to both controllers, at the I/O APIC to the pin of the
 * same number, except IRQ 0, which is on pin 2. What the guest programmed
 * decides which of them speaks. With the local APIC in ExtINT mode (as a BIOS
 * leaves it) or disabled, the processor acknowledges the PIC.
 *
 * References: Intel, "MultiProcessor Specification", Interrupt Modes; SDM vol.
 * 3A, "Advanced Programmable Interrupt Controller (APIC)".
 */
#include "io/pc.h"
#include "io/devices.h"

#include <stdlib.h>
#include <string.h>

enum {
    IRQ_TIMER = 0,
    IRQ_KEYBOARD = 1,
    IRQ_COM1 = 4,
    IRQ_RTC = 8,
    IRQ_IDE_PRIMARY = 14,
    IRQ_IDE_SECONDARY = 15,
    ISA_IRQS = 16,
    TIMER_PIN = 2,

    DRIVES = 4,
    DRIVES_PER_CHANNEL = 2,
    VGA_COLUMNS = 80,
    VGA_ROWS = 25,
};

struct pc {
    struct device dev; /* the wiring itself is saved like a device */
    struct bus *bus;
    struct pc_config config;
    struct pic *pic;
    struct lapic *lapic;
    struct ioapic *ioapic;
    struct uart *uart;
    struct i8042 *i8042;
    struct vga *vga;
    struct pc_balloon balloon;
    bool ready; /* everything is in place */
    struct pc_state {
        uint32_t device_lines; /* bit n: IRQ n, as the devices drive it */
        uint32_t test_lines;   /* as the test device does */
        bool intr, nmi;        /* as last told to the owner */
    } state;
};

void *device_create(struct bus *bus, size_t bytes, const struct device_ops *ops)
{
    struct device *dev = calloc(1, bytes);
    if (dev)
        bus_attach(bus, dev, ops);
    return dev;
}

/* ---- Wires ---- */

static bool intr_now(const struct pc *pc)
{
    return lapic_pending(pc->lapic) ||
           (pic_intr(pc->pic) && lapic_takes_pic(pc->lapic));
}

/* (Asked at every exit of a guest: the pin, not what drives it.) */
bool pc_intr(const struct pc *pc)
{
    return pc->state.intr;
}

/* Tell the owner when a pin of the processor changed. */
static void update_pins(struct pc *pc)
{
    if (!pc->ready)
        return;
    bool intr = intr_now(pc), nmi = lapic_nmi(pc->lapic);
    if (intr == pc->state.intr && nmi == pc->state.nmi)
        return;
    pc->state.intr = intr;
    pc->state.nmi = nmi;
    if (pc->config.irq_changed)
        pc->config.irq_changed(pc->config.ctx);
}

static void drive_line(struct pc *pc, unsigned irq)
{
    bool level = (pc->state.device_lines | pc->state.test_lines) >> irq & 1;
    if (irq < ISA_IRQS && pc->pic)
        pic_set_line(pc->pic, irq, level);
    if (pc->ioapic)
        ioapic_set_pin(pc->ioapic, irq == IRQ_TIMER ? TIMER_PIN : irq, level);
    update_pins(pc);
}

static void set_bit(uint32_t *lines, unsigned irq, bool level)
{
    uint32_t bit = UINT32_C(1) << irq;
    *lines = level ? *lines | bit : *lines & ~bit;
}

static void device_line(void *owner, unsigned irq, bool level)
{
    struct pc *pc = owner;
    set_bit(&pc->state.device_lines, irq, level);
    drive_line(pc, irq);
}

static void test_line(void *owner, unsigned irq, bool level)
{
    struct pc *pc = owner;
    if (irq >= IOAPIC_PINS)
        return;
    set_bit(&pc->state.test_lines, irq, level);
    drive_line(pc, irq);
}

static void pic_output(void *owner, unsigned number, bool level)
{
    struct pc *pc = owner;
    (void)number;
    if (pc->lapic)
        lapic_set_lint0(pc->lapic, level);
    update_pins(pc);
}

static void lapic_changed(void *ctx)
{
    update_pins(ctx);
}

static void lapic_eoi(void *ctx, uint8_t vector)
{
    struct pc *pc = ctx;
    if (pc->ioapic)
        ioapic_eoi(pc->ioapic, vector);
}

/* ---- The processor's side ---- */

int pc_intr_ack(struct pc *pc)
{
    int vector = lapic_acknowledge(pc->lapic);
    if (vector < 0 && pic_intr(pc->pic) && lapic_takes_pic(pc->lapic))
        vector = pic_acknowledge(pc->pic);
    update_pins(pc);
    return vector;
}

bool pc_nmi_take(struct pc *pc)
{
    return lapic_take_nmi(pc->lapic);
}

uint64_t pc_apicbase(const struct pc *pc)
{
    return lapic_base(pc->lapic);
}

bool pc_set_apicbase(struct pc *pc, uint64_t value)
{
    return lapic_set_base(pc->lapic, value);
}

/* ---- People's side ---- */

bool pc_serial_input(struct pc *pc, uint8_t byte)
{
    return uart_receive(pc->uart, byte);
}

bool pc_serial_ready(const struct pc *pc)
{
    return uart_ready(pc->uart);
}

bool pc_keyboard_input(struct pc *pc, uint8_t scancode)
{
    return i8042_scancode(pc->i8042, scancode);
}

bool pc_keyboard_ready(const struct pc *pc)
{
    return i8042_ready(pc->i8042);
}

bool pc_keyboard_preferred(const struct pc *pc)
{
    return !uart_speaks(pc->uart) &&
           (pic_takes(pc->pic, IRQ_KEYBOARD) ||
            ioapic_takes(pc->ioapic, IRQ_KEYBOARD) || i8042_polled(pc->i8042));
}

unsigned pc_vga_start(const struct pc *pc)
{
    return vga_start(pc->vga);
}

void pc_vga_cursor(const struct pc *pc, unsigned *row, unsigned *column)
{
    unsigned cell = (vga_cursor(pc->vga) - vga_start(pc->vga)) & UINT16_MAX;
    if (cell >= VGA_ROWS * VGA_COLUMNS)
        cell = VGA_ROWS * VGA_COLUMNS - 1; /* parked off the screen */
    *row = cell / VGA_COLUMNS;
    *column = cell % VGA_COLUMNS;
}

/* ---- Assembly ---- */

static void pc_reset(struct device *dev)
{
    struct pc *pc = (struct pc *)dev;
    pic_drop_requests(pc->pic);
    update_pins(pc);
}

/* The owner restored its side too: it must look at the pins whatever they
 * were before. */
static void pc_restored(struct device *dev)
{
    struct pc *pc = (struct pc *)dev;
    if (pc->config.irq_changed)
        pc->config.irq_changed(pc->config.ctx);
}

static const struct device_ops pc_ops = {
    .name = "pc",
    .cite = "Intel, MultiProcessor Specification",
    .reset = pc_reset,
    .restored = pc_restored,
    .state_offset = offsetof(struct pc, state),
    .state_bytes = sizeof(struct pc_state),
};

static struct irq_line isa_line(struct pc *pc, unsigned irq)
{
    return (struct irq_line){device_line, pc, irq};
}

static bool create_interrupts(struct pc *pc)
{
    const struct lapic_wires wires = {lapic_changed, lapic_eoi, pc};
    pc->lapic = lapic_create(pc->bus, &wires);
    if (!pc->lapic)
        return false;
    pc->ioapic = ioapic_create(pc->bus, pc->lapic);
    if (!pc->ioapic)
        return false;
    pc->pic = pic_create(pc->bus, (struct irq_line){pic_output, pc, 0});
    return pc->pic;
}

static bool create_devices(struct pc *pc)
{
    const struct pc_config *config = &pc->config;
    struct bus *bus = pc->bus;
    struct power *power = power_create(bus, config);
    if (!power || !pit_create(bus, isa_line(pc, IRQ_TIMER)) ||
        !rtc_create(bus, isa_line(pc, IRQ_RTC), config->memory_bytes,
                    config->disk_count - config->diskette) ||
        !debugexit_create(bus, config))
        return false;
    pc->uart = uart_create(bus, isa_line(pc, IRQ_COM1), config);
    pc->i8042 = i8042_create(bus, isa_line(pc, IRQ_KEYBOARD), power);
    pc->vga = vga_create(bus);
    if (!pc->uart || !pc->i8042 || !pc->vga)
        return false;
    if (config->balloon && !balloon_create(bus, config->balloon))
        return false;
    const struct irq_line test = {test_line, pc, 0};
    if (config->testdev && !testdev_create(bus, test, config))
        return false;
    return !config->walker || walker_create(bus, config);
}

/* Open every image before any drive is made, so that a bad one is told of
 * first and nothing is left half done. */
static bool create_drives(struct pc *pc, char **error)
{
    static const unsigned irqs[IDE_CHANNELS] = {
        [IDE_PRIMARY] = IRQ_IDE_PRIMARY,
        [IDE_SECONDARY] = IRQ_IDE_SECONDARY,
    };
    struct disk disks[DRIVES];
    for (size_t i = 0; i < DRIVES; i++)
        disks[i] = (struct disk){.fd = -1};
    if (pc->config.disk_count > DRIVES) {
        *error = strdup("more than four IDE disks");
        return false;
    }
    for (size_t i = 0; i < pc->config.disk_count; i++) {
        bool last = i + 1 == pc->config.disk_count;
        size_t drive = last && pc->config.diskette ? DRIVES - 1 : i;
        if (disk_open(&disks[drive], &pc->config.disks[i], error))
            continue;
        while (i-- > 0)
            disk_close(&disks[i]);
        return false;
    }
    bool made = true;
    for (unsigned c = 0; c < IDE_CHANNELS; c++)
        made &= ide_create(pc->bus, isa_line(pc, irqs[c]), (enum ide_channel)c,
                           &disks[c * DRIVES_PER_CHANNEL]) != NULL;
    return made;
}

struct pc *pc_create(const struct pc_config *config,
                     const struct bus_owner *owner, char **error)
{
    *error = NULL;
    struct pc *pc = calloc(1, sizeof *pc);
    struct bus *bus = bus_create(owner);
    if (!pc || !bus)
        goto err_memory;
    pc->bus = bus;
    pc->config = *config;
    if (config->balloon) {
        pc->balloon = *config->balloon;
        pc->config.balloon = &pc->balloon;
    }
    if (!create_interrupts(pc) || !create_devices(pc) ||
        !create_drives(pc, error))
        goto err_memory;
    /* Last, so that it is reset and restored after all the others. */
    bus_attach(bus, &pc->dev, &pc_ops);
    pc->config.disks = NULL; /* the caller's */
    pc->ready = true;
    pc_reset(&pc->dev);
    return pc;

err_memory:
    if (!*error)
        *error = strdup("not enough memory for the devices");
    bus_destroy(bus);
    free(pc);
    return NULL;
}

void pc_destroy(struct pc *pc)
{
    if (!pc)
        return;
    pc->ready = false;
    bus_destroy(pc->bus); /* and with it pc */
}

struct bus *pc_bus(struct pc *pc)
{
    return pc->bus;
}

void pc_console_output(struct pc *pc, uint8_t byte)
{
    if (pc->config.serial_output)
        pc->config.serial_output(pc->config.ctx, byte);
}

const struct pc_balloon *pc_balloon(const struct pc *pc)
{
    return pc->config.balloon;
}

void pc_end(struct pc *pc, enum pc_stop why, uint32_t value)
{
    if (pc->config.stop)
        pc->config.stop(pc->config.ctx, why, value);
}
