/* SPDX-License-Identifier: MIT */
/* cpu/clock.h - the virtual clock, and how it costs next to nothing.
 *
 * Every block that the engine runs has to be counted. The engine offers a call
 * before each block, 3 to 4 ns, for blocks that often take less themselves. All
 * that the call does for a block that is known, and while nothing is due, is an
 * addition. So the second time a block runs, the call in the engine's own code
 * for it is overwritten with that addition (x86-64 hosts only):
 *
 *      as the engine wrote it             as it is then
 *      movabs $engine, %rdi               subl   $instructions, exit(%rbp)
 *      mov    $address, %esi              js     1f
 *      mov    $size, %edx                 movl   $record, noted(%rbp)
 *                                         jmp    2f
 *                                      1: mov    $record, %esi
 *      movabs $user, %rcx                 movabs $user, %rcx
 *      call   *hook                       call   *counted
 *      mov    exit(%rbp), %ebx            mov    exit(%rbp), %ebx
 *      test   %ebx, %ebx                  test   %ebx, %ebx
 *      jl     exit                        jl     exit
 *                                      2:
 *
 * At the end is the engine's own question, at each block, whether it shall
 * stop: its exit word is negative then. Only the upper half of that word is
 * used. The lower half is the clock's: it counts down to the time at which
 * somebody has to look, and so one subtraction and one branch serve both. When
 * it runs out, "counted" is called; that takes the subtraction back and decides
 * as if the hook had been called in the first place, so the virtual time and
 * all that follows from it are the same to the instruction. What the hook would
 * have been told (address, size) is in the block's record; the number of the
 * record is left behind at each block, for whoever has to know which block was
 * running.
 *
 * The engine asks the same question behind each access to memory, for the sake
 * of hooks that we do not have. Those are overwritten with NOPs.
 *
 * Nothing is overwritten but code that is byte for byte the left column, in
 * memory that /proc/self/maps calls writable (clock_code.c). Otherwise, and
 * with machine_config.plain_clock, the hook is simply called each time.
 */
#ifndef CPU_CLOCK_H
#define CPU_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A block that counts itself. Records belong to the code page where the block
 * begins and are given back when its translations are dropped. */
struct block_record {
    uint32_t address; /* linear */
    uint16_t bytes;
    uint8_t count;
    uint32_t next; /* of the same page, or free */
};

enum {
    RECORD_CHAINS = 64,      /* a page's records, by where they begin */
    RECORDS_MOST = 1 << 20,  /* then all translations are flushed */
    INLINE_COUNT_MOST = 127, /* what the subtraction can hold */
};

/* The block that is being executed. */
struct running {
    uint64_t address;
    uint64_t start; /* the clock when it began */
    uint32_t bytes;
};

/* Where the clock and the engine's code meet. */
struct clock_engine {
    const void *engine;
    void *user;         /* of the two below */
    const void *state;  /* what its code has in RBP */
    uint32_t *exit;     /* the engine's exit word; NULL: not known */
    uint64_t *noted;    /* a register of the engine's that 32-bit code lacks */
    void (*hook)(void); /* called before each block, */
    void (*counted)(void); /* and for one that counts itself */
};

enum { COUNTDOWN_MOST = UINT16_MAX };

struct clock {
    uint16_t *countdown; /* instructions until somebody has to look; a block
                          * that has more looks, too */
    uint64_t horizon;    /* the time at which the countdown is 0 */
    uint64_t attention;  /* from this time on the block hook looks up */
    uint64_t *record;    /* of the running block; 0: it is in running */
    struct running running;

    struct block_record *records;
    uint32_t used, room, free;
    bool full;

    struct clock_engine engine;
    uint16_t own_countdown;   /* if there is no exit word */
    uintptr_t code, code_end; /* the engine's code, if it can be written */
    bool seeking;             /* for it */
};

static inline uint64_t clock_now(const struct clock *c)
{
    return c->horizon - *c->countdown;
}

/* To be called first. What engine points to stays the caller's and lives as
 * long as the clock. */
void clock_open(struct clock *c, const struct clock_engine *engine);
void clock_close(struct clock *c);

/* The running block, wherever it was noted. */
const struct running *clock_running(struct clock *c);

/* Set the time (or just wind up the countdown). */
void clock_set(struct clock *c, uint64_t now);

/* Another time, but the same running block. */
static inline void clock_move(struct clock *c, uint64_t now)
{
    clock_running(c);
    clock_set(c, now);
}

/* Somebody counts instructions for the processor, or takes them back. */
static inline void clock_add(struct clock *c, int64_t instructions)
{
    clock_move(c, clock_now(c) + (uint64_t)instructions);
}

/* From when on the block hook has to look up. */
static inline void clock_attend_from(struct clock *c, uint64_t attention)
{
    c->attention = attention;
    clock_set(c, clock_now(c));
}

static inline void clock_spend(struct clock *c, uint32_t count)
{
    if (*c->countdown >= count) {
        *c->countdown -= (uint16_t)count;
    } else {
        c->horizon = clock_now(c) + count;
        *c->countdown = 0;
    }
}

/* A block begins that did not count itself. */
static inline void clock_begin(struct clock *c, uint64_t address,
                               uint32_t bytes, uint32_t count)
{
    *c->record = 0;
    c->running.address = address;
    c->running.bytes = bytes;
    c->running.start = clock_now(c);
    clock_spend(c, count);
}

/* A block that counts itself found that the countdown does not suffice: take
 * that back, and then count it after all. */
static inline const struct block_record *clock_take_back(struct clock *c,
                                                         uint32_t record)
{
    *c->engine.exit += c->records[record].count;
    return &c->records[record];
}

static inline void clock_begin_again(struct clock *c, uint32_t record)
{
    clock_spend(c, c->records[record].count);
    *c->record = record;
}

/* Let the block whose hook call returns to "back" count itself from now on.
 * chains: of its page. False: it cannot. */
bool clock_inline(struct clock *c, uint32_t chains[RECORD_CHAINS],
                  uint8_t *back, uint64_t address, uint32_t bytes,
                  uint32_t count);

/* The translations of a page are gone: so are its records. */
void clock_forget(struct clock *c, uint32_t chains[RECORD_CHAINS]);

/* Every translation is gone (the pages forget theirs). */
void clock_forget_all(struct clock *c);

/* While seeking: a hook call that returns to back. Is that memory for code that
 * can be written, too? */
void clock_found(struct clock *c, const uint8_t *back);

/* ---- clock_code.c -------------------------------------------------------- */

/* The engine's code for a block, where it is overwritten. */
struct clock_site {
    uint8_t *call;       /* of the hook: where that begins */
    uint8_t *target;     /* the address that it calls */
    uint8_t *body;       /* behind the first check */
    const uint8_t *exit; /* where the checks jump to, behind the body */
};

/* The code of the block whose hook call returns to "back". False: it is not
 * what it should be. */
bool clock_find(const struct clock *c, uint8_t *back, uint64_t address,
                uint32_t bytes, struct clock_site *site);
void clock_rewrite(const struct clock *c, const struct clock_site *site,
                   uint32_t record, uint32_t count);

#endif
