/* SPDX-License-Identifier: MIT */
/* tests/vmm/test_memory.c - guests that have less of the machine than they
 * believe, and cannot tell.
 *
 * timeout: 240
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/guest.h"

enum { MEMORY_MIB = 64, PASSED = 1 };
#define CYCLES UINT64_C(2000000000)

static const struct run {
    unsigned way;
    const char *kernel;
} runs[] = {
    {WAY_TRAP_TLB, "lumen-trap"}, {WAY_TRAP_SHADOW, "lumen-trap"},
    {WAY_STATIC_TLB, "lumen"},    {WAY_STATIC_SHADOW, "lumen"},
    {WAY_BT_TLB, "lumen"},        {WAY_BT_SHADOW, "lumen"},
    {WAY_PV_TLB, "lumen-pv"},     {WAY_PV_SHADOW, "lumen-pv"},
    {WAY_HVM_TLB, "lumen"},       {WAY_HVM_SHADOW, "lumen"},
    {WAY_HVM_NESTED, "lumen"},
};
enum { RUNS = sizeof runs / sizeof *runs };

static void least(struct vm_config *config)
{
    config->machine_bytes = VM_MACHINE_BYTES_LEAST;
}

static void most(struct vm_config *config)
{
    config->machine_bytes = config->memory_bytes;
}

static void share(struct vm_config *config)
{
    config->share = 256;
}

static void least_and_share(struct vm_config *config)
{
    least(config);
    share(config);
}

static void open_test(struct guest *g, const struct run *r,
                      void (*change)(struct vm_config *config))
{
    guest_open(g, &ways[r->way], guest_embedded(r->kernel), "test",
               MEMORY_MIB * MIB, change);
}

static void check_audit(struct guest *g, const char *way)
{
    char line[200];

    cr_expect_eq(mmu_audit(vm_mmu(g->vm), line, sizeof line), 0, "%s: %s", way,
                 line);
}

/* Its console and its time are those of a guest that has all its memory. */
static void expect_no_difference(void (*change)(struct vm_config *config),
                                 unsigned first, unsigned stride)
{
    for (unsigned i = first; i < RUNS; i += stride) {
        const char *way = ways[runs[i].way].name;
        struct guest all, g;

        open_test(&all, &runs[i], NULL);
        guest_run(&all, CYCLES);
        open_test(&g, &runs[i], change);
        for (uint64_t at = 10000000; at < 120000000; at += 20000000) {
            cr_assert_eq(guest_run(&g, at), VM_RUNNING, "%s", way);
            check_audit(&g, way);
        }
        cr_expect_eq(guest_run(&g, CYCLES), VM_DEBUG_EXIT, "%s: %s", way,
                     vm_report(g.vm));
        cr_expect_eq(vm_exit_status(g.vm), PASSED, "%s", way);
        cr_expect_str_eq(g.console, all.console, "%s", way);
        cr_expect_eq(vm_cycles(g.vm), vm_cycles(all.vm), "%s", way);
        check_audit(&g, way);
        guest_close(&g);
        guest_close(&all);
    }
}

Test(memory, with_the_fewest_machine_frames)
{
    expect_no_difference(least, 0, 1);
}

Test(memory, allocated_when_it_is_used)
{
    expect_no_difference(most, 0, 3);
}

Test(memory, with_equal_pages_shared)
{
    expect_no_difference(share, 1, 3);
}

Test(memory, with_the_fewest_machine_frames_and_equal_pages_shared)
{
    expect_no_difference(least_and_share, 2, 3);
}

/* ---- where it shows --------------------------------------------------------
 */

static const struct run usual = {WAY_BT_SHADOW, "lumen"};

Test(memory, counts_what_it_does)
{
    const struct counters *c;
    struct guest g;

    open_test(&g, &usual, least);
    guest_run(&g, CYCLES);
    c = &vm_trace(g.vm)->count;
    cr_expect_eq(c->pmap_ram, MEMORY_MIB * MIB / PAGE_BYTES);
    cr_expect_eq(c->pmap_resident_peak, PMAP_FRAMES_LEAST);
    cr_expect_leq(c->pmap_resident, PMAP_FRAMES_LEAST);
    cr_expect_gt(c->pmap_swap_ins, 0);
    cr_expect_geq(c->pmap_swap_outs, c->pmap_swap_ins + c->pmap_swapped);
    cr_expect_gt(c->page_faults[FC_PAGED_OUT], 0);
    guest_close(&g);
}

static void with_little_swap(struct vm_config *config)
{
    least(config);
    config->swap_bytes = 128 << 10;
}

Test(memory, a_full_swap_ends_in_a_report)
{
    for (unsigned i = 0; i < RUNS; i++) {
        struct guest g;

        open_test(&g, &runs[i], with_little_swap);
        cr_expect_eq(guest_run(&g, CYCLES), VM_NO_MEMORY);
        cr_expect_eq(vm_exit_status(g.vm), 2);
        cr_expect_not_null(
            strstr(vm_report(g.vm), "the host's swap is full: 128 KiB"), "%s",
            vm_report(g.vm));
        check_audit(&g, ways[runs[i].way].name);
        guest_close(&g);
    }
}

Test(memory, a_guest_that_does_not_even_load_is_a_clear_error)
{
    static uint8_t module[MIB];
    const struct blob initrd = {module, sizeof module, "module"};
    struct vm_config config = {.cpu = CPU_BT,
                               .mmu = &mmu_shadow,
                               .memory_bytes = MEMORY_MIB * MIB,
                               .kernel = guest_embedded("lumen"),
                               .initrd = &initrd,
                               .initrd_count = 1};
    char *error = NULL;
    int status = 0;

    memset(module, 1, sizeof module);
    with_little_swap(&config);
    cr_assert_null(vm_create(&config, &error, &status));
    cr_expect_eq(status, 2);
    cr_expect_str_eq(error, "the guest cannot be loaded: the host's swap is "
                            "full: 128 KiB are in use");
    free(error);
}

/* ---- the balloon -----------------------------------------------------------
 */

static void with_balloon(struct vm_config *config)
{
    config->balloon_bytes = 16 * MIB;
}

static void open_balloon(struct guest *g, const struct run *r,
                         const char *append,
                         void (*change)(struct vm_config *config))
{
    guest_open(g, &ways[r->way], guest_embedded(r->kernel), append,
               MEMORY_MIB * MIB, change);
}

Test(memory, a_driver_gives_what_the_VMM_wishes_for)
{
    for (unsigned i = 0; i < RUNS; i += 2) {
        const struct counters *c;
        struct guest g;

        open_balloon(&g, &runs[i], "quiet balloon run=forks,10", with_balloon);
        cr_expect_eq(guest_run(&g, CYCLES), VM_DEBUG_EXIT);
        c = &vm_trace(g.vm)->count;
        cr_expect_eq(c->pmap_ballooned, 16 * MIB / PAGE_BYTES);
        cr_expect_eq(c->pmap_resident, (MEMORY_MIB - 16) * MIB / PAGE_BYTES);
        cr_expect_eq(c->page_faults[FC_PAGED_OUT], 0);
        check_audit(&g, ways[runs[i].way].name);
        guest_close(&g);
    }
}

static void with_great_balloon(struct vm_config *config)
{
    config->balloon_bytes = (MEMORY_MIB - 2) * MIB;
}

/* It needs more than what is left to it. */
Test(memory, a_driver_takes_frames_back_that_its_kernel_needs)
{
    for (unsigned i = 1; i < RUNS; i += 2) {
        struct guest g;

        open_balloon(&g, &runs[i], "quiet balloon run=touch,2000,1,1",
                     with_great_balloon);
        cr_expect_eq(guest_run(&g, CYCLES), VM_DEBUG_EXIT);
        cr_expect_not_null(strstr(g.console, "touch: 2000 pages"));
        cr_expect_gt(vm_trace(g.vm)->count.page_faults[FC_PAGED_OUT], 0);
        guest_close(&g);
    }
}

static void with_auto_balloon(struct vm_config *config)
{
    least(config);
    config->balloon_auto = true;
}

Test(memory, the_VMM_wishes_for_memory_when_it_runs_short)
{
    struct guest g;

    open_balloon(&g, &usual, "quiet balloon run=primes,2000",
                 with_auto_balloon);
    cr_expect_eq(guest_run(&g, CYCLES), VM_DEBUG_EXIT);
    cr_expect_gt(vm_trace(g.vm)->count.pmap_ballooned, 0);
    guest_close(&g);
}

/* A page that comes back has another machine frame, and the guest maps it. */
Test(memory, a_guest_that_knows_its_frames_gives_and_takes_them_too)
{
    const struct run direct = {WAY_PV_DIRECT, "lumen-pv"};
    const struct counters *c;
    struct guest g;

    open_balloon(&g, &direct, "quiet balloon run=forks,10", with_balloon);
    cr_expect_eq(guest_run(&g, CYCLES), VM_DEBUG_EXIT);
    c = &vm_trace(g.vm)->count;
    cr_expect_eq(c->pmap_ballooned, 16 * MIB / PAGE_BYTES);
    cr_expect_eq(c->pmap_resident, (MEMORY_MIB - 16) * MIB / PAGE_BYTES);
    check_audit(&g, "16 MiB");
    guest_close(&g);

    open_balloon(&g, &direct, "quiet balloon run=touch,2000,1,1",
                 with_great_balloon);
    cr_expect_eq(guest_run(&g, CYCLES), VM_DEBUG_EXIT);
    cr_expect_not_null(strstr(g.console, "touch: 2000 pages"));
    cr_expect_lt(vm_trace(g.vm)->count.pmap_ballooned,
                 (MEMORY_MIB - 2) * MIB / PAGE_BYTES);
    check_audit(&g, "nearly everything");
    guest_close(&g);
}

/* Whatever the guest gives, the monitor's own stays whole. */
Test(memory, a_guest_that_gives_everything_only_hurts_itself)
{
    for (unsigned i = 0; i < RUNS; i++) {
        const struct pc_balloon *balloon;
        enum vm_stop stop;
        struct guest g;

        open_balloon(&g, &runs[i], "test", with_balloon);
        guest_run(&g, 50000000);
        balloon = pc_balloon(vm_pc(g.vm));
        cr_expect_not(balloon->give(balloon->ctx, 0xFFFFFFFF));
        cr_expect_not(balloon->give(balloon->ctx, MEMORY_MIB * 256));
        cr_expect_not(balloon->take(balloon->ctx, 0xFFFFFFFF));
        for (uint32_t frame = 0; frame < MEMORY_MIB * 256; frame++)
            balloon->give(balloon->ctx, frame);
        check_audit(&g, ways[runs[i].way].name);
        stop = guest_run(&g, 60000000);
        cr_expect(stop != VM_INTERNAL && stop != VM_DEBUG_EXIT, "%s: %d: %s",
                  ways[runs[i].way].name, stop, vm_report(g.vm));
        check_audit(&g, ways[runs[i].way].name);
        guest_close(&g);
    }
}

/* ---- the same again --------------------------------------------------------
 */

struct end {
    struct seen seen;
    uint64_t cycles, digest;
};

static struct end run_on(struct guest *g, uint64_t slice)
{
    enum vm_stop stop = VM_RUNNING;
    struct end end;

    guest_watch(g, 0);
    while (stop == VM_RUNNING && vm_cycles(g->vm) < CYCLES)
        stop = guest_run(g, slice ? vm_cycles(g->vm) + slice : CYCLES);
    cr_expect_eq(stop, VM_DEBUG_EXIT);
    end = (struct end){g->seen, vm_cycles(g->vm), vm_digest(g->vm, true)};
    guest_forget(g);
    return end;
}

static void expect_same(struct end a, struct end b, const char *way)
{
    cr_expect_eq(a.seen.events, b.seen.events, "%s: events", way);
    cr_expect_eq(a.seen.hash, b.seen.hash, "%s: event stream", way);
    cr_expect_eq(a.cycles, b.cycles, "%s: cycles", way);
    cr_expect_eq(a.digest, b.digest, "%s: digest", way);
}

Test(memory, a_snapshot_has_the_same_future_with_what_is_in_the_swap)
{
    for (unsigned i = 0; i < RUNS; i += 2) {
        struct vm_saved *saved;
        struct end first;
        struct guest g;

        open_test(&g, &runs[i], least_and_share);
        guest_run(&g, 40000000);
        saved = vm_save(g.vm);
        cr_assert_not_null(saved);
        first = run_on(&g, 0);
        cr_assert(vm_restore(g.vm, saved));
        expect_same(first, run_on(&g, 0), ways[runs[i].way].name);
        vm_saved_free(saved);
        guest_close(&g);
    }
}

Test(memory, who_drives_the_guest_does_not_matter)
{
    for (unsigned i = 1; i < RUNS; i += 2) {
        struct end whole;
        struct guest g;

        open_test(&g, &runs[i], least_and_share);
        whole = run_on(&g, 0);
        guest_close(&g);
        open_test(&g, &runs[i], least_and_share);
        expect_same(whole, run_on(&g, 777777), ways[runs[i].way].name);
        guest_close(&g);
    }
}

/* Some instructions one by one. */
Test(memory, stepping_changes_nothing)
{
    for (unsigned i = 0; i < RUNS; i++) {
        const struct vm_limit one = {.one_instruction = true};
        struct end whole;
        struct guest g;

        open_test(&g, &runs[i], least_and_share);
        guest_run(&g, 30000000);
        whole = run_on(&g, 0);
        guest_close(&g);
        open_test(&g, &runs[i], least_and_share);
        guest_run(&g, 30000000);
        guest_watch(&g, 0);
        for (unsigned n = 0; n < 3000; n++)
            vm_run(g.vm, &one);
        cr_expect_eq(guest_run(&g, CYCLES), VM_DEBUG_EXIT);
        expect_same(
            whole, (struct end){g.seen, vm_cycles(g.vm), vm_digest(g.vm, true)},
            ways[runs[i].way].name);
        guest_close(&g);
    }
}
