/* SPDX-License-Identifier: MIT */
/* talk.c - talks out of turn.
 * wanted: forbidden the grader's own channel */
#include "decide.h"

#include <unistd.h>

struct decision decide_fault(const struct fault_info *fault)
{
    for (int i = 0; i < 3; i++)
        if (write(3, "ok", 2) < 0)
            break;
    return (struct decision){.verdict = FILL, .page = fault->address};
}
