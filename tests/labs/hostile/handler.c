/* SPDX-License-Identifier: MIT */
/* handler.c - wants its crashes for itself.
 * wanted: forbidden called rt_sigaction */
#define _GNU_SOURCE
#include "decide.h"

#include <signal.h>

struct decision decide_fault(const struct fault_info *fault)
{
    signal(SIGSEGV, SIG_IGN);
    return (struct decision){.verdict = FILL, .page = fault->address};
}
