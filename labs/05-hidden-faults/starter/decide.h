/* SPDX-License-Identifier: MIT */
/* decide.h - what your decide.c gets and gives. Read only: the tests bring
 * their own copy.
 *
 * Reference: SDM 3A, "32-Bit Paging", "Access Rights", "Interrupt 14 -
 * Page-Fault Exception (#PF)".
 */
#ifndef DECIDE_H
#define DECIDE_H

#include <stdbool.h>
#include <stdint.h>

/* A page-fault exit, and what of the guest's registers matters. */
struct fault_info {
    uint32_t address;    /* guest virtual address of the access (CR2) */
    bool write;          /* it was a write; else a read or a fetch */
    bool user;           /* by the guest's user code; else by its kernel */
    uint32_t real_error; /* the processor's error code: it walked the VMM's
                            table and knows nothing of the guest's */
    uint32_t cr3;        /* the guest's CR3: guest-physical */
    bool write_protect;  /* the guest's CR0.WP */
    bool large_pages;    /* the guest's CR4.PSE */
};

enum verdict {
    UNDECIDED,
    FILL,    /* hidden: the guest's tables allow the access */
    REFLECT, /* true: they do not; the guest gets a #PF */
};

struct decision {
    enum verdict verdict;
    /* FILL: the guest-physical 4 KiB page, and the rights that both levels of
     * the guest's tables give together, whatever CR0.WP says. */
    uint32_t page;
    bool writable, user;
    /* REFLECT: the error code the guest would see without a VMM. */
    uint32_t error;
};

/* Yours, in decide.c. */
struct decision decide_fault(const struct fault_info *fault);

/* The 32-bit word at a guest-physical address. Where there is no memory all
 * bits are one. One decision may read 64 words at most. */
uint32_t guest_read(uint32_t gpa);

/* Bits of a page-directory (PDE) or page-table (PTE) entry. */
#define PTE_P              0x00000001u /* present */
#define PTE_W              0x00000002u /* writable */
#define PTE_U              0x00000004u /* for user code, too */
#define PTE_A              0x00000020u /* accessed */
#define PTE_D              0x00000040u /* dirty */
#define PTE_PS             0x00000080u /* in a PDE, with CR4.PSE: 4 MiB page */
#define PTE_FRAME          0xFFFFF000u
#define PDE_LARGE_FRAME    0xFFC00000u
#define PDE_LARGE_RESERVED 0x003FE000u /* must be 0 in a 4 MiB PDE */

/* Bits of a page-fault error code. */
#define PF_PRESENT 0x1u /* there is a translation, a right is missing */
#define PF_WRITE   0x2u
#define PF_USER    0x4u
#define PF_RSVD    0x8u /* a reserved bit is set; PF_PRESENT is, too */

#endif
