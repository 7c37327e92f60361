/* SPDX-License-Identifier: MIT */
/* umbra hole: each sensitive instruction, executed under each technique by a
 * guest that tells what it saw. */
#include "cli/hole.h"

#include "cli/cli.h"
#include "cli/guest.h"
#include "cli/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_CPU = 1000,
    KEY_MMU,
    KEY_JSON,
    MEMORY_BYTES = 16 << 20,
    CYCLES_MOST = 50000000,
};

/* One run. */
struct run {
    struct hole *hole;
    struct hole_answer *answer;
    struct trace_sink sink;
    char line[128];
    size_t used;
};

/* ---- What the guest says, and what the monitor did ----------------------- */

static int find_row(const char *name, size_t length)
{
    for (int i = 0; i < HOLE_ROWS; i++)
        if (strlen(hole_rows[i].name) == length &&
            memcmp(hole_rows[i].name, name, length) == 0)
            return i;
    return -1;
}

/* "hole NAME ANSWER" */
static void take_line(struct run *r)
{
    const char *name = r->line + strlen("hole ");
    size_t length = strcspn(name, " ");
    int row = find_row(name, length);
    if (strncmp(r->line, "hole ", strlen("hole ")) == 0 && row >= 0 &&
        name[length])
        snprintf(r->answer[row].text, HOLE_ANSWER_BYTES, "%s",
                 name + length + 1);
}

static void output(void *ctx, uint8_t byte)
{
    struct run *r = ctx;
    if (byte == '\n') {
        r->line[r->used] = '\0';
        take_line(r);
        r->used = 0;
    } else if (r->used + 1 < sizeof r->line) {
        r->line[r->used++] = (char)byte;
    }
}

/* At try_NAME or try_NAME_1; what ring 3 does (try_NAME_3) may fault on every
 * machine. */
static int row_at(const struct hole *h, uint32_t eip)
{
    const struct symbol *s = symbols_find(h->symbols, eip, NULL);
    if (!s || strncmp(s->name, "try_", 4) != 0 || strstr(s->name, "_3"))
        return -1;
    return find_row(s->name + 4, strcspn(s->name + 4, "_"));
}

/* An exit for the instruction's own sake: not for memory, time or the
 * monitor's. */
static void event(void *ctx, const struct event *e)
{
    static const unsigned others = 1u << EXIT_PAGE_FAULT |
                                   1u << EXIT_INTERRUPT | 1u << EXIT_STEP |
                                   1u << EXIT_TRANSLATE | 1u << EXIT_WINDOW;
    struct run *r = ctx;
    if (e->kind != EV_EXIT || (others >> e->cls & 1))
        return;
    int row = row_at(r->hole, e->eip);
    if (row >= 0)
        r->answer[row].exit = e->cls;
}

/* STATUS_OK, or why there are no answers. */
static int run_one(struct hole *h, size_t index)
{
    struct run r = {.hole = h, .answer = h->answer[index]};
    const char *technique = cpu_technique_name(h->cpu[index]);
    char *error = NULL;
    int status;
    for (int row = 0; row < HOLE_ROWS; row++)
        r.answer[row].exit = EXIT_COUNT;
    struct vm_config config = {.cpu = h->cpu[index],
                               .mmu = h->options.mmu,
                               .memory_bytes = MEMORY_BYTES,
                               .kernel = h->guest,
                               .serial_output = output,
                               .ctx = &r};
    struct vm_limit limit = {.cycles = CYCLES_MOST,
                             .interrupted = &cli_interrupted};
    struct vm *vm = vm_create(&config, &error, &status);
    if (!vm) {
        cli_error(h->who, "%s: %s", technique, error ? error : "out of memory");
        free(error);
        return status;
    }
    r.sink = (struct trace_sink){event, &r, NULL};
    trace_attach(vm_trace(vm), &r.sink);
    status = STATUS_OK;
    if (vm_run(vm, &limit) != VM_DEBUG_EXIT) {
        const char *report = vm_report(vm);
        status = cli_signal ? STATUS_SIGNAL + cli_signal : STATUS_INTERNAL;
        cli_error(h->who, "the guest did not end under %s%s%.*s", technique,
                  *report ? ": " : "", (int)strcspn(report, "\n"), report);
    }
    vm_destroy(vm);
    for (int row = 0; row < HOLE_ROWS; row++)
        r.answer[row].equal =
            strcmp(r.answer[row].text, h->answer[0][row].text) == 0;
    return status;
}

/* ---- The command --------------------------------------------------------- */

static bool add(struct hole *h, enum cpu_technique cpu)
{
    for (size_t i = 0; i < h->techniques; i++)
        if (h->cpu[i] == cpu)
            return true;
    if (h->techniques == HOLE_TECHNIQUES) {
        cli_error(h->who, "%d techniques at most", HOLE_TECHNIQUES);
        return false;
    }
    h->cpu[h->techniques++] = cpu;
    return true;
}

/* Bare first: it is the truth. For `pv` the guest would have to be ported. */
static bool choose(struct hole *h)
{
    bool good = add(h, CPU_BARE);
    if (!h->cpus) {
        for (int t = CPU_BARE + 1; t < CPU_TECHNIQUES && good; t++)
            if (strcmp(cpu_technique_name((enum cpu_technique)t), "pv") != 0)
                good = add(h, (enum cpu_technique)t);
        return good;
    }
    char *copy = strdup(h->cpus), *rest = copy, *word;
    good = copy != NULL;
    while (good && (word = strsep(&rest, ",")))
        good = options_find_cpu(&h->options, word) && add(h, h->options.cpu);
    free(copy);
    return good;
}

/* Only pure trap-and-emulate may differ. */
static int verdict(const struct hole *h)
{
    for (size_t t = 0; t < h->techniques; t++)
        for (int row = 0; row < HOLE_ROWS; row++)
            if (!*h->answer[t][row].text ||
                (!h->answer[t][row].equal && h->cpu[t] != CPU_TRAP))
                return STATUS_DIFFERS;
    return STATUS_OK;
}

static int run_all(struct hole *h)
{
    int status = STATUS_OK;
    for (size_t t = 0; t < h->techniques && status == STATUS_OK; t++)
        status = run_one(h, t);
    if (status != STATUS_OK)
        return status;
    if (!h->json)
        hole_print(h);
    else if (!hole_print_json(h))
        return STATUS_INTERNAL;
    return verdict(h);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct hole *h = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->err_stream = NULL; return 0;
    case KEY_CPU: h->cpus = arg; return 0;
    case KEY_MMU: return options_find_mmu(&h->options, arg) ? 0 : EINVAL;
    case KEY_JSON: h->json = true; return 0;
    case ARGP_KEY_ARG:
        cli_error(h->who, "unexpected argument '%s'", arg);
        return EINVAL;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int cmd_hole(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"cpu", KEY_CPU, "LIST", 0,
         "Processor techniques, separated by commas (all that run a guest as "
         "it is); bare is always there, its answers are the truth",
         0},
        {"mmu", KEY_MMU, "NAME", 0, "The memory technique (shadow)", 0},
        {"json", KEY_JSON, NULL, 0, "Print JSON", 0},
        {0},
    };
    static const struct argp argp = {
        options,
        parse,
        NULL,
        "Execute each sensitive instruction under each technique.\v"
        "A guest performs the 18 mnemonics of Robin and Irvine (USENIX "
        "Security 2000) and IRET, IN, OUT, RDTSC and CPUID at its ring 0, and "
        "tells what it saw: the table shows bare's answers, which techniques "
        "give the same, and whether by an exit; then where and why "
        "trap-and-emulate does not.\n\n"
        "Exit status: 1 when a technique other than trap differs from bare.",
        NULL,
        NULL,
        NULL};
    static struct hole h;
    void *data;
    h = (struct hole){.who = "umbra hole",
                      .options = {.who = "umbra hole", .mmu = &mmu_shadow}};
    if (argp_parse(&argp, argc, argv, 0, NULL, &h) != 0 || !choose(&h) ||
        !guest_kernel(h.who, "@hole", &h.guest, &data))
        return STATUS_USAGE;
    signals_catch();
    h.symbols = symbols_load(h.guest);
    int status = h.symbols ? run_all(&h) : STATUS_INTERNAL;
    symbols_free(h.symbols);
    return status;
}
