/* SPDX-License-Identifier: MIT */
/* pv/irq.h - is lumen-pv taking interrupts? A byte in the page that it shares
 * with the VMM says so: to change it is a store, and costs no exit.
 *
 * Who lets events in again must look whether one has been waiting. At ring 3
 * the byte does not count, so a plain IRET to a program lets them in.
 */
#ifndef LUMEN_PV_IRQ_H
#define LUMEN_PV_IRQ_H

#ifdef __ASSEMBLER__

/* The last instruction of every return to a program. */
#define RETURN_TO_USER iret

#else

#include "pv/hypercall.h"
#include "x86.h"
#include <stdbool.h>

static inline void irq_gate_entered(void) {}

static inline bool irq_enabled(void)
{
    return !shared->upcall_mask;
}

static inline void irq_disable(void)
{
    shared->upcall_mask = 1;
    __asm__ volatile("" : : : "memory");
}

static inline void irq_enable(void)
{
    __asm__ volatile("" : : : "memory");
    shared->upcall_mask = 0;
    if (shared->upcall_pending)
        hypercall2(PV_EVENT_OP, PV_EVENT_UPCALL, 0);
}

static inline uint32_t irq_save(void)
{
    bool was_on = irq_enabled();

    irq_disable();
    return was_on;
}

static inline void irq_restore(uint32_t was_on)
{
    if (was_on)
        irq_enable();
}

/* IRET will not do it for the kernel itself: the processor leaves IF alone
 * there, and it is the real one anyway. */
static inline void irq_gate_leaving(uint32_t eflags, bool to_user)
{
    if (!to_user && (eflags & EFLAGS_IF))
        irq_enable();
}

/* In one step, as the VMM sees it: no wakeup can slip in between. */
static inline void irq_enable_and_halt(void)
{
    hypercall1(PV_SCHED_OP, PV_SCHED_BLOCK);
}

#endif
#endif
