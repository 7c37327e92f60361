/* SPDX-License-Identifier: MIT */
/* exit.c - leaves, all well.
 * wanted: exited exit status 0 */
#include "decide.h"

#include <stdlib.h>

struct decision decide_fault(const struct fault_info *fault)
{
    if (fault)
        exit(0);
    return (struct decision){.verdict = FILL, .page = fault->address};
}
