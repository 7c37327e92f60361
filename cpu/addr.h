/* SPDX-License-Identifier: MIT */
/* cpu/addr.h - the three address spaces, as three types.
 *
 * A virtual machine monitor is about not confusing these, so the compiler
 * checks it: passing one where another is wanted does not compile.
 *
 * Units: bytes. 64 bits wide from the start; a 32-bit guest uses the low half.
 */
#ifndef CPU_ADDR_H
#define CPU_ADDR_H

#include <stdbool.h>
#include <stdint.h>

/* Guest virtual: what a guest instruction names (after segmentation). */
typedef struct {
    uint64_t v;
} gva_t;

/* Guest-physical: what the guest OS believes is physical. */
typedef struct {
    uint64_t v;
} gpa_t;

/* Machine: a byte of the machine's real memory. */
typedef struct {
    uint64_t v;
} ma_t;

#define GVA(x) ((gva_t){(x)})
#define GPA(x) ((gpa_t){(x)})
#define MA(x)  ((ma_t){(x)})

enum {
    PAGE_SHIFT = 12,
    PAGE_BYTES = 1 << PAGE_SHIFT,
    PAGE_MASK = PAGE_BYTES - 1,
    LARGE_PAGE_SHIFT = 22, /* 4 MiB, two-level paging with CR4.PSE */
    LARGE_PAGE_BYTES = 1 << LARGE_PAGE_SHIFT,
};

#endif
