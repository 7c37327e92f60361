/* SPDX-License-Identifier: MIT */
/* vmm/listing.h - translated code beside the guest's own (technique bt).
 *
 * Texts without a pointer into the machine, for listings and screens.
 */
#ifndef VMM_LISTING_H
#define VMM_LISTING_H

#include "vmm/vm.h"

enum { LISTING_ROWS = 1536 };

/* One instruction of the translation cache. */
struct listing_row {
    uint32_t guest; /* linear address of the guest's instruction */
    bool first;     /* the guest's is told here: */
    uint8_t guest_length, guest_bytes[15];
    char guest_text[64]; /* Intel syntax */
    const char *kind;    /* "ident", "callout"... */
    uint32_t cache;      /* linear */
    uint8_t cache_length, cache_bytes[15];
    char cache_text[64];
    bool open;     /* leads to code that is not translated so far */
    char note[80]; /* where it leads, what of the VMM's it touches; or "" */
};

struct listing {
    uint32_t guest, guest_bytes, cache, cache_bytes;
    unsigned instructions; /* of the guest */
    size_t rows;
    struct listing_row row[LISTING_ROWS];
};

/* The unit that begins at a guest linear address, else the newest one that
 * contains it. False: none, or another technique. */
bool listing_at(struct vm *vm, uint32_t linear, struct listing *out);
/* The first unit that begins in [from, end). */
bool listing_next(struct vm *vm, uint32_t from, uint32_t end,
                  struct listing *out);
/* Is there a unit with this address? */
bool listing_has(struct vm *vm, uint32_t linear);
/* Translate what begins here without executing it. False: it cannot be fetched,
 * or another technique. Only while the guest stands still. */
bool listing_make(struct vm *vm, uint32_t linear);

#endif
