/* SPDX-License-Identifier: MIT */
/* pv/hypercall.h - what the kernel says to the VMM: traps/pv_abi.h. */
#ifndef LUMEN_PV_HYPERCALL_H
#define LUMEN_PV_HYPERCALL_H

#include "traps/pv_abi.h"
#include <stdbool.h>
#include <stdint.h>

/* start.c */
extern volatile struct pv_shared_info *shared;
extern uint32_t *p2m;       /* NULL: page tables hold physical addresses */
extern const uint32_t *m2p; /* likewise */

/* tables.c: a free frame is to go to the balloon (false: not now), has gone, is
 * back. */
bool frame_leaves(uint32_t frame);
void frame_is_gone(uint32_t frame);
void frame_comes(uint32_t frame, uint32_t machine_frame);

static inline int32_t hypercall3(uint32_t number, uint32_t a, uint32_t b,
                                 uint32_t c)
{
    int32_t result;

    __asm__ volatile("int %1"
                     : "=a"(result)
                     : "i"(PV_VECTOR), "a"(number), "b"(a), "c"(b), "d"(c)
                     : "memory");
    return result;
}

static inline int32_t hypercall2(uint32_t number, uint32_t a, uint32_t b)
{
    return hypercall3(number, a, b, 0);
}

static inline int32_t hypercall1(uint32_t number, uint32_t a)
{
    return hypercall3(number, a, 0, 0);
}

#endif
