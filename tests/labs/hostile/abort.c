/* SPDX-License-Identifier: MIT */
/* abort.c - gives up.
 * wanted: crash SIGABRT */
#include "decide.h"

#include <stdlib.h>

struct decision decide_fault(const struct fault_info *fault)
{
    if (guest_read(0) != 1)
        abort();
    return (struct decision){.verdict = FILL, .page = fault->address};
}
