/* SPDX-License-Identifier: MIT */
/* traps/bt_translate.c - guest code to units.
 *
 * A unit is a straight piece of guest code: it ends at the first jump that is
 * always taken, call, return, or after a number of instructions. Where it
 * leads to is translated along with it, as far as that is known code, and
 * linked before it ever runs: the processor, too, translates what it executes,
 * and would do so again for each link that is patched in later.
 */
#include <stdlib.h>

#include "traps/bt_priv.h"

enum {
    AHEAD_UNITS = 8,
    BATCH_REFS = 4 * AHEAD_UNITS + 64,
    UNIT_BYTES = 2048, /* a unit stays in a page: no longer than about this */
    STUB_BYTES = 5,
};

/* A direct jump whose target has no translation yet. */
struct open_ref {
    uint32_t at; /* cache offset of its displacement */
    uint32_t target, back;
};

/* What is to be translated along. */
struct start {
    uint32_t eip, back;
};

struct batch {
    struct monitor *mon;
    struct start todo[BATCH_REFS];
    unsigned todo_count;
    struct open_ref ref[BATCH_REFS + EMIT_REFS];
    unsigned refs;
};

/* ---- reading ----------------------------------------------------------------
 */

/* The instruction at an address. pages: where it lies. Returns false when it
 * cannot be had: f, for the real one. */
static bool fetch(struct monitor *mon, uint32_t at, bool real,
                  struct insn *insn, uint8_t bytes[INSN_MAX_LENGTH],
                  uint32_t pages[2], struct fault *f)
{
    uint32_t offset = at & PAGE_MASK, room = PAGE_BYTES - offset;
    size_t n = room < INSN_MAX_LENGTH ? room : INSN_MAX_LENGTH;

    pages[0] = bt_page_fetch(mon, at, real, f);
    pages[1] = NONE;
    if (pages[0] == NONE)
        return false;
    memcpy(bytes, bt_page_bytes(mon, pages[0]) + offset, n);
    if (decode(bytes, n, true, insn) || insn->status != DECODE_TRUNCATED)
        return true;
    pages[1] = bt_page_fetch(mon, at + room, real, f);
    if (pages[1] == NONE)
        return false;
    memcpy(bytes + n, bt_page_bytes(mon, pages[1]), INSN_MAX_LENGTH - n);
    decode(bytes, INSN_MAX_LENGTH, true, insn);
    return true;
}

/* An instruction that the processor refuses: by #UD, or #GP for its length. */
static void as_refused(struct insn *insn)
{
    if (insn->status == DECODE_OK)
        return;
    insn->flow = insn->status == DECODE_TOO_LONG ? FLOW_STOP : FLOW_UNDEFINED;
    insn->length = 1;
    insn->id = INSN_OTHER;
    insn->cls = CLASS_NONE;
}

/* ---- one unit
 * ---------------------------------------------------------------- */

static bool grow(void **array, uint32_t *room, uint32_t need, size_t size)
{
    uint32_t more = *room ? *room : 1024;
    void *p;

    while (more < need)
        more *= 2;
    if (more == *room)
        return true;
    p = realloc(*array, more * size);
    if (!p)
        return false;
    *array = p;
    *room = more;
    return true;
}

static bool room_for(struct bt *bt)
{
    return bt_cache_fits(bt, 8 * PAGE_BYTES) &&
           bt->unit_count < EIP_SLOTS / 2 &&
           grow((void **)&bt->units, &bt->unit_room, bt->unit_count + 1,
                sizeof *bt->units) &&
           grow((void **)&bt->points, &bt->point_room,
                bt->point_count + EMIT_POINTS, sizeof *bt->points);
}

static bool same_pages(const uint32_t have[2], const uint32_t more[2])
{
    for (unsigned i = 0; i < 2; i++)
        if (more[i] != NONE && more[i] != have[0] && more[i] != have[1] &&
            have[1] != NONE)
            return false;
    return true;
}

static void add_pages(uint32_t have[2], const uint32_t more[2])
{
    for (unsigned i = 0; i < 2; i++)
        if (more[i] != NONE && more[i] != have[0] && more[i] != have[1])
            have[have[0] == NONE ? 0 : 1] = more[i];
}

/* Emit guest code from e->eip on. False: the first instruction cannot be had.
 */
static bool emit_unit(struct bt_emit *e, bool real, uint32_t pages[2],
                      uint32_t *end, unsigned *count, struct fault *f)
{
    struct bt *bt = bt_of(e->mon);
    unsigned limit =
        bt->config.unit_limit ? bt->config.unit_limit : BT_UNIT_LIMIT;
    uint32_t at = e->eip;
    bool on = true;

    for (*count = 0; on; ++*count) {
        uint8_t bytes[INSN_MAX_LENGTH];
        uint32_t from[2];
        struct insn insn;
        bool have;

        if (*count && !e->shadow &&
            (*count >= limit || e->bytes >= UNIT_BYTES ||
             bt_find(bt, at) != NONE))
            break;
        have = fetch(e->mon, at, real && !*count, &insn, bytes, from, f);
        if (!have && !*count)
            return false;
        if (!have || !same_pages(pages, from))
            break;
        add_pages(pages, from);
        as_refused(&insn);
        on = bt_emit_insn(e, &insn, bytes, at);
        at += insn.length;
    }
    *end = at;
    if (on)
        bt_emit_jump(e, at, at);
    return true;
}

/* The same, so that it ends in the page where it begins: at most twice. */
static bool emit_in_page(struct bt_emit *e, struct monitor *mon,
                         struct start start, bool real, uint32_t pages[2],
                         uint32_t *end, unsigned *count, struct fault *f)
{
    struct bt *bt = bt_of(mon);
    uint32_t sites;

    for (uint32_t need = STUB_BYTES;; need = PAGE_BYTES / 2) {
        bt_cache_room(mon, need);
        sites = bt->site_count;
        e->mon = mon;
        e->eip = start.eip;
        e->back = start.back;
        e->unit = bt->unit_count;
        e->cache = bt->used;
        e->bytes = e->points = e->refs = e->owns = 0;
        e->shadow = false;
        pages[0] = pages[1] = NONE;
        if (!emit_unit(e, real, pages, end, count, f))
            return false;
        if (e->bytes <= PAGE_BYTES - (e->cache & PAGE_MASK))
            return true;
        bt->site_count = sites;
        bt->used = (bt->used | PAGE_MASK) + 1; /* the page is full */
    }
}

static void keep(struct monitor *mon, const uint32_t pages[2], uint32_t end,
                 unsigned count)
{
    struct bt *bt = bt_of(mon);
    struct bt_emit *e = bt->emit;
    struct bt_unit *u = &bt->units[e->unit];

    while (e->bytes < STUB_BYTES)
        e->code[e->bytes++] = 0xCC; /* room for a stale entry's callout */
    *u = (struct bt_unit){.eip = e->eip,
                          .guest_bytes = end - e->eip,
                          .cache = e->cache,
                          .cache_bytes = e->bytes,
                          .first_point = bt->point_count,
                          .points = e->points,
                          .page = {NONE, NONE},
                          .next = {NONE, NONE},
                          .back = e->back,
                          .instructions = (uint16_t)count};
    memcpy(bt->points + bt->point_count, e->point,
           e->points * sizeof *e->point);
    bt->point_count += e->points;
    bt->unit_count++;
    for (unsigned i = 0; i < 2; i++)
        if (pages[i] != NONE)
            bt_page_add(bt, pages[i], e->unit, i);
    bt_cache_append(mon, e);
    bt_index(mon, e->unit);
    mon->trace->count.bt_units++;
    mon->trace->count.bt_guest_insns += count;
    mon->trace->count.bt_bytes += e->bytes;
}

/* A jump back into the unit itself needs no other. */
static bool link_within(struct bt_emit *e, struct bt_ref ref)
{
    uint32_t offset = ref.target - e->eip;

    for (unsigned i = 0; i < e->points; i++) {
        const struct bt_point *p = &e->point[i];
        uint32_t displacement = p->cache - (ref.at + 4u);

        if (p->guest != offset ||
            (p->note & (NOTE_START | NOTE_SHADOW)) != NOTE_START)
            continue;
        memcpy(e->code + ref.at, &displacement, sizeof displacement);
        return true;
    }
    return false;
}

static void translate_too(struct batch *b, uint32_t eip, uint32_t back)
{
    if (bt_has(bt_of(b->mon), BT_AHEAD) && b->todo_count < BATCH_REFS)
        b->todo[b->todo_count++] = (struct start){eip, back};
}

static void open_refs(struct batch *b)
{
    struct bt *bt = bt_of(b->mon);
    struct bt_emit *e = bt->emit;
    bool chain = bt_has(bt, BT_CHAIN);

    for (unsigned i = 0; i < e->refs; i++) {
        if (chain && link_within(e, e->ref[i]))
            continue;
        b->ref[b->refs++] = (struct open_ref){e->cache + e->ref[i].at,
                                              e->ref[i].target, e->ref[i].back};
        translate_too(b, e->ref[i].target, e->ref[i].back);
    }
}

static struct bt_return *return_of(struct bt *bt, uint32_t eip)
{
    return &bt->returns[eip % RETURN_SLOTS];
}

static enum bt_result one_unit(struct batch *b, struct start start, bool real,
                               uint32_t *unit, struct fault *f)
{
    struct bt *bt = bt_of(b->mon);
    struct bt_emit *e = bt->emit;
    uint32_t pages[2], end;
    unsigned count;

    if (!room_for(bt))
        return BT_NO_ROOM;
    if (start.back == NONE && return_of(bt, start.eip)->eip == start.eip)
        start.back = return_of(bt, start.eip)->back;
    if (!emit_in_page(e, b->mon, start, real, pages, &end, &count, f))
        return BT_FAULT;
    open_refs(b);
    /* A call comes back to behind it, most likely. */
    if (e->points && (e->point[e->points - 1].note & NOTE_PUSHED)) {
        *return_of(bt, end) = (struct bt_return){end, e->back};
        translate_too(b, end, e->back);
    }
    *unit = e->unit;
    keep(b->mon, pages, end, count);
    return BT_OK;
}

/* ---- linking
 * ------------------------------------------------------------------ */

static void set_displacement(struct monitor *mon, uint32_t at, uint32_t to)
{
    uint32_t displacement = to - (at + 4);

    bt_cache_write(mon, at, &displacement, sizeof displacement);
}

/* A way to the translator, which links the jump when the target is known. */
static void link_out(struct monitor *mon, const struct open_ref *r)
{
    struct bt *bt = bt_of(mon);
    uint8_t code[STUB_BYTES] = {0xCC};
    struct bt_unit *u;
    uint32_t n, at;

    bt_cache_room(mon, sizeof code);
    at = bt->used;
    n = bt_site_new(bt, CALLOUT_LINK, r->target);
    if (n == NONE)
        return;
    bt->sites[n].patch = bt_has(bt, BT_CHAIN) ? r->at : NONE;
    memcpy(code + 1, &n, sizeof n);
    bt_cache_write(mon, at, code, sizeof code);
    bt->used += sizeof code;
    /* A unit of its own, with one point. */
    u = &bt->units[bt->unit_count++];
    *u = (struct bt_unit){.eip = r->target,
                          .cache = at,
                          .cache_bytes = sizeof code,
                          .first_point = bt->point_count,
                          .points = 1,
                          .page = {NONE, NONE},
                          .next = {NONE, NONE},
                          .back = r->back,
                          .dead = true};
    bt->points[bt->point_count++] =
        (struct bt_point){0, 0, NOTE_START | BT_LINK << NOTE_KIND_SHIFT};
    set_displacement(mon, r->at, at);
}

static bool link_all(struct batch *b)
{
    struct bt *bt = bt_of(b->mon);

    for (unsigned i = 0; i < b->refs; i++) {
        uint32_t to = bt_find(bt, b->ref[i].target);

        if (to != NONE && bt_has(bt, BT_CHAIN)) {
            set_displacement(b->mon, b->ref[i].at, bt->units[to].cache);
            continue;
        }
        if (!grow((void **)&bt->units, &bt->unit_room, bt->unit_count + 1,
                  sizeof *bt->units) ||
            !grow((void **)&bt->points, &bt->point_room, bt->point_count + 1,
                  sizeof *bt->points))
            return false;
        link_out(b->mon, &b->ref[i]);
    }
    return true;
}

enum bt_result bt_translate(struct monitor *mon, uint32_t eip, uint32_t back,
                            uint32_t *unit, struct fault *f)
{
    struct bt *bt = bt_of(mon);
    struct batch b = {.mon = mon};
    uint32_t first = bt->used, other;
    enum bt_result result =
        one_unit(&b, (struct start){eip, back}, true, unit, f);
    struct fault ignored;

    if (result != BT_OK)
        return result;
    for (unsigned i = 0;
         i < b.todo_count && i < AHEAD_UNITS && b.refs <= BATCH_REFS; i++)
        if (bt_find(bt, b.todo[i].eip) == NONE &&
            one_unit(&b, b.todo[i], false, &other, &ignored) == BT_NO_ROOM)
            break;
    if (!link_all(&b))
        return BT_NO_ROOM;
    /* The last page may have run before: its translations are dropped. */
    for (uint32_t at = first; at < bt->used; at = (at | PAGE_MASK) + 1) {
        uint32_t end = (at | PAGE_MASK) + 1;
        ma_t ma =
            MA(bt->frame[BT_PAGE_CACHE + at / PAGE_BYTES].v + (at & PAGE_MASK));

        machine_code_patched(mon->machine, ma,
                             (end < bt->used ? end : bt->used) - at);
    }
    return BT_OK;
}
