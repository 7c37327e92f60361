/* SPDX-License-Identifier: MIT */
/* Who printed the first byte that differs. Another kernel's state cannot be
 * compared, but what it prints can. */
#include "cli/cli.h"
#include "cli/compare_vm.h"
#include "cli/progress.h"
#include "cli/terminal.h"

#include <stdlib.h>

enum { SLICE = 1000000 };

static void name_printer(struct outcome *r, struct compared_vm *v)
{
    uint32_t offset = 0;
    const char *symbol = vm_symbol(v->vm, v->printer, &offset);
    char place[64] = "";

    if (symbol)
        snprintf(place, sizeof place, " %s+0x%x", symbol, offset);
    compare_copy_printable(place, sizeof place, place);
    snprintf(r->printer, sizeof r->printer, "%08x%s, cycle %llu", v->printer,
             place, (unsigned long long)v->printed_at);
}

static void find_printer(struct outcome *r, const struct guest *guest,
                         const struct run_options *o)
{
    struct outcome again = {.technique = r->technique};
    struct compared_vm v;

    if (compared_open(&v, guest, o, r->technique, &again) == STATUS_OK) {
        v.watch = true;
        v.watched_byte = r->byte;
        while (!v.seen && !cli_interrupted &&
               compared_run(&v, vm_cycles(v.vm) + SLICE) == VM_RUNNING)
            progress_say("who printed what differs under %s: %.4g million "
                         "cycles",
                         r->technique->name, (double)vm_cycles(v.vm) / 1e6);
        if (v.seen)
            name_printer(r, &v);
    }
    compared_close(&v);
    free(again.console);
}

void compare_find_printers(struct comparison *c, const struct guest *guest,
                           const struct run_options *o)
{
    for (size_t i = 1; i < c->count && !cli_interrupted; i++) {
        struct outcome *r = &c->outcome[i];

        /* One that printed less has no such byte. */
        if (r->line && !r->state.first.found && r->byte < r->console_bytes)
            find_printer(r, guest, o);
    }
}
