/* SPDX-License-Identifier: MIT */
/* shadowmmu/audit.c - is every entry of the VMM's tables what it must be? */
#include "shadowmmu/technique.h"

struct audit {
    struct mmu *m;
    unsigned wrong;
    char *line;
    size_t bytes;
};

static void complain(struct audit *a, int slot, unsigned index,
                     const char *what)
{
    const struct table *table = &a->m->t.slot[slot];

    if (a->wrong++ == 0 && a->line)
        snprintf(a->line, a->bytes,
                 "table %d (level %u, kind %u, gpa %08x) entry %03x = %0*llx: "
                 "%s",
                 slot, table->level, table->kind,
                 (unsigned)table->gfn << PAGE_SHIFT, index,
                 2 * a->m->t.format->entry_bytes,
                 (unsigned long long)table_entry(&a->m->t, slot, index), what);
}

/* Open for one instruction: writable although guarded. */
static bool is_open(const struct mmu *m, int slot, unsigned index)
{
    for (unsigned i = 0; i < m->step.count; i++)
        if (m->step.page[i].slot == slot && m->step.page[i].index == index)
            return true;
    return false;
}

static const char *audit_leaf(const struct mmu *m, int slot, unsigned index,
                              uint64_t entry)
{
    uint32_t gfn = m->t.target[(uint32_t)slot * TABLE_ENTRIES + index];
    ma_t ma = MA(0);
    enum pmap_kind kind =
        pmap_lookup(m->c.pmap, GPA((uint64_t)gfn << PAGE_SHIFT), &ma);

    if (!pmap_gives(m->c.pmap, MA(entry & PTE_FRAME), false))
        return "a machine frame that the PMap does not give this VM";
    if (!pmap_gives(m->c.pmap, MA(entry & PTE_FRAME), (entry & PTE_W) != 0))
        return "a shared machine frame is writable";
    if (!pmap_readable(kind))
        return "no memory is behind the guest frame";
    if ((entry & PTE_FRAME) != ma.v)
        return "another machine frame than the PMap's";
    if ((entry & PTE_W) && kind == PMAP_ROM)
        return "ROM is writable";
    if ((entry & PTE_W) && mmu_guarded(m, gfn) && !is_open(m, slot, index))
        return "a guarded page is writable";
    return NULL;
}

/* What the PMap says is asked again at each use. */
static const char *audit_device(const struct mmu *m, int slot, unsigned index,
                                uint64_t entry)
{
    uint32_t gfn = m->t.target[(uint32_t)slot * TABLE_ENTRIES + index];

    return (entry & PTE_FRAME) >> PAGE_SHIFT == gfn
               ? NULL
               : "a device is remembered at another place";
}

static const char *audit_link(const struct mmu *m, int slot, unsigned index,
                              uint64_t entry)
{
    uint32_t child = m->t.target[(uint32_t)slot * TABLE_ENTRIES + index];
    const struct table *table;
    ma_t first = MA(0);

    if (child >= (uint32_t)m->t.limit || m->t.slot[child].kind == TABLE_FREE ||
        m->t.slot[child].level + 1 != m->t.slot[slot].level)
        return "points to no table of the level below";
    table = &m->t.slot[child];
    if ((entry ^ table_link_entry(&m->t.slot[slot], table)) &
        ~(uint64_t)(PTE_A | PTE_D))
        return "does not point to the table that it stands for";
    if (table->large && (table->used || !large_fits(m, table, &first) ||
                         first.v != table->large))
        return "maps at once what is not alike";
    return NULL;
}

/* The table's own frame: the VMM's, and not the guest's to reach. */
static void audit_table(struct audit *a, int slot)
{
    const struct mmu *m = a->m;
    ma_t frame = MA(m->t.slot[slot].ma);

    if (frames_owner(m->c.frames, frame) != FRAME_VMM ||
        frames_references(m->c.frames, frame) != 1)
        complain(a, slot, 0, "the table's machine frame is not the VMM's");
}

static void audit_pmap(struct audit *a)
{
    const char *what = pmap_audit(a->m->c.pmap);

    if (what && a->wrong++ == 0 && a->line)
        snprintf(a->line, a->bytes, "PMap: %s", what);
}

static void audit_entry(struct audit *a, int slot, unsigned index)
{
    struct mmu *m = a->m;
    const struct table *table = &m->t.slot[slot];
    uint64_t entry = table_entry(&m->t, slot, index);
    uint64_t overlay = overlay_entry(m, table, index);
    const char *what;

    if (!table_has(table, index)) {
        if (overlay ? (entry ^ overlay) & ~(uint64_t)(PTE_A | PTE_D) : entry)
            complain(a, slot, index, "an entry that nobody put there");
        return;
    }
    if (!table_is_upper(table) && entry_is_device(entry) && !overlay)
        what = audit_device(m, slot, index, entry);
    else if (!(entry & PTE_P) || overlay)
        what = "lost";
    else if (table_is_upper(table))
        what = audit_link(m, slot, index, entry);
    else
        what = audit_leaf(m, slot, index, entry);
    if (!what)
        what = m->ops->audit(m, slot, index);
    if (what)
        complain(a, slot, index, what);
}

unsigned mmu_audit(struct mmu *m, char *line, size_t bytes)
{
    struct audit a = {.m = m, .line = line, .bytes = bytes};
    bool quiet = m->quiet;

    if (line && bytes)
        line[0] = '\0';
    audit_pmap(&a);
    if (m->ops->audit_all)
        return a.wrong ? a.wrong : m->ops->audit_all(m, line, bytes);
    m->quiet = true;
    for (int slot = 0; slot < m->t.limit; slot++) {
        if (m->t.slot[slot].kind == TABLE_FREE)
            continue;
        audit_table(&a, slot);
        for (unsigned index = 0;
             index < tables_entries(&m->t, m->t.slot[slot].level); index++)
            audit_entry(&a, slot, index);
    }
    m->quiet = quiet;
    return a.wrong;
}
