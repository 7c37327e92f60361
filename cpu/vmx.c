/* SPDX-License-Identifier: MIT */
/* cpu/vmx.c - the VMX instructions, from VMXON to VMWRITE.
 *
 * Reference: SDM 3C, "VMX Instruction Reference": the order of the tests below
 * is that of the instructions' "Operation" sections.
 */
#include "cpu/vmx.h"
#include "cpu/ept.h"
#include "cpu/machine_priv.h"

/* A region in memory: its header, then the fields (cpu/vmx_fields.c). */
enum { AT_REVISION = 0, AT_ABORT = 4, AT_LAUNCHED = 8 };

/* ---- fields ------------------------------------------------------------- */

static uint8_t *at_field(const struct machine *m, enum vmcs_place place)
{
    return memory_at(&m->memory, MA(m->vmx.current)) +
           vmcs_fields[place].offset;
}

uint32_t vmcs_get(const struct machine *m, enum vmcs_place place)
{
    uint32_t value;

    memcpy(&value, at_field(m, place), sizeof value);
    return value;
}

uint64_t vmcs_get64(const struct machine *m, enum vmcs_place place)
{
    uint64_t value;

    memcpy(&value, at_field(m, place), sizeof value);
    return value;
}

void vmcs_put(struct machine *m, enum vmcs_place place, uint32_t value)
{
    memcpy(at_field(m, place), &value, sizeof value);
}

void vmcs_put64(struct machine *m, enum vmcs_place place, uint64_t value)
{
    memcpy(at_field(m, place), &value, sizeof value);
}

/* ---- how an instruction ends -------------------------------------------- */

static enum vmx_result fail(struct machine *m, enum vmx_error error)
{
    if (m->vmx.current == VMX_NO_VMCS)
        return VMX_FAIL_INVALID;
    vmcs_put(m, F_INSTRUCTION_ERROR, error);
    return VMX_FAIL_VALID;
}

static bool root(const struct machine *m)
{
    return m->vmx.on && !m->vmx.non_root;
}

static bool is_region(const struct machine *m, ma_t ma)
{
    return (ma.v & PAGE_MASK) == 0 && memory_has(&m->memory, ma, PAGE_BYTES);
}

static bool has_revision(const struct machine *m, ma_t ma)
{
    return memory_read32(&m->memory, MA(ma.v + AT_REVISION)) == VMX_REVISION;
}

/* ---- life --------------------------------------------------------------- */

enum vmx_result vmx_on(struct machine *m, ma_t region)
{
    if (m->vmx.non_root)
        return VMX_UNDEFINED;
    if (m->vmx.on)
        return fail(m, VMX_ERROR_VMXON_IN_ROOT);
    if (!is_region(m, region) || !has_revision(m, region))
        return VMX_FAIL_INVALID;
    m->vmx =
        (struct vmx){.on = true, .region = region.v, .current = VMX_NO_VMCS};
    return VMX_SUCCEED;
}

/* What the processor keeps of the current VMCS goes to memory. */
static void put_away(struct machine *m)
{
    if (m->vmx.current != VMX_NO_VMCS && m->vmx.loaded)
        vmx_write_back(m);
    m->vmx.loaded = false;
    m->vmx.stale = 0;
}

enum vmx_result vmx_off(struct machine *m)
{
    if (!root(m))
        return VMX_UNDEFINED;
    put_away(m);
    m->vmx = (struct vmx){.on = false};
    drops_switch(m, 0, 0);
    return VMX_SUCCEED;
}

enum vmx_result vmx_clear(struct machine *m, ma_t vmcs)
{
    if (!root(m))
        return VMX_UNDEFINED;
    if (!is_region(m, vmcs))
        return fail(m, VMX_ERROR_VMCLEAR_ADDRESS);
    if (vmcs.v == m->vmx.region)
        return fail(m, VMX_ERROR_VMCLEAR_VMXON_POINTER);
    if (vmcs.v == m->vmx.current) {
        put_away(m);
        m->vmx.current = VMX_NO_VMCS;
    }
    memory_write32(&m->memory, MA(vmcs.v + AT_LAUNCHED), 0);
    return VMX_SUCCEED;
}

enum vmx_result vmx_load(struct machine *m, ma_t vmcs)
{
    if (!root(m))
        return VMX_UNDEFINED;
    if (!is_region(m, vmcs))
        return fail(m, VMX_ERROR_VMPTRLD_ADDRESS);
    if (vmcs.v == m->vmx.region)
        return fail(m, VMX_ERROR_VMPTRLD_VMXON_POINTER);
    if (!has_revision(m, vmcs))
        return fail(m, VMX_ERROR_VMPTRLD_REVISION);
    if (vmcs.v == m->vmx.current)
        return VMX_SUCCEED;
    put_away(m);
    m->vmx.current = vmcs.v;
    m->vmx.control_written = true;
    return VMX_SUCCEED;
}

enum vmx_result vmx_store(const struct machine *m, ma_t *out)
{
    if (!root(m))
        return VMX_UNDEFINED;
    *out = MA(m->vmx.current);
    return VMX_SUCCEED;
}

/* ---- VMREAD and VMWRITE ------------------------------------------------- */

static bool cached(const struct machine *m, enum vmcs_place place)
{
    return vmcs_fields[place].area == AREA_GUEST && vmx_in_processor(m, place);
}

enum vmx_result vmx_read(struct machine *m, uint32_t encoding, uint32_t *out)
{
    enum vmcs_place place = vmcs_find(encoding);
    uint64_t value;

    if (!root(m))
        return VMX_UNDEFINED;
    if (m->vmx.current == VMX_NO_VMCS)
        return VMX_FAIL_INVALID;
    if (place == F_COUNT)
        return fail(m, VMX_ERROR_NO_SUCH_FIELD);
    value = cached(m, place) ? vmx_guest_field(m, place) : vmcs_get64(m, place);
    *out = (uint32_t)(encoding & 1 ? value >> 32 : value);
    return VMX_SUCCEED;
}

/* Controls whose change is nothing to check the others for. */
static bool is_quick(enum vmcs_place place)
{
    return place == F_ENTRY_INTERRUPTION || place == F_ENTRY_ERROR_CODE ||
           place == F_ENTRY_LENGTH;
}

enum vmx_result vmx_write(struct machine *m, uint32_t encoding, uint32_t value)
{
    enum vmcs_place place = vmcs_find(encoding);
    const struct vmcs_field *f = &vmcs_fields[place == F_COUNT ? 0 : place];

    if (!root(m))
        return VMX_UNDEFINED;
    if (m->vmx.current == VMX_NO_VMCS)
        return VMX_FAIL_INVALID;
    if (place == F_COUNT)
        return fail(m, VMX_ERROR_NO_SUCH_FIELD);
    if (f->read_only)
        return fail(m, VMX_ERROR_READ_ONLY_FIELD);
    if (f->width == WIDTH_16)
        value &= 0xFFFF;
    if (f->width == WIDTH_64 && cached(m, place)) /* the other half stays */
        vmcs_put64(m, place, vmx_guest_field(m, place));
    if (encoding & 1)
        memcpy(at_field(m, place) + 4, &value, sizeof value);
    else
        vmcs_put(m, place, value);
    if (f->area == AREA_GUEST)
        m->vmx.stale |= 1ull << place;
    else if (!is_quick(place))
        m->vmx.control_written = true;
    return VMX_SUCCEED;
}

/* ---- VM entry -------------------------------------------------------------
 */

static void read_controls(struct machine *m)
{
    struct vmx_controls *c = &m->vmx.c;

    c->pin = vmcs_get(m, F_PIN_CONTROLS);
    c->proc = vmcs_get(m, F_PROC_CONTROLS);
    c->proc2 = c->proc & PROC_SECONDARY ? vmcs_get(m, F_PROC2_CONTROLS) : 0;
    c->exceptions = vmcs_get(m, F_EXCEPTION_BITMAP);
    c->pf_mask = vmcs_get(m, F_PF_ERROR_MASK);
    c->pf_match = vmcs_get(m, F_PF_ERROR_MATCH);
    c->cr0_mask = vmcs_get(m, F_CR0_MASK);
    c->cr0_shadow = vmcs_get(m, F_CR0_SHADOW);
    c->cr4_mask = vmcs_get(m, F_CR4_MASK);
    c->cr4_shadow = vmcs_get(m, F_CR4_SHADOW);
    c->cr3_targets = vmcs_get(m, F_CR3_TARGET_COUNT);
    for (unsigned i = 0; i < 4; i++)
        c->cr3_target[i] = vmcs_get(m, F_CR3_TARGET0 + i);
    c->io_bitmap_a = vmcs_get64(m, F_IO_BITMAP_A);
    c->io_bitmap_b = vmcs_get64(m, F_IO_BITMAP_B);
    c->msr_bitmap = vmcs_get64(m, F_MSR_BITMAP);
    c->tsc_offset = c->proc & PROC_TSC_OFFSET ? vmcs_get64(m, F_TSC_OFFSET) : 0;
    c->eptp = c->proc2 & PROC2_EPT ? vmcs_get64(m, F_EPT_POINTER) : 0;
    c->exit = vmcs_get(m, F_EXIT_CONTROLS);
    c->entry = vmcs_get(m, F_ENTRY_CONTROLS);
    c->vpid = (uint16_t)vmcs_get(m, F_VPID);
}

/* NULL, or the control or host field that is wrong and the error for it. */
static const char *check_area(struct machine *m, enum vmx_error *error)
{
    const char *wrong;

    if (vmx_in_processor(m, F_GUEST_EFER)) /* saved as the old ones said */
        vmcs_put64(m, F_GUEST_EFER, vmx_guest_field(m, F_GUEST_EFER));
    read_controls(m);
    *error = VMX_ERROR_ENTRY_CONTROLS;
    wrong = vmx_check_controls(m);
    if (wrong)
        return wrong;
    *error = VMX_ERROR_ENTRY_HOST_STATE;
    return vmx_check_host(m);
}

static void guest_refused(struct machine *m, uint32_t qualification)
{
    vmcs_put(m, F_EXIT_REASON, VMX_BAD_GUEST_STATE | VMX_ENTRY_FAILURE);
    vmcs_put(m, F_EXIT_QUALIFICATION, qualification);
    m->vmx.exited = true;
    machine_look(m);
}

static enum vmx_result enter(struct machine *m)
{
    uint32_t qualification;

    m->vmx.complaint = NULL;
    if (m->vmx.control_written ||
        (vmcs_get(m, F_ENTRY_INTERRUPTION) & INTERRUPTION_VALID)) {
        enum vmx_error error;

        m->vmx.complaint = check_area(m, &error);
        if (m->vmx.complaint)
            return fail(m, error);
        if (m->vmx.control_written)
            vmx_find_sites(m);
    }
    m->vmx.complaint = vmx_check_guest(m, &qualification);
    if (m->vmx.complaint) {
        guest_refused(m, qualification);
        return VMX_SUCCEED;
    }
    m->vmx.control_written = false;
    memory_write32(&m->memory, MA(m->vmx.current + AT_LAUNCHED), 1);
    vmx_load_guest(m);
    m->vmx.non_root = true;
    m->vmx.inject =
        (vmcs_get(m, F_ENTRY_INTERRUPTION) & INTERRUPTION_VALID) != 0;
    m->vmx.trap = (m->vmx.c.proc & PROC_MONITOR_TRAP) != 0;
    if (m->vmx.trap)
        machine_request_step(m);
    machine_look(m);
    return VMX_SUCCEED;
}

static bool launched(const struct machine *m)
{
    return memory_read32(&m->memory, MA(m->vmx.current + AT_LAUNCHED)) != 0;
}

enum vmx_result vmx_launch(struct machine *m)
{
    if (!root(m))
        return VMX_UNDEFINED;
    if (m->vmx.current == VMX_NO_VMCS)
        return VMX_FAIL_INVALID;
    if (launched(m))
        return fail(m, VMX_ERROR_VMLAUNCH_NOT_CLEAR);
    return enter(m);
}

enum vmx_result vmx_resume(struct machine *m)
{
    if (!root(m))
        return VMX_UNDEFINED;
    if (m->vmx.current == VMX_NO_VMCS)
        return VMX_FAIL_INVALID;
    if (!launched(m))
        return fail(m, VMX_ERROR_VMRESUME_NOT_LAUNCHED);
    return enter(m);
}

/* ---- the rest -------------------------------------------------------------
 */

enum vmx_result vmx_invvpid(struct machine *m, enum vmx_invvpid type,
                            uint16_t vpid, uint32_t linear)
{
    if (!root(m))
        return VMX_UNDEFINED;
    if (type > INVVPID_LOCAL || (type != INVVPID_ALL && !vpid))
        return fail(m, VMX_ERROR_INVALIDATION_OPERAND);
    if (type == INVVPID_ADDRESS)
        m->trace->count.tlb_page_flushes++;
    else
        m->trace->count.tlb_flushes++;
    switch (type) {
    case INVVPID_ADDRESS: drops_page(m, vpid, linear); break;
    case INVVPID_CONTEXT: drops_flush(m, TLB_CONTEXT, vpid); break;
    case INVVPID_ALL: drops_flush(m, TLB_TAGGED, 0); break;
    case INVVPID_LOCAL: drops_flush(m, TLB_LOCAL, vpid); break;
    }
    return VMX_SUCCEED;
}

enum vmx_result vmx_invept(struct machine *m, enum vmx_invept type,
                           uint64_t eptp)
{
    if (!root(m))
        return VMX_UNDEFINED;
    if ((type != INVEPT_CONTEXT && type != INVEPT_ALL) ||
        (type == INVEPT_CONTEXT && !ept_pointer_valid(eptp)))
        return fail(m, VMX_ERROR_INVALIDATION_OPERAND);
    m->trace->count.tlb_flushes++;
    if (type == INVEPT_CONTEXT) {
        vmx_ept_forget(m, eptp);
        drops_flush(m, TLB_NESTED, TLB_NESTED_BY(eptp));
    } else {
        m->ept_flushes++;
        drops_flush(m, TLB_ALL_NESTED, 0);
    }
    return VMX_SUCCEED;
}

bool vmx_peek(const struct machine *m, enum vmcs_place place, uint64_t *value)
{
    if (!m->vmx.on || m->vmx.current == VMX_NO_VMCS)
        return false;
    *value = cached(m, place)                       ? vmx_guest_field(m, place)
             : vmcs_fields[place].width == WIDTH_64 ? vmcs_get64(m, place)
                                                    : vmcs_get(m, place);
    return true;
}

const char *vmx_complaint(const struct machine *m)
{
    return m->vmx.complaint ? m->vmx.complaint : "";
}

bool vmx_non_root(const struct machine *m)
{
    return m->vmx.non_root;
}

void vmx_set_cr2(struct machine *m, uint32_t value)
{
    m->engine.live.cr[2] = value;
}

void vmx_set_dr(struct machine *m, unsigned n, uint32_t value)
{
    m->extra.dr[n] = value;
}
