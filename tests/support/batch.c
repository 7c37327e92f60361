/* SPDX-License-Identifier: MIT */
#include "tests/support/batch.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *room(uint32_t count, size_t bytes)
{
    void *p = calloc(count, bytes);

    cr_assert_not_null(p);
    return p;
}

uint32_t batch_sequence(const struct batch *b, uint32_t i)
{
    return (uint32_t)((b->first + i) / BATCH_SHARE - b->first / BATCH_SHARE);
}

void batch_make(struct batch *b, uint64_t first, uint32_t count, bool user)
{
    struct sequence s;
    uint64_t share = first / BATCH_SHARE;

    *b = (struct batch){.first = first, .count = count, .user = user};
    b->sequences = batch_sequence(b, count - 1) + 1;
    b->cases = room(count, sizeof *b->cases);
    b->about = room(b->sequences, sizeof *b->about);
    b->code = room(b->sequences, sizeof *b->code);
    for (uint32_t n = 0, i = 0; n < b->sequences; n++) {
        sequence_make(&s, share + n, probe_entry(n), user);
        memcpy(b->code[n], s.code, sizeof s.code);
        b->about[n] = s.about;
        for (; i < count && batch_sequence(b, i) == n; i++)
            b->cases[i] = sequence_case(&s, first + i, probe_entry(n), user);
    }
}

void batch_free(struct batch *b)
{
    free(b->cases);
    free(b->about);
    free(b->code);
}

/* ---- Umbra itself does not end ---- */

enum { PATIENCE_SECONDS = 120 };

static struct {
    const struct batch *batch;
    const struct way *way;
    const uint32_t *chosen;
} now;

static void on_alarm(int signal)
{
    uint32_t k = probe_running();

    (void)signal;
    fprintf(stderr, "%s, ring %d: Umbra hangs at seed %llu\n", now.way->name,
            now.batch->user ? 3 : 0,
            (unsigned long long)(now.batch->first +
                                 (now.chosen ? now.chosen[k] : k)));
    abort();
}

static void watch(const struct batch *b, const struct way *way,
                  const uint32_t *chosen)
{
    now.batch = b;
    now.way = way;
    now.chosen = chosen;
    signal(SIGALRM, on_alarm);
    alarm(PATIENCE_SECONDS);
}

/* ---- one technique ---- */

/* One that stops the guest costs a new guest for the rest. */
static void run_table(const struct way *way, struct probe_table *t,
                      struct probe_result *results, int *stops)
{
    while (t->first < t->case_count) {
        enum vm_stop stop;
        uint32_t done = probe_run(way, t, results, &stop);

        for (; t->first < done; t->first++)
            stops[t->first] = VM_RUNNING;
        if (t->first < t->case_count)
            stops[t->first++] =
                stop == VM_RUNNING ? CASE_NEVER_ENDED : (int)stop;
    }
}

void batch_run(const struct batch *b, const struct way *way,
               const uint32_t *chosen, uint32_t count, struct outcome *outcomes)
{
    struct probe_case *cases = room(count, sizeof *cases);
    struct probe_result *results = room(count, sizeof *results);
    int *stops = room(count, sizeof *stops);
    struct probe_table t = {.cases = cases,
                            .case_count = count,
                            .code =
                                (const uint8_t(*)[PROBE_ENTRY_BYTES])b->code,
                            .code_count = b->sequences,
                            .guarded = true};

    for (uint32_t k = 0; k < count; k++)
        cases[k] = b->cases[chosen ? chosen[k] : k];
    watch(b, way, chosen);
    run_table(way, &t, results, stops);
    alarm(0);
    for (uint32_t k = 0; k < count; k++)
        outcomes[chosen ? chosen[k] : k] =
            (struct outcome){results[k], stops[k]};
    free(cases);
    free(results);
    free(stops);
}
