/* SPDX-License-Identifier: MIT */
/* io/vga.c - the registers of a VGA in colour text mode.
 *
 * The CRTC, sequencer, graphics controller, attribute controller and palette
 * are there to be written and read back. What acts: the cursor and the start
 * address, the write protection of the first CRTC registers, the attribute
 * controller's flip-flop, the palette's byte counters, and a retrace that comes
 * 70 times a second. The text memory at 0xB8000 is plain memory of the owner;
 * fonts, planes and graphics modes are absent.
 *
 * Reference: IBM, "Personal System/2 Display Adapter: VGA" technical
 * reference.
 */
#include "io/devices.h"

#include <string.h>

enum {
    VGA_PORT = 0x3C0,
    VGA_PORTS = 0x20,

    /* Offsets from 0x3C0. */
    ATTRIBUTE_WRITE = 0x00,
    ATTRIBUTE_READ = 0x01,
    MISC_WRITE = 0x02, /* input status 0 on read */
    SEQUENCER_INDEX = 0x04,
    SEQUENCER_DATA = 0x05,
    PALETTE_MASK = 0x06,
    PALETTE_READ_INDEX = 0x07, /* palette state on read */
    PALETTE_WRITE_INDEX = 0x08,
    PALETTE_DATA = 0x09,
    FEATURE_READ = 0x0A,
    MISC_READ = 0x0C,
    GRAPHICS_INDEX = 0x0E,
    GRAPHICS_DATA = 0x0F,
    CRTC_INDEX = 0x14,
    CRTC_DATA = 0x15,
    STATUS = 0x1A, /* feature control on write */

    CRTC_REGISTERS = 32,
    SEQUENCER_REGISTERS = 8,
    GRAPHICS_REGISTERS = 16,
    ATTRIBUTE_REGISTERS = 32,
    PALETTE_BYTES = 256 * 3,
    PALETTE_BITS = 0x3F,

    CRTC_OVERFLOW = 0x07,
    CRTC_LINE_COMPARE_8 = 0x10, /* the bit of it that is never protected */
    CRTC_START_HIGH = 0x0C,
    CRTC_CURSOR_HIGH = 0x0E,
    CRTC_RETRACE_END = 0x11,
    CRTC_PROTECT = 0x80,

    ATTRIBUTE_INDEX = 0x1F,
    ATTRIBUTE_INDEX_BITS = 0x3F,
    ATTRIBUTE_PALETTE_ON = 0x20,

    STATUS_BLANK = 0x01,
    STATUS_RETRACE = 0x08,

    /* 720x400 at 70 Hz: 449 lines of 31.78 us, retrace in lines 412-413. */
    LINE_NS = 31778,
    LINE_SHOWN_NS = 25422,
    LINES = 449,
    LINES_SHOWN = 400,
    RETRACE_FIRST = 412,
    RETRACE_LINES = 2,
};

struct vga {
    struct device dev;
    struct vga_state {
        uint8_t crtc[CRTC_REGISTERS], sequencer[SEQUENCER_REGISTERS];
        uint8_t graphics[GRAPHICS_REGISTERS];
        uint8_t attribute[ATTRIBUTE_REGISTERS];
        uint8_t palette[PALETTE_BYTES];
        uint8_t crtc_index, sequencer_index, graphics_index, attribute_index;
        uint8_t misc, feature, palette_mask;
        uint16_t palette_read, palette_write; /* in bytes */
        bool palette_reading;
        bool attribute_data; /* the flip-flop: data comes next */
    } state;
};

/* Mode 3, 80x25 in 16 colours, as the BIOS sets it. */
static const uint8_t mode3_crtc[] = {
    0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00,
    0x4F, 0x0D, 0x0E, 0x00, 0x00, 0x00, 0x00, 0x9C, 0x8E,
    0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF,
};
static const uint8_t mode3_sequencer[] = {0x03, 0x00, 0x03, 0x00, 0x02};
static const uint8_t mode3_graphics[] = {0x00, 0x00, 0x00, 0x00, 0x00,
                                         0x10, 0x0E, 0x00, 0xFF};
static const uint8_t mode3_attribute[] = {
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3A,
    0x3B, 0x3C, 0x3D, 0x3E, 0x3F, 0x0C, 0x00, 0x0F, 0x08, 0x00,
};
enum { MODE3_MISC = 0x67 };

static unsigned crtc_word(const struct vga *vga, unsigned high)
{
    return (unsigned)vga->state.crtc[high] << 8 | vga->state.crtc[high + 1];
}

unsigned vga_start(const struct vga *vga)
{
    return crtc_word(vga, CRTC_START_HIGH);
}

unsigned vga_cursor(const struct vga *vga)
{
    return crtc_word(vga, CRTC_CURSOR_HIGH);
}

static void write_crtc(struct vga_state *s, uint8_t value)
{
    unsigned index = s->crtc_index % CRTC_REGISTERS;
    bool protect = s->crtc[CRTC_RETRACE_END] & CRTC_PROTECT;
    if (!protect || index > CRTC_OVERFLOW)
        s->crtc[index] = value;
    else if (index == CRTC_OVERFLOW)
        s->crtc[index] = (uint8_t)((s->crtc[index] & ~CRTC_LINE_COMPARE_8) |
                                   (value & CRTC_LINE_COMPARE_8));
}

static void write_attribute(struct vga_state *s, uint8_t value)
{
    if (s->attribute_data)
        s->attribute[s->attribute_index & ATTRIBUTE_INDEX] = value;
    else
        s->attribute_index = value & ATTRIBUTE_INDEX_BITS;
    s->attribute_data = !s->attribute_data;
}

static uint8_t read_palette(struct vga_state *s)
{
    uint8_t value = s->palette[s->palette_read];
    s->palette_read = (uint16_t)((s->palette_read + 1) % PALETTE_BYTES);
    return value;
}

static void write_palette(struct vga_state *s, uint8_t value)
{
    s->palette[s->palette_write] = value & PALETTE_BITS;
    s->palette_write = (uint16_t)((s->palette_write + 1) % PALETTE_BYTES);
}

static uint8_t read_status(struct vga *vga)
{
    bus_wait(vga->dev.bus, ISA_CYCLE_NS);
    uint64_t now = bus_now(vga->dev.bus);
    uint64_t line = now / LINE_NS % LINES;
    bool retrace = line - RETRACE_FIRST < RETRACE_LINES;
    bool blank = line >= LINES_SHOWN || now % LINE_NS >= LINE_SHOWN_NS;
    vga->state.attribute_data = false; /* reading it resets the flip-flop */
    return (uint8_t)((blank ? STATUS_BLANK : 0) |
                     (retrace ? STATUS_RETRACE : 0));
}

static void vga_write(struct device *dev, uint32_t offset, unsigned size,
                      uint32_t value32)
{
    struct vga_state *s = &((struct vga *)dev)->state;
    uint8_t value = (uint8_t)value32;
    (void)size;
    switch (offset) {
    case ATTRIBUTE_WRITE: write_attribute(s, value); break;
    case MISC_WRITE: s->misc = value; break;
    case SEQUENCER_INDEX: s->sequencer_index = value; break;
    case SEQUENCER_DATA:
        s->sequencer[s->sequencer_index % SEQUENCER_REGISTERS] = value;
        break;
    case PALETTE_MASK: s->palette_mask = value; break;
    case PALETTE_READ_INDEX:
        s->palette_read = (uint16_t)(value * 3);
        s->palette_reading = true;
        break;
    case PALETTE_WRITE_INDEX:
        s->palette_write = (uint16_t)(value * 3);
        s->palette_reading = false;
        break;
    case PALETTE_DATA: write_palette(s, value); break;
    case GRAPHICS_INDEX: s->graphics_index = value; break;
    case GRAPHICS_DATA:
        s->graphics[s->graphics_index % GRAPHICS_REGISTERS] = value;
        break;
    case CRTC_INDEX: s->crtc_index = value; break;
    case CRTC_DATA: write_crtc(s, value); break;
    case STATUS: s->feature = value; break;
    default: break;
    }
}

static uint32_t vga_read(struct device *dev, uint32_t offset, unsigned size)
{
    struct vga *vga = (struct vga *)dev;
    struct vga_state *s = &vga->state;
    (void)size;
    switch (offset) {
    case ATTRIBUTE_WRITE: return s->attribute_index;
    case ATTRIBUTE_READ:
        return s->attribute[s->attribute_index & ATTRIBUTE_INDEX];
    case MISC_WRITE: return 0; /* input status 0 */
    case SEQUENCER_INDEX: return s->sequencer_index;
    case SEQUENCER_DATA:
        return s->sequencer[s->sequencer_index % SEQUENCER_REGISTERS];
    case PALETTE_MASK: return s->palette_mask;
    case PALETTE_READ_INDEX: return s->palette_reading ? 3 : 0;
    case PALETTE_WRITE_INDEX: return s->palette_write / 3u;
    case PALETTE_DATA: return read_palette(s);
    case FEATURE_READ: return s->feature;
    case MISC_READ: return s->misc;
    case GRAPHICS_INDEX: return s->graphics_index;
    case GRAPHICS_DATA:
        return s->graphics[s->graphics_index % GRAPHICS_REGISTERS];
    case CRTC_INDEX: return s->crtc_index;
    case CRTC_DATA: return s->crtc[s->crtc_index % CRTC_REGISTERS];
    case STATUS: return read_status(vga);
    default: return UINT8_MAX;
    }
}

/* The 64 colours of an EGA: two bits each of red, green and blue, the weaker
 * ones in bits 5, 4 and 3. */
static void default_palette(uint8_t *palette)
{
    static const uint8_t levels[] = {0x00, 0x15, 0x2A, 0x3F};
    for (unsigned colour = 0; colour < 64; colour++)
        for (unsigned part = 0; part < 3; part++) {
            unsigned weak = colour >> (5 - part) & 1;
            unsigned strong = colour >> (2 - part) & 1;
            palette[colour * 3 + part] = levels[2 * strong + weak];
        }
}

static void vga_reset(struct device *dev)
{
    struct vga_state *s = &((struct vga *)dev)->state;
    memset(s, 0, sizeof *s);
    memcpy(s->crtc, mode3_crtc, sizeof mode3_crtc);
    memcpy(s->sequencer, mode3_sequencer, sizeof mode3_sequencer);
    memcpy(s->graphics, mode3_graphics, sizeof mode3_graphics);
    memcpy(s->attribute, mode3_attribute, sizeof mode3_attribute);
    s->attribute_index = ATTRIBUTE_PALETTE_ON;
    s->misc = MODE3_MISC;
    s->palette_mask = UINT8_MAX;
    default_palette(s->palette);
}

static const struct region_ops register_ops = {"vga", 1, vga_read, vga_write};

static const struct device_ops vga_ops = {
    .name = "vga",
    .cite = "IBM, Personal System/2 Display Adapter: VGA",
    .reset = vga_reset,
    .state_offset = offsetof(struct vga, state),
    .state_bytes = sizeof(struct vga_state),
};

struct vga *vga_create(struct bus *bus)
{
    struct vga *vga = device_create(bus, sizeof *vga, &vga_ops);
    if (!vga)
        return NULL;
    vga_reset(&vga->dev);
    if (!bus_add_ports(bus, &vga->dev, &register_ops, VGA_PORT, VGA_PORTS))
        return NULL;
    return vga;
}
