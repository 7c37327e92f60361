/* SPDX-License-Identifier: MIT */
/* memory.c - takes what it gets.
 * wanted: crash SIGSEGV */
#include "decide.h"

#include <stdlib.h>

struct decision decide_fault(const struct fault_info *fault)
{
    size_t bytes = (size_t)10 << 30;
    volatile char *much = malloc(bytes);
    for (size_t i = 0; i < bytes; i += 4096)
        much[i] = 1;
    return (struct decision){.verdict = FILL, .page = fault->address};
}
