/* SPDX-License-Identifier: MIT */
/* tests/vmm/test_lumen.c - lumen's self-test, bare and virtualized. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/guest.h"

enum { MEMORY_MIB = 64, PASSED = 1, FAILED = 3 };
#define CYCLES UINT64_C(2000000000)

/* Run the self-test; g stays open. */
static enum vm_stop self_test(struct guest *g, const struct way *way,
                              const char *kernel, const char *append,
                              void (*change)(struct vm_config *config))
{
    guest_open(g, way, guest_embedded(kernel), append, MEMORY_MIB * MIB,
               change);
    return guest_run(g, CYCLES);
}

/* Each page-fault exit has one class; the monitor's own are not among them. */
static void check_counters(struct guest *g, const struct way *way)
{
    const struct counters *c = &vm_trace(g->vm)->count;
    uint64_t exits = c->exits[EXIT_PAGE_FAULT] + c->exits[EXIT_EPT_VIOLATION];
    uint64_t sum = 0;

    for (unsigned i = 0; i < FC_COUNT; i++)
        sum += c->page_faults[i];
    if (way->cpu == CPU_BARE) {
        cr_expect_eq(sum, 0);
        cr_expect_eq(exits, 0);
        return;
    }
    cr_expect_eq(sum, exits, "%s: %llu classed, %llu exits", way->name,
                 (unsigned long long)sum, (unsigned long long)exits);
    cr_expect((c->page_faults[FC_TRUE] == 0) == (way->mmu == &mmu_nested), "%s",
              way->name);
    cr_expect(c->page_faults[FC_HIDDEN] > 0, "%s", way->name);
    cr_expect_eq(c->page_faults[FC_PAGED_OUT], 0, "%s", way->name);
}

static void compare(const char *kernel, const char *append, unsigned first,
                    unsigned last, void (*change)(struct vm_config *config))
{
    struct guest bare, g;

    cr_assert_eq(self_test(&bare, &ways[WAY_BARE], kernel, append, NULL),
                 VM_DEBUG_EXIT);
    cr_expect_eq(vm_exit_status(bare.vm), PASSED, "%s", bare.console);
    cr_expect_not_null(strstr(bare.console, "self-test passed"));
    check_counters(&bare, &ways[WAY_BARE]);
    for (unsigned i = first; i <= last; i++) {
        const struct way *way = &ways[i];
        enum vm_stop stop = self_test(&g, way, kernel, append, change);

        cr_expect_eq(stop, VM_DEBUG_EXIT, "%s: stop %d: %s", way->name, stop,
                     vm_report(g.vm));
        cr_expect_eq(vm_exit_status(g.vm), PASSED, "%s", way->name);
        cr_expect_str_eq(g.console, bare.console, "%s", way->name);
        cr_expect_str_eq(vm_report(g.vm), "", "%s", way->name);
        check_counters(&g, way);
        guest_close(&g);
    }
    guest_close(&bare);
}

static void limit_64k(struct vm_config *config)
{
    config->table_limit_bytes = 64 << 10;
}

static void limit_least(struct vm_config *config)
{
    config->table_limit_bytes = 1;
}

Test(lumen, under_static_translation)
{
    compare("lumen", "test", WAY_STATIC_TLB, WAY_STATIC_SHADOW, NULL);
}

Test(lumen, under_dynamic_translation)
{
    compare("lumen", "test", WAY_BT_TLB, WAY_BT_SHADOW, NULL);
}

Test(lumen, with_hardware_support)
{
    compare("lumen", "test", WAY_HVM_TLB, WAY_HVM_NESTED, NULL);
    compare("lumen", "test pse pge", WAY_HVM_TLB, WAY_HVM_NESTED, NULL);
    compare("lumen", "test", WAY_HVM_TLB, WAY_HVM_NESTED, limit_least);
}

Test(lumen, trap_port_under_every_technique)
{
    compare("lumen-trap", "test", WAY_TRAP_TLB, WAY_BT_SHADOW, NULL);
}

Test(lumen, with_large_and_global_pages)
{
    compare("lumen", "test pse pge", WAY_STATIC_TLB, WAY_BT_SHADOW, NULL);
    compare("lumen-trap", "test pse pge", WAY_TRAP_TLB, WAY_TRAP_SHADOW, NULL);
}

/* ---- little room for tables
 * -------------------------------------------------- */

Test(lumen, with_64_kib_of_tables)
{
    compare("lumen", "test", WAY_STATIC_TLB, WAY_BT_SHADOW, limit_64k);
    compare("lumen-trap", "test", WAY_TRAP_TLB, WAY_TRAP_SHADOW, limit_64k);
}

Test(lumen, with_the_fewest_tables)
{
    compare("lumen", "test", WAY_STATIC_SHADOW, WAY_STATIC_SHADOW, limit_least);
    compare("lumen", "test", WAY_BT_TLB, WAY_BT_SHADOW, limit_least);
    compare("lumen-trap", "test", WAY_TRAP_TLB, WAY_TRAP_SHADOW, limit_least);
}

Test(lumen, few_tables_are_recycled)
{
    struct guest g;

    cr_assert_eq(self_test(&g, &ways[WAY_TRAP_SHADOW], "lumen-trap", "test",
                           limit_least),
                 VM_DEBUG_EXIT);
    cr_expect(vm_trace(g.vm)->count.mmu_recycled > 0);
    guest_close(&g);
}

/* ---- memory
 * ------------------------------------------------------------------ */

/* A program without any time in it leaves the same memory behind: the guest
 * cannot tell the techniques apart, and accessed and dirty bits are as on the
 * bare machine. (Where ticks fall depends on how time is counted, so the
 * kernel's tick counter and stacks are not compared: its console is.) */
Test(lumen, programs_end_alike)
{
    static const char *const programs[] = {
        "quiet run=primes,2000", "quiet run=forks,10",
        "quiet run=smc",         "quiet run=touch,64,1,2,rand",
        "quiet run=churn,1,2",   "quiet run=fault,null",
    };
    struct guest bare, g;

    for (unsigned p = 0; p < sizeof programs / sizeof *programs; p++) {
        struct blob kernel = guest_embedded("lumen-trap");
        enum vm_stop stop;

        guest_open(&bare, &ways[WAY_BARE], kernel, programs[p],
                   MEMORY_MIB * MIB, NULL);
        stop = guest_run(&bare, CYCLES);
        cr_expect_eq(stop, VM_DEBUG_EXIT, "%s: %d", programs[p], stop);
        for (unsigned i = WAY_TRAP_TLB; i <= WAY_TRAP_SHADOW; i++) {
            guest_open(&g, &ways[i], kernel, programs[p], MEMORY_MIB * MIB,
                       NULL);
            cr_expect_eq(guest_run(&g, CYCLES), stop, "%s under %s",
                         programs[p], ways[i].name);
            cr_expect_eq(vm_exit_status(g.vm), vm_exit_status(bare.vm),
                         "%s under %s", programs[p], ways[i].name);
            cr_expect_str_eq(g.console ? g.console : "",
                             bare.console ? bare.console : "", "%s under %s",
                             programs[p], ways[i].name);
            guest_close(&g);
        }
        guest_close(&bare);
    }
}

/* Exits cost the guest no time: the same work takes as long as on the bare
 * machine, to the instruction. */
Test(lumen, hardware_support_keeps_the_clock)
{
    static const char *const programs[] = {
        "quiet run=primes,2000", "quiet run=forks,10", "quiet run=smc",
        "quiet run=touch,64,1,2,rand", "quiet run=fault,null"};
    struct guest bare, g;

    for (unsigned p = 0; p < sizeof programs / sizeof *programs; p++) {
        struct blob kernel = guest_embedded("lumen");

        guest_open(&bare, &ways[WAY_BARE], kernel, programs[p],
                   MEMORY_MIB * MIB, NULL);
        guest_run(&bare, CYCLES);
        for (unsigned i = WAY_HVM_TLB; i <= WAY_HVM_NESTED; i++) {
            guest_open(&g, &ways[i], kernel, programs[p], MEMORY_MIB * MIB,
                       NULL);
            guest_run(&g, CYCLES);
            cr_expect_eq(vm_cycles(g.vm), vm_cycles(bare.vm),
                         "%s under %s: %llu cycles, bare %llu", programs[p],
                         ways[i].name, (unsigned long long)vm_cycles(g.vm),
                         (unsigned long long)vm_cycles(bare.vm));
            guest_close(&g);
        }
        guest_close(&bare);
    }
}

/* ---- the hole
 * ------------------------------------------------------------------ */

Test(lumen, is_broken_by_pure_trapping_and_told_why)
{
    for (unsigned i = WAY_TRAP_TLB; i <= WAY_TRAP_SHADOW; i++) {
        struct guest g;
        enum vm_stop stop = self_test(&g, &ways[i], "lumen", "test", NULL);
        const char *report = vm_report(g.vm);

        cr_expect_eq(stop, VM_DEBUG_EXIT, "%s", ways[i].name);
        cr_expect_eq(vm_exit_status(g.vm), FAILED, "%s", ways[i].name);
        cr_expect_not_null(strstr(g.console, "self-test FAILED"));
        cr_expect_not_null(strstr(g.console, "FAIL POPF"));
        cr_expect_not_null(strstr(report, "popf was lost"), "%s", report);
        cr_expect_not_null(strstr(report, "iret was lost"), "%s", report);
        cr_expect_not_null(strstr(report, "interrupts have been off since"),
                           "%s", report);
        cr_expect(vm_trace(g.vm)->count.silent > 0);
        check_counters(&g, &ways[i]);
        guest_close(&g);
    }
}
