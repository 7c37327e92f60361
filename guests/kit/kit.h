/* SPDX-License-Identifier: MIT */
/* kit.h - what the small guests (bench, hole) stand on: a kernel that boots,
 * prints, takes traps and enters ring 3, and nothing else.
 *
 * Linear addresses are physical ones up to KIT_MAPPED; the words in section
 * .user are open to ring 3. All data segment registers always hold
 * KIT_USER_DS, which ring 0 may use too, so that no handler saves them.
 * Nothing here needs a sensitive instruction that does not trap: interrupts
 * stay on (with every line masked), so that an IRET to ring 3 never has to
 * change the flag.
 */
#ifndef KIT_H
#define KIT_H

#define KIT_CS      0x08
#define KIT_SS      0x10
#define KIT_USER_CS 0x1B
#define KIT_USER_DS 0x23
#define KIT_TSS     0x28
#define KIT_SPARE   0x30 /* the first of KIT_SPARES for the guest's own use */
#define KIT_SPARES  4

#define KIT_MAPPED 0x00800000 /* memory used: below 8 MiB                */
#define KIT_FRAMES 0x00400000 /* from here on nothing of ours: frames    */

#define KIT_EXIT_USER 0x81 /* INT 0x81 at ring 3 ends enter_user()       */
#define KIT_TIMER     0x20 /* vector of IRQ 0                            */

#define PTE_P 1
#define PTE_W 2
#define PTE_U 4

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

/* Trap gate or interrupt gate (which turns interrupts off), for which ring. */
#define GATE_TRAP  0x8F
#define GATE_INT   0x8E
#define GATE_RING3 0x60

struct kit_frame { /* what the stubs of kit_trap() push */
    uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax;
    uint32_t vector, error, eip, cs, eflags;
};

/* The guest's own part; it gets the last words of the command line. */
enum { KIT_WORDS = 2 };
_Noreturn void guest_main(const char *word[KIT_WORDS]);

extern uint32_t kit_directory[1024], kit_table[2][1024];
extern uint64_t kit_gdt[];
extern volatile uint32_t kit_ticks;

void kit_gate(unsigned vector, void (*entry)(void), unsigned type);
void kit_print(const char *format, ...); /* %s %u %x (8 digits) %w (4) */
uint32_t kit_number(const char *text);
bool kit_equal(const char *a, const char *b);
_Noreturn void kit_exit(uint32_t value); /* to port 0xf4 */
/* Does a timer interrupt arrive now? The only way to see the interrupt flag
 * that does not read it. */
bool kit_interruptible(void);

/* Run entry at ring 3, ECX = n and EDX = argument, until INT KIT_EXIT_USER;
 * what it left in EAX. */
uint32_t enter_user(void (*entry)(void), uint32_t n, uint32_t argument);

/* Any exception without a gate of the guest's: reports and ends. A guest may
 * set kit_caught to go there instead, with the vector in EAX. */
extern void (*kit_caught)(void);

static inline void port_out(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t port_in(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void load_cr3(const uint32_t *directory)
{
    __asm__ volatile("movl %0, %%cr3" : : "r"(directory) : "memory");
}

static inline void invlpg(uint32_t address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}
#endif

#endif
