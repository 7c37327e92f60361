/* SPDX-License-Identifier: MIT */
/* main.c - page walks that this 32-bit processor cannot do: tables of two,
 * three and four levels, built here as a 64-bit kernel would build them, and
 * walked by the page-walker device (io/walker.c; run with --device walker).
 * Under nested paging the device's walks have two dimensions, and each line
 * tells how many table entries were read for it. */
#include "kit.h"

enum { /* the device's registers */
       WALKER_ROOT = 0x540,
       WALKER_LINEAR = 0x544,
       WALKER_WALK = 0x54C,
       WALKER_RESULT = 0x550,
       WALKER_ADDRESS = 0x554,
       WALKER_REFERENCES = 0x55C,
};
enum { ALLOWED = 1 };
enum { READ = 0, WRITE = 1, USER = 2, FETCH = 4 };

#define PTE_PS 0x80
#define NX     0x8000000000000000ull

/* Where the tables of each format are, and the pages they map. */
enum {
    TWO = KIT_FRAMES,
    THREE = KIT_FRAMES + 0x10000,
    FOUR = KIT_FRAMES + 0x20000,
    PAGE = KIT_FRAMES + 0x30000,
    LARGE = KIT_FRAMES + 0x200000,
};

static inline void port_out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint32_t port_in32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void set32(uint32_t table, unsigned index, uint32_t entry)
{
    ((uint32_t *)table)[index] = entry;
}

static void set64(uint32_t table, unsigned index, uint64_t entry)
{
    ((uint64_t *)table)[index] = entry;
}

/* C0400000 and, of 4 MiB, C0800000. */
static void build_two_levels(void)
{
    set32(TWO, 0x301, (TWO + 0x1000) | PTE_P | PTE_W | PTE_U);
    set32(TWO + 0x1000, 0, PAGE | PTE_P | PTE_W | PTE_U);
    set32(TWO, 0x302, (LARGE & 0xFFC00000) | PTE_P | PTE_PS);
}

/* C0600000 and, of 2 MiB, C0800000. */
static void build_three_levels(void)
{
    set64(THREE, 3, (THREE + 0x1000) | PTE_P);
    set64(THREE + 0x1000, 3, (THREE + 0x2000) | PTE_P | PTE_W | PTE_U);
    set64(THREE + 0x2000, 0, PAGE | PTE_P | PTE_W | PTE_U);
    set64(THREE + 0x1000, 4, LARGE | PTE_P | PTE_PS);
}

/* The last address of the lower half, and below the kernel's half: a page to
 * read, one not to execute, one of 2 MiB. */
static void build_four_levels(void)
{
    set64(FOUR, 0x0FF, (FOUR + 0x1000) | PTE_P | PTE_W | PTE_U);
    set64(FOUR + 0x1000, 0x1FF, (FOUR + 0x2000) | PTE_P | PTE_W | PTE_U);
    set64(FOUR + 0x2000, 0x1FF, (FOUR + 0x3000) | PTE_P | PTE_W | PTE_U);
    set64(FOUR + 0x3000, 0x1FF, PAGE | PTE_P | PTE_U);
    set64(FOUR + 0x3000, 0x1FE, PAGE | PTE_P | PTE_W | PTE_U | NX);
    set64(FOUR + 0x2000, 0x1FE, LARGE | PTE_P | PTE_PS);
}

static void ask(unsigned levels, uint32_t root, uint32_t high, uint32_t low,
                unsigned access)
{
    uint32_t result, references;

    port_out32(WALKER_ROOT, root);
    port_out32(WALKER_LINEAR, low);
    port_out32(WALKER_LINEAR + 4, high);
    port_out32(WALKER_WALK, levels | access << 8);
    result = port_in32(WALKER_RESULT);
    references = port_in32(WALKER_REFERENCES);
    kit_print("%u levels %x:%x %s%s: ", levels, high, low,
              access & USER ? "user " : "",
              access & FETCH   ? "fetch"
              : access & WRITE ? "write"
                               : "read");
    if (result & ALLOWED)
        kit_print("at %x", port_in32(WALKER_ADDRESS));
    else
        kit_print("page fault, error %w", result >> 8 & 0xFF);
    kit_print(", entries read: %u guest, %u nested\n", references & 0xFFFF,
              references >> 16);
}

_Noreturn void guest_main(const char *word[KIT_WORDS])
{
    (void)word;
    build_two_levels();
    build_three_levels();
    build_four_levels();
    ask(2, TWO, 0, 0xC0400ABC, WRITE | USER);
    ask(2, TWO, 0, 0xC0812345, READ);
    ask(3, THREE, 0, 0xC0600ABC, WRITE | USER);
    ask(3, THREE, 0, 0xC0812345, READ);
    ask(4, FOUR, 0x7FFF, 0xFFFFFABC, READ | USER);
    ask(4, FOUR, 0x7FFF, 0xFFFFFABC, WRITE | USER);
    ask(4, FOUR, 0x7FFF, 0xFFFFEABC, FETCH | USER);
    ask(4, FOUR, 0x7FFF, 0xFFC12345, READ);
    ask(4, FOUR, 0x7FFF, 0xFFC12345, READ | USER);
    ask(4, FOUR, 0x0000, 0x00000000, READ);
    kit_exit(0);
}
