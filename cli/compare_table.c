/* SPDX-License-Identifier: MIT */
/* What a comparison came to: the verdict, the table, the JSON. */
#include "cli/compare.h"

#include "trace/cost.h"
#include "trace/stats.h"
#include "traps/bt.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { LABEL_WIDTH = 24, COLUMN_WIDTH = 13 };

/* ---- The table
 * ------------------------------------------------------------------ */

typedef void cell_fn(const struct outcome *r, unsigned index, char *text,
                     size_t size);

static void number(uint64_t n, char *text, size_t size)
{
    snprintf(text, size, "%llu", (unsigned long long)n);
}

static uint64_t sum(const uint64_t *list, size_t count)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += list[i];
    return total;
}

#define COUNTER_CELL(name, value)                                              \
    static void name(const struct outcome *r, unsigned index, char *text,      \
                     size_t size)                                              \
    {                                                                          \
        (void)index;                                                           \
        number(value, text, size);                                             \
    }

COUNTER_CELL(cell_exits, sum(r->count.exits, EXIT_COUNT))
COUNTER_CELL(cell_exit, r->count.exits[index])
COUNTER_CELL(cell_faults, sum(r->count.page_faults, FC_COUNT))
COUNTER_CELL(cell_fault, r->count.page_faults[index])
COUNTER_CELL(cell_hypercalls, sum(r->count.hypercalls, HYPERCALLS))
COUNTER_CELL(cell_batched, r->count.multicall_entries)
COUNTER_CELL(cell_updates, r->count.mmu_updates)
COUNTER_CELL(cell_upcalls, r->count.upcalls)
COUNTER_CELL(cell_emulated, r->count.emulated)
COUNTER_CELL(cell_silent, r->count.silent)
COUNTER_CELL(cell_fills, r->count.mmu_fills)
COUNTER_CELL(cell_flushes, r->count.mmu_flushes)
COUNTER_CELL(cell_peak, r->count.mmu_tables_peak * 4)
COUNTER_CELL(cell_traced, r->count.mmu_pte_write)
COUNTER_CELL(cell_cr3, r->count.cr3_writes)
COUNTER_CELL(cell_tlb_fills, r->count.tlb_fills)
COUNTER_CELL(cell_tlb_flushes, r->count.tlb_flushes)
COUNTER_CELL(cell_walks, r->count.walk_references)
COUNTER_CELL(cell_vmm_walks, r->count.vmm_references)
COUNTER_CELL(cell_units, r->count.bt_units)
COUNTER_CELL(cell_unit_insns, r->count.bt_guest_insns)
COUNTER_CELL(cell_unit_bytes, r->count.bt_bytes)
COUNTER_CELL(cell_links, r->count.bt_links)
COUNTER_CELL(cell_rewrites, r->count.bt_rewrites)
COUNTER_CELL(cell_adapted, r->count.bt_adapted)
COUNTER_CELL(cell_cache_flushes, r->count.bt_flushes)
COUNTER_CELL(cell_interrupts, sum(r->count.interrupts, 256))
COUNTER_CELL(cell_cost, trace_model_cost(&r->count).total)
COUNTER_CELL(cell_cycles, r->cycles)

static void cell_stop(const struct outcome *r, unsigned index, char *text,
                      size_t size)
{
    (void)index;
    snprintf(text, size, "%s", compare_stop_name(r));
}

static void cell_status(const struct outcome *r, unsigned index, char *text,
                        size_t size)
{
    (void)index;
    snprintf(text, size, "%d", r->status);
}

static void cell_console(const struct outcome *r, unsigned index, char *text,
                         size_t size)
{
    (void)index;
    if (r->line)
        snprintf(text, size, "line %zu", r->line);
    else if (r->time_lines)
        snprintf(text, size, "equal (times)");
    else
        snprintf(text, size, "%s", r->limited ? "equal so far" : "equal");
}

static void cell_state(const struct outcome *r, unsigned index, char *text,
                       size_t size)
{
    const struct state_check *s = &r->state;
    const struct divergence *d = &s->first;
    double at = (double)(d->found ? d->cycles : s->equal_cycles) / 1e6;

    (void)index;
    switch (s->verdict) {
    case STATE_ALONE: snprintf(text, size, "-"); break;
    case STATE_EQUAL: snprintf(text, size, "%u points", s->points); break;
    case STATE_SHIFTED: snprintf(text, size, "to %.1f M", at); break;
    case STATE_DIFFERS: snprintf(text, size, "DIFFERS"); break;
    }
}

static void cell_disks(const struct outcome *r, unsigned index, char *text,
                       size_t size)
{
    (void)index;
    snprintf(text, size, "%s", r->disk_differs ? "DIFFER" : "equal");
}

static void cell_seconds(const struct outcome *r, unsigned index, char *text,
                         size_t size)
{
    (void)index;
    snprintf(text, size, "%.3f", r->seconds);
}

/* As wide as the longest name. */
static int column_width(const struct comparison *c)
{
    int width = COLUMN_WIDTH;
    for (size_t i = 0; i < c->count; i++) {
        char text[CPU_TEXT];
        int n = (int)strlen(compare_cpu_text(&c->technique[i], text));
        width = n > width ? n : width;
    }
    return width;
}

struct row {
    const char *label;
    cell_fn *cell;
    unsigned index;
    bool when_any; /* left out when it is 0 everywhere */
};

static void print_row(const struct comparison *c, FILE *out,
                      const struct row *row)
{
    char text[COMPARE_MAX][40];
    bool any = !row->when_any;
    for (size_t i = 0; i < c->count; i++) {
        row->cell(&c->outcome[i], row->index, text[i], sizeof text[i]);
        any = any || strcmp(text[i], "0") != 0;
    }
    if (!any)
        return;
    fprintf(out, "%-*s", LABEL_WIDTH, row->label);
    for (size_t i = 0; i < c->count; i++)
        fprintf(out, " %*s", column_width(c), text[i]);
    fputc('\n', out);
}

static void print_rows(const struct comparison *c, FILE *out,
                       const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        print_row(c, out, &rows[i]);
}
#define PRINT_ROWS(c, out, rows)                                               \
    print_rows(c, out, rows, sizeof(rows) / sizeof((rows)[0]))

static void print_ratio(const struct comparison *c, FILE *out)
{
    double base = c->outcome[0].seconds;
    fprintf(out, "%-*s", LABEL_WIDTH, "  times the first");
    for (size_t i = 0; i < c->count; i++)
        fprintf(out, " %*.2f", column_width(c),
                base > 0 ? c->outcome[i].seconds / base : 1.0);
    fputc('\n', out);
}

static void print_head(const struct comparison *c, FILE *out)
{
    fprintf(out, "%-*s", LABEL_WIDTH, "cpu");
    for (size_t i = 0; i < c->count; i++) {
        char text[CPU_TEXT];
        fprintf(out, " %*s", column_width(c),
                compare_cpu_text(&c->technique[i], text));
    }
    fprintf(out, "\n%-*s", LABEL_WIDTH, "mmu");
    for (size_t i = 0; i < c->count; i++) {
        char text[MMU_TEXT];
        fprintf(out, " %*s", column_width(c),
                compare_mmu_text(&c->technique[i], text));
    }
    fputc('\n', out);
}

static void print_classes(const struct comparison *c, FILE *out)
{
    char label[40];
    print_row(c, out, &(struct row){"exits", cell_exits, 0, false});
    for (unsigned i = 0; i < EXIT_COUNT; i++) {
        snprintf(label, sizeof label, "  %s",
                 exit_reason_name((enum exit_reason)i));
        print_row(c, out, &(struct row){label, cell_exit, i, true});
    }
    print_row(c, out, &(struct row){"page faults", cell_faults, 0, false});
    for (unsigned i = 0; i < FC_COUNT; i++) {
        snprintf(label, sizeof label, "  %c %s",
                 fault_class_letter((enum fault_class)i),
                 fault_class_name((enum fault_class)i));
        print_row(c, out, &(struct row){label, cell_fault, i, true});
    }
}

static void print_divergence(const struct comparison *c, FILE *out,
                             const struct outcome *r)
{
    const struct state_check *s = &r->state;
    const struct divergence *d = &s->first;
    const char *mine = r->technique->name;
    const char *peer = c->technique[s->peer].name;

    if (s->verdict != STATE_DIFFERS && s->verdict != STATE_SHIFTED)
        return;
    if (!d->found) {
        fprintf(out,
                "%s: registers or memory differ from %s's between cycle %llu "
                "and %llu\n",
                mine, peer, (unsigned long long)s->equal_cycles,
                (unsigned long long)s->different_cycles);
        return;
    }
    fprintf(out, "%s: %s cycle %llu, %08x%s%s: %s\n", mine,
            d->interrupt ? "an interrupt came elsewhere at"
                         : "first divergence at",
            (unsigned long long)d->cycles, d->eip, *d->place ? " " : "",
            d->place, d->text);
    if (d->interrupt && r->time_lines)
        fprintf(out,
                "  from there on only results are compared with %s's; %zu "
                "lines of the console\n  differ in their numbers (times)\n",
                peer, r->time_lines);
    else if (d->interrupt)
        fprintf(out, "  from there on only results are compared with %s's\n",
                peer);
    else if (d->after.differs)
        fprintf(out, "  %s: %s %08x, %s %08x\n", d->after.what, peer,
                d->after.expected, mine, d->after.found);
    else
        fprintf(out, "  %s or %s ended there\n", peer, mine);
}

static void print_verdict(const struct comparison *c, FILE *out)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct outcome *r = &c->outcome[i];
        if (r->line)
            fprintf(out, "%s: console line %zu differs\n  %s: %s\n  %s: %s\n",
                    r->technique->name, r->line, c->technique[0].name,
                    r->expected, r->technique->name, r->found);
        print_divergence(c, out, r);
        if (r->disk_differs)
            fprintf(out, "%s: disk %zu differs from byte %llu on\n",
                    r->technique->name, r->disk,
                    (unsigned long long)r->disk_offset);
        if (!r->equal && r->report && *r->report)
            fprintf(out, "%s: %s%s", r->technique->name, r->report,
                    r->report[strlen(r->report) - 1] == '\n' ? "" : "\n");
    }
    fprintf(out, "%s\n",
            !c->equal    ? "The guest's results DIFFER."
            : c->limited ? "The guest's results are equal as far as they go "
                           "(a limit was reached)."
                         : "The guest's results are equal.");
}

void compare_print(const struct comparison *c, FILE *out)
{
    static const struct row results[] = {
        {"ended by", cell_stop, 0, false},
        {"exit status", cell_status, 0, false},
        {"console", cell_console, 0, false},
        {"state equal", cell_state, 0, false},
        {"disks", cell_disks, 0, false},
    };
    static const struct row counts[] = {
        {"emulated", cell_emulated, 0, false},
        {"lost silently", cell_silent, 0, true},
        {"hypercalls, all", cell_hypercalls, 0, true},
        {"  in multicalls", cell_batched, 0, true},
        {"  PTEs updated", cell_updates, 0, true},
        {"event upcalls", cell_upcalls, 0, true},
        {"interrupts", cell_interrupts, 0, false},
        {"guest CR3 writes", cell_cr3, 0, false},
        {"units translated", cell_units, 0, true},
        {"  guest instructions", cell_unit_insns, 0, true},
        {"  bytes emitted", cell_unit_bytes, 0, true},
        {"  linked later", cell_links, 0, true},
        {"  code rewritten", cell_rewrites, 0, true},
        {"  stores adapted", cell_adapted, 0, true},
        {"  cache flushes", cell_cache_flushes, 0, true},
        {"VMM table fills", cell_fills, 0, true},
        {"VMM table flushes", cell_flushes, 0, true},
        {"VMM tables, peak KiB", cell_peak, 0, true},
        {"traced PTE writes", cell_traced, 0, true},
        {"TLB fills", cell_tlb_fills, 0, false},
        {"TLB flushes", cell_tlb_flushes, 0, false},
        {"walk references", cell_walks, 0, false},
        {"VMM walk references", cell_vmm_walks, 0, true},
        {"model cost, cycles", cell_cost, 0, false},
        {"virtual cycles", cell_cycles, 0, false},
        {"host seconds", cell_seconds, 0, false},
    };
    print_head(c, out);
    PRINT_ROWS(c, out, results);
    print_classes(c, out);
    PRINT_ROWS(c, out, counts);
    print_ratio(c, out);
    print_verdict(c, out);
}

/* ---- JSON
 * ------------------------------------------------------------------------ */

static json_t *outcome_json(const struct outcome *r)
{
    const struct technique *t = r->technique;
    struct stats_run run = {
        .cpu = cpu_technique_name(t->cpu),
        .mmu = t->cpu == CPU_BARE ? NULL : t->mmu->name,
        .virtual_cycles = r->cycles,
        .host_seconds = r->seconds,
        .exit_status = r->status,
    };
    char *text = stats_text(&run, &r->count);
    json_t *stats = text ? json_loads(text, 0, NULL) : NULL;
    char hash[3][20];
    free(text);
    snprintf(hash[0], sizeof hash[0], "%016llx",
             (unsigned long long)XXH3_64bits(r->console, r->console_bytes));
    snprintf(hash[1], sizeof hash[1], "%016llx",
             (unsigned long long)r->memory_digest);
    snprintf(hash[2], sizeof hash[2], "%016llx",
             (unsigned long long)r->state_digest);
    json_t *o = json_pack(
        "{s:s, s:s, s:b, s:b, s:i, s:I, s:s, s:s, s:s, s:o}", "name", t->name,
        "ended_by", compare_stop_name(r), "equal", r->equal, "what_if_iopl1",
        t->iopl1, "exit_status", r->status, "console_bytes",
        (json_int_t)r->console_bytes, "console_hash", hash[0], "memory_digest",
        hash[1], "state_digest", hash[2], "stats", stats);
    if (o && r->line)
        json_object_set_new(o, "first_difference",
                            json_pack("{s:I, s:s, s:s}", "line",
                                      (json_int_t)r->line, "expected",
                                      r->expected, "found", r->found));
    return o;
}

bool compare_print_json(const struct comparison *c, FILE *out)
{
    json_t *list = json_array();
    for (size_t i = 0; i < c->count; i++)
        json_array_append_new(list, outcome_json(&c->outcome[i]));
    json_t *root = json_pack("{s:b, s:b, s:o}", "equal", c->equal, "limited",
                             c->limited, "techniques", list);
    if (!root)
        return false;
    json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    fputc('\n', out);
    json_decref(root);
    return true;
}
