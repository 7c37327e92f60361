/* SPDX-License-Identifier: MIT */
/* tests/vmm/test_exits.c - what address spaces leave behind that have exited.
 *
 * A kernel that frees the page tables of a process does not say so. It writes
 * to their frames when it uses them again, and then nothing of the shadow is
 * left.
 */
#include <criterion/criterion.h>

#include "tests/support/guest.h"

static void without_unshadow(struct vm_config *config)
{
    config->mmu_without |= MMU_UNSHADOW;
}

/* The counters after so many processes came and went. */
static struct counters after(const char *append,
                             void (*change)(struct vm_config *))
{
    struct counters count;
    struct guest g;

    guest_open(&g, &ways[WAY_BT_SHADOW], guest_embedded("lumen"), append,
               64 * MIB, change);
    cr_assert_eq(guest_run(&g, 20000000000u), VM_DEBUG_EXIT);
    count = vm_trace(g.vm)->count;
    guest_close(&g);
    return count;
}

Test(exits, the_tables_of_processes_that_exited_are_dropped)
{
    struct counters few = after("quiet run=forks,5", NULL);
    struct counters many = after("quiet run=forks,40", NULL);

    cr_expect_eq(many.mmu_tables, few.mmu_tables);
    cr_expect_eq(many.mmu_tables_peak, few.mmu_tables_peak);
    /* A directory and its page tables each time. */
    cr_expect_geq(many.mmu_shadow_zapped - few.mmu_shadow_zapped, 35 * 3);
}

Test(exits, they_pile_up_without_it)
{
    struct counters few = after("quiet run=forks,5", without_unshadow);
    struct counters many = after("quiet run=forks,40", without_unshadow);

    cr_expect_gt(many.mmu_tables, few.mmu_tables + 35);
    cr_expect_gt(many.page_faults[FC_TRACE],
                 4 * after("quiet run=forks,40", NULL).page_faults[FC_TRACE],
                 "their frames are written as something else");
}
