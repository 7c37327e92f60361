/* SPDX-License-Identifier: MIT */
/* trace/kvm.c - the table of KVM's counters. */
#include "trace/kvm.h"

static uint64_t sum(const uint64_t *values, unsigned n)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < n; i++)
        total += values[i];
    return total;
}

#define VALUE(name, expression)                                                \
    static uint64_t name(const struct counters *c)                             \
    {                                                                          \
        return expression;                                                     \
    }

VALUE(pf_taken, sum(c->page_faults, FC_COUNT))
VALUE(pf_fixed, c->page_faults[FC_HIDDEN] + c->page_faults[FC_DIRTY] +
                    c->page_faults[FC_PAGED_OUT] + c->traces_opened)
VALUE(pf_emulate,
      c->page_faults[FC_MMIO] + c->page_faults[FC_TRACE] - c->traces_opened)
VALUE(pf_spurious, c->page_faults[FC_SPURIOUS])
VALUE(pf_mmio_spte_created, c->mmio_entries)
VALUE(pf_guest, c->page_faults[FC_TRUE])
VALUE(tlb_flush, c->tlb_flushes)
VALUE(invlpg, c->mmu_invlpg)
VALUE(exits, sum(c->exits, EXIT_COUNT))
VALUE(io_exits, c->exits[EXIT_IO])
VALUE(mmio_exits, c->page_faults[FC_MMIO])
VALUE(irq_exits, c->exits[EXIT_INTERRUPT])
VALUE(irq_window_exits, c->exits[EXIT_WINDOW])
VALUE(halt_exits, c->exits[EXIT_HALT])
VALUE(hypercalls, c->exits[EXIT_HYPERCALL])
VALUE(insn_emulation, c->emulated)
VALUE(mmu_shadow_zapped, c->mmu_shadow_zapped)
VALUE(mmu_pte_write, c->mmu_pte_write)
VALUE(mmu_flooded, c->mmu_flooded)
VALUE(mmu_recycled, c->mmu_recycled)
VALUE(mmu_cache_miss, c->mmu_cache_miss)
VALUE(mmu_unsync, c->mmu_unsync)

#define ROW(name, what)                                                        \
    {                                                                          \
#name, name, what                                                      \
    }

const struct kvm_counter kvm_counters[KVM_COUNTERS] = {
    ROW(pf_taken, "page-fault exits, of all classes"),
    ROW(pf_guest, "injected into the guest: true"),
    ROW(pf_fixed, "answered by a new entry: hidden, dirty, paged_out, and "
                  "trace where the page was let go"),
    ROW(pf_emulate, "answered by emulating the instruction: mmio, and the "
                    "other trace"),
    ROW(pf_spurious, "nothing stood in the way: spurious"),
    ROW(pf_mmio_spte_created, "entries made to remember a device by"),
    ROW(exits, "of all reasons"),
    ROW(io_exits, "IN, OUT, INS, OUTS"),
    ROW(mmio_exits, "accesses to devices' memory"),
    ROW(irq_exits, "to deliver an interrupt"),
    ROW(irq_window_exits, "the guest allows one that waits"),
    ROW(halt_exits, "HLT"),
    ROW(hypercalls, "exits for hypercalls; a multicall is one"),
    ROW(insn_emulation, "instructions done for the guest"),
    ROW(tlb_flush, "the processor's TLB emptied"),
    ROW(invlpg, "INVLPG by the guest, seen by the VMM"),
    ROW(mmu_cache_miss, "tables made because none was kept"),
    ROW(mmu_shadow_zapped, "tables dropped"),
    ROW(mmu_recycled, "of these, to make room"),
    ROW(mmu_flooded, "pages given up: they are no tables any more"),
    ROW(mmu_pte_write, "traced writes to guest tables"),
    ROW(mmu_unsync, "page tables that went out of sync (KVM: how many are)"),
};
