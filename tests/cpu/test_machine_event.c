/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_machine_event.c - events through the IDT on the machine: where
 * they report the instruction, and that nothing kept from the last one is out
 * of date. */
#include "tests/cpu/test_machine_fixture.h"

TestSuite(machine_event, .init = machine_fixture, .timeout = 60);

enum { CLOSED = 0x30, SPARE = 0x50000, OWN_HANDLER = 0x21000 };

/* At ring 3, INT 30 is #GP: its frame has the error code first. */
static void expect_refused_at(uint32_t eip)
{
    enter_ring(3);
    put_gate(IDT + CLOSED * 8, CODE0, HANDLER + CLOSED * 16, GATE_INT32, 0);
    run_both();
    cr_assert_eq(ran_vector, VEC_GP);
    cr_assert_eq(machine_read32(ran.gpr[GPR_ESP]), CLOSED * 8 + 2);
    cr_assert_eq(machine_read32(ran.gpr[GPR_ESP] + 4), eip, "%x",
                 machine_read32(ran.gpr[GPR_ESP] + 4));
}

Test(machine_event, int_begins_at_its_prefix)
{
    CODE_AT(CODE, 0x40, 0x66, 0x2E, 0xCD, CLOSED);
    expect_refused_at(CODE + 1);
}

Test(machine_event, what_looks_like_a_prefix_may_be_an_operand)
{
    CODE_AT(CODE, 0xB0, 0x66, 0xCD, CLOSED); /* mov $0x66, %al */
    expect_refused_at(CODE + 2);
}

/* The vector of INT CC is the opcode of INT3. */
Test(machine_event, int_n_is_no_int3)
{
    enter_ring(3);
    put_gate(IDT + 0xCC * 8, CODE0, HANDLER, GATE_INT32, 0);
    CODE_AT(CODE, 0xCD, 0xCC);
    run_both();
    cr_assert_eq(ran_vector, VEC_GP);
    cr_assert_eq(machine_read32(ran.gpr[GPR_ESP] + 4), CODE);
}

Test(machine_event, delivery_walks_by_the_tables_as_they_are)
{
    enable_paging();
    memory[HANDLER + 0x31 * 16] = 0xCF; /* iret */
    CODE_AT(CODE, 0xCD, 0x31, 0xC7, 0x05);
    put32(CODE + 4, PAGE_TABLE + (STACK0 - 4) / 4096 * 4);
    put32(CODE + 8, SPARE | PTE_P | PTE_W | PTE_A | PTE_D);
    CODE_AT(CODE + 12, 0xCD, CLOSED);
    run_both();
    cr_assert_eq(ran_vector, CLOSED);
    cr_assert_eq(machine_read32(SPARE + (STACK0 - 12) % 4096), CODE + 14);
}

/* The handler makes one instruction of the two before the fault. */
Test(machine_event, fault_is_counted_by_the_code_as_it_is)
{
    static const uint8_t handler[] = {
        0x43,                  /* inc %ebx */
        0x83,   0xFB, 2,       /* cmp $2, %ebx */
        0x74,   17,            /* je the end */
        0x66,   0xC7, 0x05,    /* movw, to CODE: xor %eax, %eax */
        0,      0,    1,    0, /* */
        0x31,   0xC0,          /* */
        0xC7,   0x04, 0x24,    /* movl $CODE, (%esp) */
        0,      0,    1,    0, /* */
        0xCF,                  /* iret */
        OP_HLT,
    };

    cpu.gpr[GPR_EBX] = cpu.gpr[GPR_ECX] = 0;
    CODE_AT(CODE, 0x40, 0x40, 0xF7, 0xF1); /* inc, inc, div %ecx */
    put_code(OWN_HANDLER, handler, sizeof handler);
    put_gate(IDT, CODE0, OWN_HANDLER, GATE_INT32, 0);
    run_both();
    cr_assert_eq(ran.gpr[GPR_EBX], 2);
    /* 2, the handler's 6, 1, and its last 4 */
    cr_assert_eq(ran_cycles, 13, "%llu", (unsigned long long)ran_cycles);
}

/* ---- tasks ------------------------------------------------------------- */

/* A task whose data segment is none: its own #TS, as it begins. */
static void expect_new_task_faults(void)
{
    put32(OTHER_TSS + 0x20, SPARE);
    put16(OTHER_TSS + 0x54, BEYOND_GDT);
    run_both();
    cr_assert_eq(ran_vector, VEC_TS);
    cr_expect_eq(ran.tr.selector, OTHER_SEL);
    cr_expect_eq(ran.tr.base, OTHER_TSS);
    cr_expect_eq(machine_read32(ran.gpr[GPR_ESP]), BEYOND_GDT);
    cr_expect_eq(machine_read32(ran.gpr[GPR_ESP] + 4), SPARE, "EIP %x",
                 machine_read32(ran.gpr[GPR_ESP] + 4));
}

Test(machine_event, a_task_jumped_to_faults_at_its_own_eip)
{
    CODE_AT(CODE, 0xEA, 0, 0, 0, 0, OTHER_SEL, 0);
    expect_new_task_faults();
}

Test(machine_event, a_task_returned_to_faults_at_its_own_eip)
{
    CODE_AT(CODE, 0x68, 2, 0x40, 0, 0, 0x9D, 0xCF); /* push $NT, popf, iret */
    put16(TSS, OTHER_SEL);
    memory[gdt_at(OTHER_SEL) + 5] |= 2; /* busy */
    expect_new_task_faults();
}

Test(machine_event, a_task_returned_to_goes_on)
{
    CODE_AT(CODE, 0x68, 2, 0x40, 0, 0, 0x9D, 0xCF);
    put16(TSS, OTHER_SEL);
    memory[gdt_at(OTHER_SEL) + 5] |= 2;
    CODE_AT(SPARE, 0x40, OP_HLT);
    put32(OTHER_TSS + 0x20, SPARE);
    run_both();
    cr_assert_eq(ran.eip, SPARE + 2);
    cr_expect_eq(ran.gpr[GPR_EAX], 0x11111112);
    cr_expect_eq(ran.tr.base, OTHER_TSS);
    cr_expect_eq(ran_cycles, 5, "%llu", (unsigned long long)ran_cycles);
}

/* The engine does not know where the task register's segment is. */
Test(machine_event, a_call_gate_finds_the_inner_stack)
{
    enter_ring(3);
    CODE_AT(CODE, 0x9A, 0, 0, 0, 0, GATE32 | 3, 0);
    run_both();
    cr_assert_eq(ran.eip, HANDLER + 1);
    cr_expect_eq(ran.cpl, 0);
    cr_expect_eq(ran.gpr[GPR_ESP], STACK0 - 24);
}
