/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_vmx_life.c - the life of a VMCS: every wrong order and wrong
 * content has its number. SDM 3C, "VM Instruction Error Numbers". */
#include "tests/cpu/test_vmx_fixture.h"

TestSuite(vmx_life, .init = vmx_fixture, .timeout = 60);

static uint32_t error_number(void)
{
    return vmread(VMCS_INSTRUCTION_ERROR);
}

#define FAILS(call, number)                                                    \
    do {                                                                       \
        cr_expect_eq((call), VMX_FAIL_VALID, #call);                           \
        cr_expect_eq(error_number(), (uint32_t)(number), #call ": %u",         \
                     error_number());                                          \
    } while (0)

Test(vmx_life, nothing_works_before_vmxon)
{
    uint32_t value;
    ma_t at;

    vmx_machine();
    cr_expect_eq(vmx_off(machine), VMX_UNDEFINED);
    cr_expect_eq(vmx_clear(machine, MA(VMCS)), VMX_UNDEFINED);
    cr_expect_eq(vmx_load(machine, MA(VMCS)), VMX_UNDEFINED);
    cr_expect_eq(vmx_store(machine, &at), VMX_UNDEFINED);
    cr_expect_eq(vmx_read(machine, VMCS_GUEST_CR0, &value), VMX_UNDEFINED);
    cr_expect_eq(vmx_write(machine, VMCS_GUEST_CR0, 0), VMX_UNDEFINED);
    cr_expect_eq(vmx_launch(machine), VMX_UNDEFINED);
    cr_expect_eq(vmx_resume(machine), VMX_UNDEFINED);
    cr_expect_eq(vmx_invvpid(machine, INVVPID_ALL, 0, 0), VMX_UNDEFINED);
}

Test(vmx_life, vmxon_wants_a_region)
{
    put32(VMXON_REGION, 0);
    vmx_machine();
    cr_expect_eq(vmx_on(machine, MA(VMXON_REGION)), VMX_FAIL_INVALID,
                 "its revision");
    cr_expect_eq(vmx_on(machine, MA(VMCS + 4)), VMX_FAIL_INVALID, "alignment");
    cr_expect_eq(vmx_on(machine, MA(MEMORY_BYTES)), VMX_FAIL_INVALID, "memory");
    cr_expect_eq(vmx_on(machine, MA(VMCS)), VMX_SUCCEED);
    cr_expect_eq(vmx_on(machine, MA(VMCS)), VMX_FAIL_INVALID, "no current");
}

Test(vmx_life, no_current_vmcs_is_fail_invalid)
{
    uint32_t value;
    ma_t at;

    vmx_machine();
    cr_assert_eq(vmx_on(machine, MA(VMXON_REGION)), VMX_SUCCEED);
    cr_expect_eq(vmx_store(machine, &at), VMX_SUCCEED);
    cr_expect_eq(at.v, VMX_NO_VMCS);
    cr_expect_eq(vmx_read(machine, VMCS_GUEST_CR0, &value), VMX_FAIL_INVALID);
    cr_expect_eq(vmx_write(machine, VMCS_GUEST_CR0, 0), VMX_FAIL_INVALID);
    cr_expect_eq(vmx_launch(machine), VMX_FAIL_INVALID);
    cr_expect_eq(vmx_resume(machine), VMX_FAIL_INVALID);
    cr_expect_eq(vmx_clear(machine, MA(4)), VMX_FAIL_INVALID);
}

Test(vmx_life, wrong_pointers)
{
    vmx_open();
    FAILS(vmx_clear(machine, MA(VMCS + 8)), 2);
    FAILS(vmx_clear(machine, MA(MEMORY_BYTES)), 2);
    FAILS(vmx_clear(machine, MA(VMXON_REGION)), 3);
    FAILS(vmx_load(machine, MA(VMCS + 8)), 9);
    FAILS(vmx_load(machine, MA(VMXON_REGION)), 10);
    FAILS(vmx_load(machine, MA(BITMAP_A)), 11);
    FAILS(vmx_on(machine, MA(VMXON_REGION)), 15);
    FAILS(vmx_invvpid(machine, INVVPID_CONTEXT, 0, 0), 28);
    FAILS(vmx_invvpid(machine, (enum vmx_invvpid)7, 1, 0), 28);
}

Test(vmx_life, launch_state)
{
    ma_t at;

    CODE_AT(CODE, 0x0F, 0xA2, 0x0F, 0xA2, OP_HLT); /* cpuid; cpuid */
    vmx_open();
    FAILS(vmx_resume(machine), 5);
    cr_assert_eq(launch(), VMX_CPUID);
    FAILS(vmx_launch(machine), 4);
    cr_expect_eq(vmx_resume(machine), VMX_SUCCEED);
    machine_run(machine);
    cr_assert_eq(vmread(VMCS_EXIT_REASON), VMX_CPUID);
    vmwrite(VMCS_GUEST_EIP, CODE + 2);
    cr_expect_eq(vmx_clear(machine, MA(VMCS)), VMX_SUCCEED);
    cr_expect_eq(vmx_store(machine, &at), VMX_SUCCEED);
    cr_expect_eq(at.v, VMX_NO_VMCS);
    cr_expect_eq(vmx_load(machine, MA(VMCS)), VMX_SUCCEED);
    FAILS(vmx_resume(machine), 5);
    cr_expect_eq(vmread(VMCS_GUEST_EIP), CODE + 2, "VMCLEAR put it there");
    cr_assert_eq(launch(), VMX_CPUID);
    cr_expect_eq(vmread(VMCS_GUEST_EIP), CODE + 2);
}

Test(vmx_life, a_second_vmcs_has_its_own_state)
{
    ma_t at;

    CODE_AT(CODE, 0x0F, 0xA2);
    vmx_open();
    cr_assert_eq(launch(), VMX_CPUID);
    cr_assert_eq(vmx_load(machine, MA(OTHER_VMCS)), VMX_SUCCEED);
    cr_expect_eq(vmread(VMCS_GUEST_EIP), 0);
    vmwrite(VMCS_GUEST_EIP, 0x1234);
    cr_expect_eq(vmx_store(machine, &at), VMX_SUCCEED);
    cr_expect_eq(at.v, (uint64_t)OTHER_VMCS);
    cr_assert_eq(vmx_load(machine, MA(VMCS)), VMX_SUCCEED);
    cr_expect_eq(vmread(VMCS_GUEST_EIP), CODE);
    cr_expect_eq(vmread(VMCS_GUEST_CR3), PAGE_DIRECTORY);
    exits = 0;
    cr_assert_eq(vmx_resume(machine), VMX_SUCCEED, "%s",
                 vmx_complaint(machine));
    machine_run(machine);
    cr_expect_eq(exits, 1);
    cr_expect_eq(vmread(VMCS_GUEST_EIP), CODE);
}

Test(vmx_life, vmxoff_ends_it)
{
    vmx_open();
    cr_expect_eq(vmx_off(machine), VMX_SUCCEED);
    cr_expect_eq(vmx_launch(machine), VMX_UNDEFINED);
    cr_expect_eq(vmx_on(machine, MA(VMXON_REGION)), VMX_SUCCEED);
}

Test(vmx_life, save_and_restore_in_the_middle)
{
    size_t bytes;
    void *saved;

    CODE_AT(CODE, 0x0F, 0xA2, 0x40, 0x0F, 0xA2); /* cpuid; inc; cpuid */
    vmx_open();
    cr_assert_eq(launch(), VMX_CPUID);
    bytes = machine_save(machine, NULL, 0);
    saved = malloc(bytes);
    cr_assert_eq(machine_save(machine, saved, bytes), bytes);
    cr_assert_eq(vmx_off(machine), VMX_SUCCEED);
    cr_assert(machine_restore(machine, saved, bytes));
    free(saved);
    cr_expect_eq(vmread(VMCS_GUEST_EIP), CODE);
    vmwrite(VMCS_GUEST_EIP, CODE + 2);
    cr_assert_eq(vmx_resume(machine), VMX_SUCCEED);
    machine_run(machine);
    cr_expect_eq(vmread(VMCS_GUEST_EIP), CODE + 3);
}

/* ---- fields ----------------------------------------------------------------
 */

static uint32_t pattern(const struct vmcs_field *f)
{
    uint32_t value = 0xA5000000u + f->encoding * 0x101u;

    return f->width == WIDTH_16 ? value & 0xFFFF : value;
}

Test(vmx_life, every_field_reads_what_was_written)
{
    vmx_open();
    for (unsigned i = 0; i < F_COUNT; i++) {
        const struct vmcs_field *f = &vmcs_fields[i];

        cr_expect_eq(vmcs_find(f->encoding), i, "%s", f->name);
        if (f->read_only) {
            FAILS(vmx_write(machine, f->encoding, 1), 13);
            continue;
        }
        vmwrite(f->encoding, pattern(f));
        if (f->width == WIDTH_64)
            vmwrite(f->encoding | 1u, ~pattern(f));
    }
    for (unsigned i = 0; i < F_COUNT; i++) {
        const struct vmcs_field *f = &vmcs_fields[i];

        if (f->read_only)
            continue;
        cr_expect_eq(vmread(f->encoding), pattern(f), "%s", f->name);
        if (f->width == WIDTH_64)
            cr_expect_eq(vmread(f->encoding | 1u), ~pattern(f), "%s", f->name);
    }
}

Test(vmx_life, guest_fields_read_what_was_written_between_exits)
{
    CODE_AT(CODE, 0x0F, 0xA2);
    vmx_open();
    cr_assert_eq(launch(), VMX_CPUID);
    for (unsigned i = 0; i < F_COUNT; i++) {
        const struct vmcs_field *f = &vmcs_fields[i];

        if (f->area != AREA_GUEST)
            continue;
        vmwrite(f->encoding, pattern(f));
        cr_expect_eq(vmread(f->encoding), pattern(f), "%s", f->name);
    }
}

Test(vmx_life, fields_that_do_not_exist)
{
    static const uint32_t none[] = {
        0x0006, 0x0810, 0x0801, /* the high half of a 16-bit field */
        0x2012, 0x4020, 0x6001, 0x6828, 0x8000, 0x10800, 0xFFFFFFFF};
    uint32_t value;

    vmx_open();
    for (unsigned i = 0; i < sizeof none / sizeof *none; i++) {
        FAILS(vmx_read(machine, none[i], &value), 12);
        FAILS(vmx_write(machine, none[i], 0), 12);
    }
}
