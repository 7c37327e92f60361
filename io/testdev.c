/* SPDX-License-Identifier: MIT */
/* io/testdev.c - the ports and memory that kernels' own test suites use.
 *
 * Follows QEMU's pc-testdev: a 4-byte port register at 0xE0 (any width) and
 * one at 0xE8 (bytes), a page-flush port at 0xE4, 24 interrupt lines at 0x2000
 * (a write sets the level), 64 KiB of plain device memory at 0xFF000000. Beside
 * it the console port 0xF1 of the older test device, and so much of fw_cfg
 * (selector 0x510, data 0x511) that such kernels learn that there is one
 * processor and how much memory.
 *
 * The flush port makes QEMU drop and rebuild a mapping of its own; nothing here
 * needs that, so it only takes the write.
 *
 * References: QEMU, "pc-testdev" device; QEMU, "QEMU Firmware Configuration
 * (fw_cfg) Device".
 */
#include "io/devices.h"

#include <string.h>

#define MEMORY_ADDRESS UINT64_C(0xFF000000)

enum {
    ECHO_PORT = 0xE0,
    FLUSH_PORT = 0xE4,
    ECHO_BYTE_PORT = 0xE8,
    REGISTER_BYTES = 4,
    CONSOLE_PORT = 0xF1,
    LINES_PORT = 0x2000,
    LINES = 24,
    MEMORY_BYTES = 0x10000,

    FW_CFG_PORT = 0x510,
    FW_CFG_PORTS = 2,
    FW_CFG_SELECT = 0, /* offsets */
    FW_CFG_SIGNATURE = 0x00,
    FW_CFG_ID = 0x01,
    FW_CFG_RAM_SIZE = 0x03,
    FW_CFG_NB_CPUS = 0x05,
    FW_CFG_MAX_CPUS = 0x0F,
    FW_CFG_TRADITIONAL = 1,
};

struct testdev {
    struct device dev;
    struct irq_line line;
    void (*output)(void *ctx, uint8_t byte);
    void *ctx;
    uint64_t memory_bytes;
    struct testdev_state {
        uint8_t echo[REGISTER_BYTES];
        uint16_t key;   /* fw_cfg's item */
        uint32_t index; /* and the byte of it that is next */
        uint32_t lines;
        uint8_t memory[MEMORY_BYTES];
    } state;
};

/* Little-endian access to an array; the bus keeps it in range. */
static uint32_t bytes_read(const uint8_t *bytes, unsigned size)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)bytes[i] << (8 * i);
    return value;
}

static void bytes_write(uint8_t *bytes, unsigned size, uint32_t value)
{
    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t echo_read(struct device *dev, uint32_t offset, unsigned size)
{
    return bytes_read(&((struct testdev *)dev)->state.echo[offset], size);
}

static void echo_write(struct device *dev, uint32_t offset, unsigned size,
                       uint32_t value)
{
    bytes_write(&((struct testdev *)dev)->state.echo[offset], size, value);
}

static uint32_t memory_read(struct device *dev, uint32_t offset, unsigned size)
{
    return bytes_read(&((struct testdev *)dev)->state.memory[offset], size);
}

static void memory_write(struct device *dev, uint32_t offset, unsigned size,
                         uint32_t value)
{
    bytes_write(&((struct testdev *)dev)->state.memory[offset], size, value);
}

static void set_line(struct testdev *testdev, unsigned irq, bool level)
{
    uint32_t bit = UINT32_C(1) << irq;
    uint32_t *lines = &testdev->state.lines;
    struct irq_line line = testdev->line;
    *lines = level ? *lines | bit : *lines & ~bit;
    line.number = irq;
    irq_set(&line, level);
}

static void line_write(struct device *dev, uint32_t offset, unsigned size,
                       uint32_t value)
{
    (void)size;
    set_line((struct testdev *)dev, offset, value != 0);
}

static void console_write(struct device *dev, uint32_t offset, unsigned size,
                          uint32_t value)
{
    const struct testdev *testdev = (struct testdev *)dev;
    (void)offset, (void)size;
    if (testdev->output)
        testdev->output(testdev->ctx, (uint8_t)value);
}

static uint64_t fw_cfg_item(const struct testdev *testdev)
{
    static const char signature[] = "QEMU";
    switch (testdev->state.key) {
    case FW_CFG_SIGNATURE:
        return bytes_read((const uint8_t *)signature, sizeof signature - 1);
    case FW_CFG_ID: return FW_CFG_TRADITIONAL;
    case FW_CFG_RAM_SIZE: return testdev->memory_bytes;
    case FW_CFG_NB_CPUS:
    case FW_CFG_MAX_CPUS: return 1;
    default: return 0; /* absent items read as zeroes */
    }
}

static uint32_t fw_cfg_read(struct device *dev, uint32_t offset, unsigned size)
{
    struct testdev *testdev = (struct testdev *)dev;
    if (offset == FW_CFG_SELECT || size != 1)
        return UINT32_MAX;
    uint32_t index = testdev->state.index;
    if (index >= sizeof(uint64_t))
        return 0;
    testdev->state.index++;
    return (uint8_t)(fw_cfg_item(testdev) >> (8 * index));
}

static void fw_cfg_write(struct device *dev, uint32_t offset, unsigned size,
                         uint32_t value)
{
    struct testdev *testdev = (struct testdev *)dev;
    if (offset != FW_CFG_SELECT || size != 2)
        return;
    testdev->state.key = (uint16_t)value;
    testdev->state.index = 0;
}

static void testdev_reset(struct device *dev)
{
    struct testdev *testdev = (struct testdev *)dev;
    for (unsigned irq = 0; irq < LINES; irq++)
        if (testdev->state.lines >> irq & 1)
            set_line(testdev, irq, false);
    memset(&testdev->state, 0, sizeof testdev->state);
}

static const struct region_ops echo_ops = {"testdev.echo", 4, echo_read,
                                           echo_write};
static const struct region_ops echo_byte_ops = {"testdev.echo-byte", 1,
                                                echo_read, echo_write};
static const struct region_ops flush_ops = {"testdev.flush", 4, NULL, NULL};
static const struct region_ops line_ops = {"testdev.irq", 4, NULL, line_write};
static const struct region_ops console_ops = {"testdev.console", 1, NULL,
                                              console_write};
static const struct region_ops memory_ops = {"testdev.memory", 4, memory_read,
                                             memory_write};
static const struct region_ops fw_cfg_ops = {"fw_cfg", 2, fw_cfg_read,
                                             fw_cfg_write};

static const struct device_ops testdev_ops = {
    .name = "testdev",
    .cite = "QEMU, pc-testdev",
    .reset = testdev_reset,
    .state_offset = offsetof(struct testdev, state),
    .state_bytes = sizeof(struct testdev_state),
};

struct device *testdev_create(struct bus *bus, struct irq_line line,
                              const struct pc_config *config)
{
    struct testdev *testdev = device_create(bus, sizeof *testdev, &testdev_ops);
    if (!testdev)
        return NULL;
    testdev->line = line;
    testdev->output = config->serial_output;
    testdev->ctx = config->ctx;
    testdev->memory_bytes = config->memory_bytes;
    struct device *dev = &testdev->dev;
    bool placed =
        bus_add_ports(bus, dev, &echo_ops, ECHO_PORT, REGISTER_BYTES) &&
        bus_add_ports(bus, dev, &flush_ops, FLUSH_PORT, REGISTER_BYTES) &&
        bus_add_ports(bus, dev, &echo_byte_ops, ECHO_BYTE_PORT,
                      REGISTER_BYTES) &&
        bus_add_ports(bus, dev, &console_ops, CONSOLE_PORT, 1) &&
        bus_add_ports(bus, dev, &line_ops, LINES_PORT, LINES) &&
        bus_add_ports(bus, dev, &fw_cfg_ops, FW_CFG_PORT, FW_CFG_PORTS) &&
        bus_add_memory(bus, dev, &memory_ops, MEMORY_ADDRESS, MEMORY_BYTES);
    return placed ? dev : NULL;
}
