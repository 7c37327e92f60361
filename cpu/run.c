/* SPDX-License-Identifier: MIT */
/* cpu/run.c - the machine runs, and looks up at boundaries.
 *
 * The engine executes code until something stops it; what that was is handled
 * here or in the neighbouring files, and it goes on.
 *
 * Reference: SDM 3A, "Interrupt and Exception Handling".
 */
#include "cpu/machine_priv.h"

#include <stdio.h>

/* Make the engine return at the next boundary. */
void run_ask(struct machine *m)
{
    m->asked = true;
    uc_emu_stop(m->engine.uc);
}

void machine_break(struct machine *m, const char *what)
{
    if (!m->broken)
        m->broken = what;
    machine_look_now(m);
    m->stop = true;
    if (m->running)
        run_ask(m);
}

void machine_look(struct machine *m)
{
    bool now = m->attend || m->stop || m->mid_block || m->stepping || m->nmi ||
               vmx_event_due_now(m);

    m->waiting = !now;
    clock_attend_from(&m->clock,
                      now || run_interrupt_waits(m) ? 0 : m->deadline);
}

static void native_interrupts(struct machine *m)
{
    struct live *l = &m->engine.live;
    struct arch_event event = {.source = ARCH_EXTERNAL};
    int vector;

    if (*l->hflags & HF_INHIBIT_IRQ)
        return;
    if (m->nmi && !(*l->hflags2 & HF2_NMI)) {
        m->nmi = m->halted = false;
        event.vector = VEC_NMI;
        event.source = ARCH_NMI;
        machine_deliver(m, &event);
        return;
    }
    if (!m->intr || !(*l->eflags & EFL_IF))
        return;
    vector = m->client.acknowledge(m->client.ctx);
    if (vector < 0)
        return;
    m->halted = false;
    event.vector = (uint8_t)vector;
    machine_deliver(m, &event);
}

/* What is looked at between instructions. */
static void boundary(struct machine *m)
{
    if (m->mid_block && !m->halted)
        return;
    if (m->attend || clock_now(&m->clock) >= m->deadline ||
        (m->interrupted && *m->interrupted) ||
        (m->client.exit && !m->vmx.non_root && m->intr &&
         (m->halted || (*m->engine.live.eflags & EFL_IF)) &&
         !(*m->engine.live.hflags & HF_INHIBIT_IRQ))) {
        m->attend = false;
        m->client.attend(m->client.owner);
    }
    if (m->vmx.non_root)
        vmx_boundary(m);
    else if (!m->client.exit)
        native_interrupts(m);
    machine_look(m);
}

static enum machine_stop engine_failed(struct machine *m, uc_err err)
{
    static char line[120];

    snprintf(line, sizeof line, "the CPU library stopped: %s at EIP %08x",
             uc_strerror(err), (unsigned)*m->engine.live.eip);
    machine_break(m, line);
    return MACHINE_BROKEN;
}

/* Run the engine until it stops, and handle why. MACHINE_STOPPED: go on. */
enum machine_stop run_execute(struct machine *m)
{
    uc_err err;

    if (m->drop_count)
        drops_run(m);
    if (m->clock.full)
        code_forget_all(m);
    if (m->stepped_fetch && !m->stepping) {
        m->stepped_fetch = false; /* it was for one instruction only */
        drops_engine(m);
    }
    m->refused = REFUSED_NOT;
    m->asked = false;
    m->running = true;
    engine_before_run(&m->engine);
    err = uc_emu_start(m->engine.uc, (uint32_t)*m->engine.live.eip, 0, 0, 0);
    m->running = false;
    if (m->broken)
        return MACHINE_BROKEN;
    switch (m->refused) {
    case REFUSED_FAULT:
        if (refused_ahead(m))
            return step_one(m);
        refused_page_fault(m);
        return MACHINE_STOPPED;
    case REFUSED_OWN_STORE: code_refund(m, live_linear(m)); return step_one(m);
    case REFUSED_DEVICE: refused_device(m); return MACHINE_STOPPED;
    case REFUSED_STEP: /* here, or where the block runs over into */
        m->mid_block |= code_continues(m, live_linear(m));
        m->creep = true;
        return MACHINE_STOPPED;
    case REFUSED_OWN: refused_own(m); return MACHINE_STOPPED;
    case REFUSED_WRAPPED: return MACHINE_STOPPED; /* starts at 32 bits */
    case REFUSED_NOT: break;
    }
    if (err != UC_ERR_OK)
        return engine_failed(m, err);
    if (m->asked)
        return MACHINE_STOPPED;
    m->halted = true; /* HLT */
    m->mid_block = false;
    if (m->stepping)
        clock_add(&m->clock, m->weight);
    return MACHINE_HALTED;
}

/* The instruction a monitor asked to run alone. It may have come to a fault for
 * which the monitor asks to run it again: then it is not over. */
static enum machine_stop requested_step(struct machine *m)
{
    enum machine_stop why;

    m->step_requested = m->step_next = false;
    why = step_one(m);
    if (m->step_requested)
        return why;
    if (!m->vmx.on) {
        m->client.stepped(m->client.owner);
        if (m->attend) /* it was for this that the monitor wanted the step */
            m->mid_block = false;
    } else if (m->vmx.non_root && m->vmx.trap) {
        vmx_monitor_trap(m);
    }
    return why;
}

enum machine_stop machine_run(struct machine *m)
{
    machine_look(m);
    for (;;) {
        if (m->broken)
            return MACHINE_BROKEN;
        if (m->triple)
            return MACHINE_TRIPLE_FAULT;
        vmx_settle(m);
        if (m->step_requested) { /* even if a stop is asked for: no half
                                    way is left to be seen or saved */
            requested_step(m);
            continue;
        }
        if (m->stop) {
            m->stop = false;
            return MACHINE_STOPPED;
        }
        boundary(m);
        if (m->stop || m->triple || m->step_requested)
            continue;
        if (m->halted)
            return MACHINE_HALTED;
        if (m->step_next)
            requested_step(m);
        else if (m->creep || code_needs_step(m, live_linear(m)))
            step_one(m);
        else
            run_execute(m);
    }
}

enum machine_stop machine_step(struct machine *m)
{
    enum machine_stop why;

    if (m->broken)
        return MACHINE_BROKEN;
    if (m->triple)
        return MACHINE_TRIPLE_FAULT;
    vmx_settle(m);
    boundary(m);
    if (m->stop) {
        m->stop = false;
        return MACHINE_STOPPED;
    }
    if (m->halted)
        return MACHINE_HALTED;
    why = m->step_next ? requested_step(m) : step_one(m);
    while (m->step_requested && !m->triple && !m->broken)
        why = requested_step(m);
    m->stop = false;
    return m->triple ? MACHINE_TRIPLE_FAULT : why;
}

void machine_stop(struct machine *m)
{
    m->stop = true;
    machine_look_now(m);
}
