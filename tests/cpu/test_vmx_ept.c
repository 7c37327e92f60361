/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_vmx_ept.c - a guest behind nested tables: what it reaches,
 * what exits and with what qualification. SDM 3C, "EPT-Induced VM Exits". */
#include "cpu/ept.h"
#include "tests/cpu/test_vmx_fixture.h"

TestSuite(vmx_ept, .init = vmx_fixture, .timeout = 60);

enum {
    EPT_PML4 = 0xE8000,
    EPT_PDPT = 0xE9000,
    EPT_PD = 0xEA000,
    EPT_PT = 0xEB000,
    SPARE = 0x60000,  /* a guest page for data */
    BEHIND = 0x70000, /* the machine frame of another */
    POINTER = EPT_PML4 | EPTP_WRITE_BACK | 3 << EPTP_LEVELS_SHIFT,
    QUALIFY = EPT_VIOLATION_LINEAR,
};

static void put64(uint32_t at, uint64_t value)
{
    put32(at, (uint32_t)value);
    put32(at + 4, (uint32_t)(value >> 32));
}

static void nested_maps(uint32_t gpa, uint32_t ma, uint32_t rights)
{
    put64(EPT_PT + (gpa >> 12) * 8, ma | EPT_WRITE_BACK | rights);
}

/* Guest-physical memory is machine memory, until a test says otherwise. */
static void nest(void)
{
    put64(EPT_PML4, EPT_PDPT | EPT_RIGHTS);
    put64(EPT_PDPT, EPT_PD | EPT_RIGHTS);
    put64(EPT_PD, EPT_PT | EPT_RIGHTS);
    for (uint32_t at = 0; at < MEMORY_BYTES; at += PAGE_BYTES)
        nested_maps(at, at, EPT_RIGHTS);
}

static void nested_open(uint32_t pointer)
{
    vmx_open();
    vmwrite(VMCS_PROC2_CONTROLS, PROC2_VPID | PROC2_EPT);
    vmwrite(VMCS_EPT_POINTER, pointer);
    vmwrite(VMCS_EPT_POINTER + 1, 0);
}

/* mov eax, [SPARE]; hlt */
static void code_reads(void)
{
    CODE_AT(cpu.eip, 0xA1, 0x00, 0x00, 0x06, 0x00, OP_HLT);
}

/* mov [SPARE], eax; hlt */
static void code_writes(void)
{
    CODE_AT(cpu.eip, 0xA3, 0x00, 0x00, 0x06, 0x00, OP_HLT);
}

static void expect_violation(uint32_t qualification, uint32_t linear,
                             uint32_t gpa)
{
    cr_expect_eq(vmread(VMCS_EXIT_QUALIFICATION), qualification, "%x, not %x",
                 vmread(VMCS_EXIT_QUALIFICATION), qualification);
    cr_expect_eq(vmread(VMCS_GUEST_LINEAR), linear);
    cr_expect_eq(vmread(VMCS_GUEST_PHYSICAL), gpa);
    cr_expect_eq(vmread(VMCS_GUEST_PHYSICAL + 1), 0);
}

Test(vmx_ept, guest_reads_the_machine_frame_behind_its_page)
{
    nest();
    nested_maps(SPARE, BEHIND, EPT_RIGHTS);
    put32(SPARE, 1);
    put32(BEHIND, 2);
    code_reads();
    nested_open(POINTER);
    cr_assert_eq(launch(), NO_EXIT);
    cr_assert_eq(machine_reg(machine, GPR_EAX), 2);
}

Test(vmx_ept, absent_page_is_a_violation)
{
    nest();
    put64(EPT_PT + (SPARE >> 12) * 8, 0);
    code_reads();
    nested_open(POINTER);
    cr_assert_eq(launch(), VMX_EPT_VIOLATION);
    expect_violation(EPT_FOR_READ | QUALIFY | EPT_VIOLATION_TRANSLATED, SPARE,
                     SPARE);
    cr_expect_eq(vmread(VMCS_GUEST_EIP), cpu.eip);
}

Test(vmx_ept, write_without_the_right_tells_the_rights)
{
    nest();
    nested_maps(SPARE, SPARE, EPT_READ | EPT_EXECUTE);
    code_writes();
    nested_open(POINTER);
    cr_assert_eq(launch(), VMX_EPT_VIOLATION);
    expect_violation(EPT_FOR_WRITE | QUALIFY | EPT_VIOLATION_TRANSLATED |
                         (EPT_READ | EPT_EXECUTE) << EPT_VIOLATION_RIGHTS_SHIFT,
                     SPARE, SPARE);
}

Test(vmx_ept, fetch_without_the_right)
{
    nest();
    nested_maps(SPARE, SPARE, EPT_READ | EPT_WRITE);
    cpu.eip = SPARE;
    nested_open(POINTER);
    cr_assert_eq(launch(), VMX_EPT_VIOLATION);
    expect_violation(EPT_FOR_FETCH | QUALIFY | EPT_VIOLATION_TRANSLATED |
                         (EPT_READ | EPT_WRITE) << EPT_VIOLATION_RIGHTS_SHIFT,
                     SPARE, SPARE);
}

Test(vmx_ept, guest_table_that_is_absent_is_a_violation_before_translation)
{
    nest();
    put64(EPT_PT + (PAGE_TABLE >> 12) * 8, 0);
    nested_open(POINTER);
    cr_assert_eq(launch(), VMX_EPT_VIOLATION);
    expect_violation(EPT_FOR_READ | QUALIFY, cpu.eip,
                     PAGE_TABLE + (cpu.eip >> 12) * 4);
}

Test(vmx_ept, tables_are_written_to_with_accessed_and_dirty_flags)
{
    nest();
    nested_maps(PAGE_TABLE, PAGE_TABLE, EPT_READ);
    nested_open(POINTER | EPTP_ACCESSED_DIRTY);
    cr_assert_eq(launch(), VMX_EPT_VIOLATION);
    expect_violation(EPT_FOR_READ | EPT_FOR_WRITE | QUALIFY |
                         EPT_READ << EPT_VIOLATION_RIGHTS_SHIFT,
                     cpu.eip, PAGE_TABLE + (cpu.eip >> 12) * 4);
}

Test(vmx_ept, guest_page_fault_is_delivered_without_an_exit)
{
    nest();
    put32(PAGE_TABLE + (SPARE >> 12) * 4, 0);
    code_reads();
    nested_open(POINTER);
    cr_assert_eq(launch(), NO_EXIT);
    machine_get_state(machine, &ran);
    cr_assert_eq(ran.eip, HANDLER + VEC_PF * 16 + 1);
}

Test(vmx_ept, wrong_entry_is_a_misconfiguration)
{
    nest();
    nested_maps(SPARE, SPARE, EPT_WRITE);
    code_reads();
    nested_open(POINTER);
    cr_assert_eq(launch(), VMX_EPT_MISCONFIGURATION);
    cr_expect_eq(vmread(VMCS_GUEST_PHYSICAL), SPARE);
    cr_expect_eq(vmread(VMCS_EXIT_QUALIFICATION), 0);
}

Test(vmx_ept, violation_during_delivery_tells_the_event)
{
    nest();
    put64(EPT_PT + (cpu.idtr.base >> 12) * 8, 0);
    CODE_AT(cpu.eip, 0xCD, 0x40); /* int 40h */
    nested_open(POINTER);
    cr_assert_eq(launch(), VMX_EPT_VIOLATION);
    cr_expect_eq(vmread(VMCS_VECTORING),
                 INTERRUPTION_VALID | 0x40 |
                     TYPE_SOFTWARE_INTERRUPT << INTERRUPTION_TYPE_SHIFT);
}

Test(vmx_ept, accessed_and_dirty_bits_of_the_page)
{
    uint64_t entry;

    nest();
    code_writes();
    nested_open(POINTER | EPTP_ACCESSED_DIRTY);
    cr_assert_eq(launch(), NO_EXIT);
    memcpy(&entry, machine_memory(machine)->host + EPT_PT + (SPARE >> 12) * 8,
           sizeof entry);
    cr_expect_eq(entry & (EPT_ACCESSED | EPT_DIRTY), EPT_ACCESSED | EPT_DIRTY);
}

Test(vmx_ept, a_walk_reads_fourteen_entries)
{
    uint64_t before;

    nest();
    code_reads();
    nested_open(POINTER);
    before = machine_trace.count.walk_references;
    cr_assert_eq(launch(), NO_EXIT);
    before = machine_trace.count.walk_references - before;
    cr_expect(before > 0 && before % 14 == 0, "%u", (unsigned)before);
}

Test(vmx_ept, unrestricted_guest_without_paging_is_nested_still)
{
    nest();
    nested_maps(SPARE, BEHIND, EPT_RIGHTS);
    put32(BEHIND, 2);
    code_reads();
    cpu.cr0 &= ~CR0_PG;
    nested_open(POINTER);
    vmset(VMCS_PROC2_CONTROLS, PROC2_UNRESTRICTED);
    cr_assert_eq(launch(), NO_EXIT);
    cr_assert_eq(machine_reg(machine, GPR_EAX), 2);
}

Test(vmx_ept, bad_pointer_refuses_the_entry)
{
    nest();
    nested_open(EPT_PML4 | 1 | 3 << EPTP_LEVELS_SHIFT);
    cr_assert_eq(vmx_launch(machine), VMX_FAIL_VALID);
    cr_assert_eq(vmread(VMCS_INSTRUCTION_ERROR), VMX_ERROR_ENTRY_CONTROLS);
}

static void widen_and_go_on(void)
{
    uint64_t entry = SPARE | EPT_WRITE_BACK | EPT_RIGHTS;

    memcpy(machine_memory(machine)->host + EPT_PT + (SPARE >> 12) * 8, &entry,
           sizeof entry);
    cr_assert_eq(vmx_resume(machine), VMX_SUCCEED);
}

/* "EPT violations ... invalidate": no INVEPT is needed to add rights. */
Test(vmx_ept, guest_goes_on_with_the_page_given)
{
    nest();
    put64(EPT_PT + (SPARE >> 12) * 8, 0);
    put32(SPARE, 3);
    code_reads();
    nested_open(POINTER);
    on_exit_do = widen_and_go_on;
    cr_assert_eq(vmx_launch(machine), VMX_SUCCEED);
    cr_assert_eq(machine_run(machine), MACHINE_HALTED);
    cr_expect_eq(exits, 1);
    cr_expect_eq(machine_reg(machine, GPR_EAX), 3);
}

Test(vmx_ept, invept_checks_its_operands)
{
    nest();
    nested_open(POINTER);
    cr_expect_eq(vmx_invept(machine, INVEPT_CONTEXT, POINTER), VMX_SUCCEED);
    cr_expect_eq(vmx_invept(machine, INVEPT_ALL, 0), VMX_SUCCEED);
    cr_expect_eq(vmx_invept(machine, INVEPT_CONTEXT, 1), VMX_FAIL_VALID);
    cr_expect_eq(vmread(VMCS_INSTRUCTION_ERROR),
                 VMX_ERROR_INVALIDATION_OPERAND);
}

/* ---- delivery ---------------------------------------------------------------
 */

enum { FRAME_BYTES = 12, OP_IRET = 0xCF, VMCALL_LENGTH = 3 };

/* An interrupt, an exit, and the same interrupt again. */
static void code_interrupts_twice(void)
{
    memory[HANDLER + 0x40 * 16] = OP_IRET;
    CODE_AT(cpu.eip, 0xCD, 0x40, /* int 40h */
            0x0F, 0x01, 0xC1,    /* vmcall */
            0xCD, 0x40, OP_HLT);
}

static uint32_t frame_at(void)
{
    return cpu.gpr[GPR_ESP] - FRAME_BYTES;
}

static uint64_t live_entry(uint32_t gpa)
{
    return machine_read32(EPT_PT + (gpa >> 12) * 8);
}

static void set_live_entry(uint32_t gpa, uint64_t entry)
{
    memcpy(machine_memory(machine)->host + EPT_PT + (gpa >> 12) * 8, &entry,
           sizeof entry);
    cr_assert_eq(vmx_invept(machine, INVEPT_ALL, 0), VMX_SUCCEED);
}

static void go_on(void)
{
    vmwrite(VMCS_GUEST_EIP, vmread(VMCS_GUEST_EIP) + VMCALL_LENGTH);
    cr_assert_eq(vmx_resume(machine), VMX_SUCCEED);
}

static void run_over_the_vmcall(uint32_t pointer, void (*on_exit)(void))
{
    nest();
    code_interrupts_twice();
    nested_open(pointer);
    on_exit_do = on_exit;
    cr_assert_eq(vmx_launch(machine), VMX_SUCCEED);
    cr_assert_eq(machine_run(machine), MACHINE_HALTED, "%s",
                 machine_broken(machine));
}

static void move_the_stack(void)
{
    set_live_entry(frame_at(), BEHIND | EPT_WRITE_BACK | EPT_RIGHTS);
    go_on();
}

Test(vmx_ept, frame_is_pushed_to_the_frame_that_invept_made_known)
{
    run_over_the_vmcall(POINTER, move_the_stack);
    cr_expect_eq(machine_read32(BEHIND + frame_at() % PAGE_BYTES),
                 cpu.eip + 2 + VMCALL_LENGTH + 2);
    cr_expect_eq(machine_read32(frame_at()), cpu.eip + 2, "the first is there");
}

static void clear_the_stack_s_bits(void)
{
    cr_expect(live_entry(frame_at()) & EPT_DIRTY);
    set_live_entry(frame_at(), frame_at() / PAGE_BYTES * PAGE_BYTES |
                                   EPT_WRITE_BACK | EPT_RIGHTS);
    go_on();
}

Test(vmx_ept, pushing_a_frame_sets_the_stack_s_dirty_bit_each_time_it_is_clear)
{
    run_over_the_vmcall(POINTER | EPTP_ACCESSED_DIRTY, clear_the_stack_s_bits);
    cr_expect_eq(live_entry(frame_at()) & (EPT_ACCESSED | EPT_DIRTY),
                 EPT_ACCESSED | EPT_DIRTY);
}

static void protect_the_stack(void)
{
    if (vmread(VMCS_EXIT_REASON) == VMX_EPT_VIOLATION) {
        machine_stop(machine);
        return;
    }
    set_live_entry(frame_at(), frame_at() / PAGE_BYTES * PAGE_BYTES |
                                   EPT_WRITE_BACK | EPT_READ);
    go_on();
}

Test(vmx_ept, frame_on_a_stack_that_became_read_only_is_a_violation)
{
    nest();
    code_interrupts_twice();
    nested_open(POINTER);
    on_exit_do = protect_the_stack;
    cr_assert_eq(launch(), VMX_EPT_VIOLATION);
    cr_expect_eq(vmread(VMCS_GUEST_LINEAR) / PAGE_BYTES,
                 frame_at() / PAGE_BYTES);
    cr_expect_eq(vmread(VMCS_VECTORING) & 0xFF, 0x40);
}

static uint64_t walks_all, walks_before, references_before;

static void remember_walks(void)
{
    walks_before = machine_trace.count.walks - machine_trace.count.tlb_fills;
    references_before = machine_trace.count.walk_references;
    walks_all = machine_trace.count.walks;
    go_on();
}

/* For the gate, the code segment and the frame; the handler's IRET is the
 * engine's, and its accesses hit the TLB. */
Test(vmx_ept, delivery_at_the_same_level_walks_three_times)
{
    run_over_the_vmcall(POINTER, remember_walks);
    cr_expect_eq(machine_trace.count.walks - machine_trace.count.tlb_fills -
                     walks_before,
                 3);
    cr_expect_eq(machine_trace.count.walk_references - references_before,
                 14 * (machine_trace.count.walks - walks_all));
}
