/* SPDX-License-Identifier: MIT */
/* shadowmmu/unsync.c - page tables out of sync. See shadowmmu/unsync.h. */
#include "shadowmmu/technique.h"

enum {
    CHUNK = 16,      /* words that are compared at once */
    CALM_FLUSHES = 8 /* without a change: the page is traced again */
};

/* The page's words now; NULL: no RAM is there any more. */
static const uint8_t *words_of(const struct mmu *m, uint32_t gfn)
{
    ma_t ma;

    if (pmap_lookup(m->c.pmap, GPA((uint64_t)gfn << PAGE_SHIFT), &ma) !=
        PMAP_RAM)
        return NULL;
    return memory_at(m->c.memory, ma);
}

static bool leaf_only(const struct mmu *m, uint32_t gfn)
{
    for (uint32_t at = m->t.derived[gfn]; at; at = m->t.slot[at - 1].next)
        if (m->t.slot[at - 1].level != LEVEL_PT)
            return false;
    return tables_traced(&m->t, gfn);
}

bool unsync_begin(struct mmu *m, uint32_t gfn)
{
    struct unsync *u = &m->unsync;
    const uint8_t *words = words_of(m, gfn);
    struct unsync_page *page;

    if ((m->c.without & MMU_UNSYNC) || m->watches[gfn] || !words ||
        !leaf_only(m, gfn))
        return false;
    if (u->count == UNSYNC_PAGES)
        unsync_end(m, u->page[u->next++ % UNSYNC_PAGES].gfn);
    page = &u->page[u->count++];
    page->gfn = gfn;
    page->calm = 0;
    memcpy(page->before, words, PAGE_BYTES);
    m->c.trace->count.mmu_unsync++;
    mmu_report_table(m, &m->t.slot[m->t.derived[gfn] - 1], "out of sync");
    return true;
}

/* Order does not matter but for being the same on every run. */
static void take_out(struct unsync *u, struct unsync_page *page)
{
    const struct unsync_page *last = &u->page[--u->count];

    if (page != last)
        *page = *last;
}

void unsync_forget(struct mmu *m, uint32_t gfn)
{
    struct unsync_page *page = unsync_find(&m->unsync, gfn);

    if (page)
        take_out(&m->unsync, page);
}

void unsync_seen(struct mmu *m, uint32_t gfn, unsigned first, unsigned last)
{
    struct unsync_page *page = unsync_find(&m->unsync, gfn);
    const uint8_t *words = page ? words_of(m, gfn) : NULL;

    if (words)
        memcpy(&page->before[first], words + first * 4, (last - first + 1) * 4);
}

void unsync_marked(struct mmu *m, gpa_t gpa, uint32_t bits)
{
    struct unsync_page *page =
        unsync_find(&m->unsync, (uint32_t)(gpa.v >> PAGE_SHIFT));

    if (page)
        page->before[(gpa.v & PAGE_MASK) / 4] |= bits;
}

void unsync_entry(struct mmu *m, uint32_t gfn, unsigned index)
{
    const struct unsync_page *page = unsync_find(&m->unsync, gfn);
    const uint8_t *words = page ? words_of(m, gfn) : NULL;
    unsigned bytes = m->t.format->entry_bytes, word = index * bytes / 4;

    if (words && memcmp(words + word * 4, &page->before[word], bytes) != 0)
        mmu_table_written(m, gfn, word, word + bytes / 4 - 1);
}

/* Returns whether a word had changed. */
static bool sync_page(struct mmu *m, const struct unsync_page *page)
{
    uint32_t gfn = page->gfn;
    const uint8_t *words = words_of(m, gfn);
    bool changed = false;

    if (!words) {
        mmu_table_written(m, gfn, 0, PAGE_WORDS - 1);
        return true;
    }
    for (unsigned at = 0; at < PAGE_WORDS; at += CHUNK) {
        if (memcmp(words + at * 4, &page->before[at], CHUNK * 4) == 0)
            continue;
        for (unsigned i = at; i < at + CHUNK; i++)
            if (memcmp(words + i * 4, &page->before[i], 4) != 0)
                mmu_table_written(m, gfn, i, i);
        changed = true;
    }
    return changed;
}

void unsync_table(struct mmu *m, uint32_t gfn)
{
    const struct unsync_page *page = unsync_find(&m->unsync, gfn);

    if (page)
        sync_page(m, page);
}

void unsync_end(struct mmu *m, uint32_t gfn)
{
    struct unsync_page *page = unsync_find(&m->unsync, gfn);

    if (!page)
        return;
    sync_page(m, page);
    page = unsync_find(&m->unsync, gfn);
    if (!page)
        return; /* its tables had to go */
    take_out(&m->unsync, page);
    mmu_report_table(m, &m->t.slot[m->t.derived[gfn] - 1], "in sync");
    mmu_protect(m, gfn);
}

/* Backwards: what is taken out is replaced by the last, which was looked at
 * already. */
void unsync_all(struct mmu *m)
{
    for (unsigned i = m->unsync.count; i-- > 0;) {
        struct unsync_page *page = &m->unsync.page[i];

        if (i >= m->unsync.count)
            continue; /* tables had to go meanwhile */
        page->calm = sync_page(m, page) ? 0 : page->calm + 1;
        if (page->calm >= CALM_FLUSHES)
            unsync_end(m, page->gfn);
        else if (page->calm == 0)
            m->ops->table_synced(m, page->gfn);
    }
}
