/* SPDX-License-Identifier: MIT */
/* A comparison as JSON. */
#include "cli/compare.h"

#include <xxhash.h>

static json_t *state_json(const struct state_check *s)
{
    json_t *o = json_pack(
        "{s:s, s:I, s:I}", "verdict", compare_state_name(s->verdict), "points",
        (json_int_t)s->points, "memory_points", (json_int_t)s->memory_points);

    for (unsigned i = 0; o && i < EXCUSES; i++)
        json_object_set_new(o, excuse_key((enum excuse)i),
                            json_integer((json_int_t)s->excused[i]));
    if (o && s->first.found)
        json_object_set_new(
            o, "first_divergence",
            json_pack("{s:I, s:I, s:s, s:s, s:s, s:I, s:I, s:b}", "cycles",
                      (json_int_t)s->first.cycles, "eip",
                      (json_int_t)s->first.eip, "place", s->first.place,
                      "instruction", s->first.text, "what", s->first.after.what,
                      "expected", (json_int_t)s->first.after.expected, "found",
                      (json_int_t)s->first.after.found, "interrupt",
                      s->first.interrupt));
    return o;
}

static json_t *outcome_json(const struct outcome *r)
{
    const struct technique *t = r->technique;
    char hash[3][20];
    snprintf(hash[0], sizeof hash[0], "%016llx",
             (unsigned long long)XXH3_64bits(r->console, r->console_bytes));
    snprintf(hash[1], sizeof hash[1], "%016llx",
             (unsigned long long)r->memory_digest);
    snprintf(hash[2], sizeof hash[2], "%016llx",
             (unsigned long long)r->state_digest);
    json_t *o = json_pack(
        "{s:s, s:s, s:b, s:b, s:i, s:I, s:s, s:s, s:s, s:o, s:o}", "name",
        t->name, "ended_by", compare_stop_name(r), "equal", r->equal,
        "what_if_iopl1", t->iopl1, "exit_status", r->status, "console_bytes",
        (json_int_t)r->console_bytes, "console_hash", hash[0], "memory_digest",
        hash[1], "state_digest", hash[2], "stats", json_incref(r->stats),
        "state", state_json(&r->state));
    if (o && r->line)
        json_object_set_new(o, "first_difference",
                            json_pack("{s:I, s:s, s:s}", "line",
                                      (json_int_t)r->line, "expected",
                                      r->expected, "found", r->found));
    return o;
}

bool compare_print_json(const struct comparison *c, FILE *out)
{
    json_t *list = json_array();
    for (size_t i = 0; i < c->count; i++)
        json_array_append_new(list, outcome_json(&c->outcome[i]));
    json_t *root = json_pack("{s:b, s:b, s:o}", "equal", c->equal, "limited",
                             c->limited, "techniques", list);
    if (!root)
        return false;
    json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    fputc('\n', out);
    json_decref(root);
    return true;
}
