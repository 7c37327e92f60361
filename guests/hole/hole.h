/* SPDX-License-Identifier: MIT */
/* hole.h - what try.S and hole.c share. */
#ifndef HOLE_H
#define HOLE_H

#define OWN_INT 0x82

#ifndef __ASSEMBLER__
#include <stdint.h>

extern uint32_t seen[8];

uint32_t attempt(void (*f)(void));
void segments_back(void), on_int(void);

void run_pushf(void), run_popf(void), run_iret(void);
void try_sgdt(void), try_sidt(void), try_sldt(void), try_str(void);
void try_smsw(void), try_lar(void), try_lsl(void), try_verr(void);
void try_verw(void), try_push(void), try_pop(void), try_pop_1(void);
void try_mov(void), run_mov_1(void), try_call(void), try_jmp(void);
void try_jmp_1(void), run_ret(void), run_ret_1(void), try_int(void);
void run_out(void), try_in(void), try_rdtsc(void), try_cpuid(void);
void try_in_3(void), try_out_3(void), try_rdtsc_3(void);
#endif

#endif
