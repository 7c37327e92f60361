/* SPDX-License-Identifier: MIT */
/* tests/support/sequence_patterns.c - for both rings: loops, calls and returns
 * of all kinds, flags pushed and popped, far transfers, frames and strings that
 * fault in the middle. Each ends where it leads to, whatever the registers are.
 */
#include "tests/support/sequence_priv.h"

/* Registers and the sandbox; neither ECX nor ESP, which patterns need. */
static void body(struct writer *w)
{
    static const uint8_t regs[] = {0, 2, 3, 5, 6, 7};
    static const uint8_t alu[] = {0x01, 0x09, 0x11, 0x19, 0x21,
                                  0x29, 0x31, 0x39, 0x85, 0x89};
    uint8_t r = PICK(regs), q = PICK(regs);

    switch (random_below(4)) {
    case 0: PUT(w, (uint8_t)(0x40 + r + 8 * random_below(2))); break;
    case 1: /* SETcc of a low byte */
        PUT(w, 0x0F, (uint8_t)(0x90 + random_below(16)),
            (uint8_t)(0xC0 | (r & 3 & ~1)));
        break;
    case 2: /* with memory */
        PUT(w, PICK(alu), (uint8_t)(r << 3 | 5));
        put_word(w, PROBE_SANDBOX + 4 * random_below(64));
        break;
    default: PUT(w, PICK(alu), (uint8_t)(0xC0 | r << 3 | q)); break;
    }
}

static void loop(struct writer *w)
{
    size_t start;

    put_mov(w, GPR_ECX, 1 + random_below(40));
    start = w->n;
    body(w);
    if (random_chance(50))
        body(w);
    if (random_chance(50))
        PUT(w, 0xE2, (uint8_t)(start - w->n - 2)); /* loop */
    else
        PUT(w, 0x49, 0x75, (uint8_t)(start - w->n - 3)); /* dec, jnz */
}

/* A function, jumped over. */
static void call(struct writer *w)
{
    size_t f;

    PUT(w, 0xE8, 2, 0, 0, 0, 0xEB, 0);
    f = w->n;
    body(w);
    if (random_chance(30))
        PUT(w, 0xC2, 0, 0);
    else
        PUT(w, 0xC3);
    w->s->code[f - 1] = (uint8_t)(w->n - f);
}

/* Over something, or not. */
static void branch(struct writer *w)
{
    size_t over;

    PUT(w, (uint8_t)(0x70 + random_below(16)), 0);
    over = w->n;
    body(w);
    if (random_chance(50))
        body(w);
    w->s->code[over - 1] = (uint8_t)(w->n - over);
}

/* To where a CALL of the next instruction says, plus the rest. */
static void indirect(struct writer *w)
{
    w->s->about |= COMPUTED;
    switch (random_below(4)) {
    case 0: /* ret */
        PUT(w, 0xE8, 0, 0, 0, 0, 0x83, 0x04, 0x24, 5, 0xC3);
        break;
    case 1: /* jmp eax */
        PUT(w, 0xE8, 0, 0, 0, 0, 0x58, 0x83, 0xC0, 6, 0xFF, 0xE0);
        break;
    case 2: /* iret */
        w->s->about |= IN_HOLE_0;
        PUT(w, 0x9C, 0x0E, 0xE8, 0, 0, 0, 0, 0x83, 0x04, 0x24, 5, 0xCF);
        break;
    default: /* retf */
        w->s->about |= IN_HOLE_0;
        PUT(w, 0x0E, 0xE8, 0, 0, 0, 0, 0x83, 0x04, 0x24, 5, 0xCB);
        break;
    }
}

/* Flags out and in, one of them turned round. */
static void flags(struct writer *w)
{
    static const uint32_t bits[] = {EFL_CF, EFL_ZF, EFL_OF, EFL_DF,  EFL_IF,
                                    EFL_NT, EFL_AC, EFL_ID, EFL_IOPL};

    w->s->about |= IN_HOLE_0;
    switch (random_below(3)) {
    case 0:
        PUT(w, 0x9C, 0x81, 0x34, 0x24);
        put_word(w, PICK(bits));
        PUT(w, 0x9D);
        break;
    case 1: /* cli, pushf, pop, sti */ PUT(w, 0xFA, 0x9C, 0x58, 0xFB); break;
    default: /* of 16 bits */
        PUT(w, 0x66, 0x9C, 0x66, 0x5A, 0x66, 0x52, 0x66, 0x9D);
        break;
    }
}

/* A far jump or call, most often to what follows. */
static void far(struct writer *w)
{
    static const uint16_t others[] = {0,
                                      0x04,
                                      PROBE_CS,
                                      PROBE_SS,
                                      PROBE_USER_CS,
                                      0x38,
                                      0x40,
                                      0x48,
                                      0x5B,
                                      0x60,
                                      0x8B,
                                      0x94,
                                      PROBE_LDT_SELECTOR,
                                      PROBE_GATE,
                                      PROBE_GATE | 3};
    uint16_t selector = w->user ? PROBE_USER_CS : PROBE_CS;

    w->s->about |= IN_HOLE_0;
    PUT(w, random_chance(50) ? 0x9A : 0xEA);
    put_word(w, here(w) + 6);
    if (random_chance(40))
        selector = PICK(others);
    PUT(w, (uint8_t)selector, (uint8_t)(selector >> 8));
}

/* Selectors and tables looked at, segments pushed and popped. */
static void segments(struct writer *w)
{
    static const uint8_t code[][4] = {
        {0x1E, 0x07, 0x06, 0x1F}, {0x0E, 0x58, 0x90, 0x90},
        {0x16, 0x5A, 0x16, 0x17}, {0x8C, 0xC8, 0x8C, 0xD2},
        {0x0F, 0x00, 0xC8, 0x90}, {0x0F, 0x00, 0xC2, 0x90},
        {0x0F, 0x01, 0xE0, 0x90}, {0x0F, 0x02, 0xC3, 0x90},
        {0x0F, 0x03, 0xC3, 0x90}, {0x0F, 0x00, 0xE3, 0x90},
        {0x0F, 0xA0, 0x0F, 0xA9}, {0x8E, 0xC3, 0x8E, 0xDA},
    };
    unsigned i = random_below(sizeof code / sizeof *code);

    w->s->about |= i >= 4 && i <= 9 ? IN_HOLE_0 | IN_HOLE_3 : IN_HOLE_0;
    if (random_chance(50)) /* of one that is there */
        put_mov(w, GPR_EBX,
                8 * random_below(PROBE_GDT_BYTES / 8) | random_below(4));
    put_bytes(w, code[i], sizeof code[i]);
}

/* ENTER with levels. What it reads and what it writes lie apart: a hidden fault
 * repeats it. Either may begin outside of the sandbox. */
static void enter(struct writer *w)
{
    put_mov(w, GPR_EBP,
            PROBE_SANDBOX + (random_chance(20) ? 4 * random_below(32)
                                               : 0xD00 + random_below(0x300)));
    put_mov(w, GPR_ESP,
            PROBE_SANDBOX +
                (random_chance(15) ? 0x60 : 0x400 + random_below(0x800)));
    if (random_chance(20))
        PUT(w, 0x66);
    PUT(w, 0xC8, (uint8_t)(4 * random_below(8)), 0,
        (uint8_t)random_below(random_chance(80) ? 32 : 256));
    if (random_chance(50))
        PUT(w, 0xC9); /* leave */
}

/* A string instruction, often across the sandbox's end. */
static void string(struct writer *w)
{
    static const uint8_t opcodes[] = {0xA4, 0xA5, 0xA6, 0xA7, 0xAA,
                                      0xAB, 0xAC, 0xAD, 0xAE, 0xAF};
    uint32_t end = PROBE_SANDBOX + 4096;

    put_mov(w, GPR_ESI,
            random_chance(50) ? end - random_below(64)
                              : end - 2048 + random_below(64));
    put_mov(w, GPR_EDI,
            random_chance(50) ? end - random_below(64)
                              : PROBE_SANDBOX + random_below(1024));
    put_mov(w, GPR_ECX, random_below(48));
    if (random_chance(30))
        PUT(w, 0xFD); /* std */
    if (random_chance(80))
        PUT(w, random_chance(50) ? 0xF3 : 0xF2);
    if (random_chance(25))
        PUT(w, 0x66);
    if (random_chance(15))
        PUT(w, random_chance(50) ? 0x26 : 0x64); /* es, fs */
    PUT(w, PICK(opcodes));
    PUT(w, 0xFC);
}

/* The few of the two-byte map that need operands to match. */
static void exchange(struct writer *w)
{
    static const uint8_t code[][5] = {
        {0x0F, 0xC7, 0x0F},             /* cmpxchg8b [edi] */
        {0xF0, 0x0F, 0xC7, 0x4E, 0xF0}, /* lock cmpxchg8b [esi-16] */
        {0xF0, 0x0F, 0xB1, 0x1F},       /* lock cmpxchg [edi], ebx */
        {0xF0, 0x0F, 0xC1, 0x16},       /* lock xadd [esi], edx */
        {0x62, 0x07},                   /* bound eax, [edi] */
        {0xD7},                         /* xlat */
        {0xF0, 0x87, 0x0E},             /* lock xchg [esi], ecx */
        {0x63, 0xC3},                   /* arpl bx, ax */
    };
    static const uint8_t length[] = {3, 5, 4, 4, 2, 1, 3, 2};
    unsigned i = random_below(sizeof length);

    if (random_chance(50)) {
        put_mov(w, GPR_EDI, PROBE_SANDBOX + random_below(4096));
        PUT(w, 0x8B, 0x07, 0x8B, 0x57, 0x04); /* what is there */
    }
    if (random_chance(30))
        put_mov(w, GPR_EBX, PROBE_SANDBOX + random_below(4096));
    put_bytes(w, code[i], length[i]);
}

void sequence_pattern(struct writer *w)
{
    static void (*const patterns[])(struct writer *) = {
        loop, call,     branch, indirect, flags,
        far,  segments, enter,  string,   exchange,
    };

    PICK(patterns)(w);
}
