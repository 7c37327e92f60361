/* SPDX-License-Identifier: MIT */
/* close.c - closes everything.
 * wanted: forbidden called close */
#include "decide.h"

#include <unistd.h>

struct decision decide_fault(const struct fault_info *fault)
{
    for (int i = 0; i < 256; i++)
        close(i);
    return (struct decision){.verdict = FILL, .page = fault->address};
}
