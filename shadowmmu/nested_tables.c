/* SPDX-License-Identifier: MIT */
/* shadowmmu/nested_tables.c - the tree of nested tables in machine memory. */
#include "shadowmmu/nested_priv.h"

#include <stdlib.h>

enum {
    LIMIT_DEFAULT = 1024,
    LIMIT_LEAST = 8,
    NEAR = 16, /* frames of a group that is mapped together */
    LARGE_SHIFT = PAGE_SHIFT + EPT_INDEX_BITS,
    LARGE_FRAMES = EPT_ENTRIES,
};

static unsigned shift_of(unsigned level)
{
    return PAGE_SHIFT + EPT_INDEX_BITS * (level - 1);
}

static void flush(struct mmu *m)
{
    m->c.hardware.flush_all(m->c.hardware.ctx);
}

/* ---- tables -----------------------------------------------------------------
 */

static void report(struct mmu *m, const char *cause, ma_t table, gpa_t gpa,
                   unsigned level)
{
    struct counters *c = &m->c.trace->count;

    c->mmu_tables = nested_of(m)->count;
    if (c->mmu_tables > c->mmu_tables_peak)
        c->mmu_tables_peak = c->mmu_tables;
    trace_table(m->c.trace, mmu_site(m), cause, (uint32_t)table.v,
                (uint32_t)gpa.v, level, nested_of(m)->count);
}

/* An empty table for the piece of guest-physical space around gpa. */
static bool new_table(struct mmu *m, gpa_t gpa, unsigned level, ma_t *table)
{
    struct nested *n = nested_of(m);

    if (n->count == n->limit || !frames_take(m->c.frames, table))
        return false;
    n->frame[n->count++] = (uint32_t)table->v;
    m->c.trace->count.mmu_cache_miss++;
    report(m, "made", *table,
           GPA(gpa.v >> shift_of(level + 1) << shift_of(level + 1)), level);
    return true;
}

/* Give up every table but the root: they come back by violations. */
static void zap(struct mmu *m)
{
    struct nested *n = nested_of(m);

    m->c.trace->count.mmu_recycled += n->count - 1;
    m->c.trace->count.mmu_shadow_zapped += n->count - 1;
    while (n->count > 1)
        frames_give(m->c.frames, MA(n->frame[--n->count]));
    memset(memory_at(m->c.memory, MA(n->frame[0])), 0, PAGE_BYTES);
    flush(m);
    report(m, "reclaimed", MA(n->frame[0]), GPA(0), n->levels);
}

bool nested_tables_init(struct mmu *m)
{
    struct nested *n = calloc(1, sizeof *n);
    uint64_t limit = m->c.table_limit_bytes / PAGE_BYTES;
    ma_t root;

    if (!n)
        return false;
    m->own = n;
    n->levels = m->c.nested_levels;
    n->limit = limit == 0            ? LIMIT_DEFAULT
               : limit < LIMIT_LEAST ? LIMIT_LEAST
                                     : (uint32_t)limit;
    n->frame = calloc(n->limit, sizeof *n->frame);
    return n->frame && new_table(m, GPA(0), n->levels, &root);
}

void nested_load_root(struct mmu *m)
{
    struct mmu_root root = {.ma = MA(nested_of(m)->frame[0])};

    m->c.hardware.set_root(m->c.hardware.ctx, &root);
}

void nested_tables_free(struct mmu *m)
{
    struct nested *n = nested_of(m);

    if (!n)
        return;
    while (n->count)
        frames_give(m->c.frames, MA(n->frame[--n->count]));
    free(n->frame);
    free(n);
    m->own = NULL;
}

/* ---- entries ----------------------------------------------------------------
 */

void nested_walk(const struct mmu *m, gpa_t gpa, struct ept_walk *w)
{
    ept_walk(m->c.memory, nested_pointer(m), gpa, w);
}

static ma_t entry_at(ma_t table, gpa_t gpa, unsigned level)
{
    return MA(table.v + (gpa.v >> shift_of(level) & (EPT_ENTRIES - 1)) * 8);
}

/* Where the entry of a level for an address is; the tables above it are made.
 * False: no memory, or a large page is in the way. */
static bool descend(struct mmu *m, gpa_t gpa, unsigned to, ma_t *at)
{
    const struct nested *n = nested_of(m);
    ma_t table = MA(n->frame[0]);

    if (gpa.v >> shift_of(n->levels + 1))
        return false;
    for (unsigned level = n->levels; level > to; level--) {
        uint64_t entry;

        *at = entry_at(table, gpa, level);
        entry = memory_read64(m->c.memory, *at);
        if (entry & EPT_PAGE)
            return false;
        if (!entry) {
            if (!new_table(m, gpa, level - 1, &table))
                return false;
            entry = table.v | EPT_RIGHTS;
            memory_write64(m->c.memory, *at, entry);
        }
        table = MA(entry & PAGING_ADDRESS);
    }
    *at = entry_at(table, gpa, to);
    return true;
}

static uint64_t page_entry(enum pmap_kind kind, ma_t ma)
{
    return (ma.v & PTE_FRAME) | EPT_READ | EPT_EXECUTE | EPT_WRITE_BACK |
           (kind == PMAP_RAM ? EPT_WRITE : 0);
}

/* Is the large page around gpa RAM, and in one aligned piece of the machine?
 * first: where it begins there. */
static bool is_one_piece(const struct mmu *m, gpa_t gpa, ma_t *first)
{
    gpa_t at = GPA(gpa.v >> LARGE_SHIFT << LARGE_SHIFT);
    ma_t ma;

    if (pmap_lookup(m->c.pmap, at, first) != PMAP_RAM ||
        (first->v & ((1u << LARGE_SHIFT) - 1)))
        return false;
    for (unsigned i = 1; i < LARGE_FRAMES; i++)
        if (pmap_lookup(m->c.pmap, GPA(at.v + i * PAGE_BYTES), &ma) !=
                PMAP_RAM ||
            ma.v != first->v + i * PAGE_BYTES)
            return false;
    return true;
}

static bool map_large(struct mmu *m, gpa_t gpa)
{
    ma_t at, first;

    if ((m->c.without & MMU_NESTED_LARGE) || !is_one_piece(m, gpa, &first) ||
        !descend(m, gpa, LEVEL_PD, &at) || memory_read64(m->c.memory, at))
        return false;
    memory_write64(m->c.memory, at, page_entry(PMAP_RAM, first) | EPT_PAGE);
    return true;
}

bool nested_map(struct mmu *m, gpa_t gpa, enum pmap_kind kind, ma_t ma)
{
    struct nested *n = nested_of(m);
    ma_t at;

    m->c.trace->count.mmu_fills++;
    if (n->count + n->levels > n->limit)
        zap(m);
    if (kind == PMAP_RAM && map_large(m, gpa))
        return true;
    while (!descend(m, gpa, LEVEL_PT, &at)) {
        if (n->count <= 1)
            return false;
        zap(m); /* the machine is out of frames, or a large page was there */
    }
    memory_write64(m->c.memory, at, page_entry(kind, ma));
    return true;
}

void nested_map_near(struct mmu *m, gpa_t gpa)
{
    uint64_t first = gpa.v >> PAGE_SHIFT & ~(uint64_t)(NEAR - 1);
    struct ept_walk w;
    ma_t ma, at;

    nested_walk(m, gpa, &w);
    if ((m->c.without & MMU_PREFETCH) || w.level != LEVEL_PT)
        return;
    for (uint64_t gfn = first; gfn < first + NEAR; gfn++) {
        gpa_t page = GPA(gfn << PAGE_SHIFT);
        enum pmap_kind kind = pmap_lookup(m->c.pmap, page, &ma);

        if (!pmap_readable(kind) || !descend(m, page, LEVEL_PT, &at) ||
            memory_read64(m->c.memory, at))
            continue;
        memory_write64(m->c.memory, at, page_entry(kind, ma));
        m->c.trace->count.mmu_prefetched++;
    }
}

/* A large page goes altogether; its other frames come back one by one. */
void nested_unmap(struct mmu *m, gpa_t gpa)
{
    struct ept_walk w;

    nested_walk(m, gpa, &w);
    if (!w.present)
        return;
    memory_write64(m->c.memory, w.at[w.level], 0);
    flush(m);
}

/* A large page is given up rather than split. */
void nested_protect(struct mmu *m, gpa_t gpa)
{
    struct ept_walk w;

    nested_walk(m, gpa, &w);
    if (!w.present || !(w.entry[w.level] & EPT_WRITE))
        return;
    memory_write64(m->c.memory, w.at[w.level],
                   w.level == LEVEL_PT ? w.entry[w.level] & ~(uint64_t)EPT_WRITE
                                       : 0);
    flush(m);
}

/* Where the processor keeps no accessed bits, an entry that is there stands for
 * one: it goes, and comes back when it is wanted. */
bool nested_used(struct mmu *m, gpa_t gpa)
{
    struct ept_walk w;

    nested_walk(m, gpa, &w);
    if (!w.present)
        return false;
    if (m->c.without & MMU_NESTED_AD) {
        nested_unmap(m, gpa);
        return true;
    }
    if (!(w.entry[w.level] & EPT_ACCESSED))
        return false;
    memory_write64(m->c.memory, w.at[w.level],
                   w.entry[w.level] & ~(uint64_t)EPT_ACCESSED);
    flush(m);
    return true;
}

/* ---- audit ------------------------------------------------------------------
 */

struct audit {
    struct mmu *m;
    unsigned wrong;
    char *line;
    size_t bytes;
};

static const char *page_wrong(const struct mmu *m, gpa_t gpa, uint64_t entry)
{
    ma_t ma;
    enum pmap_kind kind = pmap_lookup(m->c.pmap, gpa, &ma);

    if (!pmap_gives(m->c.pmap, MA(entry & PAGING_ADDRESS), false))
        return "a machine frame that the PMap does not give this VM";
    if (!pmap_gives(m->c.pmap, MA(entry & PAGING_ADDRESS),
                    (entry & EPT_WRITE) != 0))
        return "a shared machine frame is writable";
    if (!pmap_readable(kind))
        return "no memory is behind the guest frame";
    if ((entry & PAGING_ADDRESS) != ma.v)
        return "another machine frame than the PMap's";
    if ((entry & EPT_WRITE) && kind == PMAP_ROM)
        return "ROM is writable";
    return NULL;
}

static const char *large_wrong(const struct mmu *m, gpa_t gpa, uint64_t entry)
{
    const char *what = NULL;

    for (unsigned i = 0; i < LARGE_FRAMES && !what; i++)
        what =
            page_wrong(m, GPA(gpa.v + i * PAGE_BYTES), entry + i * PAGE_BYTES);
    return what;
}

static bool is_table(const struct nested *n, uint64_t entry)
{
    for (uint32_t i = 1; i < n->count; i++)
        if (n->frame[i] == (entry & PAGING_ADDRESS))
            return true;
    return false;
}

static void audit_table(struct audit *a, ma_t table, uint64_t gpa,
                        unsigned level)
{
    struct mmu *m = a->m;

    for (unsigned i = 0; i < EPT_ENTRIES; i++) {
        uint64_t entry = memory_read64(m->c.memory, MA(table.v + i * 8));
        gpa_t at = GPA(gpa + ((uint64_t)i << shift_of(level)));
        const char *what = NULL;

        if (!entry)
            continue;
        if (level == LEVEL_PT)
            what = page_wrong(m, at, entry);
        else if (entry & EPT_PAGE)
            what = large_wrong(m, at, entry);
        else if (!is_table(nested_of(m), entry))
            what = "points to no table";
        else if (frames_owner(m->c.frames, MA(entry & PAGING_ADDRESS)) !=
                 FRAME_VMM)
            what = "points to a table that is not the VMM's";
        else
            audit_table(a, MA(entry & PAGING_ADDRESS), at.v, level - 1);
        if (what && a->wrong++ == 0 && a->line)
            snprintf(a->line, a->bytes,
                     "nested table of level %u, gpa %08x, entry %llx: %s",
                     level, (unsigned)at.v, (unsigned long long)entry, what);
    }
}

unsigned nested_audit(struct mmu *m, char *line, size_t bytes)
{
    const struct nested *n = nested_of(m);
    struct audit a = {.m = m, .line = line, .bytes = bytes};

    audit_table(&a, MA(n->frame[0]), 0, n->levels);
    return a.wrong;
}

/* ---- save and restore: the tables' contents are machine memory ------------
 */

struct saved {
    uint32_t levels, count, eip, padding;
};

size_t nested_save(const struct mmu *m, void *buffer, size_t bytes)
{
    const struct nested *n = nested_of(m);
    struct saved s = {n->levels, n->count, m->eip, 0};
    size_t all = sizeof s + n->count * sizeof *n->frame;

    if (!buffer || bytes < all)
        return all;
    memcpy(buffer, &s, sizeof s);
    memcpy((uint8_t *)buffer + sizeof s, n->frame, n->count * sizeof *n->frame);
    return all;
}

bool nested_restore(struct mmu *m, const void *buffer, size_t bytes)
{
    struct nested *n = nested_of(m);
    struct saved s;

    if (bytes < sizeof s)
        return false;
    memcpy(&s, buffer, sizeof s);
    if (s.levels != n->levels || !s.count || s.count > n->limit ||
        bytes != sizeof s + s.count * sizeof *n->frame)
        return false;
    n->count = s.count;
    m->eip = s.eip;
    memcpy(n->frame, (const uint8_t *)buffer + sizeof s,
           s.count * sizeof *n->frame);
    nested_load_root(m);
    return true;
}
