/* SPDX-License-Identifier: MIT */
/* shadowmmu/step.c - a traced write: let one instruction through, look after.
 *
 * Where the write is not emulated (that would need every instruction that can
 * write memory), the page is made writable, the guest runs that one
 * instruction, and the page's words are compared with what they were.
 *
 * An access to a device is let through likewise: for one instruction the page
 * leads to where the machine has no memory, so that the processor's accesses,
 * whatever their number and sizes, go out on the bus.
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
    page->device = false;
    words = page_words(m, page->gfn);
    if (!words || !mmu_fill(m, linear, access, w, PMAP_RAM, ma, true, fill))
        return false;
    memcpy(page->before, words, PAGE_BYTES);
    page->slot = fill->slot;
    page->index = fill->index;
    m->step.count++;
    return true;
}

static ma_t window_of(unsigned page)
{
    return MA(STEP_WINDOW + page * PAGE_BYTES);
}

static bool open_device(struct mmu *m, uint32_t linear, unsigned access,
                        const struct paging_walk *w)
{
    struct step_page *page = &m->step.page[m->step.count];
    ma_t window = window_of(m->step.count);
    struct fill fill = {.slot = SLOT_NONE};

    if (m->ops->open
            ? !m->ops->open(m, walk_gpa(w), window)
            : !mmu_fill(m, linear, access, w, PMAP_RAM, window, true, &fill))
        return false;
    page->linear = linear & PTE_FRAME;
    page->gfn = walk_gfn(w);
    page->device = true;
    page->slot = fill.slot;
    page->index = fill.index;
    m->step.count++;
    return true;
}

gpa_t mmu_opened(const struct mmu *m, ma_t ma, uint32_t *linear)
{
    unsigned i = (unsigned)((ma.v - STEP_WINDOW) >> PAGE_SHIFT) % STEP_PAGES;
    const struct step_page *page = &m->step.page[i];
    unsigned offset = ma.v & PAGE_MASK;

    *linear = page->linear | offset;
    return GPA((uint64_t)page->gfn << PAGE_SHIFT | offset);
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

/* Another instruction's pages are closed. */
static void begin_step(struct mmu *m)
{
    if (m->step.count &&
        (m->step.last_eip != m->eip || m->step.count == STEP_PAGES))
        mmu_stepped(m);
    if (m->step.last_eip != m->eip)
        m->step.last_count = 0;
    m->step.last_eip = m->eip;
}

bool step_open(struct mmu *m, uint32_t linear, unsigned access,
               const struct paging_walk *w, ma_t ma, struct fill *fill)
{
    begin_step(m);
    open_last(m, linear, access);
    return open_page(m, linear, access, w, ma, fill);
}

bool mmu_open(struct mmu *m)
{
    uint32_t linear = m->step.wanted_linear;
    unsigned access = m->step.wanted_access;
    struct paging_walk w;
    struct fill fill;
    ma_t ma;

    if (m->ops->open)
        walk_flat(m->step.wanted_gpa, &w);
    else
        walk_tables(m, linear, access, &w);
    if (!w.allowed)
        return true; /* the next fault says why */
    switch (pmap_lookup(m->c.pmap, walk_gpa(&w), &ma)) {
    case PMAP_RAM: return step_open(m, linear, access, &w, ma, &fill);
    case PMAP_NONE:
    case PMAP_ROM: begin_step(m); return open_device(m, linear, access, &w);
    default: return true; /* likewise */
    }
}

/* A leaf entry that was opened, and may be another one by now; 0: none. */
static uint64_t opened_entry(const struct mmu *m, const struct step_page *page)
{
    const struct table *table = &m->t.slot[page->slot];

    if (table->kind == TABLE_FREE || table_is_upper(table) ||
        !table_has(table, page->index))
        return 0;
    return table_entry(&m->t, page->slot, page->index);
}

/* Whatever the entry is, it must not be a writable mapping of a guarded
 * page. */
static void close_page(struct mmu *m, const struct step_page *page)
{
    uint32_t id = (uint32_t)page->slot * TABLE_ENTRIES + page->index;
    uint64_t entry = opened_entry(m, page);

    if ((entry & PTE_W) && mmu_guarded(m, m->t.target[id]))
        mmu_entry_restrict(m, page->slot, page->index,
                           entry & ~(uint64_t)PTE_W);
}

/* It leads to this window no more. */
static void close_device(struct mmu *m, const struct step_page *page,
                         ma_t window)
{
    if (m->ops->open)
        m->ops->drop_gpa(m, GPA((uint64_t)page->gfn << PAGE_SHIFT));
    else if ((opened_entry(m, page) & (PTE_FRAME | PTE_P)) ==
             (window.v | PTE_P))
        mmu_entry_clear(m, page->slot, page->index);
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
    s->count = s->last_count = 0;
    for (unsigned i = 0; i < count; i++) {
        if (s->page[i].device) {
            close_device(m, &s->page[i], window_of(i));
            continue;
        }
        s->last_linear[s->last_count++] = s->page[i].linear;
        close_page(m, &s->page[i]);
    }
    for (unsigned i = 0; i < count; i++) {
        unsigned first, end;

        if (s->page[i].device)
            continue;
        compare_page(m, &s->page[i], &first, &end);
        tell_watcher(m, &s->page[i], first, end);
    }
}
