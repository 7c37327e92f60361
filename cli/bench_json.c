/* SPDX-License-Identifier: MIT */
/* What the benchmarks came to, as JSON. Everything but "host" and
 * "geometric_mean" is the same on every host. */
#include "cli/bench.h"

#include "trace/cost.h"

#include <jansson.h>
#include <string.h>

/* Counts are differences of two runs, and may be below 0. */
static void put(json_t *o, const char *key, uint64_t count, uint32_t n)
{
    json_object_set_new(o, key, json_real((double)(int64_t)count / n));
}

/* An object of the classes that were seen; their sum under "total". */
static json_t *classes(const uint64_t *count, unsigned kinds, uint32_t n,
                       const char *(*name)(unsigned i))
{
    json_t *o = json_object();
    uint64_t total = 0;
    for (unsigned i = 0; i < kinds; i++) {
        total += count[i];
        if (count[i])
            put(o, name(i), count[i], n);
    }
    put(o, "total", total, n);
    return o;
}

static const char *exit_name(unsigned i)
{
    return exit_reason_name((enum exit_reason)i);
}

static const char *fault_name(unsigned i)
{
    return fault_class_name((enum fault_class)i);
}

static json_t *counts_json(const struct bench_cell *c, uint32_t n)
{
    const struct counters *k = &c->loop.count;
    json_t *o = json_object();
    json_object_set_new(o, "exits",
                        classes(k->exits, EXIT_COUNT, n, exit_name));
    json_object_set_new(o, "page_faults",
                        classes(k->page_faults, FC_COUNT, n, fault_name));
    put(o, "emulated", k->emulated, n);
    put(o, "silent", k->silent, n);
    put(o, "tlb_fills", k->tlb_fills, n);
    put(o, "tlb_flushes", k->tlb_flushes + k->tlb_page_flushes, n);
    put(o, "mmu_fills", k->mmu_fills, n);
    put(o, "traced_writes", k->mmu_pte_write, n);
    put(o, "model_cost", trace_model_cost(k).total, n);
    put(o, "virtual_cycles", c->loop.cycles, n);
    return o;
}

static json_t *host_json(const struct bench *b, unsigned row, unsigned t)
{
    double ns = b->cell[row][t].ns, bare = b->cell[row][0].ns;
    unsigned last = (unsigned)b->techniques - 1;
    json_t *o = json_pack("{s:f}", "ns", ns);
    if (bare > 0)
        json_object_set_new(o, "times_bare", json_real(ns / bare));
    if (b->technique[last].qemu && b->cell[row][last].ns > 0)
        json_object_set_new(o, "times_qemu",
                            json_real(ns / b->cell[row][last].ns));
    return o;
}

static json_t *cell_json(const struct bench *b, unsigned row, unsigned t)
{
    const struct bench_cell *c = &b->cell[row][t];
    json_t *o = json_pack("{s:s, s:s, s:b, s:o}", "technique",
                          b->technique[t].name, "answer", c->whole.answer,
                          "equal", c->equal, "host", host_json(b, row, t));
    if (!b->technique[t].qemu)
        json_object_set_new(o, "per_iteration",
                            counts_json(c, bench_iterations(b, row)));
    return o;
}

static json_t *row_json(const struct bench *b, unsigned row)
{
    const struct bench_row *r = &bench_rows[row];
    json_t *cells = json_array();
    for (unsigned t = 0; t < b->techniques; t++)
        json_array_append_new(cells, cell_json(b, row, t));
    json_t *o =
        json_pack("{s:s, s:s, s:b, s:I, s:o}", "name", r->name, "what", r->what,
                  "nanobenchmark", r->nano, "iterations",
                  (json_int_t)bench_iterations(b, row), "results", cells);
    if (r->published[0])
        json_object_set_new(o, "published_cycles",
                            json_pack("{s:s, s:s, s:s}", "native",
                                      r->published[0], "software_vmm",
                                      r->published[1], "hardware_vmm",
                                      r->published[2]));
    return o;
}

/* Of the host times of those of the seven that were run. */
static json_t *means_json(const struct bench *b, unsigned base)
{
    json_t *o = json_object();
    for (unsigned t = 0; t < b->techniques; t++) {
        double mean = bench_mean(b, t, base);
        if (mean > 0)
            json_object_set_new(o, b->technique[t].name, json_real(mean));
    }
    return o;
}

bool bench_print_json(const struct bench *b, FILE *out)
{
    unsigned last = (unsigned)b->techniques - 1;
    json_t *rows = json_array(), *names = json_array(), *means = json_object();
    for (unsigned t = 0; t < b->techniques; t++)
        json_array_append_new(names, json_string(b->technique[t].name));
    for (unsigned row = 0; row < BENCH_ROWS; row++)
        if (b->wanted[row])
            json_array_append_new(rows, row_json(b, row));
    json_object_set_new(means, "times_bare", means_json(b, 0));
    if (b->technique[last].qemu)
        json_object_set_new(means, "times_qemu", means_json(b, last));
    json_t *root = json_pack(
        "{s:o, s:o, s:o, s:s}", "techniques", names, "benchmarks", rows,
        "geometric_mean", means, "published",
        "Adams & Agesen, ASPLOS 2006; cycles of a Pentium 4 672 at 3.8 GHz");
    if (!root)
        return false;
    json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(8));
    fputc('\n', out);
    json_decref(root);
    return true;
}
