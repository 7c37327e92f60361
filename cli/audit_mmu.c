/* SPDX-License-Identifier: MIT */
/* cli/audit_mmu.c - are the VMM's tables what they must be, while it runs? */
#include "cli/audit_mmu.h"

#include "cli/cli.h"
#include "cli/progress.h"

static void look(struct audit_mmu *a)
{
    char line[200];
    unsigned wrong;

    if (a->wrong)
        return;
    a->audits++;
    wrong = mmu_audit(vm_mmu(a->vm), line, sizeof line);
    if (!wrong)
        return;
    a->wrong = true;
    cli_error(a->who, "%u entries disagree at exit %llu, the first: %s", wrong,
              (unsigned long long)a->exits, line);
}

/* An exit is told before anything is done about it: then all is in order. */
static void event(void *ctx, const struct event *e)
{
    struct audit_mmu *a = ctx;

    if (e->kind != EV_EXIT || ++a->exits % a->every != 0)
        return;
    look(a);
    progress_say("exit %llu, cycle %llu", (unsigned long long)a->exits,
                 (unsigned long long)e->cycles);
}

void audit_mmu_start(struct audit_mmu *a, const char *who, struct vm *vm,
                     uint64_t every)
{
    *a = (struct audit_mmu){.who = who, .vm = vm, .every = every};
    a->sink = (struct trace_sink){event, a, NULL};
    trace_attach(vm_trace(vm), &a->sink);
}

bool audit_mmu_finish(struct audit_mmu *a)
{
    progress_clear();
    look(a);
    trace_detach(vm_trace(a->vm), &a->sink);
    if (!a->wrong)
        cli_error(a->who,
                  "the VMM's tables were right %llu times, in %llu exits",
                  (unsigned long long)a->audits, (unsigned long long)a->exits);
    return !a->wrong;
}
