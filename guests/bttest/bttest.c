/* SPDX-License-Identifier: MIT */
/* bttest.c - what a translator must not change, for Umbra's own tests: each
 * part prints what it saw, which is the same on every machine. The command line
 * is PART COUNT; the debug-exit port gets 0.
 */
#include "bttest.h"
#include "kit.h"

#include <stddef.h>

/* ---- Precise faults ------------------------------------------------------ */

static void fault(const char *name, void (*part)(void))
{
    record[0] = 0;
    part();
    kit_print("%s: eip %x cs %w eflags %x error %x esp +%x\n", name,
              record[RECORD_EIP] - (uint32_t)part, record[RECORD_CS],
              record[RECORD_EFLAGS] & ~(1u << 16), record[RECORD_ERROR],
              record[RECORD_ESP] & 15);
    for (unsigned i = 0; i < 7; i++)
        kit_print(" %x", record[RECORD_GPR + i]);
    kit_print("\n below");
    for (unsigned i = 0; i < 8; i++)
        kit_print(" %x", record[RECORD_BELOW + i]);
    kit_print("\n");
}

static void run_faults(uint32_t n)
{
    (void)n;
    kit_gate(0, on_divide, GATE_INT);
    kit_gate(14, on_page_fault, GATE_INT);
    for (unsigned i = 0; i < 3; i++) {
        fault("divide", fault_divide);
        fault("load", fault_load);
        fault("push", fault_push);
        fault("call", fault_call);
        fault("jump", fault_jump);
        fault("popf", fault_popf);
    }
}

/* ---- Its own code -------------------------------------------------------- */

static void run_read(uint32_t n)
{
    const uint8_t *text = (const uint8_t *)fault_divide;
    uint32_t sum = 0;

    kit_print("before %x\n", flags_loop(n) + returns_loop(n));
    for (unsigned i = 0; i < 2048; i++)
        sum = (sum ^ text[i]) * 0x01000193u;
    kit_print("bytes %x\n", sum);
}

static void run_next(uint32_t n)
{
    kit_print("next %x\n", change_next(n));
}

static void run_later(uint32_t n)
{
    kit_print("later %x\n", change_later(n));
}

static void run_other(uint32_t n)
{
    kit_print("other %x\n", change_other(n));
}

static void run_back(uint32_t n)
{
    kit_print("back %x\n", change_back(n));
}

static void run_beside(uint32_t n)
{
    kit_print("beside %u\n", count_beside(n));
}

static void run_copy(uint32_t n)
{
    uint8_t *to = (uint8_t *)KIT_FRAMES;
    uint32_t sum = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t value = i;

        for (const uint8_t *p = piece; p < piece_end; p++)
            to[p - piece] = *p;
        to[2] = (uint8_t)(i + 1); /* MOV ECX's immediate */
        __asm__ volatile("call *%1" : "+a"(value) : "r"(to) : "memory", "cc");
        sum = sum * 31 + value;
        to = (uint8_t *)KIT_FRAMES + (i % 3) * 0x1080;
    }
    kit_print("copy %x\n", sum);
}

/* ---- What is seen -------------------------------------------------------- */

static void run_show(uint32_t n)
{
    static const uint32_t flags[] = {0x200,  0,      0x246, 0x2D7,    0xAD7,
                                     0x8D5,  0x600,  0x202, 0x200200, 0x40200,
                                     0x4200, 0x3200, 0x7ED7};

    (void)n;
    kit_print("call %x %x\n", show_call(), show_call_indirect());
    for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++)
        kit_print("popf %x: %x\n", flags[i], show_popf(flags[i]));
    kit_print("cs ss %x %x %x\n", show_push_cs(), show_mov_cs(), show_mov_ss());
    kit_print("str %x sldt %x smsw %x\n", show_str(), show_sldt(), show_smsw());
    show_sgdt();
    kit_print("sgdt %x %w", seen[0], seen[1] & 0xFFFF);
    show_sidt();
    kit_print(" sidt %x %w\n", seen[0], seen[1] & 0xFFFF);
    for (uint32_t s = 0; s < 0x40; s++)
        kit_print("%w: lar %x lsl %x verr %x verw %x\n", s, show_lar(s),
                  show_lsl(s), show_verr(s), show_verw(s));
}

/* The bits that POPF sets at CPL 0, all combinations of the common ones. */
static uint32_t common_flags(uint32_t i)
{
    return (i & 1) | (i & 2) << 1 | (i & 4) << 2 | (i & 8) << 3 |
           (i & 16) << 3 | (i & 32) << 4 | (i & 64) << 4 | (i & 128) << 4 |
           (i & 256) << 6;
}

static void run_popf(uint32_t n)
{
    uint32_t sum = 0;

    (void)n;
    for (uint32_t i = 0; i < 512; i++)
        sum = (sum ^ show_popf(common_flags(i))) * 0x01000193u;
    kit_print("popf %x\n", sum);
}

/* Within ring 0, with the same flags as POPF; from flags that are all there are
 * none of. */
static void run_iret(uint32_t n)
{
    const uint32_t RF = 0x10000;
    uint32_t sum = 0;

    for (uint32_t i = 0; i < 512; i++) {
        uint32_t f = common_flags(i);

        sum = (sum ^ show_iret(f, ~f & 0xAD5)) * 0x01000193u;
        /* (RF is in an exception's frame. PUSHF on the bare engine shows it.)
         */
        sum = (sum ^ (show_iret(f | RF, 0x202) & ~RF)) * 0x01000193u;
    }
    kit_print("iret %x\n", sum);
    kit_gdt[ALIAS_CS >> 3] = kit_gdt[KIT_CS >> 3];
    kit_gate(11, on_absent, GATE_INT);
    for (uint32_t i = 0; i < n; i++)
        kit_print("absent %u\n", iret_absent());
}

/* ---- Interrupts ---------------------------------------------------------- */

static void arm(uint32_t count)
{
    kit_ticks = 0;
    port_out(0x43, 0x30);
    port_out(0x40, (uint8_t)count);
    port_out(0x40, (uint8_t)(count >> 8));
    port_out(0x21, 0xFE);
}

static void run_tick(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t turns;

        arm(100 + 7 * i);
        turns = wait_for_tick();
        port_out(0x21, 0xFF);
        if (turns < 500 || turns > 100000)
            kit_print("tick after %u\n", turns);
    }
    kit_print("ticks %u\n", n);
}

static void run_shadow(uint32_t n)
{
    kit_gate(KIT_TIMER, on_tick, GATE_INT);
    for (uint32_t i = 0; i < n; i++) {
        __asm__ volatile("cli");
        arm(16);
        port_out(0x20, 0x0A); /* the PIC's requests: until it waits */
        while (!(port_in(0x20) & 1))
            ;
        sti_and_three();
        port_out(0x21, 0xFF);
        kit_print("came at +%u\n", shadow_eip - (uint32_t)behind_sti);
    }
}

/* ---- All of its linear space, but for 4 MiB that move ---------------------
 */

static void run_space(uint32_t n)
{
    static uint32_t all[1024] __attribute__((aligned(4096)));
    uint32_t sum = 0, cr4;

    __asm__ volatile("movl %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("movl %0, %%cr4" : : "r"(cr4 | 0x10));
    for (unsigned i = 0; i < 1024; i++)
        all[i] = PTE_P | PTE_W | 0x80; /* the first 4 MiB, everywhere */
    for (uint32_t round = 0; round < n; round++) {
        uint32_t hole = 1023 - 300 * round;

        all[hole] = 0; /* before the last one is taken: the VMM needs one */
        all[1023 - 300 * (round ? round - 1 : 1)] = PTE_P | PTE_W | 0x80;
        load_cr3(all);
        for (uint32_t i = 0; i < 1024; i++) {
            if (i == hole)
                continue;
            volatile uint32_t *word =
                (volatile uint32_t *)((i << 22) + (uint32_t)seen);

            *word = i + round;
            sum = (sum ^ seen[0] ^ flags_loop(1)) * 0x01000193u;
        }
    }
    load_cr3(kit_directory);
    kit_print("space %x\n", sum);
}

/* ---- Loops --------------------------------------------------------------- */

static void run_flags(uint32_t n)
{
    kit_print("flags %x\n", flags_loop(n));
}

static void run_tables(uint32_t n)
{
    kit_print("tables %x\n", tables_loop(n));
}

static void run_returns(uint32_t n)
{
    kit_print("returns %x\n", returns_loop(n));
}

static void run_callers(uint32_t n)
{
    kit_print("callers %x\n", callers_loop(n));
}

static void run_jumps(uint32_t n)
{
    kit_print("jumps %x\n", jumps_loop(n));
}

/* To a page table in use: an entry that maps nothing of use. */
static void run_stores(uint32_t n)
{
    kit_print("stores %x\n", stores_loop(n, &kit_table[0][1000]) & 1);
}

/* ---- What xv6 does with each lock ------------------------------------------
 */

/* A descriptor table in the page of a counter. Every 50th round a descriptor
 * changes, and what is loaded must be what it says. */
static void run_busy(uint32_t n)
{
    volatile uint32_t *counter = (volatile uint32_t *)&kit_gdt[511];
    static uint32_t words[8];
    uint32_t sum = 0, value;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t base = (uint32_t)&words[i / 50 % 8];

        for (unsigned k = 0; k < 50; k++)
            ++*counter;
        if (i % 50 == 0)
            kit_gdt[KIT_SPARE >> 3] = 0x00CF92000000FFFF |
                                      (uint64_t)(base & 0xFFFFFF) << 16 |
                                      (uint64_t)(base >> 24) << 56;
        words[i / 50 % 8] = i;
        __asm__ volatile("movw %w1, %%gs\n\tmovl %%gs:0, %0\n\tmovw %w2, %%gs"
                         : "=&r"(value)
                         : "r"(KIT_SPARE), "r"(KIT_USER_DS)
                         : "memory");
        sum = (sum ^ value) * 0x01000193u;
    }
    kit_print("busy %x\n", sum);
}

/* The local APIC's ID is read and its task priority written and read back, by
 * the same instructions each time. */
static void run_device(uint32_t n)
{
    enum { PAGE = 1001, ID = 0x20 / 4, PRIORITY = 0x80 / 4 };
    volatile uint32_t *apic = (volatile uint32_t *)(PAGE << 12);
    uint32_t sum = 0;

    kit_table[0][PAGE] = 0xFEE00000 | PTE_P | PTE_W;
    invlpg(PAGE << 12);
    for (uint32_t i = 0; i < n; i++) {
        apic[PRIORITY] = i % 16;
        sum = (sum ^ apic[ID] ^ apic[PRIORITY]) * 0x01000193u;
    }
    apic[PRIORITY] = 0;
    kit_print("device %x\n", sum);
}

_Noreturn void guest_main(const char *word[KIT_WORDS])
{
    static const struct {
        const char *name;
        void (*run)(uint32_t n);
    } parts[] = {
        {"faults", run_faults},   {"read", run_read},   {"next", run_next},
        {"later", run_later},     {"other", run_other}, {"back", run_back},
        {"beside", run_beside},   {"copy", run_copy},   {"show", run_show},
        {"popf", run_popf},       {"tick", run_tick},   {"shadow", run_shadow},
        {"space", run_space},     {"flags", run_flags}, {"tables", run_tables},
        {"returns", run_returns}, {"jumps", run_jumps}, {"stores", run_stores},
        {"callers", run_callers}, {"iret", run_iret},   {"busy", run_busy},
        {"device", run_device},
    };

    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++)
        if (kit_equal(parts[i].name, word[0])) {
            parts[i].run(kit_number(word[1]));
            kit_exit(0);
        }
    kit_print("no part %s\n", word[0]);
    kit_exit(1);
}
