/* SPDX-License-Identifier: MIT */
/* traps/scan.c - see traps/scan.h. */
#include "traps/scan.h"

#include <stdlib.h>
#include <string.h>

/* What is known of a byte. */
enum { START = 1, MIDDLE = 2 };

struct scan {
    const struct scan_input *in;
    uint8_t **marks; /* one array for each range */
    uint32_t *todo;  /* addresses to follow */
    size_t todo_count, todo_room;
    size_t site_room;
    struct scan_result *out;
};

static bool find(const struct scan *s, uint32_t address, size_t *range,
                 uint32_t *at)
{
    for (size_t i = 0; i < s->in->range_count; i++) {
        uint32_t offset = address - s->in->ranges[i].address;
        if (offset < s->in->ranges[i].length) {
            *range = i;
            *at = offset;
            return true;
        }
    }
    return false;
}

static bool enqueue(struct scan *s, uint32_t address)
{
    size_t range;
    uint32_t at;

    if (!find(s, address, &range, &at) || (s->marks[range][at] & START))
        return true;
    if (s->todo_count == s->todo_room) {
        size_t room = s->todo_room ? s->todo_room * 2 : 256;
        uint32_t *bigger = realloc(s->todo, room * sizeof *bigger);
        if (!bigger)
            return false;
        s->todo = bigger;
        s->todo_room = room;
    }
    s->todo[s->todo_count++] = address;
    return true;
}

static bool goes_on(const struct insn *in)
{
    return in->flow != FLOW_JUMP && in->flow != FLOW_INDIRECT &&
           in->flow != FLOW_RETURN && in->flow != FLOW_UNDEFINED;
}

static bool has_target(const struct insn *in)
{
    return in->flow == FLOW_JUMP || in->flow == FLOW_BRANCH ||
           in->flow == FLOW_CALL;
}

/* An address of the image that an instruction names outright: a far transfer's
 * target, or what is pushed (the return address of a hand-made frame, where an
 * IRET or RET goes). */
enum { PUSH_IMM32 = 0x68, CALL_FAR = 0x9A, JMP_FAR = 0xEA };
static bool named_address(const uint8_t *bytes, const struct insn *in,
                          uint32_t *address)
{
    bool push = bytes[0] == PUSH_IMM32 && in->length == 5;
    bool far = (bytes[0] == CALL_FAR || bytes[0] == JMP_FAR) && in->length == 7;

    if (!push && !far)
        return false;
    memcpy(address, bytes + 1, sizeof *address);
    return true;
}

/* One path, until it leaves, ends, or meets what is known already. */
static bool follow(struct scan *s, uint32_t address)
{
    size_t range;
    uint32_t at, named;
    struct insn in;

    if (!find(s, address, &range, &at))
        return true;
    const struct scan_range *rg = &s->in->ranges[range];
    uint8_t *mark = s->marks[range];
    while (at < rg->length && !(mark[at] & START)) {
        if (!decode_flow(rg->bytes + at, rg->length - at, s->in->code32, &in))
            return true;
        mark[at] |= START;
        for (unsigned i = 1; i < in.length; i++)
            mark[at + i] |= MIDDLE;
        if (has_target(&in) &&
            !enqueue(s, decode_target(&in, rg->address + at)))
            return false;
        if (named_address(rg->bytes + at, &in, &named) && !enqueue(s, named))
            return false;
        if (!goes_on(&in))
            return true;
        at += in.length;
    }
    return true;
}

static bool traverse(struct scan *s)
{
    if (!enqueue(s, s->in->entry))
        return false;
    for (size_t i = 0; i < s->in->start_count; i++)
        if (!enqueue(s, s->in->starts[i]))
            return false;
    while (s->todo_count > 0)
        if (!follow(s, s->todo[--s->todo_count]))
            return false;
    return true;
}

static bool overlaps(const uint8_t *mark, unsigned length)
{
    if (mark[0] & MIDDLE)
        return true;
    for (unsigned i = 1; i < length; i++)
        if (mark[i] & START)
            return true;
    return false;
}

static bool add_site(struct scan *s, const struct scan_range *rg, uint32_t at,
                     const struct insn *in, bool reached, bool overlap)
{
    struct scan_result *out = s->out;

    if (in->cls == CLASS_NONE)
        return true;
    if (out->count == s->site_room) {
        size_t room = s->site_room ? s->site_room * 2 : 256;
        struct scan_site *bigger = realloc(out->sites, room * sizeof *bigger);
        if (!bigger)
            return false;
        out->sites = bigger;
        s->site_room = room;
    }
    struct scan_site *site = &out->sites[out->count++];
    *site = (struct scan_site){.address = rg->address + at,
                               .length = in->length,
                               .id = in->id,
                               .cls = in->cls,
                               .reached = reached,
                               .overlap = overlap};
    memcpy(site->bytes, rg->bytes + at, in->length);
    if (reached)
        out->total[in->cls]++;
    else
        out->maybe[in->cls]++;
    return true;
}

/* The gap [from, to) that no path has reached: one instruction after the
 * other, stepping a byte where nothing decodes. */
static bool sweep(struct scan *s, const struct scan_range *rg, uint32_t from,
                  uint32_t to)
{
    struct insn in;

    s->out->bytes_unreached += to - from;
    while (from < to) {
        if (!decode_flow(rg->bytes + from, to - from, s->in->code32, &in)) {
            s->out->bytes_undefined++;
            from++;
            continue;
        }
        if (!add_site(s, rg, from, &in, false, false))
            return false;
        from += in.length;
    }
    return true;
}

static bool collect_reached(struct scan *s, const struct scan_range *rg,
                            const uint8_t *mark, uint32_t at)
{
    struct insn in;

    decode_flow(rg->bytes + at, rg->length - at, s->in->code32, &in);
    bool overlap = overlaps(mark + at, in.length);
    s->out->instructions++;
    s->out->overlapping += overlap;
    return add_site(s, rg, at, &in, true, overlap);
}

/* In address order, so that reached and swept sites come sorted. */
static bool collect(struct scan *s, size_t range)
{
    const struct scan_range *rg = &s->in->ranges[range];
    const uint8_t *mark = s->marks[range];
    uint32_t at = 0;

    while (at < rg->length) {
        uint32_t end = at;
        while (end < rg->length && mark[end] == 0)
            end++;
        if (end > at && !sweep(s, rg, at, end))
            return false;
        for (at = end; at < rg->length && mark[at] != 0; at++) {
            s->out->bytes_reached++;
            if ((mark[at] & START) && !collect_reached(s, rg, mark, at))
                return false;
        }
    }
    return true;
}

static bool scan_all(struct scan *s)
{
    for (size_t i = 0; i < s->in->range_count; i++) {
        s->marks[i] = calloc(1, (size_t)s->in->ranges[i].length + 1);
        if (!s->marks[i])
            return false;
    }
    if (!traverse(s))
        return false;
    for (size_t i = 0; i < s->in->range_count; i++)
        if (!collect(s, i))
            return false;
    return true;
}

bool scan_image(const struct scan_input *input, struct scan_result *out)
{
    struct scan s = {.in = input, .out = out};

    memset(out, 0, sizeof *out);
    s.marks = calloc(input->range_count + 1, sizeof *s.marks);
    bool done = s.marks && scan_all(&s);
    for (size_t i = 0; s.marks && i < input->range_count; i++)
        free(s.marks[i]);
    free(s.marks);
    free(s.todo);
    if (!done)
        scan_free(out);
    return done;
}

void scan_free(struct scan_result *result)
{
    free(result->sites);
    memset(result, 0, sizeof *result);
}
