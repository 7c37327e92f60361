/* SPDX-License-Identifier: MIT */
/* cpu/paging.h - the walk of page tables, once, for every format of tables.
 *
 * Who walks says how a table's entry is read: the machine reads its memory, a
 * VMM the guest's through its PMap, and where nested paging is on the reader
 * translates the entry's address itself, which makes the walk two-dimensional.
 * So this file is all that anybody here knows of the formats.
 *
 * Levels have the numbers of their distance from the page: 1 is the page
 * table, 2 the directory, 3 the page-directory-pointer table, 4 the PML4.
 *
 * Choices where the SDM leaves room:
 * - accessed and dirty bits are set when the whole access is allowed, not on
 *   the way to a fault;
 * - physical addresses have 32 bits, and CPUID says so: in entries of 8 bytes
 *   the bits above are reserved. No PSE-36, no pages of 1 GiB, no SMEP, SMAP.
 *
 * Reference: SDM 3A, "32-Bit Paging", "PAE Paging", "4-Level Paging", "Access
 * Rights", "Page-Fault Exceptions", "Accessed and Dirty Flags".
 */
#ifndef CPU_PAGING_H
#define CPU_PAGING_H

#include <stddef.h>

#include "cpu/addr.h"
#include "cpu/x86.h"

/* An access: OR of these; 0 is a supervisor read. */
enum { ACC_WRITE = 1, ACC_USER = 2, ACC_FETCH = 4 };

enum {
    LEVEL_PT = 1,
    LEVEL_PD = 2,
    LEVEL_PDPT = 3,
    LEVEL_PML4 = 4,
    PAGING_LEVELS = 4,
    PDPTES = 4, /* PAE: registers of the processor, not words of memory */
};

struct paging_format {
    const char *name; /* "32-bit", "PAE", "4-level" */
    uint8_t levels;
    uint8_t entry_bytes;
    uint8_t index_bits; /* of a linear address, for one level */
    uint8_t top_bits;   /* the same for the root */
};

extern const struct paging_format paging_32bit;
extern const struct paging_format paging_pae;
extern const struct paging_format paging_4level;

/* What the processor's registers say about translation. */
struct paging {
    const struct paging_format *format; /* NULL: addresses are not translated */
    uint64_t root;                      /* of the tables */
    uint64_t pdpte[PDPTES];             /* PAE only: as loaded with CR3 */
    bool wp;                            /* CR0.WP */
    bool large;                         /* entries of level 2 may map pages */
    bool nx;                            /* EFER.NXE, formats of 8 bytes only */
    /* PAE: level 3 is read from memory in each walk, as AMD's processors do it
     * for a guest under nested paging (APM 2, "Legacy PAE Mode"). */
    bool pdptes_in_memory;
};

/* Are the entries of a level registers, rather than words of memory? */
static inline bool paging_in_registers(const struct paging *p, unsigned level)
{
    return p->format == &paging_pae && level == LEVEL_PDPT &&
           !p->pdptes_in_memory;
}

/* A walk. Entries are numbered by level; those that were not read are 0. */
struct paging_walk {
    uint64_t entry[PAGING_LEVELS + 1]; /* as read (after paging_commit: set) */
    uint64_t at[PAGING_LEVELS + 1];    /* where; a PDPTE register: 0 */
    uint64_t address;                  /* the translation, if there is one */
    uint32_t error;                    /* not allowed: of the #PF */
    uint8_t level;                     /* of the last entry read */
    uint8_t references;                /* entries read from memory */
    uint8_t nested;                    /* entries read to translate theirs */
    uint8_t page_shift;                /* 12, 21 or 22; translated only */
    bool stopped;                      /* the reader refused an entry */
    bool translated;                   /* to address, whatever the rights */
    bool allowed;
    bool writable, user, executable; /* rights of all levels together */
    bool dirty, global;
};

/* Read the table entry of so many bytes (4, 8) at an address in the space that
 * the tables are in. False: stop the walk. */
typedef bool paging_read_fn(void *ctx, uint64_t at, unsigned bytes,
                            uint64_t *entry);
typedef void paging_write_fn(void *ctx, uint64_t at, unsigned bytes,
                             uint64_t entry);

/* The translation of a 32-bit processor with these registers. pdpte: the four
 * registers, or NULL while CR4.PAE is clear. */
void paging_from_registers(struct paging *p, uint64_t cr0, uint64_t cr3,
                           uint64_t cr4, uint64_t efer, const uint64_t *pdpte);

/* Bits that must be 0 in a present entry of a level; page: it maps one. */
uint64_t paging_reserved(const struct paging *p, unsigned level, bool page);

/* Where CR3 has the four entries to be loaded with it in PAE paging. */
static inline uint64_t paging_pdpt(uint64_t cr3)
{
    return cr3 & 0xFFFFFFE0u;
}

/* May this value be loaded into a PDPTE register? If not, the load of the
 * control register is a #GP. */
bool paging_pdpte_valid(uint64_t pdpte);

/* The lowest bit of the index into the tables of a level. */
static inline unsigned paging_shift(const struct paging_format *f,
                                    unsigned level)
{
    return PAGE_SHIFT + f->index_bits * (level - 1);
}

static inline unsigned paging_index(const struct paging_format *f,
                                    unsigned level, uint64_t linear)
{
    unsigned bits = level == f->levels ? f->top_bits : f->index_bits;

    return (unsigned)(linear >> paging_shift(f, level)) & ((1u << bits) - 1);
}

/* Does an entry of this level map a page, if it is present? */
static inline bool paging_maps_page(const struct paging *p, unsigned level,
                                    uint64_t entry)
{
    return level == LEVEL_PT ||
           (level == LEVEL_PD && (entry & PTE_PS) && p->large);
}

/* Do these combined rights allow an access? Supervisor writes obey W only with
 * CR0.WP. */
static inline bool paging_allows(const struct paging *p, unsigned access,
                                 const struct paging_walk *w)
{
    bool user = (access & ACC_USER) != 0;

    if (user && !w->user)
        return false;
    if ((access & ACC_FETCH) && !w->executable)
        return false;
    return !(access & ACC_WRITE) || w->writable || !(user || p->wp);
}

/* The #PF error code of an access that is refused, but for P and RSVD. */
static inline uint32_t paging_error(const struct paging *p, unsigned access)
{
    return ((access & ACC_WRITE) ? PF_WRITE : 0) |
           ((access & ACC_USER) ? PF_USER : 0) |
           ((access & ACC_FETCH) && p->nx ? PF_FETCH : 0);
}

/* Walk for an access; nothing is written. In line, so that each walker's
 * reader is part of its loop. */
static inline void paging_walk(const struct paging *p, uint64_t linear,
                               unsigned access, paging_read_fn *read, void *ctx,
                               struct paging_walk *w)
{
    const struct paging_format *f = p->format;
    unsigned level = f ? f->levels : 0;
    uint64_t table = p->root, entry = 0;

    *w = (struct paging_walk){.writable = true,
                              .user = true,
                              .executable = true,
                              .dirty = true,
                              .page_shift = PAGE_SHIFT};
    if (!f) {
        w->address = linear;
        w->translated = w->allowed = true;
        return;
    }
    w->error = paging_error(p, access);
    for (;; level--) {
        unsigned index = paging_index(f, level, linear);
        bool page, pdpt = f == &paging_pae && level == LEVEL_PDPT;

        w->level = (uint8_t)level;
        if (paging_in_registers(p, level)) {
            entry = p->pdpte[index];
        } else {
            w->at[level] = table + index * f->entry_bytes;
            if (!read(ctx, w->at[level], f->entry_bytes, &entry)) {
                w->stopped = true;
                return;
            }
            w->references++;
        }
        w->entry[level] = entry;
        if (!(entry & PTE_P))
            return;
        page = paging_maps_page(p, level, entry);
        if (entry & paging_reserved(p, level, page)) {
            w->error |= PF_PRESENT | PF_RSVD;
            return;
        }
        if (!pdpt) { /* which has no rights */
            w->writable &= (entry & PTE_W) != 0;
            w->user &= (entry & PTE_U) != 0;
            w->executable &= !(p->nx && (entry & PTE_NX));
        }
        table = entry & PAGING_ADDRESS;
        if (page)
            break;
    }
    w->page_shift = (uint8_t)paging_shift(f, level);
    w->address = (table >> w->page_shift << w->page_shift) |
                 (linear & ((1ull << w->page_shift) - 1));
    w->dirty = (entry & PTE_D) != 0;
    w->global = (entry & PTE_G) != 0;
    w->translated = true;
    w->error |= PF_PRESENT;
    w->allowed = paging_allows(p, access, w);
}

/* Set accessed and dirty as the processor does for an allowed access. Nothing
 * is written where nothing changes. One word may be entries of two levels (a
 * recursive mapping): the last write then has the bits of both. */
static inline void paging_commit(const struct paging *p, unsigned access,
                                 paging_write_fn *write, void *ctx,
                                 struct paging_walk *w)
{
    const struct paging_format *f = p->format;

    if (!f || !w->allowed)
        return;
    for (unsigned level = f->levels; level >= w->level; level--) {
        uint64_t want = PTE_A;

        if (f == &paging_pae && level == LEVEL_PDPT)
            continue;
        if (level == w->level && (access & ACC_WRITE))
            want |= PTE_D;
        if ((w->entry[level] & want) == want)
            continue;
        w->entry[level] |= want;
        write(ctx, w->at[level], f->entry_bytes, w->entry[level]);
    }
    w->dirty = (w->entry[w->level] & PTE_D) != 0;
}

#endif
