/* SPDX-License-Identifier: MIT */
/* bttest.h - what the assembly of bttest records, and its parts. */
#ifndef BTTEST_H
#define BTTEST_H

#define BAD 0x00900000 /* nothing is mapped here */

#define ALIAS_CS KIT_SPARE /* KIT_CS again */

/* Words of `record`: the processor as a handler found it. */
#define RECORD_GPR    0 /* EAX ECX EDX EBX EBP ESI EDI */
#define RECORD_ESP    7
#define RECORD_ERROR  8
#define RECORD_EIP    9
#define RECORD_CS     10
#define RECORD_EFLAGS 11
#define RECORD_BELOW  12 /* eight words below the frame */
#define RECORD_WORDS  20

#ifndef __ASSEMBLER__
#include <stdint.h>

extern uint32_t record[RECORD_WORDS], resume, shadow_eip, absences;

void on_divide(void), on_page_fault(void), on_tick(void), on_absent(void);

/* Each has a fault in its middle. */
void fault_divide(void), fault_load(void), fault_push(void), fault_call(void),
    fault_jump(void), fault_popf(void);

/* Code that changes itself; n times, and what came of it. */
uint32_t change_next(uint32_t n), change_later(uint32_t n),
    change_other(uint32_t n), change_back(uint32_t n), count_beside(uint32_t n);
extern uint8_t piece[], piece_end[];

/* What an instruction shows. */
extern uint32_t seen[8];
uint32_t show_call(void), show_call_indirect(void), show_pushf(uint32_t flags),
    show_popf(uint32_t flags), show_iret(uint32_t flags, uint32_t now),
    iret_absent(void), show_push_cs(void), show_mov_cs(void), show_mov_ss(void),
    show_str(void), show_sldt(void), show_smsw(void),
    show_lar(uint32_t selector), show_lsl(uint32_t selector),
    show_verr(uint32_t selector), show_verw(uint32_t selector);
void show_sgdt(void), show_sidt(void);

/* Iterations of a loop without calls until kit_ticks is not 0. */
uint32_t wait_for_tick(void);
void sti_and_three(void);
extern uint8_t behind_sti[];
uint32_t flags_loop(uint32_t n), tables_loop(uint32_t n),
    returns_loop(uint32_t n), callers_loop(uint32_t n),
    stores_loop(uint32_t n, uint32_t *to), jumps_loop(uint32_t n);
#endif

#endif
