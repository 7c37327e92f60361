/* SPDX-License-Identifier: MIT */
/* A guest as the inspector drives it: run, look, type, go back. */
#include "cli/step_target.h"

#include "cli/cli.h"
#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { IDLE_MAX_NS = 10000000 }; /* so that a key need not wait for long */

/* ---- The guest's side ------------------------------------------------------
 */

static void put(void *ctx, uint8_t byte)
{
    struct step_target *s = ctx;
    if (s->inspector)
        inspector_console(s->inspector, byte);
}

static bool remember(struct step_target *s, uint64_t cycles, uint8_t byte)
{
    if (s->given_count == s->given_room) {
        size_t room = s->given_room ? s->given_room * 2 : 256;
        struct given *given = realloc(s->given, room * sizeof *given);
        if (!given)
            return false;
        s->given = given;
        s->given_room = room;
    }
    s->given[s->given_count++] = (struct given){cycles, byte};
    s->given_read = s->given_count;
    return true;
}

static int get(void *ctx)
{
    struct step_target *s = ctx;
    uint64_t now = s->vm ? vm_cycles(s->vm) : 0;
    if (s->given_read < s->given_count) {
        const struct given *g = &s->given[s->given_read];
        if (now < g->cycles)
            return -1;
        s->given_read++;
        return g->byte;
    }
    if (s->pending_count == 0 || !remember(s, now, s->pending[0]))
        return -1;
    uint8_t byte = s->pending[0];
    memmove(s->pending, s->pending + 1, --s->pending_count);
    return byte;
}

/* While somebody types, an idle guest waits in real time; else it goes on to
 * its deadline at once. */
static void idle(void *ctx, uint64_t ns)
{
    const struct step_target *s = ctx;
    if (!s->live || s->pending_count)
        return;
    struct timespec wait = {.tv_nsec =
                                (long)(ns < IDLE_MAX_NS ? ns : IDLE_MAX_NS)};
    nanosleep(&wait, NULL);
}

/* ---- The inspector's side --------------------------------------------------
 */

/* A limit of the command line was reached: this is the end. */
static void end_at_limit(struct step_target *s, const char *option)
{
    s->session->status = STATUS_LIMIT;
    s->session->quit = true;
    cli_interrupted = true;
    session_say(s->session, "stopped (%s)", option);
}

static enum vm_stop step_run(void *ctx, const struct vm_limit *wanted)
{
    struct step_target *s = ctx;
    struct vm_limit limit = *wanted;
    uint64_t most = s->max_cycles;
    if (most && (limit.cycles == 0 || limit.cycles > most))
        limit.cycles = most;
    if (s->stop == VM_RUNNING)
        s->stop = vm_run(s->vm, &limit);
    if (most && vm_cycles(s->vm) >= most)
        end_at_limit(s, "--max-cycles");
    else if (cli_timed_out)
        end_at_limit(s, "--max-time");
    return s->stop;
}

static void step_take(void *ctx, const struct inspect_request *request,
                      struct inspection *out)
{
    struct step_target *s = ctx;
    inspector_take(s->inspector, request, out);
    out->stop = s->stop;
}

static size_t step_latest(void *ctx, struct event *out, size_t n)
{
    return inspector_events(((struct step_target *)ctx)->inspector, out, n);
}

static uint32_t step_here(void *ctx)
{
    struct cpu_state state;
    vm_guest_state(((struct step_target *)ctx)->vm, &state);
    return state.seg[SEG_CS].base + state.eip;
}

static uint64_t step_cycles(void *ctx)
{
    return vm_cycles(((struct step_target *)ctx)->vm);
}

static bool step_find(void *ctx, const char *name, uint32_t *address)
{
    return inspector_find(((struct step_target *)ctx)->inspector, name,
                          address);
}

static bool step_type(void *ctx, uint8_t byte)
{
    struct step_target *s = ctx;
    if (s->pending_count == STEP_PENDING_BYTES)
        return false;
    s->given_count = s->given_read; /* what was read later is no more */
    s->pending[s->pending_count++] = byte;
    return true;
}

static void step_live(void *ctx, bool on)
{
    ((struct step_target *)ctx)->live = on;
}

static size_t step_vmcs(void *ctx, const char *area, char *text, size_t bytes)
{
    return vm_vmcs_text(((struct step_target *)ctx)->vm, area, text, bytes);
}

static const char *step_report(void *ctx)
{
    return vm_report(((struct step_target *)ctx)->vm);
}

/* ---- Going back ------------------------------------------------------------
 */

struct target_saved {
    struct vm_saved *vm;
    struct inspector *inspector;
    size_t given_read;
};

static void step_forget(void *ctx, struct target_saved *saved)
{
    (void)ctx;
    if (!saved)
        return;
    vm_saved_free(saved->vm);
    inspector_destroy(saved->inspector);
    free(saved);
}

static struct target_saved *step_save(void *ctx)
{
    struct step_target *s = ctx;
    struct target_saved *saved = calloc(1, sizeof *saved);
    if (!saved)
        return NULL;
    saved->vm = vm_save(s->vm);
    saved->inspector = inspector_copy(s->inspector);
    saved->given_read = s->given_read;
    if (saved->vm && saved->inspector)
        return saved;
    if (saved->vm)
        vm_saved_free(saved->vm);
    inspector_destroy(saved->inspector);
    free(saved);
    return NULL;
}

static bool step_restore(void *ctx, const struct target_saved *saved)
{
    struct step_target *s = ctx;
    if (!vm_restore(s->vm, saved->vm))
        return false;
    inspector_return(s->inspector, saved->inspector);
    s->given_read = saved->given_read;
    s->stop = VM_RUNNING;
    return true;
}

static size_t step_saved_bytes(void *ctx, const struct target_saved *saved)
{
    (void)ctx;
    return vm_saved_bytes(saved->vm);
}

static const struct target_ops step_ops = {
    .run = step_run,
    .take = step_take,
    .latest = step_latest,
    .here = step_here,
    .cycles = step_cycles,
    .find = step_find,
    .type = step_type,
    .live = step_live,
    .report = step_report,
    .save = step_save,
    .restore = step_restore,
    .forget = step_forget,
    .saved_bytes = step_saved_bytes,
    .vmcs = step_vmcs,
};

bool step_target_open(struct step_target *t, struct vm_config *config,
                      const char *who, int *status)
{
    char *error = NULL;

    config->serial_output = put;
    config->serial_input = get;
    config->idle = idle;
    config->ctx = t;
    t->target = (struct target){&step_ops, t};
    t->vm = vm_create(config, &error, status);
    if (t->vm) {
        *status = STATUS_INTERNAL;
        t->inspector = inspector_create(t->vm);
    }
    if (!t->inspector)
        cli_error(who, "%s", error ? error : "out of memory");
    free(error);
    return t->inspector != NULL;
}

void step_target_close(struct step_target *t)
{
    inspector_destroy(t->inspector);
    t->inspector = NULL;
    if (t->vm)
        vm_destroy(t->vm);
    free(t->given);
}
