/* SPDX-License-Identifier: MIT */
/* cli/audit_mmu.h - --audit mmu: the VMM's tables are computed again. */
#ifndef CLI_AUDIT_MMU_H
#define CLI_AUDIT_MMU_H

#include "vmm/vm.h"

enum { AUDIT_MMU_EVERY = 1000 }; /* exits, unless said otherwise */

struct audit_mmu {
    const char *who; /* "umbra run" */
    struct vm *vm;
    struct trace_sink sink;
    uint64_t every, exits, audits;
    bool wrong; /* an entry disagreed; it was told */
};

/* From now on, at every so many exits, each entry of the VMM's tables is
 * compared with what the guest's tables and the PMap say: a line on standard
 * error for the first that grants what it must not. */
void audit_mmu_start(struct audit_mmu *a, const char *who, struct vm *vm,
                     uint64_t every);
/* Once more, and a count. False: something was wrong. */
bool audit_mmu_finish(struct audit_mmu *a);

#endif
