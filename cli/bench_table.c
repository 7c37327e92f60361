/* SPDX-License-Identifier: MIT */
/* What the benchmarks came to, for people: a block for each, and a summary of
 * host time. Columns that do not fit into 80 wrap. */
#include "cli/bench.h"

#include "trace/cost.h"

#include <math.h>
#include <string.h>

enum {
    LABEL_WIDTH = 20,
    COLUMN_WIDTH = 9,
    COLUMNS = 6, /* side by side: LABEL_WIDTH + 6 * (1 + COLUMN_WIDTH) = 80 */
};

enum row_kind {
    ROW_ANSWER,
    ROW_COUNT, /* of an iteration */
    ROW_NS,    /* host */
    ROW_TIMES, /* host, times that of a base column */
};

/* A line of a block: a value for each technique. */
struct line {
    const char *label;
    enum row_kind kind;
    uint64_t (*count)(const struct counters *c, unsigned index);
    unsigned index;
    bool when_any; /* left out when 0 everywhere */
    unsigned base; /* ROW_TIMES */
};

/* ---- Counts -------------------------------------------------------------- */

static uint64_t sum(const uint64_t *list, size_t count)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += list[i];
    return total;
}

#define COUNT(name, value)                                                     \
    static uint64_t name(const struct counters *c, unsigned index)             \
    {                                                                          \
        (void)index;                                                           \
        return value;                                                          \
    }

COUNT(count_exits, sum(c->exits, EXIT_COUNT))
COUNT(count_exit, c->exits[index])
COUNT(count_emulated, c->emulated)
COUNT(count_silent, c->silent)
COUNT(count_faults, sum(c->page_faults, FC_COUNT))
COUNT(count_fault, c->page_faults[index])
COUNT(count_tlb_fills, c->tlb_fills)
COUNT(count_cost, trace_model_cost(c).total)

/* ---- One line ------------------------------------------------------------ */

/* Four digits that matter. */
static void number(double value, char *text, size_t size)
{
    int decimals = value < 10 ? 2 : value < 1000 ? 1 : 0;
    if (value < 0.005) /* once in the run, not in each iteration; or less, */
        value = 0;     /* where the empty run had a longer line to print */
    snprintf(text, size, "%.*f", value == floor(value) ? 0 : decimals, value);
}

static void cell(const struct bench *b, unsigned row, unsigned t,
                 const struct line *line, char *text, size_t size)
{
    const struct bench_cell *c = &b->cell[row][t];
    double n = bench_iterations(b, row);
    double base = b->cell[row][line->base].ns;
    snprintf(text, size, "-");
    switch (line->kind) {
    case ROW_ANSWER:
        snprintf(text, size, "%s",
                 c->equal                ? "equal"
                 : c->whole.count.silent ? "LOST"
                                         : "WRONG");
        break;
    case ROW_COUNT:
        if (!b->technique[t].qemu)
            number((double)(int64_t)line->count(&c->loop.count, line->index) /
                       n,
                   text, size);
        break;
    case ROW_NS:
        if (c->ns > 0) /* else too short to measure */
            snprintf(text, size, "%.1f", c->ns);
        break;
    case ROW_TIMES:
        if (base > 0 && c->ns > 0)
            snprintf(text, size, "%.2f", c->ns / base);
        break;
    }
}

static void print_line(const struct bench *b, unsigned row, size_t first,
                       const struct line *line, FILE *out)
{
    char text[COLUMNS][24];
    bool any = !line->when_any;
    size_t n = b->techniques - first;
    n = n < COLUMNS ? n : COLUMNS;
    for (size_t i = 0; i < n; i++) {
        cell(b, row, (unsigned)(first + i), line, text[i], sizeof text[i]);
        any = any || (strcmp(text[i], "0") != 0 && strcmp(text[i], "-") != 0);
    }
    if (!any)
        return;
    fprintf(out, "%-*s", LABEL_WIDTH, line->label);
    for (size_t i = 0; i < n; i++)
        fprintf(out, " %*s", COLUMN_WIDTH, text[i]);
    fputc('\n', out);
}

/* Two lines: the processor's technique, and memory's. */
static void print_head(const struct bench *b, size_t first, FILE *out)
{
    for (int line = 0; line < 2; line++) {
        fprintf(out, "%-*s", LABEL_WIDTH, line ? "" : "per iteration");
        for (size_t i = first; i < b->techniques && i < first + COLUMNS; i++) {
            const struct bench_technique *t = &b->technique[i];
            const char *cpu = t->qemu ? "qemu" : cpu_technique_name(t->cpu);
            const char *mmu = t->qemu              ? "tcg"
                              : t->cpu == CPU_BARE ? "-"
                                                   : t->mmu->name;
            fprintf(out, " %*s", COLUMN_WIDTH, line ? mmu : cpu);
        }
        fputc('\n', out);
    }
}

/* ---- One benchmark ------------------------------------------------------- */

/* A count, left out when it is 0 everywhere. */
static void print_count(const struct bench *b, unsigned row, size_t first,
                        const char *label,
                        uint64_t (*count)(const struct counters *c,
                                          unsigned index),
                        unsigned index, FILE *out)
{
    struct line line = {.label = label,
                        .kind = ROW_COUNT,
                        .count = count,
                        .index = index,
                        .when_any = true};
    print_line(b, row, first, &line, out);
}

static void print_times(const struct bench *b, unsigned row, size_t first,
                        const char *label, unsigned base, FILE *out)
{
    struct line line = {.label = label, .kind = ROW_TIMES, .base = base};
    print_line(b, row, first, &line, out);
}

static void print_counts(const struct bench *b, unsigned row, size_t first,
                         FILE *out)
{
    char label[40];
    print_count(b, row, first, "exits", count_exits, 0, out);
    for (unsigned i = 0; i < EXIT_COUNT; i++) {
        snprintf(label, sizeof label, "  %s",
                 exit_reason_name((enum exit_reason)i));
        print_count(b, row, first, label, count_exit, i, out);
    }
    print_count(b, row, first, "emulated", count_emulated, 0, out);
    print_count(b, row, first, "lost silently", count_silent, 0, out);
    print_count(b, row, first, "page fault exits", count_faults, 0, out);
    for (unsigned i = 0; i < FC_COUNT; i++) {
        snprintf(label, sizeof label, "  %c %s",
                 fault_class_letter((enum fault_class)i),
                 fault_class_name((enum fault_class)i));
        print_count(b, row, first, label, count_fault, i, out);
    }
    print_count(b, row, first, "TLB fills", count_tlb_fills, 0, out);
    print_count(b, row, first, "model cost, cycles", count_cost, 0, out);
}

static void print_published(const struct bench_row *r, FILE *out)
{
    if (r->published[0])
        fprintf(out,
                "Published: native %s cycles, software VMM %s, hardware VMM "
                "%s\n",
                r->published[0], r->published[1], r->published[2]);
}

void bench_print_row(const struct bench *b, unsigned row, FILE *out)
{
    static const struct line result = {.label = "result", .kind = ROW_ANSWER};
    static const struct line ns = {.label = "host ns", .kind = ROW_NS};
    const struct bench_row *r = &bench_rows[row];
    unsigned last = (unsigned)b->techniques - 1;
    fprintf(out, "%s: %s\n", r->name, r->what);
    fprintf(out, "%u iterations; bare: %s\n", bench_iterations(b, row),
            b->cell[row][0].whole.answer);
    for (size_t first = 0; first < b->techniques; first += COLUMNS) {
        print_head(b, first, out);
        print_line(b, row, first, &result, out);
        print_counts(b, row, first, out);
        print_line(b, row, first, &ns, out);
        print_times(b, row, first, "  times bare", 0, out);
        if (b->technique[last].qemu)
            print_times(b, row, first, "  times qemu", last, out);
    }
    print_published(r, out);
    fputc('\n', out);
    fflush(out);
}

/* ---- The summary --------------------------------------------------------- */

double bench_mean(const struct bench *b, unsigned technique, unsigned base)
{
    double logs = 0;
    unsigned n = 0;
    for (unsigned row = 0; row < BENCH_ROWS; row++) {
        double of = b->cell[row][technique].ns, by = b->cell[row][base].ns;
        if (!b->wanted[row] || !bench_rows[row].nano)
            continue;
        if (of <= 0 || by <= 0)
            return 0; /* too short to measure */
        logs += log(of / by);
        n++;
    }
    return n ? exp(logs / n) : 0;
}

static void print_mean(const struct bench *b, size_t first, unsigned base,
                       FILE *out)
{
    fprintf(out, "%-*s", LABEL_WIDTH, "mean of the seven");
    for (size_t i = first; i < b->techniques && i < first + COLUMNS; i++) {
        double mean = bench_mean(b, (unsigned)i, base);
        char text[24] = "-";
        if (mean > 0)
            snprintf(text, sizeof text, "%.2f", mean);
        fprintf(out, " %*s", COLUMN_WIDTH, text);
    }
    fputc('\n', out);
}

static bool all_seven(const struct bench *b)
{
    for (unsigned row = 0; row < BENCH_ROWS; row++)
        if (bench_rows[row].nano && !b->wanted[row])
            return false;
    return true;
}

static void print_ratios(const struct bench *b, unsigned base, FILE *out)
{
    fprintf(out, "Host time, times %s\n", b->technique[base].name);
    for (size_t first = 0; first < b->techniques; first += COLUMNS) {
        print_head(b, first, out);
        for (unsigned row = 0; row < BENCH_ROWS; row++)
            if (b->wanted[row])
                print_times(b, row, first, bench_rows[row].name, base, out);
        if (all_seven(b))
            print_mean(b, first, base, out);
    }
    fputc('\n', out);
}

static void print_all_published(const struct bench *b, FILE *out)
{
    fputs("Published, cycles (Adams & Agesen, ASPLOS 2006; Pentium 4 672, 3.8 "
          "GHz)\n",
          out);
    fprintf(out, "%-*s %*s %*s %*s\n", LABEL_WIDTH, "", COLUMN_WIDTH, "native",
            COLUMN_WIDTH + 5, "software VMM", COLUMN_WIDTH + 5, "hardware VMM");
    for (unsigned row = 0; row < BENCH_ROWS; row++) {
        const struct bench_row *r = &bench_rows[row];
        if (b->wanted[row] && r->nano)
            fprintf(out, "%-*s %*s %*s %*s\n", LABEL_WIDTH, r->name,
                    COLUMN_WIDTH, r->published[0] ? r->published[0] : "-",
                    COLUMN_WIDTH + 5, r->published[1] ? r->published[1] : "-",
                    COLUMN_WIDTH + 5, r->published[2] ? r->published[2] : "-");
    }
    fputs("Theirs are cycles of silicon and ours a software processor's time: "
          "compare\nthe order of the techniques, not the figures.\n",
          out);
}

void bench_print_summary(const struct bench *b, FILE *out)
{
    bool nano = false;
    for (unsigned row = 0; row < BENCH_ROWS; row++)
        nano = nano || (b->wanted[row] && bench_rows[row].nano);
    print_ratios(b, 0, out);
    if (b->technique[b->techniques - 1].qemu)
        print_ratios(b, (unsigned)b->techniques - 1, out);
    if (nano)
        print_all_published(b, out);
}
