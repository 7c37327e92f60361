/* SPDX-License-Identifier: MIT */
/* What a comparison came to, as a table for people. */
#include "cli/compare_rows.h"

#include <string.h>

enum { LABEL_WIDTH = 26, COLUMN_WIDTH = 13 };

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

/* As wide as the longest name. */
static int column_width(const struct comparison *c)
{
    int width = COLUMN_WIDTH;

    for (size_t i = 0; i < c->count; i++) {
        char cpu[CPU_TEXT], mmu[MMU_TEXT];
        int m = (int)strlen(compare_cpu_text(&c->technique[i], cpu));
        int n = (int)strlen(compare_mmu_text(&c->technique[i], mmu));

        width = m > width ? m : width;
        width = n > width ? n : width;
    }
    return width;
}

static void print_head(const struct comparison *c, FILE *out, int width)
{
    char text[CPU_TEXT > MMU_TEXT ? CPU_TEXT : MMU_TEXT];

    fprintf(out, "%-*s", LABEL_WIDTH, "cpu");
    for (size_t i = 0; i < c->count; i++)
        fprintf(out, " %*s", width, compare_cpu_text(&c->technique[i], text));
    fprintf(out, "\n%-*s", LABEL_WIDTH, "mmu");
    for (size_t i = 0; i < c->count; i++)
        fprintf(out, " %*s", width, compare_mmu_text(&c->technique[i], text));
    fputc('\n', out);
}

static void print_results(const struct comparison *c, FILE *out, int width)
{
    char text[RESULT_TEXT];

    for (size_t k = 0; k < compare_result_count; k++) {
        fprintf(out, "%-*s", LABEL_WIDTH, compare_results[k].label);
        for (size_t i = 0; i < c->count; i++) {
            compare_results[k].cell(&c->outcome[i], text, sizeof text);
            fprintf(out, " %*s", width, text);
        }
        fputc('\n', out);
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

static void print_group(const struct comparison *c, FILE *out, int width,
                        const char *group)
{
    if (!has_sum(group)) {
        fprintf(out, "%s\n", group);
        return;
    }
    fprintf(out, "%-*s", LABEL_WIDTH, group);
    for (size_t i = 0; i < c->count; i++)
        fprintf(out, " %*llu", width,
                (unsigned long long)compare_group_sum(&c->outcome[i], group));
    fputc('\n', out);
}

static void print_row(const struct comparison *c, FILE *out, int width,
                      const struct compare_row *row)
{
    char letter = compare_row_letter(row), label[48], text[ROW_TEXT];

    if (letter)
        snprintf(label, sizeof label, "  %c %s", letter, row->name);
    else
        snprintf(label, sizeof label, "%s%s", *row->group ? "  " : "",
                 row->name);
    fprintf(out, "%-*s", LABEL_WIDTH, label);
    for (size_t i = 0; i < c->count; i++)
        fprintf(out, " %*s", width,
                compare_row_text(&c->outcome[i], row, text));
    fputc('\n', out);
}

/* What is 0 everywhere is left out, with its group if nothing else is there. */
static void print_rows(const struct comparison *c, FILE *out, int width,
                       const struct compare_rows *rows)
{
    const char *group = "";

    for (size_t i = 0; i < rows->count; i++) {
        const struct compare_row *row = &rows->row[i];
        bool empty = compare_row_empty(c, row);

        if (strcmp(row->group, group) != 0 && !empty &&
            (has_sum(row->group) || !left_out(row))) {
            group = row->group;
            print_group(c, out, width, group);
        }
        if (!empty && !left_out(row))
            print_row(c, out, width, row);
    }
}

static void print_short(const struct comparison *c, FILE *out, int width)
{
    char text[RESULT_TEXT];

    fputs("in short\n", out);
    for (size_t k = 0; k < compare_short_count; k++) {
        fprintf(out, "  %-*s", LABEL_WIDTH - 2, compare_short[k].label);
        for (size_t i = 0; i < c->count; i++) {
            compare_short[k].cell(c, &c->outcome[i], text);
            fprintf(out, " %*s", width, text);
        }
        fputc('\n', out);
    }
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
    int width = column_width(c);
    bool good = compare_rows_build(&rows, c);

    if (good) {
        print_head(c, out, width);
        print_results(c, out, width);
        print_rows(c, out, width, &rows);
        print_short(c, out, width);
        for (size_t i = 0; i < c->count; i++)
            compare_print_differences(c, out, &c->outcome[i]);
        fprintf(out, "%s\n", compare_verdict(c));
    }
    compare_rows_free(&rows);
    return good;
}
