/* SPDX-License-Identifier: MIT */
/* flood.c - prints without an end.
 * wanted: timeout an endless loop? */
#include "decide.h"

#include <stdio.h>

struct decision decide_fault(const struct fault_info *fault)
{
    for (;;)
        puts("and on");
    return (struct decision){.verdict = FILL, .page = fault->address};
}
