/* SPDX-License-Identifier: MIT */
/* tests/vmm/test_instructions.c - generated code does the same everywhere.
 *
 * Short sequences of random instructions with random registers and flags run
 * at ring 0 and at ring 3, on the bare machine and virtualized. Registers,
 * flags, memory, and the vector, error code, CR2 and EIP of what ended them
 * must be equal.
 *
 * Each technique gets what it can be right about. Pure trapping is spared the
 * hole that it has (Robin & Irvine): at ring 0 POPF PUSHF IRET, the table
 * registers, LAR LSL VERR VERW, whatever shows or loads CS or SS, far
 * transfers; at ring 3 the table registers and LAR LSL VERR VERW, which show
 * the monitor's. Dynamic translation has the second half of it, for programs
 * run directly; static translation cannot follow computed jumps. Every
 * technique at ring 1 is spared what stores the x87 state there, CS included.
 *
 * UMBRA_FUZZ_CASES and UMBRA_FUZZ_SEED make it longer and other;
 * UMBRA_FUZZ_CPU=NAME is for one technique alone.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "tests/support/sequence.h"

enum { CASES = 3000, REPORTS_MOST = 8, NEVER_ENDED = -1 };

struct batch {
    uint32_t count, code_count;
    bool user;
    uint64_t seed;
    struct probe_case *cases;
    uint8_t (*code)[PROBE_ENTRY_BYTES];
    uint8_t *holes;
    struct probe_result *bare, *other;
    int *bare_stop, *other_stop; /* enum vm_stop, NEVER_ENDED; VM_RUNNING: it
                                    has a result */
};

static void *room(uint32_t count, size_t bytes)
{
    void *p = calloc(count, bytes);

    cr_assert_not_null(p);
    return p;
}

static void make_room(struct batch *b, uint32_t count)
{
    b->cases = room(count, sizeof *b->cases);
    b->holes = room(count, 1);
    b->bare = room(count, sizeof *b->bare);
    b->other = room(count, sizeof *b->other);
    b->bare_stop = room(count, sizeof *b->bare_stop);
    b->other_stop = room(count, sizeof *b->other_stop);
}

static void generate(struct batch *b, uint32_t count, bool user, uint64_t seed)
{
    *b = (struct batch){.count = count, .user = user, .seed = seed};
    make_room(b, count);
    b->code_count = count;
    b->code = room(count, sizeof *b->code);
    sequence_seed(seed * 2 + user);
    for (uint32_t i = 0; i < count; i++) {
        b->holes[i] = (uint8_t)sequence_make(b->code[i], probe_entry(i), user);
        b->cases[i] = sequence_case(i, user);
    }
}

static void release(struct batch *b)
{
    free(b->cases);
    free(b->holes);
    free(b->bare);
    free(b->other);
    free(b->bare_stop);
    free(b->other_stop);
}

/* Run all of them; one that stops the guest costs a new guest for the rest. */
static void run(const struct way *way, const struct batch *b,
                struct probe_result *results, int *stops)
{
    uint32_t next = 0;

    while (next < b->count) {
        struct probe_table t = {b->cases,
                                b->count,
                                (const uint8_t(*)[PROBE_ENTRY_BYTES])b->code,
                                b->code_count,
                                next,
                                false};
        enum vm_stop stop;
        uint32_t done = probe_run(way, &t, results, &stop);

        for (; next < done; next++)
            stops[next] = VM_RUNNING;
        if (next < b->count)
            stops[next++] = stop == VM_RUNNING ? NEVER_ENDED : (int)stop;
    }
}

/* ---- comparison
 * -------------------------------------------------------------------- */

static bool from_user(const struct probe_result *r)
{
    return (r->cs & 3) != 0;
}

static uint32_t sequence_of(const struct batch *b, uint32_t i)
{
    return (b->cases[i].eip - PROBE_CODE) / PROBE_ENTRY_BYTES;
}

static const char *difference(const struct probe_result *a,
                              const struct probe_result *b)
{
    static const char *const names[] = {"EDI", "ESI", "EBP", "ESP",
                                        "EBX", "EDX", "ECX", "EAX"};

    if (a->vector != b->vector)
        return "vector";
    if (a->error != b->error)
        return "error code";
    if (a->eip != b->eip)
        return "EIP";
    for (unsigned i = 0; i < 8; i++)
        if (a->gpr[i] != b->gpr[i])
            return names[i];
    if (a->eflags != b->eflags)
        return "EFLAGS";
    if ((a->cs ^ b->cs) & 0xFFFF)
        return "CS";
    for (unsigned i = 0; i < 4; i++)
        if ((a->segment[i] ^ b->segment[i]) & 0xFFFF)
            return "a segment";
    if ((from_user(a) || a->vector == VEC_DF) &&
        (a->esp != b->esp || ((a->ss ^ b->ss) & 0xFFFF)))
        return "SS:ESP";
    if (a->cr2 != b->cr2)
        return "CR2";
    if (a->cr0 != b->cr0)
        return "CR0";
    if (a->sum != b->sum)
        return "memory";
    return a->pde != b->pde || a->pte != b->pte ? "page tables" : NULL;
}

static void describe(const struct batch *b, uint32_t i, char *out, size_t size)
{
    const uint8_t *code = b->code[sequence_of(b, i)];
    size_t n = 0, at = 0;

    out[0] = '\0';
    while (at < PROBE_ENTRY_BYTES && n + 80 < size) {
        char text[64];
        int length =
            decode_format(code + at, PROBE_ENTRY_BYTES - at, true,
                          b->cases[i].eip + (uint32_t)at, text, sizeof text);

        n += (size_t)snprintf(out + n, size - n, "%s; ", text);
        if (length <= 0 || strstr(text, "int 0x40"))
            break;
        at += (size_t)length;
    }
    n += (size_t)snprintf(out + n, size - n, "bytes");
    for (unsigned k = 0; k < 24 && n + 8 < size; k++)
        n += (size_t)snprintf(out + n, size - n, " %02x", code[k]);
}

static void print_result(const char *name, const struct probe_result *r)
{
    fprintf(stderr,
            "  %-10s vector %u error %x EIP %08x EFLAGS %08x CS %04x CR2 %08x "
            "SS:ESP %04x:%08x\n             ",
            name, r->vector, r->error, r->eip, r->eflags, r->cs, r->cr2,
            r->ss & 0xFFFF, r->esp);
    for (unsigned k = 0; k < 8; k++)
        fprintf(stderr, "%08x ", r->gpr[k]);
    fprintf(stderr, "sum %08x\n", r->sum);
}

static void print_start(const struct probe_case *c)
{
    fprintf(stderr, "  %-10s EIP %08x EFLAGS %08x\n             ", "start",
            c->eip, c->eflags);
    for (unsigned k = 0; k < 8; k++)
        fprintf(stderr, "%08x ", c->gpr[k]);
    fprintf(stderr, "\n");
}

/* Does the case alone, cut off behind so many bytes, still differ? */
static bool differs_cut(const struct way *way, const struct batch *all,
                        uint32_t i, size_t bytes)
{
    struct batch b = *all;
    uint8_t code[1][PROBE_ENTRY_BYTES];
    struct probe_case c = all->cases[i];
    struct probe_result bare, other;
    int bare_stop, other_stop;

    memcpy(code[0], all->code[sequence_of(all, i)], sizeof code[0]);
    if (bytes + 2 <= PROBE_ENTRY_BYTES)
        memcpy(code[0] + bytes, (const uint8_t[]){0xCD, PROBE_DONE}, 2);
    c.eip = probe_entry(0);
    b.cases = &c;
    b.code = code;
    b.count = b.code_count = 1;
    run(&ways[WAY_BARE], &b, &bare, &bare_stop);
    run(way, &b, &other, &other_stop);
    return bare_stop != other_stop ||
           (bare_stop == VM_RUNNING && difference(&bare, &other));
}

/* How much of it is enough. (Far transfers hold their address: they do not
 * move.) */
static void print_shortest(const struct way *way, const struct batch *b,
                           uint32_t i)
{
    const uint8_t *code = b->code[sequence_of(b, i)];
    size_t bytes = 0;

    while (bytes < PROBE_ENTRY_BYTES) {
        struct insn in;

        if (!decode(code + bytes, PROBE_ENTRY_BYTES - bytes, true, &in))
            break;
        bytes += in.length;
        if (differs_cut(way, b, i, bytes)) {
            fprintf(stderr, "  alone, the first %zu bytes are enough\n", bytes);
            return;
        }
    }
    fprintf(stderr, "  not alone: it takes the cases before it\n");
}

static unsigned compare_one(const struct way *way, const struct batch *b,
                            uint32_t i)
{
    const char *what = NULL;
    char text[400];

    if (b->bare_stop[i] != b->other_stop[i])
        what = "how the guest ended";
    else if (b->bare_stop[i] == VM_RUNNING)
        what = difference(&b->bare[i], &b->other[i]);
    if (!what)
        return 0;
    describe(b, i, text, sizeof text);
    cr_expect(false, "%s, ring %d, seed %llu, case %u differ in %s: %s",
              way->name, b->user ? 3 : 0, (unsigned long long)b->seed,
              sequence_of(b, i), what, text);
    print_start(&b->cases[i]);
    print_result("bare", &b->bare[i]);
    print_result(way->name, &b->other[i]);
    print_shortest(way, b, i);
    return 1;
}

/* Where a monitor is while paging is off, and stays if it can. */
enum { MONITOR_PDE = 0xBFC00000u >> 22 };

/* Where the instructions end that are some. */
static uint32_t undefined_at(const struct batch *b, uint32_t i)
{
    const uint8_t *code = b->code[sequence_of(b, i)];
    struct insn in;
    uint32_t at = 0;

    while (at < PROBE_ENTRY_BYTES &&
           decode(code + at, PROBE_ENTRY_BYTES - at, true, &in))
        at += in.length;
    return b->cases[i].eip + at;
}

/* Does a register point to the code? Static translation shows in what is read
 * there. */
static bool points_to_code(const struct probe_result *r)
{
    for (unsigned i = 0; i < 8; i++)
        if (r->gpr[i] - PROBE_CODE < PROBE_CASES_MAX * PROBE_ENTRY_BYTES)
            return true;
    return false;
}

/* The kernel can read the monitor where its own tables have nothing. */
static bool reads_monitor(const struct probe_result *r)
{
    return r->vector == VEC_PF && r->cr2 >> 22 == MONITOR_PDE;
}

/* What cannot be compared: code that left the image (it may be anything, and
 * was not translated ahead), an undefined encoding that the engine accepts, and
 * the technique's hole. */
static bool left_out(const struct batch *b, uint32_t i, enum cpu_technique cpu)
{
    const struct probe_result *r = &b->bare[i];
    unsigned holes = b->holes[i];
    bool ended = b->bare_stop[i] == VM_RUNNING;

    if (ended && r->eip - b->cases[i].eip >= PROBE_ENTRY_BYTES &&
        r->vector != VEC_PF)
        return true;
    if ((holes & UNDEFINED) &&
        !(ended && r->vector == VEC_UD && r->eip == undefined_at(b, i)))
        return true;
    if (cpu != CPU_HVM && !b->user &&
        ((holes & SHOWS_FCS) || (ended && reads_monitor(r))))
        return true;
    switch (cpu) {
    case CPU_TRAP: return (holes & (b->user ? IN_HOLE_3 : IN_HOLE_0)) != 0;
    case CPU_BT_STATIC:
        return (holes & COMPUTED) != 0 || (ended && points_to_code(r));
    case CPU_BT: /* programs run directly */
        return b->user && (holes & IN_HOLE_3) != 0;
    default: return false;
    }
}

/* Does the instruction that a result ended at name CS, which is read-only? */
static bool names_cs(const struct batch *b, uint32_t i,
                     const struct probe_result *r)
{
    const uint8_t *code = b->code[sequence_of(b, i)];
    uint32_t at = r->eip - b->cases[i].eip;
    struct insn in;

    return at < PROBE_ENTRY_BYTES &&
           decode(code + at, PROBE_ENTRY_BYTES - at, true, &in) &&
           in.segment == SEG_CS;
}

/* The engine checks no limit, no null selector and no write right of a segment;
 * emulation does, and so faults where the bare machine goes on. (A double fault
 * if there is no stack for it.) */
static bool stricter(const struct batch *b, uint32_t i)
{
    const struct probe_result *r = &b->other[i];

    return b->other_stop[i] == VM_RUNNING && r->error == 0 &&
           (r->vector == VEC_GP || r->vector == VEC_SS ||
            r->vector == VEC_DF) &&
           (b->holes[i] || names_cs(b, i, r));
}

/* Only what can be compared, so that nothing else leaves traces behind. */
static void choose(const struct batch *all, enum cpu_technique cpu,
                   struct batch *b)
{
    *b = *all;
    b->count = 0;
    make_room(b, all->count);
    for (uint32_t i = 0; i < all->count; i++)
        if (!left_out(all, i, cpu)) {
            b->holes[b->count] = all->holes[i];
            b->cases[b->count++] = all->cases[i];
        }
    cr_expect(b->count > all->count / 2, "only %u can be compared", b->count);
}

static void compare(struct batch *b, const struct way *way)
{
    unsigned wrong = 0, strict = 0;

    run(way, b, b->other, b->other_stop);
    for (uint32_t i = 0; i < b->count && wrong < REPORTS_MOST; i++)
        if (stricter(b, i) && difference(&b->bare[i], &b->other[i]))
            strict++;
        else
            wrong += compare_one(way, b, i);
    cr_expect(strict <= b->count / 50 + 1, "%s: %u faults of segments",
              way->name, strict);
}

static bool wanted(const struct way *way)
{
    const char *only = getenv("UMBRA_FUZZ_CPU");

    return !only || strcmp(only, cpu_technique_name(way->cpu)) == 0;
}

/* Under every technique, with what can be compared under it. */
static void compare_all(const struct batch *all)
{
    struct batch b = {.count = 0};
    enum cpu_technique chosen = CPU_BARE;
    struct way way;

    for (unsigned i = 0; guest_way(i, &way); i++) {
        if (!wanted(&way))
            continue;
        if (way.cpu != chosen) {
            release(&b);
            choose(all, way.cpu, &b);
            run(&ways[WAY_BARE], &b, b.bare, b.bare_stop);
            chosen = way.cpu;
        }
        compare(&b, &way);
    }
    release(&b);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static void everywhere(bool user)
{
    uint64_t left = setting("UMBRA_FUZZ_CASES", CASES);
    uint64_t seed = setting("UMBRA_FUZZ_SEED", 1);

    for (; left; seed++) {
        uint32_t count = left < CASES ? (uint32_t)left : CASES;
        struct batch b;

        generate(&b, count, user, seed);
        run(&ways[WAY_BARE], &b, b.bare, b.bare_stop);
        compare_all(&b);
        free(b.code);
        release(&b);
        left -= count;
    }
}

Test(instructions, at_ring_3)
{
    everywhere(true);
}

Test(instructions, at_ring_0)
{
    everywhere(false);
}
