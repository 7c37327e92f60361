/* SPDX-License-Identifier: MIT */
/* cpu/decode.h - machine code to a plain description of one instruction.
 *
 * The only module that knows the disassembler library. It describes what the
 * bytes mean, in this project's own words, for everything that a monitor may
 * have to do in the guest's place, and how every other instruction moves the
 * instruction pointer.
 *
 * Reference: SDM 2, "Instruction Format". The classes are those of Robin &
 * Irvine, "Analysis of the Intel Pentium's Ability to Support a Secure Virtual
 * Machine Monitor", USENIX Security 2000, grouped as VMware's papers do.
 * Units: lengths and sizes are bytes.
 */
#ifndef CPU_DECODE_H
#define CPU_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/x86.h"

/* Why an instruction needs a monitor's attention. */
enum insn_class {
    CLASS_NONE,
    CLASS_PRIVILEGED, /* faults above CPL 0 (or above IOPL): it traps */
    CLASS_FLAG,       /* silent: the interrupt flag (PUSHF POPF IRET) */
    CLASS_TABLE,      /* silent: table registers (SGDT SIDT SLDT STR SMSW) */
    CLASS_DESCRIPTOR, /* silent: descriptor visibility (LAR LSL VERR VERW) */
    CLASS_SEGMENT,    /* silent: segment registers and their RPL */
    CLASS_TRANSFER,   /* silent: far CALL JMP RET, INT n */
    CLASS_IO,         /* IN OUT INS OUTS: traps above IOPL, by the bitmap */
    CLASS_VISIBLE,    /* shows the machine to anyone (CPUID, RDTSC) */
    CLASS_COUNT,
};

/* X(id, name, class). The order is that of enum insn_id. */
#define INSN_LIST(X)                                                           \
    /* Everything that is not below. */                                        \
    X(OTHER, "other", NONE)                                                    \
    /* Privileged. */                                                          \
    X(CLI, "cli", PRIVILEGED)                                                  \
    X(STI, "sti", PRIVILEGED)                                                  \
    X(HLT, "hlt", PRIVILEGED)                                                  \
    X(LGDT, "lgdt", PRIVILEGED)                                                \
    X(LIDT, "lidt", PRIVILEGED)                                                \
    X(LLDT, "lldt", PRIVILEGED)                                                \
    X(LTR, "ltr", PRIVILEGED)                                                  \
    X(LMSW, "lmsw", PRIVILEGED)                                                \
    X(CLTS, "clts", PRIVILEGED)                                                \
    X(MOV_TO_CR, "mov cr, r", PRIVILEGED)                                      \
    X(MOV_FROM_CR, "mov r, cr", PRIVILEGED)                                    \
    X(MOV_TO_DR, "mov dr, r", PRIVILEGED)                                      \
    X(MOV_FROM_DR, "mov r, dr", PRIVILEGED)                                    \
    X(INVLPG, "invlpg", PRIVILEGED)                                            \
    X(INVD, "invd", PRIVILEGED)                                                \
    X(WBINVD, "wbinvd", PRIVILEGED)                                            \
    X(RDMSR, "rdmsr", PRIVILEGED)                                              \
    X(WRMSR, "wrmsr", PRIVILEGED)                                              \
    X(SYSEXIT, "sysexit", PRIVILEGED)                                          \
    /* The interrupt flag. */                                                  \
    X(PUSHF, "pushf", FLAG)                                                    \
    X(POPF, "popf", FLAG)                                                      \
    X(IRET, "iret", FLAG)                                                      \
    /* Table registers. */                                                     \
    X(SGDT, "sgdt", TABLE)                                                     \
    X(SIDT, "sidt", TABLE)                                                     \
    X(SLDT, "sldt", TABLE)                                                     \
    X(STR, "str", TABLE)                                                       \
    X(SMSW, "smsw", TABLE)                                                     \
    /* Descriptor visibility. */                                               \
    X(LAR, "lar", DESCRIPTOR)                                                  \
    X(LSL, "lsl", DESCRIPTOR)                                                  \
    X(VERR, "verr", DESCRIPTOR)                                                \
    X(VERW, "verw", DESCRIPTOR)                                                \
    /* Segment registers. Only CS and SS hold the CPL; see decode.c. */        \
    X(PUSH_SEG, "push seg", SEGMENT)                                           \
    X(POP_SEG, "pop seg", SEGMENT)                                             \
    X(MOV_FROM_SEG, "mov r, seg", SEGMENT)                                     \
    X(MOV_TO_SEG, "mov seg, r", SEGMENT)                                       \
    X(LDS, "lds", SEGMENT)                                                     \
    X(LES, "les", SEGMENT)                                                     \
    X(LSS, "lss", SEGMENT)                                                     \
    X(LFS, "lfs", SEGMENT)                                                     \
    X(LGS, "lgs", SEGMENT)                                                     \
    /* Control transfers. */                                                   \
    X(CALL_FAR, "call far", TRANSFER)                                          \
    X(JMP_FAR, "jmp far", TRANSFER)                                            \
    X(RET_FAR, "ret far", TRANSFER)                                            \
    X(INT, "int", TRANSFER)                                                    \
    X(INT1, "int1", TRANSFER)                                                  \
    X(INT3, "int3", TRANSFER)                                                  \
    X(INTO, "into", TRANSFER)                                                  \
    X(SYSENTER, "sysenter", TRANSFER)                                          \
    X(SYSCALL, "syscall", TRANSFER)                                            \
    X(SYSRET, "sysret", PRIVILEGED)                                            \
    /* Ports. */                                                               \
    X(IN, "in", IO)                                                            \
    X(OUT, "out", IO)                                                          \
    X(INS, "ins", IO)                                                          \
    X(OUTS, "outs", IO)                                                        \
    /* Visible to all. */                                                      \
    X(CPUID, "cpuid", VISIBLE)                                                 \
    X(RDTSC, "rdtsc", VISIBLE)                                                 \
    X(RDPMC, "rdpmc", VISIBLE)                                                 \
    /* Harmless, but emulated: data instructions that can touch a device or a  \
     * watched page table. */                                                  \
    X(ARPL, "arpl", NONE)                                                      \
    X(NOP, "nop", NONE)                                                        \
    X(PAUSE, "pause", NONE)                                                    \
    X(MOV, "mov", NONE)                                                        \
    X(MOVZX, "movzx", NONE)                                                    \
    X(MOVSX, "movsx", NONE)                                                    \
    X(MOVS, "movs", NONE)                                                      \
    X(STOS, "stos", NONE)                                                      \
    X(LODS, "lods", NONE)                                                      \
    X(CMPS, "cmps", NONE)                                                      \
    X(SCAS, "scas", NONE)                                                      \
    X(XCHG, "xchg", NONE)                                                      \
    X(ADD, "add", NONE)                                                        \
    X(OR, "or", NONE)                                                          \
    X(ADC, "adc", NONE)                                                        \
    X(SBB, "sbb", NONE)                                                        \
    X(AND, "and", NONE)                                                        \
    X(SUB, "sub", NONE)                                                        \
    X(XOR, "xor", NONE)                                                        \
    X(CMP, "cmp", NONE)                                                        \
    X(TEST, "test", NONE)                                                      \
    X(INC, "inc", NONE)                                                        \
    X(DEC, "dec", NONE)                                                        \
    X(NOT, "not", NONE)                                                        \
    X(NEG, "neg", NONE)                                                        \
    X(BT, "bt", NONE)                                                          \
    X(BTS, "bts", NONE)                                                        \
    X(BTR, "btr", NONE)                                                        \
    X(BTC, "btc", NONE)                                                        \
    X(XADD, "xadd", NONE)                                                      \
    X(CMPXCHG, "cmpxchg", NONE)                                                \
    X(CMPXCHG8B, "cmpxchg8b", NONE)                                            \
    X(PUSH, "push", NONE)                                                      \
    X(POP, "pop", NONE)                                                        \
    X(SETCC, "setcc", NONE)                                                    \
    X(CMOVCC, "cmovcc", NONE)                                                  \
    X(LOOPCC, "loopcc", NONE)                                                  \
    X(ROL, "rol", NONE)                                                        \
    X(ROR, "ror", NONE)                                                        \
    X(RCL, "rcl", NONE)                                                        \
    X(RCR, "rcr", NONE)                                                        \
    X(SHL, "shl", NONE)                                                        \
    X(SHR, "shr", NONE)                                                        \
    X(SAR, "sar", NONE)                                                        \
    /* Near branches: for following code, not for emulation. */                \
    X(JMP, "jmp", NONE)                                                        \
    X(JCC, "jcc", NONE)                                                        \
    X(CALL, "call", NONE)                                                      \
    X(RET, "ret", NONE)

#define INSN_ENUM(id, name, class_) INSN_##id,
enum insn_id { INSN_LIST(INSN_ENUM) INSN_COUNT };
#undef INSN_ENUM

/* How the instruction moves EIP. */
enum insn_flow {
    FLOW_NEXT,     /* to the next instruction */
    FLOW_JUMP,     /* always to a known relative target */
    FLOW_BRANCH,   /* to the relative target or the next */
    FLOW_CALL,     /* a known relative target, which may return */
    FLOW_INDIRECT, /* a jump to where a register or memory says; far JMP */
    FLOW_CALL_INDIRECT,
    FLOW_RETURN,    /* RET, RETF, IRET, SYSEXIT */
    FLOW_INTERRUPT, /* INT n and SYSENTER: comes back to the next */
    FLOW_STOP,      /* HLT: the next, after an interrupt */
    FLOW_UNDEFINED, /* UD2 and its like: always #UD */
};

enum operand_kind {
    OPERAND_NONE,
    OPERAND_GPR, /* size 1: 0-3 AL CL DL BL, 4-7 AH CH DH BH */
    OPERAND_SEG,
    OPERAND_CR,
    OPERAND_DR,
    OPERAND_MEM,
    OPERAND_IMM,
    OPERAND_FAR,   /* selector:offset in the instruction */
    OPERAND_OTHER, /* x87, SSE and so on */
};

#define REG_NONE 0xFF

struct operand {
    uint8_t kind;      /* enum operand_kind */
    uint8_t size;      /* bytes; 0 for an address alone (LEA, INVLPG) */
    uint8_t reg;       /* GPR, SEG, CR, DR */
    uint8_t base;      /* MEM: enum gpr or REG_NONE */
    uint8_t index;     /* MEM: likewise */
    uint8_t scale;     /* MEM: 1 2 4 8 */
    uint8_t segment;   /* MEM: the effective one, override included */
    uint16_t selector; /* FAR */
    uint32_t value;    /* MEM: displacement; IMM: sign-extended; FAR: offset */
};

enum decode_status {
    DECODE_OK,
    DECODE_TRUNCATED, /* may be valid with more bytes */
    DECODE_UNDEFINED, /* #UD */
    DECODE_BAD_LOCK,  /* #UD: LOCK where it is not allowed */
    DECODE_TOO_LONG,  /* #GP(0): more than 15 bytes */
};

enum { INSN_MAX_LENGTH = 15, INSN_OPERANDS = 3 };

struct insn {
    uint8_t status; /* enum decode_status */
    uint8_t length;
    uint8_t id;           /* enum insn_id */
    uint8_t cls;          /* enum insn_class */
    uint8_t flow;         /* enum insn_flow */
    uint8_t operand_size; /* effective: 1 2 4 */
    uint8_t address_size; /* effective: 2 4 */
    uint8_t segment;      /* override prefix: enum seg_reg or REG_NONE */
    uint8_t condition;    /* Jcc SETcc CMOVcc LOOPcc: low four opcode bits */
    bool rep, repne, lock;
    uint8_t modrm_reg; /* the reg field of its ModRM: which CR, if it is one */
    bool memory;       /* its ModRM names memory */
    bool is_branch;    /* changes EIP other than to the next */
    bool ends_block;   /* nothing after it belongs to its basic block */
    uint8_t operands;
    uint16_t release; /* RET and RETF: bytes of parameters */
    int32_t relative; /* FLOW_JUMP BRANCH CALL: from the next instruction */
    struct operand op[INSN_OPERANDS];
};

/* #UD, whatever follows these bytes. */
static inline bool insn_undefined(const struct insn *in)
{
    return in->status == DECODE_UNDEFINED || in->status == DECODE_BAD_LOCK;
}

/* MOV of 32 bits between memory at a 32-bit address and a general register, or
 * to memory a constant. */
static inline bool insn_plain_load(const struct insn *in)
{
    return in->id == INSN_MOV && in->operand_size == 4 &&
           in->address_size == 4 && in->op[0].kind == OPERAND_GPR &&
           in->op[1].kind == OPERAND_MEM;
}

static inline bool insn_plain_store(const struct insn *in)
{
    return in->id == INSN_MOV && in->operand_size == 4 &&
           in->address_size == 4 && in->op[0].kind == OPERAND_MEM &&
           (in->op[1].kind == OPERAND_GPR || in->op[1].kind == OPERAND_IMM);
}

/* Describe the instruction at bytes. False: out->status says why not. Answers
 * for INSN_MAX_LENGTH bytes, what exits ask for, are remembered. */
bool decode(const uint8_t *bytes, size_t available, bool code32,
            struct insn *out);
bool decode_afresh(const uint8_t *bytes, size_t available, bool code32,
                   struct insn *out);

/* The same without operands: a third cheaper, for scanning. */
bool decode_flow(const uint8_t *bytes, size_t available, bool code32,
                 struct insn *out);

/* The target of a FLOW_JUMP, FLOW_BRANCH or FLOW_CALL at address. */
uint32_t decode_target(const struct insn *in, uint32_t address);

/* Intel-syntax text, as if at address; ".byte 0x.." when undefined. Returns
 * the instruction's length, or 0 when undefined or truncated. */
int decode_format(const uint8_t *bytes, size_t available, bool code32,
                  uint32_t address, char *buffer, size_t size);

/* Is this a LOCK prefix where the manual says #UD? Among them are the bit tests
 * on a register (F0 0F A3/AB/B3/BB and BA /4-7, mod 3), which stop the engine's
 * process when it translates them. If the bytes end too early to say: true. */
bool decode_bad_lock(const uint8_t *bytes, size_t available, bool code32);

const char *insn_name(enum insn_id id);           /* "mov cr, r" */
enum insn_class insn_class_of(enum insn_id id);   /* by id alone */
const char *insn_class_name(enum insn_class cls); /* "interrupt flag" */

#endif
