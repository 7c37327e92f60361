/* SPDX-License-Identifier: MIT */
/* cpu/arch_state.c - flags, control registers, I/O permission, reset.
 *
 * Reference: SDM 2, POPF; SDM 3A, "Control Registers", "Processor State After
 * Reset"; SDM 1, "I/O Permission Bit Map".
 */
#include <string.h>

#include "cpu/arch_run.h"
#include "cpu/paging.h"

uint32_t flags_merge(uint32_t old, uint32_t value, uint32_t mask)
{
    mask &= EFL_DEFINED;
    return (old & ~mask) | (value & mask) | EFL_FIXED;
}

/* IF changes only if CPL <= IOPL, IOPL only at CPL 0; neither attempt faults.
 * This silence is the best-known hole of ring compression. */
uint32_t arch_popf(const struct cpu_state *s, uint32_t value, unsigned size)
{
    uint32_t mask = EFL_ARITH | EFL_TF | EFL_DF | EFL_NT;
    uint32_t old = s->eflags;

    if (size == 4) {
        mask |= EFL_AC | EFL_ID | EFL_RF;
        value &= ~EFL_RF; /* POPFD clears it */
    }
    if (!state_protected(s) || (s->cpl == 0 && !state_vm86(s))) {
        mask |= EFL_IF | EFL_IOPL;
    } else if (s->cpl <= state_iopl(s)) {
        mask |= EFL_IF;
    }
    return flags_merge(old, value, mask);
}

bool arch_check_cr0(const struct cpu_state *s, uint32_t *value, struct fault *f)
{
    uint32_t v = *value;

    (void)s;
    if (((v & CR0_PG) && !(v & CR0_PE)) || ((v & CR0_NW) && !(v & CR0_CD))) {
        *f = arch_fault(VEC_GP, 0);
        return false;
    }
    *value = (v & ARCH_CR0_BITS) | CR0_ET;
    return true;
}

bool arch_check_cr4(const struct cpu_state *s, uint32_t *value, struct fault *f)
{
    (void)s;
    if (*value & ~ARCH_CR4_BITS) {
        *f = arch_fault(VEC_GP, 0);
        return false;
    }
    return true;
}

bool arch_load_pdptes(struct cpu_state *s, const struct mem_ops *mem,
                      struct fault *f)
{
    uint32_t at = (uint32_t)paging_pdpt(s->cr3);
    uint64_t loaded[PDPTES] = {0};

    for (unsigned i = 0; i < PDPTES && mem->read_physical; i++) {
        if (!mem->read_physical(mem->ctx, at + i * 8, &loaded[i], f))
            return false;
        if (!paging_pdpte_valid(loaded[i])) {
            *f = arch_fault(VEC_GP, 0);
            return false;
        }
    }
    memcpy(s->pdpte, loaded, sizeof s->pdpte);
    return true;
}

/* The processor always reads two bytes of the map, hence the "+ 1". */
bool arch_io_allowed(const struct cpu_state *s, const struct mem_ops *mem,
                     uint16_t port, unsigned size, struct fault *f)
{
    const struct segment *tr = &s->tr;
    uint32_t map, bits;

    if (!state_protected(s) || (s->cpl <= state_iopl(s) && !state_vm86(s)))
        return true;
    *f = arch_fault(VEC_GP, 0);
    if ((tr->attr & SEG_TYPE) != SYS_TSS32_BUSY &&
        (tr->attr & SEG_TYPE) != SYS_TSS32)
        return false;
    if (tr->limit < 0x67)
        return false;
    if (!mem->read(mem->ctx, tr->base + 0x66, 2, false, &map, f))
        return false;
    uint32_t at = (map & 0xFFFF) + port / 8u;
    if (at + 1 > tr->limit)
        return false;
    if (!mem->read(mem->ctx, tr->base + at, 2, false, &bits, f))
        return false;
    if (bits >> (port & 7) & ((1u << size) - 1)) {
        *f = arch_fault(VEC_GP, 0);
        return false;
    }
    return true;
}

void arch_reset(struct cpu_state *s)
{
    *s = (struct cpu_state){
        .eip = 0xFFF0,
        .eflags = EFL_FIXED,
        .ldtr = {.limit = 0xFFFF, .attr = SEG_P | SYS_LDT},
        .tr = {.limit = 0xFFFF, .attr = SEG_P | SYS_TSS32_BUSY},
        .gdtr = {.limit = 0xFFFF},
        .idtr = {.limit = 0xFFFF},
        .cr0 = CR0_CD | CR0_NW | CR0_ET,
        .dr = {[6] = 0xFFFF0FF0u, [7] = 0x400},
        .apicbase = 0xFEE00900u,
        .pat = 0x0007040600070406u,
    };
    for (unsigned i = 0; i < SEG_COUNT; i++)
        s->seg[i] = (struct segment){
            .limit = 0xFFFF,
            .attr = SEG_P | SEG_S | SEG_WRITABLE | SEG_ACCESSED,
        };
    s->seg[SEG_CS].selector = 0xF000;
    s->seg[SEG_CS].base = 0xFFFF0000u;
    s->seg[SEG_CS].attr |= SEG_CODE;
}
