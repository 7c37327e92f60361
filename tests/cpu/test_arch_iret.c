/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_arch_iret.c - every variant of IRET. */
#include "test_arch_fixture.h"

TestSuite(arch_iret, .init = fixture);

enum { TARGET = 0x12345, NEXT = CODE + 1 };

/* A frame on the current stack; the words after the third are for outer and
 * VM86 returns. */
static void frame(unsigned count, const uint32_t *words)
{
    cpu.gpr[GPR_ESP] -= count * 4;
    for (unsigned i = 0; i < count; i++)
        put32(cpu.gpr[GPR_ESP] + i * 4, words[i]);
}
#define FRAME(...)                                                             \
    frame(sizeof((uint32_t[]){__VA_ARGS__}) / 4, (uint32_t[]){__VA_ARGS__})

static bool iret(void)
{
    return arch_iret(&cpu, &mem, 4, NEXT, &fault);
}

Test(arch_iret, same_level_restores_eip_and_stack)
{
    FRAME(TARGET, CODE0, EFL_FIXED);
    cr_assert(iret());
    cr_assert_eq(cpu.eip, TARGET);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK0);
}

Test(arch_iret, sixteen_bit_frame_takes_words)
{
    put16(STACK0 - 6, 0x1234);
    put16(STACK0 - 4, CODE0);
    put16(STACK0 - 2, EFL_CF);
    cpu.gpr[GPR_ESP] = STACK0 - 6;
    cr_assert(arch_iret(&cpu, &mem, 2, NEXT, &fault));
    cr_assert_eq(cpu.eip, 0x1234);
    cr_assert_eq(cpu.eflags, EFL_FIXED | EFL_CF);
}

Test(arch_iret, sixteen_bit_keeps_the_upper_flags)
{
    cpu.eflags |= EFL_AC | EFL_ID;
    put16(STACK0 - 6, 0x1234);
    put16(STACK0 - 4, CODE0);
    put16(STACK0 - 2, 0);
    cpu.gpr[GPR_ESP] = STACK0 - 6;
    arch_iret(&cpu, &mem, 2, NEXT, &fault);
    cr_assert_eq(cpu.eflags, EFL_FIXED | EFL_AC | EFL_ID);
}

Test(arch_iret, outer_level_takes_its_stack)
{
    FRAME(TARGET, CODE3, EFL_FIXED | EFL_IF, STACK3, DATA3);
    cr_assert(iret());
    cr_assert_eq(cpu.cpl, 3);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK3);
    cr_assert_eq(cpu.seg[SEG_SS].selector, DATA3);
}

Test(arch_iret, outer_level_nulls_inner_data_segments)
{
    load_cache(SEG_ES, DATA3);
    FRAME(TARGET, CODE3, EFL_FIXED, STACK3, DATA3);
    iret();
    cr_assert_eq(cpu.seg[SEG_DS].attr, 0);
    cr_assert_eq(cpu.seg[SEG_ES].selector, DATA3);
}

Test(arch_iret, outer_level_keeps_conforming_code_in_a_data_segment)
{
    load_cache(SEG_ES, CONFORMING0);
    FRAME(TARGET, CODE3, EFL_FIXED, STACK3, DATA3);
    iret();
    cr_assert_eq(cpu.seg[SEG_ES].selector, CONFORMING0);
}

Test(arch_iret, sixteen_bit_outer_stack_leaks_upper_esp)
{
    FRAME(TARGET, CODE3, EFL_FIXED, 0x55554444, STACK3_16);
    cpu.gpr[GPR_ESP] |= 0x70000000;
    cpu.seg[SEG_SS].base = 0x90000000;
    cr_assert(iret());
    cr_assert_eq(cpu.gpr[GPR_ESP], 0x70004444);
}

Test(arch_iret, inner_level_is_gp)
{
    enter_ring(3);
    FRAME(TARGET, CODE0, EFL_FIXED);
    EXPECT_FAULT(iret(), VEC_GP, CODE0);
}

Test(arch_iret, null_code_selector_is_gp_0)
{
    FRAME(TARGET, 0, EFL_FIXED);
    EXPECT_FAULT(iret(), VEC_GP, 0);
}

Test(arch_iret, data_selector_in_cs_is_gp)
{
    FRAME(TARGET, DATA0, EFL_FIXED);
    EXPECT_FAULT(iret(), VEC_GP, DATA0);
}

Test(arch_iret, code_selector_beyond_gdt_is_gp)
{
    FRAME(TARGET, BEYOND_GDT, EFL_FIXED);
    EXPECT_FAULT(iret(), VEC_GP, BEYOND_GDT);
}

Test(arch_iret, rpl_differing_from_dpl_is_gp)
{
    FRAME(TARGET, CODE0 | 3, EFL_FIXED, STACK3, DATA3);
    EXPECT_FAULT(iret(), VEC_GP, CODE0);
}

Test(arch_iret, absent_code_is_np)
{
    FRAME(TARGET, ABSENT_CODE0, EFL_FIXED);
    EXPECT_FAULT(iret(), VEC_NP, ABSENT_CODE0);
}

Test(arch_iret, eip_beyond_limit_is_gp_0)
{
    FRAME(0x1000, SHORT_CODE0, EFL_FIXED);
    EXPECT_FAULT(iret(), VEC_GP, 0);
}

Test(arch_iret, null_outer_stack_is_gp_0)
{
    FRAME(TARGET, CODE3, EFL_FIXED, STACK3, 3);
    EXPECT_FAULT(iret(), VEC_GP, 0);
}

Test(arch_iret, inner_stack_selector_for_outer_level_is_gp)
{
    FRAME(TARGET, CODE3, EFL_FIXED, STACK3, DATA0);
    EXPECT_FAULT(iret(), VEC_GP, DATA0);
}

Test(arch_iret, read_only_outer_stack_is_gp)
{
    put_segment(gdt_at(DATA3), 0, 0xFFFFF, 0xC0F0);
    FRAME(TARGET, CODE3, EFL_FIXED, STACK3, DATA3);
    EXPECT_FAULT(iret(), VEC_GP, DATA3 & ~3);
}

Test(arch_iret, absent_outer_stack_is_ss)
{
    put_segment(gdt_at(DATA3), 0, 0xFFFFF, 0xC072);
    FRAME(TARGET, CODE3, EFL_FIXED, STACK3, DATA3);
    EXPECT_FAULT(iret(), VEC_SS, DATA3 & ~3);
}

Test(arch_iret, frame_beyond_stack_limit_is_ss_0)
{
    FRAME(TARGET, CODE0, EFL_FIXED);
    cpu.seg[SEG_SS].limit = STACK0 - 2;
    EXPECT_FAULT(iret(), VEC_SS, 0);
}

Test(arch_iret, frame_in_absent_page_is_pf)
{
    FRAME(TARGET, CODE0, EFL_FIXED);
    absent[(STACK0 - 12) / 4096] = true;
    cr_assert(!iret());
    cr_assert_eq(fault.vector, VEC_PF);
    cr_assert_eq(fault.cr2, STACK0 - 12);
}

Test(arch_iret, user_frame_is_read_as_user)
{
    enter_ring(3);
    FRAME(TARGET, CODE3, EFL_FIXED);
    user_only_hidden[(STACK3 - 12) / 4096] = true;
    EXPECT_FAULT(iret(), VEC_PF, PF_USER | PF_PRESENT);
}

Test(arch_iret, user_cannot_change_if_or_iopl)
{
    enter_ring(3);
    FRAME(TARGET, CODE3, EFL_FIXED | EFL_IOPL);
    iret();
    cr_assert_eq(cpu.eflags & (EFL_IF | EFL_IOPL), EFL_IF);
}

Test(arch_iret, user_at_iopl_3_can_change_if)
{
    enter_ring(3);
    cpu.eflags |= EFL_IOPL;
    FRAME(TARGET, CODE3, EFL_FIXED);
    iret();
    cr_assert_eq(cpu.eflags & (EFL_IF | EFL_IOPL), EFL_IOPL);
}

Test(arch_iret, rf_is_loaded)
{
    FRAME(TARGET, CODE0, EFL_FIXED | EFL_RF);
    iret();
    cr_assert(cpu.eflags & EFL_RF);
}

Test(arch_iret, vm_in_the_image_is_ignored_above_ring_0)
{
    enter_ring(3);
    FRAME(TARGET, CODE3, EFL_FIXED | EFL_VM);
    cr_assert(iret());
    cr_assert(!(cpu.eflags & EFL_VM));
}

Test(arch_iret, nmis_are_unblocked)
{
    cpu.nmi_blocked = true;
    FRAME(TARGET, CODE0, EFL_FIXED);
    iret();
    cr_assert(!cpu.nmi_blocked);
}

Test(arch_iret, to_vm86_loads_all_segments)
{
    FRAME(0x100, 0x2000, EFL_FIXED | EFL_VM, 0xFFE, 0x3000, 0x4000, 0x5000,
          0x6000, 0x7000);
    cr_assert(iret());
    cr_assert_eq(cpu.cpl, 3);
    cr_assert_eq(cpu.seg[SEG_CS].base, 0x20000);
    cr_assert_eq(cpu.seg[SEG_GS].selector, 0x7000);
    cr_assert_eq(cpu.seg[SEG_SS].attr, 0xF3);
    cr_assert_eq(cpu.gpr[GPR_ESP], 0xFFE);
}

Test(arch_iret, to_vm86_beyond_64k_is_gp_0)
{
    FRAME(0x10000, 0x2000, EFL_FIXED | EFL_VM, 0, 0, 0, 0, 0, 0);
    EXPECT_FAULT(iret(), VEC_GP, 0);
}

static void vm86_frame(unsigned flags)
{
    put16(0x10800 - 6, 0x1234);
    put16(0x10800 - 4, 0x2000);
    put16(0x10800 - 2, flags);
    cpu.gpr[GPR_ESP] = 0x800 - 6;
}

Test(arch_iret, in_vm86_below_iopl_3_is_gp_0)
{
    enter_vm86(2);
    vm86_frame(0);
    EXPECT_FAULT(arch_iret(&cpu, &mem, 2, NEXT, &fault), VEC_GP, 0);
}

Test(arch_iret, in_vm86_at_iopl_3_keeps_iopl)
{
    enter_vm86(3);
    vm86_frame(0);
    cr_assert(arch_iret(&cpu, &mem, 2, NEXT, &fault));
    cr_assert_eq(cpu.eflags, EFL_FIXED | EFL_VM | EFL_IOPL);
    cr_assert_eq(cpu.seg[SEG_CS].base, 0x20000);
}

Test(arch_iret, real_mode_loads_the_segment_base)
{
    enter_real();
    vm86_frame(EFL_IOPL | EFL_NT);
    cr_assert(arch_iret(&cpu, &mem, 2, NEXT, &fault));
    cr_assert_eq(cpu.seg[SEG_CS].base, 0x20000);
    cr_assert_eq(cpu.eflags, EFL_FIXED | EFL_IOPL | EFL_NT);
}

/* Nested tasks. */

static void nest(unsigned link)
{
    cpu.eflags |= EFL_NT;
    put16(TSS, link);
    memory[gdt_at(OTHER_SEL) + 5] |= 2;
}

Test(arch_iret, nested_task_returns_by_the_link)
{
    nest(OTHER_SEL);
    cr_assert(iret());
    cr_assert_eq(cpu.tr.selector, OTHER_SEL);
    cr_assert_eq(cpu.gpr[GPR_EAX], 0x11111111);
}

Test(arch_iret, nested_task_goes_on_after_its_iret)
{
    nest(OTHER_SEL);
    iret();
    cr_assert_eq(get32(TSS + 0x20), NEXT);
}

Test(arch_iret, nested_task_is_left_not_busy_and_not_nested)
{
    nest(OTHER_SEL);
    iret();
    cr_assert_eq(memory[gdt_at(TSS_SEL) + 5], 0x89);
    cr_assert(!(get32(TSS + 0x24) & EFL_NT));
}

Test(arch_iret, link_to_idle_task_is_ts)
{
    nest(OTHER_SEL);
    memory[gdt_at(OTHER_SEL) + 5] &= (uint8_t)~2;
    EXPECT_FAULT(iret(), VEC_TS, OTHER_SEL);
}

Test(arch_iret, link_into_ldt_is_ts)
{
    nest(OTHER_SEL | 4);
    EXPECT_FAULT(iret(), VEC_TS, OTHER_SEL | 4);
}

Test(arch_iret, link_beyond_gdt_is_ts)
{
    nest(BEYOND_GDT);
    EXPECT_FAULT(iret(), VEC_TS, BEYOND_GDT);
}

Test(arch_iret, link_to_absent_task_is_np)
{
    nest(OTHER_SEL);
    memory[gdt_at(OTHER_SEL) + 5] &= 0x7F;
    EXPECT_FAULT(iret(), VEC_NP, OTHER_SEL);
}
