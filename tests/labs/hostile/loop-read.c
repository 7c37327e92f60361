/* SPDX-License-Identifier: MIT */
/* loop-read.c - walks in a circle.
 * wanted: timeout read more than 64 words */
#include "decide.h"

struct decision decide_fault(const struct fault_info *fault)
{
    while (guest_read(fault->cr3) || true)
        ;
    return (struct decision){.verdict = FILL, .page = fault->address};
}
