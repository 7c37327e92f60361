/* SPDX-License-Identifier: MIT */
/* umbra run: boot one guest and stay until it ends. */
#include "cli/audit.h"
#include "cli/audit_mmu.h"
#include "cli/cli.h"
#include "cli/console.h"
#include "cli/files.h"
#include "cli/guest.h"
#include "cli/outputs.h"
#include "cli/progress.h"
#include "cli/screen.h"
#include "cli/terminal.h"
#include "trace/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    /* Virtual time between two looks at the world outside. */
    SLICE_CYCLES = 10000000,
    /* The longest sleep, so that a guest waiting for a key feels alive. */
    IDLE_MAX_NS = 10000000,
};

/* Host seconds between two pictures of the screen. */
#define DRAW_PERIOD 0.04

struct run {
    struct run_options options;
    struct guest guest;
    struct console console;
    struct screen screen; /* on a terminal */
    bool draws;
    double drawn;      /* host time, seconds */
    bool told_console; /* where the guest's words are */
    struct vm *vm;
    struct trace_file *trace;
    struct audit audit;
    struct audit_mmu audit_mmu;
    bool vm_ran;
    bool lost_output;
    double start;   /* host time, seconds */
    double seconds; /* when it has ended: how long it took */
    int status;
};

/* ---- Before -------------------------------------------------------------- */

static bool check_output(const struct run_options *o, const char *path)
{
    int error = path && strcmp(path, "-") != 0 ? file_check_writable(path) : 0;
    if (error)
        cli_error(o->who, "%s: %s", path, strerror(error));
    return !error;
}

/* Before anything is created: a mistaken name must not cost a disk. */
static bool check_outputs(const struct run_options *o)
{
    const char *serial = o->serial == SERIAL_FILE ? o->serial_path : NULL;
    const char *const paths[] = {o->stats, o->trace, o->screen, serial};

    return outputs_are_distinct(o, paths, sizeof paths / sizeof *paths) &&
           check_output(o, o->stats) && check_output(o, o->trace) &&
           check_output(o, o->screen);
}

/* What the guest has said so far. */
static void show(struct run *r, bool now)
{
    console_flush(&r->console);
    if (!r->draws || (!now && cli_seconds() - r->drawn < DRAW_PERIOD))
        return;
    screen_draw(&r->screen, r->vm);
    r->drawn = cli_seconds();
}

/* With --console screen, a guest that writes to COM1 alone seems to be dead.
 * Told once, when it waits or has ended. */
static void tell_console(struct run *r)
{
    const struct run_options *o = &r->options;

    if (o->console != CONSOLE_SCREEN || o->serial != SERIAL_STDIO ||
        r->told_console || !r->console.spoke || !screen_is_blank(r->vm))
        return;
    r->told_console = true;
    cli_error(o->who, "the guest writes to COM1, and nothing to the screen: "
                      "--console auto shows COM1");
}

/* The guest idles. An interactive one waits in real time, and costs nothing
 * meanwhile; every other one goes straight on to its deadline. */
static void idle(void *ctx, uint64_t ns)
{
    struct run *r = ctx;
    show(r, false);
    tell_console(r);
    if (r->console.terminal && r->console.reads)
        console_wait(&r->console, ns < IDLE_MAX_NS ? ns : IDLE_MAX_NS);
}

static void put(void *ctx, uint8_t byte)
{
    struct run *r = ctx;
    console_put(&r->console, byte);
}

static int get(void *ctx)
{
    struct run *r = ctx;
    return console_get(&r->console);
}

static bool create(struct run *r)
{
    static const enum vm_keyboard keyboards[] = {
        [CONSOLE_AUTO] = KEYBOARD_IF_ALONE,
        [CONSOLE_SERIAL] = KEYBOARD_NEVER,
        [CONSOLE_SCREEN] = KEYBOARD_ALWAYS,
    };
    char *error = NULL;
    struct vm_config *c = &r->guest.config;
    c->serial_output = put;
    c->serial_input = r->options.serial == SERIAL_STDIO ||
                              r->options.console == CONSOLE_SCREEN
                          ? get
                          : NULL;
    c->keyboard = keyboards[r->options.console];
    r->draws = r->options.console == CONSOLE_SCREEN && isatty(STDOUT_FILENO);
    c->idle = idle;
    c->ctx = r;
    r->vm = vm_create(c, &error, &r->status);
    if (!r->vm)
        cli_error(r->options.who, "%s", error ? error : "out of memory");
    free(error);
    if (!r->vm)
        return false;
    r->status = STATUS_USAGE; /* until the guest has run */
    if (r->options.audit)
        audit_start(&r->audit, r->options.who, r->vm);
    if (r->options.audit_mmu)
        audit_mmu_start(&r->audit_mmu, r->options.who, r->vm,
                        r->options.audit_mmu);
    if (!r->options.trace)
        return true;
    const char *why = NULL;
    r->trace = trace_file_open(r->options.trace, vm_trace(r->vm), &why);
    if (!r->trace)
        cli_error(r->options.who, "%s: %s", r->options.trace, why);
    return r->trace != NULL;
}

/* ---- The run ------------------------------------------------------------- */

/* Has something outside the guest ended the run? Sets the status. */
static bool ended_from_outside(struct run *r)
{
    const struct run_options *o = &r->options;
    if (r->console.error) {
        r->status = STATUS_USAGE; /* said at the end */
    } else if (r->console.quit) {
        r->status = STATUS_OK;
    } else if (cli_signal) {
        r->status = STATUS_SIGNAL + cli_signal;
    } else if (cli_timed_out) {
        cli_error(o->who, "stopped after %g s (--max-time)", o->max_seconds);
        r->status = STATUS_LIMIT;
    } else if (o->max_cycles && vm_cycles(r->vm) >= o->max_cycles) {
        cli_error(o->who, "stopped after %llu cycles (--max-cycles)",
                  (unsigned long long)vm_cycles(r->vm));
        r->status = STATUS_LIMIT;
    } else {
        return false;
    }
    return true;
}

/* --clock host: sleep while virtual time is ahead. */
static void pace(struct run *r)
{
    while (r->options.host_clock && !cli_interrupted) {
        double ahead =
            (double)vm_cycles(r->vm) * 1e-9 - (cli_seconds() - r->start);
        if (ahead < 0.001)
            return;
        size_t waiting = r->console.input_count;
        console_wait(&r->console,
                     ahead < 0.1 ? (uint64_t)(ahead * 1e9) : 100000000);
        if (r->console.input_count > waiting)
            return; /* a key: let the guest see it */
    }
}

static void go(struct run *r)
{
    const struct run_options *o = &r->options;
    r->start = cli_seconds();
    signals_insist(true);
    signals_time_limit(o->max_seconds);
    for (;;) {
        uint64_t until = vm_cycles(r->vm) + SLICE_CYCLES;
        if (o->max_cycles && until > o->max_cycles)
            until = o->max_cycles;
        struct vm_limit limit = {.cycles = until,
                                 .interrupted = &cli_interrupted};
        enum vm_stop stop = vm_run(r->vm, &limit);
        show(r, false);
        console_pump(&r->console);
        if (stop != VM_RUNNING && !r->console.error) {
            r->status = vm_exit_status(r->vm);
            break;
        }
        if (ended_from_outside(r))
            break;
        pace(r);
    }
    signals_insist(false);
    r->seconds = cli_seconds() - r->start;
}

/* ---- After --------------------------------------------------------------- */

static void fail(struct run *r, const char *path, int error)
{
    if (!error)
        return;
    cli_error(r->options.who, "%s: %s", path, strerror(error));
    r->lost_output = true;
    if (r->status != STATUS_INTERNAL)
        r->status = STATUS_USAGE;
}

/* The file for what stands on the screen at the end; NULL: none. */
static const char *screen_path(const struct run *r)
{
    const struct run_options *o = &r->options;
    bool instead = o->console == CONSOLE_AUTO && o->serial == SERIAL_STDIO &&
                   !r->console.spoke && !screen_is_blank(r->vm);

    if (o->screen)
        return o->screen;
    return instead || (o->console == CONSOLE_SCREEN && !r->draws) ? "-" : NULL;
}

static void finish(struct run *r)
{
    const struct run_options *o = &r->options;
    const char *screen = screen_path(r);

    show(r, true);
    if (r->draws)
        screen_leave(&r->screen);
    console_close(&r->console);
    tell_console(r);
    fail(r, o->serial == SERIAL_FILE ? o->serial_path : "standard output",
         r->console.error);
    if (o->audit)
        audit_finish(&r->audit);
    if (o->audit_mmu && !audit_mmu_finish(&r->audit_mmu))
        r->status = STATUS_INTERNAL;
    const char *report = vm_report(r->vm);
    if (report && *report)
        fprintf(stderr, "%s%s", report,
                report[strlen(report) - 1] == '\n' ? "" : "\n");
    if (r->trace)
        fail(r, o->trace, trace_file_close(r->trace));
    r->trace = NULL;
    if (screen)
        fail(r, strcmp(screen, "-") == 0 ? "standard output" : screen,
             screen_write(r->vm, screen));
    if (!o->stats)
        return;
    const struct vm_config *c = vm_configuration(r->vm);
    struct stats_run run = {
        .cpu = cpu_technique_name(c->cpu),
        .mmu = c->cpu == CPU_BARE ? NULL : c->mmu->name,
        .virtual_cycles = vm_cycles(r->vm),
        .host_seconds = r->seconds,
        .exit_status = r->status,
    };
    fail(r, strcmp(o->stats, "-") == 0 ? "standard output" : o->stats,
         stats_write(o->stats, &run, &vm_trace(r->vm)->count));
}

static void run_guest(struct run *r)
{
    struct run_options *o = &r->options;
    r->status = STATUS_USAGE;
    if (!check_outputs(o) || !guest_open(&r->guest, o))
        return;
    signals_catch();
    if (create(r) && console_open(&r->console, o)) {
        r->vm_ran = true;
        go(r);
        finish(r);
    }
    if (r->trace)
        trace_file_close(r->trace);
    if (r->vm)
        vm_destroy(r->vm);
    guest_close(&r->guest);
}

/* How often umbra audit looks: at every so many exits. */
enum { AUDIT_EVERY = 100 };

int cmd_run(int argc, char **argv)
{
    static const struct options_command command = {
        .who = "umbra run",
        .doc = "Boot a guest.\v"
               "KERNEL is a multiboot ELF, a Linux bzImage, a paravirtual "
               "kernel, or a raw disk image with a boot sector, which is the "
               "first disk then; @lumen, @lumen-trap and @lumen-pv are built "
               "in, and "
               "@lumen is the default (for pv, its port). The "
               "guest's console is on standard input and output (--console); "
               "on a terminal, Ctrl-A x ends the run.\n\n"
               "Exit status: what the guest says (a write of V to port 0xf4 "
               "gives (V << 1) | 1; power-off and reset give 0); 4 when it "
               "dies of a triple fault; 2 for bad usage, input or output; 70 "
               "for an error of Umbra itself; 124 when a limit was reached; "
               "130 or 143 after a signal.",
        .takes = TAKES_TECHNIQUE | TAKES_OUTPUT,
    };
    static struct run run; /* its buffers are large */
    if (!options_parse(&run.options, &command, argc, argv)) {
        options_free(&run.options);
        return STATUS_USAGE;
    }
    run_guest(&run);
    options_free(&run.options);
    return run.status;
}

/* The guest's own end says nothing of the tables. */
static int audited(const struct run *r)
{
    bool limited = r->status == STATUS_LIMIT || cli_interrupted;

    return r->status == STATUS_INTERNAL || limited || r->lost_output ||
                   !r->vm_ran
               ? r->status
               : 0;
}

int cmd_audit(int argc, char **argv)
{
    static const struct options_command command = {
        .who = "umbra audit",
        .doc = "Run a guest and compute every entry of the VMM's tables again, "
               "from the guest's tables and the PMap.\v"
               "As umbra run --audit mmu:N, without the guest's console; "
               "without KERNEL lumen's self-test. What is looked for: rights "
               "or frames that the guest's tables do not give, machine frames "
               "that are not this guest's, pages that are writable although "
               "they are watched or shared.\n\n"
               "Exit status: 0 if every entry was right, 70 if one was not, 2 "
               "for bad usage, 124 when a limit was reached.",
        .takes = TAKES_TECHNIQUE | TAKES_OUTPUT,
    };
    static struct run run;
    struct run_options *o = &run.options;

    if (!options_parse(o, &command, argc, argv)) {
        options_free(o);
        return STATUS_USAGE;
    }
    if (o->cpu == CPU_BARE) {
        cli_error(o->who, "there is no VMM on the bare machine");
        options_free(o);
        return STATUS_USAGE;
    }
    if (!o->audit_mmu)
        o->audit_mmu = AUDIT_EVERY;
    if (o->serial == SERIAL_STDIO)
        o->serial = SERIAL_NULL;
    if (!o->kernel && !o->append)
        o->append = "test";
    progress_begin(o->who);
    run_guest(&run);
    options_free(o);
    return audited(&run);
}
