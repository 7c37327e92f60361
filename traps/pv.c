/* SPDX-License-Identifier: MIT */
/* traps/pv.c - the paravirtual technique: a guest that knows.
 *
 * Its kernel is ported to ring 1 and asks for what only ring 0 may do. So
 * nothing of its processor must be pretended: no descriptor table is shadowed,
 * no instruction emulated, and what does not trap does not matter, because the
 * guest does not rely on it. What it pays for are hypercalls, and events.
 *
 * Reference: Barham et al., "Xen and the Art of Virtualization" (SOSP 2003).
 */
#include "traps/pv.h"

#include <stdio.h>
#include <stdlib.h>

/* EFLAGS bits that are not the guest's. */
#define OWN_FLAGS (EFL_IF | EFL_IOPL | EFL_VM | EFL_VIF | EFL_VIP)

static bool start(struct monitor *mon, char **error)
{
    struct pv *pv = calloc(1, sizeof *pv);

    mon->own = pv;
    if (pv && pv_timer_create(mon)) {
        pv->tables = mon->config.mmu == &mmu_direct ? &pv_direct_tables
                                                    : &pv_physical_tables;
        return true;
    }
    if (asprintf(error, "out of memory") < 0)
        *error = NULL;
    return false;
}

static void destroy(struct monitor *mon)
{
    free(mon->own);
}

/* The builder has left the address of the start-info page in ESI. */
static void enter(struct monitor *mon)
{
    struct pv *pv = pv_of(mon);
    struct pv_start start;

    descriptors_release(mon);
    pv_flat_segments(mon);
    if (pv_read(mon, mon->v.gpr[GPR_ESI], &start, sizeof start))
        pv->s.shared_gpa = start.shared_info_gpa;
    pmap_pin(mon->config.pmap, GPA(pv->s.shared_gpa));
    pv->tables->enter(mon);
    pv_refresh_flag(mon);
}

/* ---- between the processors ------------------------------------------------
 */

static void capture(struct monitor *mon)
{
    struct cpu_state *v = &mon->v, r;

    machine_get_state(mon->machine, &r);
    memcpy(v->gpr, r.gpr, sizeof v->gpr);
    memcpy(v->seg, r.seg, sizeof v->seg);
    v->eip = r.eip;
    v->eflags = r.eflags & ~OWN_FLAGS;
    v->cpl = r.cpl;
    v->interrupt_shadow = r.interrupt_shadow;
    v->halted = r.halted;
    pv_refresh_flag(mon);
}

static void install(struct monitor *mon)
{
    const struct cpu_state *v = &mon->v;
    struct cpu_state r;

    pv_refresh_flag(mon);
    r = *v;
    r.eflags = (v->eflags & ~OWN_FLAGS) | EFL_IF;
    r.cr3 = (uint32_t)mon->root.ma.v;
    r.gdtr.base = descriptors_linear(mon, OVERLAY_GDT);
    r.idtr = (struct table_reg){0, 0};
    if (v->ldtr.attr & SEG_P)
        r.ldtr.base = descriptors_linear(mon, OVERLAY_LDT);
    r.tr = (struct segment){.attr = SEG_P | SYS_TSS32_BUSY};
    machine_set_state(mon->machine, &r);
    mon->dirty = false;
}

/* ---- exits -----------------------------------------------------------------
 */

static void count_exit(struct monitor *mon, enum exit_reason reason,
                       const struct machine_exit *e)
{
    mon->trace->count.exits[reason]++;
    trace_exit(mon->trace, monitor_site(mon), reason, e->vector, e->error, 0);
}

static void hypercall_exit(struct monitor *mon, const struct machine_exit *e)
{
    count_exit(mon, EXIT_HYPERCALL, e);
    pv_of(mon)->site = monitor_site(mon);
    mon->dirty = true;
    mon->v.eip = e->next_eip;
    mon->v.interrupt_shadow = false;
    pv_hypercall(mon);
    pv_upcall(mon);
}

/* Nothing that the processor refused is done for the guest: the exception is
 * the guest's own. Page faults and INT n take the usual way. */
static bool own_exit(struct monitor *mon, const struct machine_exit *e)
{
    struct fault f = {e->vector, e->has_error, e->error, 0};

    if (e->kind == MX_SOFTWARE && e->vector == PV_VECTOR && mon->v.cpl != 3) {
        hypercall_exit(mon, e);
        return true;
    }
    if (e->kind != MX_EXCEPTION)
        return false;
    count_exit(mon, EXIT_EXCEPTION, e);
    inject_fault(mon, &f);
    return true;
}

/* It has no devices, so nothing is there. */
static struct fault no_device(struct monitor *mon, uint32_t linear,
                              uint32_t error)
{
    (void)mon;
    return (struct fault){VEC_PF, true, error & ~(uint32_t)PF_PRESENT, linear};
}

static void pending(struct monitor *mon)
{
    struct event_site site = monitor_site(mon);

    if (!mon->v.interrupt_shadow && pv_upcall(mon)) {
        mon->trace->count.exits[EXIT_INTERRUPT]++;
        trace_exit(mon->trace, site, EXIT_INTERRUPT, PV_VECTOR, 0, 0);
    }
}

/* The platform's interrupts are nothing to this guest; its events are. A mask
 * that it clears by a store is not seen here: it looks for itself. Where the
 * virtual processor is not current the real one says which ring it is. */
static void pin(struct monitor *mon, bool platform)
{
    const struct pv_shared_info *shared = pv_shared(mon);
    struct cpu_state r;

    (void)platform;
    if (!shared || !shared->upcall_pending) {
        machine_set_intr(mon->machine, false);
        return;
    }
    machine_get_state(mon->machine, &r);
    machine_set_intr(mon->machine, r.cpl == 3 || !shared->upcall_mask);
}

/* ---- save and restore ------------------------------------------------------
 */

static size_t save(const struct monitor *mon, void *buffer, size_t bytes)
{
    if (buffer && bytes >= sizeof(struct pv_state))
        memcpy(buffer, &pv_of(mon)->s, sizeof(struct pv_state));
    return sizeof(struct pv_state);
}

static bool restore(struct monitor *mon, const void *buffer, size_t bytes)
{
    if (bytes != sizeof(struct pv_state))
        return false;
    memcpy(&pv_of(mon)->s, buffer, sizeof(struct pv_state));
    return true;
}

const struct technique technique_pv = {
    .name = "pv",
    .shows_space = true,
    .start = start,
    .destroy = destroy,
    .enter = enter,
    .capture = capture,
    .install = install,
    .exit = own_exit,
    .inject = pv_inject,
    .device = no_device,
    .pending = pending,
    .pin = pin,
    .console_ready = pv_console_ready,
    .console_input = pv_console_input,
    .save = save,
    .restore = restore,
};
