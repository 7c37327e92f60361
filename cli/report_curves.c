/* SPDX-License-Identifier: MIT */
/* What changes while the guest runs. */
#include "cli/report_plots.h"

#include "cli/report_axis.h"
#include "cli/svg.h"

#include <math.h>
#include <string.h>

enum {
    WIDTH = 900,
    LEFT = 70,
    RIGHT = 20,
    PANEL = 90,
    PANEL_GAP = 30,
    COLUMNS = 64,
    CURVES = 260, /* height */
    NAMES = 220,  /* room for them at the right */
    NAME = 15,    /* height of one */
};

/* ---- Faults after each load of CR3 --------------------------------------- */

/* Averages for one load, of as many loads at a time in every panel. */
struct columns {
    size_t count;
    uint64_t loads; /* that a column stands for */
    double faults[COLUMNS][FC_COUNT];
};

/* Buckets stand for a power of two of loads, so columns do, too. */
static uint64_t loads_in_column(const struct comparison *c)
{
    uint64_t loads = 1;

    for (size_t i = 0; i < c->count; i++) {
        const struct switches *s = &c->outcome[i].switches;

        while (loads < UINT64_C(1) << s->shift ||
               loads * COLUMNS < (uint64_t)s->count << s->shift)
            loads *= 2;
    }
    return loads;
}

static void make_columns(const struct switches *s, uint64_t loads,
                         struct columns *to)
{
    size_t merge = (size_t)(loads >> s->shift);

    *to = (struct columns){.count = (s->count + merge - 1) / merge,
                           .loads = loads};
    for (size_t i = 0; i < s->count; i++)
        for (unsigned k = 0; k < FC_COUNT; k++)
            to->faults[i / merge][k] += (double)s->faults[i][k] / (double)loads;
}

/* The guest's own faults are the same everywhere, and left out. */
static double height_of(const struct columns *c, size_t column)
{
    double sum = 0;

    for (unsigned k = 0; k < FC_COUNT; k++)
        sum += k == FC_TRUE ? 0 : c->faults[column][k];
    return sum;
}

static void draw_columns(struct svg *s, const struct columns *c,
                         const struct axis *x, const struct axis *y)
{
    for (size_t i = 0; i < c->count; i++) {
        double left = axis_at(x, (double)(i * c->loads));
        double right = axis_at(x, (double)((i + 1) * c->loads));
        double base = 0;

        for (unsigned k = 0; k < FC_COUNT; k++) {
            double value = c->faults[i][k], top = axis_at(y, base + value);
            char tip[80];

            if (k == FC_TRUE || value <= 0)
                continue;
            snprintf(tip, sizeof tip, "%c %s, loads from %llu on: %.2f each",
                     fault_class_letter((enum fault_class)k),
                     fault_class_name((enum fault_class)k),
                     (unsigned long long)(i * c->loads), value);
            svg_area(s, left, top, right - left, axis_at(y, base) - top, k,
                     tip);
            base += value;
        }
    }
}

/* The classes that stand in some panel. */
static void make_legend(struct legend *l, const struct comparison *c)
{
    for (unsigned k = 0; k < FC_COUNT; k++) {
        uint64_t sum = 0;

        for (size_t i = 0; i < c->count; i++)
            sum += c->outcome[i].count.page_faults[k];
        if (sum && k != FC_TRUE)
            legend_add(l, k, fault_class_letter((enum fault_class)k),
                       fault_class_name((enum fault_class)k));
    }
}

static bool has_panel(const struct outcome *r)
{
    return r->technique->cpu != CPU_BARE;
}

void report_plot_switches(FILE *out, const struct comparison *c)
{
    static struct columns columns[COMPARE_MAX];
    double most = 0, loads = 0, top = 20;
    size_t panels = 0;
    struct legend legend = {.left = LEFT, .right = WIDTH};
    struct svg s;

    make_legend(&legend, c);
    for (size_t i = 0; i < c->count; i++) {
        make_columns(&c->outcome[i].switches, loads_in_column(c), &columns[i]);
        panels += has_panel(&c->outcome[i]);
        for (size_t k = 0; k < columns[i].count; k++)
            most = fmax(most, height_of(&columns[i], k));
        loads = fmax(loads, (double)(columns[i].count * columns[i].loads));
    }
    svg_begin(
        &s, out, "switches", WIDTH,
        top + (double)panels * (PANEL + PANEL_GAP) + 50,
        "Page faults after each load of CR3",
        "Columns for each technique: page faults of the VMM's own making, "
        "for one load of CR3. True faults are left out.");
    for (size_t i = 0; i < c->count; i++) {
        struct axis x, y;

        if (!has_panel(&c->outcome[i]))
            continue;
        axis_make(&x, loads, LEFT, WIDTH - RIGHT);
        axis_make(&y, most, top + PANEL, top);
        axis_draw_left(&y, &s, LEFT, WIDTH - RIGHT);
        svg_text(&s, LEFT, top - 6, SVG_START, c->technique[i].name);
        draw_columns(&s, &columns[i], &x, &y);
        top += PANEL + PANEL_GAP;
        if (--panels == 0)
            axis_draw_below(&x, &s, top - PANEL_GAP, top - PANEL_GAP,
                            "loads of CR3 so far");
    }
    legend_draw(&legend, &s, top + 26);
    svg_end(&s);
}

/* ---- Memory of tables ---------------------------------------------------- */

/* KiB on a scale of powers of 4, from 4 on. */
static double log_at(double kib, double floor_y, double top, double powers)
{
    double power = kib > 4 ? log2(kib / 4) / 2 : 0;

    return floor_y - (floor_y - top) * power / powers;
}

struct curve {
    const struct outcome *r;
    bool pages; /* the working set */
    unsigned dash;
    const char *name;
    double end; /* where its name would stand */
};

static double kib_of(const struct curve *curve, const struct sample *s)
{
    return 4 * (double)(curve->pages ? s->working_set_pages : s->tables);
}

static double most_kib(const struct curve *curves, size_t count)
{
    double most = 16;

    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < curves[i].r->sample_count; k++)
            most = fmax(most, kib_of(&curves[i], &curves[i].r->samples[k]));
    return most;
}

static void draw_curve(struct svg *s, struct curve *curve, const struct axis *x,
                       double floor_y, double top, double powers)
{
    svg_curve_begin(s, curve->dash);
    for (size_t i = 0; i < curve->r->sample_count; i++) {
        const struct sample *at = &curve->r->samples[i];

        curve->end = log_at(kib_of(curve, at), floor_y, top, powers);
        svg_curve_point(s, axis_at(x, (double)at->cycles / 1e6), curve->end);
    }
    svg_curve_end(s);
}

/* Names in the order of their curves, none over another. */
static void draw_names(struct svg *s, struct curve *curves, size_t count,
                       double x, double top)
{
    bool done[COMPARE_MAX + 1] = {false};
    double y = top;

    for (size_t n = 0; n < count; n++) {
        size_t next = count;

        for (size_t i = 0; i < count; i++)
            if (!done[i] && (next == count || curves[i].end < curves[next].end))
                next = i;
        done[next] = true;
        y = fmax(y, curves[next].end + 4);
        svg_curve_begin(s, curves[next].dash);
        svg_curve_point(s, x + 8, y - 4);
        svg_curve_point(s, x + 46, y - 4);
        svg_curve_end(s);
        svg_text(s, x + 52, y, SVG_START, curves[next].name);
        y += NAME;
    }
}

static size_t make_curves(const struct comparison *c, struct curve *curves)
{
    size_t count = 1;

    curves[0] = (struct curve){&c->outcome[0], true, 0, "working set", 0};
    for (size_t i = 0; i < c->count; i++) {
        if (c->technique[i].cpu == CPU_BARE)
            continue;
        curves[count] = (struct curve){&c->outcome[i], false, (unsigned)count,
                                       c->technique[i].name, 0};
        count++;
    }
    return count;
}

void report_plot_tables(FILE *out, const struct comparison *c)
{
    struct curve curves[COMPARE_MAX + 1];
    size_t count = make_curves(c, curves);
    double powers = ceil(log2(most_kib(curves, count) / 4) / 2);
    double top = 12, floor_y = top + CURVES, right = WIDTH - NAMES, end = 0;
    double names = (double)count * NAME + top;
    struct svg s;
    struct axis x;

    for (size_t i = 0; i < c->count; i++)
        end = fmax(end, (double)c->outcome[i].cycles / 1e6);
    axis_make(&x, end, LEFT, right);
    svg_begin(&s, out, "tables", WIDTH,
              fmax(floor_y + 44, floor_y + names - CURVES + 44),
              "Memory of the VMM's tables over time",
              "A curve for each technique, and one for the pages that the "
              "current address space of the guest has accessed, on a scale of "
              "powers.");
    axis_draw_below(&x, &s, top, floor_y, "virtual time, ms");
    for (double power = 0; power <= powers; power++) {
        double y = floor_y - (floor_y - top) * power / powers;
        char text[32];

        axis_number(4 * pow(4, power), text);
        svg_rule(&s, LEFT - 4, y, right, y);
        strcat(text, power == powers ? " KiB" : "");
        svg_text(&s, LEFT - 8, y + 4, SVG_END, text);
    }
    for (size_t i = 0; i < count; i++)
        draw_curve(&s, &curves[i], &x, floor_y, top, powers);
    draw_names(&s, curves, count, right, top + 8);
    svg_end(&s);
}

/* ---- Memory of tables over processes --------------------------------------
 */

/* Some technique faults in each address space, and all are at the same point of
 * the guest's work. */
static unsigned spaces_at(const struct comparison *c, size_t sample)
{
    unsigned most = 0;

    for (size_t i = 0; i < c->count; i++)
        if (sample < c->outcome[i].sample_count &&
            c->outcome[i].samples[sample].spaces > most)
            most = c->outcome[i].samples[sample].spaces;
    return most;
}

/* The most memory while there were so many. */
static void draw_growth(struct svg *s, const struct comparison *c,
                        struct curve *curve, const struct axis *x,
                        const struct axis *y)
{
    const struct outcome *r = curve->r;
    uint64_t most = 0;

    svg_curve_begin(s, curve->dash);
    for (size_t i = 0; i < r->sample_count; i++) {
        unsigned spaces = spaces_at(c, i);

        most = r->samples[i].tables > most ? r->samples[i].tables : most;
        if (i + 1 < r->sample_count && spaces_at(c, i + 1) == spaces)
            continue;
        curve->end = axis_at(y, 4 * (double)most);
        svg_curve_point(s, axis_at(x, spaces), curve->end);
        most = 0;
    }
    svg_curve_end(s);
}

void report_plot_spaces(FILE *out, const struct comparison *c)
{
    struct curve curves[COMPARE_MAX + 1];
    size_t count = make_curves(c, curves);
    double top = 20, floor_y = top + CURVES, right = WIDTH - NAMES;
    double most = 0, spaces = 0;
    struct axis x, y;
    struct svg s;

    for (size_t i = 0; i < c->count; i++)
        for (size_t k = 0; k < c->outcome[i].sample_count; k++) {
            most = fmax(most, 4 * (double)c->outcome[i].samples[k].tables);
            spaces = fmax(spaces, spaces_at(c, k));
        }
    axis_make(&x, spaces, LEFT, right);
    axis_make(&y, most, floor_y, top);
    svg_begin(&s, out, "spaces", WIDTH, floor_y + 44,
              "Memory of the VMM's tables over address spaces",
              "A curve for each technique: the most memory of its tables while "
              "the guest had used so many address spaces.");
    axis_draw_below(&x, &s, top, floor_y, "address spaces used so far");
    axis_draw_left(&y, &s, LEFT, right);
    svg_text(&s, LEFT - 8, top - 8, SVG_END, "KiB");
    for (size_t i = 1; i < count; i++)
        draw_growth(&s, c, &curves[i], &x, &y);
    draw_names(&s, curves + 1, count - 1, right, top + 8);
    svg_end(&s);
}
