/* SPDX-License-Identifier: MIT */
/* io/device.h - what a device is, and the bus it sits on.
 *
 * A device is one file behind this interface: port and memory ranges, an
 * interrupt line, a clock, save and restore. It knows no address of its own
 * (its handlers get offsets), no CPU and no virtual machine: the same models
 * are the physical devices of the bare machine and the virtual devices of a
 * guest.
 *
 * Units: time is nanoseconds of virtual time. Addresses of memory ranges are
 * those of the bus's owner (machine addresses on the bare machine,
 * guest-physical ones in a VM), so they are plain integers here.
 */
#ifndef IO_DEVICE_H
#define IO_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bus;
struct device;

/* An interrupt line: level true is asserted. */
struct irq_line {
    void (*set)(void *owner, unsigned number, bool level);
    void *owner;
    unsigned number;
};

static inline void irq_set(const struct irq_line *line, bool level)
{
    if (line->set)
        line->set(line->owner, line->number, level);
}

/* Handlers of one range. offset counts bytes from the range's start, size is
 * 1, 2 or 4. A read returns size bytes in the low part. A missing handler
 * reads all ones and swallows writes. */
struct region_ops {
    const char *name; /* "pic0", "uart0.com1": events, screens */
    unsigned width;   /* widest access the handlers take; the bus splits wider
                         ones into bytes. 0: they take any */
    uint32_t (*read)(struct device *dev, uint32_t offset, unsigned size);
    void (*write)(struct device *dev, uint32_t offset, unsigned size,
                  uint32_t value);
};

/* The class of a device. state is the part of the instance that save and
 * restore copy: plain data, no pointers. */
struct device_ops {
    const char *name;
    const char *cite; /* the data sheet or manual it follows, by title */
    void (*reset)(struct device *dev);
    void (*timer)(struct device *dev, uint64_t now_ns); /* its deadline came */
    void (*restored)(struct device *dev); /* after a restore; may be NULL */
    void (*destroy)(struct device *dev);  /* may be NULL */
    size_t state_offset;
    size_t state_bytes;
};

#define DEVICE_NEVER UINT64_MAX

/* The base of every device's struct (its first member). */
struct device {
    const struct device_ops *ops;
    struct bus *bus;
    struct device *next;
    uint64_t deadline_ns; /* DEVICE_NEVER: no timer set */
};

/* What the owner of a bus (bare machine or VM) provides. */
struct bus_owner {
    uint64_t (*now_ns)(void *ctx);
    void (*wait)(void *ctx, uint64_t ns); /* time goes by; may be NULL */
    void (*deadline_changed)(void *ctx);  /* ask bus_deadline() again */
    void (*unclaimed)(void *ctx, bool port, uint64_t address, unsigned size,
                      bool write, uint32_t value);
    void *ctx;
};

/* Create an empty bus. NULL when memory is short. Destroying it destroys its
 * devices. */
struct bus *bus_create(const struct bus_owner *owner);
void bus_destroy(struct bus *bus);

/* Attach a device (the bus owns it from here on: it calls ops->destroy, then
 * free()) and its ranges. Adding a range that overlaps another returns false
 * and changes nothing; so does moving one onto another. */
void bus_attach(struct bus *bus, struct device *dev,
                const struct device_ops *ops);
bool bus_add_ports(struct bus *bus, struct device *dev,
                   const struct region_ops *ops, uint16_t first,
                   unsigned count);
bool bus_add_memory(struct bus *bus, struct device *dev,
                    const struct region_ops *ops, uint64_t first,
                    uint64_t bytes);
bool bus_move_memory(struct bus *bus, struct device *dev, uint64_t from,
                     uint64_t to);

/* One access. Unclaimed: reads give all ones of the size, writes go nowhere,
 * and the owner is told. A port access wider than the range it starts in is
 * split into bytes across neighbouring ranges, as an 8-bit bus does. */
uint32_t bus_port_read(struct bus *bus, uint16_t port, unsigned size);
void bus_port_write(struct bus *bus, uint16_t port, unsigned size,
                    uint32_t value);
uint32_t bus_memory_read(struct bus *bus, uint64_t address, unsigned size);
void bus_memory_write(struct bus *bus, uint64_t address, unsigned size,
                      uint32_t value);

/* The name of the range at an address, NULL if nothing is there; and each
 * memory range in turn (index from 0; false after the last). */
const char *bus_port_name(const struct bus *bus, uint16_t port);
const char *bus_memory_name(const struct bus *bus, uint64_t address);
bool bus_memory_range(const struct bus *bus, size_t index, uint64_t *first,
                      uint64_t *bytes);

/* Time. A device sets its next deadline (absolute, or DEVICE_NEVER); the owner
 * runs what is due. */
uint64_t bus_now(const struct bus *bus);

/* A read of a register by which guests wait for something lasts as long as a
 * cycle of the ISA bus, eight clocks of 8 MHz, on top of its instruction.
 * Guests that poll count on that: with no more than an instruction's time to a
 * read they would read hundreds of times as often. */
enum { ISA_CYCLE_NS = 1000 };
void bus_wait(struct bus *bus, uint64_t ns);
void device_set_deadline(struct device *dev, uint64_t deadline_ns);
uint64_t bus_deadline(const struct bus *bus);
void bus_run_timers(struct bus *bus);

void bus_reset(struct bus *bus);

/* Save every device's state into a buffer / load it from there. bus_save with
 * buffer NULL (or too small) returns the bytes needed. Deadlines are absolute:
 * the owner sets its clock back before bus_restore. False: the buffer is not
 * a save of a bus with these devices; nothing was changed. */
size_t bus_save(const struct bus *bus, void *buffer, size_t bytes);
bool bus_restore(struct bus *bus, const void *buffer, size_t bytes);

#endif
