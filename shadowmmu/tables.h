/* SPDX-License-Identifier: MIT */
/* shadowmmu/tables.h - the pool of tables that the VMM keeps for a VM.
 *
 * A table is one machine frame with 1,024 entries that the processor walks,
 * and a slot of plain data about it: what guest page it is derived from, which
 * entries are there. Two reverse maps answer the questions that the processor
 * never asks: which entries map this guest frame, and which directories point
 * to this table. Everything is indexed by slot or by entry id (slot * 1024 +
 * index), without pointers, so that a snapshot is a copy.
 *
 * The pool knows nothing of hardware TLBs and events: see technique.h.
 */
#ifndef SHADOWMMU_TABLES_H
#define SHADOWMMU_TABLES_H

#include "cpu/x86.h"
#include "shadowmmu/pmap.h"

enum {
    TABLE_ENTRIES = 1024,
    TABLE_WORDS = TABLE_ENTRIES / 32,
    SLOT_NONE = -1,
};

enum table_kind {
    TABLE_FREE,
    TABLE_DIRECTORY, /* derived from the guest directory in page gfn */
    TABLE_LEAF,      /* derived from the guest page table in page gfn */
    TABLE_UNPAGED,   /* a directory derived from no guest page */
    TABLE_DIRECT,    /* 4 MiB of guest-physical memory in order, from gfn */
    TABLE_EMULATED,  /* entries from anywhere: a piece of an emulated TLB */
};

/* The rights that a table was derived under: those of the guest's directory
 * entry. The same guest page under other rights is another table. */
enum { RIGHT_WRITE = 1, RIGHT_USER = 2, RIGHT_DIRTY = 4 };

struct table {
    uint8_t kind; /* enum table_kind */
    uint8_t rights;
    uint8_t has_large; /* emulated: some entry comes from a 4 MiB page */
    uint16_t used;     /* entries present */
    uint16_t flood;    /* traced writes in a row without a fill */
    uint32_t gfn;
    uint32_t ma;      /* of the table itself */
    uint32_t next;    /* slot + 1 with the same gfn, in order of slots */
    uint32_t parents; /* entry id + 1: the directory entries that point here */
    uint64_t stamp;   /* of the last use */
    uint32_t present[TABLE_WORDS];
    uint32_t spared[TABLE_WORDS]; /* present, and table_flush() leaves it */
};

struct tables {
    const struct memory *memory;
    struct frames *frames;
    int limit; /* slots */
    int used;
    uint64_t clock; /* stamps */
    struct table *slot;
    uint32_t *target; /* by entry id: guest frame, or in directories the slot */
    uint32_t *next;   /* by entry id: id + 1 with the same target */
    uint32_t *prev;
    uint32_t *mapped;               /* by guest frame: entry id + 1 */
    uint32_t *derived;              /* by guest frame: slot + 1 */
    uint32_t direct[TABLE_ENTRIES]; /* by gfn / 1024: slot + 1 */
};

bool tables_init(struct tables *t, const struct memory *memory,
                 struct frames *frames, uint64_t limit_bytes);
/* Gives the frames back. */
void tables_free(struct tables *t);

static inline bool table_is_directory(const struct table *table)
{
    return table->kind == TABLE_DIRECTORY || table->kind == TABLE_UNPAGED;
}

static inline bool table_has(const struct table *table, unsigned index)
{
    return (table->present[index / 32] >> index % 32 & 1u) != 0;
}

/* The next present index from here on; TABLE_ENTRIES: none. */
unsigned table_next(const struct table *table, unsigned index);

/* A new empty table; SLOT_NONE when the pool or the machine is full. */
int tables_new(struct tables *t, enum table_kind kind, uint32_t gfn,
               unsigned rights);
/* Clears it, unlinks it from every directory, gives its frame back. */
void tables_delete(struct tables *t, int slot);
/* The table that has these properties, or SLOT_NONE. */
int tables_find(const struct tables *t, enum table_kind kind, uint32_t gfn,
                unsigned rights);
/* The least recently used table but one (SLOT_NONE: but none). */
int tables_oldest(const struct tables *t, int but);

/* Which leaf table of a root is responsible for a linear address? */
int tables_leaf(const struct tables *t, int root, uint32_t linear);

/* Is this page's contents a table that some table here is derived from? */
static inline bool tables_traced(const struct tables *t, uint32_t gfn)
{
    return t->derived[gfn] != 0;
}

ma_t table_entry_ma(const struct tables *t, int slot, unsigned index);
uint32_t table_entry(const struct tables *t, int slot, unsigned index);
/* Leaf: put an entry for a guest frame, in place of what was there. */
void table_map(struct tables *t, int slot, unsigned index, uint32_t entry,
               uint32_t gfn);
/* Directory: point an entry to a leaf table. */
void table_link(struct tables *t, int slot, unsigned index, int child);
/* Change the bits of a present leaf entry, not where it points. */
void table_set_bits(struct tables *t, int slot, unsigned index, uint32_t entry);
void table_clear(struct tables *t, int slot, unsigned index);
/* Shall table_flush() leave this present entry? */
void table_spare(struct tables *t, int slot, unsigned index, bool spare);
/* Clear the entries that are not spared; returns how many. */
unsigned table_flush(struct tables *t, int slot);
/* Clear all entries; returns how many there were. */
unsigned table_empty(struct tables *t, int slot);

/* A snapshot is restored in three passes: forget everything (the frames are
 * the allocator's business), place the tables, then put the entries back on
 * their lists. Contents in machine memory are not touched. */
void tables_forget(struct tables *t);
void tables_place(struct tables *t, int slot, const struct table *saved);
void tables_relink(struct tables *t, int slot, const struct table *saved,
                   const uint32_t target[TABLE_ENTRIES]);

#endif
