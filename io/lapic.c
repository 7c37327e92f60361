/* SPDX-License-Identifier: MIT */
/* io/lapic.c - the local APIC of the one processor.
 *
 * xAPIC registers at 0xFEE00000 (movable by IA32_APICBASE): task and processor
 * priority, IRR/ISR/TMR, EOI with broadcast to the I/O APIC, ICR with self-IPI,
 * timer (one-shot, periodic), LINT0/LINT1, error status, software and hardware
 * disable. The timer counts a 100 MHz bus clock through its divider; like every
 * timer here it is computed from virtual time. Not modelled: x2APIC, TSC
 * deadline, thermal and performance sources, SMI. INIT and start-up messages
 * have nobody to go to and are swallowed.
 *
 * Reference: SDM vol. 3A, "Advanced Programmable Interrupt Controller (APIC)".
 */
#include "io/devices.h"

#include <string.h>

enum {
    APIC_BYTES = 0x1000,
    REG_SHIFT = 4, /* a register every 16 bytes */

    REG_ID = 0x02,
    REG_VERSION = 0x03,
    REG_TPR = 0x08,
    REG_APR = 0x09,
    REG_PPR = 0x0A,
    REG_EOI = 0x0B,
    REG_LDR = 0x0D,
    REG_DFR = 0x0E,
    REG_SVR = 0x0F,
    REG_ISR = 0x10, /* eight registers each */
    REG_TMR = 0x18,
    REG_IRR = 0x20,
    REG_ESR = 0x28,
    REG_ICR_LOW = 0x30,
    REG_ICR_HIGH = 0x31,
    REG_LVT = 0x32, /* six registers, enum lvt */
    REG_TIMER_INITIAL = 0x38,
    REG_TIMER_CURRENT = 0x39,
    REG_TIMER_DIVIDE = 0x3E,

    VERSION = 0x14,
    VERSION_LVT_SHIFT = 16,
    ID_SHIFT = 24,

    SVR_ENABLE = 0x100,
    SVR_BITS = 0x3FF,
    SVR_RESET = 0xFF,

    MODE_SHIFT = 8,
    MODE_MASK = 7,
    LVT_LEVEL = 0x8000,
    LVT_MASKED = 0x10000,
    LVT_PERIODIC = 0x20000,
    LVT_REMOTE_IRR = 0x4000,

    ICR_LOGICAL = 0x800,
    ICR_ASSERT = 0x4000,
    ICR_LEVEL = 0x8000,
    ICR_SHORTHAND_SHIFT = 18,
    ICR_SHORTHAND = 3,
    ICR_BITS = 0xCCFFF,

    ESR_SEND_VECTOR = 0x20,
    ESR_RECEIVED_VECTOR = 0x40,
    ESR_ILLEGAL_REGISTER = 0x80,

    DIVIDE_BITS = 0xB,
    FIRST_VECTOR = 16, /* lower ones are illegal */
    VECTORS = 256,
    BROADCAST = 0xFF,
    DFR_CLUSTER = 0x0, /* the upper four bits */
    BUS_NS = 10,       /* 100 MHz */
};

#define BASE_RESET   UINT64_C(0xFEE00000)
#define BASE_BSP     UINT64_C(0x100)
#define BASE_ENABLE  UINT64_C(0x800)
#define BASE_ADDRESS UINT64_C(0xFFFFFF000) /* 36 address bits */

enum lvt {
    LVT_TIMER,
    LVT_THERMAL,
    LVT_PERFORMANCE,
    LVT_LINT0,
    LVT_LINT1,
    LVT_ERROR,
    LVTS,
};

enum shorthand { TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS };

/* The bits of each LVT register that software can write. */
static const uint32_t lvt_writable[LVTS] = {
    [LVT_TIMER] = 0x300FF, [LVT_THERMAL] = 0x107FF, [LVT_PERFORMANCE] = 0x107FF,
    [LVT_LINT0] = 0x1A7FF, [LVT_LINT1] = 0x1A7FF,   [LVT_ERROR] = 0x100FF,
};

struct lapic {
    struct device dev;
    struct lapic_wires wires;
    uint64_t placed; /* where the bus has the registers */
    struct lapic_state {
        uint64_t base; /* IA32_APICBASE */
        uint32_t id, tpr, ldr, dfr, svr, divide;
        uint32_t icr_low, icr_high;
        uint32_t lvt[LVTS];
        uint32_t isr[VECTORS / 32], tmr[VECTORS / 32], irr[VECTORS / 32];
        uint32_t esr, errors; /* as read; gathered since */
        uint32_t timer_initial;
        uint32_t timer_count; /* at timer_start_ns; 0: stopped */
        uint64_t timer_start_ns;
        bool lint0;
        bool nmi;
    } state;
};

static bool bit_test(const uint32_t *bits, unsigned n)
{
    return bits[n / 32] >> (n % 32) & 1;
}

static void bit_set(uint32_t *bits, unsigned n, bool value)
{
    uint32_t bit = UINT32_C(1) << (n % 32);
    bits[n / 32] = value ? bits[n / 32] | bit : bits[n / 32] & ~bit;
}

static int bit_highest(const uint32_t *bits)
{
    for (int word = VECTORS / 32 - 1; word >= 0; word--)
        if (bits[word])
            return word * 32 + 31 - __builtin_clz(bits[word]);
    return -1;
}

static bool hardware_enabled(const struct lapic *lapic)
{
    return lapic->state.base & BASE_ENABLE;
}

static bool software_enabled(const struct lapic *lapic)
{
    return hardware_enabled(lapic) && (lapic->state.svr & SVR_ENABLE);
}

static void changed(struct lapic *lapic)
{
    if (lapic->wires.changed)
        lapic->wires.changed(lapic->wires.ctx);
}

/* The processor priority: the task's, or the class of what is in service. */
static uint32_t priority(const struct lapic *lapic)
{
    uint32_t task = lapic->state.tpr;
    int served = bit_highest(lapic->state.isr);
    uint32_t service = served < 0 ? 0 : (uint32_t)served & 0xF0;
    return task >> 4 >= service >> 4 ? task : service;
}

bool lapic_pending(const struct lapic *lapic)
{
    if (!hardware_enabled(lapic))
        return false;
    int vector = bit_highest(lapic->state.irr);
    return vector >= 0 && (uint32_t)vector >> 4 > priority(lapic) >> 4;
}

int lapic_acknowledge(struct lapic *lapic)
{
    if (!lapic_pending(lapic))
        return -1;
    int vector = bit_highest(lapic->state.irr);
    bit_set(lapic->state.irr, (unsigned)vector, false);
    bit_set(lapic->state.isr, (unsigned)vector, true);
    changed(lapic);
    return vector;
}

static void set_irr(struct lapic *lapic, uint8_t vector, bool level)
{
    bit_set(lapic->state.irr, vector, true);
    bit_set(lapic->state.tmr, vector, level);
    changed(lapic);
}

static void set_nmi(struct lapic *lapic)
{
    lapic->state.nmi = true;
    changed(lapic);
}

/* Note an error; the error LVT may make an interrupt of it. */
static void note_error(struct lapic *lapic, uint32_t error)
{
    struct lapic_state *s = &lapic->state;
    bool news = !(s->errors & error);
    s->errors |= error;
    uint32_t lvt = s->lvt[LVT_ERROR];
    uint8_t vector = (uint8_t)lvt;
    if (news && !(lvt & LVT_MASKED) && vector >= FIRST_VECTOR)
        set_irr(lapic, vector, false);
}

static void accept_fixed(struct lapic *lapic, uint8_t vector, bool level)
{
    if (vector < FIRST_VECTOR)
        note_error(lapic, ESR_RECEIVED_VECTOR);
    else
        set_irr(lapic, vector, level);
}

static bool is_addressed(const struct lapic *lapic,
                         const struct apic_message *m)
{
    const struct lapic_state *s = &lapic->state;
    if (!m->logical)
        return m->destination == BROADCAST ||
               m->destination == s->id >> ID_SHIFT;
    if (m->destination == BROADCAST)
        return true;
    uint32_t mine = s->ldr >> ID_SHIFT;
    if (s->dfr >> 28 == DFR_CLUSTER)
        return mine >> 4 == (uint32_t)m->destination >> 4 &&
               (mine & m->destination & 0xF);
    return mine & m->destination;
}

/* Take a message already known to be for this APIC. */
static bool accept(struct lapic *lapic, const struct apic_message *m)
{
    switch (m->mode) {
    case APIC_FIXED:
    case APIC_LOWEST:
        if (!software_enabled(lapic))
            return false;
        accept_fixed(lapic, m->vector, m->level);
        return true;
    case APIC_NMI: set_nmi(lapic); return true;
    case APIC_SMI:
    case APIC_INIT:
    case APIC_STARTUP:
    case APIC_EXTINT: return true; /* nothing modelled happens */
    }
    return false;
}

/* A message from the APIC bus. False: nobody took it. */
bool lapic_deliver(struct lapic *lapic, const struct apic_message *message)
{
    return hardware_enabled(lapic) && is_addressed(lapic, message) &&
           accept(lapic, message);
}

static void send_ipi(struct lapic *lapic)
{
    uint32_t low = lapic->state.icr_low;
    struct apic_message m = {
        .mode = (enum apic_mode)(low >> MODE_SHIFT & MODE_MASK),
        .vector = (uint8_t)low,
        .destination = (uint8_t)(lapic->state.icr_high >> ID_SHIFT),
        .logical = low & ICR_LOGICAL,
    };
    enum shorthand to =
        (enum shorthand)(low >> ICR_SHORTHAND_SHIFT & ICR_SHORTHAND);
    bool vectored = m.mode == APIC_FIXED || m.mode == APIC_LOWEST;
    if (vectored && m.vector < FIRST_VECTOR) {
        note_error(lapic, ESR_SEND_VECTOR);
        return;
    }
    if (to == TO_OTHERS || (to == TO_DESTINATION && !is_addressed(lapic, &m)))
        return; /* there is no other processor */
    accept(lapic, &m);
}

/* ---- The timer ---- */

/* Nanoseconds a count: the divide register's bits 0, 1 and 3 hold n for
 * dividing by 2^(n+1), and 7 for dividing by 1. */
static uint64_t count_ns(const struct lapic *lapic)
{
    uint32_t d = lapic->state.divide;
    uint32_t n = ((d >> 1 & 4) | (d & 3)) + 1;
    return (uint64_t)BUS_NS << (n & 7);
}

static uint32_t timer_current(const struct lapic *lapic)
{
    const struct lapic_state *s = &lapic->state;
    if (s->timer_count == 0)
        return 0;
    uint64_t ran =
        (bus_now(lapic->dev.bus) - s->timer_start_ns) / count_ns(lapic);
    if (ran < s->timer_count)
        return s->timer_count - (uint32_t)ran;
    if (!(s->lvt[LVT_TIMER] & LVT_PERIODIC) || s->timer_initial == 0)
        return 0;
    uint64_t over = (ran - s->timer_count) % s->timer_initial;
    return s->timer_initial - (uint32_t)over;
}

static uint64_t timer_end(const struct lapic *lapic)
{
    const struct lapic_state *s = &lapic->state;
    return s->timer_start_ns + s->timer_count * count_ns(lapic);
}

static void timer_arm(struct lapic *lapic)
{
    device_set_deadline(&lapic->dev, lapic->state.timer_count ? timer_end(lapic)
                                                              : DEVICE_NEVER);
}

static void timer_run_from(struct lapic *lapic, uint32_t count)
{
    lapic->state.timer_start_ns = bus_now(lapic->dev.bus);
    lapic->state.timer_count = count;
    timer_arm(lapic);
}

static void lapic_timer(struct device *dev, uint64_t now_ns)
{
    struct lapic *lapic = (struct lapic *)dev;
    struct lapic_state *s = &lapic->state;
    if (s->timer_count == 0)
        return;
    if (now_ns < timer_end(lapic)) {
        timer_arm(lapic);
        return;
    }
    if (s->lvt[LVT_TIMER] & LVT_PERIODIC && s->timer_initial) {
        /* Whole periods on from the last end, however late we are. */
        uint64_t period = s->timer_initial * count_ns(lapic);
        uint64_t end = timer_end(lapic);
        s->timer_start_ns = end + (now_ns - end) / period * period;
        s->timer_count = s->timer_initial;
    } else {
        s->timer_count = 0;
    }
    timer_arm(lapic);
    if (!(s->lvt[LVT_TIMER] & LVT_MASKED) && software_enabled(lapic))
        accept_fixed(lapic, (uint8_t)s->lvt[LVT_TIMER], false);
}

/* ---- The local interrupt pins ---- */

bool lapic_takes_pic(const struct lapic *lapic)
{
    uint32_t lint0 = lapic->state.lvt[LVT_LINT0];
    /* Disabled by hardware, the pin is the 8086's INTR again. */
    return !hardware_enabled(lapic) ||
           (!(lint0 & LVT_MASKED) &&
            (lint0 >> MODE_SHIFT & MODE_MASK) == APIC_EXTINT);
}

/* LINT0 in the modes where the PIC's output is an ordinary interrupt. */
static void lint0_signal(struct lapic *lapic)
{
    uint32_t *lvt = &lapic->state.lvt[LVT_LINT0];
    if ((*lvt & LVT_MASKED) || !hardware_enabled(lapic))
        return;
    switch ((enum apic_mode)(*lvt >> MODE_SHIFT & MODE_MASK)) {
    case APIC_NMI: set_nmi(lapic); break;
    case APIC_FIXED:
        if (!software_enabled(lapic) || (*lvt & LVT_REMOTE_IRR))
            break;
        if (*lvt & LVT_LEVEL)
            *lvt |= LVT_REMOTE_IRR;
        accept_fixed(lapic, (uint8_t)*lvt, *lvt & LVT_LEVEL);
        break;
    default: break; /* ExtINT: see lapic_takes_pic */
    }
}

void lapic_set_lint0(struct lapic *lapic, bool level)
{
    bool rises = level && !lapic->state.lint0;
    lapic->state.lint0 = level;
    if (rises)
        lint0_signal(lapic);
}

bool lapic_nmi(const struct lapic *lapic)
{
    return lapic->state.nmi;
}

bool lapic_take_nmi(struct lapic *lapic)
{
    bool nmi = lapic->state.nmi;
    lapic->state.nmi = false;
    if (nmi)
        changed(lapic);
    return nmi;
}

/* ---- Registers ---- */

static void end_of_interrupt(struct lapic *lapic)
{
    struct lapic_state *s = &lapic->state;
    int vector = bit_highest(s->isr);
    if (vector < 0)
        return;
    bit_set(s->isr, (unsigned)vector, false);
    if (bit_test(s->tmr, (unsigned)vector)) {
        uint32_t *lint0 = &s->lvt[LVT_LINT0];
        if ((*lint0 & LVT_REMOTE_IRR) && (uint8_t)*lint0 == vector) {
            *lint0 &= ~(uint32_t)LVT_REMOTE_IRR;
            if (s->lint0)
                lint0_signal(lapic);
        }
        if (lapic->wires.eoi)
            lapic->wires.eoi(lapic->wires.ctx, (uint8_t)vector);
    }
    changed(lapic);
}

static void write_lvt(struct lapic *lapic, unsigned which, uint32_t value)
{
    struct lapic_state *s = &lapic->state;
    uint32_t kept = s->lvt[which] & LVT_REMOTE_IRR;
    if (!(value & LVT_LEVEL))
        kept = 0;
    s->lvt[which] = (value & lvt_writable[which]) | kept;
    if (!(s->svr & SVR_ENABLE))
        s->lvt[which] |= LVT_MASKED;
    if (which == LVT_LINT0 && s->lint0 && (s->lvt[which] & LVT_LEVEL))
        lint0_signal(lapic);
    changed(lapic);
}

static void write_svr(struct lapic *lapic, uint32_t value)
{
    struct lapic_state *s = &lapic->state;
    s->svr = value & SVR_BITS;
    if (!(s->svr & SVR_ENABLE)) /* software disable masks all local sources */
        for (unsigned i = 0; i < LVTS; i++)
            s->lvt[i] |= LVT_MASKED;
    changed(lapic);
}

static void write_register(struct lapic *lapic, unsigned reg, uint32_t value)
{
    struct lapic_state *s = &lapic->state;
    switch (reg) {
    case REG_ID: s->id = value & UINT32_C(0xFF) << ID_SHIFT; break;
    case REG_TPR:
        s->tpr = value & UINT8_MAX;
        changed(lapic);
        break;
    case REG_EOI: end_of_interrupt(lapic); break;
    case REG_LDR: s->ldr = value & UINT32_C(0xFF) << ID_SHIFT; break;
    case REG_DFR: s->dfr = value | UINT32_C(0x0FFFFFFF); break;
    case REG_SVR: write_svr(lapic, value); break;
    case REG_ESR: /* a write shows what gathered since the last one */
        s->esr = s->errors;
        s->errors = 0;
        break;
    case REG_ICR_LOW:
        s->icr_low = value & ICR_BITS;
        send_ipi(lapic);
        break;
    case REG_ICR_HIGH: s->icr_high = value & UINT32_C(0xFF) << ID_SHIFT; break;
    case REG_TIMER_INITIAL:
        s->timer_initial = value;
        timer_run_from(lapic, value);
        break;
    case REG_TIMER_DIVIDE: {
        uint32_t left = timer_current(lapic);
        s->divide = value & DIVIDE_BITS;
        timer_run_from(lapic, left);
        break;
    }
    case REG_VERSION: /* read only */
    case REG_APR:
    case REG_PPR:
    case REG_TIMER_CURRENT: break;
    default:
        if (reg >= REG_LVT && reg < REG_LVT + LVTS)
            write_lvt(lapic, reg - REG_LVT, value);
        else if (reg < REG_ISR || reg >= REG_ESR)
            note_error(lapic, ESR_ILLEGAL_REGISTER);
        break;
    }
}

static uint32_t read_register(struct lapic *lapic, unsigned reg)
{
    const struct lapic_state *s = &lapic->state;
    switch (reg) {
    case REG_ID: return s->id;
    case REG_VERSION: return VERSION | (LVTS - 1) << VERSION_LVT_SHIFT;
    case REG_TPR: return s->tpr;
    case REG_APR:
    case REG_PPR: return priority(lapic);
    case REG_EOI: return 0;
    case REG_LDR: return s->ldr;
    case REG_DFR: return s->dfr;
    case REG_SVR: return s->svr;
    case REG_ESR: return s->esr;
    case REG_ICR_LOW: return s->icr_low;
    case REG_ICR_HIGH: return s->icr_high;
    case REG_TIMER_INITIAL: return s->timer_initial;
    case REG_TIMER_CURRENT: return timer_current(lapic);
    case REG_TIMER_DIVIDE: return s->divide;
    default: break;
    }
    if (reg >= REG_ISR && reg < REG_TMR)
        return s->isr[reg - REG_ISR];
    if (reg >= REG_TMR && reg < REG_IRR)
        return s->tmr[reg - REG_TMR];
    if (reg >= REG_IRR && reg < REG_ESR)
        return s->irr[reg - REG_IRR];
    if (reg >= REG_LVT && reg < REG_LVT + LVTS)
        return s->lvt[reg - REG_LVT];
    note_error(lapic, ESR_ILLEGAL_REGISTER);
    return 0;
}

/* Registers are 32 bits at multiples of 16. Other accesses are undefined:
 * parts of a register can be read, and all else reads zero. */
static uint32_t lapic_read(struct device *dev, uint32_t offset, unsigned size)
{
    struct lapic *lapic = (struct lapic *)dev;
    (void)size;
    if (!hardware_enabled(lapic))
        return UINT32_MAX;
    if (offset & 0xC)
        return 0;
    return read_register(lapic, offset >> REG_SHIFT) >> (8 * (offset & 3));
}

static void lapic_write(struct device *dev, uint32_t offset, unsigned size,
                        uint32_t value)
{
    struct lapic *lapic = (struct lapic *)dev;
    if (hardware_enabled(lapic) && size == 4 && !(offset & 0xF))
        write_register(lapic, offset >> REG_SHIFT, value);
}

/* ---- IA32_APICBASE, reset ---- */

uint64_t lapic_base(const struct lapic *lapic)
{
    return lapic->state.base;
}

/* All registers as after power-up: everything masked and disabled. */
static void power_up(struct lapic *lapic)
{
    struct lapic_state *s = &lapic->state;
    *s = (struct lapic_state){.base = s->base,
                              .id = s->id,
                              .lint0 = s->lint0,
                              .dfr = UINT32_MAX,
                              .svr = SVR_RESET};
    for (unsigned i = 0; i < LVTS; i++)
        s->lvt[i] = LVT_MASKED;
    device_set_deadline(&lapic->dev, DEVICE_NEVER);
}

static bool place(struct lapic *lapic, uint64_t address)
{
    if (address != lapic->placed &&
        !bus_move_memory(lapic->dev.bus, &lapic->dev, lapic->placed, address))
        return false;
    lapic->placed = address;
    return true;
}

bool lapic_set_base(struct lapic *lapic, uint64_t value)
{
    if (value & ~(BASE_ADDRESS | BASE_ENABLE | BASE_BSP))
        return false;
    /* Where another device is, the registers stay hidden behind it. */
    place(lapic, value & BASE_ADDRESS);
    bool stops = hardware_enabled(lapic) && !(value & BASE_ENABLE);
    lapic->state.base = value;
    if (stops)
        power_up(lapic);
    changed(lapic);
    return true;
}

/* As a BIOS leaves it: enabled, "virtual wire" mode, in which the PIC's output
 * goes through LINT0 to the processor. */
static void lapic_reset(struct device *dev)
{
    struct lapic *lapic = (struct lapic *)dev;
    bool lint0 = lapic->state.lint0;
    memset(&lapic->state, 0, sizeof lapic->state);
    lapic->state.lint0 = lint0;
    lapic->state.base = BASE_RESET | BASE_BSP | BASE_ENABLE;
    power_up(lapic);
    lapic->state.svr |= SVR_ENABLE;
    lapic->state.lvt[LVT_LINT0] = LVT_LEVEL | APIC_EXTINT << MODE_SHIFT;
    lapic->state.lvt[LVT_LINT1] = LVT_LEVEL | APIC_NMI << MODE_SHIFT;
    place(lapic, BASE_RESET);
    changed(lapic);
}

static void lapic_restored(struct device *dev)
{
    struct lapic *lapic = (struct lapic *)dev;
    place(lapic, lapic->state.base & BASE_ADDRESS);
}

static const struct region_ops register_ops = {"lapic", 0, lapic_read,
                                               lapic_write};

static const struct device_ops lapic_ops = {
    .name = "lapic",
    .cite = "SDM 3A, Advanced Programmable Interrupt Controller (APIC)",
    .reset = lapic_reset,
    .timer = lapic_timer,
    .restored = lapic_restored,
    .state_offset = offsetof(struct lapic, state),
    .state_bytes = sizeof(struct lapic_state),
};

struct lapic *lapic_create(struct bus *bus, const struct lapic_wires *wires)
{
    struct lapic *lapic = device_create(bus, sizeof *lapic, &lapic_ops);
    if (!lapic)
        return NULL;
    lapic->placed = BASE_RESET;
    if (!bus_add_memory(bus, &lapic->dev, &register_ops, BASE_RESET,
                        APIC_BYTES))
        return NULL;
    lapic_reset(&lapic->dev);
    lapic->wires = *wires;
    return lapic;
}
