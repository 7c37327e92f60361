/* SPDX-License-Identifier: MIT */
/* cpu/vmx_event.c - events in VMX non-root operation: exit, or deliver.
 *
 * Delivery is the bare machine's (cpu/arch.h), through the guest's own IDT. A
 * fault on the way is looked up in the exception bitmap like any other; the
 * exit then tells what was being delivered.
 *
 * Reference: SDM 3C, "Other Causes of VM Exits", "Information for VM Exits Due
 * to Vectored Events", "Information for VM Exits That Occur During Event
 * Delivery", "Event Injection".
 */
#include "cpu/machine_priv.h"
#include "cpu/vmx.h"

/* ---- which exceptions exit ----------------------------------------------- */

static bool exception_exits(const struct machine *m, uint8_t vector,
                            uint32_t error)
{
    const struct vmx_controls *c = &m->vmx.c;
    bool set = c->exceptions >> vector & 1;

    if (vector != VEC_PF)
        return set;
    return set == ((error & c->pf_mask) == c->pf_match);
}

/* A page fault's address; what a debug exception met. */
static uint32_t qualification(const struct machine *m,
                              const struct arch_event *event)
{
    if (event->source != ARCH_EXCEPTION)
        return 0;
    if (event->vector == VEC_PF)
        return event->cr2;
    return event->vector == VEC_DB ? m->extra.dr[6] & 0xE00F : 0;
}

static void exit_for(struct machine *m, const struct arch_event *event,
                     uint32_t length, const struct arch_event *vectored)
{
    struct vmx_exit x = {.reason = VMX_EXCEPTION_OR_NMI,
                         .qualification = qualification(m, event),
                         .interruption = vmx_interruption(event),
                         .error = event->error,
                         .length = length,
                         .vectored = vectored};

    vmx_exit(m, &x);
}

void vmx_fault(struct machine *m, const struct fault *f)
{
    struct arch_event event = {.vector = f->vector,
                               .source = ARCH_EXCEPTION,
                               .has_error = f->has_error,
                               .error = f->error,
                               .cr2 = f->cr2};

    if (f->vector == VEC_TASK_SWITCH)
        vmx_task_switch(m, f, NULL);
    else if (f->vector == VEC_EPT)
        vmx_ept_exit(m, NULL);
    else if (exception_exits(m, f->vector, f->error))
        exit_for(m, &event, 0, NULL);
    else
        vmx_deliver(m, &event);
}

/* INT3, INTO and INT1 obey the exception bitmap; INT n does not. */
void vmx_software(struct machine *m, const struct arch_event *event)
{
    uint32_t length = event->next_eip - (uint32_t)*m->engine.live.eip;

    if (event->source != ARCH_SOFTWARE && exception_exits(m, event->vector, 0))
        exit_for(m, event, length, NULL);
    else
        vmx_deliver(m, event);
}

/* ---- delivery ------------------------------------------------------------ */

enum { TASK_FROM_GATE = 3 }; /* in the exit qualification */

static uint32_t instruction_length(struct machine *m)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    size_t n = code_bytes(m, live_linear(m), bytes, sizeof bytes);
    bool code32 = (*m->engine.live.hflags & HF_CS32) != 0;
    struct insn insn;

    return decode_flow(bytes, n, code32, &insn) ? insn.length : 0;
}

/* The refused switch is in the fault: selector and why. */
void vmx_task_switch(struct machine *m, const struct fault *f,
                     const struct arch_event *event)
{
    /* SDM 3C, "Exit Qualification for Task Switches"; enum task_reason. */
    struct vmx_exit x = {
        .reason = VMX_TASK_SWITCH,
        .qualification = f->error | (event ? TASK_FROM_GATE : f->cr2) << 30,
        .length = event ? 0 : instruction_length(m),
        .vectored = event,
    };

    vmx_exit(m, &x);
}

/* A fault while event was being delivered. True: try second instead. */
static bool delivery_failed(struct machine *m, const struct arch_event *event,
                            const struct fault *f, struct arch_event *second)
{
    if (f->vector == VEC_TASK_SWITCH) {
        vmx_task_switch(m, f, event);
        return false;
    }
    if (f->vector == VEC_EPT) {
        vmx_ept_exit(m, event);
        return false;
    }
    *second = (struct arch_event){.vector = f->vector,
                                  .source = ARCH_EXCEPTION,
                                  .has_error = f->has_error,
                                  .error = f->error,
                                  .cr2 = f->cr2};
    if (exception_exits(m, f->vector, f->error)) {
        exit_for(m, second, 0, event);
        return false;
    }
    if (!arch_escalate(event, f, second)) {
        struct vmx_exit x = {.reason = VMX_TRIPLE_FAULT};

        vmx_exit(m, &x);
        return false;
    }
    if (second->vector == VEC_DF && exception_exits(m, VEC_DF, 0)) {
        exit_for(m, second, 0, event);
        return false;
    }
    return true;
}

/* A page fault that does not exit itself has changed CR2, though its delivery
 * may. SDM 3C, "Architectural State Before a VM Exit". */
static void keep_cr2(struct machine *m, const struct arch_event *event)
{
    if (event->source == ARCH_EXCEPTION && event->vector == VEC_PF)
        vmx_set_cr2(m, event->cr2);
}

static void deliver(struct machine *m, const struct arch_event *event,
                    bool injected)
{
    struct mem_ops mem = machine_mem_ops(m);
    struct arch_event now = *event, second;
    struct cpu_state s;
    struct fault f;

    mem.task_switch_exits = true;
    m->halted = false;
    m->vmx.injected = injected;
    m->chain.count = 0;
    arch_chain_add(&m->chain, &now);
    if (machine_deliver_plain(m, &now))
        return;
    machine_get_state(m, &s);
    while (!arch_deliver_once(&s, &mem, &now, &f)) {
        keep_cr2(m, &now);
        if (!delivery_failed(m, &now, &f, &second))
            return;
        now = second;
        arch_chain_add(&m->chain, &now);
    }
    machine_delivered(m, &now, &s);
    machine_set_state(m, &s);
}

void vmx_deliver(struct machine *m, const struct arch_event *event)
{
    deliver(m, event, false);
}

const struct arch_chain *vmx_delivery(const struct machine *m, bool *injected)
{
    *injected = m->vmx.injected;
    return &m->chain;
}

struct arch_event vmx_event(uint32_t info, uint32_t error, uint32_t next_eip)
{
    static const uint8_t sources[8] = {
        [TYPE_EXTERNAL] = ARCH_EXTERNAL,
        [TYPE_NMI] = ARCH_NMI,
        [TYPE_HARDWARE_EXCEPTION] = ARCH_EXCEPTION,
        [TYPE_SOFTWARE_INTERRUPT] = ARCH_SOFTWARE,
        [TYPE_PRIVILEGED_SOFTWARE] = ARCH_ICEBP,
        [TYPE_SOFTWARE_EXCEPTION] = ARCH_INT3_INTO,
    };
    bool has_error = (info & INTERRUPTION_HAS_ERROR) != 0;

    return (struct arch_event){
        .vector = (uint8_t)info,
        .source =
            sources[(info & INTERRUPTION_TYPE) >> INTERRUPTION_TYPE_SHIFT],
        .has_error = has_error,
        .error = has_error ? error : 0,
        .next_eip = next_eip,
    };
}

/* The event of the VM entry. CR2 is the monitor's to set. */
void vmx_inject(struct machine *m)
{
    struct arch_event event = vmx_event(
        vmcs_get(m, F_ENTRY_INTERRUPTION), vmcs_get(m, F_ENTRY_ERROR_CODE),
        (uint32_t)*m->engine.live.eip + vmcs_get(m, F_ENTRY_LENGTH));

    event.cr2 = (uint32_t)m->engine.live.cr[2];
    deliver(m, &event, true);
    if (m->vmx.non_root && m->vmx.trap)
        vmx_monitor_trap(m); /* before the handler's first instruction */
}

void vmx_monitor_trap(struct machine *m)
{
    struct vmx_exit x = {.reason = VMX_MONITOR_TRAP};

    vmx_exit(m, &x);
}

/* ---- between instructions --------------------------------------------------
 */

static bool blocked(const struct machine *m)
{
    return (*m->engine.live.hflags & HF_INHIBIT_IRQ) != 0;
}

static bool nmi_window(const struct machine *m)
{
    return (m->vmx.c.proc & PROC_NMI_WINDOW) &&
           !(*m->engine.live.hflags2 & HF2_NMI);
}

static bool interrupt_window(const struct machine *m)
{
    return (m->vmx.c.proc & PROC_INTERRUPT_WINDOW) &&
           (*m->engine.live.eflags & EFL_IF);
}

static bool nmi_due(const struct machine *m)
{
    return m->nmi &&
           ((m->vmx.c.pin & PIN_NMI) || !(*m->engine.live.hflags2 & HF2_NMI));
}

static bool interrupt_due(const struct machine *m)
{
    return m->intr && ((m->vmx.c.pin & PIN_EXTERNAL_INTERRUPT) ||
                       (*m->engine.live.eflags & EFL_IF));
}

bool vmx_event_due(const struct machine *m)
{
    return !blocked(m) && (nmi_due(m) || nmi_window(m) || interrupt_window(m) ||
                           interrupt_due(m));
}

bool vmx_event_due_now(const struct machine *m)
{
    const struct vmx *v = &m->vmx;

    return v->non_root && ((v->c.proc & PROC_NMI_WINDOW) ||
                           (m->intr && (v->c.pin & PIN_EXTERNAL_INTERRUPT)));
}

bool vmx_window_wanted(const struct machine *m)
{
    return m->vmx.non_root && (m->vmx.c.proc & PROC_INTERRUPT_WINDOW);
}

static void external_interrupt(struct machine *m)
{
    bool exits = (m->vmx.c.pin & PIN_EXTERNAL_INTERRUPT) != 0;
    bool acknowledges = !exits || (m->vmx.c.exit & EXIT_ACKNOWLEDGE);
    struct arch_event event = {.source = ARCH_EXTERNAL};
    struct vmx_exit x = {.reason = VMX_EXTERNAL_INTERRUPT};
    int vector;

    if (acknowledges) {
        vector = m->client.acknowledge(m->client.ctx);
        if (vector < 0)
            return;
        event.vector = (uint8_t)vector;
        x.interruption = vmx_interruption(&event);
    }
    if (exits)
        vmx_exit(m, &x);
    else
        vmx_deliver(m, &event);
}

static void non_maskable(struct machine *m)
{
    struct arch_event event = {.vector = VEC_NMI, .source = ARCH_NMI};

    m->nmi = false;
    if (m->vmx.c.pin & PIN_NMI)
        exit_for(m, &event, 0, NULL);
    else
        vmx_deliver(m, &event);
}

void vmx_boundary(struct machine *m)
{
    struct vmx_exit x = {.reason = VMX_NMI_WINDOW};

    if (blocked(m))
        return;
    if (nmi_window(m)) {
        vmx_exit(m, &x);
    } else if (nmi_due(m)) {
        non_maskable(m);
    } else if (interrupt_window(m)) {
        x.reason = VMX_INTERRUPT_WINDOW;
        vmx_exit(m, &x);
    } else if (interrupt_due(m)) {
        external_interrupt(m);
    }
}
