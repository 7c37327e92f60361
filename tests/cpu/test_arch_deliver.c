/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_arch_deliver.c - events through the interrupt table. */
#include "test_arch_fixture.h"

TestSuite(arch_deliver, .init = fixture);

static enum arch_result raise_exception(unsigned vector)
{
    struct arch_event e = {.vector = (uint8_t)vector, .source = ARCH_EXCEPTION};
    return arch_deliver(&cpu, &mem, &e, &chain);
}

static enum arch_result raise_error(unsigned vector, uint32_t error)
{
    struct arch_event e = {.vector = (uint8_t)vector,
                           .source = ARCH_EXCEPTION,
                           .has_error = true,
                           .error = error,
                           .cr2 = 0xDEAD};
    return arch_deliver(&cpu, &mem, &e, &chain);
}

static enum arch_result raise_from(enum arch_source source, unsigned vector)
{
    struct arch_event e = {.vector = (uint8_t)vector,
                           .source = (uint8_t)source,
                           .next_eip = CODE + 2};
    return arch_deliver(&cpu, &mem, &e, &chain);
}

/* The second of two events tried. */
static void expect_second(unsigned vector, uint32_t error)
{
    cr_assert_geq(chain.count, 2);
    cr_assert_eq(chain.event[1].vector, vector, "vector %u",
                 chain.event[1].vector);
    cr_assert_eq(chain.event[1].error, error, "error %x", chain.event[1].error);
}

Test(arch_deliver, same_level_pushes_three_words)
{
    raise_from(ARCH_EXTERNAL, 0x20);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK0 - 12);
    cr_assert_eq(get32(STACK0 - 12), CODE);
    cr_assert_eq(get32(STACK0 - 8), CODE0);
    cr_assert_eq(get32(STACK0 - 4), EFL_FIXED | EFL_IF);
}

Test(arch_deliver, jumps_to_the_gate_offset)
{
    raise_from(ARCH_EXTERNAL, 0x20);
    cr_assert_eq(cpu.eip, HANDLER + 0x200);
}

Test(arch_deliver, error_code_is_pushed_last)
{
    raise_error(VEC_GP, 0x1234);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK0 - 16);
    cr_assert_eq(get32(STACK0 - 16), 0x1234);
}

Test(arch_deliver, fault_sets_rf_in_the_image)
{
    raise_exception(VEC_UD);
    cr_assert(get32(STACK0 - 4) & EFL_RF);
}

Test(arch_deliver, debug_trap_leaves_rf_in_the_image)
{
    raise_exception(VEC_DB);
    cr_assert(!(get32(STACK0 - 4) & EFL_RF));
}

Test(arch_deliver, interrupt_gate_clears_if_tf_nt)
{
    cpu.eflags |= EFL_TF | EFL_NT | EFL_RF;
    raise_from(ARCH_EXTERNAL, 0x20);
    cr_assert_eq(cpu.eflags, EFL_FIXED);
}

Test(arch_deliver, trap_gate_keeps_if)
{
    put_gate(IDT + 0x20 * 8, CODE0, HANDLER, GATE_TRAP32, 0);
    raise_from(ARCH_EXTERNAL, 0x20);
    cr_assert(cpu.eflags & EFL_IF);
}

Test(arch_deliver, sixteen_bit_gate_pushes_words)
{
    put_gate(IDT + 0x20 * 8, CODE0, 0x4000, GATE_INT16, 0);
    raise_from(ARCH_EXTERNAL, 0x20);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK0 - 6);
    cr_assert_eq(cpu.eip, 0x4000);
}

Test(arch_deliver, inner_level_switches_to_the_tss_stack)
{
    enter_ring(3);
    raise_from(ARCH_EXTERNAL, 0x20);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK0 - 20);
    cr_assert_eq(cpu.seg[SEG_SS].selector, DATA0);
    cr_assert_eq(cpu.cpl, 0);
    cr_assert_eq(get32(STACK0 - 8), STACK3);
    cr_assert_eq(get32(STACK0 - 4), DATA3);
}

Test(arch_deliver, inner_level_one_gets_rpl_one)
{
    put_gate(IDT + 0x20 * 8, CODE1 & ~3, HANDLER, GATE_INT32, 0);
    enter_ring(3);
    raise_from(ARCH_EXTERNAL, 0x20);
    cr_assert_eq(cpu.cpl, 1);
    cr_assert_eq(cpu.seg[SEG_CS].selector, CODE1);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK1 - 20);
}

Test(arch_deliver, inner_stack_is_written_as_supervisor)
{
    user_only_hidden[(STACK0 - 4) / 4096] = true;
    enter_ring(3);
    cr_assert_eq(raise_from(ARCH_EXTERNAL, 0x20), ARCH_OK);
    cr_assert_eq(chain.count, 1);
}

Test(arch_deliver, inner_stack_from_a_16_bit_tss)
{
    cpu.tr = (struct segment){
        .base = SMALL_TSS, .limit = 0x2B, .selector = SMALL_SEL, .attr = 0x83};
    put16(SMALL_TSS + 2, 0x9000);
    put16(SMALL_TSS + 4, DATA0);
    enter_ring(3);
    raise_from(ARCH_EXTERNAL, 0x20);
    cr_assert_eq(cpu.gpr[GPR_ESP], 0x9000 - 20);
}

Test(arch_deliver, conforming_handler_keeps_the_level)
{
    put_gate(IDT + 0x20 * 8, CONFORMING0, HANDLER, GATE_INT32, 0);
    enter_ring(3);
    raise_from(ARCH_EXTERNAL, 0x20);
    cr_assert_eq(cpu.cpl, 3);
    cr_assert_eq(cpu.seg[SEG_CS].selector, CONFORMING0 | 3);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK3 - 12);
}

Test(arch_deliver, software_interrupt_returns_after_itself)
{
    raise_from(ARCH_SOFTWARE, 0x80);
    cr_assert_eq(get32(STACK0 - 12), CODE + 2);
}

Test(arch_deliver, software_interrupt_above_gate_dpl_is_gp)
{
    put_gate(IDT + 0x80 * 8, CODE0, HANDLER, GATE_INT32, 0);
    enter_ring(3);
    raise_from(ARCH_SOFTWARE, 0x80);
    expect_second(VEC_GP, 0x80 * 8 + 2);
}

Test(arch_deliver, failed_software_interrupt_returns_to_itself)
{
    put_gate(IDT + 0x80 * 8, CODE0, HANDLER, GATE_INT32, 0);
    enter_ring(3);
    raise_from(ARCH_SOFTWARE, 0x80);
    cr_assert_eq(get32(STACK0 - 20), CODE);
}

Test(arch_deliver, icebp_ignores_gate_dpl)
{
    put_gate(IDT + 8, CODE0, HANDLER, GATE_INT32, 0);
    enter_ring(3);
    raise_from(ARCH_ICEBP, VEC_DB);
    cr_assert_eq(chain.count, 1);
    cr_assert_eq(get32(STACK0 - 20), CODE + 2);
}

Test(arch_deliver, page_fault_writes_cr2)
{
    raise_error(VEC_PF, 2);
    cr_assert_eq(cpu.cr2, 0xDEAD);
}

Test(arch_deliver, nmi_blocks_further_nmis)
{
    raise_from(ARCH_NMI, VEC_NMI);
    cr_assert(cpu.nmi_blocked);
}

Test(arch_deliver, delivery_wakes_a_halted_processor)
{
    cpu.halted = true;
    raise_from(ARCH_EXTERNAL, 0x20);
    cr_assert(!cpu.halted);
}

Test(arch_deliver, delivery_ends_the_interrupt_shadow)
{
    cpu.interrupt_shadow = true;
    raise_exception(VEC_UD);
    cr_assert(!cpu.interrupt_shadow);
}

Test(arch_deliver, accessed_bit_of_the_handler_is_set)
{
    raise_from(ARCH_EXTERNAL, 0x20);
    cr_assert_eq(memory[gdt_at(CODE0) + 5], 0x9B);
}

Test(arch_deliver, accessed_bit_already_set_is_not_written)
{
    memory[gdt_at(CODE0) + 5] |= 1;
    memory[gdt_at(DATA0) + 5] |= 1;
    memcpy(memory + 0x30000, memory + GDT, 0x400);
    raise_from(ARCH_EXTERNAL, 0x20);
    cr_assert_arr_eq(memory + 0x30000, memory + GDT, 0x400);
}

/* Faults during delivery: what the second event is. */

Test(arch_deliver, vector_beyond_idt_is_gp_with_idt_bit)
{
    cpu.idtr.limit = 0x20 * 8 - 1;
    raise_from(ARCH_EXTERNAL, 0x20);
    expect_second(VEC_GP, 0x20 * 8 + 3);
}

Test(arch_deliver, software_vector_beyond_idt_has_no_ext)
{
    cpu.idtr.limit = 0x80 * 8 - 1;
    raise_from(ARCH_SOFTWARE, 0x80);
    expect_second(VEC_GP, 0x80 * 8 + 2);
}

Test(arch_deliver, absent_gate_is_np)
{
    put_gate(IDT + 0x20 * 8, CODE0, HANDLER, GATE_INT32 & ~0x80, 0);
    raise_from(ARCH_EXTERNAL, 0x20);
    expect_second(VEC_NP, 0x20 * 8 + 3);
}

Test(arch_deliver, segment_in_idt_is_gp)
{
    put_segment(IDT + 0x20 * 8, 0, 0xFFFFF, ATTR_CODE0);
    raise_from(ARCH_EXTERNAL, 0x20);
    expect_second(VEC_GP, 0x20 * 8 + 3);
}

Test(arch_deliver, null_handler_selector_is_gp_ext)
{
    put_gate(IDT + 0x20 * 8, 3, HANDLER, GATE_INT32, 0);
    raise_from(ARCH_EXTERNAL, 0x20);
    expect_second(VEC_GP, 1);
}

Test(arch_deliver, handler_in_data_segment_is_gp)
{
    put_gate(IDT + 0x20 * 8, DATA0, HANDLER, GATE_INT32, 0);
    raise_from(ARCH_EXTERNAL, 0x20);
    expect_second(VEC_GP, DATA0 + 1);
}

Test(arch_deliver, handler_beyond_gdt_is_gp)
{
    put_gate(IDT + 0x20 * 8, BEYOND_GDT, HANDLER, GATE_INT32, 0);
    raise_from(ARCH_EXTERNAL, 0x20);
    expect_second(VEC_GP, BEYOND_GDT + 1);
}

Test(arch_deliver, handler_in_missing_ldt_has_ti_bit)
{
    put_gate(IDT + 0x20 * 8, 0x0C, HANDLER, GATE_INT32, 0);
    raise_from(ARCH_EXTERNAL, 0x20);
    expect_second(VEC_GP, 0x0C + 1);
}

Test(arch_deliver, handler_in_ldt_works)
{
    cpu.ldtr = (struct segment){.base = LDT, .limit = 0xFF, .attr = 0x82};
    put_segment(LDT + 8, 0, 0xFFFFF, ATTR_CODE0);
    put_gate(IDT + 0x20 * 8, 0x0C, HANDLER, GATE_INT32, 0);
    raise_from(ARCH_EXTERNAL, 0x20);
    cr_assert_eq(cpu.seg[SEG_CS].selector, 0x0C);
}

Test(arch_deliver, outer_handler_is_gp)
{
    put_gate(IDT + 0x20 * 8, CODE3 & ~3, HANDLER, GATE_INT32, 0);
    raise_from(ARCH_EXTERNAL, 0x20);
    expect_second(VEC_GP, (CODE3 & ~3) + 1);
}

Test(arch_deliver, absent_handler_segment_is_np)
{
    put_gate(IDT + 0x20 * 8, ABSENT_CODE0, HANDLER, GATE_INT32, 0);
    raise_from(ARCH_EXTERNAL, 0x20);
    expect_second(VEC_NP, ABSENT_CODE0 + 1);
}

Test(arch_deliver, handler_beyond_its_segment_is_gp)
{
    put_gate(IDT + 0x20 * 8, SHORT_CODE0, 0x1000, GATE_INT32, 0);
    raise_from(ARCH_EXTERNAL, 0x20);
    expect_second(VEC_GP, 1);
}

/* From ring 3, each defect of the inner stack that the TSS names. The defect
 * stays, so the second event meets it again and the chain ends in a triple
 * fault; what counts is how the first was refused. */
static void inner_stack_defect(unsigned vector, uint32_t error)
{
    enter_ring(3);
    raise_from(ARCH_EXTERNAL, 0x20);
    expect_second(vector, error);
}

Test(arch_deliver, short_tss_is_ts_with_its_selector)
{
    cpu.tr.limit = 8;
    inner_stack_defect(VEC_TS, TSS_SEL + 1);
}

Test(arch_deliver, null_inner_stack_is_ts_ext)
{
    put16(TSS + 8, 0);
    inner_stack_defect(VEC_TS, 1);
}

Test(arch_deliver, inner_stack_beyond_gdt_is_ts)
{
    put16(TSS + 8, BEYOND_GDT);
    inner_stack_defect(VEC_TS, BEYOND_GDT + 1);
}

Test(arch_deliver, inner_stack_of_wrong_rpl_is_ts)
{
    put16(TSS + 8, DATA0 + 1);
    inner_stack_defect(VEC_TS, DATA0 + 1);
}

Test(arch_deliver, inner_stack_of_wrong_dpl_is_ts)
{
    put16(TSS + 8, DATA3 & ~3);
    inner_stack_defect(VEC_TS, (DATA3 & ~3) + 1);
}

Test(arch_deliver, read_only_inner_stack_is_ts)
{
    put16(TSS + 8, READ_ONLY0);
    inner_stack_defect(VEC_TS, READ_ONLY0 + 1);
}

Test(arch_deliver, absent_inner_stack_is_ss)
{
    put16(TSS + 8, ABSENT_DATA0);
    inner_stack_defect(VEC_SS, ABSENT_DATA0 + 1);
}

Test(arch_deliver, inner_stack_overflow_is_ss_with_selector)
{
    put_segment(gdt_at(DATA0), 0, 0x8FFF, 0x4092);
    put32(TSS + 4, 8);
    inner_stack_defect(VEC_SS, DATA0 + 1);
}

Test(arch_deliver, same_level_stack_overflow_is_ss_ext)
{
    cpu.seg[SEG_SS].limit = STACK0 - 9;
    raise_from(ARCH_EXTERNAL, 0x20);
    expect_second(VEC_SS, 1);
}

Test(arch_deliver, page_fault_on_idt_is_delivered)
{
    put_gate(IDT + 14 * 8, CODE0, HANDLER, GATE_INT32, 0);
    memcpy(memory + 0x40FF8 - 14 * 8, memory + IDT, 15 * 8);
    cpu.idtr.base = 0x40FF8 - 14 * 8;
    absent[0x41] = true;
    raise_from(ARCH_EXTERNAL, 0x20);
    expect_second(VEC_PF, 0);
    cr_assert_eq(cpu.cr2, 0x40FF8 - 14 * 8 + 0x20 * 8);
}

/* Classes: SDM 3A, table "Conditions for Generating a Double Fault". */

static void break_gate(unsigned vector)
{
    put32(IDT + vector * 8 + 4, 0);
}

Test(arch_deliver, benign_then_contributory_is_serial)
{
    break_gate(VEC_UD);
    raise_exception(VEC_UD);
    expect_second(VEC_GP, VEC_UD * 8 + 3);
    cr_assert_eq(cpu.eip, HANDLER + VEC_GP * 16);
}

Test(arch_deliver, contributory_twice_is_double_fault)
{
    break_gate(VEC_NP);
    raise_error(VEC_NP, 0);
    expect_second(VEC_DF, 0);
    cr_assert_eq(get32(cpu.gpr[GPR_ESP]), 0);
    cr_assert_eq(cpu.eip, HANDLER + VEC_DF * 16);
}

Test(arch_deliver, contributory_then_page_fault_is_serial)
{
    absent[0x50] = true;
    memory[gdt_at(CODE0) + 5] |= 1;
    put_segment(gdt_at(CODE1), 0, 0xFFFFF, ATTR_CODE0);
    cpu.ldtr = (struct segment){.base = 0x50000, .limit = 0xFF, .attr = 0x82};
    put_gate(IDT + VEC_GP * 8, 0x0C, HANDLER, GATE_INT32, 0);
    raise_error(VEC_GP, 0);
    expect_second(VEC_PF, 0);
}

Test(arch_deliver, page_fault_then_contributory_is_double_fault)
{
    break_gate(VEC_PF);
    raise_error(VEC_PF, 0);
    expect_second(VEC_DF, 0);
    cr_assert_eq(cpu.cr2, 0xDEAD);
}

Test(arch_deliver, page_fault_twice_is_double_fault)
{
    absent[0x50] = true;
    cpu.ldtr = (struct segment){.base = 0x50000, .limit = 0xFF, .attr = 0x82};
    put_gate(IDT + VEC_PF * 8, 0x0C, HANDLER, GATE_INT32, 0);
    raise_error(VEC_PF, 0);
    expect_second(VEC_DF, 0);
}

Test(arch_deliver, fault_in_double_fault_is_triple)
{
    break_gate(VEC_GP);
    break_gate(VEC_DF);
    cr_assert_eq(raise_error(VEC_GP, 0), ARCH_TRIPLE_FAULT);
    cr_assert_eq(chain.count, 2);
}

Test(arch_deliver, software_interrupt_13_is_benign)
{
    break_gate(VEC_GP);
    raise_from(ARCH_SOFTWARE, VEC_GP);
    expect_second(VEC_GP, VEC_GP * 8 + 2);
}

Test(arch_deliver, triple_fault_leaves_registers_alone)
{
    cpu.idtr.limit = 0;
    struct cpu_state before = cpu;
    cr_assert_eq(raise_exception(VEC_UD), ARCH_TRIPLE_FAULT);
    cr_assert_arr_eq((char *)&cpu, (char *)&before, sizeof cpu);
}

/* Virtual-8086 source. */

Test(arch_deliver, vm86_pushes_its_data_segments)
{
    enter_vm86(0);
    cpu.seg[SEG_GS].selector = 0x1001;
    cpu.seg[SEG_FS].selector = 0x1002;
    cpu.seg[SEG_DS].selector = 0x1003;
    cpu.seg[SEG_ES].selector = 0x1004;
    raise_from(ARCH_EXTERNAL, 0x20);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK0 - 36);
    for (unsigned i = 0; i < 4; i++)
        cr_assert_eq(get32(STACK0 - 4 - i * 4), 0x1001 + i);
    cr_assert(get32(STACK0 - 28) & EFL_VM);
}

Test(arch_deliver, vm86_data_segments_become_null)
{
    enter_vm86(0);
    raise_from(ARCH_EXTERNAL, 0x20);
    cr_assert_eq(cpu.seg[SEG_DS].attr, 0);
    cr_assert(!(cpu.eflags & EFL_VM));
    cr_assert_eq(cpu.cpl, 0);
}

Test(arch_deliver, vm86_int_n_below_iopl_3_is_gp_0)
{
    enter_vm86(2);
    raise_from(ARCH_SOFTWARE, 0x21);
    expect_second(VEC_GP, 0);
}

Test(arch_deliver, vm86_int_n_at_iopl_3_goes_through_the_gate)
{
    enter_vm86(3);
    raise_from(ARCH_SOFTWARE, 0x21);
    cr_assert_eq(chain.count, 1);
}

Test(arch_deliver, vm86_int3_needs_no_iopl)
{
    enter_vm86(0);
    raise_from(ARCH_INT3_INTO, VEC_BP);
    cr_assert_eq(chain.count, 1);
}

Test(arch_deliver, vm86_to_ring_1_is_gp)
{
    enter_vm86(0);
    put_gate(IDT + 0x20 * 8, CODE1 & ~3, HANDLER, GATE_INT32, 0);
    raise_from(ARCH_EXTERNAL, 0x20);
    expect_second(VEC_GP, (CODE1 & ~3) + 1);
}

Test(arch_deliver, vm86_to_conforming_is_gp)
{
    enter_vm86(0);
    put_gate(IDT + 0x20 * 8, CONFORMING0, HANDLER, GATE_INT32, 0);
    raise_from(ARCH_EXTERNAL, 0x20);
    expect_second(VEC_GP, CONFORMING0 + 1);
}

/* Real mode. */

Test(arch_deliver, real_mode_uses_the_vector_table)
{
    enter_real();
    put32(0x21 * 4, 0x20000345);
    raise_from(ARCH_SOFTWARE, 0x21);
    cr_assert_eq(cpu.seg[SEG_CS].base, 0x20000);
    cr_assert_eq(cpu.eip, 0x345);
    cr_assert_eq(cpu.gpr[GPR_ESP], 0x800 - 6);
    cr_assert_eq(get16(0x10800 - 4), 0x1000);
}

Test(arch_deliver, real_mode_pushes_no_error_code)
{
    enter_real();
    raise_error(VEC_GP, 0x18);
    cr_assert_eq(cpu.gpr[GPR_ESP], 0x800 - 6);
}

Test(arch_deliver, real_mode_stack_wraps_at_64k)
{
    enter_real();
    cpu.gpr[GPR_ESP] = 0x12340000;
    raise_from(ARCH_EXTERNAL, 0x21);
    cr_assert_eq(cpu.gpr[GPR_ESP], 0x1234FFFA);
}

Test(arch_deliver, real_mode_short_idt_ends_in_triple_fault)
{
    enter_real();
    cpu.idtr.limit = 3;
    cr_assert_eq(raise_from(ARCH_EXTERNAL, 0x21), ARCH_TRIPLE_FAULT);
}

/* Task gates. */

static void task_gate(unsigned vector, unsigned tss)
{
    put_gate(IDT + vector * 8, tss, 0, GATE_TASK | GATE_DPL3, 0);
}

Test(arch_deliver, task_gate_switches_and_nests)
{
    task_gate(VEC_DF, OTHER_SEL);
    raise_error(VEC_DF, 0);
    cr_assert_eq(cpu.tr.selector, OTHER_SEL);
    cr_assert(cpu.eflags & EFL_NT);
    cr_assert_eq(get16(OTHER_TSS), TSS_SEL);
    cr_assert_eq(cpu.eip, HANDLER);
}

Test(arch_deliver, task_gate_pushes_the_error_code_in_the_new_task)
{
    task_gate(VEC_GP, OTHER_SEL);
    raise_error(VEC_GP, 0x55);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK_OTHER - 4);
    cr_assert_eq(get32(STACK_OTHER - 4), 0x55);
}

Test(arch_deliver, task_gate_saves_where_the_old_task_was)
{
    task_gate(VEC_UD, OTHER_SEL);
    raise_exception(VEC_UD);
    cr_assert_eq(get32(TSS + 0x20), CODE);
    cr_assert(get32(TSS + 0x24) & EFL_RF);
}

Test(arch_deliver, task_gate_to_busy_task_is_gp)
{
    task_gate(0x20, TSS_SEL);
    raise_from(ARCH_EXTERNAL, 0x20);
    expect_second(VEC_GP, TSS_SEL + 1);
}

Test(arch_deliver, task_gate_to_absent_tss_is_np)
{
    task_gate(0x20, ABSENT_TSS);
    raise_from(ARCH_EXTERNAL, 0x20);
    expect_second(VEC_NP, ABSENT_TSS + 1);
}

Test(arch_deliver, fault_in_the_new_task_is_handled_there)
{
    task_gate(0x20, OTHER_SEL);
    put16(OTHER_TSS + 0x54, BEYOND_GDT);
    raise_from(ARCH_EXTERNAL, 0x20);
    expect_second(VEC_TS, BEYOND_GDT + 1);
    cr_assert_eq(cpu.tr.selector, OTHER_SEL);
    cr_assert_eq(get32(cpu.gpr[GPR_ESP] + 4), HANDLER);
}

Test(arch_deliver, trap_bit_of_the_new_task_raises_db)
{
    task_gate(0x20, OTHER_SEL);
    put16(OTHER_TSS + 0x64, 1);
    raise_from(ARCH_EXTERNAL, 0x20);
    expect_second(VEC_DB, 0);
    cr_assert(cpu.dr[6] & 0x8000);
}
