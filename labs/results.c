/* SPDX-License-Identifier: MIT */
#include "labs/results.h"

#include "labs/catalogue.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *const status_names[LAB_STATUSES] = {
    [LAB_SKIPPED] = "skipped",     [LAB_PASSED] = "passed",
    [LAB_FAILED] = "failed",       [LAB_CRASH] = "crash",
    [LAB_TIMEOUT] = "timeout",     [LAB_EXITED] = "exited",
    [LAB_FORBIDDEN] = "forbidden", [LAB_ERROR] = "error",
};

const char *lab_status_name(enum lab_status status)
{
    return (unsigned)status < LAB_STATUSES ? status_names[status] : "?";
}

void lab_say(struct lab_outcome *o, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(o->message, sizeof o->message, format, args);
    va_end(args);
}

void lab_line(struct lab_outcome *o, const char *label, const char *format, ...)
{
    va_list args;
    if (o->lines == LAB_LINES)
        return;
    struct lab_line *line = &o->line[o->lines++];
    line->label = label;
    va_start(args, format);
    vsnprintf(line->text, sizeof line->text, format, args);
    va_end(args);
}

void lab_field(struct lab_outcome *o, const char *key, bool number,
               const char *format, ...)
{
    va_list args;
    if (o->fields == LAB_FIELDS)
        return;
    struct lab_field *field = &o->field[o->fields++];
    field->key = key;
    field->number = number;
    va_start(args, format);
    vsnprintf(field->value, sizeof field->value, format, args);
    va_end(args);
}

unsigned report_score(const struct lab_report *r)
{
    unsigned sum = 0;
    for (size_t i = 0; i < r->count; i++)
        sum += r->outcomes[i].points;
    return sum;
}

unsigned report_max(const struct lab_report *r)
{
    unsigned sum = 0;
    for (size_t i = 0; i < r->count; i++)
        sum += r->outcomes[i].test->points;
    return sum;
}

/* On demand, what was left out does not matter; else nothing may be. */
bool report_passed(const struct lab_report *r)
{
    if (r->build.status != LAB_PASSED || !r->complete)
        return false;
    for (size_t i = 0; i < r->count; i++) {
        enum lab_status status = r->outcomes[i].status;
        if (status != LAB_PASSED && !(r->filtered && status == LAB_SKIPPED))
            return false;
    }
    return true;
}

char *lab_harmless(const char *text, size_t size)
{
    char *out = malloc(size * 4 + 1);
    size_t used = 0;
    if (!out)
        return NULL;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c >= ' ' && c < 0x7F) || c == '\n' || c == '\t')
            out[used++] = (char)c;
        else if (c != '\r')
            used += (size_t)sprintf(out + used, "\\x%02x", c);
    }
    out[used] = '\0';
    return out;
}
