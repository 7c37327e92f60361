/* SPDX-License-Identifier: MIT */
/* io/lapic.h - the local APIC, shared by its two files: lapic.c has the
 * registers and the timer, lapic_accept.c takes interrupts in and hands them to
 * the processor. Internal to io/.
 */
#ifndef IO_LAPIC_H
#define IO_LAPIC_H

#include "io/devices.h"

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

static inline bool lapic_bit(const uint32_t *bits, unsigned n)
{
    return bits[n / 32] >> (n % 32) & 1;
}

static inline bool lapic_hardware_enabled(const struct lapic *lapic)
{
    return lapic->state.base & BASE_ENABLE;
}

static inline bool lapic_software_enabled(const struct lapic *lapic)
{
    return lapic_hardware_enabled(lapic) && (lapic->state.svr & SVR_ENABLE);
}

static inline void lapic_changed(struct lapic *lapic)
{
    if (lapic->wires.changed)
        lapic->wires.changed(lapic->wires.ctx);
}

/* lapic_accept.c */
uint32_t lapic_priority(const struct lapic *lapic);
void lapic_note_error(struct lapic *lapic, uint32_t error);
void lapic_accept_fixed(struct lapic *lapic, uint8_t vector, bool level);
void lapic_send_ipi(struct lapic *lapic);
void lapic_lint0_signal(struct lapic *lapic);
void lapic_end_of_interrupt(struct lapic *lapic);

#endif
