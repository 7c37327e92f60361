/* SPDX-License-Identifier: MIT */
/* cli/audit.h - --audit silent: each silent sensitive instruction, as the guest
 * executes it. */
#ifndef CLI_AUDIT_H
#define CLI_AUDIT_H

#include "vmm/vm.h"

enum { AUDIT_SLOTS = 1 << 14 };

struct audit {
    const char *who; /* "umbra run" */
    struct vm *vm;
    struct trace_sink sink;
    uint32_t site[AUDIT_SLOTS]; /* EIP + 1 of those printed; 0: free */
    size_t sites;
    uint64_t count, wrong;
};

/* From now on a line on standard error for the first execution at each EIP;
 * at the end, a count. The configuration's `audit` makes the events. */
void audit_start(struct audit *a, const char *who, struct vm *vm);
void audit_finish(struct audit *a);

#endif
