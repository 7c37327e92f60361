/* SPDX-License-Identifier: MIT */
/* test_cpu.c - interrupts, exceptions, control registers.
 *
 * Reference: SDM 3A, "Exception and Interrupt Reference".
 */
#include "irq.h"
#include "kernel.h"
#include "memory.h"
#include "selftest.h"
#include "x86.h"

/* How long to wait for a tick, which comes each 10 ms: SPINS take 25 ms on
 * the fastest machine, and 100 million instructions on any. */
#define SPINS      4000000u
#define POLLS      400000u
#define POLL_SPINS 8u

#define NO_GATE 0x30 /* a vector without a gate             */
#define BAD_SEL 0x58 /* beyond the limit of the GDT         */

/* -------- interrupts -------- */

/* Eight multiplications, each of which needs the one before: no processor
 * can hurry this. */
static void spin(void)
{
    static uint32_t number = 1;
    uint32_t n = number;

    for (uint32_t i = 0; i < 8; i++) {
        n = n * 1664525u + 1013904223u;
        __asm__ volatile("" : "+r"(n));
    }
    number = n;
}

static bool tick_arrives(void)
{
    uint32_t ticks = timer_ticks();

    for (uint32_t i = 0; i < SPINS; i++) {
        if (timer_ticks() != ticks)
            return true;
        spin();
    }
    kprintf("timer: no tick in %u spins\n", SPINS);
    return false;
}

static const char *test_timer(void)
{
    return tick_arrives() && tick_arrives()
               ? NULL
               : "interrupts are on, but no tick arrives";
}

static const char *test_irq_save(void)
{
    uint32_t outer, inner;
    bool before = irq_enabled(), locked, still_locked, after;

    outer = irq_save();
    locked = !irq_enabled();
    inner = irq_save();
    irq_restore(inner);
    still_locked = !irq_enabled();
    irq_restore(outer);
    after = irq_enabled();

    if (!before)
        return "interrupts were off to begin with";
    if (!locked)
        return "irq_save leaves interrupts on";
    if (!still_locked)
        return "the inner irq_restore turned interrupts on";
    return after ? NULL : "irq_restore leaves interrupts off";
}

/* A tick that comes while interrupts are off waits in the PIC; irq_restore
 * lets it in. */
static const char *test_irq_pending(void)
{
    uint32_t state = irq_save(), ticks = timer_ticks(), polls;
    bool early;

    for (polls = 0; polls < POLLS && !(pic_requests() & 1); polls++) {
        for (uint32_t i = 0; i < POLL_SPINS; i++)
            spin();
    }
    early = timer_ticks() != ticks;
    irq_restore(state);
    for (uint32_t i = 0; i < POLL_SPINS; i++)
        spin();

    if (polls == POLLS)
        return "the PIC never saw a tick";
    if (early)
        return "a tick came in with interrupts off";
    return timer_ticks() != ticks ? NULL : "the waiting tick was lost";
}

/* -------- exceptions -------- */

static const char *test_breakpoint(void)
{
    PROBE("int3", "i"(0));
    if (trap_probe.hit && !(trap_probe.seen.eflags & EFLAGS_IF))
        return "IF is clear in the frame";
    return check_frame(VEC_BP, 0, fault_at + 1);
}

static const char *test_divide(void)
{
    PROBE("divl %[zero]", [zero] "r"(0));
    return check_frame(VEC_DE, 0, fault_at);
}

static const char *test_invalid_opcode(void)
{
    PROBE("ud2", "i"(0));
    return check_frame(VEC_UD, 0, fault_at);
}

static const char *test_bad_selector(void)
{
    PROBE("movl %[sel], %%fs", [sel] "r"(BAD_SEL));
    return check_frame(VEC_GP, BAD_SEL, fault_at);
}

/* The error code names the gate: index * 8, plus 2 for "in the IDT". */
static const char *test_no_gate(void)
{
    PROBE("int %[vector]", [vector] "i"(NO_GATE));
    return check_frame(VEC_GP, NO_GATE * 8 + 2, fault_at);
}

/* -------- control registers -------- */

#ifndef LUMEN_PV /* they are the VMM's */

static const char *test_control_registers(void)
{
    uint32_t cr0 = read_cr0(), cr3 = read_cr3(), changed;

    write_cr0(cr0 ^ CR0_MP);
    changed = read_cr0();
    write_cr0(cr0);
    if (changed != (cr0 ^ CR0_MP) || read_cr0() != cr0)
        return "CR0 does not read back";
    if (cr3 != virt_to_phys(kernel_directory))
        return "CR3 is not the kernel's directory";
    write_cr2(0x12345678);
    if (read_cr2() != 0x12345678)
        return "CR2 does not read back";

    if (cpu_features() & CPUID_PGE) {
        uint32_t cr4 = read_cr4();

        write_cr4(cr4 ^ CR4_PGE);
        changed = read_cr4();
        write_cr4(cr4);
        if (changed != (cr4 ^ CR4_PGE) || read_cr4() != cr4)
            return "CR4 does not read back";
    }
    return NULL;
}

#endif

const struct self_test cpu_tests[] = {
    {"irq_save and irq_restore", test_irq_save},
    {"a pending interrupt waits", test_irq_pending},
    {"timer ticks", test_timer},
    {"breakpoint frame", test_breakpoint},
    {"divide error frame", test_divide},
    {"invalid opcode frame", test_invalid_opcode},
    {"selector beyond the GDT", test_bad_selector},
    {"INT without a gate", test_no_gate},
#ifndef LUMEN_PV
    {"control registers", test_control_registers},
#endif
    {NULL, NULL},
};
