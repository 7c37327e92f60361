/* SPDX-License-Identifier: MIT */
/* write-early.c - writes a file before it is asked.
 * wanted: forbidden called open */
#include "decide.h"

#include <fcntl.h>

__attribute__((constructor)) static void early(void)
{
    if (open("results.json", O_WRONLY | O_CREAT, 0666) < 0)
        return;
}

struct decision decide_fault(const struct fault_info *fault)
{
    return (struct decision){.verdict = FILL, .page = fault->address};
}
