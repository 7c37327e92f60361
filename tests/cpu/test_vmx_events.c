/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_vmx_events.c - exceptions, interrupts and injected events in
 * VMX non-root operation. SDM 3C, "Other Causes of VM Exits", "Event
 * Injection". */
#include "tests/cpu/test_vmx_fixture.h"

TestSuite(vmx_events, .init = vmx_fixture, .timeout = 60);

#define INFO(type, vector)                                                     \
    (INTERRUPTION_VALID | (uint32_t)(type) << 8 | (vector))

static uint32_t stack32(unsigned n)
{
    return machine_read32((uint32_t)machine_reg(machine, GPR_ESP) + 4 * n);
}

/* ---- the exception bitmap
 * ------------------------------------------------------ */

Test(vmx_events, exceptions_go_through_the_guests_own_table)
{
    struct cpu_state s;

    CODE_AT(CODE, 0x40, 0x0F, 0x0B); /* inc %eax; ud2 */
    vmx_open();
    vmwrite(VMCS_EXCEPTION_BITMAP, ~(1u << VEC_UD));
    vmwrite(VMCS_PF_ERROR_MASK, 0);
    cr_assert_eq(launch(), NO_EXIT);
    machine_get_state(machine, &s);
    cr_expect_eq(s.eip, HANDLER + VEC_UD * 16 + 1);
    cr_expect_eq(stack32(0), CODE + 1);
}

Test(vmx_events, exceptions_in_the_bitmap_exit)
{
    CODE_AT(CODE, 0x40, 0x0F, 0x0B);
    vmx_open();
    vmwrite(VMCS_EXCEPTION_BITMAP, 1u << VEC_UD);
    cr_assert_eq(launch(), VMX_EXCEPTION_OR_NMI);
    cr_expect_eq(vmread(VMCS_EXIT_INTERRUPTION),
                 INFO(TYPE_HARDWARE_EXCEPTION, VEC_UD));
    cr_expect_eq(vmread(VMCS_GUEST_EIP), CODE + 1);
    cr_expect_eq(machine_now(machine), 1);
}

Test(vmx_events, breakpoints_are_software_exceptions)
{
    CODE_AT(CODE, 0xCC);
    vmx_open();
    vmwrite(VMCS_EXCEPTION_BITMAP, 1u << VEC_BP);
    cr_assert_eq(launch(), VMX_EXCEPTION_OR_NMI);
    cr_expect_eq(vmread(VMCS_EXIT_INTERRUPTION),
                 INFO(TYPE_SOFTWARE_EXCEPTION, VEC_BP));
    cr_expect_eq(vmread(VMCS_EXIT_LENGTH), 1);
    cr_expect_eq(vmread(VMCS_GUEST_EIP), CODE);
}

Test(vmx_events, int_n_does_not_look_at_the_bitmap)
{
    CODE_AT(CODE, 0xCD, VEC_GP);
    vmx_open();
    vmwrite(VMCS_EXCEPTION_BITMAP, 0xFFFFFFFF);
    cr_assert_eq(launch(), NO_EXIT);
    cr_expect_eq(stack32(0), CODE + 2);
}

/* The bitmap's bit 14 means: exit where the error code matches; its absence:
 * where it does not. */
Test(vmx_events, page_faults_match_their_error_code)
{
    static const struct {
        uint32_t mask, match;
        bool bit, exits;
    } cases[] = {
        {0, 0, true, true},
        {0, 0, false, false},
        {PF_WRITE, PF_WRITE, true, true},
        {PF_WRITE, PF_WRITE, false, false},
        {PF_WRITE, 0, true, false},
        {PF_WRITE, 0, false, true},
        {PF_USER, PF_USER, true, false},
    };

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned reason;

        vmx_fixture();
        put32(PAGE_TABLE + 0x50 * 4, 0);
        CODE_AT(CODE, 0xA3, 0x34, 0x02, 0x05, 0x00); /* mov %eax,0x50234 */
        vmx_open();
        vmwrite(VMCS_EXCEPTION_BITMAP, cases[i].bit ? 1u << VEC_PF : 0);
        vmwrite(VMCS_PF_ERROR_MASK, cases[i].mask);
        vmwrite(VMCS_PF_ERROR_MATCH, cases[i].match);
        reason = launch();
        cr_expect_eq(reason, cases[i].exits ? VMX_EXCEPTION_OR_NMI : NO_EXIT,
                     "case %u: %u", i, reason);
        if (cases[i].exits) {
            struct cpu_state s;

            cr_expect_eq(vmread(VMCS_EXIT_QUALIFICATION), 0x50234);
            cr_expect_eq(vmread(VMCS_EXIT_ERROR_CODE), PF_WRITE);
            machine_get_state(machine, &s);
            cr_expect_eq(s.cr2, 0, "an exit leaves CR2 alone");
        }
        machine_destroy(machine);
    }
}

/* ---- faults during delivery
 * ------------------------------------------------------ */

/* The IDT's page is absent: the page fault exits and tells of the #UD. */
Test(vmx_events, exit_during_delivery_has_vectoring_information)
{
    CODE_AT(CODE, 0x0F, 0x0B);
    put32(PAGE_TABLE + (IDT >> 12) * 4, 0);
    vmx_open();
    vmwrite(VMCS_EXCEPTION_BITMAP, 1u << VEC_PF);
    cr_assert_eq(launch(), VMX_EXCEPTION_OR_NMI);
    cr_expect_eq(vmread(VMCS_EXIT_INTERRUPTION) & 0xFF, VEC_PF);
    cr_expect_eq(vmread(VMCS_EXIT_QUALIFICATION), IDT + VEC_UD * 8);
    cr_expect_eq(vmread(VMCS_VECTORING), INFO(TYPE_HARDWARE_EXCEPTION, VEC_UD));
}

Test(vmx_events, software_interrupt_in_vectoring_information_has_its_length)
{
    CODE_AT(CODE, 0xCD, 0x80);
    put32(PAGE_TABLE + (IDT >> 12) * 4, 0);
    vmx_open();
    vmwrite(VMCS_EXCEPTION_BITMAP, 1u << VEC_PF);
    cr_assert_eq(launch(), VMX_EXCEPTION_OR_NMI);
    cr_expect_eq(vmread(VMCS_VECTORING), INFO(TYPE_SOFTWARE_INTERRUPT, 0x80));
    cr_expect_eq(vmread(VMCS_EXIT_LENGTH), 2);
    cr_expect_eq(vmread(VMCS_GUEST_EIP), CODE);
}

Test(vmx_events, double_fault_obeys_the_bitmap)
{
    CODE_AT(CODE, 0x8E, 0xD8); /* mov %eax,%ds: #GP */
    cpu.gpr[GPR_EAX] = BEYOND_GDT;
    put_gate(IDT + VEC_GP * 8, BEYOND_GDT, 0, GATE_INT32, 0);
    vmx_open();
    vmwrite(VMCS_EXCEPTION_BITMAP, 1u << VEC_DF);
    cr_assert_eq(launch(), VMX_EXCEPTION_OR_NMI);
    cr_expect_eq(vmread(VMCS_EXIT_INTERRUPTION),
                 INFO(TYPE_HARDWARE_EXCEPTION, VEC_DF) |
                     INTERRUPTION_HAS_ERROR);
    cr_expect_eq(vmread(VMCS_VECTORING) & 0xFF, VEC_GP);
}

Test(vmx_events, triple_fault_exits)
{
    CODE_AT(CODE, 0x0F, 0x0B);
    cpu.idtr.limit = 0;
    vmx_open();
    cr_assert_eq(launch(), VMX_TRIPLE_FAULT);
    cr_expect_eq(vmread(VMCS_GUEST_EIP), CODE);
}

Test(vmx_events, task_gate_exits)
{
    CODE_AT(CODE, 0x0F, 0x0B);
    put_gate(IDT + VEC_UD * 8, OTHER_SEL, 0, GATE_TASK, 0);
    vmx_open();
    cr_assert_eq(launch(), VMX_TASK_SWITCH);
    cr_expect_eq(vmread(VMCS_EXIT_QUALIFICATION), OTHER_SEL | 3u << 30);
    cr_expect_eq(vmread(VMCS_VECTORING), INFO(TYPE_HARDWARE_EXCEPTION, VEC_UD));
}

/* ---- injection
 * ------------------------------------------------------------------ */

/* Launch with an injected event; the guest halts in its handler. */
static void inject(uint32_t info, uint32_t error, uint32_t length)
{
    vmx_open();
    vmwrite(VMCS_ENTRY_INTERRUPTION, info);
    vmwrite(VMCS_ENTRY_ERROR_CODE, error);
    vmwrite(VMCS_ENTRY_LENGTH, length);
    cr_assert_eq(launch(), NO_EXIT);
}

static int halted_in(void)
{
    struct cpu_state s;
    uint32_t at;

    machine_get_state(machine, &s);
    at = s.eip - 1 - HANDLER;
    return at % 16 == 0 && at / 16 < 256 ? (int)(at / 16) : NO_VECTOR;
}

Test(vmx_events, inject_an_interrupt)
{
    cpu.eflags |= EFL_IF;
    inject(INFO(TYPE_EXTERNAL, 0x30), 0, 0);
    cr_expect_eq(halted_in(), 0x30);
    cr_expect_eq(stack32(0), CODE);
    cr_expect_eq(stack32(2), cpu.eflags);
    cr_expect_eq(exits, 0);
}

Test(vmx_events, inject_an_nmi_blocks_the_next)
{
    struct cpu_state s;

    inject(INFO(TYPE_NMI, VEC_NMI), 0, 0);
    cr_expect_eq(halted_in(), VEC_NMI);
    machine_get_state(machine, &s);
    cr_expect(s.nmi_blocked);
}

Test(vmx_events, inject_a_fault_with_its_error_code)
{
    inject(INFO(TYPE_HARDWARE_EXCEPTION, VEC_GP) | INTERRUPTION_HAS_ERROR,
           0x1234, 0);
    cr_expect_eq(halted_in(), VEC_GP);
    cr_expect_eq(stack32(0), 0x1234);
    cr_expect_eq(stack32(1), CODE);
}

Test(vmx_events, inject_software_events_with_their_length)
{
    static const struct {
        unsigned type, vector;
    } cases[] = {{TYPE_SOFTWARE_INTERRUPT, 0x80},
                 {TYPE_SOFTWARE_EXCEPTION, VEC_BP},
                 {TYPE_PRIVILEGED_SOFTWARE, VEC_DB}};

    for (unsigned i = 0; i < 3; i++) {
        vmx_fixture();
        inject(INFO(cases[i].type, cases[i].vector), 0, 3);
        cr_expect_eq(halted_in(), (int)cases[i].vector);
        cr_expect_eq(stack32(0), CODE + 3);
        machine_destroy(machine);
    }
}

Test(vmx_events, injection_is_not_looked_up_in_the_bitmap)
{
    vmx_open();
    vmwrite(VMCS_EXCEPTION_BITMAP, 1u << VEC_UD);
    vmwrite(VMCS_ENTRY_INTERRUPTION, INFO(TYPE_HARDWARE_EXCEPTION, VEC_UD));
    cr_assert_eq(launch(), NO_EXIT);
    cr_expect_eq(halted_in(), VEC_UD);
}

Test(vmx_events, injection_that_faults_exits_and_is_no_longer_valid)
{
    put32(PAGE_TABLE + (IDT >> 12) * 4, 0);
    vmx_open();
    vmwrite(VMCS_EXCEPTION_BITMAP, 1u << VEC_PF);
    vmwrite(VMCS_ENTRY_INTERRUPTION, INFO(TYPE_HARDWARE_EXCEPTION, VEC_UD));
    cr_assert_eq(launch(), VMX_EXCEPTION_OR_NMI);
    cr_expect_eq(vmread(VMCS_VECTORING), INFO(TYPE_HARDWARE_EXCEPTION, VEC_UD));
    cr_expect_eq(vmread(VMCS_ENTRY_INTERRUPTION) & INTERRUPTION_VALID, 0);
}

Test(vmx_events, monitor_trap_comes_before_the_handlers_first_instruction)
{
    vmx_open();
    vmset(VMCS_PROC_CONTROLS, PROC_MONITOR_TRAP);
    vmwrite(VMCS_ENTRY_INTERRUPTION, INFO(TYPE_HARDWARE_EXCEPTION, VEC_UD));
    cr_assert_eq(launch(), VMX_MONITOR_TRAP);
    cr_expect_eq(vmread(VMCS_GUEST_EIP), HANDLER + VEC_UD * 16);
}

/* ---- interrupts from outside
 * ------------------------------------------------------ */

Test(vmx_events, external_interrupt_exits_whatever_the_flag)
{
    CODE_AT(CODE, 0x40, 0xEB, 0xFD); /* inc %eax; jmp */
    vmx_open();
    vmset(VMCS_PIN_CONTROLS, PIN_EXTERNAL_INTERRUPT);
    machine_set_intr(machine, true);
    cr_assert_eq(launch(), VMX_EXTERNAL_INTERRUPT);
    cr_expect_eq(vmread(VMCS_EXIT_INTERRUPTION), 0, "not acknowledged");
    cr_expect_eq(vmread(VMCS_GUEST_EIP), CODE);
}

Test(vmx_events, acknowledge_on_exit)
{
    CODE_AT(CODE, 0xEB, 0xFE);
    vmx_open();
    vmset(VMCS_PIN_CONTROLS, PIN_EXTERNAL_INTERRUPT);
    vmset(VMCS_EXIT_CONTROLS, EXIT_ACKNOWLEDGE);
    next_vector = 0x42;
    machine_set_intr(machine, true);
    cr_assert_eq(launch(), VMX_EXTERNAL_INTERRUPT);
    cr_expect_eq(vmread(VMCS_EXIT_INTERRUPTION), INFO(TYPE_EXTERNAL, 0x42));
}

Test(vmx_events, without_the_control_the_guest_takes_it)
{
    CODE_AT(CODE, 0x40, 0xFB, 0x43, 0xEB, 0xFE); /* inc; sti; inc %ebx; jmp */
    vmx_open();
    next_vector = 0x42;
    machine_set_intr(machine, true);
    cr_assert_eq(launch(), NO_EXIT);
    cr_expect_eq(halted_in(), 0x42);
    cr_expect_eq(stack32(0), CODE + 3, "one instruction after STI: %x",
                 stack32(0));
}

Test(vmx_events, interrupt_window)
{
    CODE_AT(CODE, 0x40, 0xFB, 0x43, 0xEB, 0xFE);
    vmx_open();
    vmset(VMCS_PROC_CONTROLS, PROC_INTERRUPT_WINDOW);
    cr_assert_eq(launch(), VMX_INTERRUPT_WINDOW);
    cr_expect_eq(vmread(VMCS_GUEST_EIP), CODE + 3);
    cr_expect_eq(vmread(VMCS_GUEST_INTERRUPTIBILITY), 0);
}

Test(vmx_events, nmi_and_its_window)
{
    CODE_AT(CODE, 0xEB, 0xFE);
    memory[HANDLER + VEC_NMI * 16] = 0xCF; /* iret */
    vmx_open();
    vmset(VMCS_PIN_CONTROLS, PIN_NMI | PIN_VIRTUAL_NMI);
    machine_raise_nmi(machine);
    cr_assert_eq(launch(), VMX_EXCEPTION_OR_NMI);
    cr_expect_eq(vmread(VMCS_EXIT_INTERRUPTION), INFO(TYPE_NMI, VEC_NMI));
    vmwrite(VMCS_ENTRY_INTERRUPTION, INFO(TYPE_NMI, VEC_NMI));
    vmset(VMCS_PROC_CONTROLS, PROC_NMI_WINDOW);
    cr_assert_eq(vmx_resume(machine), VMX_SUCCEED);
    machine_run(machine);
    cr_expect_eq(vmread(VMCS_EXIT_REASON), VMX_NMI_WINDOW, "after its IRET");
    cr_expect_eq(vmread(VMCS_GUEST_EIP), CODE);
}

Test(vmx_events, halted_guest_wakes)
{
    vmx_open();
    vmwrite(VMCS_GUEST_ACTIVITY, ACTIVITY_HLT);
    vmset(VMCS_PIN_CONTROLS, PIN_EXTERNAL_INTERRUPT);
    cr_assert_eq(launch(), NO_EXIT, "it halts");
    machine_set_intr(machine, true);
    machine_run(machine);
    cr_assert_eq(exits, 1);
    cr_expect_eq(vmread(VMCS_EXIT_REASON), VMX_EXTERNAL_INTERRUPT);
    cr_expect_eq(vmread(VMCS_GUEST_ACTIVITY), ACTIVITY_HLT);
}
