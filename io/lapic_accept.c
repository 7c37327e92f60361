/* SPDX-License-Identifier: MIT */
/* io/lapic_accept.c - interrupts on their way through the local APIC: accepted
 * into the IRR, put before the processor by priority, in service until the EOI;
 * the messages it sends itself, and its LINT0 pin.
 *
 * INIT and start-up messages have nobody to go to and are swallowed, and so is
 * SMI.
 *
 * Reference: SDM vol. 3A, "Advanced Programmable Interrupt Controller (APIC)",
 * Handling Interrupts.
 */
#include "io/lapic.h"

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

/* The processor priority: the task's, or the class of what is in service. */
uint32_t lapic_priority(const struct lapic *lapic)
{
    uint32_t task = lapic->state.tpr;
    int served = bit_highest(lapic->state.isr);
    uint32_t service = served < 0 ? 0 : (uint32_t)served & 0xF0;
    return task >> 4 >= service >> 4 ? task : service;
}

bool lapic_pending(const struct lapic *lapic)
{
    if (!lapic_hardware_enabled(lapic))
        return false;
    int vector = bit_highest(lapic->state.irr);
    return vector >= 0 && (uint32_t)vector >> 4 > lapic_priority(lapic) >> 4;
}

int lapic_acknowledge(struct lapic *lapic)
{
    if (!lapic_pending(lapic))
        return -1;
    int vector = bit_highest(lapic->state.irr);
    bit_set(lapic->state.irr, (unsigned)vector, false);
    bit_set(lapic->state.isr, (unsigned)vector, true);
    lapic_changed(lapic);
    return vector;
}

static void set_irr(struct lapic *lapic, uint8_t vector, bool level)
{
    bit_set(lapic->state.irr, vector, true);
    bit_set(lapic->state.tmr, vector, level);
    lapic_changed(lapic);
}

static void set_nmi(struct lapic *lapic)
{
    lapic->state.nmi = true;
    lapic_changed(lapic);
}

/* Note an error; the error LVT may make an interrupt of it. */
void lapic_note_error(struct lapic *lapic, uint32_t error)
{
    struct lapic_state *s = &lapic->state;
    bool news = !(s->errors & error);
    s->errors |= error;
    uint32_t lvt = s->lvt[LVT_ERROR];
    uint8_t vector = (uint8_t)lvt;
    if (news && !(lvt & LVT_MASKED) && vector >= FIRST_VECTOR)
        set_irr(lapic, vector, false);
}

void lapic_accept_fixed(struct lapic *lapic, uint8_t vector, bool level)
{
    if (vector < FIRST_VECTOR)
        lapic_note_error(lapic, ESR_RECEIVED_VECTOR);
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
        if (!lapic_software_enabled(lapic))
            return false;
        lapic_accept_fixed(lapic, m->vector, m->level);
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
    return lapic_hardware_enabled(lapic) && is_addressed(lapic, message) &&
           accept(lapic, message);
}

void lapic_send_ipi(struct lapic *lapic)
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
        lapic_note_error(lapic, ESR_SEND_VECTOR);
        return;
    }
    if (to == TO_OTHERS || (to == TO_DESTINATION && !is_addressed(lapic, &m)))
        return; /* there is no other processor */
    accept(lapic, &m);
}

void lapic_end_of_interrupt(struct lapic *lapic)
{
    struct lapic_state *s = &lapic->state;
    int vector = bit_highest(s->isr);
    if (vector < 0)
        return;
    bit_set(s->isr, (unsigned)vector, false);
    if (lapic_bit(s->tmr, (unsigned)vector)) {
        uint32_t *lint0 = &s->lvt[LVT_LINT0];
        if ((*lint0 & LVT_REMOTE_IRR) && (uint8_t)*lint0 == vector) {
            *lint0 &= ~(uint32_t)LVT_REMOTE_IRR;
            if (s->lint0)
                lapic_lint0_signal(lapic);
        }
        if (lapic->wires.eoi)
            lapic->wires.eoi(lapic->wires.ctx, (uint8_t)vector);
    }
    lapic_changed(lapic);
}

/* ---- The local interrupt pins ---- */

bool lapic_takes_pic(const struct lapic *lapic)
{
    uint32_t lint0 = lapic->state.lvt[LVT_LINT0];
    /* Disabled by hardware, the pin is the 8086's INTR again. */
    return !lapic_hardware_enabled(lapic) ||
           (!(lint0 & LVT_MASKED) &&
            (lint0 >> MODE_SHIFT & MODE_MASK) == APIC_EXTINT);
}

/* LINT0 in the modes where the PIC's output is an ordinary interrupt. */
void lapic_lint0_signal(struct lapic *lapic)
{
    uint32_t *lvt = &lapic->state.lvt[LVT_LINT0];
    if ((*lvt & LVT_MASKED) || !lapic_hardware_enabled(lapic))
        return;
    switch ((enum apic_mode)(*lvt >> MODE_SHIFT & MODE_MASK)) {
    case APIC_NMI: set_nmi(lapic); break;
    case APIC_FIXED:
        if (!lapic_software_enabled(lapic) || (*lvt & LVT_REMOTE_IRR))
            break;
        if (*lvt & LVT_LEVEL)
            *lvt |= LVT_REMOTE_IRR;
        lapic_accept_fixed(lapic, (uint8_t)*lvt, *lvt & LVT_LEVEL);
        break;
    default: break; /* ExtINT: see lapic_takes_pic */
    }
}

void lapic_set_lint0(struct lapic *lapic, bool level)
{
    bool rises = level && !lapic->state.lint0;
    lapic->state.lint0 = level;
    if (rises)
        lapic_lint0_signal(lapic);
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
        lapic_changed(lapic);
    return nmi;
}
