/* SPDX-License-Identifier: MIT */
/* cpu/clock_code.c - the engine's own code, overwritten for the clock.
 *
 * clock.h shows what is there and what is put in its place. The bytes are those
 * of x86-64, and the shapes those that the engine's code generator gives them;
 * whatever looks otherwise is left alone.
 */
#include "cpu/clock.h"

#include <stdio.h>
#include <string.h>

/* Where things are in the call of the hook, both ways. */
enum {
    CALL_ENGINE = 2,
    CALL_ADDRESS = 11,
    CALL_SIZE = 16,
    CALL_USER = 20,
    CALL_JUMP = 6,
    USER_FAR = 10, /* movabs $user, %rcx */
    USER_NEAR = 7, /* lea user(%rip), %rcx, where that reaches */
    COUNT_EXIT = 2,
    COUNT_NUMBER = 3,
    COUNT_NOTED = 8,
    COUNT_NOTE = 9,
    COUNT_SKIP = 14,
    COUNT_RECORD = 16,
    COUNT_BYTES = 20, /* the rest stays */
};

/* The engine's question whether it shall stop: load, test, jl. */
enum {
    CHECK_JUMP = 6,
    CHECK_LOW = 3 + 2 + CHECK_JUMP,  /* a register without a prefix */
    CHECK_HIGH = 4 + 3 + CHECK_JUMP, /* R8 to R15 */
    MOD_DISP8_RBP = 0x45,
    MOD_REGISTERS = 0xC0,
    REX_R = 0x44,
    REX_RB = 0x45,
};

static void put(uint8_t *at, uint64_t value, size_t bytes)
{
    memcpy(at, &value, bytes); /* an x86 host: the low bytes are the first */
}

static int32_t get32(const uint8_t *at)
{
    int32_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

/* From the base of the engine's state, which RBP holds. */
static int8_t exit_offset(const struct clock *c)
{
    return (int8_t)((intptr_t)c->engine.exit - (intptr_t)c->engine.state);
}

/* Do these bytes load the address of user, in one of the two forms? */
static bool loads_user(const struct clock *c, const uint8_t *at, unsigned bytes)
{
    uint8_t load[USER_FAR] = {0x48, 0xB9};
    const uintptr_t user = (uintptr_t)c->engine.user;

    if (bytes == USER_NEAR) {
        load[1] = 0x8D, load[2] = 0x0D;
        put(load + 3, user - ((uintptr_t)at + USER_NEAR), 4);
        return memcmp(at, load, USER_NEAR) == 0 &&
               (uintptr_t)at + USER_NEAR + (uintptr_t)(intptr_t)get32(at + 3) ==
                   user;
    }
    put(load + 2, user, 8);
    return memcmp(at, load, USER_FAR) == 0;
}

static bool is_call(const struct clock *c, const uint8_t *at, uint64_t address,
                    uint32_t bytes)
{
    uint8_t call[CALL_USER] = {
        [0] = 0x48,
        [1] = 0xBF,  /* movabs $engine, %rdi */
        [10] = 0xBE, /* mov $address, %esi */
        [15] = 0xBA, /* mov $size, %edx */
    };

    put(call + CALL_ENGINE, (uintptr_t)c->engine.engine, 8);
    put(call + CALL_ADDRESS, address, 4);
    put(call + CALL_SIZE, bytes, 4);
    return memcmp(at, call, sizeof call) == 0;
}

/* Where the call of the hook for that block begins that ends at back, or NULL.
 */
static uint8_t *call_before(const struct clock *c, uint8_t *back,
                            uint64_t address, uint32_t bytes)
{
    static const unsigned loads[] = {USER_FAR, USER_NEAR};
    uint8_t *jump = back - CALL_JUMP; /* call *(%rip) */

    if ((uintptr_t)jump < c->code + CALL_USER + USER_FAR || jump[0] != 0xFF ||
        jump[1] != 0x15)
        return NULL;
    for (unsigned i = 0; i < 2; i++) {
        uint8_t *user = jump - loads[i];

        if (loads_user(c, user, loads[i]) &&
            is_call(c, user - CALL_USER, address, bytes))
            return user - CALL_USER;
    }
    return NULL;
}

/* Where the address lies that the call before "back" goes to, if it is the
 * hook's. */
static uint8_t *call_target(const struct clock *c, uint8_t *back)
{
    uint8_t *at = back + get32(back - 4);
    void (*target)(void);

    if ((uintptr_t)at < c->code || (uintptr_t)at + sizeof target > c->code_end)
        return NULL;
    memcpy(&target, at, sizeof target);
    return target == c->engine.hook ? at : NULL;
}

/* How many bytes of a check stand at "at", and where it jumps to; 0: none. */
static unsigned check_at(const struct clock *c, const uint8_t *at,
                         const uint8_t **exit)
{
    const unsigned rex = at[0] == REX_R;
    const uint8_t *load = at + rex, *test = load + 3 + rex;
    const uint8_t reg = load[1] >> 3 & 7;

    if (load[0] != 0x8B || load[1] != (MOD_DISP8_RBP | reg << 3) ||
        load[2] != (uint8_t)exit_offset(c) || (rex && test[-1] != REX_RB) ||
        test[0] != 0x85 || test[1] != (MOD_REGISTERS | reg << 3 | reg) ||
        test[2] != 0x0F || test[3] != 0x8C)
        return 0;
    *exit = test + 2 + CHECK_JUMP + get32(test + 4);
    return rex ? CHECK_HIGH : CHECK_LOW;
}

static void write_nop(uint8_t *at, unsigned bytes)
{
    /* A NOP of 8 bytes, and as many prefixes as it takes. */
    static const uint8_t nop[] = {0x66, 0x66, 0x66, 0x66, 0x2E, 0x0F, 0x1F,
                                  0x84, 0,    0,    0,    0,    0};

    _Static_assert(sizeof nop == CHECK_HIGH, "the longest");
    memcpy(at, nop + sizeof nop - bytes, bytes);
}

/* Take out the checks in [at, exit) that jump to exit. */
static void drop_checks(const struct clock *c, uint8_t *at, const uint8_t *exit)
{
    const uint8_t *to;

    while ((at = memchr(at, 0x8C, (size_t)(exit - at)))) {
        uint8_t *end = ++at + 4;

        if (end > exit)
            break;
        if (check_at(c, end - CHECK_HIGH, &to) == CHECK_HIGH && to == exit)
            write_nop(end - CHECK_HIGH, CHECK_HIGH);
        else if (check_at(c, end - CHECK_LOW, &to) == CHECK_LOW && to == exit)
            write_nop(end - CHECK_LOW, CHECK_LOW);
    }
}

/* Behind it, at "to", the block goes on. */
static void write_count(const struct clock *c, uint8_t *at, uint32_t record,
                        uint32_t count, const uint8_t *to)
{
    uint8_t code[COUNT_BYTES] = {
        [0] = 0x83,  [1] = 0x6D,   /* subl $count, exit(%rbp) */
        [4] = 0x78,  [5] = 15 - 6, /* js 1f */
        [6] = 0xC7,  [7] = 0x45,   /* movl $record, noted(%rbp) */
        [13] = 0xEB,               /* jmp 2f */
        [15] = 0xBE,               /* 1: mov $record, %esi */
    };

    put(code + COUNT_EXIT, (uint8_t)exit_offset(c), 1);
    put(code + COUNT_NUMBER, count, 1);
    put(code + COUNT_NOTED,
        (uint64_t)((intptr_t)c->engine.noted - (intptr_t)c->engine.state), 1);
    put(code + COUNT_NOTE, record, 4);
    put(code + COUNT_SKIP, (uint64_t)(to - (at + COUNT_SKIP + 1)), 1);
    put(code + COUNT_RECORD, record, 4);
    memcpy(at, code, sizeof code);
}

bool clock_find(const struct clock *c, uint8_t *back, uint64_t address,
                uint32_t bytes, struct clock_site *site)
{
    unsigned check;

    if ((uintptr_t)back < c->code || (uintptr_t)back + CHECK_HIGH > c->code_end)
        return false;
    site->call = call_before(c, back, address, bytes);
    site->target = call_target(c, back);
    check = check_at(c, back, &site->exit);
    site->body = back + check;
    return site->call && site->target && check && site->exit >= site->body &&
           (uintptr_t)site->exit <= c->code_end;
}

void clock_rewrite(const struct clock *c, const struct clock_site *site,
                   uint32_t record, uint32_t count)
{
    memcpy(site->target, &c->engine.counted, sizeof c->engine.counted);
    write_count(c, site->call, record, count, site->body);
    drop_checks(c, site->body, site->exit);
}

void clock_found(struct clock *c, const uint8_t *back)
{
    uintptr_t here = (uintptr_t)back;
    unsigned long long from, to;
    char line[512], rights[5];
    FILE *maps;

    c->seeking = false;
    maps = c->engine.exit ? fopen("/proc/self/maps", "re") : NULL;
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
