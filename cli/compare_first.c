/* SPDX-License-Identifier: MIT */
/* The first instruction whose effect two techniques disagree on.
 *
 * A guest is created anew and does again what it did, so nothing need be kept
 * while it runs. Between the last point at which the states were equal and the
 * one at which they were not, halves are tried from a saved state, and the last
 * stretch is stepped.
 */
#include "cli/cli.h"
#include "cli/compare_vm.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "vmm/inspect.h"

#include <stdlib.h>
#include <string.h>

enum {
    STRETCH = 32,       /* cycles that are stepped rather than halved */
    STEPS_MOST = 4096,  /* instructions that are stepped, in all */
    EVENTS_MOST = 4096, /* steps that one instruction may take */
};

struct side {
    struct compared_vm v;
    struct vm_saved *saved; /* at search.good */
    struct trace_sink sink;
    unsigned interrupts;
};

struct search {
    struct side peer, mine;
    uint64_t good, bad; /* equal; a limit behind which they are not */
    const char *name;   /* mine, for the progress */
};

static void count_interrupts(void *ctx, const struct event *e)
{
    struct side *s = ctx;

    s->interrupts += (e->kind == EV_INJECT || e->kind == EV_DELIVER) &&
                     e->text && strcmp(e->text, "interrupt") == 0;
}

static bool open_side(struct side *s, const struct guest *guest,
                      const struct run_options *o, const struct technique *t)
{
    if (compared_open(&s->v, guest, o, t, NULL) != STATUS_OK)
        return false;
    s->sink = (struct trace_sink){.event = count_interrupts, .ctx = s};
    trace_attach(vm_trace(s->v.vm), &s->sink);
    return true;
}

static void close_side(struct side *s)
{
    vm_saved_free(s->saved);
    compared_close(&s->v);
}

static bool keep(struct side *s)
{
    vm_saved_free(s->saved);
    s->saved = vm_save(s->v.vm);
    return s->saved != NULL;
}

static bool keep_good(struct search *s)
{
    s->good = vm_cycles(s->peer.v.vm);
    return keep(&s->peer) && keep(&s->mine);
}

static bool go_back(struct search *s)
{
    return vm_restore(s->peer.v.vm, s->peer.saved) &&
           vm_restore(s->mine.v.vm, s->mine.saved);
}

static bool equal_now(struct search *s, struct state_difference *d)
{
    return compared_align(&s->peer.v, &s->mine.v) &&
           state_everything(s->peer.v.vm, s->mine.v.vm, d);
}

static void say_progress(const struct search *s)
{
    progress_say("where %s parts: between %llu and %llu cycles", s->name,
                 (unsigned long long)s->good, (unsigned long long)s->bad);
}

/* Halve the interval. False: no memory, or a signal. */
static bool halve(struct search *s)
{
    struct state_difference d;

    while (s->bad - s->good > STRETCH) {
        uint64_t middle = s->good + (s->bad - s->good) / 2;

        if (cli_interrupted)
            return false;
        say_progress(s);
        compared_run(&s->peer.v, middle);
        compared_run(&s->mine.v, middle);
        if (!equal_now(s, &d))
            s->bad = middle;
        else if (!keep_good(s))
            return false;
        if (s->good >= s->bad)
            break;
        if (s->bad == middle && !go_back(s))
            return false;
    }
    return go_back(s);
}

/* One instruction, with all that the VMM does about it. False: it ended. */
static bool step(struct side *s)
{
    const struct vm_limit one = {.one_instruction = true};
    uint64_t before = vm_cycles(s->v.vm);

    for (unsigned i = 0; i < EVENTS_MOST; i++)
        if (vm_run(s->v.vm, &one) != VM_RUNNING)
            return false;
        else if (vm_cycles(s->v.vm) != before)
            return true;
    return false;
}

/* Both to the next virtual time that they have in common. */
static bool step_both(struct search *s)
{
    bool going = step(&s->peer) && step(&s->mine);

    for (unsigned i = 0; going && i < EVENTS_MOST; i++) {
        uint64_t a = vm_cycles(s->peer.v.vm), b = vm_cycles(s->mine.v.vm);

        if (a == b)
            return true;
        going = step(a < b ? &s->peer : &s->mine);
    }
    return false;
}

static void note_instruction(struct search *s, struct inspector *inspector,
                             struct divergence *d)
{
    static struct inspection now; /* large */
    const struct inspect_request request = {0};

    inspector_take(inspector, &request, &now);
    d->cycles = vm_cycles(s->peer.v.vm);
    d->eip = now.guest.eip;
    compare_copy_printable(d->place, sizeof d->place, now.place);
    snprintf(d->text, sizeof d->text, "%s",
             now.current < now.code_count ? now.code[now.current].text : "?");
}

static void walk(struct search *s, struct inspector *inspector,
                 struct divergence *d)
{
    for (unsigned i = 0; i < STEPS_MOST && !cli_interrupted; i++) {
        unsigned a = s->peer.interrupts, b = s->mine.interrupts;

        note_instruction(s, inspector, d);
        if (step_both(s) &&
            state_everything(s->peer.v.vm, s->mine.v.vm, &d->after))
            continue;
        d->found = true;
        d->interrupt = s->peer.interrupts - a != s->mine.interrupts - b;
        if (!d->after.differs)
            state_registers(s->peer.v.vm, s->mine.v.vm, &d->after);
        return;
    }
}

static void search(struct search *s, struct divergence *d)
{
    struct inspector *inspector = NULL;

    say_progress(s);
    if (s->good > 0) { /* a limit of 0 is none */
        compared_run(&s->peer.v, s->good);
        compared_run(&s->mine.v, s->good);
    }
    if (equal_now(s, &d->after) && keep_good(s) && halve(s))
        inspector = inspector_create(s->peer.v.vm);
    if (inspector)
        walk(s, inspector, d);
    inspector_destroy(inspector);
}

void compare_find_first(struct comparison *c, const struct guest *guest,
                        const struct run_options *o)
{
    for (size_t i = 0; i < c->count && !cli_interrupted; i++) {
        struct state_check *check = &c->outcome[i].state;
        struct search s = {.good = check->equal_cycles,
                           .bad = check->different_cycles};

        if (check->verdict != STATE_DIFFERS)
            continue;
        s.name = c->technique[i].name;
        if (open_side(&s.peer, guest, o, &c->technique[check->peer]) &&
            open_side(&s.mine, guest, o, &c->technique[i]))
            search(&s, &check->first);
        if (check->first.found && check->first.interrupt)
            check->verdict = STATE_SHIFTED;
        close_side(&s.peer);
        close_side(&s.mine);
    }
}
