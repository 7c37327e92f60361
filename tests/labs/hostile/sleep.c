/* SPDX-License-Identifier: MIT */
/* sleep.c - plays for time.
 * wanted: forbidden called */
#include "decide.h"

#include <unistd.h>

struct decision decide_fault(const struct fault_info *fault)
{
    sleep(1000);
    return (struct decision){.verdict = FILL, .page = fault->address};
}
