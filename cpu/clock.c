/* SPDX-License-Identifier: MIT */
/* cpu/clock.c - winding up the clock, and blocks that count themselves. */
#include "cpu/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct running *clock_running(struct clock *c)
{
    if (c->record) {
        const struct block_record *r = &c->records[c->record];

        c->running.address = r->address;
        c->running.bytes = r->bytes;
        c->running.start = clock_now(c) - r->count;
        c->record = 0;
    }
    return &c->running;
}

void clock_set(struct clock *c, uint64_t now)
{
    c->countdown = -1;
    if (c->attention > now)
        c->countdown = c->attention - 1 - now < INT32_MAX
                           ? (int32_t)(c->attention - 1 - now)
                           : INT32_MAX;
    c->horizon = now + (uint64_t)(int64_t)c->countdown;
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

void clock_close(struct clock *c)
{
    free(c->records);
    c->records = NULL;
}

/* ---- the engine's code --------------------------------------------------- */

/* Where things are in the call of the hook, both ways. */
enum {
    CALL_BYTES = 36,
    CALL_ENGINE = 2,
    CALL_ADDRESS = 11,
    CALL_SIZE = 16,
    CALL_USER = 22,
    CALL_POINTER = 32,
    COUNT_CLOCK = 2,
    COUNT_RECORD = 11,
    COUNT_NUMBER = 17,
    COUNT_BYTES = 30, /* the call behind it stays */
};

static void put(uint8_t *at, uint64_t value, size_t bytes)
{
    memcpy(at, &value, bytes); /* an x86 host: the low bytes are the first */
}

/* Is this the call of the hook for that block? */
static bool is_call(const struct clock *c, const uint8_t *at,
                    const void *engine, uint64_t address, uint32_t bytes)
{
    uint8_t call[CALL_BYTES] = {
        [0] = 0x48,  [1] = 0xBF,  /* movabs $engine, %rdi */
        [10] = 0xBE,              /* mov $address, %esi */
        [15] = 0xBA,              /* mov $size, %edx */
        [20] = 0x48, [21] = 0xB9, /* movabs $user, %rcx */
        [30] = 0xFF, [31] = 0x15, /* call *(%rip) */
    };

    put(call + CALL_ENGINE, (uintptr_t)engine, 8);
    put(call + CALL_ADDRESS, address, 4);
    put(call + CALL_SIZE, bytes, 4);
    put(call + CALL_USER, (uintptr_t)c, 8);
    return memcmp(at, call, CALL_POINTER) == 0;
}

static void write_count(const struct clock *c, uint8_t *at, uint32_t record,
                        uint32_t count)
{
    uint8_t code[COUNT_BYTES] = {
        [0] = 0x48,  [1] = 0xB9,     /* movabs $clock, %rcx */
        [10] = 0xBE,                 /* mov $record, %esi */
        [15] = 0x83, [16] = 0x29,    /* subl $count, (%rcx) */
        [18] = 0x78, [19] = 25 - 20, /* js 1f */
        [20] = 0x89, [21] = 0x71,
        [22] = 0x04,                         /* mov %esi, 4(%rcx) */
        [23] = 0xEB, [24] = CALL_BYTES - 25, /* jmp 2f */
        [25] = 0x48, [26] = 0x89,
        [27] = 0xCF,              /* 1: mov %rcx, %rdi */
        [28] = 0x66, [29] = 0x90, /* nop */
    };

    put(code + COUNT_CLOCK, (uintptr_t)c, 8);
    put(code + COUNT_RECORD, record, 4);
    put(code + COUNT_NUMBER, count, 1);
    memcpy(at, code, sizeof code);
}

bool clock_inline(struct clock *c, uint32_t chains[RECORD_CHAINS],
                  const void *engine, uint8_t *back, uint64_t address,
                  uint32_t bytes, uint32_t count)
{
    uint8_t *at = back - CALL_BYTES;
    uintptr_t here = (uintptr_t)at;
    uint32_t record;

    if (here < c->code || here + CALL_BYTES > c->code_end ||
        address > UINT32_MAX || bytes > UINT16_MAX ||
        count > INLINE_COUNT_MOST || !is_call(c, at, engine, address, bytes))
        return false;
    record = record_for(c, chains, (uint32_t)address, bytes, count);
    if (!record)
        return false;
    write_count(c, at, record, count);
    return true;
}

void clock_found(struct clock *c, const uint8_t *back)
{
    uintptr_t here = (uintptr_t)back;
    unsigned long long from, to;
    char line[512], rights[5];
    FILE *maps;

    c->seeking = false;
#if defined(__x86_64__)
    maps = fopen("/proc/self/maps", "re");
#else
    maps = NULL;
#endif
    if (!maps)
        return;
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%llx-%llx %4s", &from, &to, rights) == 3 &&
            here >= from && here < to && rights[1] == 'w') {
            c->code = (uintptr_t)from;
            c->code_end = (uintptr_t)to;
        }
    fclose(maps);
}
