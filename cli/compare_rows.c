/* SPDX-License-Identifier: MIT */
#include "cli/compare_rows.h"

#include <stdlib.h>
#include <string.h>

/* Where a new row goes: behind the last of its group. */
static size_t place_for(const struct compare_rows *rows, const char *group)
{
    size_t at = rows->count;

    for (size_t i = 0; i < rows->count; i++)
        if (strcmp(rows->row[i].group, group) == 0)
            at = i + 1;
    return at;
}

static bool has_row(const struct compare_rows *rows, const char *group,
                    const char *name)
{
    for (size_t i = 0; i < rows->count; i++)
        if (strcmp(rows->row[i].group, group) == 0 &&
            strcmp(rows->row[i].name, name) == 0)
            return true;
    return false;
}

static bool add_row(struct compare_rows *rows, const char *group,
                    const char *name)
{
    struct compare_row *grown, *row;
    size_t at = place_for(rows, group);

    if (has_row(rows, group, name))
        return true;
    if (rows->count == rows->room) {
        size_t room = rows->room ? 2 * rows->room : 128;

        grown = realloc(rows->row, room * sizeof *grown);
        if (!grown)
            return false;
        rows->row = grown;
        rows->room = room;
    }
    row = &rows->row[at];
    memmove(row + 1, row, (rows->count - at) * sizeof *row);
    rows->count++;
    snprintf(row->group, sizeof row->group, "%s", group);
    snprintf(row->name, sizeof row->name, "%s", name);
    return true;
}

static bool add_numbers(struct compare_rows *rows, const char *group,
                        json_t *object)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        if (json_is_object(value)
                ? !add_numbers(rows, key, value)
                : json_is_number(value) && !add_row(rows, group, key))
            return false;
    }
    return true;
}

bool compare_rows_build(struct compare_rows *rows, const struct comparison *c)
{
    *rows = (struct compare_rows){0};
    for (size_t i = 0; i < c->count; i++)
        if (!add_numbers(rows, "", c->outcome[i].stats))
            return false;
    return true;
}

void compare_rows_free(struct compare_rows *rows)
{
    free(rows->row);
    *rows = (struct compare_rows){0};
}

static const json_t *value_of(const struct outcome *r,
                              const struct compare_row *row)
{
    const json_t *group =
        *row->group ? json_object_get(r->stats, row->group) : r->stats;

    return json_object_get(group, row->name);
}

const char *compare_row_text(const struct outcome *r,
                             const struct compare_row *row, char text[ROW_TEXT])
{
    const json_t *value = value_of(r, row);

    if (json_is_real(value))
        snprintf(text, ROW_TEXT, "%.3f", json_real_value(value));
    else
        snprintf(text, ROW_TEXT, "%lld",
                 (long long)(value ? json_integer_value(value) : 0));
    return text;
}

bool compare_row_empty(const struct comparison *c,
                       const struct compare_row *row)
{
    for (size_t i = 0; i < c->count; i++)
        if (json_number_value(value_of(&c->outcome[i], row)) != 0)
            return false;
    return true;
}

uint64_t compare_group_sum(const struct outcome *r, const char *group)
{
    json_t *object = json_object_get(r->stats, group);
    json_t *total = json_object_get(object, "total"), *value;
    const char *key;
    json_int_t sum = 0;

    if (total)
        return (uint64_t)json_integer_value(total);
    json_object_foreach(object, key, value) sum += json_integer_value(value);
    return (uint64_t)sum;
}

char compare_row_letter(const struct compare_row *row)
{
    for (unsigned i = 0; i < FC_COUNT; i++)
        if (strcmp(row->group, "page_faults") == 0 &&
            strcmp(row->name, fault_class_name((enum fault_class)i)) == 0)
            return fault_class_letter((enum fault_class)i);
    return '\0';
}
