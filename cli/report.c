/* SPDX-License-Identifier: MIT */
/* A comparison as one page of HTML: no scripts, nothing from a network, all of
 * it legible in grey, every drawing's numbers in a table. */
#include "cli/compare_rows.h"
#include "cli/report_plots.h"
#include "cli/svg.h"

#include <stdlib.h>
#include <string.h>

enum { CONSOLE_SHOWN = 64 << 10 };

static const char style[] =
    "body{font:15px/1.45 sans-serif;max-width:60em;margin:1.5em auto;"
    "padding:0 1em;color:#111;background:#fff}\n"
    "table{border-collapse:collapse;margin:.6em 0 1.4em;"
    "font-variant-numeric:tabular-nums}\n"
    "th,td{border:1px solid #999;padding:.15em .6em;text-align:right}\n"
    "th[scope=row],caption{text-align:left}th{white-space:nowrap}\n"
    "th[scope=row]{position:sticky;left:0;background:#fff;"
    "background-clip:padding-box}\n"
    "thead th{background:#eee;text-align:center}\n"
    "caption{font-weight:bold;padding:.3em 0}\n"
    "svg{max-width:100%;height:auto}svg[role=img]{min-width:42em}"
    "svg.patterns{position:absolute}\n"
    "svg text{font:12px monospace;fill:#111}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:0 1em;"
    "font-size:.9em}dd{margin:0}\n"
    "pre{background:#f4f4f4;border:1px solid #ccc;padding:.6em;"
    "overflow:auto}\n"
    ".wide{overflow-x:auto}.verdict{border:2px solid #111;padding:.4em .8em}\n"
    "@media print{body{max-width:none;margin:0}pre{white-space:pre-wrap}"
    "table,svg{break-inside:avoid}}\n";

static void put(FILE *out, const char *text)
{
    svg_escape(out, text, strlen(text));
}

/* <tag>text</tag> */
static void element(FILE *out, const char *tag, const char *text)
{
    fprintf(out, "<%s>", tag);
    put(out, text);
    fprintf(out, "</%.*s>\n", (int)strcspn(tag, " "), tag);
}

/* ---- Head and verdict ---------------------------------------------------- */

static void put_head(FILE *out)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
          "<meta charset=\"utf-8\"/>\n"
          "<meta name=\"viewport\" content=\"width=device-width\"/>\n"
          "<title>Umbra: techniques compared</title>\n<style>\n",
          out);
    fputs(style, out);
    fputs("</style>\n</head>\n<body>\n<h1>Techniques compared</h1>\n", out);
    svg_patterns(out);
}

static void put_guest(FILE *out, const struct comparison *c)
{
    fputs("<p>Guest: <code>", out);
    put(out, c->kernel ? c->kernel : "?");
    fputs("</code>, command line: <code>", out);
    put(out, c->append ? c->append : "");
    fputs("</code>. All techniques advanced together to the same points of "
          "virtual time, which counts the guest's work.</p>\n",
          out);
}

/* What the table on standard output says at its end. */
static void put_differences(FILE *out, const struct comparison *c)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&text, &bytes);

    for (size_t i = 0; memory && i < c->count; i++)
        compare_print_differences(c, memory, &c->outcome[i]);
    if (memory && fclose(memory) == 0 && bytes > 0)
        element(out, "pre", text);
    free(text);
}

static void put_verdict(FILE *out, const struct comparison *c)
{
    element(out, "p class=\"verdict\"", compare_verdict(c));
    put_differences(out, c);
}

/* ---- Tables -------------------------------------------------------------- */

static void table_begin(FILE *out, const struct comparison *c,
                        const char *caption)
{
    fputs("<div class=\"wide\"><table>", out);
    element(out, "caption", caption);
    fputs("<thead><tr><td></td>", out);
    for (size_t i = 0; i < c->count; i++)
        element(out, "th scope=\"col\"", c->technique[i].name);
    fputs("</tr></thead>\n<tbody>\n", out);
}

static void table_end(FILE *out)
{
    fputs("</tbody></table></div>\n", out);
}

static void put_results(FILE *out, const struct comparison *c)
{
    table_begin(out, c, "What the guests left behind");
    for (size_t k = 0; k < compare_result_count; k++) {
        fputs("<tr>", out);
        element(out, "th scope=\"row\"", compare_results[k].label);
        for (size_t i = 0; i < c->count; i++) {
            char text[RESULT_TEXT];

            compare_results[k].cell(&c->outcome[i], text, sizeof text);
            element(out, "td", text);
        }
        fputs("</tr>\n", out);
    }
    table_end(out);
}

static void put_row(FILE *out, const struct comparison *c,
                    const struct compare_row *row)
{
    char letter = compare_row_letter(row), label[64], text[ROW_TEXT];

    if (letter)
        snprintf(label, sizeof label, "%c %s", letter, row->name);
    else
        snprintf(label, sizeof label, "%s", row->name);
    fputs("<tr>", out);
    element(out, "th scope=\"row\"", label);
    for (size_t i = 0; i < c->count; i++)
        element(out, "td", compare_row_text(&c->outcome[i], row, text));
    fputs("</tr>\n", out);
}

static void put_short(FILE *out, const struct comparison *c)
{
    table_begin(out, c, "In short");
    for (size_t k = 0; k < compare_short_count; k++) {
        fputs("<tr>", out);
        element(out, "th scope=\"row\"", compare_short[k].label);
        for (size_t i = 0; i < c->count; i++) {
            char text[RESULT_TEXT];

            compare_short[k].cell(c, &c->outcome[i], text);
            element(out, "td", text);
        }
        fputs("</tr>\n", out);
    }
    table_end(out);
    fputs("<dl>\n", out);
    for (size_t k = 0; k < compare_short_count; k++) {
        element(out, "dt", compare_short[k].label);
        element(out, "dd", compare_short[k].meaning);
    }
    fputs("</dl>\n", out);
}

/* Every group is a table; what is 0 everywhere is left out. */
static void put_numbers(FILE *out, const struct comparison *c,
                        const struct compare_rows *rows)
{
    const char *group = NULL;

    for (size_t i = 0; i < rows->count; i++) {
        const struct compare_row *row = &rows->row[i];

        if (compare_row_empty(c, row))
            continue;
        if (!group || strcmp(row->group, group) != 0) {
            if (group)
                table_end(out);
            group = row->group;
            table_begin(out, c, *group ? group : "run");
        }
        put_row(out, c, row);
    }
    if (group)
        table_end(out);
}

/* ---- The page ------------------------------------------------------------ */

typedef void plot_fn(FILE *out, const struct comparison *c);

/* text may have markup. */
static void put_plot(FILE *out, const struct comparison *c, const char *title,
                     const char *text, plot_fn *draw)
{
    element(out, "h2", title);
    fprintf(out, "<p>%s</p>\n<div class=\"wide\">", text);
    draw(out, c);
    fputs("</div>\n", out);
}

static void put_plots(FILE *out, const struct comparison *c)
{
    put_plot(out, c, "Model cost by cause",
             "The counts, times what one of each costs by a fixed model: "
             "arithmetic, not a measurement.",
             report_plot_cost);
    put_plot(out, c, "Page faults by class",
             "Each fault that reached the VMM has one class.",
             report_plot_faults);
    put_plot(out, c, "Page faults after each load of CR3",
             "What a switch of address spaces costs. Without the guest's own "
             "(true) faults, which say nothing about a technique.",
             report_plot_switches);
    put_plot(out, c, "Memory of the VMM's tables",
             "The working set is what the current address space of the guest "
             "has accessed, its kernel included. The scale is one of powers.",
             report_plot_tables);
    put_plot(out, c, "Memory of the VMM's tables, by processes",
             "It grows with the guest's address spaces where tables are kept. "
             "An address space counts when a fault comes in it.",
             report_plot_spaces);
}

static void put_console(FILE *out, const struct outcome *r)
{
    size_t bytes =
        r->console_bytes < CONSOLE_SHOWN ? r->console_bytes : CONSOLE_SHOWN;

    fputs("<h2>The guest's console</h2>\n<details><summary>", out);
    fprintf(out, "%zu bytes, as under ", r->console_bytes);
    put(out, r->technique->name);
    fputs("</summary><pre>", out);
    svg_escape(out, r->console ? r->console : "", bytes);
    fputs(bytes < r->console_bytes ? "\n...</pre></details>\n"
                                   : "</pre></details>\n",
          out);
}

bool report_print(const struct comparison *c, FILE *out)
{
    struct compare_rows rows;
    bool good = compare_rows_build(&rows, c);

    put_head(out);
    put_guest(out, c);
    put_verdict(out, c);
    put_short(out, c);
    put_plots(out, c);
    fputs("<h2>Results</h2>\n", out);
    put_results(out, c);
    fputs("<h2>All numbers</h2>\n<p>The names are those of <code>--stats</code>"
          "; the group kvm has KVM's.</p>\n",
          out);
    put_numbers(out, c, &rows);
    put_console(out, &c->outcome[0]);
    fputs("</body>\n</html>\n", out);
    compare_rows_free(&rows);
    return good;
}
