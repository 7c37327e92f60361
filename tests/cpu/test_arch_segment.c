/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_arch_segment.c - segment loads, LLDT, LTR, LAR and kin. */
#include "test_arch_fixture.h"

TestSuite(arch_segment, .init = fixture);

static bool load(enum seg_reg reg, unsigned selector)
{
    return arch_load_segment(&cpu, &mem, reg, (uint16_t)selector, &fault);
}

Test(arch_segment, descriptor_fields_are_unpacked)
{
    struct segment s = arch_segment(8, 0x5678FFFF, 0x12CF9A34);
    cr_assert_eq(s.base, 0x12345678);
    cr_assert_eq(s.limit, 0xFFFFFFFF);
    cr_assert_eq(s.attr, 0xC09A);
}

Test(arch_segment, load_sets_the_accessed_bit_in_memory)
{
    cr_assert(load(SEG_DS, DATA3));
    cr_assert_eq(memory[gdt_at(DATA3) + 5], 0xF3);
}

Test(arch_segment, null_is_allowed_in_ds)
{
    cr_assert(load(SEG_DS, 2));
    cr_assert_eq(cpu.seg[SEG_DS].attr, 0);
    cr_assert_eq(cpu.seg[SEG_DS].selector, 2);
}

Test(arch_segment, null_in_ss_is_gp_0)
{
    EXPECT_FAULT(load(SEG_SS, 0), VEC_GP, 0);
}

Test(arch_segment, ss_of_other_level_is_gp)
{
    EXPECT_FAULT(load(SEG_SS, DATA3), VEC_GP, DATA3 & ~3);
}

Test(arch_segment, ss_of_other_rpl_is_gp)
{
    EXPECT_FAULT(load(SEG_SS, DATA0 | 1), VEC_GP, DATA0);
}

Test(arch_segment, read_only_ss_is_gp)
{
    EXPECT_FAULT(load(SEG_SS, READ_ONLY0), VEC_GP, READ_ONLY0);
}

Test(arch_segment, absent_ss_is_ss)
{
    EXPECT_FAULT(load(SEG_SS, ABSENT_DATA0), VEC_SS, ABSENT_DATA0);
}

Test(arch_segment, absent_ds_is_np)
{
    EXPECT_FAULT(load(SEG_DS, ABSENT_DATA0), VEC_NP, ABSENT_DATA0);
}

Test(arch_segment, readable_code_is_allowed_in_ds)
{
    cr_assert(load(SEG_DS, CODE0));
}

Test(arch_segment, execute_only_code_in_ds_is_gp)
{
    EXPECT_FAULT(load(SEG_DS, EXECUTE_ONLY0), VEC_GP, EXECUTE_ONLY0);
}

Test(arch_segment, system_descriptor_in_ds_is_gp)
{
    EXPECT_FAULT(load(SEG_DS, LDT_SEL), VEC_GP, LDT_SEL);
}

Test(arch_segment, inner_data_at_ring_3_is_gp)
{
    enter_ring(3);
    EXPECT_FAULT(load(SEG_ES, DATA0 | 3), VEC_GP, DATA0);
}

Test(arch_segment, conforming_code_in_ds_ignores_levels)
{
    enter_ring(3);
    cr_assert(load(SEG_ES, CONFORMING0 | 3));
}

Test(arch_segment, beyond_gdt_is_gp)
{
    EXPECT_FAULT(load(SEG_FS, BEYOND_GDT | 3), VEC_GP, BEYOND_GDT);
}

Test(arch_segment, ldt_selector_without_ldt_is_gp)
{
    EXPECT_FAULT(load(SEG_FS, 0x0C), VEC_GP, 0x0C);
}

Test(arch_segment, page_fault_on_the_gdt_is_reported)
{
    absent[GDT / 4096] = true;
    EXPECT_FAULT(load(SEG_FS, DATA0), VEC_PF, 0);
}

Test(arch_segment, vm86_load_makes_a_64k_segment)
{
    enter_vm86(0);
    load(SEG_DS, 0x1234);
    cr_assert_eq(cpu.seg[SEG_DS].base, 0x12340);
    cr_assert_eq(cpu.seg[SEG_DS].limit, 0xFFFF);
}

Test(arch_segment, real_mode_load_keeps_the_limit)
{
    enter_real();
    cpu.seg[SEG_DS].limit = 0xFFFFFFFF;
    load(SEG_DS, 0x1234);
    cr_assert_eq(cpu.seg[SEG_DS].limit, 0xFFFFFFFF);
}

Test(arch_segment, lldt_loads_base_and_limit)
{
    cr_assert(arch_lldt(&cpu, &mem, LDT_SEL, &fault));
    cr_assert_eq(cpu.ldtr.base, LDT);
    cr_assert_eq(cpu.ldtr.limit, 0xFF);
}

Test(arch_segment, lldt_null_makes_it_unusable)
{
    arch_lldt(&cpu, &mem, LDT_SEL, &fault);
    cr_assert(arch_lldt(&cpu, &mem, 0, &fault));
    cr_assert_eq(cpu.ldtr.attr, 0);
}

Test(arch_segment, lldt_of_data_is_gp)
{
    EXPECT_FAULT(arch_lldt(&cpu, &mem, DATA0, &fault), VEC_GP, DATA0);
}

Test(arch_segment, lldt_from_ldt_is_gp)
{
    EXPECT_FAULT(arch_lldt(&cpu, &mem, LDT_SEL | 4, &fault), VEC_GP,
                 LDT_SEL | 4);
}

Test(arch_segment, absent_ldt_is_np)
{
    EXPECT_FAULT(arch_lldt(&cpu, &mem, ABSENT_LDT, &fault), VEC_NP, ABSENT_LDT);
}

Test(arch_segment, ltr_marks_the_task_busy)
{
    cr_assert(arch_ltr(&cpu, &mem, OTHER_SEL, &fault));
    cr_assert_eq(memory[gdt_at(OTHER_SEL) + 5], 0xEB);
    cr_assert_eq(cpu.tr.attr & SEG_TYPE, SYS_TSS32_BUSY);
}

Test(arch_segment, ltr_of_busy_task_is_gp)
{
    EXPECT_FAULT(arch_ltr(&cpu, &mem, TSS_SEL, &fault), VEC_GP, TSS_SEL);
}

Test(arch_segment, ltr_null_is_gp_0)
{
    EXPECT_FAULT(arch_ltr(&cpu, &mem, 0, &fault), VEC_GP, 0);
}

Test(arch_segment, ltr_of_absent_task_is_np)
{
    EXPECT_FAULT(arch_ltr(&cpu, &mem, ABSENT_TSS, &fault), VEC_NP, ABSENT_TSS);
}

/* LAR, LSL, VERR, VERW. */

static uint32_t value;

static bool lar(unsigned sel)
{
    return arch_lar(&cpu, &mem, (uint16_t)sel, &value, &fault);
}

static bool lsl(unsigned sel)
{
    return arch_lsl(&cpu, &mem, (uint16_t)sel, &value, &fault);
}

static bool verify(unsigned sel, bool write)
{
    return arch_verify(&cpu, &mem, (uint16_t)sel, write, &fault);
}

Test(arch_segment, lar_shows_the_access_rights)
{
    cr_assert(lar(CODE0));
    cr_assert_eq(value, 0x00C09A00);
}

Test(arch_segment, lar_of_an_interrupt_gate_fails)
{
    cr_assert(!lar(INT_GATE_IN_GDT));
    cr_assert_eq(fault.vector, 0xFF);
}

Test(arch_segment, lar_accepts_a_call_gate_but_lsl_does_not)
{
    cr_assert(lar(GATE32));
    cr_assert(!lsl(GATE32));
}

Test(arch_segment, lar_depends_on_cpl)
{
    enter_ring(3);
    cr_assert(!lar(DATA0));
}

Test(arch_segment, lar_depends_on_rpl)
{
    cr_assert(!lar(DATA0 | 3));
}

Test(arch_segment, lar_of_null_fails)
{
    cr_assert(!lar(0));
}

Test(arch_segment, lar_page_fault_is_a_fault)
{
    absent[GDT / 4096] = true;
    cr_assert(!lar(DATA0));
    cr_assert_eq(fault.vector, VEC_PF);
}

Test(arch_segment, lsl_scales_the_limit)
{
    cr_assert(lsl(DATA0));
    cr_assert_eq(value, 0xFFFFFFFF);
}

Test(arch_segment, lsl_of_a_tss_is_its_byte_limit)
{
    cr_assert(lsl(TSS_SEL));
    cr_assert_eq(value, 0x2FF);
}

Test(arch_segment, verr_of_execute_only_fails)
{
    cr_assert(!verify(EXECUTE_ONLY0, false));
}

Test(arch_segment, verr_of_system_segment_fails)
{
    cr_assert(!verify(LDT_SEL, false));
}

Test(arch_segment, verw_of_read_only_fails)
{
    cr_assert(!verify(READ_ONLY0, true));
}

Test(arch_segment, verw_of_code_fails)
{
    cr_assert(!verify(CODE0, true));
}

Test(arch_segment, verw_of_data_succeeds)
{
    cr_assert(verify(DATA0, true));
}
