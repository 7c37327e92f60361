/* SPDX-License-Identifier: MIT */
/* traps/bt_view.c - translations to look at: units, and what was emitted. */
#include "traps/bt_priv.h"

/* ---- units
 * --------------------------------------------------------------------- */

static void view_of(const struct bt *bt, uint32_t unit,
                    struct bt_unit_view *view)
{
    const struct bt_unit *u = &bt->units[unit];

    *view = (struct bt_unit_view){
        .unit = unit,
        .guest = u->eip,
        .guest_bytes = u->guest_bytes,
        .cache = bt_linear(bt, BT_PAGE_CACHE, u->cache),
        .cache_bytes = u->cache_bytes,
        .instructions = u->instructions,
    };
}

bool bt_unit_at(struct monitor *mon, uint32_t linear, struct bt_unit_view *view)
{
    struct bt *bt = bt_of(mon);
    uint32_t unit = bt_find(bt, linear);

    for (uint32_t i = bt->unit_count; i-- && unit == NONE;) {
        const struct bt_unit *u = &bt->units[i];

        if (!u->dead && linear - u->eip < u->guest_bytes)
            unit = i;
    }
    if (unit == NONE)
        return false;
    view_of(bt, unit, view);
    return true;
}

bool bt_unit_next(struct monitor *mon, uint32_t from, uint32_t end,
                  struct bt_unit_view *view)
{
    struct bt *bt = bt_of(mon);
    uint32_t best = NONE;

    for (uint32_t i = 0; i < bt->unit_count; i++) {
        const struct bt_unit *u = &bt->units[i];

        if (!u->dead && u->eip >= from && u->eip < end &&
            (best == NONE || u->eip < bt->units[best].eip))
            best = i;
    }
    if (best == NONE)
        return false;
    view_of(bt, best, view);
    return true;
}

/* ---- where a branch of the cache leads
 * ----------------------------------------- */

/* The call of the monitor at a cache offset; NULL: there is none. */
static const struct bt_site *site_at(struct monitor *mon, uint32_t cache)
{
    struct bt *bt = bt_of(mon);
    uint8_t code[5] = {0};
    uint32_t n;

    bt_cache_read(mon, bt_linear(bt, BT_PAGE_CACHE, cache), code, sizeof code);
    memcpy(&n, code + 1, sizeof n);
    return code[0] == 0xCC && n < bt->site_count ? &bt->sites[n] : NULL;
}

static void lead_to(struct monitor *mon, uint32_t linear, struct bt_piece *p)
{
    struct bt *bt = bt_of(mon);
    uint32_t offset = linear - bt_linear(bt, BT_PAGE_CACHE, 0), unit, point;
    const struct bt_site *s = site_at(mon, offset);

    if (s && (s->callout == CALLOUT_LINK || s->callout == CALLOUT_STALE)) {
        p->target = BT_TO_NOTHING;
        p->target_guest = s->eip;
    } else if (!bt_locate(bt, offset, &unit, &point)) {
        p->target = BT_TO_LOOKUP;
    } else if (bt->points[point].note & NOTE_START) {
        p->target = BT_TO_UNIT;
        p->target_guest = bt->units[unit].eip + bt->points[point].guest;
    } else {
        p->target = BT_TO_HERE;
    }
}

/* ---- pieces
 * -------------------------------------------------------------------- */

enum { CALLOUT_BYTES = 5 };

/* One emitted instruction of a unit, at an offset in it. */
static void piece_at(struct monitor *mon, const struct bt_unit *u,
                     const struct bt_point *point, uint32_t at,
                     struct bt_piece *p)
{
    struct bt *bt = bt_of(mon);
    uint32_t linear = bt_linear(bt, BT_PAGE_CACHE, u->cache + at);
    struct insn insn;

    *p = (struct bt_piece){
        .guest = u->eip + point->guest,
        .cache = linear,
        .length = 1,
        .kind = (uint8_t)(point->note >> NOTE_KIND_SHIFT),
        .first = at == point->cache && (point->note & NOTE_START),
    };
    bt_cache_read(mon, linear, p->bytes, sizeof p->bytes);
    if (p->bytes[0] == 0xCC) {
        p->length = CALLOUT_BYTES;
        p->target = BT_TO_MONITOR;
        return;
    }
    if (!decode(p->bytes, sizeof p->bytes, true, &insn))
        return;
    p->length = insn.length;
    if (insn.flow == FLOW_JUMP || insn.flow == FLOW_BRANCH)
        lead_to(mon, decode_target(&insn, linear), p);
}

size_t bt_unit_pieces(struct monitor *mon, uint32_t unit, struct bt_piece *out,
                      size_t count)
{
    struct bt *bt = bt_of(mon);
    const struct bt_unit *u = &bt->units[unit];
    size_t n = 0;

    for (uint32_t i = 0; i < u->points; i++) {
        const struct bt_point *p = &bt->points[u->first_point + i];
        uint32_t end = i + 1 < u->points ? p[1].cache : u->cache_bytes;

        for (uint32_t at = p->cache; at < end && n < count;
             at += out[n++].length)
            piece_at(mon, u, p, at, &out[n]);
    }
    return n;
}

/* ---- the monitor's own words
 * ----------------------------------------------------- */

const char *bt_word_name(struct monitor *mon, uint32_t linear)
{
    static const char *const state[] = {
        [STATE_CR0] = "virtual CR0",   [STATE_CR3] = "virtual CR3",
        [STATE_CR4] = "virtual CR4",   [STATE_ODD] = "other flags",
        [STATE_BIAS] = "virtual IOPL", [STATE_CS] = "virtual CS",
        [STATE_SS] = "virtual SS",
    };
    static const char *const scratch[] = {
        [SCRATCH_EAX] = "saved EAX",   [SCRATCH_ECX] = "saved ECX",
        [SCRATCH_TARGET] = "target",   [SCRATCH_CACHE] = "its unit",
        [SCRATCH_CR2] = "virtual CR2", [SCRATCH_IMAGE] = "image",
    };
    struct bt *bt = bt_of(mon);
    uint32_t word = (linear & PAGE_MASK) / 4;

    switch ((linear - bt_linear(bt, 0, 0)) / PAGE_BYTES) {
    case BT_PAGE_STATE:
        if (linear >= bt_linear(bt, BT_PAGE_STATE, STATE_RPL))
            return "RPL table";
        return word < sizeof state / sizeof *state ? state[word] : NULL;
    case BT_PAGE_FLAG: return word ? NULL : "virtual IF";
    case BT_PAGE_SCRATCH:
        return word < sizeof scratch / sizeof *scratch ? scratch[word] : NULL;
    default: return NULL;
    }
}

/* ---- one instruction ---------------------------------------------------- */

/* Translated for the look of it, and forgotten. */
int bt_kind_of(struct monitor *mon, const struct insn *insn,
               const uint8_t *bytes, uint32_t at)
{
    struct bt *bt = bt_of(mon);
    struct bt_emit *e = bt->emit;
    uint32_t sites = bt->site_count;

    if (!mon->dirty)
        monitor_capture(mon);
    if (!bt_in_cache(mon))
        return -1;
    e->mon = mon;
    e->eip = at;
    e->unit = bt->unit_count;
    e->cache = bt->used;
    e->bytes = e->points = e->refs = e->owns = 0;
    e->shadow = false;
    bt_emit_insn(e, insn, bytes, at);
    bt->site_count = sites;
    return e->points ? e->point[0].note >> NOTE_KIND_SHIFT : -1;
}

/* ---- translating without executing
 * ----------------------------------------------- */

bool bt_translate_only(struct monitor *mon, uint32_t eip)
{
    struct bt *bt = bt_of(mon);
    struct fault f;
    uint32_t unit;

    if (!mon->dirty)
        monitor_capture(mon);
    return (mon->v.cr0 & CR0_PE) && bt->base == descriptors_linear(mon, 0) &&
           bt_translate(mon, eip, NONE, &unit, &f) == BT_OK;
}
