/* SPDX-License-Identifier: MIT */
/* Bars of parts, one below the other. */
#include "cli/report_plots.h"

#include "cli/report_axis.h"
#include "cli/svg.h"
#include "trace/cost.h"

#include <string.h>

enum {
    WIDTH = 900,
    TOP = 8,
    BAR = 22,
    BAR_GAP = 8,
    PARTS_MOST = 16,
    LETTER_ROOM = 14, /* a narrower part goes without its letter */
};

/* What a plot is about: parts with a letter each, which stands in the bar. */
struct bars {
    const char *id, *title, *description, *unit;
    size_t parts;
    char letter[PARTS_MOST];
    char name[PARTS_MOST][48];
    uint64_t value[COMPARE_MAX][PARTS_MOST];
};

static uint64_t total_of(const struct bars *b, size_t i)
{
    uint64_t total = 0;

    for (size_t k = 0; k < b->parts; k++)
        total += b->value[i][k];
    return total;
}

static void draw_bar(struct svg *s, const struct bars *b,
                     const struct technique *t, size_t index,
                     const struct axis *x, double y)
{
    double left = x->from;
    char text[96], number[24];

    svg_text(s, x->from - 8, y + BAR - 6, SVG_END, t->name);
    for (size_t k = 0; k < b->parts; k++) {
        double width = axis_at(x, (double)b->value[index][k]) - x->from;

        if (b->value[index][k] == 0)
            continue;
        snprintf(text, sizeof text, "%s: %llu", b->name[k],
                 (unsigned long long)b->value[index][k]);
        svg_area(s, left, y, width, BAR, (unsigned)k, text);
        snprintf(text, sizeof text, "%c", b->letter[k]);
        if (width >= LETTER_ROOM)
            svg_label(s, left + width / 2, y + BAR - 6, SVG_MIDDLE, text);
        left += width;
    }
    axis_number((double)total_of(b, index), number);
    svg_label(s, left + 6, y + BAR - 6, SVG_START, number);
}

/* What occurs, with its letter. */
static void make_legend(struct legend *l, const struct bars *b, size_t count)
{
    for (size_t k = 0; k < b->parts; k++) {
        uint64_t sum = 0;

        for (size_t i = 0; i < count; i++)
            sum += b->value[i][k];
        if (sum)
            legend_add(l, (unsigned)k, b->letter[k], b->name[k]);
    }
}

static void draw(FILE *out, const struct comparison *c, const struct bars *b)
{
    double names = 0, most = 0, bars = (double)c->count * (BAR + BAR_GAP);
    double bottom = TOP + bars;
    struct legend legend = {.left = 10, .right = WIDTH};
    struct svg s;
    struct axis x;

    make_legend(&legend, b, c->count);
    for (size_t i = 0; i < c->count; i++) {
        double width = svg_text_width(c->technique[i].name);
        double total = (double)total_of(b, i);

        names = width > names ? width : names;
        most = total > most ? total : most;
    }
    axis_make(&x, most, names + 18, WIDTH - 80);
    svg_begin(&s, out, b->id, WIDTH, bottom + 44 + legend_height(&legend),
              b->title, b->description);
    axis_draw_below(&x, &s, TOP, bottom, b->unit);
    for (size_t i = 0; i < c->count; i++)
        draw_bar(&s, b, &c->technique[i], i, &x,
                 TOP + (double)i * (BAR + BAR_GAP));
    legend_draw(&legend, &s, bottom + 42);
    svg_end(&s);
}

/* ---- Faults -------------------------------------------------------------- */

void report_plot_faults(FILE *out, const struct comparison *c)
{
    struct bars b = {.id = "faults",
                     .title = "Page faults by class",
                     .description = "A bar for each technique, its parts are "
                                    "the classes of page faults.",
                     .unit = "page faults",
                     .parts = FC_COUNT};

    for (unsigned k = 0; k < FC_COUNT; k++) {
        b.letter[k] = fault_class_letter((enum fault_class)k);
        snprintf(b.name[k], sizeof b.name[k], "%s",
                 fault_class_name((enum fault_class)k));
        for (size_t i = 0; i < c->count; i++)
            b.value[i][k] = c->outcome[i].count.page_faults[k];
    }
    draw(out, c, &b);
}

/* ---- Cost ---------------------------------------------------------------- */

enum { COST_SHOWN = SVG_PATTERNS - 1 }; /* the rest is "other" */

/* The parts by what they cost in all techniques together, the largest first. */
static void sort_parts(const struct model_cost *cost, size_t count,
                       unsigned order[COST_COUNT])
{
    uint64_t sum[COST_COUNT] = {0};

    for (unsigned k = 0; k < COST_COUNT; k++) {
        unsigned at = k;

        for (size_t i = 0; i < count; i++)
            sum[k] += cost[i].part[k];
        for (; at > 0 && sum[order[at - 1]] < sum[k]; at--)
            order[at] = order[at - 1];
        order[at] = k;
    }
}

void report_plot_cost(FILE *out, const struct comparison *c)
{
    struct bars b = {.id = "cost",
                     .title = "Model cost by cause",
                     .description = "A bar for each technique, its parts are "
                                    "what the cycles of the cost model went "
                                    "to.",
                     .unit = "cycles of the model",
                     .parts = COST_SHOWN + 1};
    struct model_cost cost[COMPARE_MAX];
    unsigned order[COST_COUNT];

    for (size_t i = 0; i < c->count; i++)
        cost[i] = trace_model_cost(&c->outcome[i].count);
    sort_parts(cost, c->count, order);
    for (unsigned k = 0; k < COST_COUNT; k++) {
        unsigned part = k < COST_SHOWN ? k : COST_SHOWN;
        const struct cost_row *row = cost_describe((enum cost_part)order[k]);

        b.letter[part] = (char)('a' + part);
        snprintf(b.name[part], sizeof b.name[part], "%s",
                 part == COST_SHOWN ? "other" : row->name);
        for (size_t i = 0; i < c->count; i++)
            b.value[i][part] += cost[i].part[order[k]];
    }
    draw(out, c, &b);
}
