/* SPDX-License-Identifier: MIT */
/* decide.c - whose fault is it? Fill in decide_fault().
 *
 * The processor faulted, for the VMM's table does not allow an access. Do the
 * guest's own tables? If they do, the fault is hidden: FILL the VMM's table,
 * and the guest never knows. If they do not, it is true: REFLECT it.
 */
#include "decide.h"

struct decision decide_fault(const struct fault_info *fault)
{
    struct decision d = {.verdict = UNDECIDED};

    /* The first of the (up to) two words that the walk needs. */
    uint32_t pde =
        guest_read((fault->cr3 & PTE_FRAME) + (fault->address >> 22) * 4);

    (void)pde;
    return d;
}
