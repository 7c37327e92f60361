/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_machine_errata.c - what would end the CPU library's process
 * must reach the guest as an exception. */
#include "tests/cpu/test_machine_fixture.h"

#include <stdio.h>

TestSuite(machine_errata, .init = machine_fixture, .timeout = 60);

enum { PAGE_END = CODE + 0x1000, ELSEWHERE = CODE + 0x4000 };

static const uint8_t bad_locks[][5] = {
    {0xF0, 0x0F, 0xA3, 0xC0},    {0xF0, 0x0F, 0xAB, 0xD8},
    {0xF0, 0x0F, 0xB3, 0xFF},    {0xF0, 0x0F, 0xBB, 0xC8},
    {0xF0, 0x0F, 0xBA, 0xE0, 1}, {0xF0, 0x0F, 0xBA, 0xE8, 2},
    {0xF0, 0x0F, 0xBA, 0xF7, 3}, {0xF0, 0x0F, 0xBA, 0xF8, 4},
};
enum { BAD_LOCKS = sizeof bad_locks / sizeof *bad_locks };

static void expect_undefined(uint32_t eip)
{
    uint32_t frame = ran.gpr[GPR_ESP];

    cr_assert_eq(ran_vector, VEC_UD, "vector %d, EIP %x", ran_vector, ran.eip);
    cr_assert_eq(machine_read32(frame), eip, "%x", machine_read32(frame));
}

Test(machine_errata, lock_bit_test_on_a_register_is_undefined)
{
    for (unsigned i = 0; i < BAD_LOCKS; i++)
        for (unsigned ring = 0; ring <= 3; ring += 3) {
            machine_fixture();
            enter_ring(ring);
            CODE_AT(CODE, 0x40);
            put_code(CODE + 1, bad_locks[i], sizeof bad_locks[i]);
            run_both();
            expect_undefined(CODE + 1);
            cr_assert_eq(ran.gpr[GPR_EAX], 1);
            machine_destroy(machine);
        }
}

Test(machine_errata, behind_other_prefixes)
{
    CODE_AT(CODE, 0x66, 0xF0, 0x2E, 0x67, 0x0F, 0xAB, 0xC1);
    run_both();
    expect_undefined(CODE);
}

Test(machine_errata, at_the_end_of_a_page)
{
    for (unsigned first = 1; first < 4; first++)
        for (unsigned far = 0; far < 2; far++) {
            uint32_t next = far ? 0x70000u : (uint32_t)PAGE_END;

            machine_fixture();
            enable_paging();
            page_maps(PAGE_END, next);
            put_code(PAGE_END - first, bad_locks[1], first);
            put_code(next, bad_locks[1] + first, 4 - first);
            CODE_AT(PAGE_END - first - 1, 0x40);
            cpu.eip = PAGE_END - first - 1;
            run_both();
            expect_undefined(PAGE_END - first);
            machine_destroy(machine);
        }
}

Test(machine_errata, second_page_runs_first)
{
    CODE_AT(PAGE_END, 0xAB, 0xD8, 0x40, /* the form's end, when entered here */
            0x85, 0xC0, 0x78, 0x01, OP_HLT, 0xE9); /* test; js; hlt; jmp */
    put32(PAGE_END + 9, (uint32_t)(PAGE_END - 2) - (PAGE_END + 13));
    CODE_AT(PAGE_END - 2, 0xF0, 0x0F);
    cpu.eip = PAGE_END + 2;
    cpu.gpr[GPR_EAX] = 0x80000000;
    run_both();
    expect_undefined(PAGE_END - 2);
}

Test(machine_errata, stepped_page_is_entered_often_from_a_free_one)
{
    CODE_AT(CODE, 0xB9, 0x64, 0x00, 0x00, 0x00, /* mov $100,%ecx */
            0xE8, 0xF6, 0x3F, 0x00, 0x00,       /* call ELSEWHERE */
            0xE2, 0xF9,                         /* loop */
            0xE9, 0xF0, 0x3F, 0x00, 0x00);      /* jmp ELSEWHERE+1 */
    CODE_AT(ELSEWHERE, 0xC3);
    put_code(ELSEWHERE + 1, bad_locks[0], 4);
    run_both();
    expect_undefined(ELSEWHERE + 1);
}

Test(machine_errata, lookalikes_run_as_they_are)
{
    CODE_AT(CODE, 0xBE, 0x05, 0x00, 0x00, 0x00, /* mov $5,%esi */
            0xBF, 0x00, 0x00, 0x00, 0x00,       /* mov $0,%edi */
            0x89, 0xF0, 0x0F, 0xBB, 0xC7,       /* mov %esi,%eax; btc */
            0xBA, 0xF0, 0x0F, 0xA3, 0xC0,       /* mov $C0A30FF0,%edx */
            0xF0, 0x0F, 0xAB, 0x05,             /* lock bts %eax,[50000] */
            0x00, 0x00, 0x05, 0x00, OP_HLT);
    run_both();
    cr_assert_eq(ran_vector, NO_VECTOR);
    cr_assert_eq(ran.gpr[GPR_EDI], 1u << 5);
    cr_assert_eq(ran.gpr[GPR_EDX], 0xC0A30FF0);
    cr_assert_eq(machine_read32(0x50000), 1u << 5);
}

Test(machine_errata, form_that_code_writes_into_its_own_page)
{
    CODE_AT(CODE, 0xC7, 0x05, 0x0A, 0x00, 0x01, 0x00, /* movl, [+A] */
            0xF0, 0x0F, 0xA3, 0xC0, 0x90, 0x90, 0x90, 0x90, OP_HLT);
    run_both();
    expect_undefined(CODE + 10);
}

Test(machine_errata, breakpoints_in_dr7_do_not_run_in_the_engine)
{
    static const uint32_t values[] = {0x00000401, 0xFFFF07FF, 0x000D0402,
                                      0x33335555};

    for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
        machine_fixture();
        CODE_AT(CODE, 0xB8, 0x20, 0x00, 0x01, 0x00, /* mov CODE+20,%eax */
                0x0F, 0x23, 0xC0,                   /* mov %eax,%dr0 */
                0x0F, 0x23, 0xC8,                   /* mov %eax,%dr1 */
                0xBB);                              /* mov $,%ebx */
        put32(CODE + 12, values[i]);
        CODE_AT(CODE + 16, 0x0F, 0x23, 0xFB, /* mov %ebx,%dr7 */
                0x0F, 0x21, 0xF9,            /* mov %dr7,%ecx */
                0xEB, 0x08);                 /* jmp CODE+20 */
        CODE_AT(CODE + 0x20, 0x42, 0x90, OP_HLT);
        run_freely();
        cr_assert(ran_vector == NO_VECTOR || ran_vector == VEC_DB, "vector %d",
                  ran_vector);
        cr_assert_eq(ran.gpr[GPR_ECX] & 0xFF, values[i] & 0xFF);
        machine_destroy(machine);
    }
}

/* AF alone, in a block with what comes behind it. */
#define SET_AF 0xB8, 0x0F, 0x00, 0x00, 0x00, 0x83, 0xC0, 0x01

Test(machine_errata, a_fault_finds_the_flags_as_they_are)
{
    static const uint8_t code[][3] = {
        {0x0F, 0x9A, 0x05}, /* setp ELSEWHERE */
        {0xD1, 0x15},       /* rcll */
        {0xD0, 0x1D},       /* rcrb */
    };

    for (unsigned i = 0; i < sizeof code / sizeof *code; i++) {
        uint32_t frame;

        machine_fixture();
        enable_paging();
        put32(PAGE_TABLE + (ELSEWHERE >> 12) * 4, 0);
        CODE_AT(CODE, SET_AF);
        put_code(CODE + 8, code[i], sizeof code[i]);
        put32(CODE + 8 + (i ? 2 : 3), ELSEWHERE);
        run_both();
        frame = ran.gpr[GPR_ESP];
        cr_assert_eq(ran_vector, VEC_PF, "case %u", i);
        cr_expect_eq(machine_read32(frame + 4), CODE + 8);
        cr_expect_eq(machine_read32(frame + 12) & EFL_ARITH, EFL_AF,
                     "case %u: %x", i, machine_read32(frame + 12));
        machine_destroy(machine);
    }
}

Test(machine_errata, a_loop_that_runs_out_keeps_the_flags)
{
    for (uint8_t op = 0xE0; op <= 0xE1; op++) {
        machine_fixture();
        cpu.gpr[GPR_ECX] = 1;
        CODE_AT(CODE, SET_AF, op, 0xF6, OP_HLT);
        run_both();
        cr_expect_eq(ran.eip, CODE + 11);
        cr_expect_eq(ran.eflags & EFL_ARITH, EFL_AF, "%x", ran.eflags);
        machine_destroy(machine);
    }
}

Test(machine_errata, wild_bytes_do_not_stop_the_process)
{
    uint32_t seed = 12345;

    for (unsigned round = 0; round < 40; round++) {
        machine_fixture();
        memset(memory + STACK_OTHER, OP_HLT, MEMORY_BYTES - STACK_OTHER);
        for (unsigned i = 0; i < 0x2000; i++) {
            seed = seed * 1664525 + 1013904223;
            memory[CODE + i] = (uint8_t)(seed >> 24);
            if (i % 16 == 0 && (seed >> 20 & 3) == 0) {
                put_code(CODE + i - (i ? 3 : 0),
                         bad_locks[seed >> 17 & (BAD_LOCKS - 1)], 4);
                i++;
            }
        }
        enter_ring(round % 2 ? 3 : 0);
        machine_open();
        machine_set_deadline(machine, 3000);
        machine_run(machine);
        machine_destroy(machine);
    }
}
