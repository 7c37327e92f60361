/* SPDX-License-Identifier: MIT */
/* traps/exits.c - why the guest stopped, and what is done about it.
 *
 * One table by vector; each handler either deals with the event for the guest
 * or gives it to the guest's own handler.
 */
#include <stdarg.h>
#include <stdio.h>

#include "traps/monitor_priv.h"

void exits_stop(struct monitor *mon, enum monitor_stop why, const char *format,
                ...)
{
    va_list args;

    if (!mon->message[0]) {
        va_start(args, format);
        vsnprintf(mon->message, sizeof mon->message, format, args);
        va_end(args);
    }
    mon->stopped = true;
    mon->config.stop(mon->config.ctx, why);
}

static void count_exit(struct monitor *mon, enum exit_reason reason,
                       const struct machine_exit *e)
{
    mon->trace->count.exits[reason]++;
    trace_exit(mon->trace, monitor_site(mon), reason, e->vector, e->error,
               e->linear);
}

bool exits_current(struct monitor *mon, struct insn *insn,
                   uint8_t bytes[INSN_MAX_LENGTH])
{
    const struct segment *cs = &mon->v.seg[SEG_CS];
    size_t n = monitor_peek(mon, cs->base + mon->v.eip, bytes, INSN_MAX_LENGTH);

    return decode(bytes, n, (cs->attr & SEG_D) != 0, insn);
}

/* ---- exceptions
 * -------------------------------------------------------------- */

static void reflect(struct monitor *mon, const struct machine_exit *e)
{
    struct fault f = {e->vector, e->has_error, e->error, 0};

    count_exit(mon, EXIT_EXCEPTION, e);
    if (e->vector == VEC_DB)
        mon->v.dr[6] |= DR6_BS;
    inject_fault(mon, &f);
}

/* A protection fault: an instruction that the virtual processor may do though
 * the real one refused, or a fault of the guest's own making. Emulation tells
 * the two apart by the virtual privilege. */
static void emulate_or_reflect(struct monitor *mon,
                               const struct machine_exit *e)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;

    if ((e->vector == VEC_NP || e->vector == VEC_SS) &&
        descriptors_load_trapped(mon)) {
        count_exit(mon, EXIT_PRIVILEGED, e);
        return;
    }
    if (!exits_current(mon, &insn, bytes) || insn.cls == CLASS_NONE ||
        !emulate_knows(insn.id)) {
        struct machine_exit undefined = {.kind = e->kind, .vector = VEC_UD};

        /* Undefined forms of privileged instructions fault by privilege
         * first: not so at the guest's. */
        reflect(mon, mon->v.cpl == 0 && e->vector == VEC_GP &&
                             insn.status == DECODE_UNDEFINED
                         ? &undefined
                         : e);
        return;
    }
    count_exit(mon,
               insn.cls == CLASS_IO ? EXIT_IO
               : mon->v.cpl == 3    ? EXIT_EXCEPTION
                                    : EXIT_PRIVILEGED,
               e);
    emulation_run(mon, &insn, bytes, false);
}

struct trap_entry {
    const char *name;
    const char *cite;
    void (*handle)(struct monitor *mon, const struct machine_exit *e);
};

/* SDM 3A, "Exception and Interrupt Reference". Others are reflected. */
static const struct trap_entry trap_table[VEC_EXCEPTIONS] = {
    [VEC_DE] = {"#DE", "SDM 3A, Interrupt 0", reflect},
    [VEC_DB] = {"#DB", "SDM 3A, Interrupt 1", reflect},
    [VEC_UD] = {"#UD", "SDM 3A, Interrupt 6", emulate_or_reflect},
    [VEC_NM] = {"#NM", "SDM 3A, Interrupt 7", reflect},
    [VEC_TS] = {"#TS", "SDM 3A, Interrupt 10", emulate_or_reflect},
    [VEC_NP] = {"#NP", "SDM 3A, Interrupt 11", emulate_or_reflect},
    [VEC_SS] = {"#SS", "SDM 3A, Interrupt 12", emulate_or_reflect},
    [VEC_GP] = {"#GP", "SDM 3A, Interrupt 13", emulate_or_reflect},
    [VEC_MF] = {"#MF", "SDM 3A, Interrupt 16", reflect},
    [VEC_XM] = {"#XM", "SDM 3A, Interrupt 19", reflect},
};

static void exception(struct monitor *mon, const struct machine_exit *e)
{
    const struct trap_entry *t =
        e->vector < VEC_EXCEPTIONS ? &trap_table[e->vector] : NULL;

    if (t && t->handle)
        t->handle(mon, e);
    else
        reflect(mon, e);
}

/* ---- software interrupts
 * ------------------------------------------------------ */

static bool translated_site(struct monitor *mon)
{
    struct paging_walk walk;
    uint8_t original;

    if (!mon->patch_count)
        return false;
    mmu_guest_walk(mon->mmu, mon->v.seg[SEG_CS].base + mon->v.eip, 0, false,
                   &walk);
    return walk.allowed && monitor_patched(mon, walk_gpa(&walk), &original);
}

static void software(struct monitor *mon, const struct machine_exit *e)
{
    struct arch_event event = {
        .vector = e->vector, .source = e->source, .next_eip = e->next_eip};
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;

    if (e->vector == VEC_BP && translated_site(mon) &&
        exits_current(mon, &insn, bytes)) {
        count_exit(mon, EXIT_PATCHED, e);
        emulation_run(mon, &insn, bytes, true);
        return;
    }
    count_exit(mon, EXIT_SOFTWARE, e);
    inject_event(mon, &event, "software");
}

/* ---- page faults
 * --------------------------------------------------------------- */

/* What the monitor does not do itself it lets the processor do: one
 * instruction. */
static void let_through(struct monitor *mon)
{
    if (mmu_open(mon->mmu))
        machine_request_step(mon->machine);
    else
        exits_stop(mon, MONITOR_NO_MEMORY, "the machine is out of frames");
}

static void device_access(struct monitor *mon, uint32_t linear, uint32_t error)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;

    if (mon->technique->device) {
        struct fault f = mon->technique->device(mon, linear, error);

        inject_fault(mon, &f);
        return;
    }
    if (mon->technique->tripped)
        mon->technique->tripped(mon);
    if (exits_current(mon, &insn, bytes) && emulate_knows(insn.id))
        emulation_run(mon, &insn, bytes, false);
    else
        let_through(mon);
}

/* A write to a page that is watched. */
static void watched_write(struct monitor *mon)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;

    if (mon->technique->tripped)
        mon->technique->tripped(mon);
    if (exits_current(mon, &insn, bytes) && insn.cls == CLASS_NONE &&
        emulate_knows(insn.id)) {
        emulation_run(mon, &insn, bytes, false);
        return;
    }
    let_through(mon);
}

static void page_fault(struct monitor *mon, const struct machine_exit *e)
{
    struct mmu_result result;

    count_exit(mon, EXIT_PAGE_FAULT, e);
    if (descriptors_own_fault(mon, e->linear, e->error))
        return;
    mmu_fault(mon->mmu, e->linear, e->error, mon->v.eip, &result);
    if (mon->observer)
        mon->observer(mon->observer_ctx, e->linear, e->error, &result);
    switch (result.action) {
    case MMU_RESUME: break;
    case MMU_INJECT: inject_fault(mon, &result.fault); break;
    case MMU_EMULATE: device_access(mon, e->linear, e->error); break;
    case MMU_WRITE: watched_write(mon); break;
    case MMU_NO_MEMORY:
        exits_stop(mon, MONITOR_NO_MEMORY, "the machine is out of frames");
        break;
    }
}

/* ---- entry points of the machine
 * ------------------------------------------------ */

void exits_update_pin(struct monitor *mon)
{
    bool intr = pc_intr(mon->config.pc) || mon->nmi;

    if (mon->technique->pin) {
        mon->technique->pin(mon, intr);
        return;
    }
    /* With the real flag in the guest's hands the processor looks itself. */
    if (!mon->config.iopl1 || vcpu_runs_vm86(&mon->v))
        intr = intr && ((mon->v.eflags & EFL_IF) || mon->nmi);
    machine_set_intr(mon->machine, intr);
}

static void leave(struct monitor *mon)
{
    if (mon->dirty)
        monitor_install(mon);
    exits_update_pin(mon);
}

static void usual_exit(struct monitor *mon, const struct machine_exit *e)
{
    switch (e->kind) {
    case MX_PAGE_FAULT: page_fault(mon, e); break;
    case MX_SOFTWARE: software(mon, e); break;
    case MX_EXCEPTION: exception(mon, e); break;
    }
}

void exits_handle(void *ctx, const struct machine_exit *e)
{
    struct monitor *mon = ctx;

    if (mon->technique->quick && mon->technique->quick(mon, e))
        return;
    monitor_capture(mon);
    if (!mon->technique->exit || !mon->technique->exit(mon, e))
        usual_exit(mon, e);
    leave(mon);
}

/* Time has come for something, or an interrupt waits. */
void exits_attend(void *ctx)
{
    struct monitor *mon = ctx;

    mon->config.tick(mon->config.ctx);
    if (mon->technique->attend) {
        mon->technique->attend(mon);
        return;
    }
    monitor_capture(mon);
    if (mon->technique->boundary && !mon->technique->boundary(mon)) {
        mon->attend_later = true;
        machine_request_step(mon->machine);
        return;
    }
    if (mon->technique->pending)
        mon->technique->pending(mon);
    else
        inject_pending(mon);
    leave(mon);
}

void exits_stepped(void *ctx)
{
    struct monitor *mon = ctx;

    /* (One that only completes an instruction depends on who looks when.) */
    mon->trace->count.exits[EXIT_STEP] += !mon->attend_later;
    monitor_capture(mon);
    mmu_stepped(mon->mmu);
    if (mon->technique->stepped)
        mon->technique->stepped(mon);
    if (mon->attend_later)
        machine_attend(mon->machine);
    mon->attend_later = false;
    leave(mon);
}

void exits_vm_exit(void *ctx)
{
    struct monitor *mon = ctx;

    mon->technique->vm_exit(mon);
}

void exits_watched(void *ctx, const struct insn *insn)
{
    silent_about_to(ctx, insn);
}

bool exits_owns(void *ctx, uint32_t linear)
{
    struct monitor *mon = ctx;

    return mon->technique->owns && mon->technique->owns(mon, linear);
}

uint32_t exits_weight(void *ctx, uint32_t linear)
{
    struct monitor *mon = ctx;

    return mon->technique->weight ? mon->technique->weight(mon, linear) : 1;
}
