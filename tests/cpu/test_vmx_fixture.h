/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_vmx_fixture.h - a guest in VMX non-root operation.
 *
 * The machine of test_machine_fixture.h with paging, and a VMCS that lets it
 * run with no exit but the unconditional ones. An exit stops the machine, or
 * is handled by on_exit.
 */
#ifndef TESTS_CPU_TEST_VMX_FIXTURE_H
#define TESTS_CPU_TEST_VMX_FIXTURE_H

#include "cpu/vmx.h"
#include "tests/cpu/test_machine_fixture.h"

enum {
    VMXON_REGION = 0xE0000,
    VMCS = 0xE1000,
    OTHER_VMCS = 0xE2000,
    BITMAP_A = 0xE4000,
    BITMAP_B = 0xE5000,
    MSR_MAP = 0xE6000,
    NO_EXIT = 0xFFFF,
    BUDGET = 100000,
};

static unsigned exits;
static void (*on_exit_do)(void);
static int next_vector = -1;

static inline uint32_t vmread(uint32_t encoding)
{
    uint32_t value = 0xDEADBEEF;

    cr_assert_eq(vmx_read(machine, encoding, &value), VMX_SUCCEED, "%x",
                 encoding);
    return value;
}

static inline void vmwrite(uint32_t encoding, uint32_t value)
{
    cr_assert_eq(vmx_write(machine, encoding, value), VMX_SUCCEED, "%x",
                 encoding);
}

static inline void vmset(uint32_t encoding, uint32_t bits)
{
    vmwrite(encoding, vmread(encoding) | bits);
}

static void on_vm_exit(void *owner)
{
    (void)owner;
    exits++;
    if (on_exit_do)
        on_exit_do();
    else
        machine_stop(machine);
}

static int on_vmx_acknowledge(void *ctx)
{
    (void)ctx;
    machine_set_intr(machine, false);
    return next_vector;
}

static inline void put_revision(uint32_t at)
{
    put32(at, VMX_REVISION);
}

static inline void write_guest_segment(unsigned n, const struct segment *s)
{
    vmwrite(VMCS_GUEST_ES_SELECTOR + 2 * n, s->selector);
    vmwrite(VMCS_GUEST_ES_BASE + 2 * n, s->base);
    vmwrite(VMCS_GUEST_ES_LIMIT + 2 * n, s->limit);
    vmwrite(VMCS_GUEST_ES_RIGHTS + 2 * n, s->attr ? s->attr : RIGHTS_UNUSABLE);
}

/* As the processor would have loaded them. */
static inline void mark_accessed(void)
{
    for (unsigned i = 0; i < SEG_COUNT; i++)
        cpu.seg[i].attr |= SEG_ACCESSED;
}

static inline void write_guest(void)
{
    mark_accessed();
    for (unsigned i = 0; i < SEG_COUNT; i++)
        write_guest_segment(i, &cpu.seg[i]);
    write_guest_segment(SEG_COUNT, &cpu.ldtr);
    write_guest_segment(SEG_COUNT + 1, &cpu.tr);
    vmwrite(VMCS_GUEST_GDTR_BASE, cpu.gdtr.base);
    vmwrite(VMCS_GUEST_GDTR_LIMIT, cpu.gdtr.limit);
    vmwrite(VMCS_GUEST_IDTR_BASE, cpu.idtr.base);
    vmwrite(VMCS_GUEST_IDTR_LIMIT, cpu.idtr.limit);
    vmwrite(VMCS_GUEST_CR0, cpu.cr0 | CR0_NE);
    vmwrite(VMCS_GUEST_CR3, cpu.cr3);
    vmwrite(VMCS_GUEST_CR4, cpu.cr4 | CR4_VMXE);
    vmwrite(VMCS_GUEST_DR7, 0x400);
    vmwrite(VMCS_GUEST_ESP, cpu.gpr[GPR_ESP]);
    vmwrite(VMCS_GUEST_EIP, cpu.eip);
    vmwrite(VMCS_GUEST_EFLAGS, cpu.eflags);
    vmwrite(VMCS_VMCS_LINK_POINTER, 0xFFFFFFFF);
    vmwrite(VMCS_VMCS_LINK_POINTER + 1, 0xFFFFFFFF);
}

static inline void write_host(void)
{
    vmwrite(VMCS_HOST_CR0, CR0_PE | CR0_PG | CR0_NE);
    vmwrite(VMCS_HOST_CR4, CR4_VMXE);
    vmwrite(VMCS_HOST_CS_SELECTOR, CODE0);
    vmwrite(VMCS_HOST_SS_SELECTOR, DATA0);
    vmwrite(VMCS_HOST_TR_SELECTOR, TSS_SEL);
}

static inline void write_controls(void)
{
    vmwrite(VMCS_PIN_CONTROLS, (uint32_t)vmx_capability(MSR_VMX_TRUE_PIN));
    vmwrite(VMCS_PROC_CONTROLS,
            (uint32_t)vmx_capability(MSR_VMX_TRUE_PROC) | PROC_SECONDARY);
    vmwrite(VMCS_PROC2_CONTROLS, PROC2_VPID);
    vmwrite(VMCS_VPID, 1);
    vmwrite(VMCS_EXIT_CONTROLS, (uint32_t)vmx_capability(MSR_VMX_TRUE_EXIT));
    vmwrite(VMCS_ENTRY_CONTROLS, (uint32_t)vmx_capability(MSR_VMX_TRUE_ENTRY));
    vmwrite(VMCS_IO_BITMAP_A, BITMAP_A);
    vmwrite(VMCS_IO_BITMAP_B, BITMAP_B);
    vmwrite(VMCS_MSR_BITMAP, MSR_MAP);
}

/* A machine; its memory is what the test put into memory[]. */
static inline void vmx_machine(void)
{
    struct machine_config config = {
        .memory_bytes = MEMORY_BYTES,
        .client = {.attend = on_attend,
                   .acknowledge = on_vmx_acknowledge,
                   .vm_exit = on_vm_exit,
                   .port_read = on_port_read,
                   .port_write = on_port_write,
                   .mmio_read = on_mmio_read,
                   .mmio_write = on_mmio_write},
        .trace = &machine_trace,
    };
    char *error;

    machine = machine_create(&config, &error);
    cr_assert_not_null(machine, "%s", error);
    trace_init(&machine_trace, machine_clock(machine));
    memcpy(machine_memory(machine)->host, memory, MEMORY_BYTES);
    machine_set_deadline(machine, BUDGET);
    exits = 0;
    on_exit_do = NULL;
}

/* Everything is set for VMLAUNCH of cpu. */
static inline void vmx_open(void)
{
    vmx_machine();
    cr_assert_eq(vmx_on(machine, MA(VMXON_REGION)), VMX_SUCCEED);
    cr_assert_eq(vmx_clear(machine, MA(VMCS)), VMX_SUCCEED);
    cr_assert_eq(vmx_load(machine, MA(VMCS)), VMX_SUCCEED);
    write_controls();
    write_host();
    write_guest();
    for (unsigned i = 0; i < GPR_COUNT; i++)
        if (i != GPR_ESP)
            machine_set_reg(machine, (enum gpr)i, cpu.gpr[i]);
}

static inline void vmx_fixture(void)
{
    machine_fixture();
    put_revision(VMXON_REGION);
    put_revision(VMCS);
    put_revision(OTHER_VMCS);
    enable_paging();
}

/* Launch and run to an exit (its reason) or to a HLT (NO_EXIT). */
static inline unsigned launch(void)
{
    enum machine_stop why;

    cr_assert_eq(vmx_launch(machine), VMX_SUCCEED, "%s: error %u",
                 vmx_complaint(machine), vmread(VMCS_INSTRUCTION_ERROR));
    why = machine_run(machine);
    cr_assert_str_eq(machine_broken(machine), "");
    if (why == MACHINE_HALTED)
        return NO_EXIT;
    cr_assert_eq(why, MACHINE_STOPPED);
    cr_assert(exits > 0, "the guest ran away to %x",
              (unsigned)machine_now(machine));
    return vmread(VMCS_EXIT_REASON);
}

#endif
