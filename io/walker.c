/* SPDX-License-Identifier: MIT */
/* io/walker.c - a page walker for formats that the processor has not.
 *
 * The machine's processor is a 32-bit one and never walks four-level tables.
 * This device does, as a 64-bit processor's MMU would: a guest builds tables
 * of any format in its own memory and asks what becomes of a linear address,
 * and how many entries were read for that. Under nested paging the device
 * reads the guest's memory through the nested tables, as that processor would,
 * and counts their entries too. The tables are only read: no accessed or dirty
 * bit changes. CR0.WP and no-execute are on.
 *
 * Registers, of 32 bits, at offsets from port 0x540:
 *    0  w  the root table's physical address
 *    4  w  linear address, low half; 8: high half
 *   12  w  walk: levels (2, 3, 4) in bits 2:0, the access in bits 10:8
 *          (1 write, 2 user, 4 fetch)
 *   16  r  result: bit 0 allowed, bit 1 translated; the #PF error code in bits
 *          15:8; log2 of the page's bytes in bits 23:16
 *   20  r  physical address, low half; 24: high half
 *   28  r  entries read: of the guest's tables in bits 15:0, of nested ones in
 *          bits 31:16
 * Three levels are PAE's, with the PDPTEs in memory. A walk of other levels
 * has result 0.
 *
 * Reference: SDM 3A, "4-Level Paging".
 */
#include "cpu/paging.h"
#include "io/devices.h"

enum {
    WALKER_PORT = 0x540,
    WALKER_PORTS = 32,
    REGISTER_ROOT = 0,
    REGISTER_LINEAR = 4,
    REGISTER_WALK = 12,
    REGISTER_RESULT = 16,
    REGISTER_ADDRESS = 20,
    REGISTER_REFERENCES = 28,
};

enum { RESULT_ALLOWED = 1, RESULT_TRANSLATED = 2 };

struct walker {
    struct device dev;
    struct pc_memory memory;
    struct walker_state {
        uint32_t reg[WALKER_PORTS / 4];
    } state;
};

/* A walk under way. */
struct reading {
    const struct pc_memory *memory;
    unsigned references; /* of nested tables */
};

static bool read_entry(void *ctx, uint64_t at, unsigned bytes, uint64_t *entry)
{
    struct reading *r = ctx;

    return r->memory->read_entry(r->memory->ctx, at, bytes, entry,
                                 &r->references);
}

static const struct paging_format *format_of(unsigned levels)
{
    switch (levels) {
    case 2: return &paging_32bit;
    case 3: return &paging_pae;
    case 4: return &paging_4level;
    default: return NULL;
    }
}

/* The page itself is reached through nested tables, too. */
static void reach_page(struct reading *r, const struct paging_walk *w)
{
    uint64_t ignored;

    if (w->translated)
        read_entry(r, w->address & ~UINT64_C(3), 4, &ignored);
}

static void walk(struct walker *walker, uint32_t command)
{
    uint32_t *reg = walker->state.reg;
    struct reading reading = {.memory = &walker->memory};
    struct paging paging = {
        .format = format_of(command & 7),
        .root = reg[REGISTER_ROOT / 4] & PTE_FRAME,
        .wp = true,
        .large = true,
        .nx = (command & 7) != 2,
        .pdptes_in_memory = true,
    };
    uint64_t linear =
        reg[REGISTER_LINEAR / 4] | (uint64_t)reg[REGISTER_LINEAR / 4 + 1] << 32;
    struct paging_walk w = {.allowed = false};

    if (paging.format) {
        paging_walk(&paging, linear, command >> 8 & 7, read_entry, &reading,
                    &w);
        reach_page(&reading, &w);
    }
    reg[REGISTER_RESULT / 4] = (w.allowed ? RESULT_ALLOWED : 0) |
                               (w.translated ? RESULT_TRANSLATED : 0) |
                               (w.allowed ? 0 : w.error << 8) |
                               (uint32_t)w.page_shift << 16;
    reg[REGISTER_ADDRESS / 4] = (uint32_t)w.address;
    reg[REGISTER_ADDRESS / 4 + 1] = (uint32_t)(w.address >> 32);
    reg[REGISTER_REFERENCES / 4] = w.references | reading.references << 16;
}

static uint32_t walker_read(struct device *dev, uint32_t offset, unsigned size)
{
    const struct walker *walker = (struct walker *)dev;

    return size == 4 && offset % 4 == 0 ? walker->state.reg[offset / 4]
                                        : UINT32_MAX >> (32 - 8 * size);
}

static void walker_write(struct device *dev, uint32_t offset, unsigned size,
                         uint32_t value)
{
    struct walker *walker = (struct walker *)dev;

    if (size != 4 || offset % 4 || offset > REGISTER_WALK)
        return;
    if (offset == REGISTER_WALK)
        walk(walker, value);
    else
        walker->state.reg[offset / 4] = value;
}

static const struct region_ops port_ops = {"page walker", 0, walker_read,
                                           walker_write};

static const struct device_ops walker_ops = {
    .name = "walker",
    .cite = "SDM 3A, 4-Level Paging",
    .state_bytes = sizeof(struct walker_state),
    .state_offset = offsetof(struct walker, state),
};

struct device *walker_create(struct bus *bus, const struct pc_config *config)
{
    struct walker *walker = device_create(bus, sizeof *walker, &walker_ops);

    if (!walker)
        return NULL;
    walker->memory = config->memory;
    if (!bus_add_ports(bus, &walker->dev, &port_ops, WALKER_PORT, WALKER_PORTS))
        return NULL;
    return &walker->dev;
}
