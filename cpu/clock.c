/* SPDX-License-Identifier: MIT */
/* cpu/clock.c - winding up the clock, and records of blocks. */
#include "cpu/clock.h"

#include <stdlib.h>

void clock_open(struct clock *c, const struct clock_engine *engine)
{
    c->engine = *engine;
    c->record = engine->noted;
    c->countdown = &c->own_countdown;
#if defined(__x86_64__)
    if (engine->exit) /* the lower half is the first */
        c->countdown = (uint16_t *)(void *)engine->exit;
#else
    c->engine.exit = NULL;
#endif
    clock_set(c, 0);
}

void clock_close(struct clock *c)
{
    free(c->records);
    c->records = NULL;
}

const struct running *clock_running(struct clock *c)
{
    if (*c->record) {
        const struct block_record *r = &c->records[*c->record];

        c->running.address = r->address;
        c->running.bytes = r->bytes;
        c->running.start = clock_now(c) - r->count;
        *c->record = 0;
    }
    return &c->running;
}

void clock_set(struct clock *c, uint64_t now)
{
    uint64_t left = c->attention > now ? c->attention - now : 0;

    *c->countdown = left < COUNTDOWN_MOST ? (uint16_t)left : COUNTDOWN_MOST;
    c->horizon = now + *c->countdown;
}

/* ---- records ------------------------------------------------------------ */

static uint32_t *chain_of(uint32_t chains[RECORD_CHAINS], uint32_t address)
{
    return &chains[address / (4096 / RECORD_CHAINS) % RECORD_CHAINS];
}

static uint32_t new_record(struct clock *c)
{
    uint32_t n = c->free;

    if (n) {
        c->free = c->records[n].next;
        return n;
    }
    if (c->used + 1 >= c->room) {
        uint32_t room = c->room ? 2 * c->room : 1 << 12;
        struct block_record *more;

        c->full = room > RECORDS_MOST;
        if (c->full)
            return 0;
        more = realloc(c->records, room * sizeof *more);
        if (!more)
            return 0; /* the hook goes on being called */
        c->records = more;
        c->room = room;
    }
    return ++c->used;
}

/* The same block may be translated again, while its page stays: one record. */
static uint32_t record_for(struct clock *c, uint32_t chains[RECORD_CHAINS],
                           uint32_t address, uint32_t bytes, uint32_t count)
{
    uint32_t *chain = chain_of(chains, address);
    struct block_record *r;
    uint32_t n;

    for (n = *chain; n; n = r->next) {
        r = &c->records[n];
        if (r->address == address && r->bytes == bytes && r->count == count)
            return n;
    }
    n = new_record(c);
    if (!n)
        return 0;
    c->records[n] =
        (struct block_record){address, (uint16_t)bytes, (uint8_t)count, *chain};
    *chain = n;
    return n;
}

void clock_forget(struct clock *c, uint32_t chains[RECORD_CHAINS])
{
    clock_running(c);
    for (unsigned i = 0; i < RECORD_CHAINS; i++) {
        uint32_t n = chains[i], next;

        for (; n; n = next) {
            next = c->records[n].next;
            c->records[n].next = c->free;
            c->free = n;
        }
        chains[i] = 0;
    }
}

void clock_forget_all(struct clock *c)
{
    clock_running(c);
    c->used = c->free = 0;
    c->full = false;
}

bool clock_inline(struct clock *c, uint32_t chains[RECORD_CHAINS],
                  uint8_t *back, uint64_t address, uint32_t bytes,
                  uint32_t count)
{
    struct clock_site site;
    uint32_t record;

    if (address > UINT32_MAX || bytes > UINT16_MAX ||
        count > INLINE_COUNT_MOST ||
        !clock_find(c, back, address, bytes, &site))
        return false;
    record = record_for(c, chains, (uint32_t)address, bytes, count);
    if (record)
        clock_rewrite(c, &site, record, count);
    return record != 0;
}
