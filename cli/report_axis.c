/* SPDX-License-Identifier: MIT */
#include "cli/report_axis.h"

#include <math.h>

enum { TICKS = 5, LEGEND_LINE = 22, LEGEND_GAP = 40 };

void axis_make(struct axis *a, double most, double from, double to)
{
    double rough = most > 0 ? most / TICKS : 1;
    double power = pow(10, floor(log10(rough)));
    double digit = rough / power;

    a->step = power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
    a->most = a->step * fmax(1, ceil(most / a->step));
    a->from = from;
    a->to = to;
}

double axis_at(const struct axis *a, double value)
{
    return a->from + (a->to - a->from) * value / a->most;
}

void axis_number(double value, char text[24])
{
    if (value >= 1e9)
        snprintf(text, 24, "%.4g G", value / 1e9);
    else if (value >= 1e6)
        snprintf(text, 24, "%.4g M", value / 1e6);
    else if (value >= 1e4)
        snprintf(text, 24, "%.4g k", value / 1e3);
    else
        snprintf(text, 24, "%.4g", value);
}

void axis_draw_below(const struct axis *a, struct svg *s, double top,
                     double bottom, const char *unit)
{
    char text[24];

    for (double v = 0; v <= a->most * 1.0001; v += a->step) {
        double x = axis_at(a, v);

        svg_rule(s, x, top, x, bottom + 4);
        axis_number(v, text);
        svg_text(s, x, bottom + 17, SVG_MIDDLE, text);
    }
    svg_text(s, (a->from + a->to) / 2, bottom + 32, SVG_MIDDLE, unit);
}

void axis_draw_left(const struct axis *a, struct svg *s, double left,
                    double right)
{
    char text[24];

    for (double v = 0; v <= a->most * 1.0001; v += a->step) {
        double y = axis_at(a, v);

        svg_rule(s, left - 4, y, right, y);
        axis_number(v, text);
        svg_text(s, left - 8, y + 4, SVG_END, text);
    }
}

/* ---- Legends ------------------------------------------------------------- */

void legend_add(struct legend *l, unsigned pattern, char letter,
                const char *name)
{
    if (l->count == LEGEND_MOST)
        return;
    l->pattern[l->count] = pattern;
    snprintf(l->text[l->count++], LEGEND_TEXT, "%c %s", letter, name);
}

/* Where entry i stands, behind one at *x. */
static void legend_place(const struct legend *l, unsigned i, double *x,
                         double *y)
{
    double width = svg_text_width(l->text[i]) + LEGEND_GAP;

    if (i > 0)
        *x += svg_text_width(l->text[i - 1]) + LEGEND_GAP;
    if (*x > l->left && *x + width > l->right) {
        *x = l->left;
        *y += LEGEND_LINE;
    }
}

double legend_height(const struct legend *l)
{
    double x = l->left, y = 0;

    for (unsigned i = 0; i < l->count; i++)
        legend_place(l, i, &x, &y);
    return y + LEGEND_LINE;
}

void legend_draw(const struct legend *l, struct svg *s, double y)
{
    double x = l->left;

    for (unsigned i = 0; i < l->count; i++) {
        legend_place(l, i, &x, &y);
        svg_area(s, x, y, 18, 14, l->pattern[i], NULL);
        svg_text(s, x + 23, y + 12, SVG_START, l->text[i]);
    }
}
