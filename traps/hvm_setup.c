/* SPDX-License-Identifier: MIT */
/* traps/hvm_setup.c - a VMCS for a guest: what exits, and what does not.
 *
 * Reference: SDM 3C, "Using VMX Instructions"; "Preparation and Launch".
 */
#include <stdio.h>
#include <stdlib.h>

#include "traps/hvm_priv.h"

/* What always exits. Ports are the virtual devices'. */
#define PROC_ALWAYS                                                            \
    (PROC_HLT | PROC_TSC_OFFSET | PROC_IO | PROC_MSR_BITMAPS | PROC_SECONDARY)
/* And while the guest's tables are not the processor's. */
#define PROC_OWN_TABLES (PROC_INVLPG | PROC_CR3_LOAD | PROC_CR3_STORE)

static bool take_frames(struct monitor *mon, struct hvm *h)
{
    struct frames *frames = mon->config.frames;

    return frames_take(frames, &h->vmxon_region) &&
           frames_take(frames, &h->vmcs) && frames_take(frames, &h->msr_bitmap);
}

/* Every MSR exits but those that a VMCS has for the guest. */
static void fill_msr_bitmap(const struct memory *memory, ma_t map)
{
    static const unsigned own[] = {MSR_SYSENTER_CS, MSR_SYSENTER_ESP,
                                   MSR_SYSENTER_EIP};
    enum { READ_LOW = 0, WRITE_LOW = 2048 };
    uint8_t *bits = memory_at(memory, map);

    memset(bits, 0xFF, PAGE_BYTES);
    for (unsigned i = 0; i < sizeof own / sizeof *own; i++) {
        uint8_t clear = (uint8_t) ~(1u << own[i] % 8);

        bits[READ_LOW + own[i] / 8] &= clear;
        bits[WRITE_LOW + own[i] / 8] &= clear;
    }
}

static void write_controls(struct monitor *mon, struct hvm *h)
{
    bool nested = hvm_nested(mon);

    h->proc = (uint32_t)vmx_capability(MSR_VMX_TRUE_PROC) | PROC_ALWAYS |
              (nested ? 0 : PROC_OWN_TABLES);
    hvm_write(mon, VMCS_PIN_CONTROLS,
              (uint32_t)vmx_capability(MSR_VMX_TRUE_PIN) |
                  PIN_EXTERNAL_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMI);
    hvm_write(mon, VMCS_PROC_CONTROLS, h->proc);
    hvm_write(mon, VMCS_PROC2_CONTROLS,
              PROC2_UNRESTRICTED | (hvm_tagged(mon) ? PROC2_VPID : 0) |
                  (nested ? PROC2_EPT : 0));
    hvm_write(mon, VMCS_VPID, VPID_OF_GUEST);
    hvm_write(mon, VMCS_EXCEPTION_BITMAP, nested ? 0 : 1u << VEC_PF);
    hvm_write(mon, VMCS_MSR_BITMAP, (uint32_t)h->msr_bitmap.v);
    hvm_write(mon, VMCS_EXIT_CONTROLS,
              (uint32_t)vmx_capability(MSR_VMX_TRUE_EXIT));
    hvm_write(mon, VMCS_ENTRY_CONTROLS,
              (uint32_t)vmx_capability(MSR_VMX_TRUE_ENTRY) | ENTRY_LOAD_EFER);
    hvm_write(mon, VMCS_VMCS_LINK_POINTER, 0xFFFFFFFF);
    hvm_write(mon, VMCS_VMCS_LINK_POINTER + 1, 0xFFFFFFFF);
}

/* The monitor's own state: flat segments of a table that it never loads, for
 * it runs on the host. The processor checks them all the same. */
static void write_host(struct monitor *mon)
{
    enum { CODE = 0x08, DATA = 0x10, TASK = 0x18 };
    static const uint32_t data[] = {
        VMCS_HOST_ES_SELECTOR, VMCS_HOST_SS_SELECTOR, VMCS_HOST_DS_SELECTOR};

    hvm_write(mon, VMCS_HOST_CR0, CR0_PE | CR0_PG | CR0_WP | CR0_NE | CR0_ET);
    hvm_write(mon, VMCS_HOST_CR4, CR4_VMXE);
    hvm_write(mon, VMCS_HOST_CS_SELECTOR, CODE);
    for (unsigned i = 0; i < sizeof data / sizeof *data; i++)
        hvm_write(mon, data[i], DATA);
    hvm_write(mon, VMCS_HOST_TR_SELECTOR, TASK);
}

bool hvm_start(struct monitor *mon, char **error)
{
    const struct memory *memory = machine_memory(mon->machine);
    struct hvm *h = calloc(1, sizeof *h);

    mon->own = h;
    if (!h || !take_frames(mon, h)) {
        if (asprintf(error, "no machine memory for a VMCS") < 0)
            *error = NULL;
        return false;
    }
    memory_write32(memory, h->vmxon_region, VMX_REVISION);
    memory_write32(memory, h->vmcs, VMX_REVISION);
    fill_msr_bitmap(memory, h->msr_bitmap);
    if (vmx_on(mon->machine, h->vmxon_region) != VMX_SUCCEED ||
        vmx_clear(mon->machine, h->vmcs) != VMX_SUCCEED ||
        vmx_load(mon->machine, h->vmcs) != VMX_SUCCEED) {
        if (asprintf(error, "the processor does not enter VMX operation") < 0)
            *error = NULL;
        return false;
    }
    h->in_exit = true;
    h->tags.withdrawn = 1;
    write_controls(mon, h);
    write_host(mon);
    return true;
}

void hvm_destroy(struct monitor *mon)
{
    free(mon->own);
    mon->own = NULL;
}

/* monitor.v is the guest's first state. */
void hvm_enter(struct monitor *mon)
{
    struct hvm *h = hvm_of(mon);

    h->valid = h->written = PARTS_ALL;
    mon->dirty = true;
    hvm_resume(mon);
}
