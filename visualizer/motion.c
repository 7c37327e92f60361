/* SPDX-License-Identifier: MIT */
/* visualizer/motion.c - moving the guest, forward and back.
 *
 * Long runs are made of slices, so that a key can stop them and the screen can
 * follow. How a run is cut into slices changes nothing in the guest.
 */
#include <string.h>

#include "visualizer/event_text.h"
#include "visualizer/session.h"

enum {
    SLICE_CYCLES = 10000000,
    SLICE_STEPS = 500, /* when every instruction is looked at */
    SEEN_EVENTS = 64,
};

/* Looked at after each piece of a run; true ends it. */
typedef bool stop_here(struct session *s, const void *wanted);

static uint64_t now(const struct session *s)
{
    return s->target->ops->cycles(s->target->ctx);
}

static enum vm_stop run(struct session *s, struct vm_limit limit)
{
    limit.interrupted = s->interrupted;
    return s->target->ops->run(s->target->ctx, &limit);
}

static void begin(struct session *s)
{
    if (s->interrupted)
        *s->interrupted = false;
    s->ui.code_cursor = 0;
    s->ui.log_cursor = 0;
    s->ui.console_back = 0;
    s->ui.vga_down = 0;
    s->ui.running = true;
    history_note(&s->history, s->target, now(s), s->in->seq);
}

/* Between two slices: must the run end? Shows it, when that is due. */
static bool pause_wanted(struct session *s)
{
    if (s->interrupted && *s->interrupted)
        return true;
    if (s->front.key_waiting && s->front.key_waiting(s->front.ctx)) {
        if (!s->ui.typing)
            s->front.drop_key(s->front.ctx);
        return true;
    }
    if (s->front.redraw_due && s->front.redraw_due(s->front.ctx)) {
        session_take(s);
        session_draw(s);
    }
    struct event last;
    if (s->target->ops->latest(s->target->ctx, &last, 1))
        history_note(&s->history, s->target, now(s), last.seq);
    return false;
}

static void finish(struct session *s, enum vm_stop stop)
{
    s->ui.running = false;
    session_take(s);
    if (now(s) > s->history.furthest)
        s->history.furthest = now(s);
    s->ui.past = now(s) < s->history.furthest;
    if (stop != VM_RUNNING) {
        const char *report = s->target->ops->report(s->target->ctx);
        session_say(s, "The guest has ended. %s", report ? report : "");
    } else if (s->interrupted && *s->interrupted) {
        session_say(s, "Stopped.");
    }
}

static void already_ended(struct session *s)
{
    const char *report = s->target->ops->report(s->target->ctx);
    session_say(s, "The guest has ended%s %s",
                s->history.count ? " (S and T go back)." : ".",
                report ? report : "");
}

static bool ended(struct session *s)
{
    if (s->in->stop == VM_RUNNING)
        return false;
    already_ended(s);
    return true;
}

void session_step(struct session *s, unsigned count)
{
    enum vm_stop stop = VM_RUNNING;
    if (ended(s))
        return;
    begin(s);
    for (unsigned i = 0; i < count && stop == VM_RUNNING; i++) {
        stop = run(s, (struct vm_limit){.one_instruction = true});
        if (i % SLICE_STEPS == SLICE_STEPS - 1 && pause_wanted(s))
            break;
    }
    finish(s, stop);
}

/* Is there an event after *seq that the filter lets through? */
static bool saw_trap(struct session *s, uint64_t since)
{
    struct event events[SEEN_EVENTS];
    size_t n = s->target->ops->latest(s->target->ctx, events, SEEN_EVENTS);
    for (size_t i = 0; i < n; i++)
        if (events[i].seq > since && event_passes(&events[i], s->ui.filter))
            return true;
    return false;
}

static uint64_t last_seq(struct session *s)
{
    struct event last;
    return s->target->ops->latest(s->target->ctx, &last, 1) ? last.seq : 0;
}

void session_trap(struct session *s, unsigned count)
{
    enum vm_stop stop = VM_RUNNING;
    uint32_t mask = event_filter_mask(s->ui.filter);
    bool pause = false;
    if (ended(s))
        return;
    begin(s);
    for (unsigned i = 0; i < count && stop == VM_RUNNING && !pause; i++) {
        uint64_t since = last_seq(s);
        do {
            stop = run(s, (struct vm_limit){.event_mask = mask,
                                            .cycles = now(s) + SLICE_CYCLES});
            if (saw_trap(s, since))
                break;
            pause = pause_wanted(s);
        } while (stop == VM_RUNNING && !pause);
    }
    finish(s, stop);
}

static bool at_breakpoint(struct session *s)
{
    uint32_t here = s->target->ops->here(s->target->ctx);
    for (unsigned i = 0; i < s->ui.breakpoint_count; i++)
        if (s->ui.breakpoints[i] == here)
            return true;
    return false;
}

/* One instruction after the other, until an address or a breakpoint. */
static enum vm_stop run_watched(struct session *s, bool has_address,
                                uint32_t address)
{
    enum vm_stop stop;
    unsigned steps = 0;
    for (;;) {
        stop = run(s, (struct vm_limit){.one_instruction = true});
        if (stop != VM_RUNNING)
            return stop;
        if (has_address && s->target->ops->here(s->target->ctx) == address)
            return stop;
        if (at_breakpoint(s)) {
            session_say(s, "Breakpoint.");
            return stop;
        }
        if (++steps % SLICE_STEPS == 0 && pause_wanted(s))
            return stop;
    }
}

void session_continue(struct session *s)
{
    enum vm_stop stop = VM_RUNNING;
    if (ended(s))
        return;
    begin(s);
    if (s->ui.breakpoint_count)
        stop = run_watched(s, false, 0);
    else
        do
            stop = run(s, (struct vm_limit){.cycles = now(s) + SLICE_CYCLES});
        while (stop == VM_RUNNING && !pause_wanted(s));
    finish(s, stop);
}

void session_run_cycles(struct session *s, uint64_t cycles)
{
    enum vm_stop stop = VM_RUNNING;
    uint64_t end = now(s) + cycles;
    if (ended(s))
        return;
    begin(s);
    while (stop == VM_RUNNING && now(s) < end) {
        uint64_t slice = now(s) + SLICE_CYCLES;
        stop = run(s, (struct vm_limit){.cycles = slice < end ? slice : end});
        if (pause_wanted(s))
            break;
    }
    finish(s, stop);
}

void session_until_address(struct session *s, uint32_t address)
{
    if (ended(s))
        return;
    begin(s);
    finish(s, run_watched(s, true, address));
}

void session_until_event(struct session *s, uint64_t seq)
{
    enum vm_stop stop = VM_RUNNING;
    if (seq <= s->in->seq) {
        if (seq == 0 ||
            !history_return(&s->history, s->target, UINT64_MAX, seq)) {
            session_say(s, "#%llu is before the first state that is kept.",
                        (unsigned long long)seq);
            return;
        }
    } else if (ended(s)) {
        return;
    }
    begin(s);
    do
        stop = run(s, (struct vm_limit){.events = seq,
                                        .cycles = now(s) + SLICE_CYCLES});
    while (stop == VM_RUNNING && last_seq(s) < seq && !pause_wanted(s));
    finish(s, stop);
}

/* Back to a kept state before end, then forward to window cycles before it.
 * False: nothing is kept. *all: there is nothing before that place. */
static bool replay(struct session *s, uint64_t end, uint64_t window, bool *all)
{
    if (!history_return(&s->history, s->target, end, 0))
        return false;
    *all = end <= window || now(s) >= end - window;
    if (!*all)
        run(s, (struct vm_limit){.cycles = end - window});
    return true;
}

void session_step_back(struct session *s, unsigned count)
{
    const uint64_t end = now(s);
    uint64_t window = 2000 + 100 * (uint64_t)count;
    unsigned steps, most = 1000000 + count;
    bool all = false;

    do {
        window *= 8;
        if (!replay(s, end, window, &all)) {
            session_say(s, "There is nothing before this instruction.");
            return;
        }
        for (steps = 0; now(s) < end && steps < most; steps++)
            if (run(s, (struct vm_limit){.one_instruction = true}) !=
                VM_RUNNING)
                break;
    } while (steps < count && !all);
    replay(s, end, window, &all);
    begin(s);
    for (unsigned i = count; i < steps; i++)
        run(s, (struct vm_limit){.one_instruction = true});
    finish(s, VM_RUNNING);
}

void session_trap_back(struct session *s, unsigned count)
{
    const uint64_t end = now(s);
    struct inspection *in = s->in;

    for (unsigned i = in->event_count; i > 0; i--) {
        const struct event *e = &in->events[i - 1];
        if (!event_passes(e, s->ui.filter) || e->cycles > end ||
            (count > 1 && count-- > 1))
            continue;
        if (!history_return(&s->history, s->target, UINT64_MAX, e->seq))
            break;
        run(s, (struct vm_limit){.events = e->seq});
        if (now(s) >= end) /* that is where we came from */
            continue;
        begin(s);
        finish(s, VM_RUNNING);
        return;
    }
    if (now(s) < end)
        run(s, (struct vm_limit){.cycles = end});
    session_say(s, "No trap before this one is in the log.");
}

bool session_toggle_break(struct session *s, uint32_t address)
{
    struct ui *ui = &s->ui;
    for (unsigned i = 0; i < ui->breakpoint_count; i++) {
        if (ui->breakpoints[i] != address)
            continue;
        ui->breakpoints[i] = ui->breakpoints[--ui->breakpoint_count];
        session_say(s, "No breakpoint at %08X any more.", address);
        return true;
    }
    if (ui->breakpoint_count == UI_BREAKPOINTS) {
        session_say(s, "There are %d breakpoints, that is all there can be.",
                    UI_BREAKPOINTS);
        return false;
    }
    ui->breakpoints[ui->breakpoint_count++] = address;
    session_say(s,
                "Breakpoint at %08X; c stops there (it runs step by step, "
                "slowly).",
                address);
    return true;
}
