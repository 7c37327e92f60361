/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_emulate_data.c - data instructions on memory. */
#include "test_emulate_fixture.h"

TestSuite(emulate_data, .init = emu_fixture);

enum { HERE = 0x7000 };

/* EAX points at HERE, which holds value. */
static void at_eax(uint32_t value)
{
    cpu.gpr[GPR_EAX] = HERE;
    put32(HERE, value);
}

static uint32_t arith_flags(void)
{
    return cpu.eflags & EFL_ARITH;
}

Test(emulate_data, mov_stores_a_high_byte_register)
{
    at_eax(0);
    cpu.gpr[GPR_ECX] = 0x1234;
    EXPECT_DONE(0x88, 0x28); /* mov [eax], ch */
    cr_assert_eq(get32(HERE), 0x12);
}

Test(emulate_data, mov_moffs)
{
    put32(HERE, 0xABCD);
    EXPECT_DONE(0xA1, 0x00, 0x70, 0x00, 0x00);
    cr_assert_eq(cpu.gpr[GPR_EAX], 0xABCD);
}

Test(emulate_data, mov_wraps_a_16_bit_address)
{
    cpu.gpr[GPR_EBX] = 0xFFFF;
    cpu.gpr[GPR_ESI] = 0x1001;
    memory[0x1000] = 0x5A;
    EXPECT_DONE(0x67, 0x8A, 0x00); /* mov al, [bx+si] */
    cr_assert_eq(cpu.gpr[GPR_EAX] & 0xFF, 0x5A);
}

Test(emulate_data, movsx_extends_the_sign)
{
    at_eax(0x80);
    EXPECT_DONE(0x0F, 0xBE, 0x08); /* movsx ecx, byte [eax] */
    cr_assert_eq(cpu.gpr[GPR_ECX], 0xFFFFFF80);
}

Test(emulate_data, movzx_extends_with_zeroes)
{
    at_eax(0xFFFF8001);
    EXPECT_DONE(0x0F, 0xB7, 0x08);
    cr_assert_eq(cpu.gpr[GPR_ECX], 0x8001);
}

Test(emulate_data, null_segment_is_gp_0)
{
    cpu.seg[SEG_DS] = (struct segment){0};
    EXPECT_RAISE(VEC_GP, 0, 0x8B, 0x00);
}

Test(emulate_data, stack_segment_beyond_limit_is_ss_0)
{
    cpu.seg[SEG_SS].limit = 0xFFF;
    cpu.gpr[GPR_EBP] = 0x1000;
    EXPECT_RAISE(VEC_SS, 0, 0x8B, 0x45, 0x00);
}

Test(emulate_data, write_through_cs_is_gp_0)
{
    EXPECT_RAISE(VEC_GP, 0, 0x2E, 0x89, 0x00);
}

Test(emulate_data, user_access_to_supervisor_page_is_pf)
{
    enter_ring(3);
    at_eax(0);
    user_only_hidden[HERE / 4096] = true;
    EXPECT_RAISE(VEC_PF, PF_USER | PF_PRESENT | PF_WRITE, 0x89, 0x00);
}

Test(emulate_data, add_carries_and_overflows)
{
    at_eax(0x80000000);
    cpu.gpr[GPR_ECX] = 0x80000000;
    EXPECT_DONE(0x01, 0x08);
    cr_assert_eq(get32(HERE), 0);
    cr_assert_eq(arith_flags(), EFL_CF | EFL_OF | EFL_ZF | EFL_PF);
}

Test(emulate_data, adc_byte_with_carry)
{
    at_eax(0xFF);
    cpu.eflags |= EFL_CF;
    EXPECT_DONE(0x80, 0x10, 0x00); /* adc byte [eax], 0 */
    cr_assert_eq(get32(HERE), 0);
    cr_assert_eq(arith_flags(), EFL_CF | EFL_AF | EFL_ZF | EFL_PF);
}

Test(emulate_data, sub_word_borrows)
{
    at_eax(0xFFFF0000);
    EXPECT_DONE(0x66, 0x83, 0x28, 0x01); /* sub word [eax], 1 */
    cr_assert_eq(get32(HERE), 0xFFFFFFFF);
    cr_assert_eq(arith_flags(), EFL_CF | EFL_AF | EFL_SF | EFL_PF);
}

Test(emulate_data, cmp_writes_nothing)
{
    at_eax(5);
    absent[HERE / 4096] = false;
    EXPECT_DONE(0x83, 0x38, 0x05);
    cr_assert_eq(get32(HERE), 5);
    cr_assert(cpu.eflags & EFL_ZF);
}

Test(emulate_data, and_clears_carry)
{
    at_eax(0xF0);
    cpu.eflags |= EFL_CF | EFL_OF;
    EXPECT_DONE(0x83, 0x20, 0x0F);
    cr_assert_eq(arith_flags(), EFL_ZF | EFL_PF);
}

Test(emulate_data, inc_keeps_carry)
{
    at_eax(0xFFFFFFFF);
    cpu.eflags |= EFL_CF;
    EXPECT_DONE(0xFF, 0x00);
    cr_assert_eq(arith_flags(), EFL_CF | EFL_ZF | EFL_AF | EFL_PF);
}

Test(emulate_data, neg_of_zero_has_no_carry)
{
    at_eax(0);
    EXPECT_DONE(0xF7, 0x18);
    cr_assert_eq(arith_flags(), EFL_ZF | EFL_PF);
}

Test(emulate_data, not_keeps_all_flags)
{
    at_eax(0);
    cpu.eflags |= EFL_ARITH;
    EXPECT_DONE(0xF7, 0x10);
    cr_assert_eq(arith_flags(), EFL_ARITH);
    cr_assert_eq(get32(HERE), 0xFFFFFFFF);
}

Test(emulate_data, xchg_swaps)
{
    at_eax(1);
    cpu.gpr[GPR_ECX] = 2;
    EXPECT_DONE(0x87, 0x08);
    cr_assert_eq(get32(HERE), 2);
    cr_assert_eq(cpu.gpr[GPR_ECX], 1);
}

Test(emulate_data, faulting_xchg_changes_no_register)
{
    absent[HERE / 4096] = true;
    cpu.gpr[GPR_EAX] = HERE;
    EXPECT_RAISE(VEC_PF, 0, 0x87, 0x08);
}

Test(emulate_data, xadd_gives_the_old_value)
{
    at_eax(5);
    cpu.gpr[GPR_ECX] = 3;
    EXPECT_DONE(0xF0, 0x0F, 0xC1, 0x08);
    cr_assert_eq(get32(HERE), 8);
    cr_assert_eq(cpu.gpr[GPR_ECX], 5);
}

Test(emulate_data, cmpxchg_equal_stores)
{
    cpu.gpr[GPR_EBX] = HERE;
    put32(HERE, 5);
    cpu.gpr[GPR_EAX] = 5;
    cpu.gpr[GPR_ECX] = 9;
    EXPECT_DONE(0xF0, 0x0F, 0xB1, 0x0B);
    cr_assert_eq(get32(HERE), 9);
    cr_assert(cpu.eflags & EFL_ZF);
}

Test(emulate_data, cmpxchg_different_loads)
{
    cpu.gpr[GPR_EBX] = HERE;
    put32(HERE, 6);
    cpu.gpr[GPR_EAX] = 5;
    EXPECT_DONE(0x0F, 0xB1, 0x0B);
    cr_assert_eq(get32(HERE), 6);
    cr_assert_eq(cpu.gpr[GPR_EAX], 6);
}

Test(emulate_data, cmpxchg8b_equal_stores)
{
    cpu.gpr[GPR_ESI] = HERE;
    put32(HERE, 1);
    put32(HERE + 4, 2);
    cpu.gpr[GPR_EAX] = 1;
    cpu.gpr[GPR_EDX] = 2;
    cpu.gpr[GPR_EBX] = 3;
    cpu.gpr[GPR_ECX] = 4;
    EXPECT_DONE(0x0F, 0xC7, 0x0E);
    cr_assert_eq(get32(HERE), 3);
    cr_assert_eq(get32(HERE + 4), 4);
}

Test(emulate_data, bts_with_register_reaches_backwards)
{
    at_eax(0);
    cpu.gpr[GPR_ECX] = 0xFFFFFFFF; /* bit -1 */
    EXPECT_DONE(0x0F, 0xAB, 0x08);
    cr_assert_eq(get32(HERE - 4), 0x80000000);
}

Test(emulate_data, btr_immediate_stays_in_the_operand)
{
    at_eax(0xFFFFFFFF);
    EXPECT_DONE(0x0F, 0xBA, 0x30, 0x21); /* bit 33 mod 32 */
    cr_assert_eq(get32(HERE), 0xFFFFFFFD);
    cr_assert(cpu.eflags & EFL_CF);
}

Test(emulate_data, bt_word_with_sign_extended_index)
{
    at_eax(0);
    put16(HERE - 2, 0x8000);
    cpu.gpr[GPR_ECX] = 0xFFFF;
    EXPECT_DONE(0x66, 0x0F, 0xA3, 0x08);
    cr_assert(cpu.eflags & EFL_CF);
}

Test(emulate_data, push_memory)
{
    at_eax(0x42);
    EXPECT_DONE(0xFF, 0x30);
    cr_assert_eq(get32(STACK0 - 4), 0x42);
}

Test(emulate_data, push_esp_pushes_the_old_value)
{
    EXPECT_DONE(0x54);
    cr_assert_eq(get32(STACK0 - 4), STACK0);
}

Test(emulate_data, pop_to_esp_relative_memory_uses_the_new_esp)
{
    put32(STACK0, 0x42);
    EXPECT_DONE(0x8F, 0x04, 0x24); /* pop [esp] */
    cr_assert_eq(get32(STACK0 + 4), 0x42);
}

Test(emulate_data, refused_pop_to_memory_leaves_esp)
{
    absent[HERE / 4096] = true;
    cpu.gpr[GPR_EAX] = HERE;
    EXPECT_RAISE(VEC_PF, PF_WRITE, 0x8F, 0x00);
}

Test(emulate_data, setcc_and_its_negation)
{
    at_eax(0x5555);
    cpu.eflags |= EFL_SF;
    EXPECT_DONE(0x0F, 0x9C, 0x00); /* setl */
    cr_assert_eq(get32(HERE), 0x5501);
    EXPECT_DONE(0x0F, 0x9D, 0x00); /* setge */
    cr_assert_eq(get32(HERE), 0x5500);
}

Test(emulate_data, loopcc_counts_and_asks_zf)
{
    static const struct {
        uint32_t ecx;
        bool zf, loope, loops;
    } cases[] = {{2, true, true, true},   {2, false, true, false},
                 {2, false, false, true}, {2, true, false, false},
                 {1, true, true, false},  {0, true, true, true}};

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        emu_fixture();
        cpu.gpr[GPR_ECX] = cases[i].ecx;
        cpu.eflags |= cases[i].zf ? EFL_ZF : EFL_CF;
        EXPECT_DONE(0xE0 + cases[i].loope, 0x10);
        cr_expect_eq(cpu.eip, CODE + 2 + (cases[i].loops ? 0x10u : 0),
                     "case %u: %x", i, cpu.eip);
        cr_expect_eq(cpu.gpr[GPR_ECX], cases[i].ecx - 1);
        cr_expect_eq(arith_flags(), cases[i].zf ? EFL_ZF : EFL_CF);
    }
}

Test(emulate_data, loopcc_of_16_bit_addresses_counts_cx)
{
    cpu.gpr[GPR_ECX] = 0x30001;
    EXPECT_DONE(0x67, 0xE0, 0x10);
    cr_assert_eq(cpu.gpr[GPR_ECX], 0x30000);
    cr_assert_eq(cpu.eip, CODE + 3);
}

Test(emulate_data, cmov_reads_even_when_false)
{
    absent[HERE / 4096] = true;
    cpu.gpr[GPR_EAX] = HERE;
    EXPECT_RAISE(VEC_PF, 0, 0x0F, 0x44, 0x08); /* cmove ecx, [eax] */
}

Test(emulate_data, shl_by_cl)
{
    at_eax(0x80000001);
    cpu.gpr[GPR_ECX] = 1;
    EXPECT_DONE(0xD3, 0x20);
    cr_assert_eq(get32(HERE), 2);
    cr_assert_eq(arith_flags(), EFL_CF | EFL_OF);
}

Test(emulate_data, shift_by_zero_keeps_flags)
{
    at_eax(1);
    cpu.eflags |= EFL_ARITH;
    EXPECT_DONE(0xC1, 0x20, 0x20); /* shl dword [eax], 32 */
    cr_assert_eq(arith_flags(), EFL_ARITH);
}

Test(emulate_data, rcr_moves_carry_in)
{
    at_eax(2);
    cpu.eflags |= EFL_CF;
    EXPECT_DONE(0xD1, 0x18);
    cr_assert_eq(get32(HERE), 0x80000001);
    cr_assert(!(cpu.eflags & EFL_CF));
}

Test(emulate_data, rep_movs_copies)
{
    put32(HERE, 0x11111111);
    put32(HERE + 4, 0x22222222);
    cpu.gpr[GPR_ESI] = HERE;
    cpu.gpr[GPR_EDI] = HERE + 0x100;
    cpu.gpr[GPR_ECX] = 2;
    EXPECT_DONE(0xF3, 0xA5);
    cr_assert_eq(get32(HERE + 0x104), 0x22222222);
    cr_assert_eq(cpu.eip, CODE + 2);
}

Test(emulate_data, rep_with_zero_count_does_nothing)
{
    cpu.gpr[GPR_EDI] = 0xFFFFFF00;
    EXPECT_DONE(0xF3, 0xAB);
    cr_assert_eq(cpu.gpr[GPR_EDI], 0xFFFFFF00);
}

Test(emulate_data, long_rep_pauses_for_interrupts)
{
    cpu.gpr[GPR_EDI] = HERE;
    cpu.gpr[GPR_ECX] = 5000;
    EXPECT_DONE(0xF3, 0xAA);
    cr_assert(emu.unfinished);
    cr_assert_eq(cpu.eip, CODE);
    cr_assert_eq(cpu.gpr[GPR_ECX] + cpu.gpr[GPR_EDI], HERE + 5000);
}

Test(emulate_data, rep_with_tf_traps_after_each_iteration)
{
    cpu.eflags |= EFL_TF;
    cpu.gpr[GPR_EDI] = HERE;
    cpu.gpr[GPR_ECX] = 2;
    EXPECT_DONE(0xF3, 0xAA);
    cr_assert(emu.single_step);
    cr_assert_eq(cpu.gpr[GPR_ECX], 1);
    cr_assert_eq(cpu.eip, CODE);
}

Test(emulate_data, rep_stos_with_16_bit_address_wraps_di)
{
    cpu.gpr[GPR_EDI] = 0x1234FFFF;
    cpu.gpr[GPR_ECX] = 0x50001;
    EXPECT_DONE(0x67, 0xF3, 0xAA);
    cr_assert_eq(cpu.gpr[GPR_EDI], 0x12340000);
    cr_assert_eq(cpu.gpr[GPR_ECX], 0x50000);
}

Test(emulate_data, repne_scas_stops_at_the_match)
{
    memcpy(memory + HERE, "abc", 4);
    cpu.gpr[GPR_EDI] = HERE;
    cpu.gpr[GPR_ECX] = 0xFFFFFFFF;
    EXPECT_DONE(0xF2, 0xAE); /* AL is 0 */
    cr_assert_eq(cpu.gpr[GPR_EDI], HERE + 4);
    cr_assert(cpu.eflags & EFL_ZF);
}

Test(emulate_data, repe_cmps_stops_at_the_difference)
{
    memcpy(memory + HERE, "abX", 3);
    memcpy(memory + HERE + 16, "abY", 3);
    cpu.gpr[GPR_ESI] = HERE;
    cpu.gpr[GPR_EDI] = HERE + 16;
    cpu.gpr[GPR_ECX] = 10;
    EXPECT_DONE(0xF3, 0xA6);
    cr_assert_eq(cpu.gpr[GPR_ECX], 7);
    cr_assert(cpu.eflags & EFL_CF);
}
