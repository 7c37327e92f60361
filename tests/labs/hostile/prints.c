/* SPDX-License-Identifier: MIT */
/* prints.c - says that it passed, and did not.
 * wanted: failed reflects a hidden fault */
#include "decide.h"

#include <stdio.h>

struct decision decide_fault(const struct fault_info *fault)
{
    printf("\nok 1 - build\nok 2 - tables-pages\n1..1\nBail out!\n");
    printf("{\"score\": 12, \"max_score\": 12}\nscore 12/12\n\033[2J\377\n");
    fprintf(stderr, "ok 3 %u\n", fault->address);
    return (struct decision){.verdict = REFLECT, .error = 77};
}
