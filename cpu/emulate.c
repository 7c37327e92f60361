/* SPDX-License-Identifier: MIT */
/* cpu/emulate.c - the table of instructions and the one way through it. */
#include "cpu/emulate_run.h"

#include <stddef.h>

/* What is checked before the handler runs, in this order. */
enum {
    PROTECTED = 1, /* #UD in real and virtual-8086 mode */
    CPL0 = 2,      /* #GP(0) above privilege 0 */
    IOPL = 4,      /* #GP(0) if CPL > IOPL */
    VM86_IOPL = 8, /* #GP(0) in virtual-8086 mode below IOPL 3 */
};

struct row {
    emu_handler *handle;
    uint8_t rules;
    const char *cite;
};

static const struct row table[INSN_COUNT] = {
    [INSN_CLI] = {emu_cli, IOPL, "SDM 2, CLI"},
    [INSN_STI] = {emu_sti, IOPL, "SDM 2, STI"},
    [INSN_HLT] = {emu_hlt, CPL0, "SDM 2, HLT"},
    [INSN_LGDT] = {emu_lgdt, CPL0, "SDM 2, LGDT/LIDT"},
    [INSN_LIDT] = {emu_lidt, CPL0, "SDM 2, LGDT/LIDT"},
    [INSN_LLDT] = {emu_lldt, PROTECTED | CPL0, "SDM 2, LLDT"},
    [INSN_LTR] = {emu_ltr, PROTECTED | CPL0, "SDM 2, LTR"},
    [INSN_LMSW] = {emu_lmsw, CPL0, "SDM 2, LMSW"},
    [INSN_CLTS] = {emu_clts, CPL0, "SDM 2, CLTS"},
    [INSN_MOV_TO_CR] = {emu_mov_to_cr, CPL0,
                        "SDM 2, MOV to/from Control Registers"},
    [INSN_MOV_FROM_CR] = {emu_mov_from_cr, CPL0,
                          "SDM 2, MOV to/from Control Registers"},
    [INSN_MOV_TO_DR] = {emu_mov_to_dr, CPL0,
                        "SDM 2, MOV to/from Debug Registers"},
    [INSN_MOV_FROM_DR] = {emu_mov_from_dr, CPL0,
                          "SDM 2, MOV to/from Debug Registers"},
    [INSN_INVLPG] = {emu_invlpg, CPL0, "SDM 2, INVLPG"},
    [INSN_INVD] = {emu_nop, CPL0, "SDM 2, INVD"},
    [INSN_WBINVD] = {emu_nop, CPL0, "SDM 2, WBINVD"},
    [INSN_RDMSR] = {emu_rdmsr, CPL0, "SDM 2, RDMSR"},
    [INSN_WRMSR] = {emu_wrmsr, CPL0, "SDM 2, WRMSR"},
    [INSN_SYSENTER] = {emu_sysenter, 0, "SDM 2, SYSENTER"},
    [INSN_SYSEXIT] = {emu_sysexit, CPL0, "SDM 2, SYSEXIT"},
    [INSN_SYSCALL] = {emu_undefined, 0, "SDM 2, SYSCALL"},
    [INSN_SYSRET] = {emu_undefined, 0, "SDM 2, SYSRET"},

    [INSN_PUSHF] = {emu_pushf, VM86_IOPL, "SDM 2, PUSHF/PUSHFD"},
    [INSN_POPF] = {emu_popf, VM86_IOPL, "SDM 2, POPF/POPFD"},
    [INSN_IRET] = {emu_iret, VM86_IOPL, "SDM 2, IRET/IRETD"},

    [INSN_SGDT] = {emu_sgdt, 0, "SDM 2, SGDT"},
    [INSN_SIDT] = {emu_sidt, 0, "SDM 2, SIDT"},
    [INSN_SLDT] = {emu_sldt, PROTECTED, "SDM 2, SLDT"},
    [INSN_STR] = {emu_str, PROTECTED, "SDM 2, STR"},
    [INSN_SMSW] = {emu_smsw, 0, "SDM 2, SMSW"},

    [INSN_LAR] = {emu_lar, PROTECTED, "SDM 2, LAR"},
    [INSN_LSL] = {emu_lsl, PROTECTED, "SDM 2, LSL"},
    [INSN_VERR] = {emu_verr, PROTECTED, "SDM 2, VERR/VERW"},
    [INSN_VERW] = {emu_verw, PROTECTED, "SDM 2, VERR/VERW"},
    [INSN_ARPL] = {emu_arpl, PROTECTED, "SDM 2, ARPL"},

    [INSN_PUSH_SEG] = {emu_push_seg, 0, "SDM 2, PUSH"},
    [INSN_POP_SEG] = {emu_pop_seg, 0, "SDM 2, POP"},
    [INSN_MOV_FROM_SEG] = {emu_mov_from_seg, 0, "SDM 2, MOV"},
    [INSN_MOV_TO_SEG] = {emu_mov_to_seg, 0, "SDM 2, MOV"},
    [INSN_LDS] = {emu_load_far_pointer, 0, "SDM 2, LDS/LES/LFS/LGS/LSS"},
    [INSN_LES] = {emu_load_far_pointer, 0, "SDM 2, LDS/LES/LFS/LGS/LSS"},
    [INSN_LSS] = {emu_load_far_pointer, 0, "SDM 2, LDS/LES/LFS/LGS/LSS"},
    [INSN_LFS] = {emu_load_far_pointer, 0, "SDM 2, LDS/LES/LFS/LGS/LSS"},
    [INSN_LGS] = {emu_load_far_pointer, 0, "SDM 2, LDS/LES/LFS/LGS/LSS"},

    [INSN_CALL_FAR] = {emu_call_far, 0, "SDM 2, CALL"},
    [INSN_JMP_FAR] = {emu_jmp_far, 0, "SDM 2, JMP"},
    [INSN_RET_FAR] = {emu_ret_far, 0, "SDM 2, RET"},
    [INSN_INT] = {emu_int, 0, "SDM 2, INT n/INTO/INT3/INT1"},
    [INSN_INT1] = {emu_int1, 0, "SDM 2, INT n/INTO/INT3/INT1"},
    [INSN_INT3] = {emu_int3, 0, "SDM 2, INT n/INTO/INT3/INT1"},
    [INSN_INTO] = {emu_into, 0, "SDM 2, INT n/INTO/INT3/INT1"},

    [INSN_IN] = {emu_in, 0, "SDM 2, IN"},
    [INSN_OUT] = {emu_out, 0, "SDM 2, OUT"},
    [INSN_INS] = {emu_string, 0, "SDM 2, INS/INSB/INSW/INSD"},
    [INSN_OUTS] = {emu_string, 0, "SDM 2, OUTS/OUTSB/OUTSW/OUTSD"},

    [INSN_CPUID] = {emu_cpuid, 0, "SDM 2, CPUID"},
    [INSN_RDTSC] = {emu_rdtsc, 0, "SDM 2, RDTSC"},
    [INSN_RDPMC] = {emu_rdpmc, 0, "SDM 2, RDPMC"},

    [INSN_NOP] = {emu_nop, 0, "SDM 2, NOP"},
    [INSN_PAUSE] = {emu_nop, 0, "SDM 2, PAUSE"},
    [INSN_MOV] = {emu_mov, 0, "SDM 2, MOV"},
    [INSN_MOVZX] = {emu_movzx, 0, "SDM 2, MOVZX"},
    [INSN_MOVSX] = {emu_movsx, 0, "SDM 2, MOVSX/MOVSXD"},
    [INSN_MOVS] = {emu_string, 0, "SDM 2, MOVS/MOVSB/MOVSW/MOVSD"},
    [INSN_STOS] = {emu_string, 0, "SDM 2, STOS/STOSB/STOSW/STOSD"},
    [INSN_LODS] = {emu_string, 0, "SDM 2, LODS/LODSB/LODSW/LODSD"},
    [INSN_CMPS] = {emu_string, 0, "SDM 2, CMPS/CMPSB/CMPSW/CMPSD"},
    [INSN_SCAS] = {emu_string, 0, "SDM 2, SCAS/SCASB/SCASW/SCASD"},
    [INSN_XCHG] = {emu_xchg, 0, "SDM 2, XCHG"},
    [INSN_ADD] = {emu_arith, 0, "SDM 2, ADD"},
    [INSN_OR] = {emu_arith, 0, "SDM 2, OR"},
    [INSN_ADC] = {emu_arith, 0, "SDM 2, ADC"},
    [INSN_SBB] = {emu_arith, 0, "SDM 2, SBB"},
    [INSN_AND] = {emu_arith, 0, "SDM 2, AND"},
    [INSN_SUB] = {emu_arith, 0, "SDM 2, SUB"},
    [INSN_XOR] = {emu_arith, 0, "SDM 2, XOR"},
    [INSN_CMP] = {emu_arith, 0, "SDM 2, CMP"},
    [INSN_TEST] = {emu_test, 0, "SDM 2, TEST"},
    [INSN_INC] = {emu_inc_dec, 0, "SDM 2, INC"},
    [INSN_DEC] = {emu_inc_dec, 0, "SDM 2, DEC"},
    [INSN_NOT] = {emu_not, 0, "SDM 2, NOT"},
    [INSN_NEG] = {emu_neg, 0, "SDM 2, NEG"},
    [INSN_BT] = {emu_bit_test, 0, "SDM 2, BT"},
    [INSN_BTS] = {emu_bit_test, 0, "SDM 2, BTS"},
    [INSN_BTR] = {emu_bit_test, 0, "SDM 2, BTR"},
    [INSN_BTC] = {emu_bit_test, 0, "SDM 2, BTC"},
    [INSN_XADD] = {emu_xadd, 0, "SDM 2, XADD"},
    [INSN_CMPXCHG] = {emu_cmpxchg, 0, "SDM 2, CMPXCHG"},
    [INSN_CMPXCHG8B] = {emu_cmpxchg8b, 0, "SDM 2, CMPXCHG8B"},
    [INSN_PUSH] = {emu_push_op, 0, "SDM 2, PUSH"},
    [INSN_POP] = {emu_pop_op, 0, "SDM 2, POP"},
    [INSN_SETCC] = {emu_setcc, 0, "SDM 2, SETcc"},
    [INSN_CMOVCC] = {emu_cmovcc, 0, "SDM 2, CMOVcc"},
    [INSN_LOOPCC] = {emu_loopcc, 0, "SDM 2, LOOP/LOOPcc"},
    [INSN_RET] = {emu_ret, 0, "SDM 2, RET"},
    [INSN_ROL] = {emu_shift, 0, "SDM 2, RCL/RCR/ROL/ROR"},
    [INSN_ROR] = {emu_shift, 0, "SDM 2, RCL/RCR/ROL/ROR"},
    [INSN_RCL] = {emu_shift, 0, "SDM 2, RCL/RCR/ROL/ROR"},
    [INSN_RCR] = {emu_shift, 0, "SDM 2, RCL/RCR/ROL/ROR"},
    [INSN_SHL] = {emu_shift, 0, "SDM 2, SAL/SAR/SHL/SHR"},
    [INSN_SHR] = {emu_shift, 0, "SDM 2, SAL/SAR/SHL/SHR"},
    [INSN_SAR] = {emu_shift, 0, "SDM 2, SAL/SAR/SHL/SHR"},
};

bool emulate_knows(enum insn_id id)
{
    return id < INSN_COUNT && table[id].handle != NULL;
}

const char *emulate_cite(enum insn_id id)
{
    return emulate_knows(id) ? table[id].cite : "";
}

_Noreturn void emu_raise(struct emu_run *r, uint8_t vector, uint32_t error)
{
    struct fault f = arch_fault(vector, error);

    emu_raise_fault(r, &f);
}

_Noreturn void emu_raise_plain(struct emu_run *r, uint8_t vector)
{
    struct fault f = {.vector = vector};

    emu_raise_fault(r, &f);
}

_Noreturn void emu_raise_fault(struct emu_run *r, const struct fault *f)
{
    r->event = (struct arch_event){.vector = f->vector,
                                   .source = ARCH_EXCEPTION,
                                   .has_error = f->has_error,
                                   .error = f->error,
                                   .cr2 = f->cr2};
    longjmp(r->escape, 1);
}

static void check_rules(struct emu_run *r, unsigned rules)
{
    bool vm86 = state_vm86(&r->s);
    bool protected_mode = state_protected(&r->s) && !vm86;
    bool above_iopl = state_protected(&r->s) && r->s.cpl > state_iopl(&r->s);

    if ((rules & PROTECTED) && !protected_mode)
        emu_raise_plain(r, VEC_UD);
    if ((rules & CPL0) && state_protected(&r->s) && r->s.cpl != 0)
        emu_raise(r, VEC_GP, 0);
    if ((rules & IOPL) && above_iopl)
        emu_raise(r, VEC_GP, 0);
    if ((rules & VM86_IOPL) && vm86 && state_iopl(&r->s) < 3)
        emu_raise(r, VEC_GP, 0);
}

/* setjmp stands alone in this frame: r belongs to the caller. */
static bool attempt(struct emu_run *r, const struct row *row)
{
    if (setjmp(r->escape) != 0)
        return false;
    check_rules(r, row->rules);
    row->handle(r);
    return true;
}

/* The result takes the state's place, and who is concerned is told. */
static void commit(const struct emu_run *r, struct cpu_state *s)
{
    const struct emu_ops *ops = r->ops;
    const uint32_t was[] = {s->cr0, 0, 0, s->cr3, s->cr4};
    const uint32_t is[] = {r->s.cr0, 0, 0, r->s.cr3, r->s.cr4};
    bool efer = s->efer != r->s.efer;

    *s = r->s;

    /* A write of the same value is news too: CR3 flushes. */
    for (int n = 0; ops->cr_written && n < 5; n++)
        if (r->cr == n || was[n] != is[n])
            ops->cr_written(ops->ctx, (unsigned)n, was[n], is[n]);
    if (efer && ops->efer_changed)
        ops->efer_changed(ops->ctx);
    if (r->dr >= 0 && ops->dr_written)
        ops->dr_written(ops->ctx, (unsigned)r->dr, s->dr[r->dr]);
    if (r->tables && ops->tables_changed)
        ops->tables_changed(ops->ctx);
    if (r->invlpg && ops->invlpg)
        ops->invlpg(ops->ctx, r->invlpg_linear);
    if (r->halt && ops->halt)
        ops->halt(ops->ctx);
}

/* A task switch loads RF and TF with the new task. */
static void notice_task_switch(struct emu_run *r, const struct cpu_state *old)
{
    bool may = r->in->id == INSN_JMP_FAR || r->in->id == INSN_CALL_FAR ||
               r->in->id == INSN_IRET;

    if (may && r->s.tr.selector != old->tr.selector) {
        r->tables = true;
        r->keep_rf = true;
        r->hold_trap = true;
    }
}

static void finish(struct emu_run *r)
{
    if (!r->jumped && !r->unfinished)
        r->s.eip = r->next_eip;
    if (!r->keep_rf && !r->unfinished)
        r->s.eflags &= ~EFL_RF;
    r->s.interrupt_shadow = r->shadow;
}

/* (The way out, which is large, is filled by setjmp.) */
static void begin(struct emu_run *r, const struct emu *e, const struct insn *in)
{
    r->s = *e->state;
    r->in = in;
    r->mem = e->mem;
    r->ops = e->ops;
    r->next_eip = r->s.eip + in->length;
    r->jumped = r->keep = r->keep_rf = r->shadow = r->hold_trap = false;
    r->unfinished = false;
    r->cr = r->dr = -1;
    r->tables = r->invlpg = r->halt = false;
    r->invlpg_linear = 0;
    r->event = (struct arch_event){0};
}

enum emu_result emulate(struct emu *e, const struct insn *in)
{
    struct emu_run r;
    bool trap = (e->state->eflags & EFL_TF) != 0;

    e->single_step = false;
    e->unfinished = false;
    if (!emulate_knows((enum insn_id)in->id))
        return EMU_UNHANDLED;
    begin(&r, e, in);
    bool done = attempt(&r, &table[in->id]);
    notice_task_switch(&r, e->state);
    if (done)
        finish(&r);
    if (done || r.keep)
        commit(&r, e->state);
    if (!done) {
        e->event = r.event;
        return EMU_FAULT;
    }
    e->unfinished = r.unfinished;
    e->single_step = trap && !r.hold_trap;
    return EMU_DONE;
}
