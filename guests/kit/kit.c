/* SPDX-License-Identifier: MIT */
/* kit.c - descriptor tables, page tables, the serial port, the end.
 *
 * Reference: SDM 3A, "Protected-Mode Memory Management", "Paging"; Intel 8259A
 * and 8254, National Semiconductor PC16550D data sheets.
 */
#include "kit.h"

#include <stdarg.h>
#include <stddef.h>

#define COM1        0x3F8
#define THR_EMPTY   0x20
#define DEBUG_EXIT  0xF4  /* QEMU's isa-debug-exit, Umbra's too          */
#define PM_QEMU     0x604 /* PIIX4 power management, PM1a control        */
#define PIC1        0x20
#define PIC2        0xA0
#define PIC_IRR     0x0A
#define PIT_ONESHOT 0x30 /* channel 0, low byte then high, mode 0       */
#define CR0_PG_WP   0x80010000u
#define EXCEPTIONS  32
#define GDT_ENTRIES (KIT_SPARE / 8 + KIT_SPARES)

struct __attribute__((packed)) table_register {
    uint16_t limit;
    uint32_t base;
};

extern char kit_stubs[], user_start[], user_end[];
extern void kit_load(const struct table_register *gdtr,
                     const struct table_register *idtr);
extern void kit_leave_user(void), kit_timer(void);

/* Each on pages of its own: a VMM watches descriptor tables and page tables,
 * and other data there would make every write to it slow. */
#define PAGES __attribute__((aligned(4096)))

uint32_t kit_directory[1024] PAGES, kit_table[2][1024] PAGES;
uint32_t kit_tss[1024] PAGES;
static uint64_t idt[512] PAGES;
volatile uint32_t kit_ticks PAGES;
void (*kit_caught)(void);

/* Present, ring, type; 4 KiB granularity, 32 bits, 4 GiB. */
#define FLAT(access) (0x00CF00000000FFFFull | (uint64_t)(access) << 40)

uint64_t kit_gdt[512] PAGES = {
    [KIT_CS >> 3] = FLAT(0x9B),
    [KIT_SS >> 3] = FLAT(0x93),
    [KIT_USER_CS >> 3] = FLAT(0xFB),
    [KIT_USER_DS >> 3] = FLAT(0xF3),
};

/* ---- Output -------------------------------------------------------------- */

static void put(char c)
{
    while (!(port_in(COM1 + 5) & THR_EMPTY))
        ;
    port_out(COM1, (uint8_t)c);
}

static void put_number(uint32_t value, uint32_t base, uint32_t digits)
{
    char text[12];
    uint32_t n = 0;

    do {
        text[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value || n < digits);
    while (n)
        put(text[--n]);
}

void kit_print(const char *f, ...)
{
    va_list list;

    va_start(list, f);
    for (; *f; f++) {
        if (*f != '%') {
            put(*f);
            continue;
        }
        switch (*++f) {
        case 's':
            for (const char *s = va_arg(list, const char *); *s; s++)
                put(*s);
            break;
        case 'u': put_number(va_arg(list, uint32_t), 10, 1); break;
        case 'x': put_number(va_arg(list, uint32_t), 16, 8); break;
        case 'w': put_number(va_arg(list, uint32_t), 16, 4); break;
        }
    }
    va_end(list);
}

_Noreturn void kit_exit(uint32_t value)
{
    port_out(DEBUG_EXIT, (uint8_t)value);
    __asm__ volatile("outw %0, %1"
                     :
                     : "a"((uint16_t)0x2000), "d"((uint16_t)PM_QEMU));
    for (;;)
        __asm__ volatile("cli; hlt");
}

_Noreturn void kit_unexpected(const struct kit_frame *f)
{
    kit_print("unexpected exception %u, error %x, at %w:%x\n", f->vector,
              f->error, f->cs, f->eip);
    kit_exit(2);
}

/* ---- Words --------------------------------------------------------------- */

bool kit_equal(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

uint32_t kit_number(const char *text)
{
    uint32_t n = 0;

    for (; *text >= '0' && *text <= '9'; text++)
        n = 10 * n + (uint32_t)(*text - '0');
    return n;
}

/* The last words: a loader may put the kernel's name in front. */
static void last_words(const char *line, const char *word[KIT_WORDS])
{
    static char copy[512];
    size_t n = 0;

    while (line[n] && n < sizeof copy - 1)
        copy[n] = line[n], n++;
    for (int i = KIT_WORDS; i-- > 0;) {
        while (n > 0 && copy[n - 1] == ' ')
            n--;
        copy[n] = '\0';
        while (n > 0 && copy[n - 1] != ' ')
            n--;
        word[i] = &copy[n];
    }
}

/* ---- Tables -------------------------------------------------------------- */

void kit_gate(unsigned vector, void (*entry)(void), unsigned type)
{
    uint32_t at = (uint32_t)entry;

    idt[vector] = (at & 0xFFFF) | (uint64_t)KIT_CS << 16 |
                  (uint64_t)type << 40 | (uint64_t)(at >> 16) << 48;
}

static void descriptors(void)
{
    struct table_register gdtr = {GDT_ENTRIES * 8 - 1, (uint32_t)kit_gdt};
    struct table_register idtr = {256 * 8 - 1, (uint32_t)idt};
    uint32_t tss = (uint32_t)kit_tss;

    for (unsigned i = 0; i < EXCEPTIONS; i++)
        kit_gate(i, (void (*)(void))(uint32_t)&kit_stubs[16 * i], GATE_INT);
    kit_gate(KIT_TIMER, kit_timer, GATE_INT);
    kit_gate(KIT_EXIT_USER, kit_leave_user, GATE_TRAP | GATE_RING3);
    kit_tss[2] = KIT_SS;
    kit_tss[25] = 104u << 16; /* no I/O bitmap: IN and OUT need CPL <= IOPL */
    kit_gdt[KIT_TSS >> 3] = 103 | (uint64_t)(tss & 0xFFFFFF) << 16 |
                            (uint64_t)0x89 << 40 | (uint64_t)(tss >> 24) << 56;
    kit_load(&gdtr, &idtr);
}

static void paging(void)
{
    uint32_t cr0;

    for (uint32_t i = 0; i < 2048; i++) {
        uint32_t at = i << 12;
        bool user = at >= (uint32_t)user_start && at < (uint32_t)user_end;

        kit_table[i >> 10][i & 1023] = at | PTE_P | PTE_W | (user ? PTE_U : 0);
    }
    kit_directory[0] = (uint32_t)kit_table[0] | PTE_P | PTE_W | PTE_U;
    kit_directory[1] = (uint32_t)kit_table[1] | PTE_P | PTE_W | PTE_U;
    load_cr3(kit_directory);
    __asm__ volatile("movl %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("movl %0, %%cr0" : : "r"(cr0 | CR0_PG_WP) : "memory");
}

/* ---- Interrupts ---------------------------------------------------------- */

static void interrupts(void)
{
    static const uint8_t set_up[][2] = {
        {PIC1, 0x11},     {PIC1 + 1, KIT_TIMER}, {PIC1 + 1, 4},
        {PIC1 + 1, 1},    {PIC2, 0x11},          {PIC2 + 1, KIT_TIMER + 8},
        {PIC2 + 1, 2},    {PIC2 + 1, 1},         {PIC1 + 1, 0xFF},
        {PIC2 + 1, 0xFF},
    };

    for (unsigned i = 0; i < sizeof set_up / sizeof *set_up; i++)
        port_out(set_up[i][0], set_up[i][1]);
    __asm__ volatile("sti");
}

bool kit_interruptible(void)
{
    bool requested;

    kit_ticks = 0;
    port_out(0x43, PIT_ONESHOT);
    port_out(0x40, 16);
    port_out(0x40, 0);
    port_out(PIC1 + 1, 0xFE);
    do {
        port_out(PIC1, PIC_IRR);
        requested = port_in(PIC1) & 1;
    } while (!kit_ticks && !requested);
    for (int i = 0; i < 4; i++) /* requested: now it arrives, or never       */
        port_in(PIC1);
    port_out(PIC1 + 1, 0xFF);
    return kit_ticks != 0;
}

_Noreturn void kit_main(const uint32_t *multiboot)
{
    const char *word[KIT_WORDS];

    port_out(COM1 + 1, 0);
    last_words(multiboot[0] & 4 ? (const char *)multiboot[4] : "", word);
    descriptors();
    paging();
    interrupts();
    guest_main(word);
}
