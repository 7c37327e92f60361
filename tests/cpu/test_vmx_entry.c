/* SPDX-License-Identifier: MIT */
/* tests/cpu/test_vmx_entry.c - VM entry: each check violated one by one.
 * SDM 3C, "VM Entries". */
#include "tests/cpu/test_vmx_fixture.h"

TestSuite(vmx_entry, .init = vmx_fixture, .timeout = 60);

enum { CONTROLS = 7, HOST = 8, GUEST = 33, ALLOWED = 0 };
enum { PDPT_BAD = 0x60020 };

struct change {
    unsigned verdict;
    uint32_t encoding, value;
    uint32_t second, second_value; /* 0: none */
};

/* Launch with one or two fields changed. */
static unsigned verdict_on(const struct change *c)
{
    unsigned verdict = ALLOWED;

    vmx_fixture();
    CODE_AT(CODE, 0x0F, 0xA2);
    put32(PDPT_BAD, PTE_P | PTE_W);
    vmx_open();
    vmwrite(c->encoding, c->value);
    if (c->second)
        vmwrite(c->second, c->second_value);
    switch (vmx_launch(machine)) {
    case VMX_FAIL_VALID: verdict = vmread(VMCS_INSTRUCTION_ERROR); break;
    case VMX_SUCCEED:
        machine_run(machine);
        if (exits && (vmread(VMCS_EXIT_REASON) & VMX_ENTRY_FAILURE))
            verdict = vmread(VMCS_EXIT_REASON) & 0xFFFF;
        break;
    default: cr_assert_fail("neither");
    }
    cr_expect_str_eq(machine_broken(machine), "");
    machine_destroy(machine);
    return verdict;
}

#define PIN0   0x16
#define PROC0  0x84006172u
#define INJECT VMCS_ENTRY_INTERRUPTION
#define VALID  INTERRUPTION_VALID

static const struct change control_changes[] = {
    {ALLOWED, VMCS_PIN_CONTROLS, PIN0, 0, 0},
    {CONTROLS, VMCS_PIN_CONTROLS, 0x14, 0, 0},
    {CONTROLS, VMCS_PIN_CONTROLS, PIN0 | 0x40, 0, 0},
    {CONTROLS, VMCS_PIN_CONTROLS, PIN0 | PIN_VIRTUAL_NMI, 0, 0},
    {ALLOWED, VMCS_PIN_CONTROLS, PIN0 | PIN_VIRTUAL_NMI | PIN_NMI, 0, 0},
    {CONTROLS, VMCS_PROC_CONTROLS, PROC0 & ~2u, 0, 0},
    {CONTROLS, VMCS_PROC_CONTROLS, PROC0 | 1, 0, 0},
    {CONTROLS, VMCS_PROC_CONTROLS, PROC0 | PROC_NMI_WINDOW, 0, 0},
    {CONTROLS, VMCS_PROC2_CONTROLS, 2 /* EPT, not yet */, 0, 0},
    {ALLOWED, VMCS_PROC2_CONTROLS, 2, VMCS_PROC_CONTROLS, 0x04006172},
    {CONTROLS, VMCS_VPID, 0, 0, 0},
    {ALLOWED, VMCS_VPID, 0, VMCS_PROC2_CONTROLS, 0},
    {ALLOWED, VMCS_CR3_TARGET_COUNT, 4, 0, 0},
    {CONTROLS, VMCS_CR3_TARGET_COUNT, 5, 0, 0},
    {ALLOWED, VMCS_IO_BITMAP_A, 1, 0, 0},
    {CONTROLS, VMCS_IO_BITMAP_A, 1, VMCS_PROC_CONTROLS,
     PROC0 | PROC_IO_BITMAPS},
    {CONTROLS, VMCS_IO_BITMAP_B, 0x800, VMCS_PROC_CONTROLS,
     PROC0 | PROC_IO_BITMAPS},
    {CONTROLS, VMCS_MSR_BITMAP + 1, 1, VMCS_PROC_CONTROLS,
     PROC0 | PROC_MSR_BITMAPS},
    {CONTROLS, VMCS_EXIT_CONTROLS, 0, 0, 0},
    {CONTROLS, VMCS_EXIT_CONTROLS, 0x36DFF | 0x200, 0, 0},
    {ALLOWED, VMCS_EXIT_CONTROLS, 0x36DFF | EXIT_ACKNOWLEDGE, 0, 0},
    {CONTROLS, VMCS_EXIT_MSR_STORE_COUNT, 1, 0, 0},
    {CONTROLS, VMCS_EXIT_MSR_LOAD_COUNT, 1, 0, 0},
    {CONTROLS, VMCS_ENTRY_MSR_LOAD_COUNT, 1, 0, 0},
    {CONTROLS, VMCS_ENTRY_CONTROLS, 0, 0, 0},
    {CONTROLS, VMCS_ENTRY_CONTROLS, 0x11FF | 0x200, 0, 0},
    {CONTROLS, INJECT, VALID | 1 << 8 | 32, 0, 0},
    {CONTROLS, INJECT, VALID | 7 << 8, 0, 0},
    {CONTROLS, INJECT, VALID | TYPE_NMI << 8 | 3, 0, 0},
    {ALLOWED, INJECT, VALID | TYPE_NMI << 8 | 2, 0, 0},
    {CONTROLS, INJECT, VALID | 3 << 8 | 32, 0, 0},
    {ALLOWED, INJECT, VALID | 3 << 8 | VEC_UD, 0, 0},
    {CONTROLS, INJECT, VALID | 3 << 8 | VEC_GP, 0, 0}, /* its error code */
    {ALLOWED, INJECT, VALID | 0xB00 | VEC_GP, 0, 0},
    {CONTROLS, INJECT, VALID | 0xB00 | VEC_UD, 0, 0},
    {CONTROLS, INJECT, VALID | 0xB00 | VEC_GP, VMCS_ENTRY_ERROR_CODE, 0x10000},
    {CONTROLS, INJECT, VALID | 3 << 8 | VEC_UD | 0x1000, 0, 0},
    {CONTROLS, INJECT, VALID | 4 << 8 | 0x80, 0, 0}, /* length 0 */
    {CONTROLS, INJECT, VALID | 4 << 8 | 0x80, VMCS_ENTRY_LENGTH, 16},
    {ALLOWED, INJECT, VALID | 4 << 8 | 0x80, VMCS_ENTRY_LENGTH, 2},
};

static const struct change host_changes[] = {
    {HOST, VMCS_HOST_CR0, CR0_PE | CR0_PG, 0, 0}, /* NE */
    {HOST, VMCS_HOST_CR0, CR0_PE | CR0_PG | CR0_NE | 0x100, 0, 0},
    {HOST, VMCS_HOST_CR4, 0, 0, 0},
    {HOST, VMCS_HOST_CR4, CR4_VMXE | CR4_UMIP, 0, 0},
    {ALLOWED, VMCS_HOST_EFER, 1, 0, 0},
    {HOST, VMCS_HOST_EFER, 1, VMCS_EXIT_CONTROLS, 0x36DFF | EXIT_LOAD_EFER},
    {ALLOWED, VMCS_HOST_EFER, EFER_NXE, VMCS_EXIT_CONTROLS,
     0x36DFF | EXIT_LOAD_EFER},
    {HOST, VMCS_HOST_ES_SELECTOR, 3, 0, 0},
    {HOST, VMCS_HOST_CS_SELECTOR, 0, 0, 0},
    {HOST, VMCS_HOST_CS_SELECTOR, 0x0C, 0, 0},
    {HOST, VMCS_HOST_SS_SELECTOR, 0, 0, 0},
    {HOST, VMCS_HOST_DS_SELECTOR, 4, 0, 0},
    {HOST, VMCS_HOST_FS_SELECTOR, 1, 0, 0},
    {HOST, VMCS_HOST_GS_SELECTOR, 2, 0, 0},
    {HOST, VMCS_HOST_TR_SELECTOR, 0, 0, 0},
};

#define STI_AND_IF VMCS_GUEST_EFLAGS, EFL_FIXED | EFL_IF
static const struct change guest_changes[] = {
    {GUEST, VMCS_GUEST_CR0, CR0_PE | CR0_PG, 0, 0},
    {GUEST, VMCS_GUEST_CR0, CR0_PE | CR0_NE, 0, 0},
    {GUEST, VMCS_GUEST_CR0, CR0_NE | CR0_PG, VMCS_PROC2_CONTROLS,
     PROC2_UNRESTRICTED},
    {ALLOWED, VMCS_GUEST_CR0, CR0_PE | CR0_NE, VMCS_PROC2_CONTROLS,
     PROC2_UNRESTRICTED},
    {GUEST, VMCS_GUEST_CR4, 0, 0, 0},
    {GUEST, VMCS_GUEST_CR4, CR4_VMXE | CR4_UMIP, 0, 0},
    /* CR3 is where the PDPTEs are: nothing is present, all is reserved. */
    {ALLOWED, VMCS_GUEST_CR4, CR4_VMXE | CR4_PAE, VMCS_GUEST_CR3, 0x60000},
    {GUEST, VMCS_GUEST_CR4, CR4_VMXE | CR4_PAE, VMCS_GUEST_CR3, PDPT_BAD},
    {ALLOWED, VMCS_GUEST_EFER, 1, 0, 0},
    {GUEST, VMCS_GUEST_EFER, 1, VMCS_ENTRY_CONTROLS, 0x11FF | ENTRY_LOAD_EFER},
    {ALLOWED, VMCS_GUEST_EFER, EFER_NXE, VMCS_ENTRY_CONTROLS,
     0x11FF | ENTRY_LOAD_EFER},
    {GUEST, VMCS_GUEST_DEBUGCTL, 1, 0, 0},
    {GUEST, VMCS_GUEST_EFLAGS, 0, 0, 0},
    {GUEST, VMCS_GUEST_EFLAGS, EFL_FIXED | 8, 0, 0},
    {GUEST, VMCS_GUEST_EFLAGS, EFL_FIXED | EFL_VM, 0, 0}, /* segments */
    {GUEST, VMCS_GUEST_TR_SELECTOR, 4, 0, 0},
    {GUEST, VMCS_GUEST_TR_RIGHTS, 0x89, 0, 0},
    {GUEST, VMCS_GUEST_TR_RIGHTS, 0x0B, 0, 0},
    {GUEST, VMCS_GUEST_TR_RIGHTS, RIGHTS_UNUSABLE | 0x8B, 0, 0},
    {GUEST, VMCS_GUEST_TR_LIMIT, 0x100000, 0, 0},
    {GUEST, VMCS_GUEST_LDTR_RIGHTS, 0x83, 0, 0},
    {ALLOWED, VMCS_GUEST_LDTR_RIGHTS, 0x82, 0, 0},
    {GUEST, VMCS_GUEST_LDTR_RIGHTS, 0x82, VMCS_GUEST_LDTR_SELECTOR, 4},
    {GUEST, VMCS_GUEST_CS_RIGHTS, 0xC093, 0, 0}, /* data */
    {GUEST, VMCS_GUEST_CS_RIGHTS, 0xC09A, 0, 0}, /* not accessed */
    {GUEST, VMCS_GUEST_CS_RIGHTS, 0xC01B, 0, 0}, /* not present */
    {GUEST, VMCS_GUEST_CS_RIGHTS, 0xC08B, 0, 0}, /* system */
    {GUEST, VMCS_GUEST_CS_RIGHTS, 0xC0FB, 0, 0}, /* DPL */
    {GUEST, VMCS_GUEST_CS_RIGHTS, 0x409B, 0, 0}, /* G */
    {GUEST, VMCS_GUEST_CS_RIGHTS, 0xC19B, 0, 0}, /* reserved */
    {ALLOWED, VMCS_GUEST_CS_RIGHTS, 0xC09F, 0, 0},
    {GUEST, VMCS_GUEST_SS_RIGHTS, 0xC091, 0, 0}, /* read-only */
    {GUEST, VMCS_GUEST_SS_SELECTOR, DATA3, 0, 0},
    {GUEST, VMCS_GUEST_DS_RIGHTS, 0xC092, 0, 0},
    {GUEST, VMCS_GUEST_DS_RIGHTS, 0xC099, 0, 0}, /* execute-only */
    {GUEST, VMCS_GUEST_DS_SELECTOR, DATA3, 0, 0},
    {ALLOWED, VMCS_GUEST_DS_RIGHTS, RIGHTS_UNUSABLE, 0, 0},
    {GUEST, VMCS_GUEST_GS_LIMIT, 0x12345, 0, 0},
    {GUEST, VMCS_GUEST_GDTR_LIMIT, 0x10000, 0, 0},
    {GUEST, VMCS_GUEST_IDTR_LIMIT, 0x10000, 0, 0},
    {GUEST, VMCS_GUEST_ACTIVITY, 2, 0, 0},
    {ALLOWED, VMCS_GUEST_ACTIVITY, ACTIVITY_HLT, 0, 0},
    {GUEST, VMCS_GUEST_ACTIVITY, ACTIVITY_HLT, VMCS_GUEST_INTERRUPTIBILITY,
     BLOCKING_MOV_SS},
    {GUEST, VMCS_GUEST_ACTIVITY, ACTIVITY_HLT, INJECT, VALID | 0x300 | VEC_UD},
    {ALLOWED, VMCS_GUEST_ACTIVITY, ACTIVITY_HLT, INJECT,
     VALID | 0x300 | VEC_DB},
    {GUEST, VMCS_GUEST_INTERRUPTIBILITY, 0x20, 0, 0},
    {GUEST, VMCS_GUEST_INTERRUPTIBILITY, 3, STI_AND_IF},
    {GUEST, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI, 0, 0}, /* IF is 0 */
    {ALLOWED, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI, STI_AND_IF},
    {GUEST, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_MOV_SS, INJECT,
     VALID | TYPE_NMI << 8 | 2},
    {GUEST, INJECT, VALID | 0x30, 0, 0}, /* IF is 0 */
    {ALLOWED, INJECT, VALID | 0x30, STI_AND_IF},
    {GUEST, VMCS_GUEST_PENDING_DEBUG, 0x10, 0, 0},
    {GUEST, VMCS_GUEST_PENDING_DEBUG, DR6_BS, VMCS_GUEST_INTERRUPTIBILITY,
     BLOCKING_MOV_SS},
    {GUEST, VMCS_VMCS_LINK_POINTER, 0, 0, 0},
};

static void check_all(const struct change *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned verdict = verdict_on(&list[i]);

        cr_expect_eq(verdict, list[i].verdict,
                     "case %u, field %04x = %x: verdict %u", i,
                     list[i].encoding, list[i].value, verdict);
    }
}

Test(vmx_entry, checks_on_the_controls)
{
    check_all(control_changes,
              sizeof control_changes / sizeof *control_changes);
}

Test(vmx_entry, checks_on_the_host_state)
{
    check_all(host_changes, sizeof host_changes / sizeof *host_changes);
}

Test(vmx_entry, checks_on_the_guest_state)
{
    check_all(guest_changes, sizeof guest_changes / sizeof *guest_changes);
}

Test(vmx_entry, virtual_8086_segments_are_checked)
{
    static const struct {
        uint32_t encoding, value;
    } wrong[] = {{VMCS_GUEST_DS_BASE, 0x10010},
                 {VMCS_GUEST_SS_LIMIT, 0xFFFFF},
                 {VMCS_GUEST_GS_RIGHTS, 0x93}};

    for (unsigned i = 0; i <= sizeof wrong / sizeof *wrong; i++) {
        bool changed = i < sizeof wrong / sizeof *wrong;

        vmx_fixture();
        CODE_AT(0x10200, 0x0F, 0xA2);
        enter_vm86(3);
        vmx_open();
        if (changed)
            vmwrite(wrong[i].encoding, wrong[i].value);
        cr_assert_eq(vmx_launch(machine), VMX_SUCCEED);
        machine_run(machine);
        cr_expect_eq(vmread(VMCS_EXIT_REASON),
                     changed ? (33 | VMX_ENTRY_FAILURE) : (uint32_t)VMX_CPUID,
                     "case %u: %s", i, vmx_complaint(machine));
        machine_destroy(machine);
    }
}

Test(vmx_entry, a_refused_guest_keeps_its_vmcs_clear)
{
    CODE_AT(CODE, 0x0F, 0xA2);
    vmx_open();
    vmwrite(VMCS_GUEST_TR_RIGHTS, 0);
    cr_assert_eq(launch(), 33 | VMX_ENTRY_FAILURE);
    cr_expect_str_eq(vmx_complaint(machine), "TR type");
    cr_expect_eq(vmread(VMCS_EXIT_QUALIFICATION), 0);
    vmwrite(VMCS_GUEST_TR_RIGHTS, 0x8B);
    exits = 0;
    cr_expect_eq(launch(), VMX_CPUID, "VMLAUNCH works now");
}

Test(vmx_entry, pdptes_have_their_qualification)
{
    put32(PDPT_BAD, PTE_P | PTE_W);
    vmx_open();
    vmwrite(VMCS_GUEST_CR4, CR4_VMXE | CR4_PAE);
    vmwrite(VMCS_GUEST_CR3, PDPT_BAD);
    cr_assert_eq(launch(), 33 | VMX_ENTRY_FAILURE);
    cr_expect_eq(vmread(VMCS_EXIT_QUALIFICATION), 2);
}

/* The guest turns NXE off; the exit saves that, or it does not. */
Test(vmx_entry, efer_is_loaded_and_saved_as_the_controls_say)
{
    static const uint8_t clear[] = {0x31, 0xC0, 0x31, 0xD2, 0xB9, 0x80, 0,
                                    0,    0xC0, 0x0F, 0x30, 0x0F, 0xA2};

    for (unsigned save = 0; save < 2; save++) {
        struct cpu_state s;

        vmx_fixture();
        put_code(CODE, clear, sizeof clear); /* wrmsr; cpuid */
        vmx_open();
        vmwrite(VMCS_PROC_CONTROLS, PROC0 | PROC_MSR_BITMAPS);
        vmwrite(VMCS_ENTRY_CONTROLS, 0x11FF | ENTRY_LOAD_EFER);
        vmwrite(VMCS_EXIT_CONTROLS, 0x36DFF | (save ? EXIT_SAVE_EFER : 0));
        vmwrite(VMCS_GUEST_EFER, EFER_NXE);
        cr_assert_eq(launch(), VMX_CPUID);
        cr_expect_eq(vmread(VMCS_GUEST_EFER), save ? 0 : EFER_NXE);
        exits = 0;
        cr_assert_eq(vmx_resume(machine), VMX_SUCCEED);
        machine_get_state(machine, &s);
        cr_expect_eq(s.efer, save ? 0 : EFER_NXE);
        machine_destroy(machine);
    }
}

Test(vmx_entry, link_pointer_has_its_qualification)
{
    vmx_open();
    vmwrite(VMCS_VMCS_LINK_POINTER, 0);
    cr_assert_eq(launch(), 33 | VMX_ENTRY_FAILURE);
    cr_expect_eq(vmread(VMCS_EXIT_QUALIFICATION), 4);
}

/* ---- modes
 * --------------------------------------------------------------------- */

/* Real mode, unrestricted: CR3's tables translate, the IVT is used. */
Test(vmx_entry, real_mode)
{
    enter_real();
    put16(0x20 * 4, 0x300); /* INT 20h */
    put16(0x20 * 4 + 2, 0x1000);
    page_maps(0x11000, 0x12000);
    CODE_AT(0x10200, 0xB8, 0x34, 0x12, /* mov $0x1234,%ax */
            0xCD, 0x20,                /* int $0x20 */
            0x8A, 0x1E, 0x00, 0x10,    /* mov 0x1000,%bl */
            0x0F, 0xA2);
    CODE_AT(0x10300, 0x40, 0xCF); /* inc %ax; iret */
    memory[0x12000] = 0x5A;
    cpu.cr3 = PAGE_DIRECTORY;
    vmx_open();
    vmset(VMCS_PROC2_CONTROLS, PROC2_UNRESTRICTED);
    cr_assert_eq(launch(), VMX_CPUID, "%s", vmx_complaint(machine));
    cr_expect_eq(machine_reg(machine, GPR_EAX) & 0xFFFF, 0x1235);
    cr_expect_eq(machine_reg(machine, GPR_EBX) & 0xFF, 0x5A);
    cr_expect_eq(vmread(VMCS_GUEST_EIP), 0x209);
}
