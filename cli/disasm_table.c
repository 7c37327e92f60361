/* SPDX-License-Identifier: MIT */
/* A translation as a table of 80 columns, and as JSON. */
#include "cli/disasm.h"

#include "visualizer/view.h"

#include <jansson.h>
#include <string.h>

/* ---- Text ---------------------------------------------------------------- */

enum { ADDRESS = 8, BYTES = 10, TEXT = 21, KIND = 8, CODE = 20 };

struct field {
    const char *text; /* what is still to be printed */
    int width;
};

/* How much of a field fits into a line: to a newline, or the last blank or
 * comma. */
static int fitting(const struct field *c)
{
    int line = (int)strcspn(c->text, "\n");
    if (line <= c->width)
        return line;
    for (int n = c->width; n > c->width / 3; n--)
        if (c->text[n] == ' ' || c->text[n - 1] == ' ' || c->text[n - 1] == ',')
            return n;
    return c->width;
}

/* One row: as many lines as its longest field needs. */
static void print_fields(struct field *field, size_t count, FILE *out)
{
    bool more = true;
    while (more) {
        int column = 0, want = 0;
        more = false;
        for (size_t i = 0; i < count; i++) {
            int n = fitting(&field[i]);
            int shown = n;
            while (shown > 0 && field[i].text[shown - 1] == ' ')
                shown--;
            if (shown > 0) {
                fprintf(out, "%*s%.*s", want - column, "", shown,
                        field[i].text);
                column = want + shown;
            }
            field[i].text += n;
            field[i].text += strspn(field[i].text, " \n");
            more = more || field[i].text[0];
            want += field[i].width + 1;
        }
        fputc('\n', out);
    }
}

static void hex_bytes(const uint8_t *bytes, unsigned count, char *text)
{
    text[0] = '\0';
    for (unsigned i = 0; i < count; i++)
        sprintf(text + 2 * i, "%02x", bytes[i]);
}

static void print_listing_row(const struct listing_row *r, bool head, FILE *out)
{
    char address[12] = "", bytes[40] = "", guest[80] = "", cache[12];
    char code[80], both[180];
    if (head) {
        snprintf(address, sizeof address, "%08x", r->guest);
        hex_bytes(r->guest_bytes, r->guest_length, bytes);
        view_short_text(r->guest_text, guest, sizeof guest);
    }
    snprintf(cache, sizeof cache, "%08x", r->cache);
    view_short_text(r->cache_text, code, sizeof code);
    snprintf(both, sizeof both, "%s%s%s", code, r->note[0] ? "\n" : "",
             r->note);
    struct field fields[] = {{address, ADDRESS}, {bytes, BYTES},
                             {guest, TEXT},      {r->kind, KIND},
                             {cache, ADDRESS},   {both, CODE}};
    print_fields(fields, sizeof fields / sizeof fields[0], out);
}

static void print_unit(const struct listing *l, const struct symbols *symbols,
                       FILE *out)
{
    uint32_t offset = 0;
    const struct symbol *s = symbols_find(symbols, l->guest, &offset);
    char place[64] = "";
    if (s && offset)
        snprintf(place, sizeof place, " %.40s+0x%x", s->name, offset);
    else if (s)
        snprintf(place, sizeof place, " %.50s", s->name);
    fprintf(out,
            "unit %08x%s\n  %u instructions, %u bytes -> %zu, %u bytes at "
            "%08x\n",
            l->guest, place, l->instructions, l->guest_bytes, l->rows,
            l->cache_bytes, l->cache);
    fprintf(out, "%-*s %-*s %-*s %-*s %s\n", ADDRESS, "guest", BYTES, "bytes",
            TEXT, "instruction", KIND, "is", "in the cache");
    for (size_t i = 0; i < l->rows; i++)
        print_listing_row(&l->row[i], l->row[i].first, out);
}

void disasm_print(const struct listing *list, size_t count,
                  const struct symbols *symbols, bool reached, FILE *out)
{
    if (!reached)
        fputs("(The guest has not been here: translated for this listing.)\n",
              out);
    for (size_t i = 0; i < count; i++) {
        if (i)
            fputc('\n', out);
        print_unit(&list[i], symbols, out);
    }
}

/* ---- JSON ---------------------------------------------------------------- */

static json_t *row_json(const struct listing_row *r)
{
    char guest[12], cache[12], bytes[40];
    snprintf(guest, sizeof guest, "0x%08x", r->guest);
    snprintf(cache, sizeof cache, "0x%08x", r->cache);
    hex_bytes(r->cache_bytes, r->cache_length, bytes);
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "guest", guest, "kind",
                  r->kind, "cache", cache, "bytes", bytes, "text",
                  r->cache_text, "note", r->note, "open", r->open);
    if (o && r->first) {
        hex_bytes(r->guest_bytes, r->guest_length, bytes);
        json_object_set_new(o, "guest_bytes", json_string(bytes));
        json_object_set_new(o, "guest_text", json_string(r->guest_text));
    }
    return o;
}

static json_t *unit_json(const struct listing *l)
{
    char guest[12], cache[12];
    json_t *rows = json_array();
    snprintf(guest, sizeof guest, "0x%08x", l->guest);
    snprintf(cache, sizeof cache, "0x%08x", l->cache);
    for (size_t i = 0; i < l->rows; i++)
        json_array_append_new(rows, row_json(&l->row[i]));
    return json_pack("{s:s, s:I, s:I, s:s, s:I, s:o}", "guest", guest,
                     "guest_bytes", (json_int_t)l->guest_bytes, "instructions",
                     (json_int_t)l->instructions, "cache", cache, "cache_bytes",
                     (json_int_t)l->cache_bytes, "rows", rows);
}

bool disasm_print_json(const struct listing *list, size_t count, bool reached,
                       FILE *out)
{
    json_t *units = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(units, unit_json(&list[i]));
    json_t *root = json_pack("{s:b, s:o}", "reached", reached, "units", units);
    if (!root)
        return false;
    json_dumpf(root, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(root);
    return true;
}
