/* SPDX-License-Identifier: MIT */
/* shadowmmu/tables.c - the pool of tables. */
#include "shadowmmu/tables.h"

#include <stdlib.h>

enum {
    GUEST_FRAMES = 1 << 20,
    LIMIT_DEFAULT = 1024, /* 4 MiB of tables */
    /* A root and its directories, and a leaf table for each page that one
     * instruction may touch: itself and two operands, each across a page
     * boundary. And one. */
    LIMIT_LEAST = 1 + PDPTES + 6 + 1,
};

/* What an upper entry of ours grants: everything. The rights of the guest's
 * levels are in the leaf entry, where they can differ by form. A PDPTE has
 * none. */
#define LINK_BITS (PTE_P | PTE_W | PTE_U | PTE_A)

bool tables_init(struct tables *t, const struct memory *memory,
                 struct frames *frames, uint64_t limit_bytes)
{
    uint64_t limit = limit_bytes / PAGE_BYTES;
    size_t ids;

    memset(t, 0, sizeof *t);
    if (limit_bytes == 0)
        limit = LIMIT_DEFAULT;
    if (limit < LIMIT_LEAST)
        limit = LIMIT_LEAST;
    if (limit > 1 << 16)
        limit = 1 << 16;
    t->memory = memory;
    t->frames = frames;
    t->format = &paging_32bit;
    t->limit = (int)limit;
    ids = (size_t)limit * TABLE_ENTRIES;
    t->slot = calloc((size_t)limit, sizeof *t->slot);
    t->target = calloc(ids, sizeof *t->target);
    t->next = calloc(ids, sizeof *t->next);
    t->prev = calloc(ids, sizeof *t->prev);
    t->mapped = calloc(GUEST_FRAMES, sizeof *t->mapped);
    t->derived = calloc(GUEST_FRAMES, sizeof *t->derived);
    if (!t->slot || !t->target || !t->next || !t->prev || !t->mapped ||
        !t->derived) {
        tables_free(t);
        return false;
    }
    return true;
}

void tables_free(struct tables *t)
{
    for (int i = 0; t->slot && i < t->limit; i++)
        if (t->slot[i].kind != TABLE_FREE)
            frames_give(t->frames, MA(t->slot[i].ma));
    free(t->slot);
    free(t->target);
    free(t->next);
    free(t->prev);
    free(t->mapped);
    free(t->derived);
    memset(t, 0, sizeof *t);
}

unsigned table_next(const struct table *table, unsigned index)
{
    while (index < TABLE_ENTRIES) {
        uint32_t word = table->present[index / 32] >> index % 32;

        if (word)
            return index + (unsigned)__builtin_ctz(word);
        index = (index / 32 + 1) * 32;
    }
    return TABLE_ENTRIES;
}

/* The head of the list of tables with this gfn. Only what is derived from a
 * guest page's contents is in derived[]: being there is being traced. */
static uint32_t *slot_head(const struct tables *t, unsigned kind, uint32_t gfn)
{
    if (kind == TABLE_GUEST)
        return &t->derived[gfn];
    return (uint32_t *)(uintptr_t)&t
        ->direct[gfn / (GUEST_FRAMES / TABLE_PIECES)];
}

/* Into the list of its gfn, which is in the order of slots. */
static void slot_insert(struct tables *t, int slot)
{
    struct table *table = &t->slot[slot];
    uint32_t *head = slot_head(t, table->kind, table->gfn);

    while (*head && *head < (uint32_t)slot + 1)
        head = &t->slot[*head - 1].next;
    table->next = *head;
    *head = (uint32_t)slot + 1;
    t->used++;
}

int tables_new(struct tables *t, const struct table_key *key)
{
    struct table *table;
    ma_t frame;
    int slot = 0;

    while (slot < t->limit && t->slot[slot].kind != TABLE_FREE)
        slot++;
    if (slot == t->limit || !frames_take(t->frames, &frame))
        return SLOT_NONE;
    table = &t->slot[slot];
    memset(table, 0, sizeof *table);
    table->kind = (uint8_t)key->kind;
    table->level = (uint8_t)key->level;
    table->rights = (uint8_t)key->rights;
    table->gfn = key->gfn;
    table->ma = (uint32_t)frame.v;
    table->stamp = ++t->clock;
    slot_insert(t, slot);
    return slot;
}

void tables_delete(struct tables *t, int slot)
{
    struct table *table = &t->slot[slot];
    uint32_t *head = slot_head(t, table->kind, table->gfn);

    while (table->parents) {
        uint32_t id = table->parents - 1;

        table_clear(t, (int)(id / TABLE_ENTRIES), id % TABLE_ENTRIES);
    }
    table_empty(t, slot);
    while (*head != (uint32_t)slot + 1)
        head = &t->slot[*head - 1].next;
    *head = table->next;
    frames_give(t->frames, MA(table->ma));
    table->kind = TABLE_FREE;
    t->used--;
}

int tables_find(const struct tables *t, const struct table_key *key)
{
    uint32_t at = *slot_head(t, key->kind, key->gfn);

    while (at) {
        const struct table *table = &t->slot[at - 1];

        if (table_matches(table, key))
            return (int)at - 1;
        at = table->next;
    }
    return SLOT_NONE;
}

bool tables_in_root(const struct tables *t, int root, int slot)
{
    if (slot == root)
        return true;
    if (root == SLOT_NONE || t->slot[root].level != LEVEL_PDPT)
        return false;
    for (uint32_t id = t->slot[slot].parents; id; id = t->next[id - 1])
        if ((int)((id - 1) / TABLE_ENTRIES) == root)
            return true;
    return false;
}

int tables_oldest(const struct tables *t, int root)
{
    int oldest = SLOT_NONE;

    for (int i = 0; i < t->limit; i++) {
        if (t->slot[i].kind == TABLE_FREE || tables_in_root(t, root, i))
            continue;
        if (oldest == SLOT_NONE || t->slot[i].stamp < t->slot[oldest].stamp)
            oldest = i;
    }
    return oldest;
}

/* The table of a level that a root has for a linear address. */
static int tables_at(const struct tables *t, int root, uint32_t linear,
                     unsigned target)
{
    int slot = root;

    for (unsigned level = t->format->levels; level > target; level--) {
        unsigned index = paging_index(t->format, level, linear);

        if (!table_has(&t->slot[slot], index))
            return SLOT_NONE;
        slot = (int)t->target[(uint32_t)slot * TABLE_ENTRIES + index];
    }
    return slot;
}

int tables_leaf(const struct tables *t, int root, uint32_t linear)
{
    return tables_at(t, root, linear, LEVEL_PT);
}

int tables_directory(const struct tables *t, int root, uint32_t linear)
{
    return tables_at(t, root, linear, LEVEL_PD);
}

int tables_direct(const struct tables *t, uint32_t gfn, int after)
{
    uint32_t at = after == SLOT_NONE ? *slot_head(t, TABLE_DIRECT, gfn)
                                     : t->slot[after].next;

    while (at &&
           (t->slot[at - 1].kind != TABLE_DIRECT || t->slot[at - 1].gfn != gfn))
        at = t->slot[at - 1].next;
    return (int)at - 1;
}

ma_t table_entry_ma(const struct tables *t, int slot, unsigned index)
{
    return MA(t->slot[slot].ma + index * t->format->entry_bytes);
}

uint64_t table_entry(const struct tables *t, int slot, unsigned index)
{
    ma_t at = table_entry_ma(t, slot, index);

    if (t->format->entry_bytes == sizeof(uint64_t))
        return memory_read64(t->memory, at);
    return memory_read32(t->memory, at);
}

void table_write(const struct tables *t, int slot, unsigned index,
                 uint64_t entry)
{
    ma_t at = table_entry_ma(t, slot, index);

    if (t->format->entry_bytes == sizeof entry)
        memory_write64(t->memory, at, entry);
    else
        memory_write32(t->memory, at, (uint32_t)entry);
}

/* The head of the list of entries with the same target as this one. */
static uint32_t *entry_head(struct tables *t, int slot, uint32_t target)
{
    if (table_is_upper(&t->slot[slot]))
        return &t->slot[target].parents;
    return &t->mapped[target];
}

static void entry_insert(struct tables *t, int slot, unsigned index,
                         uint32_t target)
{
    struct table *table = &t->slot[slot];
    uint32_t id = (uint32_t)slot * TABLE_ENTRIES + index;
    uint32_t *head = entry_head(t, slot, target);

    t->target[id] = target;
    t->prev[id] = 0;
    t->next[id] = *head;
    if (*head)
        t->prev[*head - 1] = id + 1;
    *head = id + 1;
    table->present[index / 32] |= 1u << index % 32;
    table->used++;
}

static void entry_remove(struct tables *t, int slot, unsigned index)
{
    struct table *table = &t->slot[slot];
    uint32_t id = (uint32_t)slot * TABLE_ENTRIES + index;

    if (t->prev[id])
        t->next[t->prev[id] - 1] = t->next[id];
    else
        *entry_head(t, slot, t->target[id]) = t->next[id];
    if (t->next[id])
        t->prev[t->next[id] - 1] = t->prev[id];
    table->present[index / 32] &= ~(1u << index % 32);
    table->spared[index / 32] &= ~(1u << index % 32);
    table->used--;
}

static void entry_put(struct tables *t, int slot, unsigned index,
                      uint64_t entry, uint32_t target)
{
    if (table_has(&t->slot[slot], index))
        entry_remove(t, slot, index);
    entry_insert(t, slot, index, target);
    table_write(t, slot, index, entry);
    t->slot[slot].stamp = ++t->clock;
}

void table_map(struct tables *t, int slot, unsigned index, uint64_t entry,
               uint32_t gfn)
{
    entry_put(t, slot, index, entry, gfn);
}

static uint64_t large_entry(const struct table *table)
{
    bool write = (table->rights & RIGHT_WRITE) && (table->rights & RIGHT_DIRTY);

    return (uint64_t)table->large | PTE_P | PTE_A | PTE_D | PTE_PS |
           (write ? PTE_W : 0) | ((table->rights & RIGHT_USER) ? PTE_U : 0) |
           ((table->rights & RIGHT_EXECUTE) ? 0 : PTE_NX);
}

uint64_t table_link_entry(const struct table *upper, const struct table *child)
{
    if (child->large)
        return large_entry(child);
    return child->ma |
           (upper->level == LEVEL_PDPT ? PTE_P : (uint64_t)LINK_BITS);
}

void table_link(struct tables *t, int slot, unsigned index, int child)
{
    entry_put(t, slot, index, table_link_entry(&t->slot[slot], &t->slot[child]),
              (uint32_t)child);
}

void table_set_large(struct tables *t, int slot, uint32_t ma)
{
    struct table *table = &t->slot[slot];

    table->large = ma;
    for (uint32_t id = table->parents; id; id = t->next[id - 1]) {
        int upper = (int)((id - 1) / TABLE_ENTRIES);

        table_write(t, upper, (id - 1) % TABLE_ENTRIES,
                    table_link_entry(&t->slot[upper], table));
    }
}

void table_clear(struct tables *t, int slot, unsigned index)
{
    entry_remove(t, slot, index);
    table_write(t, slot, index, 0);
}

void table_spare(struct tables *t, int slot, unsigned index, bool spare)
{
    uint32_t *word = &t->slot[slot].spared[index / 32];
    uint32_t bit = 1u << index % 32;

    *word = spare ? *word | bit : *word & ~bit;
}

unsigned table_flush(struct tables *t, int slot)
{
    struct table *table = &t->slot[slot];
    unsigned before = table->used;

    for (unsigned i = 0; i < TABLE_WORDS; i++) {
        uint32_t bits = table->present[i] & ~table->spared[i];

        for (; bits; bits &= bits - 1)
            table_clear(t, slot, i * 32 + (unsigned)__builtin_ctz(bits));
    }
    return before - table->used;
}

unsigned table_empty(struct tables *t, int slot)
{
    struct table *table = &t->slot[slot];
    unsigned count = table->used;
    unsigned index = 0;

    while ((index = table_next(table, index)) < TABLE_ENTRIES)
        table_clear(t, slot, index);
    table->has_large = 0;
    return count;
}

void tables_forget(struct tables *t)
{
    for (int slot = 0; slot < t->limit; slot++) {
        struct table *table = &t->slot[slot];
        unsigned index = 0;

        if (table->kind == TABLE_FREE)
            continue;
        *slot_head(t, table->kind, table->gfn) = 0;
        while ((index = table_next(table, index)) < TABLE_ENTRIES) {
            if (!table_is_upper(table))
                t->mapped[t->target[slot * TABLE_ENTRIES + (int)index]] = 0;
            index++;
        }
        table->kind = TABLE_FREE;
    }
    t->used = 0;
}

void tables_place(struct tables *t, int slot, const struct table *saved)
{
    struct table *table = &t->slot[slot];

    *table = *saved;
    table->used = 0;
    table->parents = 0;
    memset(table->present, 0, sizeof table->present);
    slot_insert(t, slot);
}

void tables_relink(struct tables *t, int slot, const struct table *saved,
                   const uint32_t target[TABLE_ENTRIES])
{
    unsigned index = 0;

    while ((index = table_next(saved, index)) < TABLE_ENTRIES) {
        entry_insert(t, slot, index, target[index]);
        index++;
    }
}
