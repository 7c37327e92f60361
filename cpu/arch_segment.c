/* SPDX-License-Identifier: MIT */
/* cpu/arch_segment.c - descriptors and segment registers.
 *
 * Reference: SDM 3A, "Segment Descriptors", "Privilege Level Checking When
 * Accessing Data Segments"; SDM 2, MOV, LLDT, LTR.
 */
#include "cpu/arch_run.h"

struct segment arch_segment(uint16_t selector, uint32_t low, uint32_t high)
{
    uint32_t limit = (low & 0xFFFF) | (high & 0x000F0000u);
    uint16_t attr = (uint16_t)(high >> 8 & SEG_ATTR_MASK);

    if (attr & SEG_G)
        limit = limit << 12 | 0xFFF;
    return (struct segment){
        .base = low >> 16 | (high & 0xFF) << 16 | (high & 0xFF000000u),
        .limit = limit,
        .selector = selector,
        .attr = attr,
    };
}

/* False: the selector lies outside its table. */
bool run_find(struct arch_run *r, uint16_t selector, struct descriptor *d)
{
    uint32_t base = r->s.gdtr.base;
    uint32_t limit = r->s.gdtr.limit;
    uint32_t at = selector & SEL_INDEX;

    if (selector & SEL_TI) {
        if (r->s.ldtr.attr == 0)
            return false;
        base = r->s.ldtr.base;
        limit = r->s.ldtr.limit;
    }
    if (at + 7 > limit)
        return false;
    d->linear = base + at;
    d->selector = selector;
    run_descriptor(r, d->linear, false, &d->low);
    run_descriptor(r, d->linear + 4, false, &d->high);
    return true;
}

struct descriptor run_fetch(struct arch_run *r, uint16_t selector,
                            uint8_t vector)
{
    struct descriptor d = {0};

    if (!run_find(r, selector, &d))
        run_raise(r, vector, sel_error(selector));
    return d;
}

/* Change type bits (accessed, busy) in memory and in d, if they differ. */
void run_set_type_bits(struct arch_run *r, struct descriptor *d, uint32_t set,
                       uint32_t clear)
{
    uint32_t high = (d->high | set << 8) & ~(clear << 8);

    if (high == d->high)
        return;
    d->high = high;
    run_descriptor(r, d->linear + 4, true, &high); /* as loads do natively */
}

struct segment run_accessed(struct arch_run *r, struct descriptor *d,
                            uint16_t selector)
{
    run_set_type_bits(r, d, SEG_ACCESSED, 0);
    return arch_segment(selector, d->low, d->high);
}

/* Real mode changes only selector and base: the limit stays, which is how
 * programs reach 4 GiB from real mode. */
struct segment run_real_segment(const struct arch_run *r, enum seg_reg reg,
                                uint16_t selector)
{
    struct segment seg = r->s.seg[reg];

    seg.selector = selector;
    seg.base = (uint32_t)selector << 4;
    return seg;
}

/* SDM 3A, "Address Translation in Real-Address Mode" and "8086 Emulation". */
void run_load_vm86(struct arch_run *r, enum seg_reg reg, uint16_t selector)
{
    r->s.seg[reg] = (struct segment){
        .base = (uint32_t)selector << 4,
        .limit = 0xFFFF,
        .selector = selector,
        .attr = SEG_P | SEG_DPL | SEG_S | SEG_WRITABLE | SEG_ACCESSED,
    };
}

static void load_stack_segment(struct arch_run *r, uint16_t selector,
                               uint8_t vector)
{
    if (SEL_NULL(selector))
        run_raise(r, vector, vector == VEC_TS ? sel_error(selector) : 0);
    struct descriptor d = run_fetch(r, selector, vector);
    unsigned cpl = r->s.cpl;
    if ((selector & SEL_RPL) != cpl || desc_dpl(&d) != cpl ||
        !desc_writable(&d))
        run_raise(r, vector, sel_error(selector));
    if (!desc_present(&d))
        run_raise(r, VEC_SS, sel_error(selector));
    r->s.seg[SEG_SS] = run_accessed(r, &d, selector);
}

/* Load SS DS ES FS GS in protected mode. In a task switch what would be #GP is
 * #TS. SDM 2, MOV, "Operation". */
void run_load_data(struct arch_run *r, enum seg_reg reg, uint16_t selector,
                   bool in_task_switch)
{
    uint8_t vector = in_task_switch ? VEC_TS : VEC_GP;

    if (reg == SEG_SS) {
        load_stack_segment(r, selector, vector);
        return;
    }
    if (SEL_NULL(selector)) {
        r->s.seg[reg] = (struct segment){.selector = selector};
        return;
    }
    struct descriptor d = run_fetch(r, selector, vector);
    unsigned rpl = selector & SEL_RPL;
    bool readable =
        !desc_system(&d) && (!desc_code(&d) || (d.high & SEG_READABLE << 8));
    bool allowed = desc_conforming(&d) ||
                   (desc_dpl(&d) >= rpl && desc_dpl(&d) >= r->s.cpl);
    if (!readable || !allowed)
        run_raise(r, vector, sel_error(selector));
    if (!desc_present(&d))
        run_raise(r, VEC_NP, sel_error(selector));
    r->s.seg[reg] = run_accessed(r, &d, selector);
}

/* A return to an outer level must not leave it the inner level's segments. */
void run_drop_inner_segments(struct arch_run *r)
{
    static const enum seg_reg data[] = {SEG_ES, SEG_FS, SEG_GS, SEG_DS};

    for (unsigned i = 0; i < sizeof data / sizeof *data; i++) {
        struct segment *seg = &r->s.seg[data[i]];
        unsigned dpl = (seg->attr & SEG_DPL) >> SEG_DPL_SHIFT;
        bool conforming = (seg->attr & SEG_S) && (seg->attr & SEG_CODE) &&
                          (seg->attr & SEG_CONFORM);
        if (seg->attr == 0)
            seg->selector = 0; /* null already, whatever its RPL */
        else if (!conforming && dpl < r->s.cpl)
            *seg = (struct segment){0};
    }
}

struct load_args {
    enum seg_reg reg;
    uint16_t selector;
};

static void load_segment(struct arch_run *r, void *args)
{
    const struct load_args *a = args;

    if (!state_protected(&r->s))
        r->s.seg[a->reg] = run_real_segment(r, a->reg, a->selector);
    else if (state_vm86(&r->s))
        run_load_vm86(r, a->reg, a->selector);
    else
        run_load_data(r, a->reg, a->selector, false);
}

bool arch_load_segment(struct cpu_state *s, const struct mem_ops *mem,
                       enum seg_reg reg, uint16_t selector, struct fault *f)
{
    struct load_args args = {reg, selector};

    return run_try(s, mem, 0, load_segment, &args, f);
}

static void lldt(struct arch_run *r, void *args)
{
    uint16_t selector = *(const uint16_t *)args;

    if (SEL_NULL(selector)) {
        r->s.ldtr = (struct segment){.selector = selector};
        return;
    }
    if (selector & SEL_TI)
        run_raise(r, VEC_GP, sel_error(selector));
    struct descriptor d = run_fetch(r, selector, VEC_GP);
    if (!desc_system(&d) || desc_type(&d) != SYS_LDT)
        run_raise(r, VEC_GP, sel_error(selector));
    if (!desc_present(&d))
        run_raise(r, VEC_NP, sel_error(selector));
    r->s.ldtr = arch_segment(selector, d.low, d.high);
}

bool arch_lldt(struct cpu_state *s, const struct mem_ops *mem,
               uint16_t selector, struct fault *f)
{
    return run_try(s, mem, 0, lldt, &selector, f);
}

static void ltr(struct arch_run *r, void *args)
{
    uint16_t selector = *(const uint16_t *)args;

    if (SEL_NULL(selector))
        run_raise(r, VEC_GP, 0);
    struct descriptor d = run_fetch_tss(r, selector, VEC_GP, false);
    run_set_type_bits(r, &d, 2, 0);
    r->s.tr = arch_segment(selector, d.low, d.high);
}

bool arch_ltr(struct cpu_state *s, const struct mem_ops *mem, uint16_t selector,
              struct fault *f)
{
    return run_try(s, mem, 0, ltr, &selector, f);
}
