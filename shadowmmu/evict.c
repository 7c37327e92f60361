/* SPDX-License-Identifier: MIT */
/* shadowmmu/evict.c - tables make room for others. See shadowmmu/evict.h. */
#include "shadowmmu/technique.h"

enum rank { DEAD, WRITTEN, IDLE, SHARED, IN_USE };
enum way { LEAST_RECENT, MOST_RECENT };

/* Averages are in sixteenths of a load. A new one counts for a sixteenth. */
enum { AWAY_UNIT = 16, AWAY_MOST = 64 };

void evict_init(struct mmu *m)
{
    for (unsigned i = 0; i < EVICT_WAYS; i++)
        m->evict.away[i] = AWAY_MOST * AWAY_UNIT; /* to be tried */
}

bool evict_valid(const struct evict *e)
{
    for (unsigned i = 0; i < EVICT_REMEMBERED; i++)
        if (e->evicted[i].way >= EVICT_WAYS)
            return false;
    return e->way < EVICT_WAYS;
}

/* ---- use -------------------------------------------------------------------
 */

/* Did the processor go to a table since the last question? An entry of a PAE
 * root has no such bit. */
static bool accessed(struct mmu *m, const struct table *table)
{
    bool any = false;

    for (uint32_t id = table->parents; id; id = m->t.next[id - 1]) {
        int upper = (int)((id - 1) / TABLE_ENTRIES);
        unsigned index = (id - 1) % TABLE_ENTRIES;
        uint64_t entry = table_entry(&m->t, upper, index);

        if (m->t.slot[upper].level == LEVEL_PDPT || !(entry & PTE_A))
            continue;
        table_write(&m->t, upper, index, entry & ~(uint64_t)PTE_A);
        any = true;
    }
    return any;
}

/* The processor sets a bit again when it reads the entry again, which it does
 * for the current address space after the flush that an eviction is. */
static void note_use(struct mmu *m)
{
    uint64_t now = ++m->t.clock;

    for (int i = 0; i < m->t.limit; i++)
        if (m->t.slot[i].kind != TABLE_FREE && accessed(m, &m->t.slot[i]))
            m->t.slot[i].stamp = now;
}

static bool shown(const struct tables *t, int root, int slot)
{
    if (slot == root)
        return true;
    for (uint32_t id = t->slot[slot].parents; id; id = t->next[id - 1])
        if (shown(t, root, (int)((id - 1) / TABLE_ENTRIES)))
            return true;
    return false;
}

static enum rank rank_of(const struct mmu *m, int slot)
{
    const struct table *table = &m->t.slot[slot];

    if (!table->parents && table->level == LEVEL_PT)
        return DEAD;
    if (shown(&m->t, m->root, slot))
        return IN_USE;
    if (table->flood)
        return WRITTEN;
    return table->parents && m->t.next[table->parents - 1] ? SHARED : IDLE;
}

/* ---- the choice ------------------------------------------------------------
 */

/* Among two of the same rank. */
static bool goes_before(const struct mmu *m, enum rank rank, int a, int b)
{
    bool older = m->t.slot[a].stamp < m->t.slot[b].stamp;

    return rank == IDLE && m->evict.way == MOST_RECENT ? !older : older;
}

static int choose(const struct mmu *m, enum rank *rank)
{
    int best = SLOT_NONE;

    for (int i = 0; i < m->t.limit; i++) {
        enum rank r;

        if (m->t.slot[i].kind == TABLE_FREE ||
            tables_in_root(&m->t, m->root, i))
            continue;
        r = rank_of(m, i);
        if (best != SLOT_NONE &&
            (r > *rank || (r == *rank && !goes_before(m, r, i, best))))
            continue;
        best = i;
        *rank = r;
    }
    return best;
}

/* The way whose evictions stayed away longer goes on. */
static void learn(struct evict *e, unsigned way, uint64_t loads)
{
    uint32_t away = loads < AWAY_MOST ? (uint32_t)loads : AWAY_MOST;

    e->away[way] = (e->away[way] * 15 + away * AWAY_UNIT) / 16;
    e->way = e->away[MOST_RECENT] > e->away[LEAST_RECENT] ? MOST_RECENT
                                                          : LEAST_RECENT;
}

static void remember(struct evict *e, const struct table *table)
{
    struct evicted *place = &e->evicted[e->next++ % EVICT_REMEMBERED];

    if (place->key.kind != TABLE_FREE) /* not made again */
        learn(e, place->way, AWAY_MOST);
    *place = (struct evicted){.key = {.kind = table->kind,
                                      .level = table->level,
                                      .gfn = table->gfn,
                                      .rights = table->rights},
                              .way = e->way,
                              .loads = e->loads};
}

void evict_made(struct mmu *m, const struct table_key *key)
{
    for (unsigned i = 0; i < EVICT_REMEMBERED; i++) {
        struct evicted *e = &m->evict.evicted[i];

        if (e->key.kind == TABLE_FREE || e->key.kind != key->kind ||
            e->key.level != key->level || e->key.gfn != key->gfn ||
            e->key.rights != key->rights)
            continue;
        e->key.kind = TABLE_FREE;
        m->c.trace->count.mmu_remade++;
        learn(&m->evict, e->way, m->evict.loads - e->loads);
    }
}

bool evict_one(struct mmu *m)
{
    static const char *const cause[] = {
        [DEAD] = "reclaimed: nothing points there",
        [WRITTEN] = "reclaimed: written, not used",
        [IDLE] = "reclaimed: idle",
        [SHARED] = "reclaimed: idle, shared",
        [IN_USE] = "reclaimed: in use",
    };
    enum rank rank = IN_USE;
    int victim;

    if (m->c.without & MMU_EVICTION) {
        victim = tables_oldest(&m->t, m->root);
    } else {
        note_use(m);
        victim = choose(m, &rank);
    }
    if (victim == SLOT_NONE)
        return false;
    m->c.trace->count.mmu_recycled++;
    m->c.trace->count.mmu_recycled_dead += rank <= WRITTEN;
    m->c.trace->count.mmu_recycled_idle += rank == IDLE || rank == SHARED;
    if (rank == IDLE)
        remember(&m->evict, &m->t.slot[victim]);
    mmu_table_drop(m, victim, cause[rank]);
    return true;
}
