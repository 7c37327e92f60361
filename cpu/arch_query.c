/* SPDX-License-Identifier: MIT */
/* cpu/arch_query.c - LAR, LSL, VERR, VERW: what a selector would allow.
 *
 * None of them faults for a bad selector; they clear ZF. All of them look at
 * CPL and at the tables in force, which is why a deprivileged kernel gets
 * wrong answers from them without noticing.
 *
 * Reference: SDM 2, LAR, LSL, VERR/VERW.
 */
#include "cpu/arch_run.h"

struct query {
    uint16_t selector;
    uint16_t system_types; /* bit n: system type n is acceptable */
    bool found;            /* present in its table and visible at this CPL */
    struct descriptor d;
};

static void look_up(struct arch_run *r, void *args)
{
    struct query *q = args;
    unsigned rpl = q->selector & SEL_RPL;

    if (SEL_NULL(q->selector) || !run_find(r, q->selector, &q->d))
        return;
    if (desc_system(&q->d) && !(q->system_types >> desc_type(&q->d) & 1))
        return;
    unsigned dpl = desc_dpl(&q->d);
    q->found = desc_conforming(&q->d) || (dpl >= rpl && dpl >= r->s.cpl);
}

/* False: a page fault on the table; otherwise q->found. */
static bool ask(struct cpu_state *s, const struct mem_ops *mem, struct query *q,
                struct fault *f)
{
    if (!run_try(s, mem, 0, look_up, q, f))
        return false;
    *f = (struct fault){.vector = 0xFF};
    return q->found;
}

bool arch_lar(struct cpu_state *s, const struct mem_ops *mem, uint16_t selector,
              uint32_t *value, struct fault *f)
{
    struct query q = {
        .selector = selector,
        .system_types = 1 << SYS_TSS16 | 1 << SYS_LDT | 1 << SYS_TSS16_BUSY |
                        1 << SYS_CALL16 | 1 << SYS_TASK_GATE | 1 << SYS_TSS32 |
                        1 << SYS_TSS32_BUSY | 1 << SYS_CALL32,
    };

    if (!ask(s, mem, &q, f))
        return false;
    *value = q.d.high & 0x00F0FF00u;
    return true;
}

bool arch_lsl(struct cpu_state *s, const struct mem_ops *mem, uint16_t selector,
              uint32_t *value, struct fault *f)
{
    struct query q = {
        .selector = selector,
        .system_types = 1 << SYS_TSS16 | 1 << SYS_LDT | 1 << SYS_TSS16_BUSY |
                        1 << SYS_TSS32 | 1 << SYS_TSS32_BUSY,
    };

    if (!ask(s, mem, &q, f))
        return false;
    *value = arch_segment(selector, q.d.low, q.d.high).limit;
    return true;
}

bool arch_verify(struct cpu_state *s, const struct mem_ops *mem,
                 uint16_t selector, bool write, struct fault *f)
{
    struct query q = {.selector = selector, .system_types = 0};

    if (!ask(s, mem, &q, f))
        return false;
    if (write)
        return desc_writable(&q.d);
    return !desc_code(&q.d) || (q.d.high & SEG_READABLE << 8);
}
