/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_machine_code.c - code pages: what the machine does to run code
 * faithfully must not be seen by it. */
#include "tests/cpu/test_machine_fixture.h"

TestSuite(machine_code, .init = machine_fixture, .timeout = 60);

enum { OTHER_PAGE = CODE + 0x3000, PAGE_END = CODE + 0x1000 };

Test(machine_code, block_changes_its_next_instruction)
{
    CODE_AT(CODE, 0xC6, 0x05, 0x08, 0x00, 0x01, 0x00, 0x42, /* movb, [+8] */
            0xB0, 0x11,                                     /* mov $, %al */
            OP_HLT);
    run_both();
    cr_assert_eq(ran.gpr[GPR_EAX] & 0xFF, 0x42);
    cr_assert_eq(ran_vector, NO_VECTOR);
}

Test(machine_code, loop_changes_itself_each_round)
{
    CODE_AT(CODE, 0x31, 0xDB,                   /* xor %ebx,%ebx */
            0xB9, 0xE8, 0x03, 0x00, 0x00,       /* mov $1000,%ecx */
            0xFE, 0x05, 0x0E, 0x00, 0x01, 0x00, /* incb [CODE+0E] */
            0xB8, 0x00, 0x00, 0x00, 0x00,       /* mov $0,%eax */
            0x01, 0xC3,                         /* add %eax,%ebx */
            0xE2, 0xF1,                         /* loop incb */
            OP_HLT);
    run_both();
    /* 1..255 and 0 three times, then 1..232. */
    cr_assert_eq(ran.gpr[GPR_EBX], 3 * 255 * 128 + 232 * 233 / 2, "%u",
                 ran.gpr[GPR_EBX]);
}

Test(machine_code, page_that_left_itself_alone_runs_freely_again)
{
    CODE_AT(CODE, 0xB9, 0x20, 0x00, 0x00, 0x00,       /* mov $32,%ecx */
            0xFE, 0x05, 0x00, 0x08, 0x01, 0x00,       /* incb [CODE+800] */
            0xE2, 0xF8,                               /* loop */
            0xB9, 0x00, 0x00, 0x01, 0x00,             /* mov $65536,%ecx */
            0x43, 0xE2, 0xFD,                         /* inc %ebx; loop */
            0xC6, 0x05, 0x1D, 0x00, 0x01, 0x00, 0x42, /* movb, [+1D] */
            0xB0, 0x11,                               /* mov $, %al */
            OP_HLT);
    run_both();
    cr_assert_eq(ran.gpr[GPR_EBX], 65536);
    cr_assert_eq(ran.gpr[GPR_EAX] & 0xFF, 0x42);
    cr_assert_eq(machine_read32(CODE + 0x800), 0x20);
}

Test(machine_code, page_is_patched_again_and_again_from_another)
{
    CODE_AT(CODE, 0xB9, 0xC8, 0x00, 0x00, 0x00, /* mov $200,%ecx */
            0x88, 0x0D, 0x01, 0x30, 0x01, 0x00, /* mov %cl,[patch] */
            0xE8, 0xF0, 0x2F, 0x00, 0x00,       /* call OTHER_PAGE */
            0x01, 0xC3,                         /* add %eax,%ebx */
            0xE2, 0xF1,                         /* loop */
            OP_HLT);
    CODE_AT(OTHER_PAGE, 0xB8, 0, 0, 0, 0, 0xC3); /* mov $,%eax; ret */
    run_both();
    cr_assert_eq(ran.gpr[GPR_EBX], 200 * 201 / 2, "%u", ran.gpr[GPR_EBX]);
}

Test(machine_code, code_and_stack_share_a_page)
{
    CODE_AT(CODE, 0xBC, 0x00, 0x10, 0x01, 0x00, /* mov PAGE_END,%esp */
            0xB9, 0xF4, 0x01, 0x00, 0x00,       /* mov $500,%ecx */
            0x51, 0xE8, 0x04, 0x00, 0x00, 0x00, /* push; call +4 */
            0x59, 0xE2, 0xF7,                   /* pop; loop */
            OP_HLT, 0x43, 0xC3);                /* inc %ebx; ret */
    run_both();
    cr_assert_eq(ran.gpr[GPR_EBX], 500);
    cr_assert_eq(ran.gpr[GPR_ESP], PAGE_END);
}

Test(machine_code, code_reads_itself_unchanged)
{
    CODE_AT(CODE, 0x0F, 0x31, 0xF3, 0x90,       /* rdtsc; pause */
            0xB9, 0x03, 0x00, 0x00, 0x00,       /* mov $3,%ecx */
            0x8B, 0x1D, 0x00, 0x00, 0x01, 0x00, /* mov [CODE],%ebx */
            0xE2, 0xF8, OP_HLT);                /* loop */
    run_both();
    cr_assert_eq(ran.gpr[GPR_EBX], 0x90F3310F, "%x", ran.gpr[GPR_EBX]);
}

Test(machine_code, instruction_lies_in_two_pages_far_apart)
{
    enable_paging();
    page_maps(PAGE_END, 0x70000);
    for (unsigned part = 1; part < 5; part++) {
        static const uint8_t bytes[] = {0xB8, 1, 2, 3, 4, OP_HLT};

        put_code(PAGE_END - part, bytes, part);
        put_code(0x70000, bytes + part, sizeof bytes - part);
        cpu.eip = PAGE_END - part;
        cpu.gpr[GPR_EAX] = 0;
        run_both();
        cr_assert_eq(ran.gpr[GPR_EAX], 0x04030201, "%u: %x", part,
                     ran.gpr[GPR_EAX]);
    }
}

Test(machine_code, second_page_of_an_instruction_changes)
{
    CODE_AT(CODE, 0xB9, 0x64, 0x00, 0x00, 0x00, /* mov $100,%ecx */
            0x88, 0x0D, 0x00, 0x30, 0x01, 0x00, /* mov %cl,[immediate] */
            0xE8, 0xEC, 0x2F, 0x00, 0x00,       /* call OTHER_PAGE-4 */
            0x01, 0xC3, 0xE2, 0xF1, OP_HLT);    /* add; loop */
    CODE_AT(OTHER_PAGE - 4, 0x90, 0x90, 0x90, 0xB8, 0, 0, 0, 0, 0xC3);
    run_both();
    cr_assert_eq(ran.gpr[GPR_EBX], 100 * 101 / 2, "%u", ran.gpr[GPR_EBX]);
}

Test(machine_code, block_spans_pages)
{
    memset(memory + CODE, 0x40, 3 * 4096); /* inc %eax */
    memory[CODE + 3 * 4096] = OP_HLT;
    run_both();
    cr_assert_eq(ran.gpr[GPR_EAX], 3 * 4096);
    cr_assert_eq(ran_cycles, 3 * 4096 + 1, "%llu",
                 (unsigned long long)ran_cycles);
}

Test(machine_code, fault_in_a_long_block_counts_what_retired)
{
    memset(memory + CODE, 0x40, 600); /* inc %eax */
    CODE_AT(CODE + 300, 0xF7, 0xF1);  /* div %ecx: #DE */
    run_both();
    cr_assert_eq(ran_vector, VEC_DE);
    cr_assert_eq(ran.gpr[GPR_EAX], 300);
    cr_assert_eq(ran_cycles, 301, "%llu", (unsigned long long)ran_cycles);
    cr_assert_eq(machine_read32(STACK0 - 12), CODE + 300);
}

Test(machine_code, intercept_inside_an_executed_instruction)
{
    CODE_AT(CODE, 0xB8, 0x0F, 0x31, 0x90, 0x90, /* mov $,%eax */
            0x89, 0xC3, 0x85, 0xED, 0x75, 0x03, /* copy; test %ebp; jnz */
            0x45, 0xEB, 0xF4,                   /* inc; jmp CODE+2-1 */
            0xB8, 0x0F, 0x31, 0x90, 0x90, OP_HLT);
    run_both();
    cr_assert_eq(ran.gpr[GPR_EBP], 1);
    cr_assert_eq(ran.gpr[GPR_EAX], 0x9090310F, "%x", ran.gpr[GPR_EAX]);
}

Test(machine_code, instruction_around_an_executed_intercept)
{
    CODE_AT(CODE, 0xEB, 0x01, 0xB8, 0x0F, 0x31, 0x90, /* jmp +1; mov .. rdtsc */
            0x90, 0x45, 0x83, 0xFD, 0x02, 0x72, 0xF5, /* inc; cmp 2; jb mov */
            OP_HLT);
    run_both();
    cr_assert_eq(ran.gpr[GPR_EBP], 2);
    cr_assert_eq(ran.gpr[GPR_EAX], 0x9090310F, "%x", ran.gpr[GPR_EAX]);
}

Test(machine_code, pause_inside_another_instruction)
{
    CODE_AT(CODE, 0xEB, 0x01, 0xB8, 0xF3, 0x90, 0x90, /* jmp +1; mov .. pause */
            0x90, 0x45, 0x83, 0xFD, 0x02, 0x72, 0xF5, /* inc; cmp 2; jb mov */
            OP_HLT);
    run_both();
    cr_assert_eq(ran.gpr[GPR_EAX], 0x909090F3, "%x", ran.gpr[GPR_EAX]);
}

Test(machine_code, intercept_is_replaced_by_other_code)
{
    CODE_AT(CODE, 0xE8, 0xFB, 0x2F, 0x00, 0x00,    /* call OTHER_PAGE */
            0xC7, 0x05, 0x00, 0x30, 0x01, 0x00,    /* movl, [OTHER_PAGE] */
            0x31, 0xC0, 0x90, 0xC3,                /* xor %eax,%eax; ret */
            0xB8, 0x07, 0x00, 0x00, 0x00,          /* mov $7,%eax */
            0xE8, 0xE7, 0x2F, 0x00, 0x00, OP_HLT); /* call OTHER_PAGE */
    CODE_AT(OTHER_PAGE, 0x0F, 0x31, 0xC3);         /* rdtsc; ret */
    run_both();
    cr_assert_eq(ran.gpr[GPR_EAX], 0);
    cr_assert_eq(ran_vector, NO_VECTOR);
}

Test(machine_code, one_frame_runs_at_two_addresses)
{
    enable_paging();
    page_maps(OTHER_PAGE, CODE + 0x1000);
    page_maps(OTHER_PAGE + 0x1000, CODE + 0x1000);
    CODE_AT(CODE, 0xB9, 0x64, 0x00, 0x00, 0x00, /* mov $100,%ecx */
            0x88, 0x0D, 0x01, 0x10, 0x01, 0x00, /* mov %cl,[frame+1] */
            0xE8, 0xF0, 0x2F, 0x00, 0x00,       /* call first */
            0x01, 0xC3,                         /* add %eax,%ebx */
            0xE8, 0xE9, 0x3F, 0x00, 0x00,       /* call second */
            0x01, 0xC3, 0xE2, 0xEA, OP_HLT);
    CODE_AT(CODE + 0x1000, 0xB8, 0, 0, 0, 0, 0xC3);
    run_both();
    cr_assert_eq(ran.gpr[GPR_EBX], 100 * 101, "%u", ran.gpr[GPR_EBX]);
}

Test(machine_code, rep_counts_its_iterations)
{
    CODE_AT(CODE, 0xB9, 0x00, 0x10, 0x00, 0x00, /* mov $4096,%ecx */
            0xBF, 0x00, 0x00, 0x05, 0x00,       /* mov $50000,%edi */
            0xF3, 0xAA, OP_HLT);                /* rep stosb */
    run_both();
    cr_assert_eq(ran.gpr[GPR_EDI], 0x51000);
}
