/* SPDX-License-Identifier: MIT */
/* labs/report_tap.c - results as TAP, version 13: what prove(1) reads.
 *
 * The build is the first test. Text of others stands only inside quotes or
 * behind "# ", never at the start of a line.
 *
 * Reference: testanything.org, "TAP version 13 specification".
 */
#include "labs/catalogue.h"

#include <string.h>

/* A YAML string. The text is printable ASCII. */
static void yaml(FILE *out, const char *key, const char *text)
{
    fprintf(out, "  %s: \"", key);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc(*text == '\n' || *text == '\t' ? ' ' : *text, out);
    }
    fputs("\"\n", out);
}

static void comment(FILE *out, const char *who, const char *text)
{
    while (text && *text) {
        int length = (int)strcspn(text, "\n");
        fprintf(out, "# %s: %.*s\n", who, length, text);
        text += length;
        text += *text == '\n';
    }
}

void report_tap_start(const struct lab_report *r, FILE *out)
{
    bool ok = r->build.status == LAB_PASSED;

    fprintf(out, "TAP version 13\n1..%zu\n", r->count + 1);
    fprintf(out, "# %s, engine %s, seed 0x%llx\n", r->lab->name, r->engine,
            (unsigned long long)r->seed);
    fprintf(out, "%s 1 - build\n", ok ? "ok" : "not ok");
    if (!ok) {
        fputs("  ---\n", out);
        yaml(out, "message", r->build.message);
        yaml(out, "status", lab_status_name(r->build.status));
        fputs("  ...\n", out);
    }
    comment(out, "cc", r->build.output);
    fflush(out);
}

void report_tap_test(const struct lab_report *r, size_t index, FILE *out)
{
    const struct lab_outcome *o = &r->outcomes[index];
    bool ok = o->status == LAB_PASSED || o->status == LAB_SKIPPED;

    fprintf(out, "%s %zu - %s", ok ? "ok" : "not ok", index + 2, o->test->name);
    if (o->status == LAB_SKIPPED)
        fprintf(out, " # SKIP %s", o->message);
    fputc('\n', out);
    if (o->status != LAB_SKIPPED) {
        fputs("  ---\n", out);
        yaml(out, "message", o->message);
        yaml(out, "status", lab_status_name(o->status));
        fprintf(out, "  points: %u\n  max_points: %u\n  questions: %llu\n",
                o->points, o->test->points, (unsigned long long)o->questions);
        for (unsigned i = 0; i < o->fields; i++)
            if (o->field[i].number)
                fprintf(out, "  %s: %s\n", o->field[i].key, o->field[i].value);
            else
                yaml(out, o->field[i].key, o->field[i].value);
        fputs("  ...\n", out);
    }
    comment(out, "printed", o->printed);
    fflush(out);
}

void report_tap_end(const struct lab_report *r, FILE *out)
{
    if (!r->filtered)
        fprintf(out, "# score %u/%u\n", report_score(r), report_max(r));
    if (r->sandbox[0])
        fprintf(out, "# sandbox: %s\n", r->sandbox);
}
