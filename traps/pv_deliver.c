/* SPDX-License-Identifier: MIT */
/* traps/pv_deliver.c - exceptions and events for a paravirtual guest.
 *
 * The frame is the processor's own: [SS ESP] EFLAGS CS EIP [error], with the
 * interrupt flag as the guest has it. The handler is the one that was
 * registered, at ring 1; the address of a page fault is in the shared page. A
 * guest that has no handler, or no stack for the frame, is at its end: where
 * hardware has a double fault, this interface has none.
 */
#include "traps/pv.h"

static void crash(struct monitor *mon, const char *what, unsigned vector)
{
    exits_stop(mon, MONITOR_TRIPLE_FAULT,
               "the guest's kernel has %s for vector %u", what, vector);
}

/* The frame on the stack of the handler; v.esp and v.ss follow. */
static bool push_frame(struct monitor *mon, const struct arch_event *event,
                       bool inner)
{
    const struct pv_state *s = &pv_of(mon)->s;
    struct cpu_state *v = &mon->v;
    struct segment ss = v->seg[SEG_SS];
    uint32_t esp = v->gpr[GPR_ESP], frame[6];
    unsigned n = 0;

    if (inner) {
        if (!pv_kernel_stack(mon, s->ss, &ss))
            return false;
        esp = s->esp;
    }
    if (event->has_error)
        frame[n++] = event->error;
    frame[n++] = v->eip;
    frame[n++] = v->seg[SEG_CS].selector;
    frame[n++] = arch_event_flags(v, event);
    if (inner) {
        frame[n++] = v->gpr[GPR_ESP];
        frame[n++] = v->seg[SEG_SS].selector;
    }
    esp -= n * 4;
    if (!pv_write(mon, ss.base + esp, frame, n * 4))
        return false;
    v->seg[SEG_SS] = ss;
    v->gpr[GPR_ESP] = esp;
    return true;
}

/* Go to a handler. mask: no events until the guest says so. */
static bool enter_handler(struct monitor *mon, const struct arch_event *event,
                          uint16_t cs_selector, uint32_t eip, bool mask)
{
    struct pv_shared_info *shared = pv_shared(mon);
    bool inner = mon->v.cpl == 3;
    struct segment cs;

    if (!shared || !cs_selector || !pv_kernel_code(mon, cs_selector, &cs)) {
        crash(mon, "no handler", event->vector);
        return false;
    }
    pv_refresh_flag(mon);
    if (!push_frame(mon, event, inner)) {
        crash(mon, "no stack", event->vector);
        return false;
    }
    if (inner || mask)
        shared->upcall_mask = mask;
    pv_shared_wrote(mon);
    mon->v.cpl = 1;
    mon->v.seg[SEG_CS] = cs;
    mon->v.eip = eip;
    mon->v.eflags &= ~(EFL_TF | EFL_NT | EFL_RF);
    mon->v.halted = false;
    mon->v.interrupt_shadow = false;
    mon->dirty = true;
    machine_set_halted(mon->machine, false);
    pv_refresh_flag(mon);
    return true;
}

static void tell(struct monitor *mon, struct event_site site,
                 const struct arch_event *event, const char *cause)
{
    trace_event_delivered(mon->trace, EV_INJECT, site, cause, event->vector,
                          event->has_error, event->error, event->cr2,
                          mon->v.seg[SEG_CS].selector, mon->v.eip);
}

/* INT n where the handler's DPL does not allow it is #GP with the vector, as
 * through an interrupt table. SDM 2, "INT n". */
static struct arch_event refuse(const struct arch_event *event)
{
    return (struct arch_event){.vector = VEC_GP,
                               .source = ARCH_EXCEPTION,
                               .has_error = true,
                               .error = event->vector * 8u + 2};
}

static bool software(const struct arch_event *event)
{
    return event->source == ARCH_SOFTWARE || event->source == ARCH_INT3_INTO;
}

void pv_inject(struct monitor *mon, const struct arch_event *event,
               const char *cause)
{
    const struct pv_trap *trap = &pv_of(mon)->s.trap[event->vector];
    struct event_site site = monitor_site(mon);
    struct arch_event e = *event;
    struct pv_shared_info *shared = pv_shared(mon);

    if (software(&e) &&
        (!trap->cs || (trap->flags & PV_TRAP_DPL) < mon->v.cpl)) {
        e = refuse(event);
        trap = &pv_of(mon)->s.trap[e.vector];
        cause = "fault";
    } else if (e.source != ARCH_EXCEPTION) {
        mon->v.eip = e.next_eip;
    }
    if (e.vector == VEC_PF && shared)
        shared->cr2 = mon->v.cr2 = e.cr2;
    if (!enter_handler(mon, &e, trap->cs, trap->eip,
                       (trap->flags & PV_TRAP_MASK) != 0))
        return;
    mon->trace->count.interrupts[e.vector]++;
    tell(mon, site, &e, cause);
}

/* System time as of now, for the guest to go on from. */
static void update_time(struct monitor *mon, struct pv_shared_info *shared)
{
    shared->time_version += 2;
    shared->time = shared->tsc = machine_now(mon->machine);
}

bool pv_upcall(struct monitor *mon)
{
    const struct pv_state *s = &pv_of(mon)->s;
    struct pv_shared_info *shared = pv_shared(mon);
    struct event_site site = monitor_site(mon);
    struct arch_event event = {.vector = PV_VECTOR, .source = ARCH_EXTERNAL};

    if (!shared || !shared->upcall_pending || !pv_open(mon) || !s->callback_cs)
        return false;
    update_time(mon, shared);
    if (!enter_handler(mon, &event, s->callback_cs, s->callback_eip, true))
        return false;
    mon->trace->count.upcalls++;
    tell(mon, site, &event, "event upcall");
    return true;
}
