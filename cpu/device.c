/* SPDX-License-Identifier: MIT */
/* cpu/device.c - instructions that keep reaching a device's memory.
 *
 * An access to a device needs the exact EIP and clock, so a TLB fill refuses it
 * and the engine stops (cpu/refused.c). Some instructions do nothing else: a
 * kernel that reads its local APIC's ID to know on which processor it runs does
 * so with each lock. A plain MOV that was refused a few times becomes a site
 * (cpu/code.c), where both are exact and the engine need not be left.
 */
#include "cpu/machine_priv.h"

enum {
    TOUCHES = 8,   /* of a device, until an instruction becomes a site */
    INNOCENT = 64, /* accesses to memory by a page's sites: they are none */

    /* A descriptor's second word. */
    DESC_CODE = 1u << 11,
    DESC_WRITABLE = 1u << 9,
};

void device_refused(struct machine *m, uint32_t linear, const struct insn *insn)
{
    struct device_site *d = &m->devices[linear % DEVICE_SITES];
    struct code_page *p;
    ma_t page;

    if (m->stepping || !(insn_plain_load(insn) || insn_plain_store(insn)))
        return;
    p = code_executing(m, linear, &page);
    if (!p || !p->code || p->stepped)
        return;
    if (d->page != p || d->linear != linear)
        *d = (struct device_site){.page = p, .linear = linear};
    if (++d->refusals < TOUCHES)
        return;
    d->refusals = 0;
    code_make_device_site(m, p, linear & PAGE_MASK);
}

bool machine_flat(const struct machine *m, enum seg_reg seg, bool write)
{
    const struct live_segment *s = &m->engine.live.seg[seg];

    return s->base == 0 && s->limit == UINT32_MAX && !(s->flags & DESC_CODE) &&
           (!write || (s->flags & DESC_WRITABLE));
}

uint32_t machine_offset(const struct machine *m, const struct operand *op)
{
    const struct live *l = &m->engine.live;
    uint32_t offset = op->value;

    if (op->base != REG_NONE)
        offset += (uint32_t)l->regs[op->base];
    if (op->index != REG_NONE)
        offset += (uint32_t)l->regs[op->index] * op->scale;
    return offset;
}

/* Where the move goes to, if that is a device. */
static bool find_device(struct machine *m, struct code_page *p,
                        const struct operand *op, bool write, ma_t *ma)
{
    unsigned access =
        (write ? ACC_WRITE : 0) | (live_cpl(m) == 3 ? ACC_USER : 0);
    uint32_t linear = machine_offset(m, op);
    struct paging_walk w;
    struct fault f;

    if (!machine_flat(m, op->segment, write) ||
        (linear & PAGE_MASK) > PAGE_BYTES - 4 ||
        !walk_access(m, linear, access, &w, &f))
        return false;
    *ma = MA(w.address);
    if (!memory_has(&m->memory, *ma, 4)) {
        p->innocent = 0;
        return true;
    }
    if (++p->innocent >= INNOCENT) {
        p->innocent = 0;
        code_drop(m, code_page_at(p));
    }
    return false;
}

bool device_quick(struct machine *m, struct code_page *p, uint32_t linear,
                  struct insn *insn)
{
    const struct memory *memory = &m->memory;
    struct live *l = &m->engine.live;
    unsigned offset = linear & PAGE_MASK;
    const struct operand *op = insn->op;
    ma_t ma;

    if (m->stepping || m->vmx.non_root ||
        offset + INSN_MAX_LENGTH > PAGE_BYTES ||
        (*l->eflags & (EFL_TF | EFL_RF | EFL_VM)) ||
        !decode(memory_at(memory, MA(code_page_at(p).v + offset)),
                INSN_MAX_LENGTH, (*l->hflags & HF_CS32) != 0, insn) ||
        !(insn_plain_load(insn) || insn_plain_store(insn)) ||
        !find_device(m, p, &op[insn_plain_load(insn)], !insn_plain_load(insn),
                     &ma))
        return false;
    *l->eip = (uint32_t)(linear - l->seg[SEG_CS].base);
    if (insn_plain_load(insn))
        l->regs[op[0].reg] = m->client.mmio_read(m->client.owner, ma, 4);
    else
        m->client.mmio_write(m->client.owner, ma, 4,
                             op[1].kind == OPERAND_GPR
                                 ? (uint32_t)l->regs[op[1].reg]
                                 : op[1].value);
    *l->eip = (uint32_t)*l->eip + insn->length;
    *l->hflags &= ~(uint32_t)HF_INHIBIT_IRQ;
    m->trace->count.intercepts++;
    return true;
}
