/* SPDX-License-Identifier: MIT */
/* cpu/engine.c - opening the engine; its live state and the architectural one.
 */
#include "cpu/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/calibrate.h"

static bool refuse(char **error, const char *what)
{
    if (asprintf(error,
                 "the installed Unicorn %s cannot be used (%s); install "
                 "libunicorn 2.1.1 or run ./run --build",
                 engine_version(), what) < 0)
        *error = NULL;
    return false;
}

const char *engine_version(void)
{
    static char text[32];
    unsigned version = uc_version(NULL, NULL);

    snprintf(text, sizeof text, "%u.%u.%u", version >> 24 & 0xFF,
             version >> 16 & 0xFF, version >> 8 & 0xFF);
    return text;
}

bool engine_open(struct engine *e, char **error)
{
    const char *what;

    memset(e, 0, sizeof *e);
    *error = NULL;
    if (uc_version(NULL, NULL) < 0x02010100u)
        return refuse(error, "2.1.1 is the oldest that translates addresses");
    if (uc_open(UC_ARCH_X86, UC_MODE_32, &e->uc) != UC_ERR_OK)
        return refuse(error, "it has no x86");
    if (uc_ctl_tlb_mode(e->uc, UC_TLB_VIRTUAL) != UC_ERR_OK ||
        uc_ctl_exits_enable(e->uc) != UC_ERR_OK)
        what = "it has no virtual TLB";
    else
        what = engine_calibrate(e);
    if (!what)
        return true;
    engine_close(e);
    return refuse(error, what);
}

void engine_close(struct engine *e)
{
    if (e->uc)
        uc_close(e->uc);
    free(e->probe_memory);
    e->uc = NULL;
    e->probe_memory = NULL;
}

/* ---- refusals -------------------------------------------------------- */

void engine_report_refusal(struct engine *e)
{
    if (!e->live.exception_index)
        return;
    *e->live.exception_index = ENGINE_REFUSED;
    *e->live.exception_is_int = 0;
}

void engine_take_refusal(struct engine *e)
{
    for (unsigned i = 0; i < EXIT_REQUESTS; i++)
        if (e->live.exit_request[i])
            *e->live.exit_request[i] = 0;
    *e->live.error = UC_ERR_OK;
}

/* ---- state ---------------------------------------------------------- */

uint32_t engine_eflags(const struct engine *e)
{
    const struct live *l = &e->live;
    uint32_t value;

    /* A fault of SETcc leaves the source of the flags where the engine takes
     * it for the flags themselves: nothing but flags must come of that. */
    if (*l->cc_op == CC_OP_EFLAGS)
        return ((uint32_t)*l->eflags & EFL_DEFINED & ~(EFL_ARITH | EFL_DF)) |
               ((uint32_t)*l->cc_src & EFL_ARITH) | EFL_FIXED |
               (*l->df < 0 ? EFL_DF : 0);
    uc_reg_read(e->uc, UC_X86_REG_EFLAGS, &value);
    return (value & EFL_DEFINED) | EFL_FIXED;
}

void engine_set_eflags(struct engine *e, uint32_t value)
{
    struct live *l = &e->live;

    *l->cc_src = value & EFL_ARITH;
    *l->cc_op = CC_OP_EFLAGS;
    *l->df = value & EFL_DF ? -1 : 1;
    *l->eflags = (value & ~(EFL_ARITH | EFL_DF)) | EFL_FIXED;
}

void engine_set_arith_flags(struct engine *e, uint32_t value)
{
    struct live *l = &e->live;

    *l->cc_src = value & EFL_ARITH;
    *l->cc_op = CC_OP_EFLAGS;
}

/* Between runs the engine keeps the arithmetic flags and DF with the others,
 * and takes them from there when it starts. */
void engine_before_run(struct engine *e)
{
    uint32_t value = engine_eflags(e) & (EFL_ARITH | EFL_DF);

    *e->live.eflags =
        (*e->live.eflags & ~(uint64_t)(EFL_ARITH | EFL_DF)) | value;
}

static struct segment segment_from(const struct live_segment *l)
{
    return (struct segment){
        .base = (uint32_t)l->base,
        .limit = l->limit,
        .selector = (uint16_t)l->selector,
        .attr = (uint16_t)(l->flags >> 8 & SEG_ATTR_MASK),
    };
}

static void segment_to(struct live_segment *l, const struct segment *s)
{
    l->selector = s->selector;
    l->base = s->base;
    l->limit = s->limit;
    l->flags = (uint32_t)(s->attr & SEG_ATTR_MASK) << 8;
}

void engine_load_frame(const struct engine *e, struct cpu_state *s)
{
    const struct live *l = &e->live;

    s->eflags = engine_eflags(e);
    s->gpr[GPR_ESP] = (uint32_t)l->regs[GPR_ESP];
    s->eip = (uint32_t)*l->eip;
    s->seg[SEG_CS] = segment_from(&l->seg[SEG_CS]);
    s->seg[SEG_SS] = segment_from(&l->seg[SEG_SS]);
    s->cr2 = (uint32_t)l->cr[2];
    s->cpl = (uint8_t)(*l->hflags & HF_CPL);
    s->interrupt_shadow = (*l->hflags & HF_INHIBIT_IRQ) != 0;
}

void engine_load_rest(const struct engine *e, struct cpu_state *s)
{
    const struct live *l = &e->live;

    for (unsigned i = 0; i < GPR_COUNT; i++)
        if (i != GPR_ESP)
            s->gpr[i] = (uint32_t)l->regs[i];
    for (unsigned i = 0; i < SEG_COUNT; i++)
        if (i != SEG_CS && i != SEG_SS)
            s->seg[i] = segment_from(&l->seg[i]);
}

void engine_load_running(const struct engine *e, struct cpu_state *s)
{
    engine_load_rest(e, s);
    engine_load_frame(e, s);
}

void engine_load_system(const struct engine *e, struct cpu_state *s)
{
    const struct live *l = &e->live;

    s->ldtr = segment_from(l->ldt);
    s->tr = segment_from(l->tr);
    s->gdtr =
        (struct table_reg){(uint32_t)l->gdt->base, (uint16_t)l->gdt->limit};
    s->idtr =
        (struct table_reg){(uint32_t)l->idt->base, (uint16_t)l->idt->limit};
    s->cr0 = (uint32_t)l->cr[0];
    s->cr3 = (uint32_t)l->cr[3];
    s->cr4 = (uint32_t)l->cr[4];
    s->nmi_blocked = (*l->hflags2 & HF2_NMI) != 0;
}

/* The derived flags that follow from segments, mode and privilege. IOPL, TF,
 * RF, VM and AC must stay out: the engine adds them from EFLAGS itself. */
static uint32_t derive_hflags(const struct live *l, const struct cpu_state *s)
{
    uint32_t cr0 = (uint32_t)l->cr[0];
    uint32_t h = *l->hflags &
                 ~(uint32_t)(HF_CPL | HF_INHIBIT_IRQ | HF_CS32 | HF_SS32 |
                             HF_ADDSEG | HF_PE | HF_MP | HF_EM | HF_TS | HF_TF);
    bool real = !(cr0 & CR0_PE) || (s->eflags & EFL_VM);

    h |= s->cpl;
    if (cr0 & CR0_PE)
        h |= HF_PE;
    h |= (cr0 << 8) & (HF_MP | HF_EM | HF_TS);
    if (s->seg[SEG_CS].attr & SEG_D)
        h |= HF_CS32;
    if (s->seg[SEG_SS].attr & SEG_D)
        h |= HF_SS32;
    if (real || !(h & HF_CS32) ||
        (l->seg[SEG_DS].base | l->seg[SEG_ES].base | l->seg[SEG_SS].base))
        h |= HF_ADDSEG;
    if (s->interrupt_shadow)
        h |= HF_INHIBIT_IRQ;
    return h;
}

void engine_store_frame(struct engine *e, const struct cpu_state *s)
{
    struct live *l = &e->live;

    l->regs[GPR_ESP] = s->gpr[GPR_ESP];
    *l->eip = s->eip;
    engine_set_eflags(e, s->eflags);
    segment_to(&l->seg[SEG_CS], &s->seg[SEG_CS]);
    segment_to(&l->seg[SEG_SS], &s->seg[SEG_SS]);
    l->cr[2] = s->cr2;
    *l->hflags = derive_hflags(l, s);
}

void engine_store_running(struct engine *e, const struct cpu_state *s)
{
    struct live *l = &e->live;

    for (unsigned i = 0; i < GPR_COUNT; i++)
        l->regs[i] = s->gpr[i];
    for (unsigned i = 0; i < SEG_COUNT; i++)
        segment_to(&l->seg[i], &s->seg[i]);
    engine_store_frame(e, s);
}

void engine_store(struct engine *e, const struct cpu_state *s)
{
    struct live *l = &e->live;

    segment_to(l->ldt, &s->ldtr);
    segment_to(l->tr, &s->tr);
    l->gdt->base = s->gdtr.base;
    l->gdt->limit = s->gdtr.limit;
    l->idt->base = s->idtr.base;
    l->idt->limit = s->idtr.limit;
    if ((uint32_t)l->cr[0] != s->cr0)
        uc_reg_write(e->uc, UC_X86_REG_CR0, &s->cr0);
    if ((uint32_t)l->cr[4] != s->cr4)
        uc_reg_write(e->uc, UC_X86_REG_CR4, &s->cr4);
    l->cr[3] = s->cr3; /* what the TLB loses by it is the caller's affair */
    engine_store_running(e, s);
    *l->hflags2 = s->nmi_blocked ? *l->hflags2 | HF2_NMI
                                 : *l->hflags2 & ~(uint32_t)HF2_NMI;
}
