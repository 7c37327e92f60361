/* SPDX-License-Identifier: MIT */
/* io/pic.c - the two interrupt controllers of an AT: sixteen lines in, one
 * out, the second chip cascaded into input 2 of the first.
 *
 * Modelled: ICW1-4, OCW1-3, edge and level triggering (chip-wide by ICW1, line
 * by line by the ELCR), fixed and rotating priority, special mask mode,
 * automatic and specific EOI, poll mode, spurious interrupts 7 and 15, special
 * fully nested mode. Not modelled: the MCS-80/85 call vectors.
 *
 * A latched edge request stays in the IRR until it is acknowledged, also when
 * the line goes low before: the data sheet asks for the line to stay high, but
 * guests were written on chip sets that latch.
 *
 * References: Intel, "8259A Programmable Interrupt Controller"; Intel,
 * "82371SB (PIIX3)", Edge/Level Control Registers.
 */
#include "io/devices.h"

enum {
    MASTER = 0,
    SLAVE = 1,
    CHIPS = 2,
    INPUTS = 8,
    CASCADE_INPUT = 2,
    SPURIOUS_INPUT = 7,

    MASTER_PORT = 0x20,
    SLAVE_PORT = 0xA0,
    ELCR_PORT = 0x4D0,
    PORT_COMMAND = 0, /* offsets */
    PORT_DATA = 1,

    ICW1 = 0x10, /* in a command: this is ICW1 */
    ICW1_ICW4 = 0x01,
    ICW1_SINGLE = 0x02,
    ICW1_LEVEL = 0x08,
    ICW2_BASE = 0xF8,
    ICW4_AUTO_EOI = 0x02,
    ICW4_NESTED = 0x10,

    OCW3 = 0x08, /* in a command: this is OCW3 */
    OCW3_READ = 0x02,
    OCW3_READ_ISR = 0x01,
    OCW3_POLL = 0x04,
    OCW3_SET_MASK_MODE = 0x40,
    OCW3_SPECIAL_MASK = 0x20,
    OCW2_LEVEL = 0x07,
    OCW2_KIND_SHIFT = 5,
    POLL_PENDING = 0x80,

    /* What a BIOS leaves: real-mode vectors; timer, keyboard, cascade, floppy,
     * and real-time clock, mouse, FPU and disk unmasked. */
    BIOS_MASTER_BASE = 0x08,
    BIOS_SLAVE_BASE = 0x70,
    BIOS_MASTER_MASK = 0xB8,
    BIOS_SLAVE_MASK = 0x8E,

    /* Lines that can only be edge triggered: 0, 1, 2 and 8, 13. */
    MASTER_ELCR_WRITABLE = 0xF8,
    SLAVE_ELCR_WRITABLE = 0xDE,
};

/* OCW2's upper three bits. */
enum ocw2 {
    ROTATE_AUTO_CLEAR = 0,
    EOI = 1,
    NO_OPERATION = 2,
    EOI_SPECIFIC = 3,
    ROTATE_AUTO_SET = 4,
    EOI_ROTATE = 5,
    SET_PRIORITY = 6,
    EOI_ROTATE_SPECIFIC = 7,
};

enum init_step { INIT_DONE, INIT_ICW2, INIT_ICW3, INIT_ICW4 };

struct chip {
    uint8_t irr, isr, imr;
    uint8_t lines; /* the inputs, as they are now */
    uint8_t elcr;
    uint8_t base;
    uint8_t lowest; /* the input with the lowest priority */
    uint8_t init;   /* enum init_step: the ICW that comes next */
    bool icw4_follows, single, level;
    bool auto_eoi, rotate_on_auto_eoi, special_mask, nested;
    bool read_isr, poll;
};

struct pic {
    struct device dev;
    struct irq_line intr;
    struct pic_state {
        struct chip chip[CHIPS];
        bool intr; /* the output, as last told */
    } state;
};

static uint8_t bit(unsigned input)
{
    return (uint8_t)(1u << input);
}

/* Inputs in the order of priority, the highest first. */
static unsigned by_priority(const struct chip *c, unsigned rank)
{
    return (c->lowest + 1u + rank) % INPUTS;
}

/* The input to be served next, or -1. A request must be unmasked and of higher
 * priority than everything in service. */
static int next_request(const struct chip *c, bool master)
{
    uint8_t requests = c->irr & (uint8_t)~c->imr;
    for (unsigned rank = 0; rank < INPUTS; rank++) {
        unsigned input = by_priority(c, rank);
        bool in_service = c->isr & bit(input);
        /* Special mask mode: masked levels in service hold nobody back. */
        if (c->special_mask && (c->imr & bit(input)))
            in_service = false;
        /* Special fully nested: the slave may interrupt its own service. */
        if (master && c->nested && input == CASCADE_INPUT && in_service &&
            (requests & bit(input)))
            return (int)input;
        if (in_service)
            return -1;
        if (requests & bit(input))
            return (int)input;
    }
    return -1;
}

static bool is_level(const struct chip *c, unsigned input)
{
    return c->level || (c->elcr & bit(input));
}

static void chip_set_line(struct chip *c, unsigned input, bool level)
{
    bool was = c->lines & bit(input);
    if (level)
        c->lines |= bit(input);
    else
        c->lines &= (uint8_t)~bit(input);
    if (is_level(c, input))
        c->irr = (uint8_t)((c->irr & ~bit(input)) | (c->lines & bit(input)));
    else if (level && !was)
        c->irr |= bit(input);
}

/* Carry the slave's output to the master and the master's to the processor. */
static void propagate(struct pic *pic)
{
    struct chip *c = pic->state.chip;
    bool slave = next_request(&c[SLAVE], false) >= 0;
    chip_set_line(&c[MASTER], CASCADE_INPUT, slave);
    bool intr = next_request(&c[MASTER], true) >= 0;
    if (intr == pic->state.intr)
        return;
    pic->state.intr = intr;
    irq_set(&pic->intr, intr);
}

void pic_set_line(struct pic *pic, unsigned irq, bool level)
{
    if (irq >= CHIPS * INPUTS || irq == CASCADE_INPUT)
        return;
    chip_set_line(&pic->state.chip[irq / INPUTS], irq % INPUTS, level);
    propagate(pic);
}

bool pic_intr(const struct pic *pic)
{
    return pic->state.intr;
}

bool pic_takes(const struct pic *pic, unsigned irq)
{
    const struct chip *c = &pic->state.chip[irq / INPUTS];
    return c->base != (irq < INPUTS ? BIOS_MASTER_BASE : BIOS_SLAVE_BASE) &&
           c->init == INIT_DONE && !(c->imr & bit(irq % INPUTS));
}

/* One INTA cycle at a chip: the input it names. With nothing (any more) to
 * name it is 7, and no bit goes into service. */
static unsigned chip_acknowledge(struct chip *c, bool master)
{
    int input = next_request(c, master);
    if (input < 0)
        return SPURIOUS_INPUT;
    if (!is_level(c, (unsigned)input))
        c->irr &= (uint8_t)~bit((unsigned)input);
    if (!c->auto_eoi)
        c->isr |= bit((unsigned)input);
    else if (c->rotate_on_auto_eoi)
        c->lowest = (uint8_t)input;
    return (unsigned)input;
}

void pic_drop_requests(struct pic *pic)
{
    for (unsigned i = 0; i < CHIPS; i++)
        pic->state.chip[i].irr = 0;
    propagate(pic);
}

uint8_t pic_acknowledge(struct pic *pic)
{
    struct chip *c = pic->state.chip;
    unsigned input = chip_acknowledge(&c[MASTER], true);
    uint8_t vector = (uint8_t)(c[MASTER].base + input);
    if (input == CASCADE_INPUT) {
        /* The slave answers; if it has withdrawn, with its spurious 7, which
         * is IRQ 15. Its output drops, so that what it still has to say is a
         * new edge. */
        input = chip_acknowledge(&c[SLAVE], false);
        vector = (uint8_t)(c[SLAVE].base + input);
        chip_set_line(&c[MASTER], CASCADE_INPUT, false);
    }
    propagate(pic);
    return vector;
}

static void start_init(struct chip *c, uint32_t icw1)
{
    uint8_t elcr = c->elcr, lines = c->lines;
    *c = (struct chip){.elcr = elcr, .lines = lines};
    c->lowest = INPUTS - 1;
    c->init = INIT_ICW2;
    c->icw4_follows = icw1 & ICW1_ICW4;
    c->single = icw1 & ICW1_SINGLE;
    c->level = icw1 & ICW1_LEVEL;
    /* Edges start anew: a line that is high must fall and rise again. */
    c->irr = c->level ? lines : (uint8_t)(lines & elcr);
}

/* The highest-priority input in service, for a non-specific EOI. */
static int in_service(const struct chip *c)
{
    for (unsigned rank = 0; rank < INPUTS; rank++) {
        unsigned input = by_priority(c, rank);
        bool hidden = c->special_mask && (c->imr & bit(input));
        if ((c->isr & bit(input)) && !hidden)
            return (int)input;
    }
    return -1;
}

static void write_ocw2(struct chip *c, uint32_t value)
{
    enum ocw2 kind = (enum ocw2)(value >> OCW2_KIND_SHIFT);
    int input = (int)(value & OCW2_LEVEL);
    if (kind == EOI || kind == EOI_ROTATE)
        input = in_service(c);
    switch (kind) {
    case ROTATE_AUTO_CLEAR: c->rotate_on_auto_eoi = false; break;
    case ROTATE_AUTO_SET: c->rotate_on_auto_eoi = true; break;
    case NO_OPERATION: break;
    case SET_PRIORITY: c->lowest = (uint8_t)input; break;
    case EOI:
    case EOI_SPECIFIC:
    case EOI_ROTATE:
    case EOI_ROTATE_SPECIFIC:
        if (input < 0)
            break;
        c->isr &= (uint8_t)~bit((unsigned)input);
        if (kind == EOI_ROTATE || kind == EOI_ROTATE_SPECIFIC)
            c->lowest = (uint8_t)input;
        break;
    }
}

static void write_ocw3(struct chip *c, uint32_t value)
{
    if (value & OCW3_POLL)
        c->poll = true;
    else if (value & OCW3_READ)
        c->read_isr = value & OCW3_READ_ISR;
    if (value & OCW3_SET_MASK_MODE)
        c->special_mask = value & OCW3_SPECIAL_MASK;
}

static void write_data(struct chip *c, uint32_t value)
{
    switch ((enum init_step)c->init) {
    case INIT_DONE: c->imr = (uint8_t)value; break;
    case INIT_ICW2:
        c->base = value & ICW2_BASE;
        c->init = !c->single        ? INIT_ICW3
                  : c->icw4_follows ? INIT_ICW4
                                    : INIT_DONE;
        break;
    case INIT_ICW3: /* the cascade is soldered */
        c->init = c->icw4_follows ? INIT_ICW4 : INIT_DONE;
        break;
    case INIT_ICW4:
        c->auto_eoi = value & ICW4_AUTO_EOI;
        c->nested = value & ICW4_NESTED;
        c->init = INIT_DONE;
        break;
    }
}

static void chip_write(struct pic *pic, unsigned which, uint32_t offset,
                       uint32_t value)
{
    struct chip *c = &pic->state.chip[which];
    if (offset == PORT_DATA)
        write_data(c, value);
    else if (value & ICW1)
        start_init(c, value);
    else if (value & OCW3)
        write_ocw3(c, value);
    else
        write_ocw2(c, value);
    propagate(pic);
}

static uint32_t chip_read(struct pic *pic, unsigned which, uint32_t offset)
{
    struct chip *c = &pic->state.chip[which];
    if (c->poll) { /* the read is the acknowledge */
        c->poll = false;
        bool pending = next_request(c, which == MASTER) >= 0;
        uint32_t input = chip_acknowledge(c, which == MASTER);
        propagate(pic);
        return pending ? POLL_PENDING | input : 0;
    }
    if (offset == PORT_DATA)
        return c->imr;
    return c->read_isr ? c->isr : c->irr;
}

static uint32_t master_read(struct device *dev, uint32_t offset, unsigned size)
{
    (void)size;
    return chip_read((struct pic *)dev, MASTER, offset);
}

static void master_write(struct device *dev, uint32_t offset, unsigned size,
                         uint32_t value)
{
    (void)size;
    chip_write((struct pic *)dev, MASTER, offset, value);
}

static uint32_t slave_read(struct device *dev, uint32_t offset, unsigned size)
{
    (void)size;
    return chip_read((struct pic *)dev, SLAVE, offset);
}

static void slave_write(struct device *dev, uint32_t offset, unsigned size,
                        uint32_t value)
{
    (void)size;
    chip_write((struct pic *)dev, SLAVE, offset, value);
}

static uint32_t elcr_read(struct device *dev, uint32_t offset, unsigned size)
{
    (void)size;
    return ((struct pic *)dev)->state.chip[offset].elcr;
}

static void elcr_write(struct device *dev, uint32_t offset, unsigned size,
                       uint32_t value)
{
    static const uint8_t writable[CHIPS] = {MASTER_ELCR_WRITABLE,
                                            SLAVE_ELCR_WRITABLE};
    struct pic *pic = (struct pic *)dev;
    (void)size;
    pic->state.chip[offset].elcr = (uint8_t)(value & writable[offset]);
}

static void pic_reset(struct device *dev)
{
    struct pic *pic = (struct pic *)dev;
    struct chip *c = pic->state.chip;
    for (unsigned i = 0; i < CHIPS; i++)
        c[i] = (struct chip){.lines = c[i].lines};
    c[MASTER].base = BIOS_MASTER_BASE;
    c[MASTER].imr = BIOS_MASTER_MASK;
    c[SLAVE].base = BIOS_SLAVE_BASE;
    c[SLAVE].imr = BIOS_SLAVE_MASK;
    c[MASTER].lowest = c[SLAVE].lowest = INPUTS - 1;
    propagate(pic);
}

static const struct region_ops master_ops = {"pic0", 1, master_read,
                                             master_write};
static const struct region_ops slave_ops = {"pic1", 1, slave_read, slave_write};
static const struct region_ops elcr_ops = {"pic.elcr", 1, elcr_read,
                                           elcr_write};

static const struct device_ops pic_ops = {
    .name = "pic",
    .cite = "Intel, 8259A Programmable Interrupt Controller",
    .reset = pic_reset,
    .state_offset = offsetof(struct pic, state),
    .state_bytes = sizeof(struct pic_state),
};

struct pic *pic_create(struct bus *bus, struct irq_line intr)
{
    struct pic *pic = device_create(bus, sizeof *pic, &pic_ops);
    if (!pic)
        return NULL;
    pic->intr = intr;
    pic_reset(&pic->dev);
    bool placed = bus_add_ports(bus, &pic->dev, &master_ops, MASTER_PORT, 2) &&
                  bus_add_ports(bus, &pic->dev, &slave_ops, SLAVE_PORT, 2) &&
                  bus_add_ports(bus, &pic->dev, &elcr_ops, ELCR_PORT, CHIPS);
    return placed ? pic : NULL;
}
