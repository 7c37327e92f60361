/* SPDX-License-Identifier: MIT */
/* io/ioapic.c - the I/O APIC: 24 input pins, each with an entry that says
 * which vector goes to which processor, and how.
 *
 * Modelled: edge and level triggering, mask, remote IRR and EOI, physical and
 * logical destination, delivery modes. Pins have no electrical level, only
 * asserted or not, so the polarity bit is kept and means nothing. An edge on a
 * masked pin is lost, as the data sheet says. ExtINT entries are kept but no
 * PIC hangs on a pin.
 *
 * Reference: Intel, "82093AA I/O Advanced Programmable Interrupt Controller".
 */
#include "io/devices.h"

#include <string.h>

#define IOAPIC_ADDRESS UINT64_C(0xFEC00000)

enum {
    IOAPIC_BYTES = 0x1000,
    WINDOW_SELECT = 0x00, /* offsets */
    WINDOW_DATA = 0x10,

    REG_ID = 0x00,
    REG_VERSION = 0x01,
    REG_ARBITRATION = 0x02,
    REG_ENTRIES = 0x10, /* two registers each */

    VERSION = 0x11,
    VERSION_PINS_SHIFT = 16,
    ID_BITS = 0x0F000000,

    ENTRY_MODE_SHIFT = 8,
    ENTRY_MODE = 7,
    ENTRY_LOGICAL = 0x800,
    ENTRY_REMOTE_IRR = 0x4000,
    ENTRY_LEVEL = 0x8000,
    ENTRY_MASKED = 0x10000,
    ENTRY_LOW_BITS = 0x1AFFF, /* writable */
    ENTRY_DESTINATION_SHIFT = 24,
};

struct entry {
    uint32_t low;
    uint32_t high;
};

struct ioapic {
    struct device dev;
    struct lapic *lapic;
    struct ioapic_state {
        struct entry entry[IOAPIC_PINS];
        uint32_t pins; /* bit n: pin n is asserted */
        uint32_t id;
        uint8_t select;
    } state;
};

/* Send the pin's message. A level-triggered one is not sent again before its
 * EOI, which the remote IRR remembers. */
static void send(struct ioapic *ioapic, struct entry *e)
{
    bool level = e->low & ENTRY_LEVEL;
    if ((e->low & ENTRY_MASKED) || (level && (e->low & ENTRY_REMOTE_IRR)))
        return;
    struct apic_message m = {
        .mode = (enum apic_mode)(e->low >> ENTRY_MODE_SHIFT & ENTRY_MODE),
        .vector = (uint8_t)e->low,
        .destination = (uint8_t)(e->high >> ENTRY_DESTINATION_SHIFT),
        .logical = e->low & ENTRY_LOGICAL,
        .level = level,
    };
    bool vectored = m.mode == APIC_FIXED || m.mode == APIC_LOWEST;
    if (lapic_deliver(ioapic->lapic, &m) && level && vectored)
        e->low |= ENTRY_REMOTE_IRR;
}

/* A level-triggered pin that is still asserted asks again. */
static void send_level(struct ioapic *ioapic, unsigned pin)
{
    struct entry *e = &ioapic->state.entry[pin];
    if ((e->low & ENTRY_LEVEL) && (ioapic->state.pins >> pin & 1))
        send(ioapic, e);
}

void ioapic_set_pin(struct ioapic *ioapic, unsigned pin, bool level)
{
    if (pin >= IOAPIC_PINS)
        return;
    uint32_t bit = UINT32_C(1) << pin;
    bool was = ioapic->state.pins & bit;
    if (level == was)
        return;
    ioapic->state.pins ^= bit;
    if (level)
        send(ioapic, &ioapic->state.entry[pin]);
}

bool ioapic_takes(const struct ioapic *ioapic, unsigned pin)
{
    return !(ioapic->state.entry[pin].low & ENTRY_MASKED);
}

void ioapic_eoi(struct ioapic *ioapic, uint8_t vector)
{
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        struct entry *e = &ioapic->state.entry[pin];
        if ((uint8_t)e->low != vector || !(e->low & ENTRY_REMOTE_IRR))
            continue;
        e->low &= ~(uint32_t)ENTRY_REMOTE_IRR;
        send_level(ioapic, pin);
    }
}

static uint32_t register_read(const struct ioapic *ioapic)
{
    const struct ioapic_state *s = &ioapic->state;
    switch (s->select) {
    case REG_ID:
    case REG_ARBITRATION: return s->id;
    case REG_VERSION: return VERSION | (IOAPIC_PINS - 1) << VERSION_PINS_SHIFT;
    default: break;
    }
    unsigned index = s->select - REG_ENTRIES;
    if (s->select < REG_ENTRIES || index >= 2 * IOAPIC_PINS)
        return 0;
    const struct entry *e = &s->entry[index / 2];
    return index % 2 ? e->high : e->low;
}

static void register_write(struct ioapic *ioapic, uint32_t value)
{
    struct ioapic_state *s = &ioapic->state;
    if (s->select == REG_ID)
        s->id = value & ID_BITS;
    unsigned index = s->select - REG_ENTRIES;
    if (s->select < REG_ENTRIES || index >= 2 * IOAPIC_PINS)
        return;
    struct entry *e = &s->entry[index / 2];
    if (index % 2) {
        e->high = value & UINT32_C(0xFF) << ENTRY_DESTINATION_SHIFT;
        return;
    }
    uint32_t remote_irr = e->low & ENTRY_REMOTE_IRR;
    e->low = value & ENTRY_LOW_BITS;
    if (e->low & ENTRY_LEVEL) /* an edge-triggered entry has none */
        e->low |= remote_irr;
    send_level(ioapic, index / 2);
}

static uint32_t ioapic_read(struct device *dev, uint32_t offset, unsigned size)
{
    const struct ioapic *ioapic = (struct ioapic *)dev;
    (void)size;
    switch (offset) {
    case WINDOW_SELECT: return ioapic->state.select;
    case WINDOW_DATA: return register_read(ioapic);
    default: return 0;
    }
}

static void ioapic_write(struct device *dev, uint32_t offset, unsigned size,
                         uint32_t value)
{
    struct ioapic *ioapic = (struct ioapic *)dev;
    if (offset == WINDOW_SELECT)
        ioapic->state.select = (uint8_t)value;
    else if (offset == WINDOW_DATA && size == 4)
        register_write(ioapic, value);
}

static void ioapic_reset(struct device *dev)
{
    struct ioapic *ioapic = (struct ioapic *)dev;
    uint32_t pins = ioapic->state.pins;
    memset(&ioapic->state, 0, sizeof ioapic->state);
    ioapic->state.pins = pins;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        ioapic->state.entry[pin].low = ENTRY_MASKED;
}

static const struct region_ops window_ops = {"ioapic", 0, ioapic_read,
                                             ioapic_write};

static const struct device_ops ioapic_ops = {
    .name = "ioapic",
    .cite = "Intel, 82093AA I/O APIC",
    .reset = ioapic_reset,
    .state_offset = offsetof(struct ioapic, state),
    .state_bytes = sizeof(struct ioapic_state),
};

struct ioapic *ioapic_create(struct bus *bus, struct lapic *lapic)
{
    struct ioapic *ioapic = device_create(bus, sizeof *ioapic, &ioapic_ops);
    if (!ioapic)
        return NULL;
    ioapic->lapic = lapic;
    ioapic_reset(&ioapic->dev);
    if (!bus_add_memory(bus, &ioapic->dev, &window_ops, IOAPIC_ADDRESS,
                        IOAPIC_BYTES))
        return NULL;
    return ioapic;
}
