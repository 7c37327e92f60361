/* SPDX-License-Identifier: MIT */
/* trace/trace.c - the stream itself: sinks, and the ring of latest events. */
#include "trace/trace.h"

#include <stdlib.h>
#include <string.h>

void trace_init(struct trace *t, const struct trace_clock *clock)
{
    memset(t, 0, sizeof *t);
    t->clock = clock;
}

/* Sinks see an event in the order in which they were attached. */
void trace_attach(struct trace *t, struct trace_sink *sink)
{
    struct trace_sink **end = &t->sinks;

    while (*end)
        end = &(*end)->next;
    sink->next = NULL;
    *end = sink;
}

void trace_detach(struct trace *t, struct trace_sink *sink)
{
    struct trace_sink **at = &t->sinks;

    while (*at && *at != sink)
        at = &(*at)->next;
    if (*at)
        *at = sink->next;
    sink->next = NULL;
}

void trace_publish(struct trace *t, struct event *e)
{
    struct trace_sink *sink;
    struct trace_sink *next;

    e->seq = t->seq;
    e->cycles = t->clock ? t->clock->now(t->clock->ctx) : 0;
    e->vm = t->vm;
    for (sink = t->sinks; sink; sink = next) {
        next = sink->next; /* a sink may detach itself */
        sink->event(sink->ctx, e);
    }
}

struct trace_ring {
    struct trace *trace;
    struct trace_sink sink;
    size_t capacity;
    size_t next; /* where the next event goes */
    size_t used;
    struct event *events;
};

static void ring_event(void *ctx, const struct event *e)
{
    struct trace_ring *r = ctx;

    r->events[r->next] = *e;
    r->next = r->next + 1 == r->capacity ? 0 : r->next + 1;
    if (r->used < r->capacity)
        r->used++;
}

struct trace_ring *trace_ring_create(size_t capacity, struct trace *t)
{
    struct trace_ring *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->capacity = capacity ? capacity : 1;
    r->events = calloc(r->capacity, sizeof *r->events);
    if (!r->events) {
        free(r);
        return NULL;
    }
    r->trace = t;
    r->sink.event = ring_event;
    r->sink.ctx = r;
    trace_attach(t, &r->sink);
    return r;
}

void trace_ring_destroy(struct trace_ring *r)
{
    if (!r)
        return;
    trace_detach(r->trace, &r->sink);
    free(r->events);
    free(r);
}

size_t trace_ring_latest(const struct trace_ring *r, struct event *out,
                         size_t n)
{
    size_t at;

    if (n > r->used)
        n = r->used;
    at = (r->next + r->capacity - n) % r->capacity;
    for (size_t i = 0; i < n; i++) {
        out[i] = r->events[at];
        at = at + 1 == r->capacity ? 0 : at + 1;
    }
    return n;
}
