/* SPDX-License-Identifier: MIT */
/* irq.h - is this CPU taking interrupts? The one file in which lumen and
 * lumen-trap differ. (lumen-pv has its own, pv/irq.h.)
 *
 * lumen does what every kernel does: PUSHF remembers IF, CLI clears it, POPF
 * puts it back, and IRET to a program sets it again with the program's EFLAGS.
 * When CPL > IOPL, CLI and STI trap, but PUSHF shows the *real* IF and POPF
 * and IRET leave IF as it was: no trap, no change, no complaint (SDM 2,
 * "POPF/POPFD/POPFQ", table of operating modes; Robin & Irvine, USENIX
 * Security 2000). A monitor that only traps and emulates therefore sees the
 * CLI and never learns of the restore: no timer tick reaches this kernel again.
 *
 * lumen-trap (LUMEN_TRAP) keeps its own copy of IF in a variable and changes
 * the real one by CLI and STI alone, which do trap.
 *
 * The kernel takes interrupts while it serves a system call, but never gives
 * up the CPU there unless it asks to. So these guard only what interrupt
 * handlers touch too: the run queue, the console's ring, the frame lists.
 */
#ifndef LUMEN_IRQ_H
#define LUMEN_IRQ_H

#ifdef LUMEN_PV
#include "pv/irq.h"
#elif defined(__ASSEMBLER__)

/* The last instruction of every return to a program. */
.macro RETURN_TO_USER
#ifdef LUMEN_TRAP
    sti      /* traps; an interrupt can come after IRET only */
#endif
        iret /* in lumen this restores IF, in ring 0         */
            .endm

#else

#include "x86.h"
#include <stdbool.h>
#include <stdint.h>

#ifdef LUMEN_TRAP

extern bool irq_on; /* what IF should be; kept in idt.c             */

static inline bool irq_enabled(void)
{
    return *(volatile bool *)&irq_on;
}

/* An interrupt or exception gate has cleared IF behind our back ... */
static inline void irq_gate_entered(void)
{
    irq_on = false;
}

/* ... and the IRET to come restores what it found. */
static inline void irq_gate_leaving(uint32_t eflags, bool to_user)
{
    (void)to_user;
    irq_on = (eflags & EFLAGS_IF) != 0;
}

static inline void irq_disable(void)
{
    __asm__ volatile("cli" : : : "memory");
    irq_on = false;
}

static inline void irq_enable(void)
{
    irq_on = true; /* before STI: a tick may come right after it   */
    __asm__ volatile("sti" : : : "memory");
}

/* An interrupt between the read and the CLI is harmless: it leaves irq_on
 * as it found it. */
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

/* STI holds interrupts back for one instruction, so no wakeup can slip in
 * between the caller's last look at the run queue and the HLT. */
static inline void irq_enable_and_halt(void)
{
    irq_on = true;
    __asm__ volatile("sti; hlt" : : : "memory");
}

#else /* lumen, the ordinary kernel */

static inline void irq_gate_entered(void) {}

static inline void irq_gate_leaving(uint32_t eflags, bool to_user)
{
    (void)eflags;
    (void)to_user;
}

static inline bool irq_enabled(void)
{
    uint32_t flags;

    __asm__ volatile("pushfl; popl %0" : "=r"(flags) : : "memory");
    return (flags & EFLAGS_IF) != 0;
}

static inline void irq_disable(void)
{
    __asm__ volatile("cli" : : : "memory");
}

static inline void irq_enable(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline uint32_t irq_save(void)
{
    uint32_t flags;

    __asm__ volatile("pushfl; popl %0; cli" : "=r"(flags) : : "memory");
    return flags;
}

static inline void irq_restore(uint32_t flags)
{
    __asm__ volatile("pushl %0; popfl" : : "r"(flags) : "memory", "cc");
}

/* STI holds interrupts back for one instruction, so no wakeup can slip in
 * between the caller's last look at the run queue and the HLT. */
static inline void irq_enable_and_halt(void)
{
    __asm__ volatile("sti; hlt" : : : "memory");
}

#endif /* LUMEN_TRAP */
#endif /* LUMEN_PV, __ASSEMBLER__ */
#endif
