/* SPDX-License-Identifier: MIT */
/* tests/vmm/late_flush.h - what a guest may see that flushes late: a model of
 * every processor that the manual allows.
 *
 * What comes of an access must follow from entries that were there since the
 * page was last flushed: an entry that is absent or has a reserved bit set is
 * not remembered, so that its fault must be of now; all else may be.
 *
 * Reference: SDM 3A, "Caching Translation Information", "Recommended
 * Invalidation", "Optional Invalidation".
 */
#ifndef TESTS_VMM_LATE_FLUSH_H
#define TESTS_VMM_LATE_FLUSH_H

#include <criterion/criterion.h>
#include <string.h>

#include "cpu/x86.h"
#include "tests/support/probe.h"

enum {
    PAGES = 16, /* used, from where the window's directory entry begins */
    FRAMES = 64,
    HISTORY = 64,
    OPS = 12000,
    WINDOW = PROBE_WINDOW_PDE << 22,
    SECOND_TABLE = PROBE_TABLES + 6 * 0x1000, /* nothing uses it */
    PER_PAGE = 0x1000 / PROBE_ENTRY_BYTES,
    RWU = PTE_P | PTE_W | PTE_U,
    RESERVED_LARGE = 0x1FE000, /* of 2 MiB */
};

/* The first three are accesses. */
enum action { READ, WRITE, FETCH, STORE, FLUSH_PAGE, LOAD_CR3, SET_CR4 };

struct op {
    enum action action;
    uint32_t page; /* of an access, a flush, a page table's entry */
    bool user;
    uint8_t table; /* of a store: 0: the directory, 1, 2 */
    bool upper;    /* the upper half of an entry of 8 bytes */
    uint32_t value;
    bool pge;
};

static inline uint32_t frame_at(uint32_t frame)
{
    return PROBE_CODE + frame * 0x1000;
}

/* ---- what may come of it ----------------------------------------------------
 */

struct history {
    uint64_t entry[HISTORY]; /* 0: the one of now */
    unsigned count;
};

struct model {
    bool pae, pge;
    struct history pde[PAGES]; /* the same entry, as each page may know it */
    struct history pte[2][PAGES];
    uint64_t written[OPS]; /* the frames where each WRITE may have gone */
    unsigned older;        /* accesses that saw what was not so any more */
};

static inline void change(struct history *h, uint64_t entry)
{
    cr_assert(h->count < HISTORY, "a longer history is wanted");
    memmove(h->entry + 1, h->entry, h->count++ * sizeof *h->entry);
    h->entry[0] = entry;
}

static inline uint64_t stored(uint64_t entry, const struct op *o)
{
    return o->upper ? (uint32_t)entry | (uint64_t)o->value << 32
                    : (entry & 0xFFFFFFFF00000000) | o->value;
}

static inline void model_store(struct model *m, const struct op *o)
{
    struct history *h = o->table ? &m->pte[o->table - 1][o->page] : m->pde;
    uint64_t entry = stored(h->entry[0], o);

    for (unsigned page = 0; page < (o->table ? 1 : PAGES); page++)
        change(&h[page], entry);
}

static inline void forget(struct model *m, unsigned page)
{
    m->pde[page].count = 1;
    m->pte[0][page].count = m->pte[1][page].count = 1;
}

static inline bool ever_global(const struct history *h)
{
    bool any = false;

    for (unsigned i = 0; i < h->count; i++)
        any |= (h->entry[i] & PTE_G) != 0;
    return any;
}

static inline void model_load_cr3(struct model *m)
{
    for (unsigned page = 0; page < PAGES; page++)
        if (!m->pge ||
            (!ever_global(&m->pde[page]) && !ever_global(&m->pte[0][page]) &&
             !ever_global(&m->pte[1][page])))
            forget(m, page);
}

/* A change of CR4.PGE flushes everything. */
static inline void model_set_cr4(struct model *m, bool pge)
{
    for (unsigned page = 0; page < PAGES && m->pge != pge; page++)
        forget(m, page);
    m->pge = pge;
}

enum verdict { DONE, PROTECTED, ABSENT, RESERVED };

static inline enum verdict entry_verdict(const struct model *m, uint64_t entry,
                                         bool large)
{
    if (!(entry & PTE_P))
        return ABSENT;
    return m->pae && ((entry & ~(uint64_t)PTE_NX) >> 32 ||
                      (large && (entry & RESERVED_LARGE)))
               ? RESERVED
               : DONE;
}

static inline enum verdict rights_verdict(const struct op *o,
                                          enum action action, uint64_t any,
                                          uint64_t all)
{
    if ((o->user && !(all & PTE_U)) || (action == WRITE && !(all & PTE_W)) ||
        (action == FETCH && (any & PTE_NX)))
        return PROTECTED;
    return DONE;
}

/* Of an access by the d-th entry of the directory and the p-th of its table,
 * and the number of the frame. What is absent or has a reserved bit set is only
 * found by looking, now; false: not by these. */
static inline bool walk(const struct model *m, const struct op *o,
                        enum action action, unsigned d, unsigned p,
                        enum verdict *verdict, unsigned *frame)
{
    uint64_t pde = m->pde[o->page].entry[d], pte = pde;
    bool large = (pde & PTE_PS) != 0;
    const struct history *table =
        &m->pte[(pde & PTE_FRAME) == SECOND_TABLE][o->page];

    *verdict = entry_verdict(m, pde, large);
    if (*verdict != DONE)
        return d == 0 && p == 0;
    *frame = o->page;
    if (!large) {
        if (p >= table->count)
            return false;
        pte = table->entry[p];
        *verdict = entry_verdict(m, pte, false);
        *frame = (uint32_t)((pte & PTE_FRAME) - PROBE_CODE) >> PAGE_SHIFT;
        if (*verdict != DONE)
            return p == 0;
    }
    *verdict = rights_verdict(o, action, pde | pte, pde & pte);
    return !large || p == 0;
}

/* What may come of an access. */
struct possible {
    uint64_t frames;
    bool fault[RESERVED + 1]; /* by verdict */
};

static inline struct possible possible(const struct model *m,
                                       const struct op *o, enum action action,
                                       bool now)
{
    struct possible all = {0};
    enum verdict verdict;
    unsigned frame;

    for (unsigned d = 0; d < (now ? 1 : m->pde[o->page].count); d++)
        for (unsigned p = 0; p < (now ? 1 : HISTORY); p++) {
            if (!walk(m, o, action, d, p, &verdict, &frame))
                continue;
            if (verdict == DONE)
                all.frames |= UINT64_C(1) << frame;
            else
                all.fault[verdict] = true;
        }
    return all;
}

static inline uint32_t error_of(const struct model *m, const struct op *o,
                                enum verdict verdict)
{
    return (verdict == ABSENT ? 0 : PF_PRESENT) |
           (verdict == RESERVED ? PF_RSVD : 0) | (o->user ? PF_USER : 0) |
           (o->action == WRITE ? PF_WRITE : 0) |
           (o->action == FETCH && m->pae ? PF_FETCH : 0);
}

static inline bool fault_agrees(const struct model *m, const struct op *o,
                                const struct probe_result *r,
                                const struct possible *all)
{
    static const uint32_t offset[] = {[READ] = 1, [WRITE] = 3, [FETCH] = 0};
    bool any = false;

    for (unsigned v = PROTECTED; v <= RESERVED; v++)
        any |= all->fault[v] && r->error == error_of(m, o, (enum verdict)v);
    return any && r->cr2 == WINDOW + o->page * 0x1000 + offset[o->action];
}

static inline bool has(uint64_t frames, uint32_t frame)
{
    return frame < FRAMES && (frames >> frame & 1);
}

/* What the access read, after it wrote if it did. */
static inline bool reading_agrees(const struct model *m, const struct op *o,
                                  const struct probe_result *r)
{
    uint32_t frame = r->gpr[7] & 0xFF, writer = r->gpr[7] >> 16;

    return has(possible(m, o, READ, false).frames, frame) &&
           (!writer || (writer < OPS && has(m->written[writer], frame)));
}

static inline bool model_access(struct model *m, const struct op *o,
                                const struct probe_result *r, unsigned number)
{
    struct possible all = possible(m, o, o->action, false);

    if (r->vector == VEC_PF)
        return fault_agrees(m, o, r, &all);
    if (o->action == WRITE)
        m->written[number] = all.frames;
    m->older += !has(possible(m, o, READ, true).frames, r->gpr[7] & 0xFF);
    return r->vector == PROBE_DONE && all.frames &&
           (o->action == FETCH ? has(all.frames, r->gpr[7])
                               : reading_agrees(m, o, r));
}

static inline bool model_op(struct model *m, const struct op *o,
                            const struct probe_result *r, unsigned number)
{
    if (o->action <= FETCH)
        return model_access(m, o, r, number);
    switch (o->action) {
    case STORE: model_store(m, o); break;
    case FLUSH_PAGE: forget(m, o->page); break;
    case LOAD_CR3: model_load_cr3(m); break;
    default: model_set_cr4(m, o->pge); break;
    }
    return r->vector == PROBE_DONE;
}

/* The probe's own entries; nothing is mapped there. */
static inline void model_open(struct model *m, bool pae)
{
    memset(m, 0, sizeof *m);
    m->pae = pae;

    for (unsigned page = 0; page < PAGES; page++) {
        change(&m->pde[page],
               (pae ? PROBE_PAE_WINDOW_TABLE : PROBE_WINDOW_TABLE) | RWU);
        change(&m->pte[0][page], 0);
        change(&m->pte[1][page], 0);
    }
}

#endif
