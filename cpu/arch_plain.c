/* SPDX-License-Identifier: MIT */
/* cpu/arch_plain.c - the usual interrupt and the usual return from one.
 *
 * Nearly every event goes through a 32-bit gate from a flat 32-bit segment to
 * another, by present descriptors that have been used before, onto a stack that
 * is there; and IRET takes it back. The manual's procedures (arch_deliver.c,
 * arch_iret.c) come to this case by a hundred questions, of which each may
 * raise something halfway. Here all are asked first, of whole frames and
 * descriptors; if one has another answer, nothing has been done and the
 * manual's procedure is. So nothing is raised here, and there is no copy to
 * throw away.
 *
 * The two agree on every case that this one takes: tests/cpu/test_arch_plain.c.
 *
 * Reference: as arch_deliver.c, arch_iret.c.
 */
#include <string.h>

#include "cpu/arch_run.h"

/* EIP, CS, EFLAGS; to or from another level also ESP, SS. */
enum { FRAME_SAME = 12, FRAME_OTHER = 20, FRAME_MOST = FRAME_OTHER + 4 };

static bool plain_mode(const struct cpu_state *s)
{
    return state_protected(s) && !(s->eflags & EFL_VM);
}

static void copy_descriptor(const uint8_t *at, struct descriptor *d)
{
    memcpy(&d->low, at, 4);
    memcpy(&d->high, at + 4, 4);
}

static bool read_descriptor(const struct mem_ops *mem, uint32_t linear,
                            struct descriptor *d)
{
    const uint8_t *at = mem->span(mem->ctx, linear, 8, false, false);

    if (at)
        copy_descriptor(at, d);
    return at != NULL;
}

/* What an event or a return reads of the state and of memory. */
struct plain {
    const struct cpu_state *s;
    const struct mem_ops *mem;
    const uint8_t *gdt; /* where it can be read at once; or NULL */
};

/* Two segments of the GDT are read, which mostly is in one page. */
static struct plain plain_start(const struct cpu_state *s,
                                const struct mem_ops *mem)
{
    return (struct plain){
        s, mem,
        mem->span(mem->ctx, s->gdtr.base, s->gdtr.limit + 1u, false, false)};
}

/* A segment of the GDT that is there and needs no mark. */
static bool read_segment(const struct plain *p, uint16_t selector,
                         struct descriptor *d)
{
    const uint32_t wanted = (SEG_P | SEG_S | SEG_ACCESSED) << 8;
    uint32_t offset = selector & SEL_INDEX;

    if (SEL_NULL(selector) || (selector & SEL_TI) ||
        offset + 7 > p->s->gdtr.limit)
        return false;
    if (p->gdt)
        copy_descriptor(p->gdt + offset, d);
    else if (!read_descriptor(p->mem, p->s->gdtr.base + offset, d))
        return false;
    return (d->high & wanted) == wanted;
}

/* Code that runs at its own privilege, and holds EIP. */
static bool read_code(const struct plain *p, uint16_t selector, uint32_t eip,
                      struct segment *cs)
{
    struct descriptor d;

    if (!read_segment(p, selector, &d) || !desc_code(&d) || desc_conforming(&d))
        return false;
    *cs = arch_segment(selector, d.low, d.high);
    return eip <= cs->limit;
}

static unsigned privilege(const struct segment *seg)
{
    return (seg->attr & SEG_DPL) >> SEG_DPL_SHIFT;
}

/* The stack segment for a privilege. */
static bool read_stack(const struct plain *p, uint16_t selector, unsigned cpl,
                       struct segment *ss)
{
    struct descriptor d;

    if (!read_segment(p, selector, &d) || !desc_writable(&d) ||
        (selector & SEL_RPL) != cpl)
        return false;
    *ss = arch_segment(selector, d.low, d.high);
    return privilege(ss) == cpl;
}

/* The frame at an offset of a stack. */
static uint8_t *frame_at(const struct mem_ops *mem, const struct segment *ss,
                         uint32_t offset, unsigned bytes, bool write, bool user)
{
    if (!(ss->attr & SEG_D) || (ss->attr & SEG_EXPAND) ||
        (uint64_t)offset + bytes - 1 > ss->limit)
        return NULL;
    return mem->span(mem->ctx, ss->base + offset, bytes, write, user);
}

static void enter(struct cpu_state *s, const struct segment *cs, uint32_t eip,
                  unsigned cpl)
{
    s->seg[SEG_CS] = *cs;
    s->seg[SEG_CS].selector = (uint16_t)(sel_error(cs->selector) | cpl);
    s->eip = eip;
    s->cpl = (uint8_t)cpl;
    s->interrupt_shadow = false;
}

/* ---- events -------------------------------------------------------------- */

struct plain_gate {
    uint16_t selector;
    uint32_t offset;
    bool masks; /* an interrupt gate */
};

static bool read_gate(const struct cpu_state *s, const struct mem_ops *mem,
                      const struct arch_event *e, struct plain_gate *gate)
{
    bool software = e->source == ARCH_SOFTWARE || e->source == ARCH_INT3_INTO;
    struct descriptor d;
    unsigned type;

    if (e->vector * 8u + 7 > s->idtr.limit ||
        !read_descriptor(mem, s->idtr.base + e->vector * 8u, &d))
        return false;
    type = desc_type(&d);
    *gate = (struct plain_gate){gate_selector(&d), gate_offset(&d),
                                type == SYS_INT32};
    return desc_system(&d) && desc_present(&d) &&
           (type == SYS_INT32 || type == SYS_TRAP32) &&
           (!software || desc_dpl(&d) >= s->cpl);
}

/* The inner stack, from a 32-bit TSS. */
static bool read_inner_stack(const struct plain *p, unsigned cpl,
                             struct segment *ss, uint32_t *esp)
{
    const struct cpu_state *s = p->s;
    uint32_t offset = cpl * 8 + 4;
    const uint8_t *at;
    uint16_t selector;

    if ((s->tr.attr & SEG_TYPE) != SYS_TSS32_BUSY || offset + 7 > s->tr.limit)
        return false;
    at = p->mem->span(p->mem->ctx, s->tr.base + offset, 8, false, false);
    if (!at)
        return false;
    memcpy(esp, at, sizeof *esp);
    memcpy(&selector, at + 4, sizeof selector);
    return read_stack(p, selector, cpl, ss);
}

/* What is pushed, from the lowest word; how many bytes. */
static unsigned make_frame(const struct cpu_state *s,
                           const struct arch_event *e, bool other,
                           uint32_t frame[FRAME_MOST / 4])
{
    unsigned n = 0;

    if (e->source == ARCH_EXCEPTION && e->has_error)
        frame[n++] = e->error;
    frame[n++] = event_return(s, e);
    frame[n++] = s->seg[SEG_CS].selector;
    frame[n++] = arch_event_flags(s, e);
    if (other) {
        frame[n++] = s->gpr[GPR_ESP];
        frame[n++] = s->seg[SEG_SS].selector;
    }
    return 4 * n;
}

bool arch_deliver_plain(struct cpu_state *s, const struct mem_ops *mem,
                        const struct arch_event *e)
{
    struct segment cs, ss = s->seg[SEG_SS];
    uint32_t frame[FRAME_MOST / 4], esp = s->gpr[GPR_ESP];
    struct plain_gate gate;
    struct plain p;
    unsigned cpl, bytes;
    uint8_t *to;

    if (!mem->span || !plain_mode(s) || e->source == ARCH_NMI ||
        !read_gate(s, mem, e, &gate))
        return false;
    p = plain_start(s, mem);
    if (!read_code(&p, gate.selector, gate.offset, &cs))
        return false;
    cpl = privilege(&cs);
    if (cpl > s->cpl || (cpl < s->cpl && !read_inner_stack(&p, cpl, &ss, &esp)))
        return false;
    bytes = make_frame(s, e, cpl < s->cpl, frame);
    to = frame_at(mem, &ss, esp - bytes, bytes, true, cpl == 3);
    if (!to)
        return false;
    memcpy(to, frame, bytes);
    s->seg[SEG_SS] = ss;
    s->gpr[GPR_ESP] = esp - bytes;
    enter(s, &cs, gate.offset, cpl);
    s->eflags &= ~(EFL_TF | EFL_NT | EFL_RF | (gate.masks ? EFL_IF : 0));
    s->halted = false;
    if (e->source == ARCH_EXCEPTION && e->vector == VEC_PF)
        s->cr2 = e->cr2;
    return true;
}

/* ---- IRET ---------------------------------------------------------------- */

/* Would a return to this privilege take a data segment away, or make 0 of a
 * null selector? */
static bool drops_segments(const struct cpu_state *s, unsigned cpl)
{
    static const enum seg_reg data[] = {SEG_ES, SEG_FS, SEG_GS, SEG_DS};

    for (unsigned i = 0; i < sizeof data / sizeof *data; i++) {
        const struct segment *seg = &s->seg[data[i]];

        if (seg->attr ? privilege(seg) < cpl : seg->selector != 0)
            return true; /* conforming code, too: ask again */
    }
    return false;
}

/* The outer stack of a frame. */
static bool return_stack(const struct plain *p, const uint8_t *frame,
                         unsigned cpl, struct segment *ss, uint32_t *esp)
{
    uint16_t selector;

    memcpy(esp, frame + 12, sizeof *esp);
    memcpy(&selector, frame + 16, sizeof selector);
    return read_stack(p, selector, cpl, ss) && (ss->attr & SEG_D) &&
           !drops_segments(p->s, cpl);
}

/* The frame that IRET takes back, as much of it as is there: an outer one ends
 * in a stack, too. */
static const uint8_t *return_frame(const struct cpu_state *s,
                                   const struct mem_ops *mem, unsigned *bytes)
{
    const struct segment *ss = &s->seg[SEG_SS];
    uint32_t esp = s->gpr[GPR_ESP];
    const uint8_t *frame =
        frame_at(mem, ss, esp, FRAME_OTHER, false, s->cpl == 3);

    *bytes = frame ? FRAME_OTHER : FRAME_SAME;
    return frame ? frame
                 : frame_at(mem, ss, esp, FRAME_SAME, false, s->cpl == 3);
}

bool arch_iret_plain(struct cpu_state *s, const struct mem_ops *mem)
{
    const uint32_t odd = EFL_VM | EFL_NT | EFL_TF;
    struct segment cs, ss = s->seg[SEG_SS];
    uint32_t esp = s->gpr[GPR_ESP], eip, flags;
    const uint8_t *frame;
    uint16_t selector;
    struct plain p;
    unsigned cpl, bytes;

    if (!mem->span || !plain_mode(s) || (s->eflags & EFL_NT))
        return false;
    frame = return_frame(s, mem, &bytes);
    if (!frame)
        return false;
    memcpy(&eip, frame, sizeof eip);
    memcpy(&selector, frame + 4, sizeof selector);
    memcpy(&flags, frame + 8, sizeof flags);
    cpl = selector & SEL_RPL;
    p = plain_start(s, mem);
    if ((flags & odd) || cpl < s->cpl || !read_code(&p, selector, eip, &cs) ||
        privilege(&cs) != cpl)
        return false;
    if (cpl > s->cpl) {
        if (bytes != FRAME_OTHER || !return_stack(&p, frame, cpl, &ss, &esp))
            return false;
    } else {
        esp += FRAME_SAME;
    }
    s->eflags = flags_merge(s->eflags, flags, iret_flags(s, 4));
    s->seg[SEG_SS] = ss;
    s->gpr[GPR_ESP] = esp;
    enter(s, &cs, eip, cpl);
    s->nmi_blocked = false;
    return true;
}
