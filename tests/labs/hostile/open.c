/* SPDX-License-Identifier: MIT */
/* open.c - looks for the answers.
 * wanted: forbidden called open */
#include "decide.h"

#include <fcntl.h>

struct decision decide_fault(const struct fault_info *fault)
{
    if (open("/etc/passwd", O_RDONLY) >= 0)
        fault++;
    return (struct decision){.verdict = FILL, .page = fault->address};
}
