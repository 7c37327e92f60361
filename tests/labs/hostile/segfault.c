/* SPDX-License-Identifier: MIT */
/* segfault.c - writes where nothing is.
 * wanted: crash SIGSEGV at decide.c:8 (address 0x10) */
#include "decide.h"

struct decision decide_fault(const struct fault_info *fault)
{
    *(volatile uint32_t *)0x10 = fault->address;
    return (struct decision){.verdict = FILL, .page = fault->address};
}
