/* SPDX-License-Identifier: MIT */
/* What a comparison came to, as a table for people. */
#include "cli/compare_rows.h"

#include <string.h>

enum { LABEL_WIDTH = 25, COLUMN_WIDTH = 6 };

/* ---- Results ------------------------------------------------------------- */

static void cell_stop(const struct outcome *r, char *text, size_t size)
{
    snprintf(text, size, "%s", compare_stop_name(r));
}

static void cell_status(const struct outcome *r, char *text, size_t size)
{
    snprintf(text, size, "%d", r->status);
}

static void cell_console(const struct outcome *r, char *text, size_t size)
{
    if (r->line)
        snprintf(text, size, "line %zu", r->line);
    else if (r->time_lines)
        snprintf(text, size, "equal (times)");
    else
        snprintf(text, size, "%s", r->limited ? "equal so far" : "equal");
}

static void cell_state(const struct outcome *r, char *text, size_t size)
{
    const struct state_check *s = &r->state;
    const struct divergence *d = &s->first;
    double at = (double)(d->found ? d->cycles : s->equal_cycles) / 1e6;

    switch (s->verdict) {
    case STATE_ALONE: snprintf(text, size, "-"); break;
    case STATE_EQUAL: snprintf(text, size, "%u points", s->points); break;
    case STATE_SHIFTED: snprintf(text, size, "to %.1f M", at); break;
    case STATE_DIFFERS: snprintf(text, size, "DIFFERS"); break;
    }
}

static void cell_disks(const struct outcome *r, char *text, size_t size)
{
    snprintf(text, size, "%s", r->disk_differs ? "DIFFER" : "equal");
}

const struct compare_result compare_results[] = {
    {"ended by", cell_stop},   {"exit status", cell_status},
    {"console", cell_console}, {"state equal", cell_state},
    {"disks", cell_disks},
};
const size_t compare_result_count =
    sizeof compare_results / sizeof *compare_results;

/* ---- Lines --------------------------------------------------------------- */

struct table {
    const struct comparison *c;
    const struct compare_rows *rows;
    FILE *out;
    int width[COMPARE_MAX]; /* of each column */
};

static void put_label(const struct table *t, const char *label)
{
    fprintf(t->out, "%-*s", LABEL_WIDTH, label);
}

static void put_cell(const struct table *t, size_t column, const char *text)
{
    fprintf(t->out, " %*s", t->width[column], text);
}

static void print_head(const struct table *t)
{
    char text[CPU_TEXT > MMU_TEXT ? CPU_TEXT : MMU_TEXT];

    put_label(t, "cpu");
    for (size_t i = 0; i < t->c->count; i++)
        put_cell(t, i, compare_cpu_text(&t->c->technique[i], text));
    fputc('\n', t->out);
    put_label(t, "mmu");
    for (size_t i = 0; i < t->c->count; i++)
        put_cell(t, i, compare_mmu_text(&t->c->technique[i], text));
    fputc('\n', t->out);
}

static void print_results(const struct table *t)
{
    char text[RESULT_TEXT];

    for (size_t k = 0; k < compare_result_count; k++) {
        put_label(t, compare_results[k].label);
        for (size_t i = 0; i < t->c->count; i++) {
            compare_results[k].cell(&t->c->outcome[i], text, sizeof text);
            put_cell(t, i, text);
        }
        fputc('\n', t->out);
    }
}

/* ---- Numbers ------------------------------------------------------------- */

/* KVM's sums of what stands above under a name of its own, and what only a
 * program wants. */
static bool left_out(const struct compare_row *row)
{
    static const char *const names[] = {"hypercalls", "insn_emulation",
                                        "tlb_flush"};

    if (strcmp(row->name, "total") == 0 ||
        strcmp(row->name, "exit_status") == 0 ||
        strcmp(row->group, "interrupts") == 0 ||
        strcmp(row->group, "machine") == 0)
        return true;
    if (strcmp(row->group, "kvm") != 0)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(row->name, names[i]) == 0)
            return true;
    return strncmp(row->name, "pf_", 3) == 0 || strstr(row->name, "exits");
}

static bool has_sum(const char *group)
{
    static const char *const groups[] = {"exits", "page_faults", "interrupts",
                                         "hypercalls", "model_cost"};

    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (strcmp(group, groups[i]) == 0)
            return true;
    return false;
}

static char *group_text(const struct outcome *r, const char *group,
                        char text[ROW_TEXT])
{
    snprintf(text, ROW_TEXT, "%llu",
             (unsigned long long)compare_group_sum(r, group));
    return text;
}

static void print_group(const struct table *t, const char *group)
{
    char text[ROW_TEXT];

    if (!has_sum(group)) {
        fprintf(t->out, "%s\n", group);
        return;
    }
    put_label(t, group);
    for (size_t i = 0; i < t->c->count; i++)
        put_cell(t, i, group_text(&t->c->outcome[i], group, text));
    fputc('\n', t->out);
}

static void print_row(const struct table *t, const struct compare_row *row)
{
    char letter = compare_row_letter(row), label[48], text[ROW_TEXT];

    if (letter)
        snprintf(label, sizeof label, "  %c %s", letter, row->name);
    else
        snprintf(label, sizeof label, "%s%s", *row->group ? "  " : "",
                 row->name);
    put_label(t, label);
    for (size_t i = 0; i < t->c->count; i++)
        put_cell(t, i, compare_row_text(&t->c->outcome[i], row, text));
    fputc('\n', t->out);
}

/* What is 0 everywhere is left out, with its group if nothing else is there. */
static void print_rows(const struct table *t)
{
    const char *group = "";

    for (size_t i = 0; i < t->rows->count; i++) {
        const struct compare_row *row = &t->rows->row[i];
        bool empty = compare_row_empty(t->c, row);

        if (strcmp(row->group, group) != 0 && !empty &&
            (has_sum(row->group) || !left_out(row))) {
            group = row->group;
            print_group(t, group);
        }
        if (!empty && !left_out(row))
            print_row(t, row);
    }
}

static void print_short(const struct table *t)
{
    char text[RESULT_TEXT], label[48];

    fputs("in short\n", t->out);
    for (size_t k = 0; k < compare_short_count; k++) {
        snprintf(label, sizeof label, "  %s", compare_short[k].label);
        put_label(t, label);
        for (size_t i = 0; i < t->c->count; i++) {
            compare_short[k].cell(t->c, &t->c->outcome[i], text);
            put_cell(t, i, text);
        }
        fputc('\n', t->out);
    }
}

/* ---- Widths -------------------------------------------------------------- */

static void widen(int *width, const char *text)
{
    int length = (int)strlen(text);

    if (length > *width)
        *width = length;
}

/* A column is as wide as its widest cell, so that many have room. */
static int column_width(const struct table *t, size_t column)
{
    const struct outcome *r = &t->c->outcome[column];
    char row[ROW_TEXT], result[RESULT_TEXT], cpu[CPU_TEXT], mmu[MMU_TEXT];
    int width = COLUMN_WIDTH;

    widen(&width, compare_cpu_text(r->technique, cpu));
    widen(&width, compare_mmu_text(r->technique, mmu));
    for (size_t k = 0; k < compare_result_count; k++) {
        compare_results[k].cell(r, result, sizeof result);
        widen(&width, result);
    }
    for (size_t k = 0; k < compare_short_count; k++) {
        compare_short[k].cell(t->c, r, result);
        widen(&width, result);
    }
    for (size_t i = 0; i < t->rows->count; i++) {
        const struct compare_row *at = &t->rows->row[i];

        if (left_out(at))
            continue;
        widen(&width, compare_row_text(r, at, row));
        if (has_sum(at->group))
            widen(&width, group_text(r, at->group, row));
    }
    return width;
}

/* ---- The verdict --------------------------------------------------------- */

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

void compare_print_differences(const struct comparison *c, FILE *out,
                               const struct outcome *r)
{
    const char *name = r->technique->name;

    if (r->line)
        fprintf(out, "%s: console line %zu differs\n  %s: %s\n  %s: %s\n", name,
                r->line, c->technique[0].name, r->expected, name, r->found);
    if (*r->printer)
        fprintf(out, "%s: printed by %s\n", name, r->printer);
    print_divergence(c, out, r);
    if (r->disk_differs)
        fprintf(out, "%s: disk %zu differs from byte %llu on\n", name, r->disk,
                (unsigned long long)r->disk_offset);
    if (!r->equal && r->report && *r->report)
        fprintf(out, "%s: %s%s", name, r->report,
                r->report[strlen(r->report) - 1] == '\n' ? "" : "\n");
}

bool compare_print(const struct comparison *c, FILE *out)
{
    struct compare_rows rows;
    struct table t = {.c = c, .rows = &rows, .out = out};
    bool good = compare_rows_build(&rows, c);

    for (size_t i = 0; good && i < c->count; i++)
        t.width[i] = column_width(&t, i);
    if (good) {
        print_head(&t);
        print_results(&t);
        print_rows(&t);
        print_short(&t);
        for (size_t i = 0; i < c->count; i++)
            compare_print_differences(c, out, &c->outcome[i]);
        fprintf(out, "%s\n", compare_verdict(c));
    }
    compare_rows_free(&rows);
    return good;
}
