/* SPDX-License-Identifier: MIT */
/* tests/support/verdict.c - what of a case must be equal, and which cases a
 * technique is excused from. */
#include "cpu/decode.h"
#include "tests/support/batch.h"
#include "traps/pv_abi.h"

static const char *registers_differ(const struct probe_result *a,
                                    const struct probe_result *b)
{
    static const char *const names[] = {"EDI", "ESI", "EBP", "ESP",
                                        "EBX", "EDX", "ECX", "EAX"};

    for (unsigned i = 0; i < 8; i++)
        if (a->gpr[i] != b->gpr[i])
            return names[i];
    for (unsigned i = 0; i < 4; i++)
        if ((a->segment[i] ^ b->segment[i]) & 0xFFFF)
            return "a segment";
    return NULL;
}

static const char *frames_differ(const struct probe_result *a,
                                 const struct probe_result *b)
{
    bool outer = (a->cs & 3) != 0 || a->vector == VEC_DF;

    if (a->vector != b->vector)
        return "vector";
    if (a->error != b->error)
        return "error code";
    if (a->eip != b->eip)
        return "EIP";
    if (a->eflags != b->eflags)
        return "EFLAGS";
    if ((a->cs ^ b->cs) & 0xFFFF)
        return "CS";
    if (outer && (a->esp != b->esp || ((a->ss ^ b->ss) & 0xFFFF)))
        return "SS:ESP";
    return NULL;
}

static const char *system_differs(const struct probe_result *a,
                                  const struct probe_result *b)
{
    if (a->cr2 != b->cr2)
        return "CR2";
    if (a->cr0 != b->cr0)
        return "CR0";
    if (a->cr3 != b->cr3)
        return "CR3";
    if (a->cr4 != b->cr4)
        return "CR4";
    if (a->dr7 != b->dr7)
        return "DR7";
    if (a->pde != b->pde || a->pte != b->pte)
        return "page tables";
    return a->sum != b->sum ? "memory" : NULL;
}

const char *outcome_difference(const struct outcome *bare,
                               const struct outcome *other)
{
    const struct probe_result *a = &bare->result, *b = &other->result;
    const char *what;

    if (bare->stop == VM_TRIPLE_FAULT && other->stop == VM_UNSUPPORTED)
        return NULL; /* its page tables left the monitor no place */
    if (bare->stop != other->stop)
        return "how the guest ended";
    if (bare->stop != VM_RUNNING)
        return NULL;
    what = frames_differ(a, b);
    if (!what)
        what = registers_differ(a, b);
    return what ? what : system_differs(a, b);
}

/* ---- what cannot be compared ------------------------------------------------
 */

/* Does a register point to the code? Static translation shows in what is read
 * there. */
static bool points_to_code(const struct probe_result *r)
{
    for (unsigned i = 0; i < 8; i++)
        if (r->gpr[i] - PROBE_CODE < PROBE_CASES_MAX * PROBE_ENTRY_BYTES)
            return true;
    return false;
}

/* The engine's IRET to virtual-8086 mode, by flags that a case before stored
 * there, takes any EIP. */
static bool entered_vm86(const struct probe_result *r)
{
    return (r->eflags & EFL_VM) != 0;
}

/* It ran what may be anything, and was not translated ahead; a fault of the
 * fetch there is no more than where it went. */
static bool left_its_code(const struct batch *b, uint32_t i,
                          const struct probe_result *r)
{
    if (r->vector == PROBE_LANDED || (r->vector == VEC_PF && r->cr2 == r->eip))
        return false;
    return r->eip - b->cases[i].eip >= PROBE_ENTRY_BYTES;
}

/* What a ported kernel is not asked about: its hypercall's vector, and where
 * SYSENTER leads. */
static bool taken_otherwise(const struct probe_result *r)
{
    return r->vector == PV_VECTOR || r->vector == PROBE_LANDED;
}

/* (Pure trapping loses the IOPL that the probe's IRET to ring 3 loads.) */
static bool left_out_by(enum cpu_technique cpu, unsigned about, bool user,
                        uint32_t eflags, const struct outcome *bare)
{
    bool ended = bare->stop == VM_RUNNING;
    unsigned hole = user ? IN_HOLE_3 : IN_HOLE_0;

    if (!user && (about & LEAVES)) /* what follows is a program's */
        hole |= IN_HOLE_3;
    switch (cpu) {
    case CPU_TRAP: return (about & hole) || (user && (eflags & EFL_IOPL));
    case CPU_BT_STATIC:
        return (about & COMPUTED) != 0 ||
               (ended && points_to_code(&bare->result));
    case CPU_PV: /* other descriptors, no IOPL, no SYSENTER, no CR4 */
        return (about &
                (IN_HOLE_0 | IN_HOLE_3 | SHOWS_FCS | CHANGES | READS_CLOCK)) ||
               (eflags & EFL_IOPL) || (ended && taken_otherwise(&bare->result));
    case CPU_BT: /* programs run directly */
        return (user || (about & LEAVES)) && (about & IN_HOLE_3) != 0;
    default: return false;
    }
}

bool batch_left_out(const struct batch *b, uint32_t i,
                    const struct outcome *bare, enum cpu_technique cpu)
{
    const struct probe_result *r = &bare->result;
    unsigned about = b->about[batch_sequence(b, i)];
    bool ended = bare->stop == VM_RUNNING;

    if (ended && (left_its_code(b, i, r) || entered_vm86(r)))
        return true;
    if (ended && (about & READS_CLOCK) && r->vector == VEC_DB)
        return true; /* just behind RDTSC */
    if (cpu != CPU_HVM && !b->user && (about & SHOWS_FCS))
        return true;
    return left_out_by(cpu, about, b->user, b->cases[i].eflags, bare);
}

/* Does the instruction that a result ended at name CS, which is read-only? */
static bool names_cs(const struct batch *b, uint32_t i,
                     const struct probe_result *r)
{
    const uint8_t *code = b->code[batch_sequence(b, i)];
    uint32_t at = r->eip - b->cases[i].eip;
    struct insn in;

    return at < PROBE_ENTRY_BYTES &&
           decode(code + at, PROBE_ENTRY_BYTES - at, true, &in) &&
           in.segment == SEG_CS;
}

/* The engine checks no limit, no null selector and no write right of a segment;
 * emulation does, and so faults where the bare machine goes on. (A double fault
 * if there is no stack for it.) */
bool batch_stricter(const struct batch *b, uint32_t i,
                    const struct outcome *other)
{
    const struct probe_result *r = &other->result;

    return other->stop == VM_RUNNING && r->error == 0 &&
           (r->vector == VEC_GP || r->vector == VEC_SS ||
            r->vector == VEC_DF) &&
           (b->about[batch_sequence(b, i)] || names_cs(b, i, r));
}
