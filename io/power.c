/* SPDX-License-Identifier: MIT */
/* io/power.c - power off, reset, the A20 gate and the POST port of the chip
 * set, and the PCI bus that is not there.
 *
 * Modelled: the power management control register of a PIIX4 at the place
 * where QEMU's firmware puts it and the one of Bochs, which power off; the
 * reset control register 0xCF9; system control port A (0x92); POST codes at
 * port 0x80, which go nowhere; PCI configuration access that finds no bus.
 * A20 can be read back but does not mask addresses: protected-mode guests run
 * with it open.
 *
 * References: Intel, "82371AB (PIIX4)", Power Management Control and Reset
 * Control Register; IBM, "PS/2 Hardware Interface Technical Reference", System
 * Control Port A; PCI Local Bus Specification, Configuration Mechanism #1.
 */
#include "io/devices.h"

enum {
    PM_CONTROL_PORT = 0x604,
    BOCHS_PM_PORT = 0xB004,
    PM_PORTS = 2,
    PM_SCI_ENABLE = 0x0001,
    PM_SLEEP_TYPE = 0x1C00, /* 0 is "soft off" */
    PM_SLEEP_ENABLE = 0x2000,

    PCI_PORT = 0xCF8,
    PCI_PORTS = 8,
    RESET_CONTROL = 1, /* 0xCF9, as an offset */
    RESET_CPU = 0x04,
    RESET_BITS = 0x0E,

    CONTROL_A_PORT = 0x92,
    CONTROL_A_RESET = 0x01,
    CONTROL_A_A20 = 0x02,

    POST_PORT = 0x80,
};

struct power {
    struct device dev;
    void (*stop)(void *ctx, enum pc_stop why, uint32_t value);
    void *ctx;
    struct power_state {
        uint16_t pm_control;
        uint8_t control_a;
        uint8_t reset_control;
        uint8_t post;
    } state;
};

bool power_a20(const struct power *power)
{
    return power->state.control_a & CONTROL_A_A20;
}

void power_set_a20(struct power *power, bool open)
{
    if (open)
        power->state.control_a |= CONTROL_A_A20;
    else
        power->state.control_a &= (uint8_t)~CONTROL_A_A20;
}

void power_request_reset(struct power *power)
{
    if (power->stop)
        power->stop(power->ctx, PC_RESET, 0);
}

static uint32_t pm_read(struct device *dev, uint32_t offset, unsigned size)
{
    (void)size;
    return (uint32_t)((struct power *)dev)->state.pm_control >> (8 * offset);
}

static void pm_write(struct device *dev, uint32_t offset, unsigned size,
                     uint32_t value)
{
    struct power *power = (struct power *)dev;
    uint16_t *control = &power->state.pm_control;
    if (size == 1 && offset == 0)
        *control = (uint16_t)((*control & 0xFF00) | value);
    else if (size == 1)
        *control = (uint16_t)((*control & 0x00FF) | value << 8);
    else
        *control = (uint16_t)value;
    bool sleeps = *control & PM_SLEEP_ENABLE;
    *control &= (uint16_t)~PM_SLEEP_ENABLE; /* write only */
    if (sleeps && !(*control & PM_SLEEP_TYPE) && power->stop)
        power->stop(power->ctx, PC_POWER_OFF, 0);
}

static uint32_t pci_read(struct device *dev, uint32_t offset, unsigned size)
{
    if (offset == RESET_CONTROL && size == 1)
        return ((struct power *)dev)->state.reset_control;
    return UINT32_MAX;
}

static void pci_write(struct device *dev, uint32_t offset, unsigned size,
                      uint32_t value)
{
    struct power *power = (struct power *)dev;
    if (offset != RESET_CONTROL || size != 1)
        return; /* no bus listens */
    bool rises = value & ~(uint32_t)power->state.reset_control & RESET_CPU;
    power->state.reset_control = (uint8_t)(value & RESET_BITS);
    if (rises)
        power_request_reset(power);
}

static uint32_t control_a_read(struct device *dev, uint32_t offset,
                               unsigned size)
{
    (void)offset, (void)size;
    return ((struct power *)dev)->state.control_a;
}

static void control_a_write(struct device *dev, uint32_t offset, unsigned size,
                            uint32_t value)
{
    struct power *power = (struct power *)dev;
    (void)offset, (void)size;
    bool rises = value & ~(uint32_t)power->state.control_a & CONTROL_A_RESET;
    power->state.control_a =
        (uint8_t)(value & (CONTROL_A_A20 | CONTROL_A_RESET));
    if (rises)
        power_request_reset(power);
}

static uint32_t post_read(struct device *dev, uint32_t offset, unsigned size)
{
    (void)offset, (void)size;
    return ((struct power *)dev)->state.post;
}

static void post_write(struct device *dev, uint32_t offset, unsigned size,
                       uint32_t value)
{
    (void)offset, (void)size;
    ((struct power *)dev)->state.post = (uint8_t)value;
}

static void power_reset(struct device *dev)
{
    struct power *power = (struct power *)dev;
    power->state = (struct power_state){.pm_control = PM_SCI_ENABLE,
                                        .control_a = CONTROL_A_A20};
}

static const struct region_ops pm_ops = {"power", 2, pm_read, pm_write};
static const struct region_ops bochs_ops = {"power.bochs", 2, pm_read,
                                            pm_write};
static const struct region_ops pci_ops = {"pci.none", 0, pci_read, pci_write};
static const struct region_ops control_a_ops = {"control-a", 1, control_a_read,
                                                control_a_write};
static const struct region_ops post_ops = {"post", 1, post_read, post_write};

static const struct device_ops power_ops = {
    .name = "power",
    .cite = "Intel, 82371AB (PIIX4)",
    .reset = power_reset,
    .state_offset = offsetof(struct power, state),
    .state_bytes = sizeof(struct power_state),
};

struct power *power_create(struct bus *bus, const struct pc_config *config)
{
    struct power *power = device_create(bus, sizeof *power, &power_ops);
    if (!power)
        return NULL;
    power->stop = config->stop;
    power->ctx = config->ctx;
    power_reset(&power->dev);
    struct device *dev = &power->dev;
    bool placed =
        bus_add_ports(bus, dev, &pm_ops, PM_CONTROL_PORT, PM_PORTS) &&
        bus_add_ports(bus, dev, &bochs_ops, BOCHS_PM_PORT, PM_PORTS) &&
        bus_add_ports(bus, dev, &pci_ops, PCI_PORT, PCI_PORTS) &&
        bus_add_ports(bus, dev, &control_a_ops, CONTROL_A_PORT, 1) &&
        bus_add_ports(bus, dev, &post_ops, POST_PORT, 1);
    return placed ? power : NULL;
}
