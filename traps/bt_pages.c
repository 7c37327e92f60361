/* SPDX-License-Identifier: MIT */
/* traps/bt_pages.c - the guest pages that translations come from.
 *
 * They are watched: a write to one drops what was translated from it. And they
 * must stay where they are: when the guest changes its paging, each page is
 * looked at again as soon as the guest's own TLB would have to (at a CR3 write
 * all but global ones, at INVLPG that page).
 */
#include <stdlib.h>

#include "traps/bt_priv.h"

static uint32_t slot_of(uint32_t page)
{
    return (page * 0x9E3779B1u) >> 19; /* 13 bits: PAGE_SLOTS */
}

static uint32_t find(const struct bt *bt, uint32_t number)
{
    uint32_t i = slot_of(number);

    while (bt->by_page[i]) {
        if (bt->pages[bt->by_page[i] - 1].page == number)
            return bt->by_page[i] - 1;
        i = (i + 1) % PAGE_SLOTS;
    }
    return NONE;
}

static void link_gfn(struct bt *bt, uint32_t index)
{
    struct bt_page *p = &bt->pages[index];

    p->same_gfn = bt->by_gfn[p->gfn];
    bt->by_gfn[p->gfn] = index + 1;
}

static void unlink_gfn(struct bt *bt, uint32_t index)
{
    uint32_t *at = &bt->by_gfn[bt->pages[index].gfn];

    while (*at && *at != index + 1)
        at = &bt->pages[*at - 1].same_gfn;
    if (*at)
        *at = bt->pages[index].same_gfn;
}

static uint32_t add(struct bt *bt, uint32_t number)
{
    uint32_t i = slot_of(number);

    if (bt->page_count >= PAGE_SLOTS / 2)
        return NONE;
    if (bt->page_count == bt->page_room) {
        uint32_t room = bt->page_room ? 2 * bt->page_room : 256;
        struct bt_page *p = realloc(bt->pages, room * sizeof *p);

        if (!p)
            return NONE;
        bt->pages = p;
        bt->page_room = room;
    }
    bt->pages[bt->page_count] =
        (struct bt_page){.page = number, .gfn = NONE, .first_unit = NONE};
    while (bt->by_page[i])
        i = (i + 1) % PAGE_SLOTS;
    bt->by_page[i] = bt->page_count + 1;
    return bt->page_count++;
}

static void drop(struct monitor *mon, uint32_t index)
{
    struct bt *bt = bt_of(mon);
    struct bt_page *p = &bt->pages[index];
    uint32_t unit = p->first_unit;

    while (unit != NONE) {
        struct bt_unit *u = &bt->units[unit];
        unsigned which = u->page[0] == index ? 0 : 1;
        uint32_t next = u->next[which];

        bt_unit_kill(mon, unit);
        unit = next;
    }
    p->first_unit = NONE;
    if (p->watched) {
        mmu_unwatch(mon->mmu, GPA((uint64_t)p->gfn << PAGE_SHIFT));
        unlink_gfn(bt, index);
        p->watched = false;
    }
    p->gfn = NONE;
}

static void note_entries(struct bt_page *p, const struct paging_walk *walk)
{
    p->global = walk->global;
    p->level = walk->level;
    p->pde = walk->entry[LEVEL_PD];
    p->pte = walk->entry[LEVEL_PT];
    p->pte_gpa = GPA(walk->at[LEVEL_PT]);
}

/* The page is mapped to this frame now. */
static void place(struct monitor *mon, uint32_t index,
                  const struct paging_walk *walk)
{
    struct bt *bt = bt_of(mon);
    struct bt_page *p = &bt->pages[index];
    uint32_t gfn = walk_gfn(walk);

    if (p->watched && p->gfn != gfn)
        drop(mon, index);
    note_entries(p, walk);
    if (p->watched)
        return;
    p->gfn = gfn;
    p->watched = true;
    link_gfn(bt, index);
    mmu_watch(mon->mmu, GPA((uint64_t)gfn << PAGE_SHIFT));
}

static bool in_memory(struct monitor *mon, const struct paging_walk *walk)
{
    ma_t ma;

    return pmap_readable(
        pmap_hold(mon->config.pmap, walk_gpa(walk), false, &ma));
}

uint32_t bt_page_fetch(struct monitor *mon, uint32_t linear, bool real,
                       struct fault *f)
{
    struct bt *bt = bt_of(mon);
    uint32_t number = linear >> PAGE_SHIFT, index = find(bt, number);
    struct paging_walk walk;

    if (index != NONE && bt->pages[index].watched)
        return index;
    /* Only what the guest executes may set its accessed bits. */
    if (!real)
        return NONE;
    mmu_guest_walk(mon->mmu, linear, ACC_FETCH, true, &walk);
    if (!walk.allowed) {
        *f = (struct fault){VEC_PF, true, walk.error, linear};
        return NONE;
    }
    f->vector = VEC_UD; /* nothing there: all ones */
    if (!in_memory(mon, &walk))
        return NONE;
    if (index == NONE)
        index = add(bt, number);
    if (index != NONE)
        place(mon, index, &walk);
    return index;
}

uint8_t *bt_page_bytes(struct monitor *mon, uint32_t page)
{
    ma_t ma;
    gpa_t gpa = GPA((uint64_t)bt_of(mon)->pages[page].gfn << PAGE_SHIFT);

    pmap_hold(mon->config.pmap, gpa, false, &ma);
    return memory_at(machine_memory(mon->machine), ma);
}

void bt_page_add(struct bt *bt, uint32_t page, uint32_t unit, unsigned which)
{
    bt->units[unit].page[which] = page;
    bt->units[unit].next[which] = bt->pages[page].first_unit;
    bt->pages[page].first_unit = unit;
}

/* Only what was translated from these bytes; who is dead leaves the list. */
static void drop_overlapping(struct monitor *mon, uint32_t index,
                             uint32_t offset, uint32_t bytes)
{
    struct bt *bt = bt_of(mon);
    uint32_t first = (bt->pages[index].page << PAGE_SHIFT) + offset;
    uint32_t *link = &bt->pages[index].first_unit;

    while (*link != NONE) {
        uint32_t unit = *link;
        struct bt_unit *u = &bt->units[unit];
        unsigned which = u->page[0] == index ? 0 : 1;

        if (u->eip - first < bytes || first - u->eip < u->guest_bytes)
            bt_unit_kill(mon, unit);
        if (u->dead)
            *link = u->next[which];
        else
            link = &u->next[which];
    }
}

/* A page that is written once or twice has become data, or is being loaded: all
 * of it goes, and writes are free again. One that goes on being both stays
 * watched, and loses only what changed. */
enum { MIXED = 3 };

void bt_pages_written(struct monitor *mon, gpa_t gpa, uint32_t bytes)
{
    struct bt *bt = bt_of(mon);
    uint32_t gfn = (uint32_t)(gpa.v >> PAGE_SHIFT), next;

    for (uint32_t n = bt->by_gfn[gfn]; n; n = next) {
        struct bt_page *p = &bt->pages[n - 1];

        next = p->same_gfn;
        mon->trace->count.bt_rewrites++;
        if (++p->rewrites < MIXED)
            drop(mon, n - 1);
        else
            drop_overlapping(mon, n - 1, (uint32_t)gpa.v & PAGE_MASK, bytes);
    }
}

/* One of the guest's entries still says what it said; the processor and the
 * guest may have marked it. */
static bool unchanged(struct monitor *mon, gpa_t gpa, uint64_t was)
{
    const uint64_t meaning =
        ~(uint64_t)PAGE_MASK | PTE_P | PTE_U | PTE_G | PTE_PS | PTE_A;
    uint64_t now = 0;

    return pmap_read(mon->config.pmap, gpa, &now,
                     mon->v.cr4 & CR4_PAE ? sizeof now : sizeof(uint32_t)) &&
           ((now ^ was) & meaning) == 0;
}

/* Where the directory has the entry of a page. False: there is no directory. */
static bool find_pde(const struct monitor *mon, uint32_t page, gpa_t *pde)
{
    const struct cpu_state *v = &mon->v;
    uint64_t pdpte = v->pdpte[page >> 18];

    if (v->cr4 & CR4_PAE)
        *pde = GPA((pdpte & PAGING_ADDRESS) + (page >> 9 & 0x1FF) * 8);
    else
        *pde = GPA((v->cr3 & PTE_FRAME) + (page >> 10) * 4);
    return !(v->cr4 & CR4_PAE) || (pdpte & PTE_P);
}

/* Mapped by the same entries as before: needs no walk. */
static bool as_before(struct monitor *mon, const struct bt_page *p)
{
    gpa_t pde;

    return p->level && (mon->v.cr0 & CR0_PG) && find_pde(mon, p->page, &pde) &&
           unchanged(mon, pde, p->pde) &&
           (p->level == LEVEL_PD || unchanged(mon, p->pte_gpa, p->pte));
}

/* Where is the page now? Gone, elsewhere, or not accessed since its bit was
 * cleared: what was translated from it must be found again. */
static void look(struct monitor *mon, uint32_t index)
{
    struct bt_page *p = &bt_of(mon)->pages[index];
    struct paging_walk walk;

    if (!p->watched)
        return;
    mmu_guest_walk(mon->mmu, p->page << PAGE_SHIFT, ACC_FETCH, false, &walk);
    if (walk.allowed && walk_gfn(&walk) == p->gfn &&
        (!walk_paged(&walk) || (walk.entry[walk.level] & PTE_A))) {
        note_entries(p, &walk);
        return;
    }
    drop(mon, index);
}

void bt_pages_remapped(struct monitor *mon, int n, uint32_t linear)
{
    struct bt *bt = bt_of(mon);

    if (n < 0) {
        uint32_t index = find(bt, linear >> PAGE_SHIFT);

        if (index != NONE)
            look(mon, index);
        return;
    }
    for (uint32_t i = 0; i < bt->page_count; i++) {
        const struct bt_page *p = &bt->pages[i];

        if (n == 3 && p->watched &&
            ((p->global && (mon->v.cr4 & CR4_PGE)) || as_before(mon, p)))
            continue;
        look(mon, i);
    }
}

void bt_pages_forget(struct monitor *mon)
{
    struct bt *bt = bt_of(mon);

    for (uint32_t i = 0; i < bt->page_count; i++)
        if (bt->pages[i].watched) {
            mmu_unwatch(mon->mmu,
                        GPA((uint64_t)bt->pages[i].gfn << PAGE_SHIFT));
            unlink_gfn(bt, i);
        }
    bt->page_count = 0;
    memset(bt->by_page, 0, PAGE_SLOTS * sizeof *bt->by_page);
}

/* Nobody may enter it any more: its entry calls out. */
void bt_unit_kill(struct monitor *mon, uint32_t unit)
{
    struct bt *bt = bt_of(mon);
    uint8_t entry[5] = {0xCC};
    uint32_t n;

    if (bt->units[unit].dead)
        return;
    bt_unindex(mon, unit);
    n = bt_site_new(bt, CALLOUT_STALE, bt->units[unit].eip);
    bt->units[unit].dead = true;
    memcpy(entry + 1, &n, sizeof n);
    if (n != NONE)
        bt->sites[n].patch = bt->units[unit].cache;
    bt_cache_patch(mon, bt->units[unit].cache, entry, sizeof entry);
    if (bt->engine == ENGINE_CACHE && bt->at_unit == unit)
        bt_resume_lost(mon);
}

void bt_pages_unindex(struct bt *bt)
{
    memset(bt->by_page, 0, PAGE_SLOTS * sizeof *bt->by_page);
    for (uint32_t i = 0; i < bt->page_count; i++)
        if (bt->pages[i].gfn != NONE)
            bt->by_gfn[bt->pages[i].gfn] = 0;
}

void bt_pages_index(struct bt *bt)
{
    for (uint32_t i = 0; i < bt->page_count; i++) {
        uint32_t slot = slot_of(bt->pages[i].page);

        while (bt->by_page[slot])
            slot = (slot + 1) % PAGE_SLOTS;
        bt->by_page[slot] = i + 1;
        if (bt->pages[i].watched)
            link_gfn(bt, i);
    }
}
