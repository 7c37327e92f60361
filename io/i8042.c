/* SPDX-License-Identifier: MIT */
/* io/i8042.c - the keyboard controller of an AT and the keyboard on it.
 *
 * Modelled: status and output buffer, command byte and controller RAM, self
 * tests, output port with A20 and reset, scan code translation, the keyboard's
 * command set, IRQ 1. No mouse: its interface fails the test (clock line
 * stuck low), so drivers give it up at once. Keys come from outside in scan
 * code set 1, which is what a translating controller shows; without
 * translation they are sent in set 2.
 *
 * References: IBM, "Personal Computer AT Technical Reference" (keyboard
 * controller); IBM, "PS/2 Hardware Interface Technical Reference", Keyboard
 * and Auxiliary Device Controller.
 */
#include "io/devices.h"

#include <string.h>

enum {
    DATA_PORT = 0x60,
    COMMAND_PORT = 0x64,
    QUEUE_BYTES = 32,
    RAM_BYTES = 32,
    POLLS = 256, /* of the status, one after the other: somebody waits */

    STATUS_FULL = 0x01,
    STATUS_SYSTEM = 0x04,
    STATUS_COMMAND = 0x08, /* the last write went to port 64h */
    STATUS_UNLOCKED = 0x10,

    MODE_INTERRUPT = 0x01, /* the command byte */
    MODE_DISABLE_KEYBOARD = 0x10,
    MODE_DISABLE_MOUSE = 0x20,
    MODE_TRANSLATE = 0x40,

    OUTPUT_RUN = 0x01, /* 0 holds the processor in reset */
    OUTPUT_A20 = 0x02,
    OUTPUT_FULL = 0x10,
    OUTPUT_LINES = 0xC0,
    INPUT_UNLOCKED = 0x80,

    SELF_TEST_PASSED = 0x55,
    INTERFACE_PASSED = 0x00,
    CLOCK_STUCK_LOW = 0x01,

    KEY_ACK = 0xFA,
    KEY_RESEND = 0xFE,
    KEY_ECHO = 0xEE,
    KEY_TEST_PASSED = 0xAA,
    KEY_ID = 0xAB,
    KEY_ID_SET2 = 0x83,
    KEY_ID_TRANSLATED = 0x41,
    KEY_RELEASED = 0x80, /* set 1 */
    KEY_BREAK = 0xF0,    /* set 2 */
    KEY_EXTENDED = 0xE0,
    KEY_EXTENDED1 = 0xE1,
    KEY_DEFAULT_SET = 2,
};

enum controller_command {
    READ_RAM = 0x20, /* to 0x3F; 0x20 is the command byte */
    WRITE_RAM = 0x60,
    DISABLE_MOUSE = 0xA7,
    ENABLE_MOUSE = 0xA8,
    TEST_MOUSE = 0xA9,
    SELF_TEST = 0xAA,
    TEST_KEYBOARD = 0xAB,
    DISABLE_KEYBOARD = 0xAD,
    ENABLE_KEYBOARD = 0xAE,
    READ_INPUT = 0xC0,
    READ_OUTPUT = 0xD0,
    WRITE_OUTPUT = 0xD1,
    WRITE_KEYBOARD_BUFFER = 0xD2,
    WRITE_MOUSE_BUFFER = 0xD3,
    WRITE_MOUSE = 0xD4,
    A20_OFF = 0xDD,
    A20_ON = 0xDF,
    READ_TEST_INPUTS = 0xE0,
    PULSE_OUTPUT = 0xF0, /* to 0xFF: the lines whose bit is 0 */
};

enum keyboard_command {
    KEYBOARD_LEDS = 0xED,
    KEYBOARD_ECHO = 0xEE,
    KEYBOARD_SET = 0xF0,
    KEYBOARD_IDENTIFY = 0xF2,
    KEYBOARD_RATE = 0xF3,
    KEYBOARD_ENABLE = 0xF4,
    KEYBOARD_DISABLE = 0xF5,
    KEYBOARD_DEFAULTS = 0xF6,
    KEYBOARD_RESEND = 0xFE,
    KEYBOARD_RESET = 0xFF,
};

struct i8042 {
    struct device dev;
    struct irq_line irq;
    struct power *power;
    struct i8042_state {
        uint8_t ram[RAM_BYTES];     /* [0] is the command byte */
        uint8_t queue[QUEUE_BYTES]; /* what the keyboard has to say */
        uint8_t head, count;
        uint8_t reply; /* the controller's own, which goes first */
        bool replies;
        uint8_t controller_waits, keyboard_waits; /* command that wants data */
        bool last_was_command;
        bool scanning;
        uint8_t set, leds, last_sent;
        uint16_t polls; /* of a status that said nothing is there */
    } state;
};

/* Scan code set 1 to set 2 (a US keyboard). */
static const uint8_t set2_code[] = {
    0x00, 0x76, 0x16, 0x1E, 0x26, 0x25, 0x2E, 0x36, 0x3D, 0x3E, 0x46, 0x45,
    0x4E, 0x55, 0x66, 0x0D, 0x15, 0x1D, 0x24, 0x2D, 0x2C, 0x35, 0x3C, 0x43,
    0x44, 0x4D, 0x54, 0x5B, 0x5A, 0x14, 0x1C, 0x1B, 0x23, 0x2B, 0x34, 0x33,
    0x3B, 0x42, 0x4B, 0x4C, 0x52, 0x0E, 0x12, 0x5D, 0x1A, 0x22, 0x21, 0x2A,
    0x32, 0x31, 0x3A, 0x41, 0x49, 0x4A, 0x59, 0x7C, 0x11, 0x29, 0x58, 0x05,
    0x06, 0x04, 0x0C, 0x03, 0x0B, 0x83, 0x0A, 0x01, 0x09, 0x77, 0x7E, 0x6C,
    0x75, 0x7D, 0x7B, 0x6B, 0x73, 0x74, 0x79, 0x69, 0x72, 0x7A, 0x70, 0x71,
    0x84, 0x60, 0x61, 0x78, 0x07,
};

static bool has_output(const struct i8042_state *s)
{
    return s->replies || (s->count && !(s->ram[0] & MODE_DISABLE_KEYBOARD));
}

static void update_irq(struct i8042 *kbd)
{
    const struct i8042_state *s = &kbd->state;
    irq_set(&kbd->irq, (s->ram[0] & MODE_INTERRUPT) && has_output(s));
}

static void reply(struct i8042_state *s, uint8_t byte)
{
    s->reply = byte;
    s->replies = true;
}

static void enqueue(struct i8042_state *s, uint8_t byte)
{
    if (s->count == QUEUE_BYTES)
        return;
    s->queue[(s->head + s->count) % QUEUE_BYTES] = byte;
    s->count++;
}

bool i8042_ready(const struct i8042 *kbd)
{
    const struct i8042_state *s = &kbd->state;
    return s->scanning && !has_output(s) && s->count == 0 &&
           !(s->ram[0] & MODE_DISABLE_KEYBOARD);
}

bool i8042_polled(const struct i8042 *kbd)
{
    return kbd->state.polls >= POLLS;
}

bool i8042_scancode(struct i8042 *kbd, uint8_t set1_code)
{
    struct i8042_state *s = &kbd->state;
    if (!s->scanning)
        return true; /* the keyboard is off: the key is lost */
    if (s->count + 2 > QUEUE_BYTES)
        return false;
    uint8_t key = set1_code & (uint8_t)~KEY_RELEASED;
    bool prefix = set1_code == KEY_EXTENDED || set1_code == KEY_EXTENDED1;
    if ((s->ram[0] & MODE_TRANSLATE) || s->set != KEY_DEFAULT_SET || prefix ||
        key >= sizeof set2_code) {
        enqueue(s, set1_code);
    } else {
        if (set1_code & KEY_RELEASED)
            enqueue(s, KEY_BREAK);
        enqueue(s, set2_code[key]);
    }
    update_irq(kbd);
    return true;
}

/* ---- The keyboard ---- */

static void keyboard_defaults(struct i8042_state *s)
{
    s->scanning = true;
    s->set = KEY_DEFAULT_SET;
    s->leds = 0;
}

static void keyboard_argument(struct i8042_state *s, uint8_t value)
{
    uint8_t command = s->keyboard_waits;
    s->keyboard_waits = 0;
    enqueue(s, KEY_ACK);
    if (command == KEYBOARD_LEDS)
        s->leds = value;
    else if (command == KEYBOARD_SET && value == 0)
        enqueue(s, s->set);
    else if (command == KEYBOARD_SET)
        s->set = value;
}

static void keyboard_command(struct i8042_state *s, uint8_t value)
{
    if (s->keyboard_waits && value < KEYBOARD_LEDS) {
        keyboard_argument(s, value);
        return;
    }
    s->keyboard_waits = 0;
    switch (value) {
    case KEYBOARD_ECHO: enqueue(s, KEY_ECHO); break;
    case KEYBOARD_LEDS:
    case KEYBOARD_SET:
    case KEYBOARD_RATE:
        s->keyboard_waits = value;
        enqueue(s, KEY_ACK);
        break;
    case KEYBOARD_IDENTIFY:
        enqueue(s, KEY_ACK);
        enqueue(s, KEY_ID);
        enqueue(s,
                s->ram[0] & MODE_TRANSLATE ? KEY_ID_TRANSLATED : KEY_ID_SET2);
        break;
    case KEYBOARD_ENABLE:
        s->scanning = true;
        enqueue(s, KEY_ACK);
        break;
    case KEYBOARD_DISABLE:
        keyboard_defaults(s);
        s->scanning = false;
        enqueue(s, KEY_ACK);
        break;
    case KEYBOARD_DEFAULTS:
        keyboard_defaults(s);
        enqueue(s, KEY_ACK);
        break;
    case KEYBOARD_RESEND: enqueue(s, s->last_sent); break;
    case KEYBOARD_RESET:
        keyboard_defaults(s);
        s->count = 0;
        enqueue(s, KEY_ACK);
        enqueue(s, KEY_TEST_PASSED);
        break;
    default: enqueue(s, KEY_RESEND); break; /* not understood */
    }
}

/* ---- The controller ---- */

static void write_output_port(struct i8042 *kbd, uint8_t value)
{
    power_set_a20(kbd->power, value & OUTPUT_A20);
    if (!(value & OUTPUT_RUN))
        power_request_reset(kbd->power);
}

static uint8_t output_port(const struct i8042 *kbd)
{
    return (uint8_t)(OUTPUT_RUN | OUTPUT_LINES |
                     (power_a20(kbd->power) ? OUTPUT_A20 : 0) |
                     (has_output(&kbd->state) ? OUTPUT_FULL : 0));
}

static void controller_command(struct i8042 *kbd, uint8_t command)
{
    struct i8042_state *s = &kbd->state;
    s->controller_waits = 0;
    switch (command) {
    case WRITE_OUTPUT:
    case WRITE_KEYBOARD_BUFFER:
    case WRITE_MOUSE_BUFFER:
    case WRITE_MOUSE: s->controller_waits = command; break;
    case DISABLE_MOUSE: s->ram[0] |= MODE_DISABLE_MOUSE; break;
    case ENABLE_MOUSE: s->ram[0] &= (uint8_t)~MODE_DISABLE_MOUSE; break;
    case TEST_MOUSE: reply(s, CLOCK_STUCK_LOW); break;
    case SELF_TEST: reply(s, SELF_TEST_PASSED); break;
    case TEST_KEYBOARD: reply(s, INTERFACE_PASSED); break;
    case DISABLE_KEYBOARD: s->ram[0] |= MODE_DISABLE_KEYBOARD; break;
    case ENABLE_KEYBOARD: s->ram[0] &= (uint8_t)~MODE_DISABLE_KEYBOARD; break;
    case READ_INPUT: reply(s, INPUT_UNLOCKED); break;
    case READ_OUTPUT: reply(s, output_port(kbd)); break;
    case A20_OFF: power_set_a20(kbd->power, false); break;
    case A20_ON: power_set_a20(kbd->power, true); break;
    case READ_TEST_INPUTS: reply(s, 0); break;
    default:
        if (command >= READ_RAM && command < READ_RAM + RAM_BYTES)
            reply(s, s->ram[command - READ_RAM]);
        else if (command >= WRITE_RAM && command < WRITE_RAM + RAM_BYTES)
            s->controller_waits = command;
        else if (command >= PULSE_OUTPUT && !(command & OUTPUT_RUN))
            power_request_reset(kbd->power);
        break;
    }
}

static void controller_argument(struct i8042 *kbd, uint8_t value)
{
    struct i8042_state *s = &kbd->state;
    uint8_t command = s->controller_waits;
    s->controller_waits = 0;
    switch (command) {
    case WRITE_OUTPUT: write_output_port(kbd, value); break;
    case WRITE_KEYBOARD_BUFFER:
    case WRITE_MOUSE_BUFFER: reply(s, value); break;
    case WRITE_MOUSE: break; /* nobody there */
    default: s->ram[command - WRITE_RAM] = value; break;
    }
}

static void data_write(struct device *dev, uint32_t offset, unsigned size,
                       uint32_t value)
{
    struct i8042 *kbd = (struct i8042 *)dev;
    struct i8042_state *s = &kbd->state;
    (void)offset, (void)size;
    s->last_was_command = false;
    s->polls = 0;
    if (s->controller_waits) {
        controller_argument(kbd, (uint8_t)value);
    } else {
        /* Talking to the keyboard switches its interface on. */
        s->ram[0] &= (uint8_t)~MODE_DISABLE_KEYBOARD;
        keyboard_command(s, (uint8_t)value);
    }
    update_irq(kbd);
}

static uint32_t data_read(struct device *dev, uint32_t offset, unsigned size)
{
    struct i8042 *kbd = (struct i8042 *)dev;
    struct i8042_state *s = &kbd->state;
    (void)offset, (void)size;
    if (!has_output(s))
        return s->last_sent; /* the buffer still holds what was read last */
    if (s->replies) {
        s->replies = false;
        s->last_sent = s->reply;
    } else {
        s->last_sent = s->queue[s->head];
        s->head = (uint8_t)((s->head + 1) % QUEUE_BYTES);
        s->count--;
    }
    /* The buffer is empty for a moment; what is next is a new edge. */
    irq_set(&kbd->irq, false);
    update_irq(kbd);
    return s->last_sent;
}

static void command_write(struct device *dev, uint32_t offset, unsigned size,
                          uint32_t value)
{
    struct i8042 *kbd = (struct i8042 *)dev;
    (void)offset, (void)size;
    kbd->state.last_was_command = true;
    kbd->state.polls = 0;
    controller_command(kbd, (uint8_t)value);
    update_irq(kbd);
}

static uint32_t status_read(struct device *dev, uint32_t offset, unsigned size)
{
    struct i8042_state *s = &((struct i8042 *)dev)->state;
    (void)offset, (void)size;
    if (has_output(s))
        s->polls = 0;
    else if (s->polls < POLLS)
        s->polls++;
    return STATUS_SYSTEM | STATUS_UNLOCKED |
           (s->last_was_command ? STATUS_COMMAND : 0u) |
           (has_output(s) ? STATUS_FULL : 0u);
}

static void i8042_reset(struct device *dev)
{
    struct i8042 *kbd = (struct i8042 *)dev;
    memset(&kbd->state, 0, sizeof kbd->state);
    kbd->state.ram[0] = MODE_INTERRUPT | MODE_DISABLE_MOUSE | MODE_TRANSLATE;
    keyboard_defaults(&kbd->state);
    update_irq(kbd);
}

static const struct region_ops data_ops = {"i8042.data", 1, data_read,
                                           data_write};
static const struct region_ops command_ops = {"i8042.command", 1, status_read,
                                              command_write};

static const struct device_ops i8042_ops = {
    .name = "i8042",
    .cite = "IBM, Personal Computer AT Technical Reference",
    .reset = i8042_reset,
    .state_offset = offsetof(struct i8042, state),
    .state_bytes = sizeof(struct i8042_state),
};

struct i8042 *i8042_create(struct bus *bus, struct irq_line irq1,
                           struct power *power)
{
    struct i8042 *kbd = device_create(bus, sizeof *kbd, &i8042_ops);
    if (!kbd)
        return NULL;
    kbd->irq = irq1;
    kbd->power = power;
    i8042_reset(&kbd->dev);
    bool placed = bus_add_ports(bus, &kbd->dev, &data_ops, DATA_PORT, 1) &&
                  bus_add_ports(bus, &kbd->dev, &command_ops, COMMAND_PORT, 1);
    return placed ? kbd : NULL;
}
