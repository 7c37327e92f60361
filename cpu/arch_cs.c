/* SPDX-License-Identifier: MIT */
/* cpu/arch_cs.c - loading CS.
 *
 * Reference: SDM 3A, "Privilege Level Checking When Transferring Program
 * Control Between Code Segments".
 */
#include "cpu/arch_run.h"

/* CS.RPL is always CPL. */
void run_set_cs(struct arch_run *r, const struct segment *cs, uint32_t eip,
                unsigned cpl)
{
    r->s.seg[SEG_CS] = *cs;
    r->s.seg[SEG_CS].selector = (uint16_t)(sel_error(cs->selector) | cpl);
    r->s.eip = eip;
    r->s.cpl = (uint8_t)cpl;
}

void run_check_eip(struct arch_run *r, const struct segment *cs, uint32_t eip)
{
    if (eip > cs->limit)
        run_raise(r, VEC_GP, 0);
}

/* Real mode and VM86: no descriptor, no check but the limit. */
void run_load_real_cs(struct arch_run *r, uint16_t selector, uint32_t eip)
{
    if (state_vm86(&r->s)) {
        if (eip > 0xFFFF)
            run_raise(r, VEC_GP, 0);
        run_load_vm86(r, SEG_CS, selector);
    } else {
        struct segment cs = run_real_segment(r, SEG_CS, selector);
        run_check_eip(r, &cs, eip);
        r->s.seg[SEG_CS] = cs;
    }
    r->s.eip = eip;
}

/* The code segment a RETF or IRET goes back to: never to an inner level. */
struct descriptor run_fetch_return_cs(struct arch_run *r, uint16_t selector)
{
    unsigned rpl = selector & SEL_RPL;

    if (SEL_NULL(selector))
        run_raise(r, VEC_GP, 0);
    struct descriptor d = run_fetch(r, selector, VEC_GP);
    bool level =
        desc_conforming(&d) ? desc_dpl(&d) <= rpl : desc_dpl(&d) == rpl;
    if (!desc_code(&d) || rpl < r->s.cpl || !level)
        run_raise(r, VEC_GP, sel_error(selector));
    if (!desc_present(&d))
        run_raise(r, VEC_NP, sel_error(selector));
    return d;
}
