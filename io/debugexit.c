/* SPDX-License-Identifier: MIT */
/* io/debugexit.c - the port by which a test kernel ends the run.
 *
 * Follows QEMU's isa-debug-exit with iobase=0xf4, iosize=4: a write of V ends
 * the run with exit status (V << 1) | 1. Reads give zero.
 *
 * Reference: QEMU, "isa-debug-exit" device (-device isa-debug-exit,help).
 */
#include "io/devices.h"

enum { DEBUG_EXIT_PORT = 0xF4, DEBUG_EXIT_PORTS = 4 };

struct debugexit {
    struct device dev;
    void (*stop)(void *ctx, enum pc_stop why, uint32_t value);
    void *ctx;
};

static uint32_t debugexit_read(struct device *dev, uint32_t offset,
                               unsigned size)
{
    (void)dev, (void)offset, (void)size;
    return 0;
}

static void debugexit_write(struct device *dev, uint32_t offset, unsigned size,
                            uint32_t value)
{
    struct debugexit *exit_port = (struct debugexit *)dev;
    (void)offset, (void)size;
    if (exit_port->stop)
        exit_port->stop(exit_port->ctx, PC_DEBUG_EXIT, value & UINT8_MAX);
}

static const struct region_ops port_ops = {"debug-exit", 0, debugexit_read,
                                           debugexit_write};

static const struct device_ops debugexit_ops = {
    .name = "debug-exit",
    .cite = "QEMU, isa-debug-exit",
};

struct device *debugexit_create(struct bus *bus, const struct pc_config *config)
{
    struct debugexit *exit_port =
        device_create(bus, sizeof *exit_port, &debugexit_ops);
    if (!exit_port)
        return NULL;
    exit_port->stop = config->stop;
    exit_port->ctx = config->ctx;
    if (!bus_add_ports(bus, &exit_port->dev, &port_ops, DEBUG_EXIT_PORT,
                       DEBUG_EXIT_PORTS))
        return NULL;
    return &exit_port->dev;
}
