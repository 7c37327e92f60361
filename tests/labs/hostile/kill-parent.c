/* SPDX-License-Identifier: MIT */
/* kill-parent.c - wants to be alone.
 * wanted: forbidden called kill */
#define _GNU_SOURCE
#include "decide.h"

#include <signal.h>
#include <unistd.h>

struct decision decide_fault(const struct fault_info *fault)
{
    kill(getppid(), SIGKILL);
    return (struct decision){.verdict = FILL, .page = fault->address};
}
