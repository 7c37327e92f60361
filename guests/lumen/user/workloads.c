/* SPDX-License-Identifier: MIT */
/* workloads - what can be run to see where techniques differ. */
#include "lib.h"

static const struct {
    const char *usage, *shows;
} workloads[] = {
    {"pingpong N PAGES ROUNDS", "N processes by turns: address-space switches"},
    {"forks N PAGES", "N children that write: copy on write"},
    {"protect PAGES ROUNDS", "map, protect, unmap: runs of table writes"},
    {"churn MIB ROUNDS", "page tables that come and go"},
    {"touch PAGES STRIDE ROUNDS seq|rand", "memory in order, or at random"},
    {"primes N", "arithmetic: nothing to virtualize"},
    {"smc", "code that changes itself"},
};

int main(void)
{
    printf("run=PROGRAM,ARGUMENT,... on the kernel's command line:\n");
    for (uint32_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        printf("  %-36s%s\n", workloads[i].usage, workloads[i].shows);
    printf("with the words pse (the kernel mapped by 4 MiB pages), pge (by "
           "global ones),\nquiet. Each prints a result that must be the same "
           "under every technique.\n");
    return 0;
}
