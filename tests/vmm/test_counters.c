/* SPDX-License-Identifier: MIT */
/* tests/vmm/test_counters.c - the counters of whole runs agree with each other,
 * under every technique.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/guest.h"
#include "trace/kvm.h"

#define CYCLES UINT64_C(2000000000)

static uint64_t sum(const uint64_t *values, unsigned n)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < n; i++)
        total += values[i];
    return total;
}

typedef void check_fn(const struct counters *c, const struct way *way);

static void each_way(check_fn *check)
{
    for (unsigned i = WAY_BARE + 1; i < WAYS; i++) {
        bool pv = ways[i].cpu == CPU_PV, trap = ways[i].cpu == CPU_TRAP;
        struct guest g;

        guest_open(&g, &ways[i],
                   guest_embedded(pv     ? "lumen-pv"
                                  : trap ? "lumen-trap"
                                         : "lumen"),
                   "test", 64 * MIB, NULL);
        cr_expect_eq(guest_run(&g, CYCLES), VM_DEBUG_EXIT);
        check(&vm_trace(g.vm)->count, &ways[i]);
        guest_close(&g);
    }
}

static void one_class_each(const struct counters *c, const struct way *way)
{
    uint64_t exits = c->exits[EXIT_PAGE_FAULT] + c->exits[EXIT_EPT_VIOLATION];

    cr_expect(exits > 0, "%s", way->name);
    cr_expect_eq(sum(c->page_faults, FC_COUNT), exits,
                 "%s: %llu exits, classes of %llu", way->name,
                 (unsigned long long)exits,
                 (unsigned long long)sum(c->page_faults, FC_COUNT));
}

Test(counters, every_page_fault_exit_has_one_class)
{
    each_way(one_class_each);
}

static void tables_made_and_dropped(const struct counters *c,
                                    const struct way *way)
{
    cr_expect_eq(c->mmu_cache_miss - c->mmu_shadow_zapped, c->mmu_tables, "%s",
                 way->name);
    cr_expect_leq(c->mmu_recycled, c->mmu_shadow_zapped, "%s", way->name);
    cr_expect_leq(c->traces_opened, c->page_faults[FC_TRACE], "%s", way->name);
}

Test(counters, tables_are_made_and_dropped)
{
    each_way(tables_made_and_dropped);
}

static uint64_t invlpgs;

static void same_invlpgs(const struct counters *c, const struct way *way)
{
    if (way->cpu == CPU_PV || way->mmu == &mmu_nested)
        return; /* its kernel has its own reasons; none exits */
    cr_expect(c->mmu_invlpg > 0);
    if (!invlpgs)
        invlpgs = c->mmu_invlpg;
    cr_expect_eq(c->mmu_invlpg, invlpgs, "%s: %llu, not %llu", way->name,
                 (unsigned long long)c->mmu_invlpg,
                 (unsigned long long)invlpgs);
}

Test(counters, an_invlpg_counts_once)
{
    invlpgs = 0;
    each_way(same_invlpgs);
}
