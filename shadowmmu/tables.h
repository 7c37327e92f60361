/* SPDX-License-Identifier: MIT */
/* shadowmmu/tables.h - the pool of tables that the VMM keeps for a VM.
 *
 * A table is one machine frame of entries that the processor walks, and a slot
 * of plain data about it: what guest page it is derived from, which entries are
 * there. Two reverse maps answer the questions that the processor never asks:
 * which entries map this guest frame, and which upper tables point to this
 * table. Everything is indexed by slot or by entry id (slot * 1024 + index),
 * without pointers, so that a snapshot is a copy.
 *
 * All tables have one format at a time: two levels with 1,024 entries, or PAE's
 * three with 4, 512 and 512. Levels are numbered as in cpu/paging.h.
 *
 * The pool knows nothing of hardware TLBs and events: see technique.h.
 */
#ifndef SHADOWMMU_TABLES_H
#define SHADOWMMU_TABLES_H

#include "cpu/paging.h"
#include "cpu/x86.h"
#include "shadowmmu/pmap.h"

enum {
    TABLE_ENTRIES = 1024, /* at most: entries of 4 bytes */
    TABLE_WORDS = TABLE_ENTRIES / 32,
    TABLE_PIECES = 2048, /* of 2 MiB: the least that a direct table maps */
    SLOT_NONE = -1,
};

enum table_kind {
    TABLE_FREE,
    TABLE_GUEST,    /* derived from the guest's table in page gfn */
    TABLE_UPPER,    /* of level 2 or 3, derived from no guest page */
    TABLE_DIRECT,   /* guest-physical memory in order, from gfn */
    TABLE_EMULATED, /* entries from anywhere: a piece of an emulated TLB */
};

/* The rights that a page table was derived under: those of the guest's
 * directory entry. The same guest page under other rights is another table, and
 * so is a directory that has the VMM's own piece of linear space (technique.h).
 */
enum {
    RIGHT_WRITE = 1,
    RIGHT_USER = 2,
    RIGHT_DIRTY = 4,
    RIGHT_EXECUTE = 8,
    ROLE_OVERLAY = 16,
};

/* What makes a table the one that it is. */
struct table_key {
    enum table_kind kind;
    unsigned level;
    uint32_t gfn;
    unsigned rights;
};

struct table {
    uint8_t kind; /* enum table_kind */
    uint8_t level;
    uint8_t rights;
    uint8_t has_large; /* emulated: some entry comes from a large page */
    uint16_t used;     /* entries present */
    uint16_t flood;    /* traced writes in a row without a fill */
    uint32_t gfn;
    uint32_t ma;      /* of the table itself */
    uint32_t next;    /* slot + 1 with the same gfn, in order of slots */
    uint32_t parents; /* entry id + 1: the upper entries that point here */
    uint32_t large;   /* direct: upper entries map this memory; 0: they point
                         to the table */
    uint64_t stamp;   /* of the last use */
    uint32_t present[TABLE_WORDS];
    uint32_t spared[TABLE_WORDS]; /* present, and table_flush() leaves it */
};

struct tables {
    const struct memory *memory;
    struct frames *frames;
    const struct paging_format *format;
    int limit; /* slots */
    int used;
    uint64_t clock; /* stamps */
    struct table *slot;
    uint32_t
        *target;    /* by entry id: guest frame, or in upper tables the slot */
    uint32_t *next; /* by entry id: id + 1 with the same target */
    uint32_t *prev;
    uint32_t *mapped;              /* by guest frame: entry id + 1 */
    uint32_t *derived;             /* by guest frame: slot + 1 */
    uint32_t direct[TABLE_PIECES]; /* by gfn / 512: slot + 1 */
};

bool tables_init(struct tables *t, const struct memory *memory,
                 struct frames *frames, uint64_t limit_bytes);
/* Gives the frames back. */
void tables_free(struct tables *t);

/* Its entries point to tables. */
static inline bool table_is_upper(const struct table *table)
{
    return table->level > LEVEL_PT;
}

static inline bool table_matches(const struct table *table,
                                 const struct table_key *key)
{
    return table->kind == key->kind && table->level == key->level &&
           table->gfn == key->gfn && table->rights == key->rights;
}

/* How many entries a table of a level has. */
static inline unsigned tables_entries(const struct tables *t, unsigned level)
{
    return 1u << (level == t->format->levels ? t->format->top_bits
                                             : t->format->index_bits);
}

static inline bool table_has(const struct table *table, unsigned index)
{
    return (table->present[index / 32] >> index % 32 & 1u) != 0;
}

/* The next present index from here on; TABLE_ENTRIES: none. */
unsigned table_next(const struct table *table, unsigned index);

/* A new empty table; SLOT_NONE when the pool or the machine is full. */
int tables_new(struct tables *t, const struct table_key *key);
/* Clears it, unlinks it from every upper table, gives its frame back. */
void tables_delete(struct tables *t, int slot);
/* The table that has these properties, or SLOT_NONE. */
int tables_find(const struct tables *t, const struct table_key *key);
/* Is a table this root (SLOT_NONE: none), or one of the directories that the
 * processor's PDPTE registers point to while it is the root? */
bool tables_in_root(const struct tables *t, int root, int slot);
/* The least recently used table that is not in this root. */
int tables_oldest(const struct tables *t, int root);

/* Which leaf table of a root is responsible for a linear address? Which
 * directory? SLOT_NONE: none. */
int tables_leaf(const struct tables *t, int root, uint32_t linear);
int tables_directory(const struct tables *t, int root, uint32_t linear);
/* The direct tables of memory from this frame on, one after the other (after
 * SLOT_NONE the first). */
int tables_direct(const struct tables *t, uint32_t gfn, int after);

/* Is this page's contents a table that some table here is derived from? */
static inline bool tables_traced(const struct tables *t, uint32_t gfn)
{
    return t->derived[gfn] != 0;
}

ma_t table_entry_ma(const struct tables *t, int slot, unsigned index);
uint64_t table_entry(const struct tables *t, int slot, unsigned index);
/* Leaf: put an entry for a guest frame, in place of what was there. */
void table_map(struct tables *t, int slot, unsigned index, uint64_t entry,
               uint32_t gfn);
/* Upper table: point an entry to a table of the level below. */
void table_link(struct tables *t, int slot, unsigned index, int child);
/* An empty direct table: have the upper entries that point here, now and later,
 * map its memory at once, which is at this machine address; 0: have them point
 * here again. */
void table_set_large(struct tables *t, int slot, uint32_t ma);
/* What an upper entry says of this table of the level below. */
uint64_t table_link_entry(const struct table *upper, const struct table *child);
/* Write an entry and leave the books: other bits of a present leaf entry that
 * points where it did, or the VMM's own piece of linear space. */
void table_write(const struct tables *t, int slot, unsigned index,
                 uint64_t entry);
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
