/* SPDX-License-Identifier: MIT */
/* fork-early.c - wants company before it is asked.
 * wanted: forbidden called */
#define _GNU_SOURCE
#include "decide.h"

#include <unistd.h>

__attribute__((constructor)) static void early(void)
{
    if (fork() == 0)
        for (;;)
            ;
}

struct decision decide_fault(const struct fault_info *fault)
{
    return (struct decision){.verdict = FILL, .page = fault->address};
}
