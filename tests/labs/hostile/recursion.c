/* SPDX-License-Identifier: MIT */
/* recursion.c - needs an endless stack.
 * wanted: crash SIGSEGV */
#include "decide.h"

struct decision decide_fault(const struct fault_info *fault)
{
    volatile char much[4096];
    struct fault_info next = *fault;
    much[0] = (char)next.address++;
    struct decision d = decide_fault(&next);
    d.page += (uint32_t)much[0];
    return d;
}
