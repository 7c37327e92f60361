/* SPDX-License-Identifier: MIT */
/* tests/support/probe.h - guests/probe with a table of cases.
 *
 * Thousands of cases run in one guest: each sets registers (and page-table
 * entries), runs its code at ring 0 or 3, and leaves how it ended.
 */
#ifndef TESTS_SUPPORT_PROBE_H
#define TESTS_SUPPORT_PROBE_H

#include "guests/probe/probe.h"
#include "tests/support/guest.h"

/* As in memory, see guests/probe/probe.h. */
struct probe_case {
    uint32_t flags, pde, pte, cr0, cr4, eip, eflags;
    uint32_t gpr[8];                   /* EDI ESI EBP ESP EBX EDX ECX EAX */
    uint32_t efer, pde_high, pte_high; /* with CASE_WIDE */
    uint32_t segment[4];               /* DS ES FS GS, with CASE_SEGMENTS */
};

struct probe_result {
    uint32_t segment[4]; /* DS ES FS GS */
    uint32_t gpr[8];
    uint32_t vector, error, eip, cs, eflags, esp, ss;
    uint32_t cr2, cr0, pde, pte, sum, pde_high, pte_high;
    uint32_t cr3, cr4, dr7; /* with CASE_RESTORE */
};

enum { PROBE_MEMORY_MIB = 24, PROBE_ENTRY_BYTES = 128, PROBE_DONE = 0x40 };
#define PROBE_CR0 0x80010031u /* PG WP NE ET PE */

/* What runs. Every sequence has PROBE_ENTRY_BYTES at probe_entry(i) and should
 * end by INT PROBE_DONE; what is left of it is INT3. */
struct probe_table {
    const struct probe_case *cases;
    uint32_t case_count;
    const uint8_t (*code)[PROBE_ENTRY_BYTES];
    uint32_t code_count;
    uint32_t first; /* the case to begin with */
    bool pae;       /* the probe runs with PAE paging */
    bool guarded;   /* but for the window's, page tables are read-only */
};

static inline uint32_t probe_entry(uint32_t sequence)
{
    return PROBE_CODE + sequence * PROBE_ENTRY_BYTES;
}

/* Run the cases under a technique (pv: at ring 3, with tables of the VMM).
 * Returns how many have a result in `results`
 * (counted from 0, those before `first` included); fewer than case_count when
 * the guest stopped for another reason, which *stop is. */
uint32_t probe_run(const struct way *way, const struct probe_table *table,
                   struct probe_result *results, enum vm_stop *stop);

/* The number of the case that runs this moment: for who interrupts a run that
 * does not end. */
uint32_t probe_running(void);

#endif
