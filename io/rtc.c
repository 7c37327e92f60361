/* SPDX-License-Identifier: MIT */
/* io/rtc.c - the real-time clock and its 128 bytes of CMOS memory.
 *
 * The clock runs on virtual time and starts at 2026-01-01 00:00:00 UTC in every
 * run: a guest that reads it behaves the same each time. Modelled: BCD and
 * binary, 12 and 24 hours, SET, divider reset, update-in-progress, periodic,
 * alarm and update-ended interrupts, the century byte and the memory sizes that
 * a BIOS leaves. The update itself takes no time, so UIP is seen only in the
 * 244 us before it. The NMI mask of port 70h is kept; no NMI has a source here.
 *
 * References: Motorola, "MC146818 Real-Time Clock Plus RAM"; IBM, "Personal
 * Computer AT Technical Reference" (CMOS RAM addresses).
 */
#include "io/devices.h"

#include <string.h>

enum {
    RTC_PORT = 0x70,
    PORT_INDEX = 0,
    PORT_DATA = 1,
    INDEX_BITS = 0x7F,
    CMOS_BYTES = 128,

    RTC_SECONDS = 0x00,
    RTC_SECONDS_ALARM = 0x01,
    RTC_MINUTES = 0x02,
    RTC_MINUTES_ALARM = 0x03,
    RTC_HOURS = 0x04,
    RTC_HOURS_ALARM = 0x05,
    RTC_WEEKDAY = 0x06,
    RTC_DAY = 0x07,
    RTC_MONTH = 0x08,
    RTC_YEAR = 0x09,
    RTC_A = 0x0A,
    RTC_B = 0x0B,
    RTC_C = 0x0C,
    RTC_D = 0x0D,
    CMOS_DRIVE_TYPES = 0x12,
    CMOS_EQUIPMENT = 0x14,
    CMOS_BASE_MEMORY = 0x15, /* words, in KiB */
    CMOS_EXTENDED_MEMORY = 0x17,
    CMOS_DRIVE0_TYPE = 0x19,
    CMOS_DRIVE1_TYPE = 0x1A,
    CMOS_SUM_FIRST = 0x10,
    CMOS_SUM_LAST = 0x2D,
    CMOS_SUM = 0x2E, /* high byte first */
    CMOS_EXTENDED_MEMORY2 = 0x30,
    CMOS_CENTURY = 0x32,
    CMOS_HIGH_MEMORY = 0x34, /* above 16 MiB, in 64 KiB */

    A_UIP = 0x80,
    A_DIVIDER = 0x70,
    A_DIVIDER_RESET = 0x60, /* 11x */
    A_RATE = 0x0F,
    A_BIOS = 0x26, /* 32768 Hz crystal, periodic rate 1024 Hz */
    B_SET = 0x80,
    B_PERIODIC = 0x40,
    B_ALARM = 0x20,
    B_UPDATE = 0x10,
    B_ENABLES = 0x70,
    B_BINARY = 0x04,
    B_24_HOURS = 0x02,
    C_IRQ = 0x80,
    C_PERIODIC = 0x40,
    C_ALARM = 0x20,
    C_UPDATE = 0x10,
    D_VALID = 0x80,

    HOUR_PM = 0x80,
    ALARM_ANY = 0xC0, /* such an alarm byte matches everything */
    CRYSTAL_HZ = 32768,
    UIP_NS = 244000,
    FIRST_UPDATE_NS = 500000000, /* after the divider's reset */

    BASE_MEMORY_KIB = 640,
    EQUIPMENT_FPU = 0x02,
    DRIVE_TYPE_EXTENDED = 0xF,
    DRIVE_TYPE_USER = 47,
    SECONDS_PER_DAY = 86400,
};

struct rtc {
    struct device dev;
    struct irq_line irq;
    struct rtc_state {
        uint8_t cmos[CMOS_BYTES];
        uint8_t index;
        bool nmi_masked;
        uint64_t next_update_ns;
        uint64_t periods; /* periodic ticks seen, since time zero */
    } state;
};

/* ---- The calendar ---- */

static unsigned decode(const struct rtc_state *s, uint8_t byte)
{
    return s->cmos[RTC_B] & B_BINARY ? byte : (byte >> 4) * 10u + (byte & 15u);
}

static uint8_t encode(const struct rtc_state *s, unsigned n)
{
    return (uint8_t)(s->cmos[RTC_B] & B_BINARY ? n : n / 10 << 4 | n % 10);
}

static unsigned decode_hour(const struct rtc_state *s, uint8_t byte)
{
    if (s->cmos[RTC_B] & B_24_HOURS)
        return decode(s, byte);
    unsigned hour = decode(s, byte & (uint8_t)~HOUR_PM) % 12;
    return byte & HOUR_PM ? hour + 12 : hour;
}

static uint8_t encode_hour(const struct rtc_state *s, unsigned hour)
{
    if (s->cmos[RTC_B] & B_24_HOURS)
        return encode(s, hour);
    uint8_t byte = encode(s, hour % 12 ? hour % 12 : 12);
    return hour >= 12 ? byte | HOUR_PM : byte;
}

static bool is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_in(unsigned month, unsigned year)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30,
                                   31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12)
        return 31;
    return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

static void next_day(struct rtc_state *s)
{
    unsigned day = decode(s, s->cmos[RTC_DAY]);
    unsigned month = decode(s, s->cmos[RTC_MONTH]);
    unsigned century = s->cmos[CMOS_CENTURY];
    century = (century >> 4) * 10 + (century & 15); /* always BCD */
    unsigned year = century * 100 + decode(s, s->cmos[RTC_YEAR]);

    unsigned weekday = decode(s, s->cmos[RTC_WEEKDAY]) % 7 + 1;
    s->cmos[RTC_WEEKDAY] = encode(s, weekday);
    if (++day > days_in(month, year)) {
        day = 1;
        month++;
    }
    if (month > 12) {
        month = 1;
        year = (year + 1) % 10000;
    }
    s->cmos[RTC_DAY] = encode(s, day);
    s->cmos[RTC_MONTH] = encode(s, month);
    s->cmos[RTC_YEAR] = encode(s, year % 100);
    s->cmos[CMOS_CENTURY] = (uint8_t)(year / 1000 << 4 | year / 100 % 10);
}

static unsigned time_of_day(const struct rtc_state *s)
{
    return (decode_hour(s, s->cmos[RTC_HOURS]) * 60 +
            decode(s, s->cmos[RTC_MINUTES])) *
               60 +
           decode(s, s->cmos[RTC_SECONDS]);
}

static bool alarm_matches(const struct rtc_state *s, unsigned second)
{
    const uint8_t *cmos = s->cmos;
    uint8_t h = cmos[RTC_HOURS_ALARM], m = cmos[RTC_MINUTES_ALARM],
            sec = cmos[RTC_SECONDS_ALARM];
    return (sec >= ALARM_ANY || decode(s, sec) == second % 60) &&
           (m >= ALARM_ANY || decode(s, m) == second / 60 % 60) &&
           (h >= ALARM_ANY || decode_hour(s, h) == second / 3600);
}

/* Let the clock go on by so many seconds. */
static void advance(struct rtc_state *s, uint64_t seconds)
{
    unsigned from = time_of_day(s) % SECONDS_PER_DAY;
    uint64_t to = from + seconds;
    uint64_t looks = seconds < SECONDS_PER_DAY ? seconds : SECONDS_PER_DAY;
    for (uint64_t i = 1; i <= looks && !(s->cmos[RTC_C] & C_ALARM); i++)
        if (alarm_matches(s, (unsigned)((from + i) % SECONDS_PER_DAY)))
            s->cmos[RTC_C] |= C_ALARM;
    for (uint64_t days = to / SECONDS_PER_DAY; days > 0; days--)
        next_day(s);
    unsigned second = (unsigned)(to % SECONDS_PER_DAY);
    s->cmos[RTC_SECONDS] = encode(s, second % 60);
    s->cmos[RTC_MINUTES] = encode(s, second / 60 % 60);
    s->cmos[RTC_HOURS] = encode_hour(s, second / 3600);
}

/* ---- Ticks and interrupts ---- */

static bool is_running(const struct rtc_state *s)
{
    return (s->cmos[RTC_A] & A_DIVIDER_RESET) != A_DIVIDER_RESET;
}

static uint64_t periodic_hz(const struct rtc_state *s)
{
    unsigned rate = s->cmos[RTC_A] & A_RATE;
    if (rate == 0 || !is_running(s))
        return 0;
    if (rate <= 2)
        rate += 7; /* 1 and 2 are as 8 and 9 */
    return (uint64_t)CRYSTAL_HZ >> (rate - 1);
}

/* Do all that happened up to now. */
static void catch_up(struct rtc *rtc)
{
    struct rtc_state *s = &rtc->state;
    uint64_t now = bus_now(rtc->dev.bus);
    uint64_t hz = periodic_hz(s);
    if (hz) {
        uint64_t periods = clock_ticks(now, hz);
        if (periods > s->periods)
            s->cmos[RTC_C] |= C_PERIODIC;
        s->periods = periods;
    }
    if (!is_running(s) || now < s->next_update_ns)
        return;
    uint64_t seconds = (now - s->next_update_ns) / NS_PER_SECOND + 1;
    s->next_update_ns += seconds * NS_PER_SECOND;
    if (s->cmos[RTC_B] & B_SET)
        return;
    advance(s, seconds);
    s->cmos[RTC_C] |= C_UPDATE;
}

static void update_irq(struct rtc *rtc)
{
    struct rtc_state *s = &rtc->state;
    bool irq = s->cmos[RTC_C] & s->cmos[RTC_B] & B_ENABLES;
    if (irq)
        s->cmos[RTC_C] |= C_IRQ;
    irq_set(&rtc->irq, irq);

    uint64_t deadline = DEVICE_NEVER, hz = periodic_hz(s);
    if (hz && (s->cmos[RTC_B] & ~s->cmos[RTC_C] & B_PERIODIC))
        deadline = clock_ns(s->periods + 1, hz);
    if (is_running(s) &&
        (s->cmos[RTC_B] & ~s->cmos[RTC_C] & (B_ALARM | B_UPDATE)) &&
        s->next_update_ns < deadline)
        deadline = s->next_update_ns;
    device_set_deadline(&rtc->dev, deadline);
}

static void rtc_timer(struct device *dev, uint64_t now_ns)
{
    struct rtc *rtc = (struct rtc *)dev;
    (void)now_ns;
    catch_up(rtc);
    update_irq(rtc);
}

/* ---- Ports ---- */

static void write_a(struct rtc *rtc, uint8_t value)
{
    struct rtc_state *s = &rtc->state;
    uint64_t now = bus_now(rtc->dev.bus);
    bool ran = is_running(s);
    s->cmos[RTC_A] = value & (uint8_t)~A_UIP;
    if (!ran && is_running(s))
        s->next_update_ns = now + FIRST_UPDATE_NS;
    uint64_t hz = periodic_hz(s);
    s->periods = hz ? clock_ticks(now, hz) : 0;
}

static void rtc_write(struct device *dev, uint32_t offset, unsigned size,
                      uint32_t value32)
{
    struct rtc *rtc = (struct rtc *)dev;
    struct rtc_state *s = &rtc->state;
    uint8_t value = (uint8_t)value32;
    (void)size;
    if (offset == PORT_INDEX) {
        s->index = value & INDEX_BITS;
        s->nmi_masked = value & (uint8_t)~INDEX_BITS;
        return;
    }
    catch_up(rtc);
    switch (s->index) {
    case RTC_A: write_a(rtc, value); break;
    case RTC_B: /* SET also stops the update interrupt */
        s->cmos[RTC_B] = value & B_SET ? value & (uint8_t)~B_UPDATE : value;
        break;
    case RTC_C: /* read only */
    case RTC_D: break;
    default: s->cmos[s->index] = value; break;
    }
    update_irq(rtc);
}

static uint32_t rtc_read(struct device *dev, uint32_t offset, unsigned size)
{
    struct rtc *rtc = (struct rtc *)dev;
    struct rtc_state *s = &rtc->state;
    (void)size;
    if (offset == PORT_INDEX)
        return UINT8_MAX; /* write only */
    bus_wait(dev->bus, ISA_CYCLE_NS);
    catch_up(rtc);
    uint8_t value = s->cmos[s->index];
    bool updates = is_running(s) && !(s->cmos[RTC_B] & B_SET);
    if (s->index == RTC_A && updates &&
        s->next_update_ns - bus_now(dev->bus) <= UIP_NS)
        value |= A_UIP;
    if (s->index == RTC_C) {
        if (value & s->cmos[RTC_B] & B_ENABLES)
            value |= C_IRQ;
        s->cmos[RTC_C] = 0; /* reading it is the acknowledge */
    }
    update_irq(rtc);
    return value;
}

/* The battery keeps time and memory over a reset. */
static void rtc_reset(struct device *dev)
{
    struct rtc *rtc = (struct rtc *)dev;
    catch_up(rtc);
    rtc->state.index = 0;
    rtc->state.nmi_masked = false;
    rtc->state.cmos[RTC_B] &= (uint8_t) ~(B_ENABLES | B_SET);
    rtc->state.cmos[RTC_C] = 0;
    update_irq(rtc);
}

static void put_word(uint8_t *cmos, unsigned at, uint64_t value)
{
    if (value > UINT16_MAX)
        value = UINT16_MAX;
    cmos[at] = (uint8_t)value;
    cmos[at + 1] = (uint8_t)(value >> 8);
}

static void fill_cmos(uint8_t *cmos, uint64_t memory_bytes, size_t disk_count)
{
    static const uint8_t clock[] = {
        [RTC_WEEKDAY] = 0x05, /* a Thursday */
        [RTC_DAY] = 0x01,     [RTC_MONTH] = 0x01,   [RTC_YEAR] = 0x26,
        [RTC_A] = A_BIOS,     [RTC_B] = B_24_HOURS, [RTC_D] = D_VALID,
    };
    const uint64_t mib = UINT64_C(1) << 20;
    uint64_t extended = memory_bytes > mib ? memory_bytes - mib : 0;
    uint64_t high = memory_bytes > 16 * mib ? memory_bytes - 16 * mib : 0;
    memcpy(cmos, clock, sizeof clock);
    cmos[CMOS_CENTURY] = 0x20;
    cmos[CMOS_EQUIPMENT] = EQUIPMENT_FPU;
    if (disk_count > 0) {
        cmos[CMOS_DRIVE_TYPES] |= DRIVE_TYPE_EXTENDED << 4;
        cmos[CMOS_DRIVE0_TYPE] = DRIVE_TYPE_USER;
    }
    if (disk_count > 1) {
        cmos[CMOS_DRIVE_TYPES] |= DRIVE_TYPE_EXTENDED;
        cmos[CMOS_DRIVE1_TYPE] = DRIVE_TYPE_USER;
    }
    put_word(cmos, CMOS_BASE_MEMORY, BASE_MEMORY_KIB);
    put_word(cmos, CMOS_EXTENDED_MEMORY, extended >> 10);
    put_word(cmos, CMOS_EXTENDED_MEMORY2, extended >> 10);
    put_word(cmos, CMOS_HIGH_MEMORY, high >> 16);
    unsigned sum = 0;
    for (unsigned i = CMOS_SUM_FIRST; i <= CMOS_SUM_LAST; i++)
        sum += cmos[i];
    cmos[CMOS_SUM] = (uint8_t)(sum >> 8);
    cmos[CMOS_SUM + 1] = (uint8_t)sum;
}

static const struct region_ops port_ops = {"rtc", 1, rtc_read, rtc_write};

static const struct device_ops rtc_ops = {
    .name = "rtc",
    .cite = "Motorola, MC146818 Real-Time Clock Plus RAM",
    .reset = rtc_reset,
    .timer = rtc_timer,
    .state_offset = offsetof(struct rtc, state),
    .state_bytes = sizeof(struct rtc_state),
};

struct device *rtc_create(struct bus *bus, struct irq_line irq8,
                          uint64_t memory_bytes, size_t disk_count)
{
    struct rtc *rtc = device_create(bus, sizeof *rtc, &rtc_ops);
    if (!rtc)
        return NULL;
    rtc->irq = irq8;
    fill_cmos(rtc->state.cmos, memory_bytes, disk_count);
    rtc->state.next_update_ns = NS_PER_SECOND;
    rtc_reset(&rtc->dev);
    if (!bus_add_ports(bus, &rtc->dev, &port_ops, RTC_PORT, 2))
        return NULL;
    return &rtc->dev;
}
