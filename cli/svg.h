/* SPDX-License-Identifier: MIT */
/* cli/svg.h - drawings inside a page of HTML.
 *
 * No scripts, no fonts, nothing from elsewhere. Areas are filled with a colour
 * and a pattern of lines over it, so that they can be told apart in grey, too.
 * Units: pixels, from the upper left corner. Every text is escaped.
 */
#ifndef CLI_SVG_H
#define CLI_SVG_H

#include <stdio.h>

enum { SVG_PATTERNS = 10, SVG_DASHES = 8, SVG_FONT = 12 };

enum svg_anchor { SVG_START, SVG_MIDDLE, SVG_END };

struct svg {
    FILE *out;
    double width, height;
};

/* Text for HTML and SVG, in elements and in quoted attributes. What XML 1.0
 * does not allow becomes U+FFFD; bytes that are not ASCII, too, so that a
 * guest's own encoding does not matter. */
void svg_escape(FILE *out, const char *text, size_t bytes);

/* The patterns that every drawing of a page uses. Once, before the first. */
void svg_patterns(FILE *out);

/* title and description are for those who do not see it. id is unique in the
 * page. */
void svg_begin(struct svg *s, FILE *out, const char *id, double width,
               double height, const char *title, const char *description);
void svg_end(struct svg *s);

/* pattern: below SVG_PATTERNS, the number of a way to fill. tip: shown where
 * the mouse is; may be NULL. */
void svg_area(struct svg *s, double x, double y, double width, double height,
              unsigned pattern, const char *tip);
void svg_text(struct svg *s, double x, double y, enum svg_anchor anchor,
              const char *text);
/* The same on a white ground that covers what is behind it. */
void svg_label(struct svg *s, double x, double y, enum svg_anchor anchor,
               const char *text);
void svg_rule(struct svg *s, double x1, double y1, double x2, double y2);

/* A curve, point by point. dash: below SVG_DASHES. */
void svg_curve_begin(struct svg *s, unsigned dash);
void svg_curve_point(struct svg *s, double x, double y);
void svg_curve_end(struct svg *s);

/* How wide a text is, about: nobody can ask the font. */
double svg_text_width(const char *text);

#endif
