/* SPDX-License-Identifier: MIT */
#include "tests/support/sequence.h"

#include <string.h>

#include "cpu/decode.h"

enum {
    INSNS_MOST = 4,
    CODE_ROOM = 60,
    PATTERN_MOST = 24, /* bytes of the longest pattern, or instruction */
};

/* ---- random numbers -------------------------------------------------------
 */

static uint64_t state;

void sequence_seed(uint64_t seed)
{
    state = seed + UINT64_C(0x9E3779B97F4A7C15);
}

static uint32_t any(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

static uint32_t below(uint32_t n)
{
    return any() % n;
}

static bool chance(unsigned percent)
{
    return below(100) < percent;
}

/* ---- instructions -----------------------------------------------------------
 */

static size_t random_bytes(uint8_t bytes[16])
{
    static const uint8_t prefixes[] = {0x66, 0x66, 0x67, 0xF2, 0xF3,
                                       0xF0, 0x2E, 0x36, 0x3E, 0x64};
    size_t n = 0;

    while (chance(15) && n < 3)
        bytes[n++] = prefixes[below(sizeof prefixes)];
    if (chance(35))
        bytes[n++] = 0x0F;
    bytes[n++] = (uint8_t)any();
    /* ModRM: often a register's memory, without or with a short distance. */
    bytes[n] = (uint8_t)any();
    if (chance(50))
        bytes[n] &= 0x7F;
    n++;
    while (n < 16)
        bytes[n++] = chance(60) ? (uint8_t)below(32) : (uint8_t)any();
    return n;
}

/* RET n, which takes n for a signed number, and XBEGIN: errata of the engine
 * (`umbra errata`), which show in what it executes itself alone. ENTER with
 * levels: a hidden fault repeats it, and it may have changed what it reads. */
static bool engine_differs(const struct insn *in, const uint8_t *bytes)
{
    unsigned i = 0;

    while (i + 2u < in->length && memchr("\x66\x67\xF2\xF3\xF0\x2E\x36\x3E"
                                         "\x26\x64\x65",
                                         bytes[i], 11))
        i++;
    if (bytes[i] == 0xC7 && bytes[i + 1] == 0xF8) /* XBEGIN */
        return true;
    if (bytes[i] == 0xC8) /* ENTER */
        return (bytes[i + 3] & 31) != 0;
    return (bytes[i] == 0xC2 || bytes[i] == 0xCA) && bytes[i + 2] >= 0x80;
}

/* What would stop the guest or read the clock, which runs at another pace. */
static bool refused(const struct insn *in, const uint8_t *bytes, bool user)
{
    if (engine_differs(in, bytes))
        return true;
    switch (in->id) {
    case INSN_RDTSC:
    case INSN_RDPMC: return true;
    case INSN_MOV_FROM_CR: /* stores to the directory, which it points to, show
                              sooner or later */
        return in->op[1].reg == 3 && !user;
    case INSN_IRET: /* the engine's never clears VIF and VIP again */
    case INSN_LGDT:
    case INSN_LIDT:
    case INSN_LLDT:
    case INSN_LTR:
    case INSN_LMSW:
    case INSN_MOV_TO_CR:
    case INSN_MOV_TO_DR:
    case INSN_HLT:
    case INSN_RDMSR:
    case INSN_WRMSR:
    case INSN_SYSENTER:
    case INSN_SYSEXIT:
    case INSN_SYSCALL:
    case INSN_SYSRET:
    case INSN_IN:
    case INSN_OUT:
    case INSN_INS:
    case INSN_OUTS: return !user;
    default: return false;
    }
}

/* Undefined flags are what the engine makes of them, and that depends on where
 * its block began: SBB EAX, EAX shows CF alone. */
static size_t define_flags(uint8_t *out, const struct insn *in)
{
    static const uint8_t sbb[] = {0x19, 0xC0};

    switch (in->id) {
    case INSN_BT:
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC: break;
    default: return 0;
    }
    memcpy(out, sbb, sizeof sbb);
    return sizeof sbb;
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

/* mov eax, cr0; xor eax, bit; mov cr0, eax */
static size_t toggle_cr0(uint8_t *out)
{
    static const uint32_t bits[] = {CR0_WP, CR0_TS, CR0_EM,
                                    CR0_MP, CR0_AM, CR0_NE};
    const uint8_t text[] = {0x0F, 0x20, 0xC0, 0x35, 0,   0,
                            0,    0,    0x0F, 0x22, 0xC0};
    uint32_t bit = bits[below(sizeof bits / sizeof *bits)];

    memcpy(out, text, sizeof text);
    memcpy(out + 4, &bit, sizeof bit);
    return sizeof text;
}

/* ---- patterns ---------------------------------------------------------------
 *
 * Control flow that a random choice of bytes hardly makes: loops, calls and
 * returns of all kinds, flags pushed and popped, far transfers to the next
 * instruction. Each ends where it leads to, whatever the registers are.
 */

/* Registers and the sandbox; neither ECX nor ESP, which patterns need. */
static size_t body(uint8_t *out)
{
    static const uint8_t regs[] = {0, 2, 3, 5, 6, 7};
    static const uint8_t alu[] = {0x01, 0x09, 0x11, 0x19, 0x21,
                                  0x29, 0x31, 0x39, 0x85, 0x89};
    uint8_t r = regs[below(sizeof regs)], q = regs[below(sizeof regs)];
    uint32_t at = PROBE_SANDBOX + 4 * below(64);

    switch (below(4)) {
    case 0: out[0] = (uint8_t)(0x40 + r + 8 * below(2)); return 1;
    case 1: /* SETcc of a low byte */
        memcpy(out,
               (uint8_t[]){0x0F, (uint8_t)(0x90 + below(16)),
                           (uint8_t)(0xC0 | (r & 3 & ~1))},
               3);
        return 3;
    case 2: /* with memory */
        out[0] = alu[below(sizeof alu)];
        out[1] = (uint8_t)(r << 3 | 5);
        memcpy(out + 2, &at, sizeof at);
        return 6;
    default:
        out[0] = alu[below(sizeof alu)];
        out[1] = (uint8_t)(0xC0 | r << 3 | q);
        return 2;
    }
}

static size_t put(uint8_t *out, const uint8_t *bytes, size_t n)
{
    memcpy(out, bytes, n);
    return n;
}
#define PUT(...)                                                               \
    put(out + n, (const uint8_t[]){__VA_ARGS__},                               \
        sizeof((const uint8_t[]){__VA_ARGS__}))

static size_t loop(uint8_t *out)
{
    size_t n = 0, start;

    n += PUT(0xB9, (uint8_t)(1 + below(40)), 0, 0, 0); /* mov n, ecx */
    start = n;
    n += body(out + n);
    if (chance(50))
        n += body(out + n);
    if (chance(50))
        n += PUT(0xE2, (uint8_t)(start - n - 2)); /* loop */
    else
        n += PUT(0x49, 0x75, (uint8_t)(start - n - 3)); /* dec, jnz */
    return n;
}

/* A function, jumped over. */
static size_t call(uint8_t *out)
{
    size_t n = 0, f, length;

    n += PUT(0xE8, 2, 0, 0, 0, 0xEB, 0);
    f = n;
    length = body(out + n);
    n += length;
    if (chance(30))
        n += PUT(0xC2, 0, 0);
    else
        n += PUT(0xC3);
    out[f - 1] = (uint8_t)(n - f);
    return n;
}

/* Over something, or not. */
static size_t branch(uint8_t *out)
{
    size_t n = 0, over;

    n += PUT((uint8_t)(0x70 + below(16)), 0);
    over = n;
    n += body(out + n);
    if (chance(50))
        n += body(out + n);
    out[over - 1] = (uint8_t)(n - over);
    return n;
}

/* To where a CALL of the next instruction says, plus the rest. */
static size_t indirect(uint8_t *out, unsigned *holes)
{
    size_t n = 0;

    *holes |= COMPUTED;
    switch (below(4)) {
    case 0: /* ret */
        n += PUT(0xE8, 0, 0, 0, 0, 0x83, 0x04, 0x24, 5, 0xC3);
        break;
    case 1: /* jmp eax */
        n += PUT(0xE8, 0, 0, 0, 0, 0x58, 0x83, 0xC0, 6, 0xFF, 0xE0);
        break;
    case 2: /* iret */
        *holes |= IN_HOLE_0;
        n += PUT(0x9C, 0x0E, 0xE8, 0, 0, 0, 0, 0x83, 0x04, 0x24, 5, 0xCF);
        break;
    default: /* retf */
        *holes |= IN_HOLE_0;
        n += PUT(0x0E, 0xE8, 0, 0, 0, 0, 0x83, 0x04, 0x24, 5, 0xCB);
        break;
    }
    return n;
}

/* Flags out and in, one of them turned round. */
static size_t flags(uint8_t *out, unsigned *holes)
{
    static const uint32_t bits[] = {EFL_CF, EFL_ZF, EFL_OF, EFL_DF,  EFL_IF,
                                    EFL_NT, EFL_AC, EFL_ID, EFL_IOPL};
    uint32_t bit = bits[below(sizeof bits / sizeof *bits)];
    size_t n = 0;

    *holes |= IN_HOLE_0;
    switch (below(3)) {
    case 0:
        n += PUT(0x9C, 0x81, 0x34, 0x24);
        memcpy(out + n, &bit, sizeof bit);
        n += sizeof bit;
        n += PUT(0x9D);
        break;
    case 1: /* cli, pushf, pop, sti */ n += PUT(0xFA, 0x9C, 0x58, 0xFB); break;
    default: /* of 16 bits */
        n += PUT(0x66, 0x9C, 0x66, 0x5A, 0x66, 0x52, 0x66, 0x9D);
        break;
    }
    return n;
}

/* A far jump or call to what follows. */
static size_t far(uint8_t *out, uint32_t at, bool user, unsigned *holes)
{
    uint32_t next = at + 7;
    size_t n = 0;

    *holes |= IN_HOLE_0;
    n += PUT(chance(50) ? 0x9A : 0xEA);
    memcpy(out + n, &next, sizeof next);
    n += sizeof next;
    n += PUT(user ? PROBE_USER_CS : PROBE_CS, 0);
    return n;
}

/* Selectors and tables looked at, segments pushed and popped. */
static size_t segments(uint8_t *out, unsigned *holes)
{
    static const uint8_t code[][4] = {
        {0x1E, 0x07, 0x06, 0x1F}, {0x0E, 0x58, 0x90, 0x90},
        {0x16, 0x5A, 0x16, 0x17}, {0x8C, 0xC8, 0x8C, 0xD2},
        {0x0F, 0x00, 0xC8, 0x90}, {0x0F, 0x00, 0xC2, 0x90},
        {0x0F, 0x01, 0xE0, 0x90}, {0x0F, 0x02, 0xC3, 0x90},
        {0x0F, 0x03, 0xC3, 0x90}, {0x0F, 0x00, 0xE3, 0x90},
        {0x0F, 0xA0, 0x0F, 0xA9}, {0x8E, 0xC3, 0x8E, 0xDA},
    };
    unsigned i = below(sizeof code / sizeof *code);

    *holes |= i >= 4 && i <= 9 ? IN_HOLE_0 | IN_HOLE_3 : IN_HOLE_0;
    memcpy(out, code[i], sizeof code[i]);
    return sizeof code[i];
}

static size_t pattern(uint8_t *out, uint32_t at, bool user, unsigned *holes)
{
    switch (below(7)) {
    case 0: return loop(out);
    case 1: return call(out);
    case 2: return branch(out);
    case 3: return indirect(out, holes);
    case 4: return flags(out, holes);
    case 5: return far(out, at, user, holes);
    default: return segments(out, holes);
    }
}

/* ---- a sequence
 * ----------------------------------------------------------------- */

unsigned sequence_make(uint8_t out[PROBE_ENTRY_BYTES], uint32_t entry,
                       bool user)
{
    unsigned count = 1 + below(INSNS_MOST), holes = 0;
    size_t n = 0;

    memset(out, 0xCC, PROBE_ENTRY_BYTES);
    while (count && n < CODE_ROOM - PATTERN_MOST) {
        uint8_t bytes[16];
        struct insn in;

        if (!user && chance(3)) {
            n += toggle_cr0(out + n);
            count--;
            continue;
        }
        if (chance(25)) {
            n += pattern(out + n, entry + (uint32_t)n, user, &holes);
            count--;
            continue;
        }
        random_bytes(bytes);
        if (!decode(bytes, sizeof bytes, true, &in)) {
            if (!chance(20))
                continue;
            /* Undefined: that is the end. */
            memcpy(out + n, bytes, INSN_MAX_LENGTH);
            n += INSN_MAX_LENGTH;
            holes |= UNDEFINED;
            break;
        }
        if (refused(&in, bytes, user))
            continue;
        if (in.flow == FLOW_JUMP || in.flow == FLOW_BRANCH ||
            in.flow ==
                FLOW_CALL) { /* to the next one, or there would be loops */
            unsigned size = in.length - (in.operand_size == 2 ? 2u : 4u);

            if (in.relative >= -128 && in.relative < 128 && in.length < 5)
                size = in.length - 1u;
            memset(bytes + size, 0, in.length - size);
            if (!decode(bytes, sizeof bytes, true, &in) || in.relative != 0)
                continue;
            if (in.operand_size == 2)
                continue; /* EIP would lose its upper half */
        }
        holes |= hole(&in, bytes);
        memcpy(out + n, bytes, in.length);
        n += in.length;
        n += define_flags(out + n, &in);
        count--;
    }
    out[n] = 0xCD;
    out[n + 1] = PROBE_DONE;
    return holes;
}

/* ---- cases
 * ---------------------------------------------------------------------- */

static uint32_t random_value(bool user)
{
    static const uint32_t edges[] = {
        0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFF, 0x8000, PROBE_TEXT};

    switch (below(8)) {
    case 0:
    case 1:
    case 2: return PROBE_SANDBOX + below(4096);
    case 3:
        return user ? PROBE_SANDBOX + 4 * below(1024)
                    : PROBE_TRACED + below(4 * PROBE_TRACED_WORDS);
    case 4: return edges[below(sizeof edges / sizeof *edges)];
    case 5: return below(256);
    case 6: return below(0x70); /* a selector, perhaps */
    default: return any();
    }
}

struct probe_case sequence_case(uint32_t index, bool user)
{
    struct probe_case c = {
        .flags = CASE_SANDBOX | CASE_CONTROL | (user ? CASE_USER : 0u),
        .cr0 = PROBE_CR0,
        .cr4 = CR4_OSFXSR,
        .eip = probe_entry(index),
    };

    for (unsigned i = 0; i < 8; i++)
        c.gpr[i] = random_value(user);
    c.gpr[3] = PROBE_SANDBOX + 0x400 + 4 * below(512); /* ESP */
    if (chance(10))
        c.gpr[3] += below(4);
    c.eflags = EFL_FIXED | EFL_IF |
               (any() & (EFL_ARITH | (chance(20) ? EFL_DF : 0) |
                         (chance(10) ? EFL_AC | EFL_ID : 0) |
                         (user && chance(5) ? EFL_NT : 0)));
    return c;
}
