/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_decode.c - bytes to descriptions. */
#include <criterion/criterion.h>
#include <string.h>

#include "cpu/decode.h"

static struct insn in;

#define BYTES(...)                                                             \
    (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define DECODE32(...) decode(BYTES(__VA_ARGS__), true, &in)
#define DECODE16(...) decode(BYTES(__VA_ARGS__), false, &in)

Test(decode, mov_from_cr3)
{
    cr_assert(DECODE32(0x0F, 0x20, 0xD8)); /* mov eax, cr3 */
    cr_assert_eq(in.id, INSN_MOV_FROM_CR);
    cr_assert_eq(in.op[1].kind, OPERAND_CR);
    cr_assert_eq(in.op[1].reg, 3);
}

Test(decode, memory_operand_parts)
{
    /* mov eax, gs:[ebx+ecx*4+0x10] */
    cr_assert(DECODE32(0x65, 0x8B, 0x44, 0x8B, 0x10));
    cr_assert_eq(in.op[1].kind, OPERAND_MEM);
    cr_assert_eq(in.op[1].base, GPR_EBX);
    cr_assert_eq(in.op[1].index, GPR_ECX);
    cr_assert_eq(in.op[1].scale, 4);
    cr_assert_eq(in.op[1].value, 0x10);
    cr_assert_eq(in.op[1].segment, SEG_GS);
}

Test(decode, stack_based_address_uses_ss)
{
    cr_assert(DECODE32(0x8B, 0x45, 0xFC)); /* mov eax, [ebp-4] */
    cr_assert_eq(in.op[1].segment, SEG_SS);
    cr_assert_eq(in.op[1].value, 0xFFFFFFFC);
}

Test(decode, high_byte_registers_are_four_to_seven)
{
    cr_assert(DECODE32(0x88, 0x23)); /* mov [ebx], ah */
    cr_assert_eq(in.op[1].reg, 4);
    cr_assert_eq(in.op[1].size, 1);
}

Test(decode, sixteen_bit_code_has_word_operands)
{
    cr_assert(DECODE16(0x8B, 0x40, 0x02)); /* mov ax, [bx+si+2] */
    cr_assert_eq(in.operand_size, 2);
    cr_assert_eq(in.address_size, 2);
    cr_assert_eq(in.op[1].index, GPR_ESI);
}

Test(decode, far_pointer)
{
    /* jmp 8:0x12345678 */
    cr_assert(DECODE32(0xEA, 0x78, 0x56, 0x34, 0x12, 0x08, 0x00));
    cr_assert_eq(in.id, INSN_JMP_FAR);
    cr_assert_eq(in.op[0].selector, 8);
    cr_assert_eq(in.op[0].value, 0x12345678);
}

Test(decode, indirect_far_call_is_not_a_near_call)
{
    cr_assert(DECODE32(0xFF, 0x18)); /* call far [eax] */
    cr_assert_eq(in.id, INSN_CALL_FAR);
    cr_assert_eq(in.flow, FLOW_CALL_INDIRECT);
}

Test(decode, sse_movsd_is_not_the_string_instruction)
{
    cr_assert(DECODE32(0xF2, 0x0F, 0x10, 0x00));
    cr_assert_eq(in.id, INSN_OTHER);
}

Test(decode, rep_prefix)
{
    cr_assert(DECODE32(0xF3, 0xA5));
    cr_assert_eq(in.id, INSN_MOVS);
    cr_assert(in.rep);
}

Test(decode, branch_target)
{
    cr_assert(DECODE32(0x74, 0xFE)); /* je itself */
    cr_assert_eq(in.flow, FLOW_BRANCH);
    cr_assert_eq(decode_target(&in, 0x1000), 0x1000);
}

Test(decode, sixteen_bit_target_wraps)
{
    cr_assert(DECODE16(0xEB, 0x10));
    cr_assert_eq(decode_target(&in, 0xFFF8), 0x000A);
}

Test(decode, loop_is_a_branch)
{
    cr_assert(DECODE32(0xE2, 0xFE));
    cr_assert_eq(in.flow, FLOW_BRANCH);
}

Test(decode, truncated_bytes_are_not_undefined)
{
    cr_assert(!DECODE32(0x0F));
    cr_assert_eq(in.status, DECODE_TRUNCATED);
}

Test(decode, undefined_bytes)
{
    cr_assert(!DECODE32(0xFF, 0xFF));
    cr_assert_eq(in.status, DECODE_UNDEFINED);
}

Test(decode, sixteen_bytes_are_too_long)
{
    uint8_t bytes[16];
    memset(bytes, 0x66, sizeof bytes);
    bytes[15] = 0x90;
    cr_assert(!decode(bytes, sizeof bytes, true, &in));
    cr_assert_eq(in.status, DECODE_TOO_LONG);
}

Test(decode, cr1_does_not_exist)
{
    cr_assert(!DECODE32(0x0F, 0x20, 0xC8));
}

Test(decode, push_ds_is_harmless_and_push_cs_is_not)
{
    DECODE32(0x1E);
    cr_assert_eq(in.cls, CLASS_NONE);
    DECODE32(0x0E);
    cr_assert_eq(in.cls, CLASS_SEGMENT);
}

/* The paper's instructions and IRET, each in its class. */
struct classified {
    uint8_t bytes[4];
    enum insn_class cls;
};
static const struct classified paper[] = {
    {{0x0F, 0x01, 0x00}, CLASS_TABLE},      /* sgdt */
    {{0x0F, 0x01, 0x08}, CLASS_TABLE},      /* sidt */
    {{0x0F, 0x00, 0xC0}, CLASS_TABLE},      /* sldt */
    {{0x0F, 0x01, 0xE0}, CLASS_TABLE},      /* smsw */
    {{0x0F, 0x00, 0xC8}, CLASS_TABLE},      /* str */
    {{0x9C}, CLASS_FLAG},                   /* pushf */
    {{0x9D}, CLASS_FLAG},                   /* popf */
    {{0xCF}, CLASS_FLAG},                   /* iret */
    {{0x0F, 0x02, 0xC0}, CLASS_DESCRIPTOR}, /* lar */
    {{0x0F, 0x03, 0xC0}, CLASS_DESCRIPTOR}, /* lsl */
    {{0x0F, 0x00, 0xE0}, CLASS_DESCRIPTOR}, /* verr */
    {{0x0F, 0x00, 0xE8}, CLASS_DESCRIPTOR}, /* verw */
    {{0x07}, CLASS_SEGMENT},                /* pop es */
    {{0x16}, CLASS_SEGMENT},                /* push ss */
    {{0x8C, 0xC8}, CLASS_SEGMENT},          /* mov eax, cs */
    {{0x8E, 0xD8}, CLASS_SEGMENT},          /* mov ds, ax */
    {{0xFF, 0x18}, CLASS_TRANSFER},         /* call far */
    {{0xFF, 0x28}, CLASS_TRANSFER},         /* jmp far */
    {{0xCD, 0x80}, CLASS_TRANSFER},         /* int */
    {{0xCB}, CLASS_TRANSFER},               /* retf */
};

Test(decode, every_silent_instruction_has_its_class)
{
    for (size_t i = 0; i < sizeof paper / sizeof *paper; i++) {
        cr_assert(decode(paper[i].bytes, 4, true, &in), "row %zu", i);
        cr_assert_eq(in.cls, paper[i].cls, "%s", insn_name(in.id));
    }
}

Test(decode, lock_bit_test_on_register_is_bad)
{
    static const uint8_t opcodes[] = {0xA3, 0xAB, 0xB3, 0xBB};
    for (unsigned i = 0; i < 4; i++)
        cr_assert(decode_bad_lock(BYTES(0xF0, 0x0F, opcodes[i], 0xC1), true));
}

Test(decode, lock_bit_test_immediate_on_register_is_bad)
{
    for (unsigned reg = 4; reg < 8; reg++)
        cr_assert(decode_bad_lock(
            BYTES(0xF0, 0x0F, 0xBA, (uint8_t)(0xC0 | reg << 3), 5), true));
}

Test(decode, lock_hidden_behind_other_prefixes_is_found)
{
    cr_assert(decode_bad_lock(BYTES(0x66, 0xF0, 0x2E, 0x0F, 0xAB, 0xC1), true));
}

Test(decode, lock_bts_on_memory_is_good)
{
    cr_assert(!decode_bad_lock(BYTES(0xF0, 0x0F, 0xAB, 0x01), true));
}

Test(decode, cut_lock_is_suspected)
{
    cr_assert(decode_bad_lock(BYTES(0xF0, 0x0F), true));
}

Test(decode, no_lock_is_never_bad)
{
    cr_assert(!decode_bad_lock(BYTES(0x0F, 0xAB, 0xC1), true));
}

Test(decode, text_has_the_run_time_address)
{
    char text[64];
    cr_assert_eq(
        decode_format(BYTES(0xEB, 0xFE), true, 0x1000, text, sizeof text), 2);
    cr_assert_str_eq(text, "jmp 0x00001000");
}

Test(decode, text_of_undefined_bytes)
{
    char text[64];
    cr_assert_eq(decode_format(BYTES(0xFF, 0xFF), true, 0, text, sizeof text),
                 0);
    cr_assert_str_eq(text, ".byte 0xff");
}

/* Few enough for most to be met again, too many for all to be remembered. */
Test(decode, what_is_remembered_is_what_the_bytes_say)
{
    uint64_t random = 1;

    for (unsigned i = 0; i < 20000; i++) {
        uint8_t bytes[INSN_MAX_LENGTH];
        struct insn a, b;
        uint64_t seed;

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        seed = random >> 32 & 511;
        for (unsigned k = 0; k < sizeof bytes; k++)
            bytes[k] = (uint8_t)((seed + 1) * (k + 1) * 0x9E3779B1u >> 20);
        bool code32 = (random >> 45 & 1) != 0;
        bool x = decode(bytes, sizeof bytes, code32, &a);
        bool y = decode_afresh(bytes, sizeof bytes, code32, &b);
        cr_assert(x == y && a.status == b.status && a.id == b.id &&
                      a.length == b.length && a.operands == b.operands &&
                      a.operand_size == b.operand_size &&
                      memcmp(a.op, b.op, sizeof a.op) == 0,
                  "bytes of seed %u", (unsigned)seed);
    }
}

Test(decode, every_id_has_a_name)
{
    for (unsigned i = 0; i < INSN_COUNT; i++)
        cr_assert_not_null(insn_name((enum insn_id)i));
}
