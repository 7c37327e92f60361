/* SPDX-License-Identifier: MIT */
/* shadowmmu/nested.h - nested paging: what the monitor asks beyond mmu.h.
 *
 * The guest's own tables are what the processor walks, and they are none of
 * the VMM's business: there is no hidden fault for them, no trace, no flush.
 * The VMM keeps a second set of tables, from guest-physical to machine
 * addresses (cpu/ept.h), which is the PMap in the form that hardware reads. It
 * is filled at EPT violations.
 *
 * Reference: SDM 3C, "The Extended Page Table Mechanism (EPT)"; Bhargava et
 * al., "Accelerating Two-Dimensional Page Walks for Virtualized Systems"
 * (ASPLOS 2008).
 */
#ifndef SHADOWMMU_NESTED_H
#define SHADOWMMU_NESTED_H

#include "shadowmmu/mmu.h"

/* The processor could not reach a guest-physical address. error: as that of a
 * page fault, for the same access. Classifies, acts, counts and emits as
 * mmu_fault() does; walk in the result is that of the address alone. */
void nested_fault(struct mmu *m, gpa_t gpa, uint32_t linear, uint32_t error,
                  uint32_t eip, struct mmu_result *result);

/* The EPT pointer for these tables. */
uint64_t nested_pointer(const struct mmu *m);

/* How many entries of the nested tables stand between a device that uses the
 * guest's memory like a processor and this address; they are filled first. 0
 * for every other technique. */
unsigned nested_references(struct mmu *m, gpa_t gpa);

#endif
