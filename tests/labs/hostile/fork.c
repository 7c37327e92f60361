/* SPDX-License-Identifier: MIT */
/* fork.c - wants company.
 * wanted: forbidden called */
#define _GNU_SOURCE
#include "decide.h"

#include <unistd.h>

struct decision decide_fault(const struct fault_info *fault)
{
    if (fork() == 0)
        for (;;)
            ;
    return (struct decision){.verdict = FILL, .page = fault->address};
}
