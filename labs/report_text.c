/* SPDX-License-Identifier: MIT */
/* labs/report_text.c - results for people. */
#include "labs/catalogue.h"

#include <string.h>

enum { NAME_WIDTH = 22, QUOTED_LINES = 16 };

/* "  name ....... status   " */
static void head(FILE *out, const char *name, const char *status)
{
    int dots = NAME_WIDTH - (int)strlen(name);
    fprintf(out, "  %s ", name);
    while (dots-- > 0)
        fputc('.', out);
    fprintf(out, " %-10s", status);
}

/* Somebody else's text, each line behind a bar so that none passes for ours. */
static void quote(FILE *out, const char *who, const char *text)
{
    for (int lines = 0; text && *text; lines++) {
        if (lines == QUOTED_LINES) {
            fprintf(out, "      %s| (and more)\n", who);
            break;
        }
        int length = (int)strcspn(text, "\n");
        fprintf(out, "      %s| %.*s\n", who, length, text);
        text += length;
        text += *text == '\n';
    }
}

void report_text_start(const struct lab_report *r, FILE *out)
{
    enum lab_status status = r->build.status;
    fprintf(out, "%s: %s   engine %s, seed 0x%llx\n", r->lab->name,
            r->lab->title, r->engine, (unsigned long long)r->seed);
    head(out, "build",
         status == LAB_PASSED   ? "ok"
         : status == LAB_FAILED ? "FAIL"
                                : "ERROR");
    fprintf(out, "%s\n", r->build.message);
    quote(out, "cc ", r->build.output);
}

void report_text_test(const struct lab_report *r, size_t index, FILE *out)
{
    const struct lab_outcome *o = &r->outcomes[index];
    const char *status = lab_status_name(o->status);

    if (o->status == LAB_SKIPPED && r->filtered)
        return;
    head(out, o->test->name,
         o->status == LAB_PASSED   ? "ok"
         : o->status == LAB_FAILED ? "FAIL"
         : o->status == LAB_ERROR  ? "ERROR"
                                   : status);
    fprintf(out, "%2u/%-3u %s\n", o->points, o->test->points, o->message);
    for (unsigned i = 0; i < o->lines; i++)
        fprintf(out, "      %-8s%s\n", o->line[i].label, o->line[i].text);
    quote(out, "your code: ", o->printed);
}

void report_text_end(const struct lab_report *r, FILE *out)
{
    if (r->filtered)
        fputs("no score: not all tests were run\n", out);
    else
        fprintf(out, "score %u/%u\n", report_score(r), report_max(r));
    if (r->sandbox[0])
        fprintf(out, "your code ran behind: %s\n", r->sandbox);
}
