/* SPDX-License-Identifier: MIT */
/* traps/bt_cache.c - the translation cache: its memory and its units.
 *
 * The cache is filled from its start and never gives back a single unit; when
 * it is full, or moves, everything is forgotten and translated again as it is
 * needed.
 */
#include <stdlib.h>

#include "traps/bt_priv.h"

/* ---- memory ------------------------------------------------------------ */

static uint8_t *page_memory(struct monitor *mon, unsigned page)
{
    return memory_at(machine_memory(mon->machine), bt_of(mon)->frame[page]);
}

uint32_t bt_word(struct monitor *mon, unsigned page, unsigned word)
{
    uint32_t value;

    memcpy(&value, page_memory(mon, page) + 4 * word, sizeof value);
    return value;
}

void bt_set_word(struct monitor *mon, unsigned page, unsigned word,
                 uint32_t value)
{
    memcpy(page_memory(mon, page) + 4 * word, &value, sizeof value);
}

uint32_t *bt_words(struct monitor *mon, unsigned page)
{
    return (uint32_t *)(void *)page_memory(mon, page);
}

void bt_cache_write(struct monitor *mon, uint32_t offset, const void *bytes,
                    uint32_t count)
{
    const uint8_t *from = bytes;

    while (count) {
        uint32_t room = PAGE_BYTES - (offset & PAGE_MASK);
        uint32_t part = count < room ? count : room;

        memcpy(page_memory(mon, BT_PAGE_CACHE + offset / PAGE_BYTES) +
                   (offset & PAGE_MASK),
               from, part);
        offset += part;
        from += part;
        count -= part;
    }
}

/* The same for code that may have run. */
void bt_cache_patch(struct monitor *mon, uint32_t offset, const void *bytes,
                    uint32_t count)
{
    struct bt *bt = bt_of(mon);

    bt_cache_write(mon, offset, bytes, count);
    for (uint32_t i = 0; i < count;) {
        uint32_t at = offset + i;
        uint32_t room = PAGE_BYTES - (at & PAGE_MASK);
        uint32_t part = count - i < room ? count - i : room;
        ma_t ma =
            MA(bt->frame[BT_PAGE_CACHE + at / PAGE_BYTES].v + (at & PAGE_MASK));

        machine_code_patched(mon->machine, ma, part);
        i += part;
    }
}

uint32_t bt_cache_word(struct monitor *mon, uint32_t offset)
{
    const uint8_t *page;
    uint32_t value;

    if (offset >= bt_of(mon)->used ||
        (offset & PAGE_MASK) > PAGE_BYTES - sizeof value)
        return NONE;
    page = page_memory(mon, BT_PAGE_CACHE + offset / PAGE_BYTES);
    memcpy(&value, page + (offset & PAGE_MASK), sizeof value);
    return value;
}

size_t bt_cache_read(struct monitor *mon, uint32_t linear, void *out,
                     size_t bytes)
{
    struct bt *bt = bt_of(mon);
    uint32_t offset = linear - bt_linear(bt, BT_PAGE_CACHE, 0);
    uint8_t *to = out;
    size_t done = 0;

    while (done < bytes && offset < bt->used) {
        uint32_t room = PAGE_BYTES - (offset & PAGE_MASK);
        size_t part = bytes - done < room ? bytes - done : room;

        memcpy(to + done,
               page_memory(mon, BT_PAGE_CACHE + offset / PAGE_BYTES) +
                   (offset & PAGE_MASK),
               part);
        done += part;
        offset += (uint32_t)part;
    }
    return done;
}

void bt_cache_append(struct monitor *mon, const struct bt_emit *e)
{
    struct bt *bt = bt_of(mon);

    bt_cache_write(mon, bt->used, e->code, e->bytes);
    for (unsigned i = 0; i < e->owns; i++)
        bt->own[(bt->used + e->own[i]) / 64] |= 1ull
                                                << (bt->used + e->own[i]) % 64;
    bt->used += e->bytes;
}

bool bt_owns(struct monitor *mon, uint32_t linear)
{
    const struct bt *bt = bt_of(mon);
    uint32_t at = linear - bt_linear(bt, BT_PAGE_CACHE, 0);

    return at < bt->used && (bt->own[at / 64] >> at % 64 & 1);
}

void bt_cache_map(struct monitor *mon, unsigned page, bool writable)
{
    struct bt *bt = bt_of(mon);
    uint32_t rights = writable ? PTE_W | PTE_D : 0;

    mmu_overlay_map(mon->mmu, page, bt->frame[page], PTE_P | PTE_A | rights);
    if (page < BT_PAGE_CACHE)
        machine_own_page(mon->machine, page, bt->frame[page], writable);
}

/* Units do not cross pages: to the next one, if there is less room than this.
 */
bool bt_cache_room(struct monitor *mon, uint32_t bytes)
{
    struct bt *bt = bt_of(mon);
    uint32_t page = (bt->used | PAGE_MASK) + 1;

    if ((bt->used & PAGE_MASK) && bytes <= page - bt->used)
        return true;
    if (bt->used & PAGE_MASK)
        bt->used = page;
    if (bt->used >= bt->cache_bytes)
        return false;
    bt_emit_glue(mon);
    return true;
}

bool bt_cache_fits(const struct bt *bt, uint32_t bytes)
{
    return bytes <= bt->cache_bytes - bt->used;
}

/* ---- from a guest address to a unit -------------------------------------- */

static uint32_t slot_of(uint32_t eip)
{
    return (eip * 0x9E3779B1u) >> 15; /* 17 bits: EIP_SLOTS */
}

uint32_t bt_find(const struct bt *bt, uint32_t eip)
{
    uint32_t i = slot_of(eip);

    if (!(bt->begins[(eip & 0xFFFF) / 64] >> (eip % 64) & 1))
        return NONE;
    for (; bt->by_eip[i].unit; i = (i + 1) % EIP_SLOTS)
        if (bt->by_eip[i].eip == eip && !bt->units[bt->by_eip[i].unit - 1].dead)
            return bt->by_eip[i].unit - 1;
    return NONE;
}

void bt_table_set(struct monitor *mon, uint32_t eip, uint32_t cache)
{
    struct bt *bt = bt_of(mon);
    uint32_t at = (eip & 0xFFFF) * 8;
    unsigned page = BT_PAGE_TABLE + at / PAGE_BYTES;
    unsigned word = (at & PAGE_MASK) / 4;

    bt_set_word(mon, page, word, 0 - eip);
    bt_set_word(mon, page, word + 1, bt_linear(bt, BT_PAGE_CACHE, cache));
}

static void insert(struct bt *bt, uint32_t unit)
{
    uint32_t eip = bt->units[unit].eip, i = slot_of(eip);

    while (bt->by_eip[i].unit)
        i = (i + 1) % EIP_SLOTS;
    bt->by_eip[i] = (struct bt_slot){eip, unit + 1};
    bt->begins[(eip & 0xFFFF) / 64] |= 1ull << eip % 64;
}

void bt_index(struct monitor *mon, uint32_t unit)
{
    struct bt *bt = bt_of(mon);
    const struct bt_unit *u = &bt->units[unit];

    insert(bt, unit);
    bt_table_set(mon, u->eip, u->cache);
}

/* A tag that no address with these low bits can have. */
static uint32_t no_tag(uint32_t low)
{
    return 0 - (low ^ 1);
}

/* Dead units stay in by_eip, as marks that the search goes on. */
void bt_unindex(struct monitor *mon, uint32_t unit)
{
    struct bt *bt = bt_of(mon);
    uint32_t eip = bt->units[unit].eip;
    uint32_t at = (eip & 0xFFFF) * 8;
    unsigned page = BT_PAGE_TABLE + at / PAGE_BYTES;
    unsigned word = (at & PAGE_MASK) / 4;

    if (bt_word(mon, page, word) == 0 - eip)
        bt_set_word(mon, page, word, no_tag(eip & 0xFFFF));
}

static void empty_table(struct monitor *mon)
{
    for (uint32_t i = 0; i < BT_TABLE_SLOTS; i++)
        bt_set_word(mon, BT_PAGE_TABLE + i * 8 / PAGE_BYTES,
                    (i * 8 & PAGE_MASK) / 4, no_tag(i));
}

/* ---- from the cache to the guest ------------------------------------------
 */

static bool holds(const struct bt *bt, uint32_t unit, uint32_t cache)
{
    return unit < bt->unit_count &&
           cache - bt->units[unit].cache < bt->units[unit].cache_bytes;
}

static bool unit_holding(const struct bt *bt, uint32_t cache, uint32_t *unit)
{
    uint32_t low = 0, high = bt->unit_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (bt->units[middle].cache <= cache)
            low = middle + 1;
        else
            high = middle;
    }
    *unit = low - 1;
    return holds(bt, *unit, cache);
}

/* Faults and callouts come again and again from a few places. */
static struct bt_place *place_of(struct bt *bt, uint32_t cache)
{
    return &bt->places[cache % PLACES];
}

bool bt_locate(struct bt *bt, uint32_t cache, uint32_t *unit, uint32_t *point)
{
    struct bt_place *place = place_of(bt, cache);
    const struct bt_unit *u;
    uint32_t low, high;

    if ((cache & PAGE_MASK) < bt->glue.end)
        return false;
    if (place->cache == cache) {
        *unit = place->unit;
        *point = place->point;
        return true;
    }
    if (!holds(bt, bt->last, cache) && !unit_holding(bt, cache, &bt->last))
        return false;
    *unit = bt->last;
    u = &bt->units[*unit];
    low = u->first_point;
    high = u->first_point + u->points;
    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (u->cache + bt->points[middle].cache <= cache)
            low = middle + 1;
        else
            high = middle;
    }
    *point = low - 1;
    *place = (struct bt_place){cache, *unit, *point};
    return true;
}

uint32_t bt_start_in(const struct bt *bt, uint32_t unit, uint32_t eip)
{
    const struct bt_unit *u = &bt->units[unit];

    if (u->dead || eip - u->eip >= u->guest_bytes)
        return NONE;
    for (uint32_t i = 0; i < u->points; i++) {
        const struct bt_point *p = &bt->points[u->first_point + i];

        if ((p->note & NOTE_START) && u->eip + p->guest == eip)
            return u->cache + p->cache;
    }
    return NONE;
}

/* ---- sites ------------------------------------------------------------- */

uint32_t bt_site_new(struct bt *bt, enum bt_callout callout, uint32_t eip)
{
    struct bt_site *s;

    if (bt->site_count == bt->site_room) {
        uint32_t room = bt->site_room ? 2 * bt->site_room : 1024;

        s = realloc(bt->sites, room * sizeof *s);
        if (!s)
            return NONE;
        bt->sites = s;
        bt->site_room = room;
    }
    s = &bt->sites[bt->site_count];
    *s = (struct bt_site){.callout = (uint8_t)callout,
                          .eip = eip,
                          .unit = NONE,
                          .resume = NONE,
                          .patch = NONE};
    return bt->site_count++;
}

/* ---- life -------------------------------------------------------------- */

static void forget(struct bt *bt)
{
    bt->unit_count = bt->point_count = bt->site_count = 0;
    bt->used = 0;
    memset(bt->by_eip, 0, EIP_SLOTS * sizeof *bt->by_eip);
    memset(bt->begins, 0, sizeof bt->begins);
    memset(bt->places, 0, sizeof bt->places);
    memset(bt->own, 0, sizeof bt->own);
}

void bt_cache_flush(struct monitor *mon)
{
    struct bt *bt = bt_of(mon);

    for (uint32_t at = 0; at < bt->used; at += PAGE_BYTES)
        machine_memory_written(mon->machine,
                               bt->frame[BT_PAGE_CACHE + at / PAGE_BYTES],
                               PAGE_BYTES);
    bt_pages_forget(mon);
    forget(bt);
    bt->base = descriptors_linear(mon, 0);
    empty_table(mon);
    bt_emit_glue(mon);
    bt_resume_lost(mon);
    machine_set_weighed(mon->machine, bt_linear(bt, BT_PAGE_CACHE, 0),
                        bt_linear(bt, BT_PAGE_CACHE, 0) + bt->cache_bytes - 1);
    mon->trace->count.bt_flushes++;
}

static bool take_pages(struct monitor *mon)
{
    struct bt *bt = bt_of(mon);
    unsigned end = BT_PAGE_CACHE + bt->cache_bytes / PAGE_BYTES;

    for (unsigned i = BT_PAGE_STATE; i < end; i++) {
        if (i > BT_PAGE_SCRATCH && i < BT_PAGE_TABLE)
            continue;
        if (!frames_take(mon->config.frames, &bt->frame[i]))
            return false;
        bt_cache_map(mon, i, i == BT_PAGE_FLAG || i == BT_PAGE_SCRATCH);
    }
    return true;
}

bool bt_cache_create(struct monitor *mon, char **error)
{
    struct bt *bt = bt_of(mon);

    bt->cache_bytes = BT_CACHE_PAGES_MAX * PAGE_BYTES;
    bt->by_eip = calloc(EIP_SLOTS, sizeof *bt->by_eip);
    bt->by_page = calloc(PAGE_SLOTS, sizeof *bt->by_page);
    bt->by_gfn = calloc(1 << 20, sizeof *bt->by_gfn);
    if (bt->by_eip && bt->by_page && bt->by_gfn && take_pages(mon))
        return true;
    if (asprintf(error, "no memory for the translation cache") < 0)
        *error = NULL;
    return false;
}

void bt_cache_destroy(struct bt *bt)
{
    free(bt->units);
    free(bt->points);
    free(bt->sites);
    free(bt->pages);
    free(bt->by_eip);
    free(bt->by_page);
    free(bt->by_gfn);
}

/* ---- save and restore
 * --------------------------------------------------------- */

/* Words of bt.own that are in use. */
static size_t own_words(uint32_t used)
{
    return (used + 63) / 64;
}

/* Everything but the indexes, which follow from it; the cache itself is machine
 * memory. */
struct saved {
    uint32_t base, used, units, points, sites, pages;
    struct bt_glue glue;
    struct bt_trip trips[TRIP_SLOTS];
    struct bt_return returns[RETURN_SLOTS];
    int engine;
    bool flag_withheld, step_once;
    uint32_t shadow_eip;
    uint64_t shadow_clock;
};

static void *put(void *to, const void *from, size_t bytes)
{
    if (bytes)
        memcpy(to, from, bytes);
    return (uint8_t *)to + bytes;
}

size_t bt_save(const struct monitor *mon, void *buffer, size_t bytes)
{
    const struct bt *bt = bt_of(mon);
    struct saved s = {.base = bt->base,
                      .used = bt->used,
                      .units = bt->unit_count,
                      .points = bt->point_count,
                      .sites = bt->site_count,
                      .pages = bt->page_count,
                      .glue = bt->glue,
                      .engine = (int)bt->engine,
                      .flag_withheld = bt->flag_withheld,
                      .step_once = bt->step_once,
                      .shadow_eip = bt->shadow_eip,
                      .shadow_clock = bt->shadow_clock};
    size_t need = sizeof s + s.units * sizeof *bt->units +
                  s.points * sizeof *bt->points + s.sites * sizeof *bt->sites +
                  s.pages * sizeof *bt->pages +
                  own_words(s.used) * sizeof *bt->own;

    if (!buffer)
        return need;
    if (bytes < need)
        return 0;
    memcpy(s.trips, bt->trips, sizeof s.trips);
    memcpy(s.returns, bt->returns, sizeof s.returns);
    buffer = put(buffer, &s, sizeof s);
    buffer = put(buffer, bt->units, s.units * sizeof *bt->units);
    buffer = put(buffer, bt->points, s.points * sizeof *bt->points);
    buffer = put(buffer, bt->sites, s.sites * sizeof *bt->sites);
    buffer = put(buffer, bt->pages, s.pages * sizeof *bt->pages);
    put(buffer, bt->own, own_words(s.used) * sizeof *bt->own);
    return need;
}

static bool take(void **array, uint32_t *count, uint32_t *room, uint32_t n,
                 size_t size, const uint8_t **from)
{
    if (n > *room) {
        void *p = realloc(*array, n * size);

        if (!p)
            return false;
        *array = p;
        *room = n;
    }
    if (n)
        memcpy(*array, *from, n * size);
    *from += n * size;
    *count = n;
    return true;
}

bool bt_restore(struct monitor *mon, const void *buffer, size_t bytes)
{
    struct bt *bt = bt_of(mon);
    const uint8_t *from = buffer;
    struct saved s;

    if (bytes < sizeof s)
        return false;
    memcpy(&s, from, sizeof s);
    from += sizeof s;
    memset(bt->by_eip, 0, EIP_SLOTS * sizeof *bt->by_eip);
    memset(bt->begins, 0, sizeof bt->begins);
    memset(bt->places, 0, sizeof bt->places);
    bt_pages_unindex(bt);
    if (!take((void **)&bt->units, &bt->unit_count, &bt->unit_room, s.units,
              sizeof *bt->units, &from) ||
        !take((void **)&bt->points, &bt->point_count, &bt->point_room, s.points,
              sizeof *bt->points, &from) ||
        !take((void **)&bt->sites, &bt->site_count, &bt->site_room, s.sites,
              sizeof *bt->sites, &from) ||
        !take((void **)&bt->pages, &bt->page_count, &bt->page_room, s.pages,
              sizeof *bt->pages, &from))
        return false;
    bt->base = s.base;
    bt->used = s.used;
    memset(bt->own, 0, sizeof bt->own);
    memcpy(bt->own, from, own_words(s.used) * sizeof *bt->own);
    bt->glue = s.glue;
    memcpy(bt->trips, s.trips, sizeof s.trips);
    memcpy(bt->returns, s.returns, sizeof s.returns);
    bt->engine = (unsigned)s.engine;
    bt->flag_withheld = s.flag_withheld;
    bt_cache_map(mon, BT_PAGE_FLAG, !s.flag_withheld);
    bt->step_once = s.step_once;
    bt->shadow_eip = s.shadow_eip;
    bt->shadow_clock = s.shadow_clock;
    bt->pending_patch = bt->at_unit = NONE;
    bt->pending_table = false;
    for (uint32_t i = 0; i < bt->unit_count; i++)
        if (bt->units[i].instructions)
            insert(bt, i);
    bt_pages_index(bt);
    machine_set_weighed(mon->machine, bt_linear(bt, BT_PAGE_CACHE, 0),
                        bt_linear(bt, BT_PAGE_CACHE, 0) + bt->cache_bytes - 1);
    return true;
}
