/* SPDX-License-Identifier: MIT */
/* trace/kvm.h - what KVM counts, too, under KVM's names.
 *
 * A student who goes on to kvm_stat or to /sys/kernel/debug/kvm finds the same
 * words there. The classes of page faults have their own names, which say more
 * (trace.h); here they are summed up as KVM does it:
 *
 *   pf_taken = pf_guest + pf_fixed + pf_emulate + pf_spurious
 *
 * Reference: Linux, arch/x86/kvm/x86.c, the table of statistics, and
 * Documentation/virt/kvm/x86/mmu.rst.
 */
#ifndef TRACE_KVM_H
#define TRACE_KVM_H

#include "trace/trace.h"

struct kvm_counter {
    const char *name;
    uint64_t (*value)(const struct counters *c);
    const char *what;
};

enum { KVM_COUNTERS = 22 };
extern const struct kvm_counter kvm_counters[KVM_COUNTERS];

#endif
