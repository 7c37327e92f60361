/* SPDX-License-Identifier: MIT */
/* cpu/drops.c - taking translations out of the engine's TLB.
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

    if (m->drop_count > sizeof m->drop / sizeof *m->drop) {
        m->drop_count = 0;
        uc_ctl_flush_tlb(m->engine.uc);
        return;
    }
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

void machine_flush_page(struct machine *m, uint32_t linear)
{
    if (m->drop_count < sizeof m->drop / sizeof *m->drop)
        m->drop[m->drop_count] = linear;
    if (m->drop_count <= sizeof m->drop / sizeof *m->drop)
        m->drop_count++;
    m->trace->count.tlb_page_flushes++;
}

void machine_flush_tlb(struct machine *m)
{
    m->trace->count.tlb_flushes++;
    m->drop_count = 0;
    uc_ctl_flush_tlb(m->engine.uc);
}
