/* SPDX-License-Identifier: MIT */
/* io/balloon.c - the balloon: a guest gives memory back that it does not need.
 *
 * The VMM wishes for a number of frames (TARGET). A driver in the guest looks
 * there now and then, takes as many frames from its own allocator as it can
 * spare, and gives each to the device by number; when the wish is less than
 * what it gave, or when it needs them itself, it takes some back. So it is the
 * guest that chooses, who knows best.
 *
 * A frame in the balloon has lost its contents. The driver takes it back before
 * it is used again; a guest that touches it anyway finds zeros, and that frame
 * is out of the balloon.
 *
 *   port    read                        write
 *   0x5B0   ID: "BLON"                  give this frame (address / 4096)
 *   0x5B4   TARGET, in frames           take this frame back
 *   0x5B8   HELD: frames in the balloon -
 *   0x5BC   RESULT of the last write:   -
 *           1 done, 0 refused
 *
 * All are 32 bits wide.
 *
 * Reference: Waldspurger, "Memory Resource Management in VMware ESX Server",
 * section 3.2, "Ballooning".
 */
#include "io/devices.h"

enum {
    BALLOON_PORT = 0x5B0,
    BALLOON_PORTS = 16,
    BALLOON_ID = 0x4E4F4C42, /* "BLON", little-endian */
    REG_ID_GIVE = 0,
    REG_TARGET_TAKE = 4,
    REG_HELD = 8,
    REG_RESULT = 12,
    REGISTER_BYTES = 4,
};

struct balloon {
    struct device dev;
    struct pc_balloon host;
    struct balloon_state {
        uint32_t result;
    } state;
};

static uint32_t balloon_read(struct device *dev, uint32_t offset, unsigned size)
{
    const struct balloon *balloon = (struct balloon *)dev;
    if (size != REGISTER_BYTES)
        return UINT32_MAX;
    switch (offset) {
    case REG_ID_GIVE: return BALLOON_ID;
    case REG_TARGET_TAKE: return balloon->host.target(balloon->host.ctx);
    case REG_HELD: return balloon->host.held(balloon->host.ctx);
    case REG_RESULT: return balloon->state.result;
    default: return UINT32_MAX;
    }
}

static void balloon_write(struct device *dev, uint32_t offset, unsigned size,
                          uint32_t value)
{
    struct balloon *balloon = (struct balloon *)dev;
    const struct pc_balloon *host = &balloon->host;
    if (size != REGISTER_BYTES)
        return;
    if (offset == REG_ID_GIVE)
        balloon->state.result = host->give(host->ctx, value);
    else if (offset == REG_TARGET_TAKE)
        balloon->state.result = host->take(host->ctx, value);
}

static const struct region_ops port_ops = {"balloon", 0, balloon_read,
                                           balloon_write};

static const struct device_ops balloon_ops = {
    .name = "balloon",
    .cite = "Waldspurger, Memory Resource Management in VMware ESX Server",
    .state_offset = offsetof(struct balloon, state),
    .state_bytes = sizeof(struct balloon_state),
};

struct device *balloon_create(struct bus *bus, const struct pc_balloon *host)
{
    struct balloon *balloon = device_create(bus, sizeof *balloon, &balloon_ops);
    if (!balloon)
        return NULL;
    balloon->host = *host;
    if (!bus_add_ports(bus, &balloon->dev, &port_ops, BALLOON_PORT,
                       BALLOON_PORTS))
        return NULL;
    return &balloon->dev;
}
