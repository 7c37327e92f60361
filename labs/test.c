/* SPDX-License-Identifier: MIT */
/* labs/test.c - umbra lab test: build, run each test, report.
 *
 * Each test has a process of the student's code to itself, so that none takes
 * another one down. The verdict is made here, from answers alone.
 */
#include "labs/child.h"
#include "labs/commands.h"
#include "labs/process.h"
#include "labs/sandbox.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILTERS = 16, SEED = 0x5eed, STATUS_SIGNAL = 128 };

struct options {
    const struct lab *lab;
    const char *json;
    char folder[4096];
    bool tap;
    uint64_t seed;
    const char *filter[FILTERS];
    unsigned filters;
};

/* ---- Options ------------------------------------------------------------- */

static bool add_filter(struct options *o, const char *name)
{
    if (o->filters == FILTERS) {
        lab_complain("-t: %d at most", FILTERS);
        return false;
    }
    o->filter[o->filters++] = name;
    return true;
}

static bool parse_one(struct options *o, int key, char **argv)
{
    char *end;
    switch (key) {
    case 't': return add_filter(o, optarg);
    case 'T': o->tap = true; return true;
    case 'J':
        o->json = optarg;
        if (!*optarg)
            lab_complain("--json: the file's name is missing");
        return *optarg;
    case 'L': return (o->lab = lab_named(optarg)) != NULL;
    case 'S':
        errno = 0;
        o->seed = strtoull(optarg, &end, 0);
        if (!errno && *optarg >= '0' && *optarg <= '9' && !*end)
            return true;
        lab_complain("--seed %s: an integer is wanted", optarg);
        return false;
    default:
        lab_complain("test: unknown option '%s', or one without its value "
                     "(umbra lab --help)",
                     argv[optind - 1]);
        return false;
    }
}

static bool wanted(const struct options *o, const struct lab_test *test)
{
    for (unsigned i = 0; i < o->filters; i++)
        if (strncmp(test->name, o->filter[i], strlen(o->filter[i])) == 0)
            return true;
    return o->filters == 0;
}

/* The lab's file stands for its folder: prove(1) wants files. */
static bool set_folder(struct options *o, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    int length = (int)strlen(path);

    for (size_t i = 0; i < lab_count; i++)
        if (strcmp(name, lab_all[i]->file) == 0)
            length = (int)(name - path);
    if (length >= (int)sizeof o->folder) {
        lab_complain("%.40s...: %s", path, strerror(ENAMETOOLONG));
        return false;
    }
    snprintf(o->folder, sizeof o->folder, "%.*s", length, path);
    if (!length)
        strcpy(o->folder, ".");
    return true;
}

static bool check(struct options *o)
{
    const struct lab *there = lab_in_folder(o->folder);
    if (!o->lab)
        o->lab = there;
    if (!o->lab) {
        lab_complain("%s: no lab's file is here (umbra lab start)", o->folder);
        return false;
    }
    if (o->lab != there) {
        lab_complain("%s: there is no %s here", o->folder, o->lab->file);
        return false;
    }
    for (unsigned i = 0; i < o->filters; i++) {
        struct options one = {.filter = {o->filter[i]}, .filters = 1};
        bool any = false;
        for (size_t j = 0; j < o->lab->test_count; j++)
            any |= wanted(&one, &o->lab->tests[j]);
        if (!any) {
            lab_complain("%s has no test '%s'", o->lab->name, o->filter[i]);
            return false;
        }
    }
    if (o->tap && o->json && strcmp(o->json, "-") == 0) {
        lab_complain("--tap and --json - cannot both have standard output");
        return false;
    }
    return true;
}

static bool parse(struct options *o, int argc, char **argv)
{
    static const struct option names[] = {
        {"test", required_argument, NULL, 't'},
        {"tap", no_argument, NULL, 'T'},
        {"json", required_argument, NULL, 'J'},
        {"lab", required_argument, NULL, 'L'},
        {"seed", required_argument, NULL, 'S'},
        {0},
    };
    int key;

    *o = (struct options){.seed = SEED};
    opterr = 0;
    optind = 1;
    while ((key = getopt_long(argc, argv, "t:", names, NULL)) != -1)
        if (!parse_one(o, key, argv))
            return false;
    if (argc > optind + 1) {
        lab_complain("test takes one folder");
        return false;
    }
    return set_folder(o, optind < argc ? argv[optind] : ".") && check(o);
}

/* ---- Output -------------------------------------------------------------- */

static bool silent(const struct options *o)
{
    return o->json && strcmp(o->json, "-") == 0;
}

/* Who reads a FIFO or a terminal wants one result, not one after each test. */
static bool is_stream(const char *path)
{
    struct stat info;

    return strcmp(path, "-") == 0 ||
           (stat(path, &info) == 0 && !S_ISREG(info.st_mode) &&
            !S_ISDIR(info.st_mode));
}

/* Into a file after every test, so that it is whole whatever happens next. */
static bool save(const struct options *o, const struct lab_host *host,
                 const struct lab_report *r, bool end)
{
    int error;

    if (!o->json || (is_stream(o->json) && !end))
        return true;
    if (silent(o))
        error = report_json(r, stdout) ? 0 : EIO;
    else
        error = host->replace(o->json, report_json, r);
    if (error)
        lab_complain("%s: %s", o->json, strerror(error));
    return error == 0;
}

static void show_start(const struct options *o, const struct lab_report *r)
{
    if (o->tap)
        report_tap_start(r, stdout);
    else if (!silent(o))
        report_text_start(r, stdout);
    fflush(stdout);
}

static void show_test(const struct options *o, const struct lab_report *r,
                      size_t i)
{
    if (o->tap)
        report_tap_test(r, i, stdout);
    else if (!silent(o))
        report_text_test(r, i, stdout);
    fflush(stdout);
}

static void show_end(const struct options *o, const struct lab_report *r)
{
    if (o->tap)
        report_tap_end(r, stdout);
    else if (!silent(o))
        report_text_end(r, stdout);
}

/* ---- Running ------------------------------------------------------------- */

static void run_one(const struct lab_host *host, const struct build *b,
                    struct lab_report *r, struct lab_outcome *outcome)
{
    struct child child;
    const struct lab_run run = {host, &child, r->seed};

    if (child_start(&child, b))
        outcome->test->run(&run, outcome->test, outcome);
    if (child.hello[1])
        sandbox_describe(child.hello, r->sandbox, sizeof r->sandbox);
    if (child.end != LAB_PASSED) {
        outcome->status = child.end;
        outcome->points = 0;
        lab_say(outcome, "%s", child.message);
    }
    outcome->questions = child.questions;
    child_stop(&child);
    outcome->printed = child_printed(&child);
}

static bool run_all(const struct options *o, const struct lab_host *host,
                    const struct build *b, struct lab_report *r, bool built)
{
    for (size_t i = 0; i < r->count && !process_interrupted; i++) {
        struct lab_outcome *outcome = &r->outcomes[i];
        if (!wanted(o, outcome->test))
            lab_say(outcome, "not asked for");
        else if (!built)
            lab_say(outcome, "needs the build");
        else
            run_one(host, b, r, outcome);
        r->complete = i + 1 == r->count && !process_interrupted;
        show_test(o, r, i);
        if (!save(o, host, r, false))
            return false;
    }
    return true;
}

static int exit_status(const struct lab_report *r)
{
    if (process_interrupted)
        return STATUS_SIGNAL + SIGINT;
    if (r->build.status == LAB_ERROR)
        return LAB_INTERNAL;
    for (size_t i = 0; i < r->count; i++)
        if (r->outcomes[i].status == LAB_ERROR)
            return LAB_INTERNAL;
    return report_passed(r) ? 0 : LAB_NOT_PASSED;
}

static int test(const struct options *o, const struct lab_host *host,
                struct lab_report *r)
{
    struct build b;
    bool built = build_make(&b, o->folder, r);
    bool saved =
        save(o, host, r, false); /* before there is more than one line */

    if (saved) {
        show_start(o, r);
        saved = run_all(o, host, &b, r, built);
    }
    build_remove(&b);
    if (!saved)
        return LAB_USAGE;
    show_end(o, r);
    return save(o, host, r, true) ? exit_status(r) : LAB_USAGE;
}

int lab_test(int argc, char **argv, const struct lab_host *host)
{
    struct options o;

    if (!parse(&o, argc, argv))
        return LAB_USAGE;
    struct lab_report r = {.lab = o.lab,
                           .engine = host->engine,
                           .seed = o.seed,
                           .filtered = o.filters > 0,
                           .count = o.lab->test_count};
    r.outcomes = calloc(r.count, sizeof *r.outcomes);
    if (!r.outcomes) {
        lab_complain("out of memory");
        return LAB_INTERNAL;
    }
    for (size_t i = 0; i < r.count; i++)
        r.outcomes[i].test = &o.lab->tests[i];
    process_catch_signals();
    int status = test(&o, host, &r);
    for (size_t i = 0; i < r.count; i++)
        free(r.outcomes[i].printed);
    free(r.outcomes);
    free(r.build.output);
    return status;
}
