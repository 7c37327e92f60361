/* SPDX-License-Identifier: MIT */
/* A comparison as CSV (RFC 4180), one number a line: the totals under the names
 * of --stats, the counts at each agreed point, and the faults after each load
 * of CR3. */
#include "cli/compare_rows.h"

#include <string.h>

static void put_text(FILE *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++)
        fprintf(out, *text == '"' ? "\"\"" : "%c", *text);
    fputc('"', out);
}

/* One line. at: cycles, or the number of the load of CR3. */
static void put_line(FILE *out, const struct outcome *r, const char *kind,
                     uint64_t at, const char *key, const char *value)
{
    put_text(out, r->technique->name);
    fprintf(out, ",%s,%llu,", kind, (unsigned long long)at);
    put_text(out, key);
    fputc(',', out);
    put_text(out, value);
    fputc('\n', out);
}

static void put_number(FILE *out, const struct outcome *r, const char *kind,
                       uint64_t at, const char *key, uint64_t number)
{
    char value[24];

    snprintf(value, sizeof value, "%llu", (unsigned long long)number);
    put_line(out, r, kind, at, key, value);
}

static void put_results(FILE *out, const struct outcome *r)
{
    put_line(out, r, "result", r->cycles, "ended_by", compare_stop_name(r));
    put_line(out, r, "result", r->cycles, "equal", r->equal ? "yes" : "no");
    put_line(out, r, "result", r->cycles, "state",
             compare_state_name(r->state.verdict));
}

static void put_totals(FILE *out, const struct outcome *r,
                       const struct compare_rows *rows)
{
    char key[80], value[ROW_TEXT];

    for (size_t i = 0; i < rows->count; i++) {
        const struct compare_row *row = &rows->row[i];

        snprintf(key, sizeof key, "%s%s%s", row->group, *row->group ? "." : "",
                 row->name);
        put_line(out, r, "total", r->cycles, key,
                 compare_row_text(r, row, value));
    }
}

static const char *class_key(unsigned i, char key[40])
{
    snprintf(key, 40, "page_faults.%s", fault_class_name((enum fault_class)i));
    return key;
}

static void put_points(FILE *out, const struct outcome *r)
{
    char key[40];

    for (size_t i = 0; i < r->sample_count; i++) {
        const struct sample *s = &r->samples[i];

        put_number(out, r, "point", s->cycles, "kvm.exits", s->exits);
        for (unsigned k = 0; k < FC_COUNT; k++)
            put_number(out, r, "point", s->cycles, class_key(k, key),
                       s->faults[k]);
        put_number(out, r, "point", s->cycles, "shadow.cr3_writes",
                   s->cr3_writes);
        put_number(out, r, "point", s->cycles, "shadow.tables", s->tables);
        put_number(out, r, "point", s->cycles, "address_spaces", s->spaces);
    }
}

static void put_switches(FILE *out, const struct outcome *r)
{
    const struct switches *s = &r->switches;
    char key[40];

    for (size_t i = 0; i < s->count; i++)
        for (unsigned k = 0; k < FC_COUNT; k++)
            if (s->faults[i][k])
                put_number(out, r, "switch", (uint64_t)i << s->shift,
                           class_key(k, key), s->faults[i][k]);
}

bool compare_print_csv(const struct comparison *c, FILE *out)
{
    struct compare_rows rows;
    bool good = compare_rows_build(&rows, c);

    fputs("technique,kind,at,key,value\n", out);
    for (size_t i = 0; good && i < c->count; i++) {
        put_results(out, &c->outcome[i]);
        put_totals(out, &c->outcome[i], &rows);
        put_points(out, &c->outcome[i]);
        put_switches(out, &c->outcome[i]);
    }
    compare_rows_free(&rows);
    return good;
}
