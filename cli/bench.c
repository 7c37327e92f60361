/* SPDX-License-Identifier: MIT */
/* umbra bench: one operation many times, under each technique. */
#include "cli/bench.h"

#include "cli/cli.h"
#include "cli/guest.h"
#include "cli/progress.h"
#include "cli/terminal.h"

#include <errno.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The figures are cycles of a Pentium 4 672 at 3.8 GHz, from the paper's
 * section 6.3; about (~) where its text rounds. */
const struct bench_row bench_rows[BENCH_ROWS] = {
    {"syscall",
     "INT 0x80 at ring 3 and IRET back (the paper: SYSCALL and SYSRET)",
     100000,
     {"242", "~2028", "242"},
     true},
    {"in", "IN from port 0x80", 200000, {"3209", "~214", "15826"}, true},
    {"cr8wr",
     "a write to CR2: 32 bits have no CR8; CR2 too has no effect but its value",
     200000,
     {NULL},
     true},
    {"callret", "CALL and RET at ring 0", 3000000, {"11", "51", "11"}, true},
    {"pgfault",
     "a page fault at ring 0; its handler reads CR2 and skips the access",
     60000,
     {"1093", "3927", "11242"},
     true},
    {"divzero",
     "a divide error at ring 0; its handler skips the division",
     100000,
     {"~889", "~3223", "~1014"},
     true},
    {"ptemod",
     "a write to an entry of a page table in use",
     3000000,
     {"1", "391", "12733"},
     true},
    {"popf", "PUSHF, CLI, POPF", 300000, {NULL}, false},
    {"clisti", "CLI, STI", 300000, {NULL}, false},
    {"iret", "IRET from ring 0 to ring 0", 150000, {NULL}, false},
    {"int3", "INT3 at ring 0 and IRET back", 100000, {NULL}, false},
    {"remap",
     "ptemod, then INVLPG and a read of the page",
     50000,
     {NULL},
     false},
    {"switch",
     "a write to CR3 and 16 pages read, two address spaces in turn",
     20000,
     {NULL},
     false},
    {"process",
     "fork with copy on write, 16 pages read and 4 written at ring 3, exit",
     600,
     {NULL},
     false},
    {"user",
     "one step of arithmetic and memory at ring 3",
     4000000,
     {NULL},
     false},
    {"kernel", "the same at ring 0", 4000000, {NULL}, false},
};

/* ---- Which techniques ---------------------------------------------------- */

static bool add_technique(struct bench *b, const struct run_options *o)
{
    struct bench_technique *t = &b->technique[b->techniques];
    bool bare = o->cpu == CPU_BARE;
    for (size_t i = 0; i < b->techniques; i++)
        if (b->technique[i].cpu == o->cpu &&
            (bare || b->technique[i].mmu == o->mmu))
            return true;
    if (b->techniques == BENCH_TECHNIQUES - 1) {
        cli_error(b->who, "%d techniques at most", BENCH_TECHNIQUES - 1);
        return false;
    }
    b->techniques++;
    *t = (struct bench_technique){.cpu = o->cpu, .mmu = o->mmu};
    snprintf(t->name, sizeof t->name, "%s%s%s", cpu_technique_name(o->cpu),
             bare ? "" : ":", bare ? "" : o->mmu->name);
    return true;
}

/* A technique with each of a list of memory techniques. */
static bool add_cpu(struct bench *b, struct run_options *o, const char *mmus)
{
    char *copy = strdup(mmus), *rest = copy, *word;
    bool good = copy != NULL;
    while (good && (word = strsep(&rest, ","))) {
        good = options_find_mmu(o, word);
        if (o->cpu == CPU_BARE)
            o->mmu_given = false;
        good = good && options_check_pair(o) && add_technique(b, o);
    }
    free(copy);
    return good;
}

/* Those that run a guest as it is: for `pv` it would have to be ported. */
static bool default_cpus(struct bench *b, struct run_options *o,
                         const char *mmus)
{
    o->cpu_given = true;
    for (int t = CPU_BARE + 1; t < CPU_TECHNIQUES; t++) {
        o->cpu = (enum cpu_technique)t;
        if (strcmp(cpu_technique_name(o->cpu), "pv") != 0 &&
            !add_cpu(b, o, mmus))
            return false;
    }
    return true;
}

static bool choose(struct bench *b, const char *cpus, const char *mmus)
{
    struct run_options o = {.who = b->who, .cpu = CPU_BARE, .mmu = &mmu_shadow};
    add_technique(b, &o); /* always: the others are measured by it */
    if (!cpus)
        return default_cpus(b, &o, mmus);
    char *copy = strdup(cpus), *rest = copy, *word;
    bool good = copy != NULL;
    while (good && (word = strsep(&rest, ",")))
        good = options_find_cpu(&o, word) && add_cpu(b, &o, mmus);
    free(copy);
    return good;
}

/* ---- The command line ---------------------------------------------------- */

enum {
    KEY_CPU = 1000,
    KEY_MMU,
    KEY_ITERATIONS,
    KEY_SCALE,
    KEY_VS,
    KEY_JSON,
    KEY_REPEAT,
};

struct parsing {
    struct bench *bench;
    const char *cpus, *mmus;
};

static error_t want(struct bench *b, const char *name)
{
    for (unsigned i = 0; i < BENCH_ROWS; i++)
        if (strcmp(bench_rows[i].name, name) == 0) {
            b->wanted_count += !b->wanted[i];
            b->wanted[i] = true;
            return 0;
        }
    fprintf(stderr, "%s: no benchmark '%s'; there are", b->who, name);
    for (unsigned i = 0; i < BENCH_ROWS; i++)
        fprintf(stderr, "%s %s", i ? "," : "", bench_rows[i].name);
    fputc('\n', stderr);
    return EINVAL;
}

static error_t parse_number(struct bench *b, const char *option,
                            const char *arg, uint64_t max, uint64_t *value)
{
    const struct run_options o = {.who = b->who};
    return options_number(&o, option, arg, 1, max, value) ? 0 : EINVAL;
}

static error_t parse_scale(struct bench *b, const char *arg)
{
    if (options_real(arg, DBL_MIN, 1000, &b->scale))
        return 0;
    cli_error(b->who, "--scale %s: a number above 0, up to 1000, is wanted",
              arg);
    return EINVAL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct parsing *p = state->input;
    struct bench *b = p->bench;
    uint64_t n;
    switch (key) {
    case ARGP_KEY_INIT: state->err_stream = NULL; return 0;
    case ARGP_KEY_ARG: return want(b, arg);
    case KEY_CPU: p->cpus = arg; return 0;
    case KEY_MMU: p->mmus = arg; return 0;
    case KEY_ITERATIONS:
        return parse_number(b, "--iterations", arg, UINT32_MAX, &b->iterations);
    case KEY_SCALE: return parse_scale(b, arg);
    case KEY_JSON: b->json = true; return 0;
    case KEY_REPEAT:
        if (parse_number(b, "--repeat", arg, 1000, &n))
            return EINVAL;
        b->repeats = (unsigned)n;
        return 0;
    case KEY_VS:
        b->vs_qemu = strcmp(arg, "qemu") == 0;
        if (!b->vs_qemu)
            cli_error(b->who, "--vs %s: unknown; qemu is the one there is",
                      arg);
        return b->vs_qemu ? 0 : EINVAL;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- All of it ----------------------------------------------------------- */

/* Wrong, and no lost instruction explains it. */
static bool unexplained(const struct bench *b, unsigned row)
{
    for (size_t i = 0; i < b->techniques; i++) {
        const struct bench_cell *c = &b->cell[row][i];
        if (!c->equal && !c->whole.count.silent)
            return true;
    }
    return strncmp(b->cell[row][0].whole.answer, "checksum ", 9) != 0;
}

static int run_all(struct bench *b)
{
    bool wrong = false;

    progress_begin(b->who);
    for (unsigned row = 0; row < BENCH_ROWS; row++) {
        if (!b->wanted[row])
            continue;
        for (unsigned t = 0; t < b->techniques; t++) {
            progress_say("%s, %s", bench_rows[row].name, b->technique[t].name);
            int status = bench_measure(b, row, t);
            progress_clear();
            if (status != STATUS_OK)
                return status;
        }
        wrong = wrong || unexplained(b, row);
        if (!b->json)
            bench_print_row(b, row, stdout);
    }
    if (!b->json)
        bench_print_summary(b, stdout);
    else if (!bench_print_json(b, stdout))
        return STATUS_INTERNAL;
    return wrong ? STATUS_DIFFERS : STATUS_OK;
}

static int bench(struct bench *b)
{
    void *data;
    if (b->iterations && b->scale != 1) {
        cli_error(b->who, "--iterations and --scale do not go together");
        return STATUS_USAGE;
    }
    if (!guest_kernel(b->who, "@bench", &b->guest, &data))
        return STATUS_USAGE;
    if (!b->wanted_count)
        for (unsigned i = 0; i < BENCH_ROWS; i++)
            b->wanted[i] = true;
    if (b->vs_qemu && bench_qemu_open(b))
        b->technique[b->techniques++] =
            (struct bench_technique){.name = "qemu", .qemu = true};
    signals_catch();
    int status = run_all(b);
    if (b->guest_fd >= 0)
        close(b->guest_fd);
    return status;
}

int cmd_bench(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"cpu", KEY_CPU, "LIST", 0,
         "Processor techniques, separated by commas (all that run a guest as "
         "it is); bare is always there, the others are measured by it",
         0},
        {"mmu", KEY_MMU, "LIST", 0, "Memory techniques, likewise (shadow)", 0},
        {"iterations", KEY_ITERATIONS, "N", 0,
         "Iterations of every benchmark (each has its own number)", 0},
        {"scale", KEY_SCALE, "F", 0, "Times the usual iterations (1)", 0},
        {"repeat", KEY_REPEAT, "N", 0,
         "Measure host time N times and take the smallest (3)", 0},
        {"vs", KEY_VS, "qemu", 0,
         "Another column: the same guest under qemu-system-i386 -accel tcg, if "
         "installed",
         0},
        {"json", KEY_JSON, NULL, 0, "Print JSON", 0},
        {0},
    };
    static const struct argp argp = {
        options,
        parse,
        "[NAME...]",
        "Do one operation many times under each technique.\v"
        "NAME is one of the seven nanobenchmarks of Adams and Agesen (ASPLOS "
        "2006): syscall in cr8wr callret pgfault divzero ptemod; or popf "
        "clisti iret int3 remap switch process user kernel. Without NAME it is "
        "all "
        "of them.\n\nEvents and model cost of an iteration are the same on "
        "every host; ns are CPU time of this one, without what a run of 0 "
        "iterations takes. Published figures are the paper's, on its "
        "hardware.\n\n"
        "Exit status: 1 when a benchmark's result is not bare's and no "
        "silently lost instruction explains it.",
        NULL,
        NULL,
        NULL};
    static struct bench b;
    struct parsing p = {&b, NULL, "shadow"};
    b = (struct bench){.who = "umbra bench",
                       .scale = 1,
                       .repeats = BENCH_REPEATS,
                       .guest_fd = -1};
    if (argp_parse(&argp, argc, argv, 0, NULL, &p) != 0 ||
        !choose(&b, p.cpus, p.mmus))
        return STATUS_USAGE;
    return bench(&b);
}
