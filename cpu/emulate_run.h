/* SPDX-License-Identifier: MIT */
/* cpu/emulate_run.h - one emulation in progress (cpu/emulate*.c only).
 *
 * Handlers work on a copy of the state; emu_raise() leaves them by longjmp and
 * with that the copy. So a handler reads like the manual's pseudo-code, and a
 * fault in the middle of it changes nothing.
 */
#ifndef CPU_EMULATE_RUN_H
#define CPU_EMULATE_RUN_H

#include <setjmp.h>

#include "cpu/emulate.h"

struct emu_run {
    struct cpu_state s; /* the working copy */
    const struct insn *in;
    const struct mem_ops *mem;
    const struct emu_ops *ops;
    uint32_t next_eip;
    bool jumped;    /* the handler has set s.eip */
    bool keep;      /* s counts even if the handler is left */
    bool keep_rf;   /* the handler has loaded RF */
    bool shadow;    /* no interrupt after this instruction */
    bool hold_trap; /* nor a single-step trap: MOV SS, POP SS */
    bool unfinished;

    /* News to send when the result is in place. */
    int cr, dr; /* number, or -1 */
    bool tables, invlpg, halt;
    uint32_t invlpg_linear;

    struct arch_event event;
    jmp_buf escape;
};

typedef void emu_handler(struct emu_run *r);

_Noreturn void emu_raise(struct emu_run *r, uint8_t vector, uint32_t error);
_Noreturn void emu_raise_plain(struct emu_run *r, uint8_t vector); /* no code */
_Noreturn void emu_raise_fault(struct emu_run *r, const struct fault *f);

/* Registers by operand size; size 1 numbers 4-7 are AH CH DH BH. */
uint32_t emu_get_reg(const struct emu_run *r, unsigned reg, unsigned size);
void emu_set_reg(struct emu_run *r, unsigned reg, unsigned size, uint32_t v);

/* Memory by segment and offset, with the segment's checks. */
uint32_t emu_read(struct emu_run *r, unsigned seg, uint32_t offset,
                  unsigned size);
void emu_write(struct emu_run *r, unsigned seg, uint32_t offset, unsigned size,
               uint32_t value);
uint32_t emu_offset(const struct emu_run *r, const struct operand *op);

/* Operands. */
uint32_t emu_load(struct emu_run *r, unsigned n);
void emu_store(struct emu_run *r, unsigned n, uint32_t value);
void emu_push(struct emu_run *r, unsigned size, uint32_t value);
uint32_t emu_pop(struct emu_run *r, unsigned size);
void emu_move_stack(struct emu_run *r, uint32_t by);

static inline uint32_t emu_mask(unsigned size)
{
    return size >= 4 ? 0xFFFFFFFFu : (1u << size * 8) - 1;
}
static inline uint32_t emu_sign(unsigned size)
{
    return 1u << (size * 8 - 1);
}
static inline void emu_set_flag(struct emu_run *r, uint32_t flag, bool on)
{
    r->s.eflags = on ? r->s.eflags | flag : r->s.eflags & ~flag;
}

/* The arithmetic that CMPS and SCAS share with CMP. */
uint32_t emu_subtract(struct emu_run *r, uint32_t a, uint32_t b, unsigned carry,
                      unsigned size);

/* Handlers, by file. */
emu_handler emu_cli, emu_sti, emu_hlt, emu_nop, emu_cpuid, emu_rdtsc, emu_rdpmc;
emu_handler emu_rdmsr, emu_wrmsr, emu_pushf, emu_popf;
emu_handler emu_int, emu_int1, emu_int3, emu_into, emu_undefined;
emu_handler emu_sysenter, emu_sysexit;

emu_handler emu_lmsw, emu_smsw, emu_clts, emu_mov_to_cr, emu_mov_from_cr;
emu_handler emu_mov_to_dr, emu_mov_from_dr, emu_invlpg;
emu_handler emu_lgdt, emu_lidt, emu_sgdt, emu_sidt;

emu_handler emu_lldt, emu_ltr, emu_sldt, emu_str, emu_push_seg, emu_pop_seg;
emu_handler emu_mov_from_seg, emu_mov_to_seg, emu_load_far_pointer;
emu_handler emu_lar, emu_lsl, emu_verr, emu_verw, emu_arpl;
emu_handler emu_call_far, emu_jmp_far, emu_ret_far, emu_iret;

emu_handler emu_in, emu_out, emu_string;

emu_handler emu_mov, emu_movzx, emu_movsx, emu_xchg, emu_arith, emu_test;
emu_handler emu_inc_dec, emu_not, emu_neg, emu_bit_test, emu_xadd, emu_cmpxchg;
emu_handler emu_cmpxchg8b, emu_push_op, emu_pop_op, emu_setcc, emu_cmovcc;
emu_handler emu_shift, emu_loopcc, emu_ret;

#endif
