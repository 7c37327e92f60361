/* SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include "cli/audit_mmu.h"
#include "cli/cli.h"
#include "cli/options_memory.h"
#include "cli/options_size.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_CPU = 256,
    KEY_MMU,
    KEY_MMU_WITHOUT,
    KEY_BT_WITHOUT,
    KEY_WHAT_IF,
    KEY_MEMORY,
    KEY_APPEND,
    KEY_INITRD,
    KEY_DISK,
    KEY_DEVICE,
    KEY_SERIAL,
    KEY_STATS,
    KEY_SCREEN,
    KEY_CONSOLE,
    KEY_TRACE,
    KEY_MAX_TIME,
    KEY_MAX_CYCLES,
    KEY_CLOCK,
    KEY_GDB,
    KEY_AUDIT,

    MEMORY_MIN_MIB = 2,
    MEMORY_MAX_MIB = 3072, /* devices live above */
};

error_t options_fail(const struct run_options *o, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", o->who);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return EINVAL;
}

bool options_integer(const char *text, uint64_t min, uint64_t max,
                     uint64_t *value)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 0);
    bool number = text[0] >= '0' && text[0] <= '9' && *end == '\0';
    if (!number || errno != 0 || n < min || n > max)
        return false;
    *value = n;
    return true;
}

bool options_real(const char *text, double min, double max, double *value)
{
    char *end;
    double x = strtod(text, &end);
    bool number = end != text && *end == '\0' && !isspace((uint8_t)text[0]);
    if (!number || !isfinite(x) || x < min || x > max)
        return false;
    *value = x;
    return true;
}

bool options_number(const struct run_options *o, const char *option,
                    const char *text, uint64_t min, uint64_t max,
                    uint64_t *value)
{
    if (options_integer(text, min, max, value))
        return true;
    if (max == UINT64_MAX)
        options_fail(o, "%s %s: an integer of %llu or more is wanted", option,
                     text, (unsigned long long)min);
    else
        options_fail(o, "%s %s: an integer from %llu to %llu is wanted", option,
                     text, (unsigned long long)min, (unsigned long long)max);
    return false;
}

/* ---- The guest ----------------------------------------------------------- */

static error_t add_device(struct run_options *o, const char *name)
{
    if (strcmp(name, "testdev") == 0)
        o->testdev = true;
    else if (strcmp(name, "walker") == 0)
        o->walker = true;
    else
        return options_fail(o,
                            "--device: unknown device '%s'; there are testdev "
                            "and walker",
                            name);
    return 0;
}

static error_t add_disk(struct run_options *o, const char *arg)
{
    if (o->disk_count == OPTIONS_DISKS)
        return options_fail(o, "--disk: %d disks at most", OPTIONS_DISKS);
    char *path = strdup(arg);
    if (!path)
        return ENOMEM;
    struct pc_disk *disk = &o->disk[o->disk_count++];
    *disk = (struct pc_disk){.path = path};
    for (char *comma; (comma = strrchr(path, ','));) {
        if (strcmp(comma, ",readonly") == 0)
            disk->read_only = true;
        else if (strncmp(comma, ",bus=", 5) != 0)
            break; /* part of the file's name */
        else if (strcmp(comma, ",bus=virtio") == 0)
            return options_fail(o, "--disk: bus=virtio is not built yet; "
                                   "bus=ide is");
        else if (strcmp(comma, ",bus=ide") != 0)
            return options_fail(o,
                                "--disk: unknown bus '%s'; bus=ide is "
                                "the one there is",
                                comma + 5);
        *comma = '\0';
    }
    return *path ? 0 : options_fail(o, "--disk: the file's name is missing");
}

static const struct argp_option guest_options[] = {
    {NULL, 0, NULL, 0, "The guest:", 2},
    {"memory", KEY_MEMORY, "MIB", 0,
     "Guest memory in MiB (64; 256 for Linux and disks)", 0},
    {"append", KEY_APPEND, "STRING", 0, "The guest's command line", 0},
    {"initrd", KEY_INITRD, "FILE", 0,
     "Linux's initial RAM disk; a module for a multiboot kernel "
     "(repeatable)",
     0},
    {"disk", KEY_DISK, "FILE[,bus=ide][,readonly]", 0,
     "A raw disk image, written to unless readonly (repeatable, 4 at most)", 0},
    {"device", KEY_DEVICE, "testdev|walker", 0,
     "The ports and the memory window of QEMU's pc-testdev; a walker of page "
     "tables of two to four levels (repeatable)",
     0},
    {NULL, 0, NULL, 0, "When to stop (exit status 124):", 6},
    {"max-time", KEY_MAX_TIME, "SECONDS", 0, "Host time", 0},
    {"max-cycles", KEY_MAX_CYCLES, "N", 0, "Virtual time, in cycles of 1 ns",
     0},
    {0},
};

static error_t parse_seconds(struct run_options *o, const char *arg)
{
    double seconds;
    if (!options_real(arg, 0.001, 1e8, &seconds))
        return options_fail(o,
                            "--max-time %s: a number of seconds from 0.001 "
                            "is wanted",
                            arg);
    o->max_seconds = seconds;
    return 0;
}

static error_t parse_guest(int key, char *arg, struct argp_state *state)
{
    struct run_options *o = state->input;
    uint64_t n;
    switch (key) {
    case KEY_MEMORY:
        if (!options_number(o, "--memory", arg, MEMORY_MIN_MIB, MEMORY_MAX_MIB,
                            &n))
            return EINVAL;
        o->memory_bytes = n << 20;
        return 0;
    case KEY_APPEND: o->append = arg; return 0;
    case KEY_INITRD:
        if (!*arg)
            return options_fail(o, "--initrd: the file's name is missing");
        if (o->initrd_count == OPTIONS_INITRDS)
            return options_fail(o, "--initrd: %d files at most",
                                OPTIONS_INITRDS);
        o->initrd[o->initrd_count++] = arg;
        return 0;
    case KEY_DISK: return add_disk(o, arg);
    case KEY_DEVICE: return add_device(o, arg);
    case KEY_MAX_TIME: return parse_seconds(o, arg);
    case KEY_MAX_CYCLES:
        return options_number(o, "--max-cycles", arg, 1, UINT64_MAX,
                              &o->max_cycles)
                   ? 0
                   : EINVAL;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- The technique ------------------------------------------------------- */

static const struct argp_option technique_options[] = {
    {NULL, 0, NULL, 0, "The technique:", 1},
    {"cpu", KEY_CPU, "bare|trap|bt-static|bt|pv|hvm", 0,
     "How the processor is virtualized: not at all (bare), by "
     "trap-and-emulate alone (trap), with the kernel's sensitive "
     "instructions replaced ahead of time (bt-static), with the kernel "
     "translated as it runs (bt, the default), not needing it because the "
     "kernel is ported to hypercalls (pv; the default guest is @lumen-pv), by "
     "hardware with VMX non-root operation (hvm)",
     0},
    {"mmu", KEY_MMU, "tlb|shadow|direct|nested", 0,
     "How memory is virtualized: one table emptied at every CR3 write "
     "(tlb), shadow tables kept per address space (shadow, the default), "
     "the guest's own tables, each update of which is checked (direct, with "
     "pv), or the guest's tables and the VMM's walked by the hardware (nested, "
     "with hvm)",
     0},
    {"mmu-without", KEY_MMU_WITHOUT, "LIST", 0,
     "Switch optimizations of the memory technique off: walk-cache, "
     "prefetch, global, unsync, unshadow, nested-large, nested-ad, mmio-cache, "
     "eviction, large, vpid (with hvm: entries of the TLB have tags, and "
     "outlive exits), space-vpid (a tag for each address space of the guest), "
     "or all that the technique has",
     0},
    {"bt-without", KEY_BT_WITHOUT, "LIST", 0,
     "Switch optimizations of bt off: chain (direct jumps lead from "
     "translation to translation), inline (CLI, PUSHF, POPF, IRET, MOV from CR "
     "and the like without the VMM), lookup (indirect jumps and returns find "
     "their translation without it), adapt (a store that keeps tripping a "
     "trace calls the VMM instead), ahead (what a unit leads to is translated "
     "with it), or all",
     0},
    {"what-if", KEY_WHAT_IF, "iopl1", 0,
     "Change the rules: run the guest's kernel at IOPL 1, where CLI, STI and "
     "POPF act on the real interrupt flag (--cpu trap only)",
     0},
    {0},
};

static error_t parse_technique(int key, char *arg, struct argp_state *state)
{
    struct run_options *o = state->input;
    switch (key) {
    case KEY_CPU: return options_find_cpu(o, arg) ? 0 : EINVAL;
    case KEY_MMU: return options_find_mmu(o, arg) ? 0 : EINVAL;
    case KEY_MMU_WITHOUT: return options_find_mmu_without(o, arg) ? 0 : EINVAL;
    case KEY_BT_WITHOUT: return options_find_bt_without(o, arg) ? 0 : EINVAL;
    case KEY_WHAT_IF:
        if (strcmp(arg, "iopl1") != 0)
            return options_fail(o,
                                "--what-if: unknown change '%s'; iopl1 is "
                                "the one there is",
                                arg);
        o->iopl1 = true;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- Output -------------------------------------------------------------- */

static const struct argp_option output_options[] = {
    {NULL, 0, NULL, 0, "Input and output:", 5},
    {"serial", KEY_SERIAL, "stdio|null|file:PATH", 0, "Where COM1 goes (stdio)",
     0},
    {"console", KEY_CONSOLE, "auto|serial|screen", 0,
     "What standard input and output are: COM1 (serial); the keyboard and the "
     "VGA text screen, shown as it changes on a terminal and once at the end "
     "elsewhere (screen); or COM1, but the keyboard while the guest waits for "
     "keys and has no driver for COM1, and the screen at the end if nothing "
     "came from COM1 (auto, the default)",
     0},
    {"stats", KEY_STATS, "FILE", 0,
     "Write the counters as JSON at the end (\"-\": standard output)", 0},
    {"screen", KEY_SCREEN, "FILE", 0,
     "Write what stands on the VGA text screen at the end (\"-\": standard "
     "output)",
     0},
    {"trace", KEY_TRACE, "FILE", 0,
     "Write every event; the name's ending is the format: .jsonl or .csv", 0},
    {"audit", KEY_AUDIT, "silent|mmu[:N]", 0,
     "silent: report, as it happens, each sensitive instruction that does not "
     "trap, and what it should have given (--cpu trap only); mmu: compute the "
     "VMM's tables again at every N exits (1000) and at the end, exit status "
     "70 if an entry disagrees",
     0},
    {"clock", KEY_CLOCK, "virtual|host", 0,
     "host: keep virtual time from running ahead of the host's (virtual)", 0},
    {"gdb", KEY_GDB, "PORT", 0, "GDB's remote protocol (not built yet)", 0},
    {0},
};

static error_t parse_serial(struct run_options *o, char *arg)
{
    if (strcmp(arg, "stdio") == 0) {
        o->serial = SERIAL_STDIO;
    } else if (strcmp(arg, "null") == 0) {
        o->serial = SERIAL_NULL;
    } else if (strncmp(arg, "file:", 5) == 0 && arg[5]) {
        o->serial = SERIAL_FILE;
        o->serial_path = arg + 5;
    } else {
        return options_fail(o,
                            "--serial %s: stdio, null or file:PATH is "
                            "wanted",
                            arg);
    }
    return 0;
}

static error_t parse_console(struct run_options *o, const char *arg)
{
    static const char *const names[] = {
        [CONSOLE_AUTO] = "auto",
        [CONSOLE_SERIAL] = "serial",
        [CONSOLE_SCREEN] = "screen",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(arg, names[i]) == 0) {
            o->console = (enum console_kind)i;
            return 0;
        }
    return options_fail(o, "--console %s: auto, serial or screen is wanted",
                        arg);
}

static bool ends_with(const char *text, const char *ending)
{
    size_t n = strlen(text), m = strlen(ending);
    return n > m && strcmp(text + n - m, ending) == 0;
}

static error_t parse_trace(struct run_options *o, char *arg)
{
    if (ends_with(arg, ".json"))
        return options_fail(o,
                            "--trace %s: the .json format (Perfetto) is not "
                            "built yet; .jsonl and .csv are",
                            arg);
    if (!ends_with(arg, ".jsonl") && !ends_with(arg, ".csv"))
        return options_fail(o,
                            "--trace %s: the file's name must end in .jsonl "
                            "or .csv",
                            arg);
    o->trace = arg;
    return 0;
}

static error_t parse_audit(struct run_options *o, const char *arg)
{
    char *end = NULL;

    if (strcmp(arg, "silent") == 0) {
        o->audit = true;
        return 0;
    }
    if (strcmp(arg, "mmu") == 0) {
        o->audit_mmu = AUDIT_MMU_EVERY;
        return 0;
    }
    if (strncmp(arg, "mmu:", 4) == 0 && arg[4] >= '1' && arg[4] <= '9')
        o->audit_mmu = strtoull(arg + 4, &end, 10);
    if (!end || *end)
        return options_fail(o,
                            "--audit: unknown audit '%s'; there are silent, "
                            "mmu and mmu:N",
                            arg);
    return 0;
}

static error_t parse_output(int key, char *arg, struct argp_state *state)
{
    struct run_options *o = state->input;
    switch (key) {
    case KEY_SERIAL: return parse_serial(o, arg);
    case KEY_CONSOLE: return parse_console(o, arg);
    case KEY_STATS:
        if (!*arg)
            return options_fail(o, "--stats: the file's name is missing");
        o->stats = arg;
        return 0;
    case KEY_SCREEN:
        if (!*arg)
            return options_fail(o, "--screen: the file's name is missing");
        o->screen = arg;
        return 0;
    case KEY_TRACE: return parse_trace(o, arg);
    case KEY_CLOCK:
        if (strcmp(arg, "host") != 0 && strcmp(arg, "virtual") != 0)
            return options_fail(o, "--clock %s: virtual or host is wanted",
                                arg);
        o->host_clock = strcmp(arg, "host") == 0;
        return 0;
    case KEY_AUDIT: return parse_audit(o, arg);
    case KEY_GDB: return options_fail(o, "--gdb is not built yet");
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- A whole command line ------------------------------------------------ */

struct parsing {
    struct run_options *options;
    const struct options_command *command;
    unsigned children;
};

static error_t parse_command(int key, char *arg, struct argp_state *state)
{
    struct parsing *p = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        /* getopt's line about an unknown option is enough: no second line
         * from argp. */
        state->err_stream = NULL;
        for (unsigned i = 0; i < p->children; i++)
            state->child_inputs[i] = p->options;
        return 0;
    case ARGP_KEY_ARG:
        if (!*arg)
            return options_fail(p->options, "the kernel's name is empty");
        if (p->options->kernel)
            return options_fail(p->options, "more than one kernel: '%s'", arg);
        p->options->kernel = arg;
        return 0;
    default:
        if (p->command->parse_extra && key >= 1000 && key < 0x10000)
            return p->command->parse_extra(p->command->ctx, p->options, key,
                                           arg);
        return ARGP_ERR_UNKNOWN;
    }
}

bool options_parse(struct run_options *o, const struct options_command *command,
                   int argc, char **argv)
{
    static const struct argp guest = {guest_options, parse_guest, NULL, NULL,
                                      NULL,          NULL,        NULL};
    static const struct argp technique = {
        technique_options, parse_technique, NULL, NULL, NULL, NULL, NULL};
    static const struct argp output = {output_options, parse_output, NULL, NULL,
                                       NULL,           NULL,         NULL};
    struct argp_child children[6] = {{&guest, 0, NULL, 0},
                                     {&options_memory, 0, NULL, 0},
                                     {&options_sizes, 0, NULL, 0}};
    unsigned n = 3;
    if (command->takes & TAKES_TECHNIQUE)
        children[n++] = (struct argp_child){&technique, 0, NULL, 0};
    if (command->takes & TAKES_OUTPUT)
        children[n++] = (struct argp_child){&output, 0, NULL, 0};
    const struct argp whole = {
        command->extra, parse_command, "[KERNEL]", command->doc,
        children,       NULL,          NULL};
    *o = (struct run_options){
        .who = command->who, .cpu = CPU_BT, .mmu = &mmu_shadow};
    struct parsing parsing = {o, command, n};
    if (argp_parse(&whole, argc, argv, 0, NULL, &parsing) != 0)
        return false;
    if ((command->takes & TAKES_TECHNIQUE) && !options_check_pair(o))
        return false;
    return options_check_memory(o);
}

void options_free(struct run_options *o)
{
    for (size_t i = 0; i < o->disk_count; i++)
        free((char *)(uintptr_t)o->disk[i].path);
    o->disk_count = 0;
}
