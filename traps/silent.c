/* SPDX-License-Identifier: MIT */
/* traps/silent.c - the hole: sensitive instructions that do not trap.
 *
 * At ring 1 POPF and IRET leave the interrupt flag alone without a word, and
 * PUSHF shows the real one. Nothing can be done about that by trapping; it can
 * only be noticed. The machine shows each such instruction before it executes,
 * and what is lost is written down, so that the guest's end can be explained.
 *
 * Reference: Robin & Irvine, USENIX Security 2000; SDM 2B, "POPF".
 */
#include "traps/monitor_priv.h"

enum { LOST_POPF, LOST_IRET };

static bool read_stack(struct monitor *mon, uint32_t offset, unsigned size,
                       uint32_t *value)
{
    const struct segment *ss = &mon->v.seg[SEG_SS];
    uint32_t esp = mon->v.gpr[GPR_ESP] + offset;
    struct fault f;
    bool device = false;

    if (!(ss->attr & SEG_D))
        esp &= 0xFFFF;
    return mmu_read(mon->mmu, ss->base + esp, size, false, value, &f, &device);
}

static void lost(struct monitor *mon, unsigned which, const struct insn *insn,
                 uint32_t image)
{
    struct monitor_lost *l = &mon->audit.lost[which];

    if (!l->count++) {
        l->first_cycle = machine_now(mon->machine);
        l->first_eip = mon->v.eip;
        l->insn = insn->id;
        l->wanted = (image & EFL_IF) != 0;
    }
    l->last_eip = mon->v.eip;
    mon->trace->count.silent++;
    trace_silent(mon->trace, monitor_site(mon), insn_name(insn->id), 0,
                 mon->v.eflags, image, 0);
}

/* Under static translation none should be left: this one the scan had not
 * seen. */
static void missed(struct monitor *mon, const struct insn *insn)
{
    struct monitor_lost *l = &mon->audit.missed;

    if (!l->count++) {
        l->first_cycle = machine_now(mon->machine);
        l->first_eip = mon->v.eip;
        l->insn = insn->id;
    }
    l->last_eip = mon->v.eip;
}

/* Is the interrupt flag lost, or shown wrong? Then it is reported. */
static bool flag_lost(struct monitor *mon, const struct insn *insn)
{
    unsigned size = insn->operand_size;
    uint32_t image, cs;

    switch (insn->id) {
    case INSN_POPF:
        if (!read_stack(mon, 0, size, &image) ||
            !((image ^ mon->v.eflags) & EFL_IF))
            return false;
        lost(mon, LOST_POPF, insn, image);
        return true;
    case INSN_IRET:
        /* To a selector of ring 0 it traps: RPL below the real CPL. */
        if (!read_stack(mon, size, size, &cs) || (cs & SEL_RPL) == 0 ||
            !read_stack(mon, 2 * size, size, &image) ||
            !((image ^ mon->v.eflags) & EFL_IF))
            return false;
        lost(mon, LOST_IRET, insn, image);
        return true;
    case INSN_PUSHF:
        if (mon->v.eflags & EFL_IF)
            return false; /* shows the truth */
        mon->trace->count.silent++;
        trace_silent(mon->trace, monitor_site(mon), "pushf", 0,
                     mon->v.eflags | EFL_IF, mon->v.eflags, 0);
        return true;
    default: return false;
    }
}

void silent_about_to(struct monitor *mon, const struct insn *insn)
{
    bool reported;

    monitor_capture(mon);
    reported = !mon->config.iopl1 && flag_lost(mon, insn);
    if (mon->config.audit && !reported)
        silent_audit(mon, insn);
    if (mon->patch_count)
        missed(mon, insn);
}

/* Since when, and by what, interrupts are off. */
void silent_flag_changed(struct monitor *mon, uint32_t old_eflags, uint32_t eip,
                         const char *by)
{
    struct monitor_audit *a = &mon->audit;

    if (!((mon->v.eflags ^ old_eflags) & EFL_IF))
        return;
    if (mon->v.eflags & EFL_IF) {
        a->if_off_by = NULL;
        return;
    }
    a->if_off_by = by;
    a->if_off_cycle = machine_now(mon->machine);
    a->if_off_eip = eip;
}
