/* SPDX-License-Identifier: MIT */
/* cpu/vmx_check.c - what a VM entry demands of the controls and of the host.
 *
 * Reference: SDM 3C, "Checks on VM-Execution Control Fields", "Checks on
 * VM-Exit Control Fields", "Checks on VM-Entry Control Fields", "Checks on
 * Host Control Registers", "Checks on Host Segment and Descriptor-Table
 * Registers".
 */
#include "cpu/ept.h"
#include "cpu/machine_priv.h"
#include "cpu/vmx.h"

#define REQUIRE(condition, complaint)                                          \
    do {                                                                       \
        if (!(condition))                                                      \
            return complaint;                                                  \
    } while (0)

/* Bits that must be 1 are, and no others than may be. */
static bool allowed(uint32_t value, uint32_t msr)
{
    return (~value & vmx_must_be(msr)) == 0 && (value & ~vmx_may_be(msr)) == 0;
}

static bool page_address(uint64_t address)
{
    return (address & PAGE_MASK) == 0 && address >> 32 == 0;
}

static const char *check_execution(const struct machine *m)
{
    const struct vmx_controls *c = &m->vmx.c;

    REQUIRE(allowed(c->pin, MSR_VMX_TRUE_PIN), "pin-based controls");
    REQUIRE(allowed(c->proc, MSR_VMX_TRUE_PROC), "processor-based controls");
    REQUIRE(allowed(c->proc2, MSR_VMX_PROC2), "secondary controls");
    REQUIRE(c->cr3_targets <= 4, "CR3-target count");
    REQUIRE(!(c->proc & PROC_IO_BITMAPS) ||
                (page_address(c->io_bitmap_a) && page_address(c->io_bitmap_b)),
            "I/O bitmap addresses");
    REQUIRE(!(c->proc & PROC_MSR_BITMAPS) || page_address(c->msr_bitmap),
            "MSR bitmap address");
    REQUIRE((c->pin & PIN_NMI) || !(c->pin & PIN_VIRTUAL_NMI),
            "virtual NMIs without NMI exiting");
    REQUIRE((c->pin & PIN_VIRTUAL_NMI) || !(c->proc & PROC_NMI_WINDOW),
            "NMI-window exiting without virtual NMIs");
    REQUIRE(!(c->proc2 & PROC2_VPID) || c->vpid, "VPID 0");
    REQUIRE(!(c->proc2 & PROC2_EPT) || ept_pointer_valid(c->eptp),
            "EPT pointer");
    return NULL;
}

static bool wants_error_code(unsigned vector)
{
    return vector == VEC_DF || (vector >= VEC_TS && vector <= VEC_PF) ||
           vector == VEC_AC;
}

/* The event that the entry is to inject. */
static const char *check_injection(const struct machine *m)
{
    uint32_t info = vmcs_get(m, F_ENTRY_INTERRUPTION);
    unsigned type = (info & INTERRUPTION_TYPE) >> INTERRUPTION_TYPE_SHIFT;
    unsigned vector = info & 0xFF, length = vmcs_get(m, F_ENTRY_LENGTH);
    bool hardware = type == TYPE_HARDWARE_EXCEPTION;
    bool error = (info & INTERRUPTION_HAS_ERROR) != 0;
    bool real = (m->vmx.c.proc2 & PROC2_UNRESTRICTED) &&
                !(vmx_guest_value(m, F_GUEST_CR0) & CR0_PE);

    if (!(info & INTERRUPTION_VALID))
        return NULL;
    REQUIRE(type != 1 && type != 7, "type of the injected event");
    REQUIRE(type != TYPE_NMI || vector == VEC_NMI, "vector of an NMI");
    REQUIRE(!hardware || vector < VEC_EXCEPTIONS, "vector of an exception");
    REQUIRE(error == (hardware && !real && wants_error_code(vector)),
            "error code of the injected event");
    REQUIRE((info & 0x7FFFF000u) == 0, "reserved bits of the injected event");
    REQUIRE(!error || vmcs_get(m, F_ENTRY_ERROR_CODE) >> 16 == 0,
            "error code's reserved bits");
    REQUIRE(type < TYPE_SOFTWARE_INTERRUPT ||
                (length >= 1 && length <= INSN_MAX_LENGTH),
            "length of the injected instruction");
    return NULL;
}

const char *vmx_check_controls(const struct machine *m)
{
    const char *wrong = check_execution(m);

    if (wrong)
        return wrong;
    REQUIRE(allowed(m->vmx.c.exit, MSR_VMX_TRUE_EXIT), "VM-exit controls");
    REQUIRE(vmcs_get(m, F_EXIT_MSR_STORE_COUNT) == 0 &&
                vmcs_get(m, F_EXIT_MSR_LOAD_COUNT) == 0,
            "VM-exit MSR counts");
    REQUIRE(allowed(m->vmx.c.entry, MSR_VMX_TRUE_ENTRY), "VM-entry controls");
    REQUIRE(vmcs_get(m, F_ENTRY_MSR_LOAD_COUNT) == 0, "VM-entry MSR count");
    return check_injection(m);
}

const char *vmx_check_host(const struct machine *m)
{
    static const enum vmcs_place selectors[] = {
        F_HOST_ES_SELECTOR, F_HOST_CS_SELECTOR, F_HOST_SS_SELECTOR,
        F_HOST_DS_SELECTOR, F_HOST_FS_SELECTOR, F_HOST_GS_SELECTOR,
        F_HOST_TR_SELECTOR};
    uint32_t cr0 = vmcs_get(m, F_HOST_CR0), cr4 = vmcs_get(m, F_HOST_CR4);

    REQUIRE((~cr0 & vmx_must_be(MSR_VMX_CR0_FIXED0)) == 0 &&
                (cr0 & ~vmx_must_be(MSR_VMX_CR0_FIXED1)) == 0,
            "host CR0");
    REQUIRE((~cr4 & vmx_must_be(MSR_VMX_CR4_FIXED0)) == 0 &&
                (cr4 & ~vmx_must_be(MSR_VMX_CR4_FIXED1)) == 0,
            "host CR4");
    REQUIRE(!(m->vmx.c.exit & EXIT_LOAD_EFER) ||
                !(vmcs_get64(m, F_HOST_EFER) & ~(uint64_t)ARCH_EFER_BITS),
            "host IA32_EFER");
    for (unsigned i = 0; i < sizeof selectors / sizeof *selectors; i++)
        REQUIRE((vmcs_get(m, selectors[i]) & (SEL_RPL | SEL_TI)) == 0,
                "RPL or TI of a host selector");
    REQUIRE(vmcs_get(m, F_HOST_CS_SELECTOR), "host CS selector 0");
    REQUIRE(vmcs_get(m, F_HOST_TR_SELECTOR), "host TR selector 0");
    REQUIRE(vmcs_get(m, F_HOST_SS_SELECTOR), "host SS selector 0");
    return NULL;
}
