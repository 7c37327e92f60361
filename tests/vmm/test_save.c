/* SPDX-License-Identifier: MIT */
/* tests/vmm/test_save.c - a saved machine has the same future again.
 *
 * timeout: 240
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/guest.h"

enum { MEMORY_MIB = 64 };
#define CYCLES UINT64_C(2000000000)

struct future {
    struct seen seen;
    struct counters count;
    uint64_t cycles, digest;
    enum vm_stop stop;
    int status;
    char *console;
    size_t console_bytes;
};

/* Run to the end, from wherever the guest is. */
static void run_on(struct guest *g, struct future *f)
{
    size_t before = g->console_bytes;

    guest_watch(g, 0);
    f->stop = guest_run(g, CYCLES);
    f->seen = g->seen;
    f->count = vm_trace(g->vm)->count;
    f->cycles = vm_cycles(g->vm);
    f->digest = vm_digest(g->vm, true);
    f->status = vm_exit_status(g->vm);
    f->console_bytes = g->console_bytes - before;
    f->console = strdup(g->console + before);
    cr_assert_not_null(f->console);
    guest_forget(g);
}

static void expect_same(const struct future *a, const struct future *b,
                        unsigned number, uint64_t at, const char *what)
{
    const char *way = ways[number].name;
    const char *counter = counters_difference(&a->count, &b->count);
    unsigned long long cycle = at;

    cr_expect(a->stop == b->stop && a->status == b->status,
              "%s at %llu, %s: stop %d, %d", way, cycle, what, a->stop,
              b->stop);
    cr_expect_str_eq(a->console, b->console, "%s at %llu, %s", way, cycle,
                     what);
    cr_expect_eq(a->seen.events, b->seen.events, "%s at %llu, %s: events", way,
                 cycle, what);
    cr_expect_eq(a->seen.hash, b->seen.hash, "%s at %llu, %s: event stream",
                 way, cycle, what);
    cr_expect_eq(a->cycles, b->cycles, "%s at %llu, %s: cycles", way, cycle,
                 what);
    cr_expect_eq(a->digest, b->digest, "%s at %llu, %s: digest", way, cycle,
                 what);
    cr_expect_null(counter, "%s at %llu, %s: counter %s", way, cycle, what,
                   counter);
}

static void save_at(unsigned way, uint64_t cycle)
{
    struct future first, again, other;
    struct blob kernel = guest_embedded(way_lumen[way]);
    struct guest g, fresh;
    struct vm_saved *saved;
    uint64_t digest;

    guest_open(&g, &ways[way], kernel, "test", MEMORY_MIB * MIB, NULL);
    cr_assert_eq(guest_run(&g, cycle), VM_RUNNING);
    digest = vm_digest(g.vm, true);
    saved = vm_save(g.vm);
    cr_assert_not_null(saved);
    cr_expect_eq(vm_digest(g.vm, true), digest, "saving changes nothing");
    run_on(&g, &first);
    cr_expect_eq(first.stop, VM_DEBUG_EXIT);

    cr_assert(vm_restore(g.vm, saved));
    cr_expect_eq(vm_digest(g.vm, true), digest);
    cr_expect(vm_cycles(g.vm) >= cycle && vm_cycles(g.vm) < cycle + 10000);
    run_on(&g, &again);
    expect_same(&first, &again, way, cycle, "restored");
    guest_close(&g);

    guest_open(&fresh, &ways[way], kernel, "test", MEMORY_MIB * MIB, NULL);
    cr_assert(vm_restore(fresh.vm, saved));
    cr_expect_eq(vm_digest(fresh.vm, true), digest);
    run_on(&fresh, &other);
    expect_same(&first, &other, way, cycle, "in a fresh machine");
    guest_close(&fresh);

    vm_saved_free(saved);
    free(first.console);
    free(again.console);
    free(other.console);
}

Test(save, restores_the_same_future)
{
    static const uint64_t cycles[] = {2000000, 60000000, 110000000};

    for (unsigned way = 0; way < WAYS; way++)
        for (unsigned k = 0; k < sizeof cycles / sizeof *cycles; k++)
            save_at(way, cycles[k]);
}

/* Step, and hash where the guest is after each. */
static uint64_t stepped(struct vm *vm, unsigned steps)
{
    const struct vm_limit one = {.one_instruction = true};
    uint64_t hash = 0;

    while (steps--) {
        struct cpu_state s;

        vm_run(vm, &one);
        vm_guest_state(vm, &s);
        hash = hash * 1099511628211u ^ s.eip ^ (uint64_t)s.gpr[GPR_EAX] << 32;
    }
    return hash;
}

Test(save, a_restored_guest_is_seen_at_each_step)
{
    for (unsigned way = 0; way < WAYS; way++) {
        struct vm_saved *saved;
        uint64_t before;
        struct guest g;

        guest_open(&g, &ways[way], guest_embedded(way_lumen[way]), "test",
                   MEMORY_MIB * MIB, NULL);
        cr_assert_eq(guest_run(&g, 2000000), VM_RUNNING);
        saved = vm_save(g.vm);
        cr_assert_not_null(saved);
        before = stepped(g.vm, 300);
        cr_assert(vm_restore(g.vm, saved));
        cr_expect_eq(stepped(g.vm, 300), before, "%s", ways[way].name);
        vm_saved_free(saved);
        guest_close(&g);
    }
}
