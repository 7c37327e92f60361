/* SPDX-License-Identifier: MIT */
/* labs/report_json.c - results as JSON; README.md says what the keys mean. */
#include "labs/catalogue.h"

#include <jansson.h>
#include <stdlib.h>

#ifndef UMBRA_VERSION
#define UMBRA_VERSION "unknown"
#endif

static json_t *event_json(const struct lab_outcome *o)
{
    json_t *event = json_object();
    for (unsigned i = 0; i < o->fields; i++) {
        const struct lab_field *f = &o->field[i];
        json_object_set_new(event, f->key,
                            f->number ? json_integer(atoll(f->value))
                                      : json_string(f->value));
    }
    return event;
}

static json_t *test_json(const struct lab_outcome *o)
{
    json_t *test =
        json_pack("{s:s, s:s, s:s, s:i, s:i, s:s, s:I}", "name", o->test->name,
                  "title", o->test->title, "status", lab_status_name(o->status),
                  "points", (int)o->points, "max_points", (int)o->test->points,
                  "message", o->message, "questions", (json_int_t)o->questions);
    if (test && o->fields)
        json_object_set_new(test, "event", event_json(o));
    if (test && o->printed && o->printed[0])
        json_object_set_new(test, "output", json_string(o->printed));
    return test;
}

static json_t *whole(const struct lab_report *r)
{
    char seed[24];
    json_t *tests = json_array();

    snprintf(seed, sizeof seed, "0x%llx", (unsigned long long)r->seed);
    for (size_t i = 0; i < r->count; i++)
        json_array_append_new(tests, test_json(&r->outcomes[i]));
    json_t *root = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:{s:s, s:s, s:i, s:s}, "
        "s:o}",
        "schema", "umbra/lab-result/v1", "lab", r->lab->name, "title",
        r->lab->title, "version", UMBRA_VERSION, "engine", r->engine, "seed",
        seed, "sandbox", r->sandbox, "complete", (int)r->complete, "passed",
        (int)report_passed(r), "build", "status",
        lab_status_name(r->build.status), "message", r->build.message,
        "warnings", (int)r->build.warnings, "output",
        r->build.output ? r->build.output : "", "tests", tests);
    if (!root)
        return NULL;
    if (r->filtered)
        return root; /* a part of the tests gives no score */
    json_object_set_new(root, "score", json_integer(report_score(r)));
    json_object_set_new(root, "max_score", json_integer(report_max(r)));
    return root;
}

bool report_json(const void *report, FILE *out)
{
    json_t *root = whole(report);
    bool written = root && json_dumpf(root, out, JSON_INDENT(2)) == 0 &&
                   fputc('\n', out) != EOF;

    json_decref(root);
    return written;
}
