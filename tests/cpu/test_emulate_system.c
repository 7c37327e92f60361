/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_emulate_system.c - privileged and sensitive instructions. */
#include "test_emulate_fixture.h"

TestSuite(emulate_system, .init = emu_fixture);

Test(emulate_system, eip_advances_by_the_length)
{
    EXPECT_DONE(0x66, 0x0F, 0x20, 0xC0); /* mov eax, cr0 */
    cr_assert_eq(cpu.eip, CODE + 4);
}

Test(emulate_system, unknown_instruction_is_unhandled)
{
    cr_assert_eq(RUN(0x0F, 0xAF, 0xC1), EMU_UNHANDLED); /* imul eax, ecx */
    cr_assert_eq(cpu.eip, CODE);
}

/* ---- CLI, STI, flags ---- */

Test(emulate_system, cli_clears_if)
{
    EXPECT_DONE(0xFA);
    cr_assert(!(cpu.eflags & EFL_IF));
}

Test(emulate_system, cli_above_iopl_is_gp)
{
    enter_ring(3);
    EXPECT_RAISE(VEC_GP, 0, 0xFA);
}

Test(emulate_system, cli_at_iopl_works_in_user_mode)
{
    enter_ring(3);
    cpu.eflags |= EFL_IOPL;
    EXPECT_DONE(0xFA);
}

Test(emulate_system, cli_in_vm86_below_iopl_3_is_gp)
{
    enter_vm86(2);
    EXPECT_RAISE(VEC_GP, 0, 0xFA);
}

Test(emulate_system, sti_delays_interrupts_by_one_instruction)
{
    cpu.eflags &= ~EFL_IF;
    EXPECT_DONE(0xFB);
    cr_assert(cpu.interrupt_shadow);
}

Test(emulate_system, sti_with_if_set_has_no_shadow)
{
    EXPECT_DONE(0xFB);
    cr_assert(!cpu.interrupt_shadow);
}

Test(emulate_system, shadow_ends_with_the_next_instruction)
{
    cpu.interrupt_shadow = true;
    EXPECT_DONE(0x90);
    cr_assert(!cpu.interrupt_shadow);
}

Test(emulate_system, pushf_shows_the_virtual_if)
{
    EXPECT_DONE(0x9C);
    cr_assert_eq(get32(STACK0 - 4), EFL_FIXED | EFL_IF);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK0 - 4);
}

Test(emulate_system, pushf_hides_rf_and_vm)
{
    enter_vm86(3);
    cpu.eflags |= EFL_RF;
    EXPECT_DONE(0x66, 0x9C);
    cr_assert_eq(get32(0x10800 - 4), EFL_FIXED | EFL_IF | EFL_IOPL);
}

Test(emulate_system, pushf_in_vm86_below_iopl_3_is_gp)
{
    enter_vm86(0);
    EXPECT_RAISE(VEC_GP, 0, 0x9C);
}

Test(emulate_system, popf_sets_flags_and_moves_esp)
{
    put32(STACK0, EFL_CF);
    EXPECT_DONE(0x9D);
    cr_assert_eq(cpu.eflags, EFL_FIXED | EFL_CF);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK0 + 4);
}

Test(emulate_system, popf_in_user_mode_loses_if_silently)
{
    enter_ring(3);
    EXPECT_DONE(0x9D);
    cr_assert(cpu.eflags & EFL_IF);
}

Test(emulate_system, iret_goes_where_the_frame_says)
{
    cpu.gpr[GPR_ESP] = STACK0 - 12;
    put32(STACK0 - 12, 0x1234);
    put32(STACK0 - 8, CODE0);
    put32(STACK0 - 4, EFL_FIXED | EFL_RF);
    EXPECT_DONE(0xCF);
    cr_assert_eq(cpu.eip, 0x1234);
    cr_assert(cpu.eflags & EFL_RF);
}

Test(emulate_system, rf_is_cleared_by_other_instructions)
{
    cpu.eflags |= EFL_RF;
    EXPECT_DONE(0xFA);
    cr_assert(!(cpu.eflags & EFL_RF));
}

Test(emulate_system, tf_asks_for_a_single_step_trap)
{
    cpu.eflags |= EFL_TF;
    EXPECT_DONE(0xFA);
    cr_assert(emu.single_step);
}

Test(emulate_system, popf_that_sets_tf_is_not_yet_stepped)
{
    put32(STACK0, EFL_TF);
    EXPECT_DONE(0x9D);
    cr_assert(!emu.single_step);
}

Test(emulate_system, mov_ss_holds_the_single_step_trap)
{
    cpu.eflags |= EFL_TF;
    cpu.gpr[GPR_EAX] = DATA0;
    EXPECT_DONE(0x8E, 0xD0); /* mov ss, ax */
    cr_assert(!emu.single_step);
    cr_assert(cpu.interrupt_shadow);
}

/* ---- Privileged at CPL 3: one row each ---- */

Test(emulate_system, privileged_instructions_are_gp_at_ring_3)
{
    static const uint8_t rows[][3] = {
        {0xF4},             /* hlt */
        {0x0F, 0x01, 0x10}, /* lgdt [eax] */
        {0x0F, 0x01, 0x18}, /* lidt [eax] */
        {0x0F, 0x00, 0xD0}, /* lldt ax */
        {0x0F, 0x00, 0xD8}, /* ltr ax */
        {0x0F, 0x01, 0xF0}, /* lmsw ax */
        {0x0F, 0x06},       /* clts */
        {0x0F, 0x22, 0xC0}, /* mov cr0, eax */
        {0x0F, 0x20, 0xC0}, /* mov eax, cr0 */
        {0x0F, 0x23, 0xC0}, /* mov dr0, eax */
        {0x0F, 0x21, 0xC0}, /* mov eax, dr0 */
        {0x0F, 0x01, 0x38}, /* invlpg [eax] */
        {0x0F, 0x08},       /* invd */
        {0x0F, 0x09},       /* wbinvd */
        {0x0F, 0x32},       /* rdmsr */
        {0x0F, 0x30},       /* wrmsr */
        {0x0F, 0x35},       /* sysexit */
    };
    enter_ring(3);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cpu_state before = cpu;
        struct insn in;
        cr_assert(decode(rows[i], 3, true, &in));
        cr_log_info("%s", insn_name(in.id));
        expect_raise(emulate(&emu, &in), VEC_GP, 0, &before);
    }
}

Test(emulate_system, descriptor_instructions_are_ud_in_vm86)
{
    static const uint8_t rows[][3] = {
        {0x0F, 0x00, 0xD0}, {0x0F, 0x00, 0xD8}, {0x0F, 0x00, 0xC0},
        {0x0F, 0x00, 0xC8}, {0x0F, 0x02, 0xC0}, {0x0F, 0x03, 0xC0},
        {0x0F, 0x00, 0xE0}, {0x0F, 0x00, 0xE8}, {0x63, 0xC0},
    };
    enter_vm86(3);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cpu_state before = cpu;
        struct insn in;
        cr_assert(decode(rows[i], 3, false, &in));
        expect_raise(emulate(&emu, &in), VEC_UD, NO_CODE, &before);
    }
}

Test(emulate_system, hlt_halts_and_says_so)
{
    EXPECT_DONE(0xF4);
    cr_assert(cpu.halted);
    cr_assert(news_halt);
}

/* ---- Control registers ---- */

Test(emulate_system, mov_to_cr3_is_reported_even_if_equal)
{
    EXPECT_DONE(0x0F, 0x22, 0xD8);
    cr_assert_eq(news_cr, 3);
    cr_assert_eq(news_crs, 1);
}

Test(emulate_system, mov_to_cr0_reports_old_and_new)
{
    cpu.gpr[GPR_EAX] = CR0_PE | CR0_PG;
    EXPECT_DONE(0x0F, 0x22, 0xC0);
    cr_assert_eq(news_old, CR0_PE | CR0_ET);
    cr_assert_eq(news_new, CR0_PE | CR0_PG | CR0_ET);
}

Test(emulate_system, refused_cr4_is_gp_and_not_reported)
{
    cpu.gpr[GPR_EAX] = CR4_UMIP;
    EXPECT_RAISE(VEC_GP, 0, 0x0F, 0x22, 0xE0);
    cr_assert_eq(news_crs, 0);
}

Test(emulate_system, cr2_is_readable_and_writable)
{
    cpu.gpr[GPR_EBX] = 0xABCD;
    EXPECT_DONE(0x0F, 0x22, 0xD3); /* mov cr2, ebx */
    EXPECT_DONE(0x0F, 0x20, 0xD1); /* mov ecx, cr2 */
    cr_assert_eq(cpu.gpr[GPR_ECX], 0xABCD);
}

Test(emulate_system, lmsw_cannot_clear_pe)
{
    cpu.gpr[GPR_EAX] = CR0_TS;
    EXPECT_DONE(0x0F, 0x01, 0xF0);
    cr_assert_eq(cpu.cr0, CR0_PE | CR0_ET | CR0_TS);
}

Test(emulate_system, smsw_to_register_gives_all_of_cr0)
{
    cpu.cr0 |= CR0_PG;
    EXPECT_DONE(0x0F, 0x01, 0xE0);
    cr_assert_eq(cpu.gpr[GPR_EAX], CR0_PG | CR0_PE | CR0_ET);
}

Test(emulate_system, clts_clears_ts)
{
    cpu.cr0 |= CR0_TS;
    EXPECT_DONE(0x0F, 0x06);
    cr_assert_eq(cpu.cr0, CR0_PE | CR0_ET);
}

Test(emulate_system, invlpg_gives_the_linear_address)
{
    cpu.seg[SEG_DS].base = 0x1000;
    cpu.gpr[GPR_EAX] = 0x5000;
    EXPECT_DONE(0x0F, 0x01, 0x38);
    cr_assert_eq(news_invlpg, 0x6000);
}

/* ---- Debug registers ---- */

Test(emulate_system, dr6_keeps_its_fixed_bits)
{
    EXPECT_DONE(0x0F, 0x23, 0xF0); /* mov dr6, eax (0) */
    cr_assert_eq(cpu.dr[6], 0xFFFF0FF0);
}

Test(emulate_system, dr5_is_dr7_without_de)
{
    cpu.gpr[GPR_EAX] = 1;
    EXPECT_DONE(0x0F, 0x23, 0xE8);
    cr_assert_eq(cpu.dr[7], 0x401);
}

Test(emulate_system, dr5_with_de_is_ud)
{
    cpu.cr4 |= CR4_DE;
    EXPECT_RAISE(VEC_UD, NO_CODE, 0x0F, 0x23, 0xE8);
}

Test(emulate_system, general_detect_raises_db)
{
    cpu.dr[7] |= 0x2000;
    cr_assert_eq(RUN(0x0F, 0x21, 0xC0), EMU_FAULT);
    cr_assert_eq(emu.event.vector, VEC_DB);
    cr_assert(cpu.dr[6] & 0x2000);
    cr_assert_eq(cpu.eip, CODE);
}

/* ---- Tables ---- */

Test(emulate_system, lgdt_loads_and_reports)
{
    put16(0x7000, 0x1FF);
    put32(0x7002, 0x12345678);
    cpu.gpr[GPR_EAX] = 0x7000;
    EXPECT_DONE(0x0F, 0x01, 0x10);
    cr_assert_eq(cpu.gdtr.base, 0x12345678);
    cr_assert_eq(cpu.gdtr.limit, 0x1FF);
    cr_assert(news_tables);
}

Test(emulate_system, sixteen_bit_lidt_has_a_24_bit_base)
{
    put16(0x7000, 0x1FF);
    put32(0x7002, 0x12345678);
    cpu.gpr[GPR_EAX] = 0x7000;
    EXPECT_DONE(0x66, 0x0F, 0x01, 0x18);
    cr_assert_eq(cpu.idtr.base, 0x345678);
}

Test(emulate_system, lgdt_from_absent_page_is_pf)
{
    absent[7] = true;
    cpu.gpr[GPR_EAX] = 0x7000;
    EXPECT_RAISE(VEC_PF, 0, 0x0F, 0x01, 0x10);
}

Test(emulate_system, sgdt_shows_the_virtual_table_in_user_mode)
{
    enter_ring(3);
    cpu.gpr[GPR_EAX] = 0x7000;
    EXPECT_DONE(0x0F, 0x01, 0x00);
    cr_assert_eq(get32(0x7002), GDT);
}

Test(emulate_system, sidt_across_an_absent_page_is_pf)
{
    absent[8] = true;
    cpu.gpr[GPR_EAX] = 0x7FFC;
    EXPECT_RAISE(VEC_PF, PF_WRITE, 0x0F, 0x01, 0x08);
    cr_assert_eq(emu.event.cr2, 0x8000);
}

Test(emulate_system, ltr_and_str)
{
    cpu.gpr[GPR_EAX] = OTHER_SEL;
    EXPECT_DONE(0x0F, 0x00, 0xD8);
    EXPECT_DONE(0x0F, 0x00, 0xC9); /* str ecx */
    cr_assert_eq(cpu.gpr[GPR_ECX], OTHER_SEL);
}

Test(emulate_system, lldt_and_sldt)
{
    cpu.gpr[GPR_EAX] = LDT_SEL;
    EXPECT_DONE(0x0F, 0x00, 0xD0);
    EXPECT_DONE(0x0F, 0x00, 0xC1); /* sldt ecx */
    cr_assert_eq(cpu.gpr[GPR_ECX], LDT_SEL);
}

/* ---- Segments ---- */

Test(emulate_system, mov_from_cs_shows_the_virtual_rpl)
{
    cpu.gpr[GPR_EAX] = 0xFFFFFFFF;
    EXPECT_DONE(0x8C, 0xC8);
    cr_assert_eq(cpu.gpr[GPR_EAX], CODE0);
}

Test(emulate_system, push_ss_and_pop_ds)
{
    EXPECT_DONE(0x16);
    EXPECT_DONE(0x1F);
    cr_assert_eq(cpu.seg[SEG_DS].selector, DATA0);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK0);
}

Test(emulate_system, refused_pop_leaves_esp)
{
    put32(STACK0, BEYOND_GDT);
    EXPECT_RAISE(VEC_GP, BEYOND_GDT, 0x1F);
}

Test(emulate_system, lss_loads_both_halves)
{
    put32(0x7000, 0x8888);
    put16(0x7004, DATA0);
    cpu.gpr[GPR_EAX] = 0x7000;
    EXPECT_DONE(0x0F, 0xB2, 0x20); /* lss esp, [eax] */
    cr_assert_eq(cpu.gpr[GPR_ESP], 0x8888);
}

Test(emulate_system, lds_in_16_bit_code)
{
    enter_real();
    put32(0x10010, 0x20001234);
    EXPECT_DONE(0xC5, 0x36, 0x10, 0x00); /* lds si, [0x10] */
    cr_assert_eq(cpu.gpr[GPR_ESI], 0x1234);
    cr_assert_eq(cpu.seg[SEG_DS].base, 0x20000);
}

Test(emulate_system, lar_sets_zf_and_rights)
{
    cpu.gpr[GPR_EBX] = DATA0;
    EXPECT_DONE(0x0F, 0x02, 0xC3);
    cr_assert_eq(cpu.gpr[GPR_EAX], 0x00C09300 & ~0x100u);
    cr_assert(cpu.eflags & EFL_ZF);
}

Test(emulate_system, lsl_of_nothing_keeps_the_register)
{
    cpu.gpr[GPR_EAX] = 0x55;
    cpu.eflags |= EFL_ZF;
    EXPECT_DONE(0x0F, 0x03, 0xC3);
    cr_assert_eq(cpu.gpr[GPR_EAX], 0x55);
    cr_assert(!(cpu.eflags & EFL_ZF));
}

Test(emulate_system, verw_of_read_only_clears_zf)
{
    cpu.gpr[GPR_EAX] = READ_ONLY0;
    cpu.eflags |= EFL_ZF;
    EXPECT_DONE(0x0F, 0x00, 0xE8);
    cr_assert(!(cpu.eflags & EFL_ZF));
}

Test(emulate_system, arpl_raises_the_rpl)
{
    cpu.gpr[GPR_EAX] = 0x10;
    cpu.gpr[GPR_ECX] = 3;
    EXPECT_DONE(0x63, 0xC8); /* arpl ax, cx */
    cr_assert_eq(cpu.gpr[GPR_EAX], 0x13);
}

/* ---- Transfers ---- */

Test(emulate_system, far_jump_in_the_instruction)
{
    EXPECT_DONE(0xEA, 0x78, 0x56, 0x34, 0x12, 0x08, 0x00);
    cr_assert_eq(cpu.eip, 0x12345678);
}

Test(emulate_system, far_call_through_memory)
{
    put32(0x7000, 0x4444);
    put16(0x7004, CODE0);
    cpu.gpr[GPR_EAX] = 0x7000;
    EXPECT_DONE(0xFF, 0x18);
    cr_assert_eq(cpu.eip, 0x4444);
    cr_assert_eq(get32(STACK0 - 8), CODE + 2);
}

Test(emulate_system, retf_releases_parameters)
{
    put32(STACK0, 0x4444);
    put32(STACK0 + 4, CODE0);
    EXPECT_DONE(0xCA, 0x08, 0x00);
    cr_assert_eq(cpu.gpr[GPR_ESP], STACK0 + 16);
}

Test(emulate_system, task_jump_reports_tables)
{
    EXPECT_DONE(0xEA, 0, 0, 0, 0, OTHER_SEL, 0x00);
    cr_assert(news_tables);
    cr_assert_eq(news_cr, 0); /* TS */
}

Test(emulate_system, fault_in_a_new_task_keeps_the_new_task)
{
    put16(OTHER_TSS + 0x54, BEYOND_GDT);
    cr_assert_eq(RUN(0xEA, 0, 0, 0, 0, OTHER_SEL, 0x00), EMU_FAULT);
    cr_assert_eq(emu.event.vector, VEC_TS);
    cr_assert_eq(cpu.tr.selector, OTHER_SEL);
}

Test(emulate_system, int_n_is_an_event_for_delivery)
{
    cr_assert_eq(RUN(0xCD, 0x80), EMU_FAULT);
    cr_assert_eq(emu.event.vector, 0x80);
    cr_assert_eq(emu.event.source, ARCH_SOFTWARE);
    cr_assert_eq(emu.event.next_eip, CODE + 2);
    cr_assert_eq(cpu.eip, CODE);
}

Test(emulate_system, int3_is_told_apart_from_int_n)
{
    RUN(0xCC);
    cr_assert_eq(emu.event.source, ARCH_INT3_INTO);
}

Test(emulate_system, into_without_overflow_does_nothing)
{
    EXPECT_DONE(0xCE);
}

Test(emulate_system, into_with_overflow_is_vector_4)
{
    cpu.eflags |= EFL_OF;
    cr_assert_eq(RUN(0xCE), EMU_FAULT);
    cr_assert_eq(emu.event.vector, VEC_OF);
}

Test(emulate_system, int1_is_a_debug_exception)
{
    cr_assert_eq(RUN(0xF1), EMU_FAULT);
    cr_assert_eq(emu.event.source, ARCH_ICEBP);
}

Test(emulate_system, syscall_is_undefined)
{
    EXPECT_RAISE(VEC_UD, NO_CODE, 0x0F, 0x05);
}

Test(emulate_system, sysenter_without_msr_is_gp)
{
    enter_ring(3);
    EXPECT_RAISE(VEC_GP, 0, 0x0F, 0x34);
}

Test(emulate_system, sysenter_and_sysexit)
{
    enter_ring(3);
    cpu.sysenter_cs = 0x100;
    cpu.sysenter_esp = STACK0;
    cpu.sysenter_eip = HANDLER;
    EXPECT_DONE(0x0F, 0x34);
    cr_assert_eq(cpu.cpl, 0);
    cr_assert_eq(cpu.eip, HANDLER);
    cr_assert(!(cpu.eflags & EFL_IF));
    cpu.gpr[GPR_EDX] = 0x4000;
    cpu.gpr[GPR_ECX] = STACK3;
    EXPECT_DONE(0x0F, 0x35);
    cr_assert_eq(cpu.seg[SEG_CS].selector, 0x113);
    cr_assert_eq(cpu.seg[SEG_SS].selector, 0x11B);
    cr_assert_eq(cpu.cpl, 3);
}

/* ---- CPUID, TSC, MSRs ---- */

Test(emulate_system, cpuid_fills_four_registers)
{
    cpu.gpr[GPR_EAX] = 7;
    cpu.gpr[GPR_ECX] = 9;
    EXPECT_DONE(0x0F, 0xA2);
    cr_assert_eq(cpu.gpr[GPR_EAX], 8);
    cr_assert_eq(cpu.gpr[GPR_EBX], 9);
    cr_assert_eq(cpu.gpr[GPR_ECX], 3);
    cr_assert_eq(cpu.gpr[GPR_EDX], 4);
}

Test(emulate_system, rdtsc_adds_the_offset)
{
    cpu.tsc_offset = 5;
    EXPECT_DONE(0x0F, 0x31);
    cr_assert_eq(cpu.gpr[GPR_EDX], 5);
    cr_assert_eq(cpu.gpr[GPR_EAX], 5);
}

Test(emulate_system, rdtsc_with_tsd_in_user_mode_is_gp)
{
    cpu.cr4 |= CR4_TSD;
    enter_ring(3);
    EXPECT_RAISE(VEC_GP, 0, 0x0F, 0x31);
}

Test(emulate_system, wrmsr_tsc_sets_the_offset)
{
    cpu.gpr[GPR_ECX] = MSR_TSC;
    cpu.gpr[GPR_EAX] = 100;
    cpu.gpr[GPR_EDX] = 0;
    EXPECT_DONE(0x0F, 0x30);
    EXPECT_DONE(0x0F, 0x31);
    cr_assert_eq(cpu.gpr[GPR_EAX], 100);
    cr_assert_eq(cpu.gpr[GPR_EDX], 0);
}

Test(emulate_system, unknown_msr_is_gp)
{
    cpu.gpr[GPR_ECX] = 0x12345;
    EXPECT_RAISE(VEC_GP, 0, 0x0F, 0x32);
}

Test(emulate_system, efer_has_nxe_and_nothing_else)
{
    cpu.gpr[GPR_ECX] = MSR_EFER;
    cpu.gpr[GPR_EAX] = EFER_NXE;
    cpu.gpr[GPR_EDX] = 0;
    EXPECT_DONE(0x0F, 0x30);
    cr_assert_eq(cpu.efer, EFER_NXE);
    cpu.gpr[GPR_EAX] = 0;
    EXPECT_DONE(0x0F, 0x32);
    cr_assert_eq(cpu.gpr[GPR_EAX], EFER_NXE);
    cpu.gpr[GPR_EAX] = EFER_NXE | 1; /* SCE */
    EXPECT_RAISE(VEC_GP, 0, 0x0F, 0x30);
}

Test(emulate_system, other_msrs_are_asked_for)
{
    cpu.gpr[GPR_ECX] = MSR_APICBASE;
    EXPECT_DONE(0x0F, 0x32);
    cr_assert_eq(cpu.gpr[GPR_EAX], 0x55667788);
}

Test(emulate_system, bad_pat_is_gp)
{
    cpu.gpr[GPR_ECX] = MSR_PAT;
    cpu.gpr[GPR_EAX] = 2;
    EXPECT_RAISE(VEC_GP, 0, 0x0F, 0x30);
}

/* ---- Ports ---- */

Test(emulate_system, in_byte_keeps_the_upper_register)
{
    cpu.gpr[GPR_EAX] = 0x11223344;
    port_value = 0xFF;
    EXPECT_DONE(0xE4, 0x60);
    cr_assert_eq(cpu.gpr[GPR_EAX], 0x112233FF);
}

Test(emulate_system, out_dword)
{
    cpu.gpr[GPR_EAX] = 0xCAFE1234;
    EXPECT_DONE(0xEF);
    cr_assert_eq(ports[0], 0xCAFE1234);
}

Test(emulate_system, in_without_permission_is_gp)
{
    enter_ring(3);
    EXPECT_RAISE(VEC_GP, 0, 0xEC);
    cr_assert_eq(port_count, 0);
}

Test(emulate_system, rep_insw_fills_memory)
{
    cpu.gpr[GPR_ECX] = 3;
    cpu.gpr[GPR_EDI] = 0x7000;
    port_value = 1;
    EXPECT_DONE(0xF3, 0x66, 0x6D);
    cr_assert_eq(get32(0x7000), 0x00020001);
    cr_assert_eq(cpu.gpr[GPR_EDI], 0x7006);
    cr_assert_eq(cpu.gpr[GPR_ECX], 0);
}

Test(emulate_system, ins_to_absent_page_takes_nothing_from_the_port)
{
    absent[7] = true;
    cpu.gpr[GPR_EDI] = 0x7000;
    EXPECT_RAISE(VEC_PF, 0, 0x6C);
    cr_assert_eq(port_count, 0);
}

Test(emulate_system, rep_ins_faulting_midway_keeps_what_was_done)
{
    absent[8] = true;
    cpu.gpr[GPR_ECX] = 4;
    cpu.gpr[GPR_EDI] = 0x7FFE;
    cr_assert_eq(RUN(0xF3, 0x6C), EMU_FAULT);
    cr_assert_eq(emu.event.cr2, 0x8000);
    cr_assert_eq(cpu.gpr[GPR_ECX], 2);
    cr_assert_eq(cpu.gpr[GPR_EDI], 0x8000);
    cr_assert_eq(cpu.eip, CODE);
}

Test(emulate_system, outs_goes_down_with_df_and_obeys_the_override)
{
    cpu.eflags |= EFL_DF;
    cpu.seg[SEG_GS].base = 0x100;
    put32(0x7100, 0x44332211);
    cpu.gpr[GPR_ESI] = 0x7001;
    cpu.gpr[GPR_ECX] = 2;
    EXPECT_DONE(0x65, 0xF3, 0x6E);
    cr_assert_eq(ports[0], 0x22);
    cr_assert_eq(ports[1], 0x11);
    cr_assert_eq(cpu.gpr[GPR_ESI], 0x6FFF);
}
