/* SPDX-License-Identifier: MIT */
/* cpu/decode.c - see cpu/decode.h. */
#include "cpu/decode.h"

#include <stdio.h>
#include <string.h>
#include <threads.h>

#include <Zydis/Zydis.h>

#define INSN_NAME(id, name, class_) [INSN_##id] = name,
static const char *const names[INSN_COUNT] = {INSN_LIST(INSN_NAME)};
#define INSN_CLASS(id, name, class_) [INSN_##id] = CLASS_##class_,
static const uint8_t classes[INSN_COUNT] = {INSN_LIST(INSN_CLASS)};

const char *insn_name(enum insn_id id)
{
    return id < INSN_COUNT ? names[id] : "?";
}

enum insn_class insn_class_of(enum insn_id id)
{
    return id < INSN_COUNT ? (enum insn_class)classes[id] : CLASS_NONE;
}

const char *insn_class_name(enum insn_class cls)
{
    static const char *const text[CLASS_COUNT] = {
        [CLASS_NONE] = "none",
        [CLASS_PRIVILEGED] = "privileged",
        [CLASS_FLAG] = "interrupt flag",
        [CLASS_TABLE] = "table registers",
        [CLASS_DESCRIPTOR] = "descriptor visibility",
        [CLASS_SEGMENT] = "segment registers",
        [CLASS_TRANSFER] = "control transfer",
        [CLASS_IO] = "ports",
        [CLASS_VISIBLE] = "visible to all",
    };

    return cls < CLASS_COUNT ? text[cls] : "?";
}

/* ---- The library's decoders --------------------------------------------- */

static ZydisDecoder decoders[2]; /* by code32 */
static ZydisFormatter formatter;
static once_flag ready = ONCE_FLAG_INIT;

/* The processor predates the extensions that reuse old no-operations. */
static void set_up(void)
{
    static const ZydisDecoderMode off[] = {ZYDIS_DECODER_MODE_MPX,
                                           ZYDIS_DECODER_MODE_CET,
                                           ZYDIS_DECODER_MODE_CLDEMOTE};

    ZydisDecoderInit(&decoders[0], ZYDIS_MACHINE_MODE_LEGACY_16,
                     ZYDIS_STACK_WIDTH_16);
    ZydisDecoderInit(&decoders[1], ZYDIS_MACHINE_MODE_LEGACY_32,
                     ZYDIS_STACK_WIDTH_32);
    for (unsigned i = 0; i < 2; i++)
        for (size_t m = 0; m < sizeof off / sizeof *off; m++)
            ZydisDecoderEnableMode(&decoders[i], off[m], ZYAN_FALSE);
    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
    ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE,
                              ZYAN_FALSE);
}

static const ZydisDecoder *decoder_for(bool code32)
{
    call_once(&ready, set_up);
    return &decoders[code32];
}

static uint8_t status_of(ZyanStatus status)
{
    if (ZYAN_SUCCESS(status))
        return DECODE_OK;
    switch (status) {
    case ZYDIS_STATUS_NO_MORE_DATA: return DECODE_TRUNCATED;
    case ZYDIS_STATUS_INSTRUCTION_TOO_LONG: return DECODE_TOO_LONG;
    case ZYDIS_STATUS_ILLEGAL_LOCK: return DECODE_BAD_LOCK;
    default: return DECODE_UNDEFINED;
    }
}

/* ---- Which instruction -------------------------------------------------- */

#define SAME(id)         [ZYDIS_MNEMONIC_##id] = INSN_##id
#define AS(mnemonic, id) [ZYDIS_MNEMONIC_##mnemonic] = INSN_##id

/* Mnemonics that mean one thing. MOV PUSH POP CALL JMP RET and the string
 * instructions, whose names SSE shares, are told apart in refine(). */
static const uint8_t by_mnemonic[ZYDIS_MNEMONIC_MAX_VALUE + 1] = {
    SAME(CLI),       SAME(STI),       SAME(HLT),        SAME(LGDT),
    SAME(LIDT),      SAME(LLDT),      SAME(LTR),        SAME(LMSW),
    SAME(CLTS),      SAME(INVLPG),    SAME(INVD),       SAME(WBINVD),
    SAME(RDMSR),     SAME(WRMSR),     SAME(SYSEXIT),    SAME(SYSENTER),
    SAME(SYSCALL),   SAME(SYSRET),    AS(PUSHF, PUSHF), AS(PUSHFD, PUSHF),
    AS(POPF, POPF),  AS(POPFD, POPF), AS(IRET, IRET),   AS(IRETD, IRET),
    SAME(SGDT),      SAME(SIDT),      SAME(SLDT),       SAME(STR),
    SAME(SMSW),      SAME(LAR),       SAME(LSL),        SAME(VERR),
    SAME(VERW),      SAME(ARPL),      SAME(LDS),        SAME(LES),
    SAME(LSS),       SAME(LFS),       SAME(LGS),        SAME(INT),
    SAME(INT1),      SAME(INT3),      SAME(INTO),       SAME(IN),
    SAME(OUT),       AS(INSB, INS),   AS(INSW, INS),    AS(INSD, INS),
    AS(OUTSB, OUTS), AS(OUTSW, OUTS), AS(OUTSD, OUTS),  SAME(CPUID),
    SAME(RDTSC),     SAME(RDPMC),     SAME(NOP),        SAME(PAUSE),
    SAME(MOV),       SAME(MOVZX),     SAME(MOVSX),      AS(MOVSB, MOVS),
    AS(MOVSW, MOVS), AS(MOVSD, MOVS), AS(STOSB, STOS),  AS(STOSW, STOS),
    AS(STOSD, STOS), AS(LODSB, LODS), AS(LODSW, LODS),  AS(LODSD, LODS),
    AS(CMPSB, CMPS), AS(CMPSW, CMPS), AS(CMPSD, CMPS),  AS(SCASB, SCAS),
    AS(SCASW, SCAS), AS(SCASD, SCAS), SAME(XCHG),       SAME(ADD),
    SAME(OR),        SAME(ADC),       SAME(SBB),        SAME(AND),
    SAME(SUB),       SAME(XOR),       SAME(CMP),        SAME(TEST),
    SAME(INC),       SAME(DEC),       SAME(NOT),        SAME(NEG),
    SAME(BT),        SAME(BTS),       SAME(BTR),        SAME(BTC),
    SAME(XADD),      SAME(CMPXCHG),   SAME(CMPXCHG8B),  SAME(PUSH),
    SAME(POP),       SAME(ROL),       SAME(ROR),        SAME(RCL),
    SAME(RCR),       SAME(SHL),       SAME(SHR),        SAME(SAR),
    SAME(JMP),       SAME(CALL),      SAME(RET),
};

static bool one_byte_map(const ZydisDecodedInstruction *z)
{
    return z->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT;
}

/* Opcodes whose mnemonic says too little. */
static enum insn_id refine_one_byte(const ZydisDecodedInstruction *z,
                                    enum insn_id id)
{
    bool far = z->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;

    switch (z->opcode) {
    case 0x06: /* ES */
    case 0x0E: /* CS */
    case 0x16: /* SS */
    case 0x1E: /* DS */ return INSN_PUSH_SEG;
    case 0x07:
    case 0x17:
    case 0x1F: return INSN_POP_SEG;
    case 0x8C: return INSN_MOV_FROM_SEG;
    case 0x8E: return INSN_MOV_TO_SEG;
    case 0x9A: return INSN_CALL_FAR;
    case 0xEA: return INSN_JMP_FAR;
    case 0xE0:
    case 0xE1: return INSN_LOOPCC;
    case 0xCA:
    case 0xCB: return INSN_RET_FAR;
    case 0xFF:
        if (far)
            return id == INSN_CALL ? INSN_CALL_FAR : INSN_JMP_FAR;
        return id;
    default:
        if (z->opcode >= 0x70 && z->opcode <= 0x7F)
            return INSN_JCC;
        return id;
    }
}

static enum insn_id refine_0f(const ZydisDecodedInstruction *z, enum insn_id id)
{
    switch (z->opcode) {
    case 0x20: return INSN_MOV_FROM_CR;
    case 0x21: return INSN_MOV_FROM_DR;
    case 0x22: return INSN_MOV_TO_CR;
    case 0x23: return INSN_MOV_TO_DR;
    case 0xA0:
    case 0xA8: return INSN_PUSH_SEG;
    case 0xA1:
    case 0xA9: return INSN_POP_SEG;
    default: break;
    }
    if (z->opcode >= 0x40 && z->opcode <= 0x4F)
        return INSN_CMOVCC;
    if (z->opcode >= 0x80 && z->opcode <= 0x8F)
        return INSN_JCC;
    if (z->opcode >= 0x90 && z->opcode <= 0x9F)
        return INSN_SETCC;
    if (id == INSN_MOVS || id == INSN_CMPS) /* SSE's MOVSD and CMPSD */
        return INSN_OTHER;
    return id;
}

static enum insn_id identify(const ZydisDecodedInstruction *z)
{
    enum insn_id id = (enum insn_id)by_mnemonic[z->mnemonic];

    if (z->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
        return INSN_OTHER;
    if (one_byte_map(z))
        return refine_one_byte(z, id);
    if (z->opcode_map == ZYDIS_OPCODE_MAP_0F)
        return refine_0f(z, id);
    return INSN_OTHER;
}

/* PUSH and MOV from a segment register show the CPL only if that is CS or SS;
 * every load is sensitive. */
static enum insn_class classify(const ZydisDecodedInstruction *z,
                                enum insn_id id)
{
    if (id == INSN_PUSH_SEG &&
        !(one_byte_map(z) && (z->opcode == 0x0E || z->opcode == 0x16)))
        return CLASS_NONE;
    if (id == INSN_MOV_FROM_SEG && z->raw.modrm.reg != SEG_CS &&
        z->raw.modrm.reg != SEG_SS)
        return CLASS_NONE;
    return insn_class_of(id);
}

static enum insn_flow flow_of(const ZydisDecodedInstruction *z, enum insn_id id)
{
    bool relative = (z->attributes & ZYDIS_ATTRIB_IS_RELATIVE) != 0;

    switch (id) {
    case INSN_JMP: return relative ? FLOW_JUMP : FLOW_INDIRECT;
    case INSN_CALL: return relative ? FLOW_CALL : FLOW_CALL_INDIRECT;
    case INSN_JMP_FAR: return FLOW_INDIRECT;
    case INSN_CALL_FAR: return FLOW_CALL_INDIRECT;
    case INSN_RET:
    case INSN_RET_FAR:
    case INSN_IRET:
    case INSN_SYSEXIT:
    case INSN_SYSRET: return FLOW_RETURN;
    case INSN_INT:
    case INSN_INT1:
    case INSN_INT3:
    case INSN_INTO:
    case INSN_SYSENTER:
    case INSN_SYSCALL: return FLOW_INTERRUPT;
    case INSN_HLT: return FLOW_STOP;
    default: break;
    }
    if (z->mnemonic == ZYDIS_MNEMONIC_UD0 ||
        z->mnemonic == ZYDIS_MNEMONIC_UD1 || z->mnemonic == ZYDIS_MNEMONIC_UD2)
        return FLOW_UNDEFINED;
    return relative ? FLOW_BRANCH : FLOW_NEXT; /* Jcc, LOOP, JECXZ */
}

static uint8_t override_of(const ZydisDecodedInstruction *z)
{
    static const struct {
        ZyanU64 attribute;
        uint8_t reg;
    } table[SEG_COUNT] = {
        {ZYDIS_ATTRIB_HAS_SEGMENT_ES, SEG_ES},
        {ZYDIS_ATTRIB_HAS_SEGMENT_CS, SEG_CS},
        {ZYDIS_ATTRIB_HAS_SEGMENT_SS, SEG_SS},
        {ZYDIS_ATTRIB_HAS_SEGMENT_DS, SEG_DS},
        {ZYDIS_ATTRIB_HAS_SEGMENT_FS, SEG_FS},
        {ZYDIS_ATTRIB_HAS_SEGMENT_GS, SEG_GS},
    };

    if (!(z->attributes & ZYDIS_ATTRIB_HAS_SEGMENT))
        return REG_NONE;
    for (unsigned i = 0; i < SEG_COUNT; i++)
        if (z->attributes & table[i].attribute)
            return table[i].reg;
    return REG_NONE;
}

/* ---- Operands ----------------------------------------------------------- */

static uint8_t register_number(ZydisRegister reg)
{
    ZyanI8 n = reg == ZYDIS_REGISTER_NONE ? -1 : ZydisRegisterGetId(reg);

    return n < 0 ? REG_NONE : (uint8_t)n;
}

static void fill_register(struct operand *op, ZydisRegister reg)
{
    op->reg = register_number(reg);
    switch (ZydisRegisterGetClass(reg)) {
    case ZYDIS_REGCLASS_GPR8:
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32: op->kind = OPERAND_GPR; break;
    case ZYDIS_REGCLASS_SEGMENT: op->kind = OPERAND_SEG; break;
    case ZYDIS_REGCLASS_CONTROL: op->kind = OPERAND_CR; break;
    case ZYDIS_REGCLASS_DEBUG: op->kind = OPERAND_DR; break;
    default: op->kind = OPERAND_OTHER; break;
    }
}

static void fill_operand(struct operand *op, const ZydisDecodedOperand *z)
{
    op->size = (uint8_t)(z->size / 8);
    switch (z->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER: fill_register(op, z->reg.value); break;
    case ZYDIS_OPERAND_TYPE_MEMORY:
        op->kind = OPERAND_MEM;
        op->base = register_number(z->mem.base);
        op->index = register_number(z->mem.index);
        op->scale = z->mem.scale ? z->mem.scale : 1;
        op->segment = register_number(z->mem.segment);
        op->value = (uint32_t)z->mem.disp.value;
        break;
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        op->kind = OPERAND_IMM;
        op->value = (uint32_t)z->imm.value.u;
        break;
    case ZYDIS_OPERAND_TYPE_POINTER:
        op->kind = OPERAND_FAR;
        op->selector = z->ptr.segment;
        op->value = z->ptr.offset;
        break;
    default: op->kind = OPERAND_OTHER; break;
    }
}

static void fill_operands(const ZydisDecoder *decoder,
                          const ZydisDecoderContext *context,
                          const ZydisDecodedInstruction *z, struct insn *out)
{
    ZydisDecodedOperand ops[INSN_OPERANDS];
    ZyanU8 count = z->operand_count_visible;

    if (count > INSN_OPERANDS)
        count = INSN_OPERANDS;
    if (ZYAN_FAILED(
            ZydisDecoderDecodeOperands(decoder, context, z, ops, count)))
        return;
    out->operands = count;
    for (unsigned i = 0; i < count; i++)
        fill_operand(&out->op[i], &ops[i]);
}

static void fill_insn(const ZydisDecodedInstruction *z, struct insn *out)
{
    enum insn_id id = identify(z);

    out->length = z->length;
    out->id = (uint8_t)id;
    out->cls = (uint8_t)classify(z, id);
    out->flow = (uint8_t)flow_of(z, id);
    out->operand_size = (uint8_t)(z->operand_width / 8);
    out->address_size = (uint8_t)(z->address_width / 8);
    out->segment = override_of(z);
    out->condition = z->opcode & 0x0F;
    /* F3 and F2 as such: on OUTS and its like both repeat. */
    out->rep =
        (z->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE)) != 0;
    out->repne = (z->attributes & ZYDIS_ATTRIB_HAS_REPNE) != 0;
    out->lock = (z->attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0;
    out->modrm_reg = z->raw.modrm.reg;
    out->memory =
        (z->attributes & ZYDIS_ATTRIB_HAS_MODRM) != 0 && z->raw.modrm.mod != 3;
    out->is_branch = out->flow != FLOW_NEXT && out->flow != FLOW_STOP &&
                     out->flow != FLOW_UNDEFINED;
    out->ends_block = out->flow != FLOW_NEXT;
    if (z->attributes & ZYDIS_ATTRIB_IS_RELATIVE)
        out->relative = (int32_t)z->raw.imm[0].value.s;
    if (id == INSN_RET || id == INSN_RET_FAR)
        out->release = (uint16_t)z->raw.imm[0].value.u;
}

/* The disassembler knows later models, too: VEX and its like, RTM. */
static bool too_new(const ZydisDecodedInstruction *z)
{
    return (z->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
            z->encoding != ZYDIS_INSTRUCTION_ENCODING_3DNOW) ||
           z->mnemonic == ZYDIS_MNEMONIC_XBEGIN;
}

static bool decode_to(const uint8_t *bytes, size_t available, bool code32,
                      bool operands, struct insn *out)
{
    const ZydisDecoder *decoder = decoder_for(code32);
    ZydisDecodedInstruction z;
    ZydisDecoderContext context;
    ZyanStatus status =
        ZydisDecoderDecodeInstruction(decoder, &context, bytes, available, &z);

    memset(out, 0, sizeof *out);
    out->status = status_of(status);
    if (out->status == DECODE_OK && too_new(&z))
        out->status = DECODE_UNDEFINED;
    if (out->status != DECODE_OK)
        return false;
    fill_insn(&z, out);
    if (operands && out->id != INSN_OTHER)
        fill_operands(decoder, &context, &z, out);
    return true;
}

bool decode_afresh(const uint8_t *bytes, size_t available, bool code32,
                   struct insn *out)
{
    return decode_to(bytes, available, code32, true, out);
}

bool decode_flow(const uint8_t *bytes, size_t available, bool code32,
                 struct insn *out)
{
    return decode_to(bytes, available, code32, false, out);
}

uint32_t decode_target(const struct insn *in, uint32_t address)
{
    uint32_t target = address + in->length + (uint32_t)in->relative;

    return in->operand_size == 2 ? target & 0xFFFF : target;
}

int decode_format(const uint8_t *bytes, size_t available, bool code32,
                  uint32_t address, char *buffer, size_t size)
{
    const ZydisDecoder *decoder = decoder_for(code32);
    ZydisDecodedInstruction z;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];

    if (ZYAN_SUCCESS(
            ZydisDecoderDecodeFull(decoder, bytes, available, &z, ops)) &&
        ZYAN_SUCCESS(ZydisFormatterFormatInstruction(
            &formatter, &z, ops, z.operand_count_visible, buffer, size, address,
            ZYAN_NULL)))
        return z.length;
    if (available > 0)
        snprintf(buffer, size, ".byte 0x%02x", bytes[0]);
    else if (size > 0)
        buffer[0] = '\0';
    return 0;
}

bool decode_bad_lock(const uint8_t *bytes, size_t available, bool code32)
{
    const ZydisDecoder *decoder = decoder_for(code32);
    ZydisDecodedInstruction z;
    bool lock = false;

    for (size_t i = 0; i < available && i < INSN_MAX_LENGTH; i++) {
        uint8_t b = bytes[i];
        bool prefix = b == 0x66 || b == 0x67 || b == 0xF2 || b == 0xF3 ||
                      b == 0x26 || b == 0x2E || b == 0x36 || b == 0x3E ||
                      b == 0x64 || b == 0x65;
        if (b != 0xF0 && !prefix)
            break;
        lock = lock || b == 0xF0;
    }
    if (!lock)
        return false;
    uint8_t status = status_of(ZydisDecoderDecodeInstruction(
        decoder, ZYAN_NULL, bytes, available, &z));
    return status == DECODE_BAD_LOCK || status == DECODE_TRUNCATED;
}
