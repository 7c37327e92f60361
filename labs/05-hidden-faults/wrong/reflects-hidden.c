/* SPDX-License-Identifier: MIT */
/* reflects-hidden.c - wrong: gives every fault to the guest. */
#include "decide.h"

struct decision decide_fault(const struct fault_info *fault)
{
    uint32_t access =
        (fault->write ? PF_WRITE : 0) | (fault->user ? PF_USER : 0);
    return (struct decision){.verdict = REFLECT, .error = access};
}
