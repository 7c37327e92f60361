/* SPDX-License-Identifier: MIT */
/* cpu/vmx_exit.c - VM exits: what is recorded, and the way to the monitor.
 *
 * Reference: SDM 3C, "VM Exits", "Recording VM-Exit Information and Updating
 * VM-Entry Control Fields".
 */
#include "cpu/machine_priv.h"
#include "cpu/vmx.h"

static uint32_t type_of(const struct arch_event *event)
{
    switch (event->source) {
    case ARCH_EXTERNAL: return TYPE_EXTERNAL;
    case ARCH_NMI: return TYPE_NMI;
    case ARCH_SOFTWARE: return TYPE_SOFTWARE_INTERRUPT;
    case ARCH_ICEBP: return TYPE_PRIVILEGED_SOFTWARE;
    case ARCH_INT3_INTO: return TYPE_SOFTWARE_EXCEPTION;
    default: return TYPE_HARDWARE_EXCEPTION;
    }
}

uint32_t vmx_interruption(const struct arch_event *event)
{
    return INTERRUPTION_VALID | event->vector |
           type_of(event) << INTERRUPTION_TYPE_SHIFT |
           (event->has_error ? INTERRUPTION_HAS_ERROR : 0);
}

static bool is_software(const struct arch_event *event)
{
    return event->source == ARCH_SOFTWARE || event->source == ARCH_ICEBP ||
           event->source == ARCH_INT3_INTO;
}

/* The event whose delivery was under way. Its instruction's length is needed
 * to inject it again. */
static void record_vectoring(struct machine *m, const struct arch_event *event)
{
    vmcs_put(m, F_VECTORING, event ? vmx_interruption(event) : 0);
    if (!event)
        return;
    vmcs_put(m, F_VECTORING_ERROR, event->error);
    if (is_software(event))
        vmcs_put(m, F_EXIT_LENGTH,
                 event->next_eip - (uint32_t)*m->engine.live.eip);
}

void vmx_exit(struct machine *m, const struct vmx_exit *x)
{
    uint32_t entry = vmcs_get(m, F_ENTRY_INTERRUPTION);

    vmcs_put(m, F_EXIT_REASON, x->reason);
    vmcs_put(m, F_EXIT_QUALIFICATION, x->qualification);
    vmcs_put(m, F_EXIT_INTERRUPTION, x->interruption);
    vmcs_put(m, F_EXIT_ERROR_CODE, x->error);
    vmcs_put(m, F_EXIT_LENGTH, x->length);
    vmcs_put(m, F_EXIT_INSTRUCTION, x->instruction);
    vmcs_put(m, F_GUEST_LINEAR, x->linear);
    vmcs_put64(m, F_GUEST_PHYSICAL, x->physical);
    record_vectoring(m, x->vectored);
    if (entry & INTERRUPTION_VALID)
        vmcs_put(m, F_ENTRY_INTERRUPTION, entry & ~INTERRUPTION_VALID);
    vmcs_put(m, F_GUEST_PENDING_DEBUG, 0);
    vmx_flush_untagged(m);
    m->vmx.non_root = false;
    m->vmx.inject = m->vmx.trap = false;
    m->vmx.exited = true;
    m->step_requested = false;
    m->mid_block = false;
    vmx_settle(m);
}

/* Nested calls (an injected event that faults) leave it to the outermost. */
void vmx_settle(struct machine *m)
{
    struct vmx *v = &m->vmx;

    if (v->settling)
        return;
    v->settling = true;
    while ((v->exited || v->inject) && !m->broken) {
        if (v->exited) {
            v->exited = false;
            m->client.vm_exit(m->client.owner);
            if (!v->non_root && !v->exited && !m->stop)
                machine_break(m, "a VM exit was left without a VM entry");
        } else {
            v->inject = false;
            vmx_inject(m);
        }
    }
    v->settling = false;
    machine_look(m);
}

const char *vmx_reason_name(unsigned reason)
{
    static const char *const names[VMX_REASONS] = {
        [VMX_EXCEPTION_OR_NMI] = "exception or NMI",
        [VMX_EXTERNAL_INTERRUPT] = "external interrupt",
        [VMX_TRIPLE_FAULT] = "triple fault",
        [VMX_INTERRUPT_WINDOW] = "interrupt window",
        [VMX_NMI_WINDOW] = "NMI window",
        [VMX_TASK_SWITCH] = "task switch",
        [VMX_CPUID] = "CPUID",
        [VMX_HLT] = "HLT",
        [VMX_INVD] = "INVD",
        [VMX_INVLPG] = "INVLPG",
        [VMX_RDPMC] = "RDPMC",
        [VMX_RDTSC] = "RDTSC",
        [VMX_VMCALL] = "VMCALL",
        [VMX_VMCLEAR] = "VMCLEAR",
        [VMX_VMLAUNCH] = "VMLAUNCH",
        [VMX_VMPTRLD] = "VMPTRLD",
        [VMX_VMPTRST] = "VMPTRST",
        [VMX_VMREAD] = "VMREAD",
        [VMX_VMRESUME] = "VMRESUME",
        [VMX_VMWRITE] = "VMWRITE",
        [VMX_VMXOFF] = "VMXOFF",
        [VMX_VMXON] = "VMXON",
        [VMX_CR_ACCESS] = "control-register access",
        [VMX_DR_ACCESS] = "MOV DR",
        [VMX_IO] = "I/O instruction",
        [VMX_RDMSR] = "RDMSR",
        [VMX_WRMSR] = "WRMSR",
        [VMX_BAD_GUEST_STATE] = "invalid guest state",
        [VMX_MONITOR_TRAP] = "monitor trap flag",
        [VMX_PAUSE] = "PAUSE",
        [VMX_GDTR_IDTR_ACCESS] = "access to GDTR or IDTR",
        [VMX_LDTR_TR_ACCESS] = "access to LDTR or TR",
        [VMX_EPT_VIOLATION] = "EPT violation",
        [VMX_EPT_MISCONFIGURATION] = "EPT misconfiguration",
        [VMX_INVEPT] = "INVEPT",
        [VMX_INVVPID] = "INVVPID",
        [VMX_WBINVD] = "WBINVD",
    };

    return reason < VMX_REASONS ? names[reason] : NULL;
}
