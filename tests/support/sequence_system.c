/* SPDX-License-Identifier: MIT */
/* tests/support/sequence_system.c - what a kernel does, so that the probe goes
 * on afterwards: values that the registers may have, ports where nothing is,
 * ways to ring 3 that lead to the next instruction.
 */
#include "tests/support/sequence_priv.h"

/* Not WP, which keeps the page tables as they are. */
static void toggle_cr0(struct writer *w)
{
    static const uint32_t bits[] = {CR0_TS, CR0_EM, CR0_MP, CR0_AM, CR0_NE};

    PUT(w, 0x0F, 0x20, 0xC0, 0x35); /* mov eax, cr0; xor eax, bit */
    put_word(w, PICK(bits));
    PUT(w, 0x0F, 0x22, 0xC0);
}

/* Also what is reserved. Not PAE: the tables have the other format. */
static void toggle_cr4(struct writer *w)
{
    uint32_t bit = 1u << random_below(32);

    w->s->about |= CHANGES;
    PUT(w, 0x0F, 0x20, 0xE0, 0x35);
    put_word(w, bit == CR4_PAE ? CR4_PSE : bit);
    PUT(w, 0x0F, 0x22, 0xE0);
}

static void write_cr2(struct writer *w)
{
    PUT(w, 0x0F, 0x22, (uint8_t)(0xD0 + random_below(8)));
    PUT(w, 0x0F, 0x20, (uint8_t)(0xD0 + random_below(4)));
}

/* The same tables; then EAX points to the sandbox: nothing shall be stored to
 * the directory. */
static void write_cr3(struct writer *w)
{
    static const uint32_t bits[] = {0, 0x8, 0x10, 0x18};

    w->s->about |= CHANGES;
    PUT(w, 0x0F, 0x20, 0xD8, 0x35);
    put_word(w, PICK(bits));
    if (random_chance(70))
        PUT(w, 0x0F, 0x22, 0xD8);
    PUT(w, 0x35);
    put_word(w, PROBE_DIRECTORY ^ PROBE_SANDBOX);
}

/* Not DR7.GD: the probe writes DR7 itself. */
static void debug_registers(struct writer *w)
{
    uint32_t value = random_any() & ~(1u << 13);

    w->s->about |= CHANGES;
    put_mov(w, GPR_EAX, random_chance(50) ? value & 0xFFFF : value);
    PUT(w, 0x0F, 0x23, (uint8_t)(0xC0 | random_below(8) << 3));
    PUT(w, 0x0F, 0x21, (uint8_t)(0xC0 | random_below(8) << 3 | 2));
}

/* LGDT or LIDT of the same table; its end may be another. */
static void table_register(struct writer *w)
{
    bool idt = random_chance(50);
    uint32_t base = idt ? PROBE_IDT : PROBE_GDT;
    uint32_t limit = idt ? 0x77 + random_below(0x7FF - 0x77 + 1)
                         : 0x37 + random_below(PROBE_GDT_BYTES - 0x37);
    uint32_t at = PROBE_SANDBOX + random_below(0xF00);

    w->s->about |= CHANGES;
    PUT(w, 0xC7, 0x05);
    put_word(w, at);
    put_word(w, limit | base << 16);
    PUT(w, 0xC7, 0x05);
    put_word(w, at + 4);
    put_word(w, base >> 16);
    PUT(w, 0x0F, 0x01, idt ? 0x1D : 0x15);
    put_word(w, at);
}

/* LLDT; then a selector of that table is loaded. */
static void local_table(struct writer *w)
{
    static const uint16_t tables[] = {PROBE_LDT_SELECTOR,
                                      PROBE_LDT_SELECTOR,
                                      PROBE_LDT_SELECTOR,
                                      0,
                                      0x6C,
                                      0x28,
                                      0x38};
    static const uint8_t loads[] = {0xC0, 0xD8, 0xE0, 0xE8}; /* ES DS FS GS */

    w->s->about |= CHANGES | IN_HOLE_0;
    put_mov(w, GPR_EAX, PICK(tables));
    PUT(w, 0x0F, 0x00, 0xD0);
    put_mov(w, GPR_EAX, 4 + 8 * random_below(7) + random_below(4) % 3);
    PUT(w, 0x8E, PICK(loads));
}

/* LTR: what is no TSS, a busy one, the same one by another descriptor. */
static void task_register(struct writer *w)
{
    static const uint16_t selectors[] = {
        PROBE_SPARE_TSS, PROBE_TSS_SELECTOR, 0, 0x38, 0x74,
        PROBE_SPARE_TSS, PROBE_GDT_BYTES};

    w->s->about |= CHANGES;
    put_mov(w, GPR_EDX, PICK(selectors));
    PUT(w, 0x0F, 0x00, 0xDA);
}

static void msr(struct writer *w)
{
    static const uint32_t numbers[] = {0x174, 0x175, 0x176, 0x277, 0xC0000080,
                                       0x1B,  0x17,  0x2A,  0x8B,  0x12345};
    uint32_t number = PICK(numbers);

    w->s->about |= CHANGES;
    put_mov(w, GPR_ECX, number);
    if (number != 0x1B && random_chance(60)) {
        put_mov(w, GPR_EAX,
                number == 0x277 ? random_any() & 0x07070707
                                : random_any() & 0xFFFFF7FF);
        put_mov(w, GPR_EDX, random_chance(50) ? 0 : random_any() & 0x07070707);
        PUT(w, 0x0F, 0x30);
    }
    if (random_chance(80))
        PUT(w, 0x0F, 0x32);
}

/* The diagnostic port, the serial line's scratch register, and nothing. */
static void ports(struct writer *w)
{
    static const uint16_t numbers[] = {0x80, 0x3FF, 0x4E8};
    static const uint8_t by_dx[] = {0xEC, 0xED, 0xEE, 0xEF};
    static const uint8_t strings[] = {0x6C, 0x6D, 0x6E, 0x6F};
    uint32_t wide = random_chance(25) ? 0x66 : 0x3E;

    w->s->about |= PORTS;
    switch (random_below(3)) {
    case 0: PUT(w, (uint8_t)(0xE4 + random_below(4)), 0x80); return;
    case 1:
        put_mov(w, GPR_EDX, PICK(numbers));
        PUT(w, (uint8_t)wide, PICK(by_dx));
        return;
    default:
        put_mov(w, GPR_EDX, 0x80);
        put_mov(w, GPR_ECX, random_below(12));
        put_mov(w, GPR_ESI, PROBE_SANDBOX + 0x800 + random_below(0x820));
        PUT(w, 0x89, 0xF7); /* mov edi, esi */
        PUT(w, random_chance(80) ? 0xF3 : 0xF2, (uint8_t)wide, PICK(strings));
        return;
    }
}

/* SYSENTER to the landing, SYSEXIT to what follows. */
static void fast_call(struct writer *w)
{
    if (random_chance(30)) {
        w->s->about |= IN_HOLE_0;
        PUT(w, 0x0F, 0x34);
        return;
    }
    w->s->about |= LEAVES | COMPUTED;
    put_mov(w, GPR_ECX, PROBE_SANDBOX + 0x600);
    put_mov(w, GPR_EDX, here(w) + 8);
    PUT(w, 0xFB, 0x0F, 0x35);
}

static void put_push(struct writer *w, uint32_t value)
{
    PUT(w, 0x68);
    put_word(w, value);
}

/* IRET sets no accessed bits in the engine: only these, then. */
static const uint16_t iret_cs[] = {PROBE_CS, PROBE_USER_CS, 0,    0x10,
                                   0x23,     0x28,          0x5B, 0x98};
static const uint16_t iret_ss[] = {
    PROBE_DS, PROBE_BASED | 3, 0, PROBE_SS, 0x1B, 0x28, 0x4B, 0x98};

static uint32_t often(uint32_t usual, const uint16_t others[8], bool iret)
{
    if (random_chance(85))
        return usual;
    return iret ? others[random_below(8)]
                : 8 * random_below(18) + random_below(4);
}

/* IRET or RETF to ring 3, to what follows. (With interrupts on: a program that
 * runs directly sees the real flag.) */
static void to_ring_3(struct writer *w)
{
    bool iret = random_chance(70);

    w->s->about |= LEAVES | COMPUTED | IN_HOLE_0;
    put_push(w, often(PROBE_DS, iret_ss, iret));
    put_push(w, PROBE_SANDBOX + 0x600);
    if (iret)
        put_push(w, EFL_FIXED | EFL_IF | (random_any() & (EFL_ARITH | EFL_DF)));
    else
        PUT(w, 0xFB); /* sti */
    put_push(w, often(PROBE_USER_CS, iret_cs, iret));
    put_push(w, here(w) + 6);
    PUT(w, iret ? 0xCF : 0xCB);
}

/* To the lowest 64 KiB, where nothing is. */
static void to_ring_0_of_16_bits(struct writer *w)
{
    const uint16_t frame[] = {
        (uint16_t)(EFL_FIXED | (random_any() & (EFL_ARITH | EFL_IF | EFL_DF))),
        (uint16_t)often(PROBE_CS, iret_cs, true), (uint16_t)here(w)};

    for (unsigned i = 0; i < 3; i++)
        PUT(w, 0x66, 0x68, (uint8_t)frame[i], (uint8_t)(frame[i] >> 8));
    PUT(w, 0x66, 0xCF);
}

/* IRET within ring 0, with flags of our own. */
static void to_ring_0(struct writer *w)
{
    w->s->about |= COMPUTED | IN_HOLE_0;
    if (random_chance(10)) {
        to_ring_0_of_16_bits(w);
        return;
    }
    put_push(w, EFL_FIXED | (random_any() & (EFL_ARITH | EFL_IF | EFL_DF |
                                             EFL_IOPL | EFL_AC | EFL_ID)));
    put_push(w, often(PROBE_CS, iret_cs, true));
    put_push(w, here(w) + 6);
    PUT(w, 0xCF);
}

/* The clock runs at another pace: nothing of it may stay. */
static void clock(struct writer *w)
{
    w->s->about |= READS_CLOCK;
    PUT(w, 0x0F, 0x31, 0x31, 0xC0, 0x31, 0xD2);
}

/* The timer is set, and HLT waits for it. */
static void halt(struct writer *w)
{
    PUT(w, 0xB0, 0xFE, 0xE6, 0x21, /* mov al, no mask of IRQ 0; out */
        0xB0, 0x30, 0xE6, 0x43,    /* once, */
        0xB0, (uint8_t)random_any(), 0xE6, 0x40, /* in 100 to 850 us */
        0xB0, (uint8_t)(1 + random_below(3)), 0xE6, 0x40, 0xFB, 0xF4);
}

/* INVD, WBINVD, CLTS, INVLPG. */
static void caches(struct writer *w)
{
    static const uint8_t code[][3] = {
        {0x0F, 0x08, 0x90},
        {0x0F, 0x09, 0x90},
        {0x0F, 0x06, 0x90},
        {0x0F, 0x01, 0x3E},
    };

    put_bytes(w, PICK(code), sizeof *code);
}

void sequence_system(struct writer *w)
{
    static void (*const patterns[])(struct writer *) = {
        toggle_cr0,     toggle_cr4,  write_cr2,     write_cr3, debug_registers,
        table_register, local_table, task_register, msr,       ports,
        fast_call,      to_ring_3,   to_ring_0,     clock,     caches,
        halt,
    };

    PICK(patterns)(w);
}
