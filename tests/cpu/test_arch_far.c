/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_arch_far.c - far JMP, CALL and RET. */
#include "test_arch_fixture.h"

TestSuite(arch_far, .init = fixture);

enum { TARGET = 0x12345, NEXT = CODE + 7 };

static bool jump(unsigned selector)
{
    return arch_far_jump(&cpu, &mem, (uint16_t)selector, TARGET, 4, NEXT,
                         &fault);
}

static bool call(unsigned selector)
{
    return arch_far_call(&cpu, &mem, (uint16_t)selector, TARGET, 4, NEXT,
                         &fault);
}

static bool ret(unsigned release)
{
    return arch_far_return(&cpu, &mem, 4, (uint16_t)release, &fault);
}

Test(arch_far, jump_loads_cs_and_eip)
{
    cr_assert(jump(CODE0));
    cr_assert_eq(cpu.eip, TARGET);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK0);
}

Test(arch_far, sixteen_bit_jump_truncates_eip)
{
    arch_far_jump(&cpu, &mem, CODE0, TARGET, 2, NEXT, &fault);
    cr_assert_eq(cpu.eip, TARGET & 0xFFFF);
}

Test(arch_far, jump_to_conforming_keeps_the_level)
{
    enter_ring(3);
    cr_assert(jump(CONFORMING0));
    cr_assert_eq(cpu.seg[SEG_CS].selector, CONFORMING0 | 3);
    cr_assert_eq(cpu.cpl, 3);
}

Test(arch_far, jump_sets_the_accessed_bit)
{
    jump(CODE0);
    cr_assert_eq(memory[gdt_at(CODE0) + 5], 0x9B);
}

Test(arch_far, jump_to_null_is_gp_0)
{
    EXPECT_FAULT(jump(3), VEC_GP, 0);
}

Test(arch_far, jump_beyond_gdt_is_gp)
{
    EXPECT_FAULT(jump(BEYOND_GDT), VEC_GP, BEYOND_GDT);
}

Test(arch_far, jump_to_data_is_gp)
{
    EXPECT_FAULT(jump(DATA0), VEC_GP, DATA0);
}

Test(arch_far, jump_to_inner_level_is_gp)
{
    enter_ring(3);
    EXPECT_FAULT(jump(CODE0), VEC_GP, CODE0);
}

Test(arch_far, jump_to_outer_level_is_gp)
{
    EXPECT_FAULT(jump(CODE3), VEC_GP, CODE3 & ~3);
}

Test(arch_far, jump_with_rpl_above_cpl_is_gp)
{
    EXPECT_FAULT(jump(CODE0 | 1), VEC_GP, CODE0);
}

Test(arch_far, jump_to_absent_segment_is_np)
{
    EXPECT_FAULT(jump(ABSENT_CODE0), VEC_NP, ABSENT_CODE0);
}

Test(arch_far, jump_beyond_limit_is_gp_0)
{
    EXPECT_FAULT(jump(SHORT_CODE0), VEC_GP, 0);
}

Test(arch_far, jump_to_ldt_descriptor_is_gp)
{
    EXPECT_FAULT(jump(LDT_SEL), VEC_GP, LDT_SEL);
}

Test(arch_far, jump_to_interrupt_gate_is_gp)
{
    EXPECT_FAULT(jump(INT_GATE_IN_GDT), VEC_GP, INT_GATE_IN_GDT);
}

Test(arch_far, jump_through_gate_to_same_level)
{
    cr_assert(jump(GATE32));
    cr_assert_eq(cpu.eip, HANDLER);
}

Test(arch_far, jump_through_gate_to_inner_level_is_gp)
{
    enter_ring(3);
    EXPECT_FAULT(jump(GATE32), VEC_GP, CODE0);
}

Test(arch_far, jump_in_real_mode_sets_the_base)
{
    enter_real();
    arch_far_jump(&cpu, &mem, 0x2000, 0x30, 2, NEXT, &fault);
    cr_assert_eq(cpu.seg[SEG_CS].base, 0x20000);
}

Test(arch_far, jump_beyond_limit_in_real_mode_is_gp)
{
    enter_real();
    EXPECT_FAULT(arch_far_jump(&cpu, &mem, 0x2000, 0x10000, 4, NEXT, &fault),
                 VEC_GP, 0);
}

Test(arch_far, call_pushes_the_return_address)
{
    cr_assert(call(CODE0));
    cr_assert_eq(get32(STACK0 - 4), CODE0);
    cr_assert_eq(get32(STACK0 - 8), NEXT);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK0 - 8);
}

Test(arch_far, call_in_vm86_pushes_words)
{
    enter_vm86(0);
    arch_far_call(&cpu, &mem, 0x2000, 0x30, 2, 0x207, &fault);
    cr_assert_eq(get16(0x10800 - 4), 0x207);
    cr_assert_eq(cpu.seg[SEG_CS].base, 0x20000);
}

Test(arch_far, call_gate_switches_stack_and_copies_parameters)
{
    enter_ring(3);
    put32(STACK3, 0xAAAA);
    put32(STACK3 + 4, 0xBBBB);
    cr_assert(call(GATE32));
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK0 - 24);
    cr_assert_eq(get32(STACK0 - 4), DATA3);
    cr_assert_eq(get32(STACK0 - 8), STACK3);
    cr_assert_eq(get32(STACK0 - 12), 0xBBBB);
    cr_assert_eq(get32(STACK0 - 16), 0xAAAA);
    cr_assert_eq(get32(STACK0 - 20), CODE3);
    cr_assert_eq(get32(STACK0 - 24), NEXT);
}

Test(arch_far, call_gate_enters_the_inner_level)
{
    enter_ring(3);
    call(GATE32);
    cr_assert_eq(cpu.cpl, 0);
    cr_assert_eq(cpu.seg[SEG_CS].selector, CODE0);
    cr_assert_eq(cpu.seg[SEG_SS].selector, DATA0);
}

Test(arch_far, sixteen_bit_call_gate_pushes_words)
{
    enter_ring(3);
    cr_assert(call(GATE16));
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK0 - 10);
    cr_assert_eq(cpu.eip, 0x4000);
}

Test(arch_far, call_gate_to_same_level_keeps_the_stack)
{
    cr_assert(call(GATE32));
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK0 - 8);
}

Test(arch_far, call_gate_to_conforming_keeps_the_level)
{
    enter_ring(3);
    cr_assert(call(GATE_CONFORMING));
    cr_assert_eq(cpu.seg[SEG_CS].selector, CONFORMING0 | 3);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK3 - 8);
}

Test(arch_far, call_gate_above_its_dpl_is_gp)
{
    put_gate(gdt_at(GATE32), CODE0, HANDLER, 0x8C, 0);
    enter_ring(3);
    EXPECT_FAULT(call(GATE32), VEC_GP, GATE32);
}

Test(arch_far, call_gate_with_rpl_above_dpl_is_gp)
{
    put_gate(gdt_at(GATE32), CODE0, HANDLER, 0x8C, 0);
    EXPECT_FAULT(call(GATE32 | 3), VEC_GP, GATE32);
}

Test(arch_far, absent_call_gate_is_np)
{
    EXPECT_FAULT(call(ABSENT_GATE), VEC_NP, ABSENT_GATE);
}

Test(arch_far, call_gate_with_null_target_is_gp_0)
{
    put_gate(gdt_at(GATE32), 0, HANDLER, 0xEC, 0);
    EXPECT_FAULT(call(GATE32), VEC_GP, 0);
}

Test(arch_far, call_gate_to_data_is_gp)
{
    put_gate(gdt_at(GATE32), DATA0, HANDLER, 0xEC, 0);
    EXPECT_FAULT(call(GATE32), VEC_GP, DATA0);
}

Test(arch_far, call_gate_to_outer_level_is_gp)
{
    put_gate(gdt_at(GATE32), CODE3, HANDLER, 0xEC, 0);
    EXPECT_FAULT(call(GATE32), VEC_GP, CODE3 & ~3);
}

Test(arch_far, call_gate_to_absent_code_is_np)
{
    put_gate(gdt_at(GATE32), ABSENT_CODE0, HANDLER, 0xEC, 0);
    EXPECT_FAULT(call(GATE32), VEC_NP, ABSENT_CODE0);
}

Test(arch_far, call_gate_with_bad_inner_stack_is_ts)
{
    enter_ring(3);
    put16(TSS + 8, READ_ONLY0);
    EXPECT_FAULT(call(GATE32), VEC_TS, READ_ONLY0);
}

Test(arch_far, call_gate_with_absent_inner_stack_is_ss)
{
    enter_ring(3);
    put16(TSS + 8, ABSENT_DATA0);
    EXPECT_FAULT(call(GATE32), VEC_SS, ABSENT_DATA0);
}

Test(arch_far, call_gate_reads_parameters_as_user)
{
    enter_ring(3);
    user_only_hidden[STACK3 / 4096] = true;
    EXPECT_FAULT(call(GATE32), VEC_PF, PF_USER | PF_PRESENT);
}

static void return_frame(uint32_t eip, uint32_t cs)
{
    cpu.gpr[GPR_ESP] -= 8;
    put32(cpu.gpr[GPR_ESP], eip);
    put32(cpu.gpr[GPR_ESP] + 4, cs);
}

Test(arch_far, return_to_same_level)
{
    return_frame(TARGET, CODE0);
    cr_assert(ret(8));
    cr_assert_eq(cpu.eip, TARGET);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK0 + 8);
}

Test(arch_far, return_undoes_a_call_through_a_gate)
{
    enter_ring(3);
    call(GATE32);
    cr_assert(ret(8));
    cr_assert_eq(cpu.cpl, 3);
    cr_assert_eq(cpu.eip, NEXT);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK3 + 8);
    cr_assert_eq(cpu.seg[SEG_SS].selector, DATA3);
}

Test(arch_far, return_to_outer_level_nulls_inner_segments)
{
    enter_ring(3);
    call(GATE32);
    load_cache(SEG_DS, DATA0);
    ret(8);
    cr_assert_eq(cpu.seg[SEG_DS].attr, 0);
}

Test(arch_far, return_to_outer_level_makes_0_of_null_selectors)
{
    enter_ring(3);
    call(GATE32);
    cpu.seg[SEG_FS] = (struct segment){.selector = 3};
    ret(8);
    cr_assert_eq(cpu.seg[SEG_FS].selector, 0);
}

Test(arch_far, return_to_inner_level_is_gp)
{
    enter_ring(3);
    return_frame(TARGET, CODE0);
    EXPECT_FAULT(ret(0), VEC_GP, CODE0);
}

Test(arch_far, return_to_null_is_gp_0)
{
    return_frame(TARGET, 0);
    EXPECT_FAULT(ret(0), VEC_GP, 0);
}

Test(arch_far, return_to_absent_code_is_np)
{
    return_frame(TARGET, ABSENT_CODE0);
    EXPECT_FAULT(ret(0), VEC_NP, ABSENT_CODE0);
}

Test(arch_far, return_with_bad_outer_stack_is_gp)
{
    cpu.gpr[GPR_ESP] -= 8;
    put32(cpu.gpr[GPR_ESP], STACK3);
    put32(cpu.gpr[GPR_ESP] + 4, DATA0);
    return_frame(TARGET, CODE3);
    EXPECT_FAULT(ret(0), VEC_GP, DATA0);
}

Test(arch_far, return_in_real_mode)
{
    enter_real();
    put16(0x10800 - 4, 0x30);
    put16(0x10800 - 2, 0x2000);
    cpu.gpr[GPR_ESP] = 0x800 - 4;
    cr_assert(arch_far_return(&cpu, &mem, 2, 0, &fault));
    cr_assert_eq(cpu.seg[SEG_CS].base, 0x20000);
    cr_assert_eq(cpu.eip, 0x30);
}

/* Task switches by JMP and CALL. */

Test(arch_far, jump_to_task_loads_its_registers)
{
    cr_assert(jump(OTHER_SEL));
    cr_assert_eq(cpu.gpr[GPR_EAX], 0x11111111);
    cr_assert_eq(cpu.eip, HANDLER);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK_OTHER);
}

Test(arch_far, jump_to_task_moves_the_busy_bit)
{
    jump(OTHER_SEL);
    cr_assert_eq(memory[gdt_at(OTHER_SEL) + 5], 0xEB);
    cr_assert_eq(memory[gdt_at(TSS_SEL) + 5], 0x89);
}

Test(arch_far, jump_to_task_does_not_nest)
{
    jump(OTHER_SEL);
    cr_assert(!(cpu.eflags & EFL_NT));
    cr_assert_eq(get16(OTHER_TSS), 0);
}

Test(arch_far, jump_to_task_saves_the_old_one)
{
    cpu.gpr[GPR_EDI] = 0x77;
    jump(OTHER_SEL);
    cr_assert_eq(get32(TSS + 0x20), NEXT);
    cr_assert_eq(get32(TSS + 0x44), 0x77);
    cr_assert_eq(get16(TSS + 0x4C), CODE0);
}

Test(arch_far, call_to_task_nests_and_both_are_busy)
{
    call(OTHER_SEL);
    cr_assert(cpu.eflags & EFL_NT);
    cr_assert_eq(get16(OTHER_TSS), TSS_SEL);
    cr_assert_eq(memory[gdt_at(TSS_SEL) + 5], 0x8B);
}

Test(arch_far, call_and_iret_come_back)
{
    call(OTHER_SEL);
    cr_assert(arch_iret(&cpu, &mem, 4, HANDLER + 1, &fault));
    cr_assert_eq(cpu.tr.selector, TSS_SEL);
    cr_assert_eq(cpu.eip, NEXT);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK0);
}

Test(arch_far, task_switch_sets_ts)
{
    jump(OTHER_SEL);
    cr_assert(cpu.cr0 & CR0_TS);
}

Test(arch_far, task_switch_loads_cr3_only_with_paging)
{
    jump(OTHER_SEL);
    cr_assert_eq(cpu.cr3, 0);
}

Test(arch_far, task_switch_with_paging_reports_cr3)
{
    cpu.cr0 |= CR0_PG;
    jump(OTHER_SEL);
    cr_assert_eq(cpu.cr3, 0x77000);
    cr_assert_eq(cr3_seen, 0x77000);
}

Test(arch_far, task_switch_clears_local_breakpoints)
{
    cpu.dr[7] |= 0x3FF;
    jump(OTHER_SEL);
    cr_assert_eq(cpu.dr[7], 0x6AA);
}

Test(arch_far, task_switch_to_16_bit_tss)
{
    cr_assert(jump(SMALL_SEL));
    cr_assert_eq(cpu.eip, 0x4000);
    cr_assert_eq(cpu.gpr[GPR_EAX], 0xFFFF2222);
}

Test(arch_far, task_gate_leads_to_the_task)
{
    enter_ring(3);
    cr_assert(jump(TASK_GATE));
    cr_assert_eq(cpu.tr.selector, OTHER_SEL);
    cr_assert_eq(cpu.cpl, 0);
}

Test(arch_far, task_switch_into_vm86)
{
    put32(OTHER_TSS + 0x24, EFL_FIXED | EFL_VM);
    put16(OTHER_TSS + 0x4C, 0x2000);
    put32(OTHER_TSS + 0x20, 0x100);
    cr_assert(jump(OTHER_SEL));
    cr_assert_eq(cpu.seg[SEG_CS].base, 0x20000);
    cr_assert_eq(cpu.cpl, 3);
}

Test(arch_far, task_switch_loads_the_ldt)
{
    put16(OTHER_TSS + 0x60, LDT_SEL);
    put_segment(LDT + 8, 0x5000, 0xFFF, 0x4092);
    put16(OTHER_TSS + 0x54, 0x0C);
    cr_assert(jump(OTHER_SEL));
    cr_assert_eq(cpu.seg[SEG_DS].base, 0x5000);
}

Test(arch_far, jump_to_busy_task_is_gp)
{
    EXPECT_FAULT(jump(TSS_SEL), VEC_GP, TSS_SEL);
}

Test(arch_far, jump_to_absent_task_is_np)
{
    EXPECT_FAULT(jump(ABSENT_TSS), VEC_NP, ABSENT_TSS);
}

Test(arch_far, jump_to_task_above_its_dpl_is_gp)
{
    memory[gdt_at(OTHER_SEL) + 5] = 0x89;
    enter_ring(3);
    EXPECT_FAULT(jump(OTHER_SEL), VEC_GP, OTHER_SEL);
}

Test(arch_far, jump_to_short_task_is_ts)
{
    put_segment(gdt_at(OTHER_SEL), OTHER_TSS, 0x66, 0xE9);
    EXPECT_FAULT(jump(OTHER_SEL), VEC_TS, OTHER_SEL);
}

Test(arch_far, task_gate_into_ldt_is_gp)
{
    put_gate(gdt_at(TASK_GATE), OTHER_SEL | 4, 0, 0xE5, 0);
    EXPECT_FAULT(jump(TASK_GATE), VEC_GP, OTHER_SEL | 4);
}

Test(arch_far, absent_tss_page_faults_in_the_old_task)
{
    absent[OTHER_TSS / 4096] = true;
    EXPECT_FAULT(jump(OTHER_SEL), VEC_PF, 0);
}

/* Faults past the point of no return: the new task has them. */
static void bad_task(unsigned vector, uint32_t error)
{
    cr_assert(!jump(OTHER_SEL));
    cr_assert_eq(fault.vector, vector, "vector %u", fault.vector);
    cr_assert_eq(fault.error, error, "error %x", fault.error);
    cr_assert_eq(cpu.tr.selector, OTHER_SEL);
    cr_assert_eq(cpu.eip, get32(OTHER_TSS + 0x20));
}

Test(arch_far, new_task_with_null_cs_is_ts)
{
    put16(OTHER_TSS + 0x4C, 0);
    bad_task(VEC_TS, 0);
}

Test(arch_far, new_task_with_data_in_cs_is_ts)
{
    put16(OTHER_TSS + 0x4C, DATA0);
    bad_task(VEC_TS, DATA0);
}

Test(arch_far, new_task_with_absent_cs_is_np)
{
    put16(OTHER_TSS + 0x4C, ABSENT_CODE0);
    bad_task(VEC_NP, ABSENT_CODE0);
}

Test(arch_far, new_task_with_null_ss_is_ts)
{
    put16(OTHER_TSS + 0x50, 0);
    bad_task(VEC_TS, 0);
}

Test(arch_far, new_task_with_outer_ss_is_ts)
{
    put16(OTHER_TSS + 0x50, DATA3);
    bad_task(VEC_TS, DATA3 & ~3);
}

Test(arch_far, new_task_with_absent_ss_is_ss)
{
    put16(OTHER_TSS + 0x50, ABSENT_DATA0);
    bad_task(VEC_SS, ABSENT_DATA0);
}

Test(arch_far, new_task_with_execute_only_ds_is_ts)
{
    put16(OTHER_TSS + 0x54, EXECUTE_ONLY0);
    bad_task(VEC_TS, EXECUTE_ONLY0);
}

Test(arch_far, new_task_with_absent_ds_is_np)
{
    put16(OTHER_TSS + 0x54, ABSENT_DATA0);
    bad_task(VEC_NP, ABSENT_DATA0);
}

Test(arch_far, new_task_with_absent_ldt_is_ts)
{
    put16(OTHER_TSS + 0x60, ABSENT_LDT);
    bad_task(VEC_TS, ABSENT_LDT);
}

Test(arch_far, new_task_with_eip_beyond_limit_is_gp_0)
{
    put16(OTHER_TSS + 0x4C, SHORT_CODE0);
    bad_task(VEC_GP, 0);
}

Test(arch_far, trap_bit_of_the_new_task_is_db)
{
    put16(OTHER_TSS + 0x64, 1);
    cr_assert(!jump(OTHER_SEL));
    cr_assert_eq(fault.vector, VEC_DB);
    cr_assert(!fault.has_error);
    cr_assert_eq(cpu.eip, HANDLER);
}
