/* SPDX-License-Identifier: MIT */
/* One benchmark under one technique: run with all its iterations and with
 * none, so that the difference is the loop alone. */
#include "cli/bench.h"

#include "cli/cli.h"
#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SLICE_CYCLES = 20000000,
    MEMORY_BYTES = 16 << 20,
    /* Virtual time after which a run is stuck: what boots, and far more than
     * any iteration takes. */
    BOOT_CYCLES = 50000000,
    ITERATION_CYCLES = 500000,
};

uint32_t bench_iterations(const struct bench *b, unsigned row)
{
    double n = (double)bench_rows[row].iterations * b->scale;
    if (b->iterations)
        return (uint32_t)b->iterations;
    return n < 1 ? 1 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void capture(void *ctx, uint8_t byte)
{
    struct bench_run *r = ctx;
    size_t used = strlen(r->answer);
    if (byte != '\n' && byte != '\r' && used + 1 < sizeof r->answer)
        r->answer[used] = (char)byte;
}

/* "bench NAME N checksum X" to "checksum X"; what else was said, as it is. */
static void shorten(char *answer)
{
    char *at = strstr(answer, "checksum ");
    if (!at)
        at = strstr(answer, "WRONG ");
    if (at)
        memmove(answer, at, strlen(at) + 1);
}

static bool go(struct vm *vm, uint32_t iterations)
{
    uint64_t most = BOOT_CYCLES + (uint64_t)iterations * ITERATION_CYCLES;
    enum vm_stop stop = VM_RUNNING;
    while (stop == VM_RUNNING && !cli_interrupted && vm_cycles(vm) < most) {
        struct vm_limit limit = {.cycles = vm_cycles(vm) + SLICE_CYCLES,
                                 .interrupted = &cli_interrupted};
        stop = vm_run(vm, &limit);
    }
    return stop == VM_DEBUG_EXIT;
}

static int run_vm(const struct bench *b, const struct bench_technique *t,
                  unsigned row, uint32_t iterations, struct bench_run *out)
{
    char append[64], *error = NULL;
    int status;
    struct vm_config config = {.cpu = t->cpu,
                               .mmu = t->mmu,
                               .memory_bytes = MEMORY_BYTES,
                               .kernel = b->guest,
                               .append = append,
                               .serial_output = capture,
                               .ctx = out};
    snprintf(append, sizeof append, "%s %u", bench_rows[row].name, iterations);
    struct vm *vm = vm_create(&config, &error, &status);
    if (!vm) {
        cli_error(b->who, "%s: %s", t->name, error ? error : "out of memory");
        free(error);
        return status;
    }
    double start = cpu_seconds();
    bool ended = go(vm, iterations);
    out->seconds = cpu_seconds() - start;
    out->count = vm_trace(vm)->count;
    out->cycles = vm_cycles(vm);
    status = ended        ? STATUS_OK
             : cli_signal ? STATUS_SIGNAL + cli_signal
                          : STATUS_INTERNAL;
    if (status == STATUS_INTERNAL) {
        const char *report = vm_report(vm);
        cli_error(b->who, "%s under %s did not end%s%.*s", bench_rows[row].name,
                  t->name, *report ? ": " : "", (int)strcspn(report, "\n"),
                  report);
    }
    vm_destroy(vm);
    return status;
}

static int run_once(const struct bench *b, unsigned row, unsigned technique,
                    uint32_t iterations, struct bench_run *out)
{
    const struct bench_technique *t = &b->technique[technique];
    *out = (struct bench_run){0};
    int status = t->qemu ? bench_qemu(b, row, iterations, out)
                         : run_vm(b, t, row, iterations, out);
    shorten(out->answer);
    return status;
}

/* Every counter is an uint64_t. */
static void subtract(struct counters *from, const struct counters *what)
{
    uint64_t *a = (uint64_t *)from;
    const uint64_t *b = (const uint64_t *)what;
    _Static_assert(sizeof *from % sizeof *a == 0, "counters of 64 bits");
    for (size_t i = 0; i < sizeof *from / sizeof *a; i++)
        a[i] -= b[i];
}

int bench_measure(struct bench *b, unsigned row, unsigned technique)
{
    struct bench_cell *c = &b->cell[row][technique];
    uint32_t n = bench_iterations(b, row);
    double whole = 0, empty = 0;
    for (unsigned i = 0; i < b->repeats; i++) {
        struct bench_run all, none;
        int status = run_once(b, row, technique, 0, &none);
        if (status == STATUS_OK)
            status = run_once(b, row, technique, n, &all);
        if (status != STATUS_OK)
            return status;
        if (i == 0) {
            c->whole = c->loop = all;
            subtract(&c->loop.count, &none.count);
            c->loop.cycles -= none.cycles;
        }
        whole = i == 0 || all.seconds < whole ? all.seconds : whole;
        empty = i == 0 || none.seconds < empty ? none.seconds : empty;
    }
    c->loop.seconds = whole > empty ? whole - empty : 0;
    c->ns = c->loop.seconds * 1e9 / n;
    c->equal = strcmp(c->whole.answer, b->cell[row][0].whole.answer) == 0;
    return STATUS_OK;
}
