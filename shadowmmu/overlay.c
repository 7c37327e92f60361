/* SPDX-License-Identifier: MIT */
/* shadowmmu/overlay.c - the VMM's own piece of linear space.
 *
 * Its page tables are in no pool and derived from nothing. With two-level
 * tables every directory shows it, by one entry. With PAE it takes two entries
 * of one of the root's four directories, and a directory that the guest's
 * tables mean at two places must not show it at both: so the one that does has
 * a role (ROLE_OVERLAY) and is another table.
 */
#include "shadowmmu/technique.h"

#include <stdlib.h>

enum { OVERLAY_PAGES = MMU_OVERLAY_BYTES / PAGE_BYTES };

/* What a directory says of it. */
#define OVERLAY_LINK (PTE_P | PTE_W | PTE_A)

static unsigned per_table(const struct paging_format *format)
{
    return 1u << format->index_bits;
}

static ma_t page_entry(const struct mmu *m, const struct paging_format *format,
                       unsigned page)
{
    unsigned per = per_table(format);

    return MA(m->overlay.table[page / per].v +
              page % per * format->entry_bytes);
}

static uint64_t read_page(const struct mmu *m,
                          const struct paging_format *format, unsigned page)
{
    ma_t at = page_entry(m, format, page);

    return format->entry_bytes == sizeof(uint64_t)
               ? memory_read64(m->c.memory, at)
               : memory_read32(m->c.memory, at);
}

static void write_page(const struct mmu *m, const struct paging_format *format,
                       unsigned page, uint64_t entry)
{
    ma_t at = page_entry(m, format, page);

    if (format->entry_bytes == sizeof entry)
        memory_write64(m->c.memory, at, entry);
    else
        memory_write32(m->c.memory, at, (uint32_t)entry);
}

bool mmu_overlay_create(struct mmu *m)
{
    struct mmu_overlay *o = &m->overlay;

    if (!frames_take(m->c.frames, &o->table[0]))
        return false;
    if (!frames_take(m->c.frames, &o->table[1])) {
        frames_give(m->c.frames, o->table[0]);
        return false;
    }
    o->created = true;
    return true;
}

void mmu_overlay_map(struct mmu *m, unsigned page, ma_t frame, uint32_t bits)
{
    write_page(m, m->t.format, page, frame.v | bits);
}

void overlay_convert(struct mmu *m, const struct paging_format *format)
{
    uint64_t entry[OVERLAY_PAGES];

    if (!m->overlay.created || format == m->t.format)
        return;
    for (unsigned i = 0; i < OVERLAY_PAGES; i++)
        entry[i] = read_page(m, m->t.format, i);
    for (unsigned i = 0; i < OVERLAY_PAGES; i++)
        write_page(m, format, i, entry[i]);
}

/* ---- in the directories ---------------------------------------------------
 */

/* How many directory entries it takes, and which is the first. */
static unsigned links(const struct mmu *m)
{
    return OVERLAY_PAGES / per_table(m->t.format);
}

static unsigned first_link(const struct mmu *m)
{
    return paging_index(m->t.format, LEVEL_PD, m->overlay.linear);
}

static bool shows(const struct mmu *m, const struct table *table)
{
    return m->overlay.placed && table->level == LEVEL_PD &&
           (m->t.format == &paging_32bit || (table->rights & ROLE_OVERLAY));
}

uint64_t overlay_entry(const struct mmu *m, const struct table *table,
                       unsigned index)
{
    unsigned n = index - first_link(m);

    if (!shows(m, table) || n >= links(m))
        return 0;
    return m->overlay.table[n].v | OVERLAY_LINK;
}

void overlay_show(struct mmu *m, int slot)
{
    const struct table *table = &m->t.slot[slot];
    unsigned first = first_link(m);

    if (!shows(m, table))
        return;
    for (unsigned i = first; i < first + links(m); i++) {
        if (table_has(table, i))
            table_clear(&m->t, slot, i);
        table_write(&m->t, slot, i, overlay_entry(m, table, i));
    }
}

static void hide(struct mmu *m, int slot)
{
    struct table *table = &m->t.slot[slot];
    unsigned first = first_link(m);

    if (!shows(m, table))
        return;
    for (unsigned i = first; i < first + links(m); i++)
        table_write(&m->t, slot, i, 0);
    table->rights &= (uint8_t)~ROLE_OVERLAY;
}

/* The directory that is there takes the role, if the root shows it once. */
static void give_role(struct mmu *m)
{
    unsigned index = paging_index(m->t.format, LEVEL_PDPT, m->overlay.linear);
    int slot;

    if (!table_has(&m->t.slot[m->root], index))
        return;
    slot = (int)m->t.target[(uint32_t)m->root * TABLE_ENTRIES + index];
    if (!m->t.next[m->t.slot[slot].parents - 1])
        m->t.slot[slot].rights |= ROLE_OVERLAY;
}

/* ---- does the guest use the place? -----------------------------------------
 */

/* A PC has memory below the hole, and devices above it. In it nothing answers,
 * unless the guest has moved its local APIC there: it comes last. */
#define HOLE_AT    (3ull << 30)
#define DEVICES_AT 0xFEC00000ull /* the I/O APIC is the lowest one */

enum use { NOT_USED, VACANT, HOLE, USED };

static bool has_memory(const struct mmu *m, uint64_t gpa, uint32_t bytes)
{
    ma_t ma;

    for (uint32_t at = 0; at < bytes; at += PAGE_BYTES)
        if (pmap_lookup(m->c.pmap, GPA(gpa + at), &ma) != PMAP_NONE)
            return true;
    return false;
}

/* What is mapped and has nothing behind it would only read as ones. */
static enum use use_of(const struct mmu *m, uint64_t gpa, uint32_t bytes)
{
    if (gpa >= DEVICES_AT || has_memory(m, gpa, bytes))
        return USED;
    return gpa >= HOLE_AT ? HOLE : VACANT;
}

/* A large page, as a guest has them that maps all addresses to themselves. */
static enum use large_use(const struct mmu *m, uint64_t entry)
{
    uint32_t bytes = MMU_OVERLAY_BYTES / links(m);
    uint64_t gpa = entry & PAGING_ADDRESS;

    return gpa % bytes == 0 ? use_of(m, gpa, bytes) : USED;
}

static enum use more(enum use a, enum use b)
{
    return a > b ? a : b;
}

/* A page table, which may lead nowhere where a guest makes all of its tables at
 * the start. */
static enum use table_use(struct mmu *m, uint64_t table)
{
    unsigned bytes = m->t.format->entry_bytes;
    enum use use = VACANT;

    for (unsigned i = 0; i < per_table(m->t.format) && use != USED; i++) {
        uint64_t entry = walk_read(m, GPA(table + i * bytes), bytes);

        if (entry & PTE_P)
            use = more(use, use_of(m, entry & PAGING_ADDRESS, PAGE_BYTES));
    }
    return use;
}

static bool is_large(const struct mmu *m, uint64_t entry)
{
    return (entry & PTE_PS) &&
           (m->t.format == &paging_pae || (m->c.vcpu->cr4 & CR4_PSE));
}

/* The guest's directory entries for as much linear space; false: it has no
 * directory there. */
static bool guest_links(const struct mmu *m, uint32_t linear, gpa_t *first)
{
    const struct cpu_state *v = m->c.vcpu;
    const struct paging_format *f = m->t.format;
    unsigned index = paging_index(f, LEVEL_PD, linear);
    uint64_t table = v->cr3 & PTE_FRAME;

    if (f == &paging_pae) {
        uint64_t pdpte = v->pdpte[paging_index(f, LEVEL_PDPT, linear)];

        if (!(pdpte & PTE_P))
            return false;
        table = pdpte & PAGING_ADDRESS;
    }
    *first = GPA(table + index * f->entry_bytes);
    return true;
}

static enum use guest_use(struct mmu *m, uint32_t linear)
{
    unsigned bytes = m->t.format->entry_bytes;
    enum use use = NOT_USED;
    gpa_t first;

    if (!guest_links(m, linear, &first))
        return NOT_USED;
    for (unsigned i = 0; i < links(m); i++) {
        uint64_t entry = walk_read(m, GPA(first.v + i * bytes), bytes);

        if (entry & PTE_P)
            use = more(use, is_large(m, entry)
                                ? large_use(m, entry)
                                : table_use(m, entry & PAGING_ADDRESS));
    }
    return use;
}

/* The guest's page table of the place's n-th part; 0: there is none. */
static uint32_t guest_table(struct mmu *m, unsigned n)
{
    unsigned bytes = m->t.format->entry_bytes;
    uint64_t entry;
    gpa_t first;

    if (!mmu_paging(m) || n >= links(m) ||
        !guest_links(m, m->overlay.linear, &first))
        return 0;
    entry = walk_read(m, GPA(first.v + n * bytes), bytes);
    return (entry & PTE_P) && !is_large(m, entry)
               ? (uint32_t)((entry & PAGING_ADDRESS) >> PAGE_SHIFT)
               : 0;
}

/* What was not present the guest may use without a word to the processor: so
 * its tables of the place are watched. */
static void watch_tables(struct mmu *m)
{
    for (unsigned n = 0; n < 2; n++) {
        uint32_t *watched = &m->overlay.guest_table[n];
        uint32_t table = m->ops->show_overlay ? 0 : guest_table(m, n);

        if (*watched == table)
            continue;
        if (*watched)
            mmu_unwatch(m, GPA((uint64_t)*watched << PAGE_SHIFT));
        *watched = table;
        if (table)
            mmu_watch(m, GPA((uint64_t)table << PAGE_SHIFT));
    }
}

/* ---- its place --------------------------------------------------------------
 */

void mmu_set_overlay(struct mmu *m, uint32_t linear)
{
    for (int i = 0; i < m->t.limit; i++)
        if (m->t.slot[i].kind != TABLE_FREE)
            hide(m, i);
    m->overlay.linear = linear;
    m->overlay.placed = true;
    if (m->ops->show_overlay) {
        m->ops->show_overlay(m);
        return;
    }
    if (m->t.format == &paging_pae)
        give_role(m);
    for (int i = 0; i < m->t.limit; i++)
        if (m->t.slot[i].kind != TABLE_FREE)
            overlay_show(m, i);
    if (m->t.format == &paging_pae) {
        if (!mmu_link_directories(m, m->root))
            abort(); /* a table can be had: only the root's are held */
        mmu_set_root(m, m->root);
    }
    m->c.hardware.flush_all(m->c.hardware.ctx);
    watch_tables(m);
}

/* With paging off the whole space is the guest's; only a fault there tells
 * that it is wanted. */
void overlay_check(struct mmu *m)
{
    if (!m->overlay.placed || m->ops->show_overlay)
        return;
    if (m->c.overlay_wanted && mmu_paging(m) &&
        guest_use(m, m->overlay.linear) == USED)
        m->c.overlay_wanted(m->c.ctx);
    else
        watch_tables(m);
}

void overlay_watched(struct mmu *m, uint32_t gfn)
{
    if (gfn == m->overlay.guest_table[0] || gfn == m->overlay.guest_table[1])
        overlay_check(m);
}

void overlay_table_written(struct mmu *m, uint32_t gfn, unsigned first,
                           unsigned last)
{
    unsigned words = links(m) * m->t.format->entry_bytes / 4, word;
    gpa_t at;

    if (!m->overlay.placed || !mmu_paging(m) ||
        !guest_links(m, m->overlay.linear, &at) || gfn != at.v >> PAGE_SHIFT)
        return;
    word = (unsigned)(at.v & PAGE_MASK) / 4;
    if (first < word + words && word <= last)
        overlay_check(m);
}

/* Where the guest is at a device, or nothing, the processor may have to reach
 * it in its place: it cannot where the overlay is. */
static bool must_leave(const struct mmu *m, uint32_t linear)
{
    return m->overlay.wanted && linear == m->overlay.linear;
}

/* The highest place of which the guest's tables say this. */
static bool find_place(struct mmu *m, enum use use, uint32_t *linear)
{
    for (uint64_t at = 4ull << 30; at; at -= MMU_OVERLAY_BYTES) {
        *linear = (uint32_t)(at - MMU_OVERLAY_BYTES);
        if (!must_leave(m, *linear) && guest_use(m, *linear) == use)
            return true;
    }
    return false;
}

/* The highest place below an address where there is no memory. */
static bool find_empty(const struct mmu *m, uint64_t below, uint32_t *linear)
{
    for (; below; below -= MMU_OVERLAY_BYTES) {
        *linear = (uint32_t)(below - MMU_OVERLAY_BYTES);
        if (!must_leave(m, *linear) &&
            !has_memory(m, *linear, MMU_OVERLAY_BYTES))
            return true;
    }
    return false;
}

static bool find_any(struct mmu *m, uint32_t *linear)
{
    if (mmu_paging(m))
        return find_place(m, NOT_USED, linear) ||
               find_place(m, VACANT, linear) || find_place(m, HOLE, linear);
    return find_empty(m, HOLE_AT, linear) || find_empty(m, DEVICES_AT, linear);
}

bool mmu_find_overlay(struct mmu *m, uint32_t *linear)
{
    if (m->ops->find_overlay)
        return m->ops->find_overlay(m, linear);
    if (find_any(m, linear))
        return true;
    /* There is only the one that the guest reaches for, with no memory. */
    *linear = m->overlay.linear;
    return m->overlay.wanted &&
           (!mmu_paging(m) || guest_use(m, *linear) != USED);
}
