/* SPDX-License-Identifier: MIT */
/* tests/vmm/test_instructions.c - generated code does the same everywhere.
 *
 * Short sequences of random instructions with random registers, flags and
 * segments run at ring 0 and at ring 3, on the bare machine and virtualized.
 * Registers, flags, memory, control registers, and the vector, error code, CR2
 * and EIP of what ended them must be equal.
 *
 * Each technique gets what it can be right about. Pure trapping is spared the
 * hole that it has (Robin & Irvine): at ring 0 POPF PUSHF IRET, the table
 * registers, LAR LSL VERR VERW, whatever shows or loads CS or SS, far
 * transfers; at ring 3 the table registers and LAR LSL VERR VERW, which show
 * the monitor's. Dynamic translation has the second half of it, for programs
 * run directly; static translation cannot follow computed jumps. Every
 * technique at ring 1 is spared what stores the x87 state there, CS included. A
 * ported guest runs the cases of ring 3 too; it has other descriptors, and is
 * spared both lists and what needs an IOPL or CR4.
 *
 * The suite runs a few thousand cases. tests/README.md has the long mode, and
 * how to repeat a case.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/batch.h"
#include "tests/support/coverage.h"

enum {
    CASES = 5000,
    REPORTS_MOST = 8,
    PROGRESS_SECONDS = 10,
    COVERED_FROM = 100000, /* cases that have everything in them */
};

struct score {
    uint64_t compared, left_out, stricter, differ;
    double seconds;
};

/* All cases of a ring. */
struct campaign {
    bool user, long_mode;
    const char *only; /* one technique; NULL: all */
    uint64_t seed, cases, done;
    double began, told;
    struct score score[WAYS];
    struct coverage coverage;
};

static double seconds(void)
{
    struct timespec t;

    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- one batch --------------------------------------------------------------
 */

/* A batch, and under one technique what can be compared of it. */
struct comparison {
    const struct batch *batch;
    struct outcome *bare, *other;
    uint32_t *chosen, count;
    enum cpu_technique cpu;
    bool again; /* bare ran the chosen ones alone */
};

static void make_room(struct comparison *c)
{
    c->bare = calloc(c->batch->count, sizeof *c->bare);
    c->other = calloc(c->batch->count, sizeof *c->other);
    c->chosen = calloc(c->batch->count, sizeof *c->chosen);
    cr_assert(c->bare && c->other && c->chosen);
}

static void release(struct comparison *c)
{
    free(c->bare);
    free(c->other);
    free(c->chosen);
}

/* Only what can be compared, so that nothing else leaves traces behind. */
static void choose(struct comparison *c, enum cpu_technique cpu)
{
    c->cpu = cpu;
    c->count = 0;
    c->again = false;
    for (uint32_t i = 0; i < c->batch->count; i++)
        if (!batch_left_out(c->batch, i, &c->bare[i], cpu))
            c->chosen[c->count++] = i;
}

static bool differs(const struct comparison *c, uint32_t i)
{
    return outcome_difference(&c->bare[i], &c->other[i]) != NULL;
}

/* What a case that is left out left behind is no difference: bare again, with
 * what was compared alone. */
static void settle(struct comparison *c)
{
    for (uint32_t k = 0; k < c->count && !c->again; k++)
        if (differs(c, c->chosen[k])) {
            batch_run(c->batch, &ways[WAY_BARE], c->chosen, c->count, c->bare);
            c->again = true;
        }
}

static void report(const struct comparison *c, uint32_t i,
                   const struct way *way)
{
    const struct batch *b = c->batch;
    char text[600];

    failure_describe(b, i, text, sizeof text);
    cr_expect(false, "%s, ring %d, seed %llu differs in %s: %s", way->name,
              b->user ? 3 : 0, (unsigned long long)(b->first + i),
              outcome_difference(&c->bare[i], &c->other[i]), text);
    failure_print(b, i, way, &c->bare[i], &c->other[i]);
}

static void compare(struct comparison *c, const struct way *way,
                    struct score *score)
{
    double began = seconds();

    batch_run(c->batch, way, c->chosen, c->count, c->other);
    settle(c);
    for (uint32_t k = 0; k < c->count; k++) {
        uint32_t i = c->chosen[k];

        if (!differs(c, i))
            continue;
        if (batch_stricter(c->batch, i, &c->other[i])) {
            score->stricter++;
            continue;
        }
        if (score->differ++ < REPORTS_MOST)
            report(c, i, way);
    }
    score->compared += c->count;
    score->left_out += c->batch->count - c->count;
    score->seconds += seconds() - began;
}

/* Programs run in a ported guest, too. */
static bool way_of(const struct campaign *c, unsigned number, struct way *way)
{
    static const int ported[] = {WAY_PV_TLB, WAY_PV_SHADOW};
    unsigned others = 0;

    if (guest_way(number, way))
        return true;
    while (guest_way(others, way))
        others++;
    if (!c->user || number - others >= sizeof ported / sizeof *ported)
        return false;
    *way = ways[ported[number - others]];
    return true;
}

/* Where there are several batches, each gets one memory technique of each CPU
 * technique, in turn. */
static bool wanted(const struct campaign *c, const struct way *way,
                   unsigned number, unsigned batch)
{
    unsigned first = number, count = 0;
    struct way other;

    if (c->only && strcmp(c->only, cpu_technique_name(way->cpu)) != 0)
        return false;
    while (first && way_of(c, first - 1, &other) && other.cpu == way->cpu)
        first--;
    while (way_of(c, first + count, &other) && other.cpu == way->cpu)
        count++;
    return c->cases <= BATCH_MOST || batch % count == number - first;
}

/* ---- all of them ------------------------------------------------------------
 */

static void tell(struct campaign *c, const struct way *way)
{
    double now = seconds();

    if (!c->long_mode || now - c->told < PROGRESS_SECONDS)
        return;
    c->told = now;
    fprintf(stderr, "ring %d: %llu of %llu cases, %.0f/s; now %s\n",
            c->user ? 3 : 0, (unsigned long long)c->done,
            (unsigned long long)c->cases, (double)c->done / (now - c->began),
            way->name);
}

static void compare_batch(struct campaign *c, const struct batch *b,
                          unsigned batch)
{
    struct comparison now = {.batch = b, .cpu = CPU_BARE};
    double began = seconds();
    struct way way;

    make_room(&now);
    batch_run(b, &ways[WAY_BARE], NULL, b->count, now.bare);
    c->score[WAY_BARE].compared += b->count;
    c->score[WAY_BARE].seconds += seconds() - began;
    for (unsigned i = 0; way_of(c, i, &way); i++) {
        if (!wanted(c, &way, i, batch))
            continue;
        tell(c, &way);
        if (way.cpu != now.cpu)
            choose(&now, way.cpu);
        compare(&now, &way, &c->score[1 + i]);
    }
    release(&now);
}

static void print_scores(const struct campaign *c)
{
    struct way way;

    fprintf(stderr,
            "ring %d: %llu cases, seeds %llu to %llu, %.0f/s\n  %-20s%12s%12s"
            "%10s%8s%9s\n",
            c->user ? 3 : 0, (unsigned long long)c->done,
            (unsigned long long)c->seed,
            (unsigned long long)(c->seed + c->done - 1),
            (double)c->done / (seconds() - c->began), "", "compared",
            "left out", "stricter", "differ", "cases/s");
    for (unsigned i = 0; way_of(c, i, &way); i++) {
        const struct score *s = &c->score[1 + i];

        if (s->compared)
            fprintf(stderr, "  %-20s%12llu%12llu%10llu%8llu%9.0f\n", way.name,
                    (unsigned long long)s->compared,
                    (unsigned long long)s->left_out,
                    (unsigned long long)s->stricter,
                    (unsigned long long)s->differ,
                    (double)s->compared / s->seconds);
    }
    coverage_print(&c->coverage, stderr);
}

/* Most of the cases must have been compared. */
static void check_scores(const struct campaign *c)
{
    for (unsigned i = 0; i < WAYS; i++) {
        const struct score *s = &c->score[i];

        cr_expect(s->left_out <= s->compared + 4, "way %u: only %llu compared",
                  i, (unsigned long long)s->compared);
        cr_expect(s->stricter <= s->compared / 50 + 1,
                  "way %u: %llu faults of segments", i,
                  (unsigned long long)s->stricter);
    }
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static void everywhere(bool user)
{
    static struct campaign c;
    unsigned batches = 0;

    c.user = user;
    c.long_mode = getenv("UMBRA_FUZZ_CASES") != NULL;
    c.only = getenv("UMBRA_FUZZ_CPU");
    c.seed = setting("UMBRA_FUZZ_SEED", 0);
    c.cases = setting("UMBRA_FUZZ_CASES", CASES);
    c.began = c.told = seconds();
    while (c.done < c.cases) {
        uint64_t left = c.cases - c.done;
        struct batch b;

        batch_make(&b, c.seed + c.done,
                   left < BATCH_MOST ? (uint32_t)left : BATCH_MOST, user);
        if (c.cases == 1)
            failure_print_case(&b, 0);
        for (uint32_t n = 0; n < b.sequences; n++)
            coverage_add(&c.coverage, b.code[n], PROBE_ENTRY_BYTES);
        compare_batch(&c, &b, batches++);
        c.done += b.count;
        batch_free(&b);
    }
    check_scores(&c);
    if (c.long_mode)
        print_scores(&c);
    if (c.cases >= COVERED_FROM)
        cr_expect(!coverage_missing(&c.coverage), "%s was not generated",
                  coverage_missing(&c.coverage));
}

Test(instructions, at_ring_3)
{
    everywhere(true);
}

Test(instructions, at_ring_0)
{
    everywhere(false);
}
