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
#include "io/lapic.h"

#include <string.h>

/* The bits of each LVT register that software can write. */
static const uint32_t lvt_writable[LVTS] = {
    [LVT_TIMER] = 0x300FF, [LVT_THERMAL] = 0x107FF, [LVT_PERFORMANCE] = 0x107FF,
    [LVT_LINT0] = 0x1A7FF, [LVT_LINT1] = 0x1A7FF,   [LVT_ERROR] = 0x100FF,
};

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
    if (!(s->lvt[LVT_TIMER] & LVT_MASKED) && lapic_software_enabled(lapic))
        lapic_accept_fixed(lapic, (uint8_t)s->lvt[LVT_TIMER], false);
}

/* ---- Registers ---- */

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
        lapic_lint0_signal(lapic);
    lapic_changed(lapic);
}

static void write_svr(struct lapic *lapic, uint32_t value)
{
    struct lapic_state *s = &lapic->state;
    s->svr = value & SVR_BITS;
    if (!(s->svr & SVR_ENABLE)) /* software disable masks all local sources */
        for (unsigned i = 0; i < LVTS; i++)
            s->lvt[i] |= LVT_MASKED;
    lapic_changed(lapic);
}

static void write_register(struct lapic *lapic, unsigned reg, uint32_t value)
{
    struct lapic_state *s = &lapic->state;
    switch (reg) {
    case REG_ID: s->id = value & UINT32_C(0xFF) << ID_SHIFT; break;
    case REG_TPR:
        s->tpr = value & UINT8_MAX;
        lapic_changed(lapic);
        break;
    case REG_EOI: lapic_end_of_interrupt(lapic); break;
    case REG_LDR: s->ldr = value & UINT32_C(0xFF) << ID_SHIFT; break;
    case REG_DFR: s->dfr = value | UINT32_C(0x0FFFFFFF); break;
    case REG_SVR: write_svr(lapic, value); break;
    case REG_ESR: /* a write shows what gathered since the last one */
        s->esr = s->errors;
        s->errors = 0;
        break;
    case REG_ICR_LOW:
        s->icr_low = value & ICR_BITS;
        lapic_send_ipi(lapic);
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
            lapic_note_error(lapic, ESR_ILLEGAL_REGISTER);
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
    case REG_PPR: return lapic_priority(lapic);
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
    lapic_note_error(lapic, ESR_ILLEGAL_REGISTER);
    return 0;
}

/* Registers are 32 bits at multiples of 16. Other accesses are undefined:
 * parts of a register can be read, and all else reads zero. */
static uint32_t lapic_read(struct device *dev, uint32_t offset, unsigned size)
{
    struct lapic *lapic = (struct lapic *)dev;
    (void)size;
    if (!lapic_hardware_enabled(lapic))
        return UINT32_MAX;
    if (offset & 0xC)
        return 0;
    return read_register(lapic, offset >> REG_SHIFT) >> (8 * (offset & 3));
}

static void lapic_write(struct device *dev, uint32_t offset, unsigned size,
                        uint32_t value)
{
    struct lapic *lapic = (struct lapic *)dev;
    if (lapic_hardware_enabled(lapic) && size == 4 && !(offset & 0xF))
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
    bool stops = lapic_hardware_enabled(lapic) && !(value & BASE_ENABLE);
    lapic->state.base = value;
    if (stops)
        power_up(lapic);
    lapic_changed(lapic);
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
    lapic_changed(lapic);
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
