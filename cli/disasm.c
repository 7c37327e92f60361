/* SPDX-License-Identifier: MIT */
/* umbra disasm: the guest's kernel code beside its translation. */
#include "cli/disasm.h"

#include "cli/cli.h"
#include "cli/guest.h"
#include "cli/terminal.h"
#include "vmm/load.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_AT = 1000, KEY_AFTER, KEY_TO_END, KEY_JSON };
#define CYCLES_MOST UINT64_C(20000000000)

struct disasm {
    struct run_options options;
    struct guest guest;
    const char *at;
    uint64_t after;
    bool to_end, json;
};

/* ---- Which code ---------------------------------------------------------- */

/* Where a function ends: as declared, else at the next name. */
static uint32_t end_of(const struct symbols *s, uint32_t address)
{
    for (size_t i = 0; i < symbols_count(s); i++) {
        const struct symbol *y = symbols_at(s, i);
        if (y->address == address && y->size)
            return address + y->size;
        if (y->address > address)
            return y->address;
    }
    return address + 1;
}

/* "0x1234", "1234abcd", "NAME" (all of it), "NAME+0x12". */
static bool find_place(const struct run_options *o, const struct symbols *s,
                       const char *text, uint32_t *from, uint32_t *end)
{
    char name[128], *rest;
    const char *plus = strrchr(text, '+');
    size_t length = plus ? (size_t)(plus - text) : strlen(text);
    unsigned long long offset = 0;
    snprintf(name, sizeof name, "%.*s", (int)length, text);
    if (plus) {
        offset = strtoull(plus + 1, &rest, 0);
        if (*rest || rest == plus + 1 || offset > UINT32_MAX) {
            options_fail(o, "--at %s: '%s' is no number", text, plus + 1);
            return false;
        }
    }
    if (symbols_address(s, name, from)) {
        *end = plus ? *from : end_of(s, *from);
        *from += (uint32_t)offset;
        return true;
    }
    unsigned long long n = strtoull(name, &rest, 16);
    if (*rest || rest == name || n > UINT32_MAX) {
        options_fail(o, "--at %s: neither a name of this kernel nor an address",
                     text);
        return false;
    }
    *from = (uint32_t)(n + offset);
    *end = *from;
    return true;
}

/* ---- Running until it is there ------------------------------------------- */

static bool done(const struct disasm *d, struct vm *vm, uint32_t from)
{
    if (d->to_end)
        return false;
    if (d->after)
        return vm_cycles(vm) >= d->after;
    return listing_has(vm, from);
}

static void run(const struct disasm *d, struct vm *vm, uint32_t from)
{
    uint64_t most = d->options.max_cycles ? d->options.max_cycles : CYCLES_MOST;
    bool looks = !d->to_end && !d->after;
    struct vm_limit limit = {
        .cycles = d->after && d->after < most ? d->after : most,
        .event_mask = looks ? 1u << EV_TRANSLATE : 0,
        .interrupted = &cli_interrupted,
    };
    signals_time_limit(d->options.max_seconds);
    while (!done(d, vm, from) && vm_cycles(vm) < most && !cli_interrupted &&
           vm_run(vm, &limit) == VM_RUNNING)
        ;
}

/* ---- The listing --------------------------------------------------------- */

/* A function: all of its units so far; an address: the one that has it. */
static size_t collect(struct vm *vm, uint32_t from, uint32_t end,
                      struct listing *list, size_t room)
{
    size_t n = 0;
    while (n < room && from < end && listing_next(vm, from, end, &list[n]))
        from = list[n++].guest + 1;
    if (n == 0 && listing_at(vm, from, &list[0]))
        n = 1;
    return n;
}

enum { UNITS_MOST = 64 };

static int print(struct disasm *d, struct vm *vm, const struct symbols *s,
                 uint32_t from, uint32_t end)
{
    struct listing *list = calloc(UNITS_MOST, sizeof *list);
    if (!list) {
        cli_error(d->options.who, "out of memory");
        return STATUS_INTERNAL;
    }
    bool reached = listing_has(vm, from);
    if (!reached)
        listing_make(vm, from);
    size_t n = collect(vm, from, end, list, UNITS_MOST);
    int status = STATUS_OK;
    if (n == 0) {
        cli_error(d->options.who,
                  "%08x was not translated by cycle %llu, and cannot be: no "
                  "memory is mapped there",
                  from, (unsigned long long)vm_cycles(vm));
        status = STATUS_USAGE;
    } else if (d->json) {
        status = disasm_print_json(list, n, reached, stdout) ? STATUS_OK
                                                             : STATUS_INTERNAL;
    } else {
        disasm_print(list, n, s, reached, stdout);
    }
    free(list);
    return status;
}

/* ---- The command --------------------------------------------------------- */

static int disassemble(struct disasm *d)
{
    struct run_options *o = &d->options;
    char *error = NULL;
    int status = STATUS_USAGE;
    if (!guest_open(&d->guest, o))
        return status;
    if (!d->guest.kernel_data && !o->append)
        d->guest.config.append = "test"; /* a shell would wait for input */
    struct symbols *symbols = symbols_load(d->guest.config.kernel);
    struct vm *vm = vm_create(&d->guest.config, &error, &status);
    uint32_t from, end;
    if (!vm || !symbols) {
        cli_error(o->who, "%s", error ? error : "out of memory");
    } else {
        struct cpu_state first;
        vm_guest_state(vm, &first);
        from = end = first.eip;
        if (d->at && !find_place(o, symbols, d->at, &from, &end)) {
            status = STATUS_USAGE;
        } else {
            signals_catch();
            run(d, vm, from);
            status = cli_signal ? STATUS_SIGNAL + cli_signal
                                : print(d, vm, symbols, from, end);
        }
    }
    vm_destroy(vm);
    symbols_free(symbols);
    free(error);
    guest_close(&d->guest);
    return status;
}

static error_t parse_extra(void *ctx, struct run_options *o, int key, char *arg)
{
    struct disasm *d = ctx;
    switch (key) {
    case KEY_AT: d->at = arg; return 0;
    case KEY_TO_END: d->to_end = true; return 0;
    case KEY_JSON: d->json = true; return 0;
    default:
        return options_number(o, "--after", arg, 1, UINT64_MAX, &d->after)
                   ? 0
                   : EINVAL;
    }
}

int cmd_disasm(int argc, char **argv)
{
    static const struct argp_option extra[] = {
        {"at", KEY_AT, "PLACE", 0,
         "An address (hexadecimal), a name (a function: all of its units), or "
         "NAME+OFFSET. Default: where the guest begins",
         1},
        {"after", KEY_AFTER, "CYCLES", 0,
         "Run to this virtual time. Default: until there is a translation", 1},
        {"to-end", KEY_TO_END, NULL, 0, "Run until the guest ends", 1},
        {"json", KEY_JSON, NULL, 0, "Print JSON", 1},
        {0},
    };
    static struct disasm d;
    const struct options_command command = {
        .who = "umbra disasm",
        .doc = "Run a guest under --cpu bt and print what its kernel code was "
               "translated into.\v"
               "Beside each instruction of the guest: how it was translated "
               "(ident: copied; control: a direct jump or call to another "
               "translation; indirect: its target is looked up; in-line: done "
               "on the virtual processor's state; callout: done by the VMM; "
               "link: the translator's own way to another unit) and what the "
               "processor executes instead, with its address in the "
               "translation cache. What the guest did not reach in time is "
               "translated for the listing where it can be read.\n\n"
               "To see the example of Adams and Agesen (ASPLOS 2006): umbra "
               "disasm --at isPrime --bt-unit 12 --bt-without ahead --to-end "
               "@isprime",
        .takes = TAKES_TECHNIQUE,
        .extra = extra,
        .parse_extra = parse_extra,
        .ctx = &d,
    };
    int status = STATUS_USAGE;
    if (options_parse(&d.options, &command, argc, argv)) {
        if (d.options.cpu != CPU_BT)
            options_fail(&d.options, "--cpu %s translates nothing; bt does",
                         cpu_technique_name(d.options.cpu));
        else
            status = disassemble(&d);
    }
    options_free(&d.options);
    return status;
}
