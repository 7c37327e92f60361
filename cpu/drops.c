/* SPDX-License-Identifier: MIT */
/* cpu/drops.c - taking translations out of the TLB.
 *
 * What leaves the model (cpu/tlb.h) leaves the engine's own TLB before the next
 * instruction.
 *
 * The engine can be told to forget everything, but not one page. INVLPG can,
 * so the machine runs one of its own: from code that lies where no guest can
 * name it ("microcode"), with the guest's state put aside.
 */
#include "cpu/machine_priv.h"

/* Drop single pages from the engine's TLB by running INVLPG, [EAX] at CPL 0,
 * from code that lies where no guest can name it. */
void drops_run(struct machine *m)
{
    struct live *l = &m->engine.live;
    struct cpu_state s;

    machine_get_state(m, &s);
    while (m->drop_count) {
        l->regs[GPR_EAX] = m->drop[--m->drop_count];
        *l->eip = 0;
        l->seg[SEG_CS].base = LINEAR_MICROCODE;
        l->seg[SEG_DS].base = 0;
        *l->hflags =
            (*l->hflags & ~(uint32_t)(HF_CPL | HF_INHIBIT_IRQ | HF_TF)) |
            HF_CS32 | HF_ADDSEG | HF_PE;
        *l->eflags &= ~(uint64_t)(EFL_VM | EFL_TF);
        clock_attend_from(&m->clock, UINT64_MAX);
        engine_before_run(&m->engine);
        uc_emu_start(m->engine.uc, 0, 0, 0, 0);
    }
    l->seg[SEG_CS].base = s.seg[SEG_CS].base;
    machine_set_state(m, &s);
    machine_look(m);
}

/* Any block will do. */
void drops_seek(struct machine *m)
{
    m->clock.seeking = true;
    m->drop[m->drop_count++] = 0;
    drops_run(m);
    m->clock.seeking = false;
}

/* ---- the model, and with it the engine ---------------------------------- */

void drops_engine(struct machine *m)
{
    m->tlb.epoch++;
    m->drop_count = 0;
    uc_ctl_flush_tlb(m->engine.uc);
}

void drops_page(struct machine *m, uint16_t tag, uint32_t linear)
{
    uint32_t lost = 0; /* another piece of the page, maybe */
    unsigned dropped = tlb_drop(&m->tlb, tag, linear, &lost);
    unsigned room = sizeof m->drop / sizeof *m->drop;

    if (!dropped)
        return;
    if (dropped > 1 || m->drop_count == room)
        drops_engine(m);
    else
        m->drop[m->drop_count++] = lost;
}

/* A kernel that changes CR3 for a moment, to patch itself, has touched few
 * pages that are not global: without the others the engine would ask for all of
 * them anew. (Of other scopes are the changes of CR0 and CR4, before which the
 * engine may have had addresses that were not translated.) */
void drops_flush(struct machine *m, enum tlb_scope scope, uint32_t which)
{
    unsigned room = DROPS - m->drop_count;
    unsigned lost =
        tlb_flush(&m->tlb, scope, which, m->drop + m->drop_count, room);

    if (scope == TLB_LOCAL && lost <= room)
        m->drop_count += lost;
    else if (tlb_covers(&m->tlb, scope, which))
        drops_engine(m);
}

void drops_switch(struct machine *m, uint16_t tag, uint32_t nested)
{
    if (tag == m->tlb.tag && nested == m->tlb.nested)
        return;
    m->tlb.tag = tag;
    m->tlb.nested = nested;
    drops_engine(m);
}

void machine_flush_page(struct machine *m, uint32_t linear)
{
    m->trace->count.tlb_page_flushes++;
    drops_page(m, m->tlb.tag, linear);
}

void machine_flush_tlb(struct machine *m)
{
    m->trace->count.tlb_flushes++;
    m->ept_flushes++;
    drops_flush(m, TLB_CONTEXT, m->tlb.tag);
}
