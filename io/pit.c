/* SPDX-License-Identifier: MIT */
/* io/pit.c - the programmable interval timer and the speaker port that reads
 * its third counter.
 *
 * Three 16-bit counters run at 1193182 Hz. Nothing here counts: what a counter
 * holds and its output are functions of the virtual time since it was loaded,
 * and counter 0's next output change is the device's deadline. Times are
 * converted from whole ticks since time zero, so a periodic timer never
 * drifts.
 *
 * Modelled: modes 0-5, binary and BCD, byte and word access, counter latch,
 * read-back, null count, gates, a new count that waits for the end of the
 * period (modes 2, 3). Simplified: the mode 3 reading of an odd count.
 *
 * References: Intel, "8254 Programmable Interval Timer"; IBM, "Personal
 * Computer AT Technical Reference" (port 61h).
 */
#include "io/devices.h"

#include <string.h>

#define PIT_HZ UINT64_C(1193182)

enum {
    COUNTERS = 3,
    SPEAKER_COUNTER = 2,

    PIT_PORT = 0x40,
    PIT_PORTS = 4,
    PORT_CONTROL = 3, /* offset */
    SPEAKER_PORT = 0x61,

    CONTROL_BCD = 0x01,
    CONTROL_MODE_SHIFT = 1,
    CONTROL_MODE = 7,
    CONTROL_ACCESS_SHIFT = 4,
    CONTROL_ACCESS = 3,
    CONTROL_SELECT_SHIFT = 6,
    SELECT_READ_BACK = 3,
    READ_BACK_NO_COUNT = 0x20,
    READ_BACK_NO_STATUS = 0x10,
    STATUS_OUT = 0x80,
    STATUS_NULL = 0x40,

    ACCESS_LATCH = 0,
    ACCESS_LOW = 1,
    ACCESS_HIGH = 2,
    ACCESS_WORD = 3,

    SPEAKER_GATE = 0x01,
    SPEAKER_DATA = 0x02,
    SPEAKER_WRITABLE = 0x0F,
    SPEAKER_REFRESH = 0x10,
    SPEAKER_OUT = 0x20,
    REFRESH_TICKS = 18, /* memory refresh toggles a bit every 15 us */

    COUNT_MAX_BINARY = 0x10000,
    COUNT_MAX_BCD = 10000,
};

enum pit_mode {
    TERMINAL_COUNT = 0,
    ONE_SHOT = 1,
    RATE_GENERATOR = 2,
    SQUARE_WAVE = 3,
    SOFTWARE_STROBE = 4,
    HARDWARE_STROBE = 5,
};

struct counter {
    uint64_t start;  /* the tick at which it was loaded */
    uint64_t frozen; /* ticks it had run when the gate stopped it */
    uint64_t next_start;
    uint32_t count; /* 1..65536 */
    uint32_t next_count;
    uint8_t mode, access;
    bool bcd, gate;
    bool counting; /* loaded (modes 1 and 5: triggered too) */
    bool stopped;  /* by the gate */
    bool waiting;  /* next_count is to be loaded at next_start */
    bool write_high, read_high;
    uint8_t low_byte; /* of a word being written */
    bool latched, latch_high, status_latched;
    uint16_t latch;
    uint8_t status;
};

struct pit {
    struct device dev;
    struct irq_line irq;
    struct pit_state {
        struct counter counter[COUNTERS];
        uint64_t seen; /* the tick up to which counter 0 drove its line */
        uint8_t speaker;
    } state;
};

static uint64_t now_ticks(const struct pit *pit)
{
    return clock_ticks(bus_now(pit->dev.bus), PIT_HZ);
}

static bool is_periodic(const struct counter *c)
{
    return c->mode == RATE_GENERATOR || c->mode == SQUARE_WAVE;
}

static bool is_triggered(const struct counter *c)
{
    return c->mode == ONE_SHOT || c->mode == HARDWARE_STROBE;
}

/* Ticks a counter has run at a tick; before it is loaded, none. */
static uint64_t elapsed(const struct counter *c, uint64_t tick)
{
    if (c->stopped)
        return c->frozen;
    return tick > c->start ? tick - c->start : 0;
}

/* Let a count that waited for the end of the period become the count. */
static void load_waiting(struct counter *c, uint64_t tick)
{
    if (!c->waiting || c->stopped || tick < c->next_start)
        return;
    c->waiting = false;
    c->count = c->next_count;
    c->start = c->next_start;
}

static bool out_after(const struct counter *c, uint64_t ran)
{
    switch ((enum pit_mode)c->mode) {
    case TERMINAL_COUNT: return ran >= c->count;
    case ONE_SHOT: return ran >= c->count;
    case RATE_GENERATOR: return ran % c->count != c->count - 1;
    case SQUARE_WAVE: return ran % c->count < (c->count + 1) / 2;
    case SOFTWARE_STROBE:
    case HARDWARE_STROBE: return ran != c->count;
    }
    return true;
}

static bool output(const struct counter *c, uint64_t tick)
{
    if (!c->counting)
        return c->mode != TERMINAL_COUNT;
    if (c->stopped && is_periodic(c))
        return true;
    /* A one-shot is low from the tick it is loaded at. */
    if (is_triggered(c) && tick < c->start)
        return true;
    return out_after(c, elapsed(c, tick));
}

/* The next tick after `tick` at which the output may change; 0 for never. */
static uint64_t next_change(const struct counter *c, uint64_t tick)
{
    if (!c->counting || c->stopped)
        return 0;
    if (tick < c->start)
        return c->start;
    uint64_t ran = tick - c->start, end = c->count;
    uint64_t period = c->start + ran / c->count * c->count;
    uint64_t phase = ran % c->count, half = (c->count + 1u) / 2;
    switch ((enum pit_mode)c->mode) {
    case TERMINAL_COUNT:
    case ONE_SHOT: return ran < end ? c->start + end : 0;
    case RATE_GENERATOR:
        return phase < end - 1 ? period + end - 1 : period + end;
    case SQUARE_WAVE: return phase < half ? period + half : period + end;
    case SOFTWARE_STROBE:
    case HARDWARE_STROBE:
        return ran < end ? c->start + end : ran == end ? c->start + end + 1 : 0;
    }
    return 0;
}

static uint16_t to_bcd(uint32_t n)
{
    return (uint16_t)(n / 1000 % 10 << 12 | n / 100 % 10 << 8 |
                      n / 10 % 10 << 4 | n % 10);
}

static uint32_t from_bcd(uint32_t n)
{
    return (n >> 12 & 15) * 1000 + (n >> 8 & 15) * 100 + (n >> 4 & 15) * 10 +
           (n & 15);
}

static uint16_t reading(const struct counter *c, uint64_t tick)
{
    uint64_t ran = c->counting ? elapsed(c, tick) : 0;
    uint32_t wrap = c->bcd ? COUNT_MAX_BCD : COUNT_MAX_BINARY;
    uint32_t value;
    if (c->mode == RATE_GENERATOR) {
        value = c->count - (uint32_t)(ran % c->count);
    } else if (c->mode == SQUARE_WAVE) {
        uint32_t phase = (uint32_t)(ran % c->count);
        uint32_t half = (c->count + 1) / 2;
        value = (c->count & ~1u) - 2 * (phase < half ? phase : phase - half);
    } else {
        value = (uint32_t)((c->count % wrap + wrap - ran % wrap) % wrap);
    }
    return c->bcd ? to_bcd(value) : (uint16_t)value;
}

/* Drive IRQ 0 from counter 0. When several changes lie in the past (the owner
 * was busy), one edge stands for all: that is all a PIC could remember. */
static void drive_irq(struct pit *pit)
{
    struct counter *c = &pit->state.counter[0];
    uint64_t now = now_ticks(pit), from = pit->state.seen;
    bool rose = false;
    /* Two changes make a whole period; three are sure to show a rise. */
    for (int i = 0; i < 3; i++) {
        load_waiting(c, from);
        uint64_t change = next_change(c, from);
        if (change == 0 || change > now)
            break;
        rose |= !output(c, change - 1) && output(c, change);
        from = change;
    }
    load_waiting(c, now);
    pit->state.seen = now;
    if (rose)
        irq_set(&pit->irq, false);
    irq_set(&pit->irq, rose || output(c, now));
    if (rose && !output(c, now))
        irq_set(&pit->irq, false);

    uint64_t next = next_change(c, now);
    device_set_deadline(&pit->dev,
                        next ? clock_ns(next, PIT_HZ) : DEVICE_NEVER);
}

static void pit_timer(struct device *dev, uint64_t now_ns)
{
    (void)now_ns;
    drive_irq((struct pit *)dev);
}

static void start_counting(struct counter *c, uint64_t tick)
{
    c->counting = true;
    c->waiting = false;
    c->start = tick + 1; /* loaded by the next clock pulse */
    c->count = c->next_count;
    c->frozen = 0;
    c->stopped = !c->gate && !is_triggered(c);
}

/* A whole count has been written. */
static void load(struct counter *c, uint32_t raw, uint64_t tick)
{
    uint32_t count = c->bcd ? from_bcd(raw) : raw;
    if (count == 0)
        count = c->bcd ? COUNT_MAX_BCD : COUNT_MAX_BINARY;
    if (count == 1 && is_periodic(c))
        count = 2; /* "a count of 1 is illegal" in modes 2 and 3 */
    c->next_count = count;
    if (is_triggered(c))
        return; /* the gate's rising edge loads it */
    if (!is_periodic(c) || !c->counting || c->stopped) {
        start_counting(c, tick);
        return;
    }
    c->waiting = true;
    c->next_start = c->start;
    if (tick >= c->start) {
        uint64_t periods = (tick - c->start) / c->count + 1;
        c->next_start += periods * c->count;
    }
}

static void set_gate(struct counter *c, bool gate, uint64_t tick)
{
    bool rises = gate && !c->gate, falls = !gate && c->gate;
    c->gate = gate;
    if (is_triggered(c)) {
        if (rises && c->next_count)
            start_counting(c, tick);
    } else if (!c->counting) {
        return;
    } else if (falls) {
        c->frozen = elapsed(c, tick);
        c->stopped = true;
    } else if (rises && is_periodic(c)) {
        start_counting(c, tick);
    } else if (rises) {
        c->stopped = false;
        c->start = tick - c->frozen;
    }
}

static void latch_count(struct counter *c, uint64_t tick)
{
    if (c->latched)
        return; /* the first latch holds until it is read */
    c->latched = true;
    c->latch_high = c->access == ACCESS_HIGH;
    c->latch = reading(c, tick);
}

static void latch_status(struct counter *c, uint64_t tick)
{
    if (c->status_latched)
        return;
    bool null = !c->counting || c->waiting || tick < c->start;
    c->status_latched = true;
    c->status =
        (uint8_t)((output(c, tick) ? STATUS_OUT : 0) |
                  (null ? STATUS_NULL : 0) | c->access << CONTROL_ACCESS_SHIFT |
                  c->mode << CONTROL_MODE_SHIFT | (c->bcd ? CONTROL_BCD : 0));
}

static void read_back(struct pit *pit, uint32_t value, uint64_t tick)
{
    for (unsigned i = 0; i < COUNTERS; i++) {
        if (!(value >> (i + 1) & 1))
            continue;
        if (!(value & READ_BACK_NO_COUNT))
            latch_count(&pit->state.counter[i], tick);
        if (!(value & READ_BACK_NO_STATUS))
            latch_status(&pit->state.counter[i], tick);
    }
}

static void write_control(struct pit *pit, uint32_t value, uint64_t tick)
{
    unsigned select = value >> CONTROL_SELECT_SHIFT;
    unsigned access = value >> CONTROL_ACCESS_SHIFT & CONTROL_ACCESS;
    if (select == SELECT_READ_BACK) {
        read_back(pit, value, tick);
        return;
    }
    struct counter *c = &pit->state.counter[select];
    if (access == ACCESS_LATCH) {
        latch_count(c, tick);
        return;
    }
    unsigned mode = value >> CONTROL_MODE_SHIFT & CONTROL_MODE;
    if (mode > HARDWARE_STROBE)
        mode &= SQUARE_WAVE; /* 6 and 7 are 2 and 3 */
    *c = (struct counter){.mode = (uint8_t)mode,
                          .access = (uint8_t)access,
                          .bcd = value & CONTROL_BCD,
                          .gate = c->gate,
                          .count = COUNT_MAX_BINARY};
}

static void write_count(struct counter *c, uint32_t value, uint64_t tick)
{
    if (c->access == ACCESS_LOW) {
        load(c, value, tick);
    } else if (c->access == ACCESS_HIGH) {
        load(c, value << 8, tick);
    } else if (!c->write_high) {
        c->low_byte = (uint8_t)value;
        c->write_high = true;
        if (c->mode == TERMINAL_COUNT)
            c->counting = false; /* the first byte stops it */
    } else {
        c->write_high = false;
        load(c, value << 8 | c->low_byte, tick);
    }
}

static uint32_t read_count(struct counter *c, uint64_t tick)
{
    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    if (c->latched) {
        bool high = c->latch_high;
        if (c->access == ACCESS_WORD && !high)
            c->latch_high = true;
        else
            c->latched = false;
        return (uint8_t)(high ? c->latch >> 8 : c->latch);
    }
    bool high =
        c->access == ACCESS_HIGH || (c->access == ACCESS_WORD && c->read_high);
    c->read_high = c->access == ACCESS_WORD && !c->read_high;
    return (uint8_t)(reading(c, tick) >> (high ? 8 : 0));
}

static void pit_write(struct device *dev, uint32_t offset, unsigned size,
                      uint32_t value)
{
    struct pit *pit = (struct pit *)dev;
    (void)size;
    drive_irq(pit);
    uint64_t tick = now_ticks(pit);
    for (unsigned i = 0; i < COUNTERS; i++)
        load_waiting(&pit->state.counter[i], tick);
    if (offset == PORT_CONTROL)
        write_control(pit, value, tick);
    else
        write_count(&pit->state.counter[offset], value, tick);
    drive_irq(pit);
}

static uint32_t pit_read(struct device *dev, uint32_t offset, unsigned size)
{
    struct pit *pit = (struct pit *)dev;
    (void)size;
    if (offset == PORT_CONTROL)
        return UINT8_MAX; /* write only */
    bus_wait(dev->bus, ISA_CYCLE_NS);
    uint64_t tick = now_ticks(pit);
    load_waiting(&pit->state.counter[offset], tick);
    return read_count(&pit->state.counter[offset], tick);
}

static void speaker_write(struct device *dev, uint32_t offset, unsigned size,
                          uint32_t value)
{
    struct pit *pit = (struct pit *)dev;
    (void)offset, (void)size;
    pit->state.speaker = (uint8_t)(value & SPEAKER_WRITABLE);
    struct counter *c = &pit->state.counter[SPEAKER_COUNTER];
    load_waiting(c, now_ticks(pit));
    set_gate(c, value & SPEAKER_GATE, now_ticks(pit));
}

static uint32_t speaker_read(struct device *dev, uint32_t offset, unsigned size)
{
    struct pit *pit = (struct pit *)dev;
    bus_wait(dev->bus, ISA_CYCLE_NS);
    uint64_t tick = now_ticks(pit);
    struct counter *c = &pit->state.counter[SPEAKER_COUNTER];
    (void)offset, (void)size;
    load_waiting(c, tick);
    return pit->state.speaker | (output(c, tick) ? SPEAKER_OUT : 0u) |
           (tick / REFRESH_TICKS & 1 ? SPEAKER_REFRESH : 0u);
}

/* As a BIOS leaves it: counter 0 ticks 18.2 times a second, counter 1 asks for
 * memory refresh, counter 2 is off. */
static void pit_reset(struct device *dev)
{
    struct pit *pit = (struct pit *)dev;
    uint64_t tick = now_ticks(pit);
    memset(&pit->state, 0, sizeof pit->state);
    pit->state.seen = tick;
    for (unsigned i = 0; i < COUNTERS; i++) {
        struct counter *c = &pit->state.counter[i];
        c->mode = i == SPEAKER_COUNTER ? SQUARE_WAVE : RATE_GENERATOR;
        c->access = ACCESS_WORD;
        c->count = COUNT_MAX_BINARY;
        c->gate = i != SPEAKER_COUNTER;
        load(c, i == 1 ? REFRESH_TICKS : 0, tick);
    }
    drive_irq(pit);
}

static const struct region_ops counter_ops = {"pit", 1, pit_read, pit_write};
static const struct region_ops speaker_ops = {"pit.speaker", 1, speaker_read,
                                              speaker_write};

static const struct device_ops pit_ops = {
    .name = "pit",
    .cite = "Intel, 8254 Programmable Interval Timer",
    .reset = pit_reset,
    .timer = pit_timer,
    .state_offset = offsetof(struct pit, state),
    .state_bytes = sizeof(struct pit_state),
};

struct device *pit_create(struct bus *bus, struct irq_line irq0)
{
    struct pit *pit = device_create(bus, sizeof *pit, &pit_ops);
    if (!pit)
        return NULL;
    pit->irq = irq0;
    pit_reset(&pit->dev);
    bool placed =
        bus_add_ports(bus, &pit->dev, &counter_ops, PIT_PORT, PIT_PORTS) &&
        bus_add_ports(bus, &pit->dev, &speaker_ops, SPEAKER_PORT, 1);
    return placed ? &pit->dev : NULL;
}
