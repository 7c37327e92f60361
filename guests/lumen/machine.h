/* SPDX-License-Identifier: MIT */
/* machine.h - what lumen needs of the machine it runs on.
 *
 * Two machines provide it: the PC (the files beside this one: boot.S,
 * multiboot.c, gdt.c, idt.c, pic.c, pit.c, uart.c, disk.c, power.c) and a VMM
 * that lumen knows of (the folder pv). Segments, handlers and interrupts are
 * declared in trap.h; the interrupt flag is in irq.h, the paging registers in
 * x86.h. The rest of lumen is the same for both.
 */
#ifndef LUMEN_MACHINE_H
#define LUMEN_MACHINE_H

#include "memory.h"

/* What the loader left, before anything else: hands the command line to
 * cmdline_init() and sets kernel_directory; returns the bytes of memory, a
 * multiple of 4 KiB. The arguments are those of kernel_main(). */
uint32_t boot_read(uint32_t first, uint32_t second);
/* Virtual: the first page that neither kernel nor loader uses. */
extern uint32_t boot_end;
/* Bytes of memory that are mapped at KERNEL_BASE from the start, and for how
 * many of them the page tables may stay (multiples of 4 MiB, or all). */
extern uint32_t boot_mapped;
#ifdef LUMEN_PV
#define BOOT_TABLES_KEPT boot_mapped
#else
#define BOOT_TABLES_KEPT 0
#endif

/* The line to whoever sits in front: characters out (interrupts off), and in
 * (-1: none now); whether it may interrupt for input. */
void terminal_init(void);
void terminal_put(char c);
void terminal_flush(void); /* what was put is on its way after this */
int terminal_get(void);
void terminal_listen(bool on);

/* The balloon, if there is one: how many frames the VMM wishes for; give it one
 * by number (false: refused), take one back. */
bool machine_has_balloon(void);
uint32_t machine_balloon_target(void);
bool machine_balloon_give(uint32_t frame);
void machine_balloon_take(uint32_t frame);

/* Change an entry of a page table that the processor may be using. Between
 * batch_begin() and batch_end() this, flushes, tss_set_stack() and
 * directory_load() may be put off: nothing there may rely on them, unless it
 * calls batch_flush(). */
#ifdef LUMEN_PV
/* Of an entry that somebody waits for: accessed and dirty, so that nobody need
 * come back to say so. */
#define PTE_WAITED (PTE_A | PTE_D)
void pte_set(pte_t *pte, pte_t value);
/* Entries here and in pte_set() have physical addresses. What is in a table
 * need not: read it by pte_get(), and fill a frame that is no table yet with
 * pte_value(). */
pte_t pte_get(const pte_t *pte);
pte_t pte_value(pte_t entry);
/* The frame is filled and becomes a page table, or a directory: from now on
 * only pte_set() writes it. */
void table_seal(phys_t frame);
void directory_seal(phys_t frame);
/* Its tables may be given back: it is a directory no more. */
void directory_retire(phys_t frame);
void batch_begin(void);
void batch_flush(void);
void batch_end(void);
/* Give the frame of a page table back. */
void table_free(phys_t frame);
#else
#define PTE_WAITED 0u /* the processor sets them */
static inline void pte_set(pte_t *pte, pte_t value)
{
    *(volatile pte_t *)pte = value;
}

static inline pte_t pte_get(const pte_t *pte)
{
    return *(const volatile pte_t *)pte;
}

static inline pte_t pte_value(pte_t entry)
{
    return entry;
}

static inline void table_seal(phys_t frame)
{
    (void)frame;
}

static inline void directory_seal(phys_t frame)
{
    (void)frame;
}

static inline void directory_retire(phys_t frame)
{
    (void)frame;
}

static inline void batch_begin(void) {}
static inline void batch_flush(void) {}
static inline void batch_end(void) {}

static inline void table_free(phys_t frame)
{
    frame_free(frame);
}
#endif

#endif
