/* SPDX-License-Identifier: MIT */
/* cli/compare_state.h - two guests at the same virtual time: are they in the
 * same state, as far as a guest can see it?
 *
 * Registers and all of memory are compared. Some words may differ, because the
 * manual leaves open when they change or a technique is known to change them;
 * these are counted, by reason, and do not make the states differ.
 */
#ifndef CLI_COMPARE_STATE_H
#define CLI_COMPARE_STATE_H

#include "vmm/vm.h"

/* Why a word of memory may differ. */
enum excuse {
    /* Accessed and dirty bits of a page-table entry: the processor sets them
     * when it walks, and what its TLB holds it does not walk for. SDM 3A,
     * "Accessed and Dirty Flags". */
    EXCUSE_ACCESSED,
    EXCUSE_DESCRIPTOR, /* the accessed bit of a segment descriptor */
    EXCUSE_PATCH,      /* an instruction that bt-static replaced */
    EXCUSES,
};
const char *excuse_name(enum excuse e); /* in words */
const char *excuse_key(enum excuse e);  /* "accessed_bits" */

/* The first difference, and what is excused. */
struct state_difference {
    bool differs;
    char what[32];            /* "EFLAGS", "memory at 0011901c" */
    uint32_t expected, found; /* of the first guest, of the second */
    uint64_t words;           /* of memory that differ */
    uint64_t excused[EXCUSES];
};

/* False if a register differs. Both guests stand still. */
bool state_registers(struct vm *first, struct vm *second,
                     struct state_difference *d);

/* Memory, too. */
bool state_everything(struct vm *first, struct vm *second,
                      struct state_difference *d);

#endif
