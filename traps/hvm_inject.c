/* SPDX-License-Identifier: MIT */
/* traps/hvm_inject.c - events for the guest, delivered by the VM entry.
 *
 * The processor takes the event through the guest's own table. If that exits
 * midway (the table or the stack is not in the VMM's tables yet), the exit
 * tells which event it was, and it is injected again.
 *
 * Reference: SDM 3C, "VM-Entry Controls for Event Injection", "Handling of VM
 * Exits Due to Exceptions", "Interrupt-Window Exiting".
 */
#include "traps/hvm_priv.h"

static enum interruption_type type_of(const struct arch_event *event)
{
    static const uint8_t types[] = {
        [ARCH_EXCEPTION] = TYPE_HARDWARE_EXCEPTION,
        [ARCH_SOFTWARE] = TYPE_SOFTWARE_INTERRUPT,
        [ARCH_ICEBP] = TYPE_PRIVILEGED_SOFTWARE,
        [ARCH_EXTERNAL] = TYPE_EXTERNAL,
        [ARCH_NMI] = TYPE_NMI,
        [ARCH_INT3_INTO] = TYPE_SOFTWARE_EXCEPTION,
    };

    return (enum interruption_type)types[event->source];
}

/* Real mode pushes no error codes. */
static bool with_error(const struct monitor *mon,
                       const struct arch_event *event)
{
    return event->has_error && state_protected(&mon->v);
}

static void write_entry(struct monitor *mon, const struct arch_event *event,
                        uint32_t length)
{
    struct hvm *h = hvm_of(mon);
    bool error = with_error(mon, event);

    hvm_write(mon, VMCS_ENTRY_INTERRUPTION,
              INTERRUPTION_VALID | event->vector |
                  (uint32_t)type_of(event) << INTERRUPTION_TYPE_SHIFT |
                  (error ? INTERRUPTION_HAS_ERROR : 0));
    if (error)
        hvm_write(mon, VMCS_ENTRY_ERROR_CODE, event->error);
    if (length)
        hvm_write(mon, VMCS_ENTRY_LENGTH, length);
    h->injected = true;
    h->again = h->vectoring;
    h->vectoring = false;
}

/* An exception on the way of another event: what comes of the two. False: a
 * triple fault. */
static bool combine(struct monitor *mon, struct arch_event *event)
{
    struct hvm *h = hvm_of(mon);
    struct arch_event first = h->vectored;
    struct fault f = {event->vector, event->has_error, event->error,
                      event->cr2};

    if (!h->vectoring || event->source != ARCH_EXCEPTION)
        return true;
    if (!arch_escalate(&first, &f, event))
        return false;
    arch_chain_add(&mon->chain, event);
    return true;
}

/* A task switch that faulted past its point of no return has left a CS that a
 * VM entry would refuse: the monitor delivers that fault itself. */
static bool half_switched(const struct monitor *mon)
{
    return (hvm_of(mon)->valid & PART_SEGMENTS) &&
           !(mon->v.seg[SEG_CS].attr & SEG_P);
}

void hvm_inject(struct monitor *mon, const struct arch_event *event,
                const char *cause)
{
    struct arch_event now = *event;

    if (half_switched(mon)) {
        hvm_of(mon)->vectoring = false;
        inject_by_hand(mon, event, cause);
        return;
    }
    if (!combine(mon, &now)) {
        exits_stop(mon, MONITOR_TRIPLE_FAULT, "triple fault");
        return;
    }
    if (now.source == ARCH_EXCEPTION && now.vector == VEC_PF) {
        mon->v.cr2 = now.cr2; /* if it is to be written back */
        vmx_set_cr2(mon->machine, now.cr2);
    }
    write_entry(mon, &now, now.next_eip - mon->v.eip);
    trace_event_delivered(mon->trace, EV_INJECT, monitor_site(mon), cause,
                          now.vector, now.has_error, now.error, now.cr2, 0, 0);
}

/* ---- what the exit interrupted ---------------------------------------------
 */

/* The chain of one delivery may take several VM entries, each going on with the
 * event that the last exit cut short or with what came of it. */
void hvm_follow_delivery(struct monitor *mon)
{
    bool injected;
    const struct arch_chain *part = vmx_delivery(mon->machine, &injected);
    bool goes_on = injected && hvm_of(mon)->again;

    if (!goes_on)
        mon->chain.count = 0;
    for (unsigned i = goes_on ? 1 : 0; i < part->count; i++)
        arch_chain_add(&mon->chain, &part->event[i]);
}

void hvm_note_vectoring(struct monitor *mon)
{
    struct hvm *h = hvm_of(mon);
    uint32_t info = hvm_read(mon, VMCS_VECTORING);

    h->vectoring = (info & INTERRUPTION_VALID) != 0;
    if (!h->vectoring)
        return;
    hvm_follow_delivery(mon);
    h->vectored_length = hvm_read(mon, VMCS_EXIT_LENGTH);
    h->vectored = vmx_event(info, hvm_read(mon, VMCS_VECTORING_ERROR),
                            mon->v.eip + h->vectored_length);
}

/* ---- interrupts ------------------------------------------------------------
 */

static bool inject_nmi(struct monitor *mon)
{
    struct arch_event event = {.vector = VEC_NMI, .source = ARCH_NMI};

    if (!mon->nmi || mon->v.nmi_blocked || mon->v.interrupt_shadow)
        return false;
    mon->nmi = false;
    hvm_inject(mon, &event, "nmi");
    return true;
}

static void inject_interrupt(struct monitor *mon)
{
    struct arch_event event = {.source = ARCH_EXTERNAL};
    int vector;

    if (!(mon->v.eflags & EFL_IF) || mon->v.interrupt_shadow)
        return;
    vector = pc_intr_ack(mon->config.pc);
    if (vector < 0)
        return;
    event.vector = (uint8_t)vector;
    hvm_inject(mon, &event, "interrupt");
}

/* Before an entry: inject what waits and may come now; for the rest exit as
 * soon as the guest allows it. */
void hvm_events(struct monitor *mon)
{
    struct hvm *h = hvm_of(mon);

    if (h->vectoring && !h->injected)
        write_entry(mon, &h->vectored, h->vectored_length);
    if (!h->injected && !h->open && !inject_nmi(mon) && pc_intr(mon->config.pc))
        inject_interrupt(mon);
    h->window = pc_intr(mon->config.pc) && !h->open;
    h->nmi_window = mon->nmi && !h->open;
    hvm_pin(mon, pc_intr(mon->config.pc) || mon->nmi);
}

/* The pin makes the guest exit at once; a window does so in time. */
void hvm_pin(struct monitor *mon, bool pending)
{
    const struct hvm *h = hvm_of(mon);

    machine_set_intr(mon->machine, pending && !h->window && !h->nmi_window);
}
