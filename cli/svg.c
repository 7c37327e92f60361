/* SPDX-License-Identifier: MIT */
#include "cli/svg.h"

#include <string.h>

/* ---- Text ---------------------------------------------------------------- */

static const char *entity(unsigned char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default:
        return (c < ' ' && c != '\n' && c != '\t') || c > '~' ? "&#xFFFD;"
                                                              : NULL;
    }
}

void svg_escape(FILE *out, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        const char *escaped = entity((unsigned char)text[i]);

        if (escaped)
            fputs(escaped, out);
        else
            fputc(text[i], out);
    }
}

static void put(FILE *out, const char *text)
{
    svg_escape(out, text, strlen(text));
}

double svg_text_width(const char *text)
{
    return (double)strlen(text) * SVG_FONT * 0.6;
}

/* ---- Patterns ------------------------------------------------------------ */

/* A light ground, and what is drawn over it in a square of 8. */
static const struct {
    const char *ground, *lines;
} patterns[SVG_PATTERNS] = {
    {"#5b7fb5", ""},
    {"#f2d7a6", "M0 8L8 0M-2 2L2 -2M6 10L10 6"},
    {"#cfe5c4", "M0 4H8"},
    {"#ffffff", ""},
    {"#e8c4c4", "M0 0L8 8M6 -2L10 2M-2 6L2 10"},
    {"#d9d2ea", "M4 0V8"},
    {"#303030", ""},
    {"#fff3b8", "M0 4H8M4 0V8"},
    {"#bfe3e6", "M0 8L8 0M0 0L8 8"},
    {"#a8a8a8", ""},
};

void svg_patterns(FILE *out)
{
    fputs("<svg width=\"0\" height=\"0\" aria-hidden=\"true\" "
          "class=\"patterns\"><defs>\n",
          out);
    for (unsigned i = 0; i < SVG_PATTERNS; i++)
        fprintf(out,
                "<pattern id=\"p%u\" width=\"8\" height=\"8\" "
                "patternUnits=\"userSpaceOnUse\"><rect width=\"8\" "
                "height=\"8\" fill=\"%s\"/><path d=\"%s\" stroke=\"#333\" "
                "stroke-width=\"1\"/></pattern>\n",
                i, patterns[i].ground,
                *patterns[i].lines ? patterns[i].lines : "M0 0");
    fputs("</defs></svg>\n", out);
}

/* ---- Drawings ------------------------------------------------------------ */

void svg_begin(struct svg *s, FILE *out, const char *id, double width,
               double height, const char *title, const char *description)
{
    *s = (struct svg){out, width, height};
    fprintf(out,
            "<svg role=\"img\" aria-labelledby=\"%s-t %s-d\" viewBox=\"0 0 "
            "%.0f %.0f\" width=\"%.0f\" height=\"%.0f\">\n<title id=\"%s-t\">",
            id, id, width, height, width, height, id);
    put(out, title);
    fprintf(out, "</title>\n<desc id=\"%s-d\">", id);
    put(out, description);
    fputs("</desc>\n", out);
}

void svg_end(struct svg *s)
{
    fputs("</svg>\n", s->out);
}

void svg_area(struct svg *s, double x, double y, double width, double height,
              unsigned pattern, const char *tip)
{
    fprintf(s->out,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
            "fill=\"url(#p%u)\" stroke=\"#222\" stroke-width=\"0.6\"",
            x, y, width, height, pattern % SVG_PATTERNS);
    if (tip) {
        fputs("><title>", s->out);
        put(s->out, tip);
        fputs("</title></rect>\n", s->out);
    } else {
        fputs("/>\n", s->out);
    }
}

void svg_text(struct svg *s, double x, double y, enum svg_anchor anchor,
              const char *text)
{
    static const char *const anchors[] = {"start", "middle", "end"};

    fprintf(s->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y,
            anchors[anchor]);
    put(s->out, text);
    fputs("</text>\n", s->out);
}

void svg_label(struct svg *s, double x, double y, enum svg_anchor anchor,
               const char *text)
{
    double width = svg_text_width(text) + 4;
    double left = anchor == SVG_START ? x - 2
                  : anchor == SVG_END ? x - width + 2
                                      : x - width / 2;

    fprintf(s->out,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" "
            "fill=\"#fff\"/>\n",
            left, y - SVG_FONT + 1, width, SVG_FONT + 3);
    svg_text(s, x, y, anchor, text);
}

void svg_rule(struct svg *s, double x1, double y1, double x2, double y2)
{
    fprintf(s->out,
            "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
            "stroke=\"#888\" stroke-width=\"0.6\"/>\n",
            x1, y1, x2, y2);
}

void svg_curve_begin(struct svg *s, unsigned dash)
{
    static const char *const dashes[SVG_DASHES] = {
        "none", "8 3", "2 3", "8 3 2 3", "1 2", "12 4", "5 5", "12 3 2 3 2 3",
    };

    fprintf(s->out,
            "<polyline fill=\"none\" stroke=\"#000\" stroke-width=\"1.6\" "
            "stroke-dasharray=\"%s\" points=\"",
            dashes[dash % SVG_DASHES]);
}

void svg_curve_point(struct svg *s, double x, double y)
{
    fprintf(s->out, "%.1f,%.1f ", x, y);
}

void svg_curve_end(struct svg *s)
{
    fputs("\"/>\n", s->out);
}
