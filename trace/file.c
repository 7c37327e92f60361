/* SPDX-License-Identifier: MIT */
/* trace/file.c - the stream as a file: JSON lines or CSV.
 *
 * A traced run writes millions of lines, so lines are put together by hand in
 * one big buffer. The first write error is kept and nothing is written after
 * it: a trace with a hole in the middle would be worse than a short one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "trace/trace.h"

enum {
    BUFFER_BYTES = 1 << 20,
    LINE_MAX_BYTES = 4096, /* no line is longer: texts are short and static */
    TEXT_MAX_BYTES = 512,
    COLUMNS_MAX = EV_COUNT * EVENT_ARGS,
};

struct trace_file {
    struct trace *trace;
    struct trace_sink sink;
    FILE *out;
    int error; /* the first errno */
    size_t used;
    /* CSV: a column for each field name, in order of first appearance, and
     * for each kind of event the column of each of its args. */
    unsigned columns;
    const char *column[COLUMNS_MAX];
    enum field_format format[COLUMNS_MAX];
    uint8_t column_of[EV_COUNT][EVENT_ARGS];
    char buffer[BUFFER_BYTES];
};

static void file_flush(struct trace_file *f)
{
    if (!f->error && f->used) {
        errno = 0;
        if (fwrite(f->buffer, 1, f->used, f->out) != f->used ||
            fflush(f->out) != 0)
            f->error = errno ? errno : EIO;
    }
    f->used = 0;
}

static void put_char(struct trace_file *f, char c)
{
    f->buffer[f->used++] = c;
}

static void put_string(struct trace_file *f, const char *s)
{
    size_t length = strlen(s);

    if (length > TEXT_MAX_BYTES)
        length = TEXT_MAX_BYTES;
    memcpy(f->buffer + f->used, s, length);
    f->used += length;
}

static void put_decimal(struct trace_file *f, uint64_t value)
{
    char digits[20];
    unsigned n = 0;

    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    while (n)
        put_char(f, digits[--n]);
}

static void put_hex(struct trace_file *f, uint64_t value)
{
    put_string(f, "0x");
    for (int shift = 4 * entry_digits(value) - 4; shift >= 0; shift -= 4)
        put_char(f, "0123456789abcdef"[value >> shift & 15]);
}

/* The class of a fault, the reason of an exit; NULL for other kinds. */
static const char *event_class(const struct event *e)
{
    if (e->kind == EV_FAULT)
        return fault_class_name((enum fault_class)e->cls);
    if (e->kind == EV_EXIT)
        return exit_reason_name((enum exit_reason)e->cls);
    return NULL;
}

static char event_letter(const struct event *e)
{
    if (e->kind == EV_FAULT)
        return fault_class_letter((enum fault_class)e->cls);
    return event_describe((enum event_kind)e->kind)->letter;
}

static void json_string(struct trace_file *f, const char *s)
{
    put_char(f, '"');
    for (unsigned i = 0; s[i] && i < TEXT_MAX_BYTES; i++) {
        if (s[i] == '"' || s[i] == '\\') {
            put_char(f, '\\');
            put_char(f, s[i]);
        } else {
            put_char(f, (unsigned char)s[i] < ' ' ? ' ' : s[i]);
        }
    }
    put_char(f, '"');
}

static void json_key(struct trace_file *f, const char *key)
{
    if (f->buffer[f->used - 1] != '{')
        put_char(f, ',');
    json_string(f, key);
    put_char(f, ':');
}

static void json_hex(struct trace_file *f, const char *key, uint64_t value)
{
    json_key(f, key);
    put_char(f, '"');
    put_hex(f, value);
    put_char(f, '"');
}

static void json_decimal(struct trace_file *f, const char *key, uint64_t value)
{
    json_key(f, key);
    put_decimal(f, value);
}

static void json_event(void *ctx, const struct event *e)
{
    struct trace_file *f = ctx;
    const struct event_description *d =
        event_describe((enum event_kind)e->kind);
    const char letter[2] = {event_letter(e), '\0'};
    const char *cls = event_class(e);

    if (f->error)
        return;
    if (f->used > BUFFER_BYTES - LINE_MAX_BYTES)
        file_flush(f);
    put_char(f, '{');
    json_decimal(f, "seq", e->seq);
    json_decimal(f, "cycles", e->cycles);
    json_decimal(f, "vm", e->vm);
    json_hex(f, "eip", e->eip);
    json_decimal(f, "cpl", e->cpl);
    json_key(f, "event");
    json_string(f, d->name);
    json_key(f, "letter");
    json_string(f, letter);
    if (cls) {
        json_key(f, "class");
        json_string(f, cls);
    }
    for (unsigned i = 0; i < EVENT_ARGS && d->field[i].name; i++) {
        if (d->field[i].format == FIELD_DEC)
            json_decimal(f, d->field[i].name, e->arg[i]);
        else
            json_hex(f, d->field[i].name, event_value(e, i));
    }
    if (e->text) {
        json_key(f, d->text_name ? d->text_name : "text");
        json_string(f, e->text);
    }
    put_string(f, "}\n");
}

/* Text may hold commas and quotes (RFC 4180). */
static void csv_text(struct trace_file *f, const char *s)
{
    if (!strpbrk(s, ",\"\n\r")) {
        put_string(f, s);
        return;
    }
    put_char(f, '"');
    for (unsigned i = 0; s[i] && i < TEXT_MAX_BYTES; i++) {
        if (s[i] == '"')
            put_char(f, '"');
        put_char(f, s[i]);
    }
    put_char(f, '"');
}

static unsigned csv_column(struct trace_file *f, const struct event_field *d)
{
    for (unsigned i = 0; i < f->columns; i++)
        if (strcmp(f->column[i], d->name) == 0)
            return i;
    f->column[f->columns] = d->name;
    f->format[f->columns] = d->format;
    return f->columns++;
}

static void csv_header(struct trace_file *f)
{
    for (unsigned kind = 0; kind < EV_COUNT; kind++) {
        const struct event_description *d =
            event_describe((enum event_kind)kind);

        for (unsigned i = 0; i < EVENT_ARGS && d->field[i].name; i++)
            f->column_of[kind][i] = (uint8_t)csv_column(f, &d->field[i]);
    }
    put_string(f, "seq,cycles,vm,eip,cpl,event,letter,class,text");
    for (unsigned i = 0; i < f->columns; i++) {
        put_char(f, ',');
        put_string(f, f->column[i]);
    }
    put_char(f, '\n');
}

static void csv_fields(struct trace_file *f, const struct event *e)
{
    const struct event_description *d =
        event_describe((enum event_kind)e->kind);
    int arg_of[COLUMNS_MAX];

    for (unsigned c = 0; c < f->columns; c++)
        arg_of[c] = -1;
    if (e->kind < EV_COUNT)
        for (unsigned i = 0; i < EVENT_ARGS && d->field[i].name; i++)
            arg_of[f->column_of[e->kind][i]] = (int)i;
    for (unsigned c = 0; c < f->columns; c++) {
        put_char(f, ',');
        if (arg_of[c] < 0)
            continue;
        if (f->format[c] == FIELD_DEC)
            put_decimal(f, e->arg[arg_of[c]]);
        else
            put_hex(f, event_value(e, (unsigned)arg_of[c]));
    }
}

static void csv_event(void *ctx, const struct event *e)
{
    struct trace_file *f = ctx;
    const char *cls = event_class(e);

    if (f->error)
        return;
    if (f->used > BUFFER_BYTES - LINE_MAX_BYTES)
        file_flush(f);
    put_decimal(f, e->seq);
    put_char(f, ',');
    put_decimal(f, e->cycles);
    put_char(f, ',');
    put_decimal(f, e->vm);
    put_char(f, ',');
    put_hex(f, e->eip);
    put_char(f, ',');
    put_decimal(f, e->cpl);
    put_char(f, ',');
    put_string(f, event_describe((enum event_kind)e->kind)->name);
    put_char(f, ',');
    put_char(f, event_letter(e));
    put_char(f, ',');
    put_string(f, cls ? cls : "");
    put_char(f, ',');
    csv_text(f, e->text ? e->text : "");
    csv_fields(f, e);
    put_char(f, '\n');
}

static bool ends_with(const char *path, const char *ending)
{
    size_t n = strlen(path);
    size_t m = strlen(ending);

    return n > m && strcmp(path + n - m, ending) == 0;
}

struct trace_file *trace_file_open(const char *path, struct trace *t,
                                   const char **error)
{
    bool csv = ends_with(path, ".csv");
    struct trace_file *f;

    if (!csv && !ends_with(path, ".jsonl")) {
        *error = "a trace file's name must end in .jsonl or .csv";
        return NULL;
    }
    f = calloc(1, sizeof *f);
    if (!f) {
        *error = "out of memory";
        return NULL;
    }
    f->out = fopen(path, "we");
    if (!f->out) {
        *error = strerror(errno);
        free(f);
        return NULL;
    }
    setvbuf(f->out, NULL, _IONBF, 0);
    if (csv)
        csv_header(f);
    f->trace = t;
    f->sink.event = csv ? csv_event : json_event;
    f->sink.ctx = f;
    trace_attach(t, &f->sink);
    return f;
}

int trace_file_close(struct trace_file *f)
{
    int error;

    if (!f)
        return 0;
    trace_detach(f->trace, &f->sink);
    file_flush(f);
    if (fclose(f->out) != 0 && !f->error)
        f->error = errno ? errno : EIO;
    error = f->error;
    free(f);
    return error;
}
