/* SPDX-License-Identifier: MIT */
/* constructor.c - leaves before it is asked.
 * wanted: exited exit status 7 */
#include "decide.h"

#include <stdlib.h>

__attribute__((constructor)) static void early(void)
{
    exit(7);
}

struct decision decide_fault(const struct fault_info *fault)
{
    return (struct decision){.verdict = FILL, .page = fault->address};
}
