/* SPDX-License-Identifier: MIT */
/* tests/vmm/test_determinism.c - the same run, bit for bit, however it is
 * driven and whoever watches.
 *
 * timeout: 240
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/guest.h"

enum { MEMORY_MIB = 64 };
#define CYCLES UINT64_C(2000000000)

struct run {
    unsigned way;
    const char *kernel;
};

/* What runs right, and one run that goes wrong: in the same way each time. */
enum { RUNS = WAYS + 1 };

static const struct run *run_of(unsigned i)
{
    static struct run r;

    r = i < WAYS ? (struct run){i, way_lumen[i]}
                 : (struct run){WAY_TRAP_SHADOW, "lumen"};
    return &r;
}

static void use_plain_clock(struct vm_config *config)
{
    config->plain_clock = true;
}

static void start(struct guest *g, const struct run *r, const char *append)
{
    guest_open(g, &ways[r->way], guest_embedded(r->kernel), append,
               MEMORY_MIB * MIB, NULL);
}

/* The end of a run, to compare with another's. */
struct end {
    struct seen seen;
    struct counters count;
    uint64_t cycles, digest, seq;
    enum vm_stop stop;
};

static void note(struct guest *g, enum vm_stop stop, struct end *end)
{
    *end = (struct end){.seen = g->seen,
                        .count = vm_trace(g->vm)->count,
                        .cycles = vm_cycles(g->vm),
                        .digest = vm_digest(g->vm, true),
                        .seq = vm_trace(g->vm)->seq,
                        .stop = stop};
}

static void expect_same(const struct end *a, const struct end *b, bool seen,
                        const struct run *r, const char *what)
{
    const char *way = ways[r->way].name, *kernel = r->kernel, *counter;

    cr_expect_eq(a->stop, b->stop, "%s, %s, %s: stops %d, %d", kernel, way,
                 what, a->stop, b->stop);
    cr_expect_eq(a->seq, b->seq, "%s, %s, %s: %llu, %llu events", kernel, way,
                 what, (unsigned long long)a->seq, (unsigned long long)b->seq);
    cr_expect_eq(a->cycles, b->cycles, "%s, %s, %s: %llu, %llu cycles", kernel,
                 way, what, (unsigned long long)a->cycles,
                 (unsigned long long)b->cycles);
    cr_expect_eq(a->digest, b->digest, "%s, %s, %s: digests", kernel, way,
                 what);
    counter = counters_difference(&a->count, &b->count);
    cr_expect_null(counter, "%s, %s, %s: counter %s", kernel, way, what,
                   counter);
    if (!seen)
        return;
    cr_expect_eq(a->seen.events, b->seen.events);
    cr_expect_eq(a->seen.hash, b->seen.hash, "%s, %s, %s: event streams differ",
                 kernel, way, what);
}

static void plain(const struct run *r, const char *append, bool watch,
                  uint64_t to_event, struct end *end)
{
    struct guest g;
    enum vm_stop stop;

    start(&g, r, append);
    if (watch)
        guest_watch(&g, 0);
    stop = to_event ? guest_run_to_event(&g, to_event) : guest_run(&g, CYCLES);
    note(&g, stop, end);
    guest_close(&g);
}

Test(determinism, two_runs_and_a_reader_more)
{
    for (unsigned i = 0; i < RUNS; i++) {
        struct end first, second, unseen;

        plain(run_of(i), "test", true, 0, &first);
        plain(run_of(i), "test", true, 0, &second);
        plain(run_of(i), "test", false, 0, &unseen);
        expect_same(&first, &second, true, run_of(i), "again");
        expect_same(&first, &unseen, false, run_of(i), "with no reader");
        cr_expect(first.seen.events > 5000);
    }
}

/* Blocks that count themselves: nobody can tell. */
Test(determinism, with_the_plain_clock)
{
    for (unsigned i = 0; i < RUNS; i++) {
        const struct run *r = run_of(i);
        struct end usual, hooked;
        struct guest g;

        plain(r, "test", true, 0, &usual);
        guest_open(&g, &ways[r->way], guest_embedded(r->kernel), "test",
                   MEMORY_MIB * MIB, use_plain_clock);
        guest_watch(&g, 0);
        note(&g, guest_run(&g, CYCLES), &hooked);
        guest_close(&g);
        expect_same(&usual, &hooked, true, r, "plain clock");
    }
}

/* ---- files
 * ---------------------------------------------------------------------- */

static char *write_trace(const struct run *r, uint64_t to_event, size_t *bytes)
{
    char name[] = "/tmp/umbra-determinism-XXXXXX.jsonl", *text;
    const char *error = NULL;
    struct trace_file *file;
    struct guest g;
    int fd = mkstemps(name, 6);
    FILE *in;

    cr_assert(fd >= 0);
    close(fd);
    start(&g, r, "test");
    file = trace_file_open(name, vm_trace(g.vm), &error);
    cr_assert_not_null(file, "%s", error ? error : "?");
    guest_run_to_event(&g, to_event);
    cr_assert_eq(trace_file_close(file), 0);
    guest_close(&g);
    in = fopen(name, "r");
    remove(name);
    cr_assert_not_null(in);
    fseek(in, 0, SEEK_END);
    *bytes = (size_t)ftell(in);
    rewind(in);
    text = malloc(*bytes + 1);
    cr_assert_not_null(text);
    cr_assert_eq(fread(text, 1, *bytes, in), *bytes);
    fclose(in);
    return text;
}

Test(determinism, trace_files_are_equal)
{
    for (unsigned i = 0; i < RUNS; i++) {
        size_t a_bytes, b_bytes;
        char *a = write_trace(run_of(i), 30000, &a_bytes);
        char *b = write_trace(run_of(i), 30000, &b_bytes);

        cr_expect(a_bytes > 1000000);
        cr_expect(a_bytes == b_bytes && memcmp(a, b, a_bytes) == 0, "%s, %s",
                  run_of(i)->kernel, ways[run_of(i)->way].name);
        free(a);
        free(b);
    }
}

/* ---- slices
 * ---------------------------------------------------------------------- */

/* A simple generator of our own: the same on every host. */
static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void sliced(const struct run *r, const char *append, uint32_t seed,
                   uint32_t most, struct end *end)
{
    struct guest g;
    enum vm_stop stop = VM_RUNNING;

    start(&g, r, append);
    guest_watch(&g, 0);
    while (stop == VM_RUNNING && vm_cycles(g.vm) < CYCLES) {
        uint64_t part = 1 + next_random(&seed) % most;
        struct vm_limit limit = {.cycles = vm_cycles(g.vm) + part};

        stop = vm_run(g.vm, &limit);
    }
    note(&g, stop, end);
    guest_close(&g);
}

Test(determinism, small_slices)
{
    for (unsigned i = 0; i < RUNS; i++) {
        struct end whole, slices;

        plain(run_of(i), "quiet run=forks,3", true, 0, &whole);
        sliced(run_of(i), "quiet run=forks,3", 1, 2000, &slices);
        expect_same(&whole, &slices, true, run_of(i), "short slices");
    }
}

Test(determinism, long_slices)
{
    for (unsigned i = 0; i < RUNS; i++) {
        struct end whole, slices;

        plain(run_of(i), "test", true, 0, &whole);
        sliced(run_of(i), "test", 2, 400000, &slices);
        expect_same(&whole, &slices, true, run_of(i), "long slices");
    }
}

/* ---- single steps
 * ----------------------------------------------------------------- */

/* Steps and runs by turns until an event's number is reached. Where a plain
 * run stops behind that event depends on its blocks, so the streams up to it
 * are compared, and nothing else. */
static void stream(const struct run *r, const char *append, uint64_t to_event,
                   uint32_t seed, uint32_t steps_most, struct seen *seen)
{
    const struct vm_limit one = {.one_instruction = true};
    enum vm_stop stop = VM_RUNNING;
    struct guest g;

    start(&g, r, append);
    guest_watch(&g, to_event);
    while (stop == VM_RUNNING && vm_trace(g.vm)->seq < to_event) {
        uint32_t steps = steps_most ? next_random(&seed) % steps_most : 0;
        uint64_t part = steps_most ? next_random(&seed) % 20000 : CYCLES;
        struct vm_limit limit = {.events = to_event};

        while (steps-- && stop == VM_RUNNING)
            stop = vm_run(g.vm, &one);
        limit.cycles = vm_cycles(g.vm) + part;
        if (stop == VM_RUNNING)
            stop = vm_run(g.vm, &limit);
    }
    *seen = g.seen;
    guest_close(&g);
}

Test(determinism, steps_between_runs)
{
    const char *append = "quiet run=forks,3";

    for (unsigned i = 0; i < RUNS; i++) {
        struct seen run, steps;

        stream(run_of(i), append, 8000, 0, 0, &run);
        cr_expect(run.events > 100);
        for (uint32_t seed = 1; seed <= 2; seed++) {
            stream(run_of(i), append, 8000, seed, 5000, &steps);
            cr_expect(steps.events == run.events && steps.hash == run.hash,
                      "%s, %s, seed %u: stepping changes the stream (%llu and "
                      "%llu events)",
                      run_of(i)->kernel, ways[run_of(i)->way].name, seed,
                      (unsigned long long)run.events,
                      (unsigned long long)steps.events);
        }
    }
}
