/* SPDX-License-Identifier: MIT */
/* A comparison in a few lines: what each technique is paid with. */
#include "cli/compare_rows.h"
#include "trace/cost.h"

#include <stdlib.h>

enum { TEXT = RESULT_TEXT };

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* The median of the hidden faults after each load of CR3: start and end of the
 * guest do not weigh. Negative: it has one address space. */
static double hidden_faults(const struct outcome *r)
{
    const struct switches *s = &r->switches;
    size_t loads = (size_t)(r->count.cr3_writes >> s->shift);
    size_t known = s->count < loads ? s->count : loads;
    size_t middle = loads / 2, none = loads - known; /* loads without a fault */
    uint32_t hidden[SWITCH_BUCKETS];

    if (loads < 2)
        return -1;
    for (size_t i = 0; i < known; i++)
        hidden[i] = s->faults[i][FC_HIDDEN];
    qsort(hidden, known, sizeof *hidden, by_size);
    return middle < none ? 0
                         : (double)hidden[middle - none] /
                               (double)(UINT64_C(1) << s->shift);
}

static bool has_vmm(const struct outcome *r)
{
    return r->technique->cpu != CPU_BARE;
}

static void put_ratio(char *text, double value, double base)
{
    if (base > 0)
        snprintf(text, TEXT, "%.2f", value / base);
    else
        snprintf(text, TEXT, "-");
}

static void put_count(const struct outcome *r, char *text, uint64_t n)
{
    if (has_vmm(r))
        snprintf(text, TEXT, "%llu", (unsigned long long)n);
    else
        snprintf(text, TEXT, "-");
}

/* ---- The rows ------------------------------------------------------------ */

static void cell_exits(const struct comparison *c, const struct outcome *r,
                       char *text)
{
    (void)c;
    put_count(r, text, compare_group_sum(r, "exits"));
}

static void cell_hidden(const struct comparison *c, const struct outcome *r,
                        char *text)
{
    double rate = has_vmm(r) ? hidden_faults(r) : -1;

    (void)c;
    if (rate < 0)
        snprintf(text, TEXT, "-");
    else
        snprintf(text, TEXT, "%.1f", rate);
}

static void cell_traced(const struct comparison *c, const struct outcome *r,
                        char *text)
{
    (void)c;
    put_count(r, text, r->count.page_faults[FC_TRACE]);
}

static void cell_walk(const struct comparison *c, const struct outcome *r,
                      char *text)
{
    (void)c;
    if (r->count.walks)
        snprintf(text, TEXT, "%.1f",
                 (double)r->count.walk_references / (double)r->count.walks);
    else
        snprintf(text, TEXT, "-");
}

static void cell_tables(const struct comparison *c, const struct outcome *r,
                        char *text)
{
    (void)c;
    put_count(r, text, r->count.mmu_tables_peak * 4);
}

static void cell_cost(const struct comparison *c, const struct outcome *r,
                      char *text)
{
    put_ratio(text, (double)trace_model_cost(&r->count).total,
              (double)trace_model_cost(&c->outcome[0].count).total);
}

static void cell_time(const struct comparison *c, const struct outcome *r,
                      char *text)
{
    put_ratio(text, r->seconds, c->outcome[0].seconds);
}

const struct compare_short compare_short[] = {
    {"exits", "times that the VMM was called", cell_exits},
    {"H hidden / CR3 load",
     "faults that the guest never knows of, for one switch of address spaces "
     "(the median: neither start nor end weighs)",
     cell_hidden},
    {"W trace faults", "writes of the guest to page tables that are watched",
     cell_traced},
    {"entries read in a walk",
     "of page tables, when the TLB misses: (n + 1)(m + 1) - 1 of n and m "
     "levels behind each other",
     cell_walk},
    {"VMM's tables, KiB", "at most", cell_tables},
    {"model cost / first", "all causes together, by a fixed model", cell_cost},
    {"host time / first", "CPU time, measured: differs from run to run",
     cell_time},
};
const size_t compare_short_count = sizeof compare_short / sizeof *compare_short;
