/* SPDX-License-Identifier: MIT */
/* traps/inject.c - events for the guest: what the processor would have done.
 *
 * The same delivery as the bare machine's (cpu/arch.h), on the virtual
 * processor and through the guest's own tables.
 */
#include "traps/monitor_priv.h"

void inject_event(struct monitor *mon, const struct arch_event *event,
                  const char *cause)
{
    if (mon->technique->inject)
        mon->technique->inject(mon, event, cause);
    else
        inject_by_hand(mon, event, cause);
}

void inject_by_hand(struct monitor *mon, const struct arch_event *event,
                    const char *cause)
{
    struct mem_ops memory = emulation_memory(mon);
    struct event_site site = monitor_site(mon);
    uint32_t before = mon->v.eflags;

    if (arch_deliver_plain(&mon->v, &memory, event)) {
        monitor_frame_changed(mon);
    } else {
        monitor_changed(mon);
        if (arch_deliver(&mon->v, &memory, event, &mon->chain) ==
            ARCH_TRIPLE_FAULT) {
            exits_stop(mon, MONITOR_TRIPLE_FAULT, "triple fault");
            return;
        }
    }
    mon->v.halted = false;
    machine_set_halted(mon->machine, false);
    machine_event_taken(mon->machine);
    mon->trace->count.interrupts[event->vector]++;
    trace_event_delivered(mon->trace, EV_INJECT, site, cause, event->vector,
                          event->has_error, event->error, event->cr2,
                          mon->v.seg[SEG_CS].selector, mon->v.eip);
    silent_flag_changed(mon, before, site.eip, "an interrupt gate");
}

void inject_fault(struct monitor *mon, const struct fault *f)
{
    struct arch_event event = {.vector = f->vector,
                               .source = ARCH_EXCEPTION,
                               .has_error = f->has_error,
                               .error = f->error,
                               .cr2 = f->cr2};

    inject_event(mon, &event, "fault");
}

/* At an instruction boundary: an interrupt that the guest may take. */
void inject_pending(struct monitor *mon)
{
    struct arch_event event = {.source = ARCH_EXTERNAL};
    int vector;

    if (mon->v.interrupt_shadow)
        return;
    if (mon->nmi && !mon->v.nmi_blocked) {
        mon->nmi = false;
        event.vector = VEC_NMI;
        event.source = ARCH_NMI;
        mon->trace->count.exits[EXIT_INTERRUPT]++;
        inject_event(mon, &event, "nmi");
        return;
    }
    if (!(mon->v.eflags & EFL_IF) || !pc_intr(mon->config.pc))
        return;
    vector = pc_intr_ack(mon->config.pc);
    if (vector < 0)
        return;
    event.vector = (uint8_t)vector;
    mon->trace->count.exits[EXIT_INTERRUPT]++;
    trace_exit(mon->trace, monitor_site(mon), EXIT_INTERRUPT, event.vector, 0,
               0);
    inject_event(mon, &event, "interrupt");
}
