/* SPDX-License-Identifier: MIT */
/* cpu/emulate.h - one instruction, done on a virtual processor.
 *
 * What a monitor does in the guest's place: every sensitive and privileged
 * instruction, judged by the virtual CPL, IOPL and mode, and the data
 * instructions that can touch a device or a watched page table. The steps that
 * the processor shares with it (IRET, far transfers, segment loads) are those
 * of cpu/arch.h.
 *
 * Reference: SDM 2, the instructions' "Operation" and "Exceptions" sections;
 * each row of the table in emulate.c cites its own.
 * Owner: everything belongs to the caller; nothing is kept between calls.
 */
#ifndef CPU_EMULATE_H
#define CPU_EMULATE_H

#include "cpu/arch.h"
#include "cpu/decode.h"

/* What the virtual processor is connected to. A NULL member is as if nothing
 * were there: ports read all ones, MSRs fault, CPUID and the clock are 0. */
struct emu_ops {
    uint32_t (*port_in)(void *ctx, uint16_t port, unsigned size);
    void (*port_out)(void *ctx, uint16_t port, unsigned size, uint32_t value);
    /* MSRs that are not in struct cpu_state. False: #GP(0). */
    bool (*rdmsr)(void *ctx, uint32_t index, uint64_t *value);
    bool (*wrmsr)(void *ctx, uint32_t index, uint64_t value);
    /* out: EAX EBX ECX EDX. */
    void (*cpuid)(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
    uint64_t (*clock)(void *ctx); /* TSC = this + tsc_offset */

    /* News. They come when the state already holds the instruction's result;
     * a faulting instruction sends none. */
    void (*cr_written)(void *ctx, unsigned n, uint32_t old, uint32_t value);
    void (*efer_changed)(void *ctx);
    void (*dr_written)(void *ctx, unsigned n, uint32_t value);
    void (*invlpg)(void *ctx, uint32_t linear);
    void (*tables_changed)(void *ctx); /* GDTR IDTR LDTR TR, or a task switch */
    void (*halt)(void *ctx);
    void *ctx;
};

enum emu_result {
    EMU_DONE,      /* *state is the one after the instruction */
    EMU_FAULT,     /* deliver emu.event: a fault, or INT n and its like */
    EMU_UNHANDLED, /* not one that this module knows; nothing happened */
};

struct emu {
    struct cpu_state *state;
    const struct mem_ops *mem;
    const struct emu_ops *ops;

    /* Results. */
    struct arch_event event; /* EMU_FAULT: for arch_deliver */
    bool single_step;        /* EMU_DONE: TF was set; deliver #DB with DR6.BS */
    bool unfinished; /* EMU_DONE: a REP instruction with iterations left; EIP
                        still points at it, an interrupt may come between */
};

/* Do the instruction at state->eip. On EMU_FAULT the state is as before, with
 * two exceptions that hardware has too: a REP instruction keeps the iterations
 * that it has done, and a task switch past its point of no return stays. */
enum emu_result emulate(struct emu *e, const struct insn *in);

/* Is there a handler? And where the manual describes the instruction. */
bool emulate_knows(enum insn_id id);
const char *emulate_cite(enum insn_id id);

#endif
