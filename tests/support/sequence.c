/* SPDX-License-Identifier: MIT */
#include "tests/support/sequence.h"

#include "cpu/decode.h"
#include "tests/support/sequence_priv.h"

enum { INSNS_MOST = 6 };

/* ---- instructions -----------------------------------------------------------
 */

/* Of the two-byte map what is no SSE, twice as often as the rest. */
static uint8_t two_byte_opcode(void)
{
    static const uint8_t ranges[][2] = {
        {0x00, 0x0B}, {0x18, 0x23}, {0x30, 0x35}, {0x40, 0x4F}, {0x80, 0x9F},
        {0xA0, 0xA5}, {0xA8, 0xAF}, {0xB0, 0xBF}, {0xC0, 0xC1}, {0xC7, 0xCF},
    };
    const uint8_t *range = PICK(ranges);

    if (random_chance(33))
        return (uint8_t)random_any();
    return (uint8_t)(range[0] + random_below(range[1] - range[0] + 1u));
}

static void random_bytes(uint8_t bytes[16])
{
    static const uint8_t prefixes[] = {0x66, 0x66, 0x67, 0x67, 0xF2, 0xF3, 0xF0,
                                       0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65};
    size_t n = 0;

    while (random_chance(18) && n < 4)
        bytes[n++] = PICK(prefixes);
    if (random_chance(35)) {
        bytes[n++] = 0x0F;
        bytes[n++] = two_byte_opcode();
    } else {
        bytes[n++] = (uint8_t)random_any();
    }
    /* ModRM: often a register's memory, without or with a short distance. */
    bytes[n] = (uint8_t)random_any();
    if (random_chance(50))
        bytes[n] &= 0x7F;
    n++;
    while (n < 16)
        bytes[n++] =
            (uint8_t)(random_chance(60) ? random_below(32) : random_any());
}

static size_t prefix_bytes(const uint8_t *bytes, size_t most)
{
    size_t i = 0;

    while (i < most &&
           memchr("\x66\x67\xF2\xF3\xF0\x2E\x36\x3E\x26\x64\x65", bytes[i], 11))
        i++;
    return i;
}

/* ENTER with levels is a pattern: what it reads must not be what it writes. */
static bool enters_levels(const struct insn *in, const uint8_t *bytes)
{
    const uint8_t *op = bytes + prefix_bytes(bytes, in->length - 1u);

    return op[0] == 0xC8 && (op[3] & 31) != 0;
}

/* At ring 0 what needs values that chance does not give: there are patterns. */
static bool refused(const struct insn *in, const uint8_t *bytes, bool user)
{
    if (enters_levels(in, bytes))
        return true;
    switch (in->id) {
    case INSN_RDTSC:
    case INSN_LGDT:
    case INSN_LIDT:
    case INSN_LTR:
    case INSN_MOV_TO_CR:
    case INSN_MOV_TO_DR:
    case INSN_HLT:
    case INSN_RDMSR:
    case INSN_WRMSR:
    case INSN_SYSEXIT:
    case INSN_IN:
    case INSN_OUT:
    case INSN_INS:
    case INSN_OUTS: return !user;
    case INSN_MOV_FROM_CR: /* the register would point to the directory */
        return in->op[1].reg == 3 && !user;
    default: return false;
    }
}

/* Undefined flags are what the engine makes of them, and that depends on where
 * its block began: SBB EAX, EAX shows CF alone. */
static void define_flags(struct writer *w, const struct insn *in)
{
    switch (in->id) {
    case INSN_BT:
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC: PUT(w, 0x19, 0xC0); break;
    default: break;
    }
}

static unsigned hole(const struct insn *in, const uint8_t *bytes)
{
    char text[64];

    if (in->id == INSN_OTHER &&
        decode_format(bytes, in->length, true, 0, text, sizeof text) &&
        (strstr(text, "fnstenv") || strstr(text, "fnsave") ||
         strstr(text, "fxsave")))
        return SHOWS_FCS;
    switch (in->cls) {
    case CLASS_TABLE:
    case CLASS_DESCRIPTOR: return IN_HOLE_0 | IN_HOLE_3;
    case CLASS_FLAG:
    case CLASS_SEGMENT: return IN_HOLE_0;
    case CLASS_TRANSFER:
        return in->id == INSN_INT || in->id == INSN_INT1 ||
                       in->id == INSN_INT3 || in->id == INSN_INTO
                   ? 0
                   : IN_HOLE_0;
    default: return 0;
    }
}

static unsigned about(const struct insn *in)
{
    switch (in->id) {
    case INSN_RDTSC: return READS_CLOCK;
    case INSN_IN:
    case INSN_OUT:
    case INSN_INS:
    case INSN_OUTS: return PORTS;
    case INSN_LLDT: return CHANGES;
    default: return 0;
    }
}

/* A near jump leads to the next instruction, or there would be loops. False: it
 * cannot. */
static bool straighten(uint8_t *bytes, struct insn *in)
{
    size_t op = prefix_bytes(bytes, in->length);
    size_t distance = bytes[op] == 0x0F ? op + 2 : op + 1;

    if (in->flow != FLOW_JUMP && in->flow != FLOW_BRANCH &&
        in->flow != FLOW_CALL)
        return true;
    if (in->operand_size == 2)
        return false; /* EIP would lose its upper half */
    memset(bytes + distance, 0, in->length - distance);
    return decode(bytes, 16, true, in) && in->relative == 0;
}

/* One of random bytes; false: nothing was put. */
static bool random_instruction(struct writer *w)
{
    uint8_t bytes[16];
    struct insn in;

    random_bytes(bytes);
    if (!decode(bytes, sizeof bytes, true, &in)) {
        if (!random_chance(20))
            return false;
        put_bytes(w, bytes, INSN_MAX_LENGTH);
        w->s->about |= UNDEFINED;
        return true;
    }
    if (refused(&in, bytes, w->user) || !straighten(bytes, &in))
        return false;
    w->s->about |= hole(&in, bytes) | about(&in);
    put_bytes(w, bytes, in.length);
    define_flags(w, &in);
    return true;
}

void sequence_make(struct sequence *s, uint64_t seed, uint32_t entry, bool user)
{
    struct writer w = {.s = s, .entry = entry, .user = user};
    unsigned count;

    memset(s->code, 0xCC, sizeof s->code);
    s->about = 0;
    random_seed(seed * 2 + user);
    count = 1 + random_below(INSNS_MOST);
    while (count && w.n < CODE_ROOM - PATTERN_MOST && !(s->about & UNDEFINED)) {
        if (random_chance(25))
            !user &&random_chance(50) ? sequence_system(&w)
                                      : sequence_pattern(&w);
        else if (!random_instruction(&w))
            continue;
        count--;
    }
    PUT(&w, 0xCD, PROBE_DONE);
}

/* ---- cases
 * ---------------------------------------------------------------------- */

static uint32_t random_value(bool user)
{
    static const uint32_t edges[] = {
        0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFF, 0x8000, PROBE_TEXT};

    switch (random_below(8)) {
    case 0:
    case 1:
    case 2: return PROBE_SANDBOX + random_below(4096);
    case 3:
        return user ? PROBE_SANDBOX + 4 * random_below(1024)
                    : PROBE_TRACED + random_below(4 * PROBE_TRACED_WORDS);
    case 4: return PICK(edges);
    case 5: return random_below(256);
    case 6: return random_below(PROBE_GDT_BYTES + 8); /* a selector, perhaps */
    default: return random_any();
    }
}

static uint32_t random_flags(bool user)
{
    uint32_t flags = EFL_FIXED | (random_any() & EFL_ARITH);

    if (user || random_chance(70))
        flags |= EFL_IF;
    if (random_chance(20))
        flags |= EFL_DF;
    if (random_chance(10))
        flags |= random_any() & (EFL_AC | EFL_ID);
    if (random_chance(3))
        flags |= EFL_TF;
    if (random_chance(5))
        flags |= user ? EFL_NT : 0;
    if (user && random_chance(15))
        flags |= random_any() & EFL_IOPL;
    return flags;
}

static void random_segments(struct probe_case *c, bool user)
{
    static const uint16_t data[] = {PROBE_DS,    PROBE_DS, PROBE_DS,
                                    PROBE_BASED, PROBE_DS, PROBE_BASED | 3};

    for (unsigned i = 0; i < 4; i++)
        c->segment[i] = PICK(data);
    if (!user && random_chance(30))
        c->segment[random_below(4)] = PROBE_SS;
}

/* Where a monitor is while paging is off, and stays if it can; in the guest's
 * tables nothing is there. */
enum { MONITOR_AT = 0xBFC00000, MONITOR_BYTES = 4 << 20, MONITOR_CASES = 16 };

/* Some cases have a register that points there: not ESP, where there would be
 * no stack for the fault. */
static void point_to_monitor(struct probe_case *c, uint64_t seed)
{
    unsigned i = (unsigned)(seed / MONITOR_CASES % 8);

    if (seed % MONITOR_CASES == 0 && i != 3)
        c->gpr[i] = MONITOR_AT + (uint32_t)(seed * 0x9E3779B1u) % MONITOR_BYTES;
}

struct probe_case sequence_case(const struct sequence *s, uint64_t seed,
                                uint32_t entry, bool user)
{
    struct probe_case c = {
        .flags = CASE_SANDBOX | CASE_CONTROL | (user ? CASE_USER : 0u) |
                 (s->about & CHANGES ? CASE_RESTORE : 0u),
        .cr0 = PROBE_CR0,
        .cr4 = CR4_OSFXSR | (user && (s->about & READS_CLOCK) ? CR4_TSD : 0),
        .eip = entry,
    };

    random_seed(~(seed * 2 + user));
    for (unsigned i = 0; i < 8; i++)
        c.gpr[i] = random_value(user);
    point_to_monitor(&c, seed);
    c.gpr[3] = PROBE_SANDBOX + 0x400 + 4 * random_below(512); /* ESP */
    if (random_chance(10))
        c.gpr[3] += random_below(4);
    c.eflags = random_flags(user);
    if (random_chance(15))
        c.flags |= CASE_FLUSH;
    if (random_chance(20)) {
        c.flags |= CASE_SEGMENTS;
        random_segments(&c, user);
    }
    return c;
}
