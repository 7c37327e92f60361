/* SPDX-License-Identifier: MIT */
/* vmm/symbols.h - names for addresses, from a kernel image's symbol table.
 *
 * Addresses are linear as the image was linked; an address where the image
 * was loaded (physical, before paging is on) finds the same names. An image
 * without symbols (a bzImage, a stripped ELF) gives an empty table.
 */
#ifndef VMM_SYMBOLS_H
#define VMM_SYMBOLS_H

#include "vmm/vm.h"

struct symbol {
    uint32_t address;
    uint32_t size; /* 0: unknown */
    bool function; /* declared so; labels of assembly code are not */
    bool code;     /* lies in an executable section */
    bool global;
    const char *name;
};

struct symbols;

/* NULL only without memory. The names are copied: the image may go. */
struct symbols *symbols_load(struct blob image);
void symbols_free(struct symbols *s);

/* In order of address; one symbol an address. */
size_t symbols_count(const struct symbols *s);
const struct symbol *symbols_at(const struct symbols *s, size_t index);

/* The nearest symbol at or below an address within the image; NULL: none.
 * offset may be NULL. */
const struct symbol *symbols_find(const struct symbols *s, uint32_t address,
                                  uint32_t *offset);

/* The address of a name. */
bool symbols_address(const struct symbols *s, const char *name,
                     uint32_t *address);

#endif
