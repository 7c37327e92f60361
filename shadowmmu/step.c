/* SPDX-License-Identifier: MIT */
/* shadowmmu/step.c - a traced write: let one instruction through, look after.
 *
 * Where the write is not emulated (that would need every instruction that can
 * write memory), the page is made writable, the guest runs that one
 * instruction, and the page's words are compared with what they were.
 */
#include "shadowmmu/technique.h"

/* Words of a guest page, or NULL when there is no memory. */
static const void *page_words(const struct mmu *m, uint32_t gfn)
{
    ma_t ma;

    if (pmap_lookup(m->c.pmap, GPA((uint64_t)gfn << PAGE_SHIFT), &ma) !=
        PMAP_RAM)
        return NULL;
    return memory_at(m->c.memory, ma);
}

static bool open_page(struct mmu *m, uint32_t linear, unsigned access,
                      const struct paging_walk *w, ma_t ma, struct fill *fill)
{
    struct step_page *page = &m->step.page[m->step.count];
    const void *words;

    page->linear = linear & PTE_FRAME;
    page->gfn = walk_gfn(w);
    words = page_words(m, page->gfn);
    if (!words || !mmu_fill(m, linear, access, w, PMAP_RAM, ma, true, fill))
        return false;
    memcpy(page->before, words, PAGE_BYTES);
    page->slot = fill->slot;
    page->index = fill->index;
    m->step.count++;
    return true;
}

static bool is_open(const struct mmu *m, uint32_t linear)
{
    for (unsigned i = 0; i < m->step.count; i++)
        if (m->step.page[i].linear == (linear & PTE_FRAME))
            return true;
    return false;
}

/* Would an access set bits in the guest's entries? */
static bool would_set_bits(const struct paging_walk *w)
{
    return walk_paged(w) &&
           (!w->dirty || !(w->entry[LEVEL_PD] & PTE_A) ||
            (w->level == LEVEL_PT && !(w->entry[LEVEL_PT] & PTE_A)));
}

/* Open again what the same instruction wanted before. It may be a loop that
 * has moved on: an open page too many costs a comparison, but no bit may be
 * set for it. */
static void open_last(struct mmu *m, uint32_t linear, unsigned access)
{
    for (unsigned i = 0; i < m->step.last_count; i++) {
        uint32_t again = m->step.last_linear[i];
        struct paging_walk w;
        struct fill fill;
        ma_t ma;

        if (again == (linear & PTE_FRAME) || is_open(m, again) ||
            m->step.count == STEP_PAGES - 1)
            continue;
        walk_tables(m, again, access, &w);
        if (!w.allowed || would_set_bits(&w) ||
            pmap_lookup(m->c.pmap, walk_gpa(&w), &ma) != PMAP_RAM ||
            !mmu_guarded(m, walk_gfn(&w)))
            continue;
        open_page(m, again, access, &w, ma, &fill);
    }
}

bool step_open(struct mmu *m, uint32_t linear, unsigned access,
               const struct paging_walk *w, ma_t ma, struct fill *fill)
{
    if (m->step.count &&
        (m->step.last_eip != m->eip || m->step.count == STEP_PAGES))
        mmu_stepped(m);
    if (m->step.last_eip != m->eip)
        m->step.last_count = 0;
    open_last(m, linear, access);
    m->step.last_eip = m->eip;
    return open_page(m, linear, access, w, ma, fill);
}

bool mmu_open(struct mmu *m)
{
    struct paging_walk w;
    struct fill fill;
    ma_t ma;

    walk_tables(m, m->step.wanted_linear, m->step.wanted_access, &w);
    if (!w.allowed || pmap_lookup(m->c.pmap, walk_gpa(&w), &ma) != PMAP_RAM)
        return true; /* the next fault says why */
    return step_open(m, m->step.wanted_linear, m->step.wanted_access, &w, ma,
                     &fill);
}

/* The entry may be another one by now; whatever it is, it must not be a
 * writable mapping of a guarded page. */
static void close_page(struct mmu *m, const struct step_page *page)
{
    const struct table *table = &m->t.slot[page->slot];
    uint32_t id = (uint32_t)page->slot * TABLE_ENTRIES + page->index;
    uint64_t entry;

    if (table->kind == TABLE_FREE || table_is_upper(table) ||
        !table_has(table, page->index) || !mmu_guarded(m, m->t.target[id]))
        return;
    entry = table_entry(&m->t, page->slot, page->index);
    if (entry & PTE_W)
        mmu_entry_restrict(m, page->slot, page->index,
                           entry & ~(uint64_t)PTE_W);
}

void step_written(struct mmu *m, uint32_t gfn, unsigned first, unsigned last)
{
    if (tables_traced(&m->t, gfn))
        mmu_table_written(m, gfn, first, last);
}

/* Bring tables into line with the words that changed; these are [*first,
 * *end). */
static void compare_page(struct mmu *m, const struct step_page *page,
                         unsigned *first, unsigned *end)
{
    const uint8_t *words = page_words(m, page->gfn);

    *first = *end = 0;
    if (!words || memcmp(words, page->before, PAGE_BYTES) == 0)
        return;
    for (unsigned i = 0; i < PAGE_WORDS; i++) {
        if (memcmp(words + i * 4, &page->before[i], 4) == 0)
            continue;
        step_written(m, page->gfn, i, i);
        if (*end == 0)
            *first = i;
        *end = i + 1;
    }
}

/* Who watches the page is told of each write, but of no more bytes than these:
 * code and the stack in one page are nothing unusual in a boot sector, and must
 * not spoil each other. */
static void tell_watcher(struct mmu *m, const struct step_page *page,
                         unsigned first, unsigned end)
{
    gpa_t gpa = GPA((uint64_t)page->gfn << PAGE_SHIFT | first * 4);

    mmu_watched(m, gpa, (end - first) * 4);
}

void mmu_stepped(struct mmu *m)
{
    struct mmu_step *s = &m->step;
    unsigned count = s->count;

    if (!count)
        return;
    s->count = 0;
    s->last_count = count;
    for (unsigned i = 0; i < count; i++) {
        s->last_linear[i] = s->page[i].linear;
        close_page(m, &s->page[i]);
    }
    for (unsigned i = 0; i < count; i++) {
        unsigned first, end;

        compare_page(m, &s->page[i], &first, &end);
        tell_watcher(m, &s->page[i], first, end);
    }
}
