/* SPDX-License-Identifier: MIT */
/* trace/cost.c - the cost table and its arithmetic. */
#include "trace/cost.h"

static const struct cost_row rows[COST_COUNT] = {
    [COST_EXITS] = {"exits", 1000, "exit and resume"},
    [COST_EMULATION] = {"emulation", 200, "instruction emulated"},
    [COST_WALKS] = {"walks", 10, "table reference by the hardware"},
    [COST_VMM_WALKS] = {"vmm_walks", 20, "guest table reference by the VMM"},
    [COST_FILLS] = {"fills", 150, "entry put into the VMM's table"},
    [COST_TRACES] = {"traces", 400, "traced write brought into line"},
    [COST_FLUSHES] = {"flushes", 300, "VMM table emptied"},
    [COST_TLB_FILLS] = {"tlb_fills", 5, "hardware TLB fill"},
    [COST_TLB_FLUSHES] = {"tlb_flushes", 100, "hardware TLB flush"},
    [COST_SWITCHES] = {"switches", 250, "address space switch"},
    [COST_RECYCLING] = {"recycling", 500, "VMM table reclaimed"},
    [COST_INTERRUPTS] = {"interrupts", 300, "event delivered to the guest"},
    [COST_HYPERCALLS] = {"hypercalls", 100, "hypercall or batch entry done"},
};

const struct cost_row *cost_describe(enum cost_part part)
{
    return &rows[(unsigned)part < COST_COUNT ? part : 0];
}

static uint64_t sum(const uint64_t *values, unsigned n)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < n; i++)
        total += values[i];
    return total;
}

struct model_cost trace_model_cost(const struct counters *c)
{
    const uint64_t count[COST_COUNT] = {
        [COST_EXITS] = sum(c->exits, EXIT_COUNT),
        [COST_EMULATION] = c->emulated,
        [COST_WALKS] = c->walk_references,
        [COST_VMM_WALKS] = c->vmm_references,
        [COST_FILLS] = c->mmu_fills,
        [COST_TRACES] = c->mmu_pte_write,
        [COST_FLUSHES] = c->mmu_flushes,
        [COST_TLB_FILLS] = c->tlb_fills,
        [COST_TLB_FLUSHES] = c->tlb_flushes + c->tlb_page_flushes,
        [COST_SWITCHES] = c->cr3_writes,
        [COST_RECYCLING] = c->mmu_recycled,
        [COST_INTERRUPTS] = sum(c->interrupts, 256) + c->upcalls,
        [COST_HYPERCALLS] = sum(c->hypercalls, HYPERCALLS) + c->mmu_updates,
    };
    struct model_cost cost = {0};

    for (unsigned i = 0; i < COST_COUNT; i++) {
        cost.part[i] = count[i] * rows[i].cycles;
        cost.total += cost.part[i];
    }
    return cost;
}
