/* SPDX-License-Identifier: MIT */
/* cli/report_axis.h - from numbers to places, with round numbers at ticks. */
#ifndef CLI_REPORT_AXIS_H
#define CLI_REPORT_AXIS_H

#include "cli/svg.h"

#include <stdbool.h>
#include <stdint.h>

struct axis {
    double most;     /* at `to`; 0 is at `from` */
    double from, to; /* pixels */
    double step;     /* between ticks */
};

/* Numbers from 0 to most, at least. */
void axis_make(struct axis *a, double most, double from, double to);
double axis_at(const struct axis *a, double value);

/* "950", "12.5 k", "3 M". */
void axis_number(double value, char text[24]);

/* Ticks and numbers below a plot, with rules through it; at its left. */
void axis_draw_below(const struct axis *a, struct svg *s, double top,
                     double bottom, const char *unit);
void axis_draw_left(const struct axis *a, struct svg *s, double left,
                    double right);

/* What the patterns stand for, in lines between two edges. */
enum { LEGEND_MOST = 16, LEGEND_TEXT = 64 };
struct legend {
    double left, right;
    unsigned count;
    unsigned pattern[LEGEND_MOST];
    char text[LEGEND_MOST][LEGEND_TEXT];
};
void legend_add(struct legend *l, unsigned pattern, char letter,
                const char *name);
double legend_height(const struct legend *l);
void legend_draw(const struct legend *l, struct svg *s, double y);

#endif
