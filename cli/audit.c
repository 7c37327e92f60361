/* SPDX-License-Identifier: MIT */
/* What the guest executes that should have trapped. */
#include "cli/audit.h"

#include "cli/cli.h"

#include <stdio.h>

/* Is it the first at this site? A table that is nearly full forgets. */
static bool first_here(struct audit *a, uint32_t eip)
{
    uint32_t key = eip + 1;
    size_t slot = (key * 2654435761u) >> 18; /* the golden ratio, 14 bits */
    while (a->site[slot] && a->site[slot] != key)
        slot = (slot + 1) % AUDIT_SLOTS;
    if (a->site[slot] == key || a->sites > AUDIT_SLOTS / 4 * 3)
        return false;
    a->site[slot] = key;
    a->sites++;
    return true;
}

static void event(void *ctx, const struct event *e)
{
    struct audit *a = ctx;
    char sentence[128];
    uint32_t offset;
    if (e->kind != EV_SILENT)
        return;
    a->count++;
    a->wrong += e->arg[1] != e->arg[2] || e->arg[3] != 0;
    if (!first_here(a, e->eip))
        return;
    const char *symbol = vm_symbol(a->vm, e->eip, &offset);
    event_sentence(e, sentence, sizeof sentence);
    if (symbol)
        cli_error(a->who, "audit: %08x (%s+0x%x): %s", e->eip, symbol, offset,
                  sentence);
    else
        cli_error(a->who, "audit: %08x: %s", e->eip, sentence);
}

void audit_start(struct audit *a, const char *who, struct vm *vm)
{
    *a = (struct audit){.who = who, .vm = vm};
    a->sink = (struct trace_sink){event, a, NULL};
    trace_attach(vm_trace(vm), &a->sink);
}

void audit_finish(struct audit *a)
{
    trace_detach(vm_trace(a->vm), &a->sink);
    cli_error(a->who,
              "audit: %llu silent sensitive instructions at %zu places; %llu "
              "gave the guest something wrong",
              (unsigned long long)a->count, a->sites,
              (unsigned long long)a->wrong);
}
