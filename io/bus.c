/* SPDX-License-Identifier: MIT */
/* io/bus.c - the bus: which device answers at which address, and when a device
 * wants to be called.
 *
 * Models the address decoding of an ISA-style bus: a table with one entry for
 * each of the 64 Ki ports, a sorted array for memory ranges. Where nobody
 * answers, the data lines float high: reads give all ones.
 *
 * Reference: SDM vol. 1, "Input/Output" (I/O Port Addressing).
 */
#include "io/device.h"

#include <stdlib.h>
#include <string.h>

enum {
    PORTS = 0x10000,
    OPEN_BUS = 0, /* the entry of a port that nobody claims */
    RANGES_AT_FIRST = 16,
    SAVE_MAGIC = 0x53554255, /* "UBUS" */
    NAME_BYTES = 16,
};

struct range {
    struct device *dev;
    const struct region_ops *ops;
    uint64_t first;
    uint64_t bytes;
};

struct ranges {
    struct range *list;
    size_t count;
    size_t room;
};

struct bus {
    struct bus_owner owner;
    struct device *devices; /* in the order of attachment */
    struct device **tail;
    uint64_t deadline_ns;       /* the earliest of all devices */
    struct ranges ports;        /* [OPEN_BUS] is nobody's */
    struct ranges memory;       /* sorted by address */
    uint16_t port_table[PORTS]; /* port -> index in ports */
};

/* What precedes the devices in a saved buffer, and each device's part. */
struct save_header {
    uint32_t magic;
    uint32_t devices;
};

struct save_device {
    char name[NAME_BYTES];
    uint64_t bytes;
    uint64_t deadline_ns;
};

static uint32_t size_mask(unsigned size)
{
    return size >= 4 ? UINT32_MAX : (1u << (8 * size)) - 1;
}

static bool ranges_make_room(struct ranges *r)
{
    if (r->count < r->room)
        return true;
    size_t room = r->room ? 2 * r->room : RANGES_AT_FIRST;
    struct range *list = realloc(r->list, room * sizeof *list);
    if (!list)
        return false;
    r->list = list;
    r->room = room;
    return true;
}

struct bus *bus_create(const struct bus_owner *owner)
{
    struct bus *bus = calloc(1, sizeof *bus);
    if (!bus)
        return NULL;
    if (!ranges_make_room(&bus->ports)) {
        free(bus);
        return NULL;
    }
    bus->owner = *owner;
    bus->tail = &bus->devices;
    bus->deadline_ns = DEVICE_NEVER;
    bus->ports.list[OPEN_BUS] = (struct range){.bytes = PORTS};
    bus->ports.count = 1;
    return bus;
}

void bus_destroy(struct bus *bus)
{
    if (!bus)
        return;
    for (struct device *dev = bus->devices; dev;) {
        struct device *next = dev->next;
        if (dev->ops->destroy)
            dev->ops->destroy(dev);
        free(dev);
        dev = next;
    }
    free(bus->ports.list);
    free(bus->memory.list);
    free(bus);
}

void bus_attach(struct bus *bus, struct device *dev,
                const struct device_ops *ops)
{
    dev->ops = ops;
    dev->bus = bus;
    dev->next = NULL;
    dev->deadline_ns = DEVICE_NEVER;
    *bus->tail = dev;
    bus->tail = &dev->next;
}

bool bus_add_ports(struct bus *bus, struct device *dev,
                   const struct region_ops *ops, uint16_t first, unsigned count)
{
    if (count == 0 || count > (unsigned)PORTS - first)
        return false;
    for (unsigned i = 0; i < count; i++)
        if (bus->port_table[first + i] != OPEN_BUS)
            return false;
    if (bus->ports.count > UINT16_MAX || !ranges_make_room(&bus->ports))
        return false;
    size_t index = bus->ports.count++;
    bus->ports.list[index] = (struct range){dev, ops, first, count};
    for (unsigned i = 0; i < count; i++)
        bus->port_table[first + i] = (uint16_t)index;
    return true;
}

/* The index of the first memory range that ends after an address. */
static size_t memory_index(const struct bus *bus, uint64_t address)
{
    size_t low = 0, high = bus->memory.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct range *r = &bus->memory.list[middle];
        if (r->first + (r->bytes - 1) < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct range *memory_find(const struct bus *bus, uint64_t address)
{
    size_t i = memory_index(bus, address);
    if (i == bus->memory.count || bus->memory.list[i].first > address)
        return NULL;
    return &bus->memory.list[i];
}

bool bus_add_memory(struct bus *bus, struct device *dev,
                    const struct region_ops *ops, uint64_t first,
                    uint64_t bytes)
{
    if (bytes == 0 || bytes - 1 > UINT64_MAX - first)
        return false;
    struct ranges *m = &bus->memory;
    size_t i = memory_index(bus, first);
    if (i < m->count && m->list[i].first <= first + (bytes - 1))
        return false;
    if (!ranges_make_room(m))
        return false;
    memmove(&m->list[i + 1], &m->list[i], (m->count - i) * sizeof *m->list);
    m->list[i] = (struct range){dev, ops, first, bytes};
    m->count++;
    return true;
}

bool bus_move_memory(struct bus *bus, struct device *dev, uint64_t from,
                     uint64_t to)
{
    struct ranges *m = &bus->memory;
    size_t i = memory_index(bus, from);
    if (i == m->count || m->list[i].first != from || m->list[i].dev != dev)
        return false;
    struct range moved = m->list[i];
    m->count--;
    memmove(&m->list[i], &m->list[i + 1], (m->count - i) * sizeof *m->list);
    /* The room is there, so putting it back where it was cannot fail. */
    if (bus_add_memory(bus, dev, moved.ops, to, moved.bytes))
        return true;
    bus_add_memory(bus, dev, moved.ops, from, moved.bytes);
    return false;
}

/* Can the range's handlers take the access in one piece? */
static bool takes_whole(const struct range *r, uint64_t offset, unsigned size)
{
    if (r->ops->width && size > r->ops->width)
        return false;
    return size <= r->bytes && offset <= r->bytes - size;
}

static uint32_t range_read(const struct range *r, uint64_t address,
                           unsigned size)
{
    if (!r->ops->read)
        return size_mask(size);
    uint32_t offset = (uint32_t)(address - r->first);
    return r->ops->read(r->dev, offset, size) & size_mask(size);
}

static void range_write(const struct range *r, uint64_t address, unsigned size,
                        uint32_t value)
{
    if (r->ops->write)
        r->ops->write(r->dev, (uint32_t)(address - r->first), size,
                      value & size_mask(size));
}

static uint32_t unclaimed(struct bus *bus, bool port, uint64_t address,
                          unsigned size, bool write, uint32_t value)
{
    if (bus->owner.unclaimed)
        bus->owner.unclaimed(bus->owner.ctx, port, address, size, write,
                             value & size_mask(size));
    return size_mask(size);
}

static const struct range *port_find(const struct bus *bus, uint16_t port)
{
    size_t index = bus->port_table[port];
    return index == OPEN_BUS ? NULL : &bus->ports.list[index];
}

/* Is there nobody at any of the ports an access touches? */
static bool ports_are_open(const struct bus *bus, uint16_t port, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        if (port_find(bus, (uint16_t)(port + i)))
            return false;
    return true;
}

uint32_t bus_port_read(struct bus *bus, uint16_t port, unsigned size)
{
    const struct range *r = port_find(bus, port);
    if (r && takes_whole(r, port - r->first, size))
        return range_read(r, port, size);
    if (size == 1 || ports_are_open(bus, port, size))
        return unclaimed(bus, true, port, size, false, size_mask(size));
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= bus_port_read(bus, (uint16_t)(port + i), 1) << (8 * i);
    return value;
}

void bus_port_write(struct bus *bus, uint16_t port, unsigned size,
                    uint32_t value)
{
    const struct range *r = port_find(bus, port);
    if (r && takes_whole(r, port - r->first, size)) {
        range_write(r, port, size, value);
    } else if (size == 1 || ports_are_open(bus, port, size)) {
        unclaimed(bus, true, port, size, true, value);
    } else {
        for (unsigned i = 0; i < size; i++)
            bus_port_write(bus, (uint16_t)(port + i), 1, value >> (8 * i));
    }
}

static bool memory_is_open(const struct bus *bus, uint64_t address,
                           unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        if (memory_find(bus, address + i))
            return false;
    return true;
}

uint32_t bus_memory_read(struct bus *bus, uint64_t address, unsigned size)
{
    const struct range *r = memory_find(bus, address);
    if (r && takes_whole(r, address - r->first, size))
        return range_read(r, address, size);
    if (size == 1 || memory_is_open(bus, address, size))
        return unclaimed(bus, false, address, size, false, size_mask(size));
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= bus_memory_read(bus, address + i, 1) << (8 * i);
    return value;
}

void bus_memory_write(struct bus *bus, uint64_t address, unsigned size,
                      uint32_t value)
{
    const struct range *r = memory_find(bus, address);
    if (r && takes_whole(r, address - r->first, size)) {
        range_write(r, address, size, value);
    } else if (size == 1 || memory_is_open(bus, address, size)) {
        unclaimed(bus, false, address, size, true, value);
    } else {
        for (unsigned i = 0; i < size; i++)
            bus_memory_write(bus, address + i, 1, value >> (8 * i));
    }
}

const char *bus_port_name(const struct bus *bus, uint16_t port)
{
    const struct range *r = port_find(bus, port);
    return r ? r->ops->name : NULL;
}

const char *bus_memory_name(const struct bus *bus, uint64_t address)
{
    const struct range *r = memory_find(bus, address);
    return r ? r->ops->name : NULL;
}

bool bus_memory_range(const struct bus *bus, size_t index, uint64_t *first,
                      uint64_t *bytes)
{
    if (index >= bus->memory.count)
        return false;
    *first = bus->memory.list[index].first;
    *bytes = bus->memory.list[index].bytes;
    return true;
}

uint64_t bus_now(const struct bus *bus)
{
    return bus->owner.now_ns(bus->owner.ctx);
}

void bus_wait(struct bus *bus, uint64_t ns)
{
    if (bus->owner.wait)
        bus->owner.wait(bus->owner.ctx, ns);
}

uint64_t bus_deadline(const struct bus *bus)
{
    return bus->deadline_ns;
}

static struct device *earliest(const struct bus *bus)
{
    struct device *first = NULL;
    for (struct device *dev = bus->devices; dev; dev = dev->next)
        if (!first || dev->deadline_ns < first->deadline_ns)
            first = dev;
    return first;
}

static void find_deadline(struct bus *bus)
{
    const struct device *first = earliest(bus);
    uint64_t deadline_ns = first ? first->deadline_ns : DEVICE_NEVER;
    if (deadline_ns == bus->deadline_ns)
        return;
    bus->deadline_ns = deadline_ns;
    if (bus->owner.deadline_changed)
        bus->owner.deadline_changed(bus->owner.ctx);
}

void device_set_deadline(struct device *dev, uint64_t deadline_ns)
{
    if (dev->deadline_ns == deadline_ns)
        return;
    dev->deadline_ns = deadline_ns;
    find_deadline(dev->bus);
}

/* In the order of the deadlines, and of attachment where they are equal: the
 * same run always calls in the same order. */
void bus_run_timers(struct bus *bus)
{
    while (bus->deadline_ns <= bus_now(bus)) {
        struct device *dev = earliest(bus);
        if (!dev || dev->deadline_ns == DEVICE_NEVER)
            return;
        device_set_deadline(dev, DEVICE_NEVER);
        if (dev->ops->timer)
            dev->ops->timer(dev, bus_now(bus));
    }
}

void bus_reset(struct bus *bus)
{
    for (struct device *dev = bus->devices; dev; dev = dev->next) {
        device_set_deadline(dev, DEVICE_NEVER);
        if (dev->ops->reset)
            dev->ops->reset(dev);
    }
}

size_t bus_save(const struct bus *bus, void *buffer, size_t bytes)
{
    struct save_header header = {.magic = SAVE_MAGIC};
    size_t needed = sizeof header;
    for (const struct device *dev = bus->devices; dev; dev = dev->next) {
        needed += sizeof(struct save_device) + dev->ops->state_bytes;
        header.devices++;
    }
    if (!buffer || bytes < needed)
        return needed;

    uint8_t *out = buffer;
    memcpy(out, &header, sizeof header);
    out += sizeof header;
    for (const struct device *dev = bus->devices; dev; dev = dev->next) {
        struct save_device part = {.bytes = dev->ops->state_bytes,
                                   .deadline_ns = dev->deadline_ns};
        strncpy(part.name, dev->ops->name, NAME_BYTES - 1);
        memcpy(out, &part, sizeof part);
        out += sizeof part;
        memcpy(out, (const uint8_t *)dev + dev->ops->state_offset, part.bytes);
        out += part.bytes;
    }
    return needed;
}

/* Is the buffer a save of these very devices, in this order? */
static bool save_fits(const struct bus *bus, const uint8_t *in, size_t bytes)
{
    struct save_header header;
    if (bytes != bus_save(bus, NULL, 0))
        return false;
    memcpy(&header, in, sizeof header);
    if (header.magic != SAVE_MAGIC)
        return false;
    in += sizeof header;
    for (const struct device *dev = bus->devices; dev; dev = dev->next) {
        struct save_device part;
        memcpy(&part, in, sizeof part);
        if (part.bytes != dev->ops->state_bytes ||
            strncmp(part.name, dev->ops->name, NAME_BYTES - 1) != 0)
            return false;
        in += sizeof part + part.bytes;
    }
    return true;
}

bool bus_restore(struct bus *bus, const void *buffer, size_t bytes)
{
    const uint8_t *in = buffer;
    if (!in || !save_fits(bus, in, bytes))
        return false;
    in += sizeof(struct save_header);
    for (struct device *dev = bus->devices; dev; dev = dev->next) {
        struct save_device part;
        memcpy(&part, in, sizeof part);
        in += sizeof part;
        memcpy((uint8_t *)dev + dev->ops->state_offset, in, part.bytes);
        in += part.bytes;
        dev->deadline_ns = part.deadline_ns;
    }
    /* Only now, when every device has its state, may they look about. */
    for (struct device *dev = bus->devices; dev; dev = dev->next)
        if (dev->ops->restored)
            dev->ops->restored(dev);
    find_deadline(bus);
    return true;
}
