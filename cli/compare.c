/* SPDX-License-Identifier: MIT */
/* umbra compare: the same guest under several techniques, in lock step. No
 * input is given to it, so that every run is the same. */
#include "cli/compare.h"

#include "cli/cli.h"
#include "cli/files.h"
#include "cli/outputs.h"
#include "cli/progress.h"
#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_TECHNIQUES = 1000, KEY_JSON, KEY_CSV, KEY_REPORT };

struct compare {
    struct run_options options;
    struct guest guest;
    struct comparison result;
    const char *list; /* NULL: default */
    bool json;
    const char *csv, *report; /* files, "-", or NULL */
};

/* ---- Output -------------------------------------------------------------- */

typedef bool print_fn(const struct comparison *c, FILE *out);

static bool is_standard(const char *path)
{
    return path && strcmp(path, "-") == 0;
}

/* Before the long run: can the files be written, and is standard output for one
 * of them? */
static bool check_outputs(const struct compare *c)
{
    const char *const paths[] = {c->csv, c->report};
    const size_t count = sizeof paths / sizeof *paths;

    if (c->json + is_standard(c->csv) + is_standard(c->report) > 1) {
        options_fail(&c->options, "only one of --json, --csv - and --report - "
                                  "can have standard output");
        return false;
    }
    if (!outputs_are_distinct(&c->options, paths, count))
        return false;
    for (size_t i = 0; i < count; i++) {
        int error = paths[i] && !is_standard(paths[i])
                        ? file_check_replaceable(paths[i])
                        : 0;

        if (error) {
            cli_error(c->options.who, "%s: %s", paths[i], strerror(error));
            return false;
        }
    }
    return true;
}

struct form {
    const struct comparison *comparison;
    print_fn *print;
};

static bool print_form(const void *ctx, FILE *out)
{
    const struct form *f = ctx;

    return f->print(f->comparison, out);
}

/* STATUS_OK, or a line was printed. path NULL or "-": not a file. */
static int write_file(const struct compare *c, const char *path,
                      print_fn *print)
{
    const struct form form = {&c->result, print};
    int error =
        path && !is_standard(path) ? file_replace(path, print_form, &form) : 0;

    if (error)
        cli_error(c->options.who, "%s: %s", path, strerror(error));
    return error ? STATUS_USAGE : STATUS_OK;
}

static int write_all(const struct compare *c)
{
    print_fn *standard = c->json                  ? compare_print_json
                         : is_standard(c->csv)    ? compare_print_csv
                         : is_standard(c->report) ? report_print
                                                  : compare_print;
    int status = standard(&c->result, stdout) ? STATUS_OK : STATUS_INTERNAL;

    if (status == STATUS_OK)
        status = write_file(c, c->csv, compare_print_csv);
    if (status == STATUS_OK)
        status = write_file(c, c->report, report_print);
    return status;
}

/* ---- All of it ----------------------------------------------------------- */

static int verdict(struct compare *c)
{
    struct comparison *r = &c->result;

    compare_find_first(r, &c->guest, &c->options);
    if (cli_signal)
        return STATUS_SIGNAL + cli_signal;
    compare_judge(r);
    if (!compare_measure(r))
        return STATUS_INTERNAL;
    compare_find_printers(r, &c->guest, &c->options);
    progress_clear();
    int status = write_all(c);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < r->count; i++)
        if (r->outcome[i].stop == VM_INTERNAL)
            return STATUS_INTERNAL;
    if (!r->equal)
        return STATUS_DIFFERS;
    return r->limited ? STATUS_LIMIT : STATUS_OK;
}

static int compare_all(struct compare *c)
{
    struct run_options *o = &c->options;
    int status = STATUS_USAGE;

    o->cpu_given = true; /* The list decides; guest_open need not choose. */
    if (!check_outputs(c) || !guest_open(&c->guest, o))
        return status;
    /* Lumen's shell would wait for input for ever; its self-test ends. */
    if (!c->guest.kernel_data && !o->append)
        c->guest.config.append = "test";
    c->result.kernel = c->guest.config.kernel.name;
    c->result.append = c->guest.config.append;
    if (compare_parse_list(&c->result, o,
                           c->list ? c->list
                                   : compare_default_list(&c->guest))) {
        signals_catch();
        progress_begin(o->who);
        status = compare_run(&c->result, &c->guest, o);
        if (status == STATUS_OK)
            status = verdict(c);
        progress_clear();
    }
    compare_free(&c->result);
    guest_close(&c->guest);
    return status;
}

static error_t parse_extra(void *ctx, struct run_options *o, int key, char *arg)
{
    struct compare *c = ctx;
    switch (key) {
    case KEY_TECHNIQUES: c->list = arg; return 0;
    case KEY_JSON: c->json = true; return 0;
    case KEY_CSV: c->csv = arg; break;
    case KEY_REPORT: c->report = arg; break;
    }
    return *arg
               ? 0
               : options_fail(o, "--csv, --report: the file's name is missing");
}

int cmd_compare(int argc, char **argv)
{
    static const struct argp_option extra[] = {
        {"techniques", KEY_TECHNIQUES, "LIST", 0,
         "Which, as in bare,trap:tlb,bt-static:shadow,trap+iopl1:shadow; "
         "bt-chain-ahead is bt without these two (see umbra run "
         "--bt-without), bt:shadow-unsync shadow without this (--mmu-without). "
         "hvm:nested2 has nested tables of two levels. "
         "For pv the built-in lumen is its port; pv+nobatch "
         "is the port without batches of hypercalls. The first one is what the "
         "others are measured by. "
         "Default: bare, and what can run the guest as it is",
         1},
        {"json", KEY_JSON, NULL, 0, "Print JSON", 1},
        {"csv", KEY_CSV, "FILE", 0,
         "Write all numbers, those at each agreed point and after each load of "
         "CR3, too (\"-\": standard output)",
         1},
        {"report", KEY_REPORT, "FILE", 0,
         "Write a page of HTML with tables and plots (\"-\": standard output)",
         1},
        {0},
    };
    static struct compare c;
    const struct options_command command = {
        .who = "umbra compare",
        .doc = "Run the same guest under several techniques, in lock step, "
               "side by "
               "side.\v"
               "The guests get no input, and each its own copy of the disks; "
               "the built-in kernel runs its self-test unless --append says "
               "something else. --max-cycles holds for each of them, "
               "--max-time for all together. Options of umbra run that choose "
               "a technique are parts of its name in LIST; its sizes hold for "
               "all that have such a thing. --serial, --stats, --trace and "
               "their like are not taken: there is one table of all counters, "
               "and --csv.\n\n"
               "All advance to the same virtual times, which count guest "
               "work. Registers, and at every fourth point all of memory, of "
               "the guests that run the same kernel must be equal there; at "
               "the end consoles, exit statuses and disks. The first "
               "instruction whose effect differs is named.\n\n"
               "Exit status: 0 when all is equal, 1 when something differs, "
               "124 when a limit ended a run before. An interrupt that comes "
               "at another instruction makes no difference; from there on "
               "only results are compared.",
        .extra = extra,
        .parse_extra = parse_extra,
        .ctx = &c,
    };
    int status = STATUS_USAGE;
    if (options_parse(&c.options, &command, argc, argv))
        status = compare_all(&c);
    options_free(&c.options);
    return status;
}
