/* SPDX-License-Identifier: MIT */
/* shadowmmu/technique.h - what the techniques share. For their authors only;
 * everybody else includes shadowmmu/mmu.h.
 *
 * The path of a fault: walk (walk.c) - classify (classify.c) - fill (fill.c)
 * or step (step.c). A technique answers in which table an entry belongs, and
 * says what a change of the guest's paging removes.
 */
#ifndef SHADOWMMU_TECHNIQUE_H
#define SHADOWMMU_TECHNIQUE_H

#include "shadowmmu/evict.h"
#include "shadowmmu/mmu.h"
#include "shadowmmu/tables.h"
#include "shadowmmu/unsync.h"
#include "shadowmmu/walk_cache.h"
#include "trace/emit.h"

/* Our marks in the bits of an entry that the processor ignores. */
#define MARK_WP0    0x200u /* writable because the guest's CR0.WP is 0 */
#define MARK_GLOBAL 0x400u /* the guest's TLB keeps it over CR3 writes */
#define MARK_LARGE  0x800u /* a piece of one of the guest's large pages */

/* In an entry that is not present, of which the processor uses no bit: a device
 * is there (mmio.c). The frame is the guest's, the rights are where they would
 * be. */
#define MARK_DEVICE 0x100u

static inline bool entry_is_device(uint64_t entry)
{
    return (entry & (PTE_P | MARK_DEVICE)) == MARK_DEVICE;
}

struct mmu_ops {
    /* The current root's leaf table for a translation that the guest allows;
     * made and linked if need be. SLOT_NONE: no memory. */
    int (*leaf)(struct mmu *m, uint32_t linear, const struct paging_walk *w);
    /* Make the first root, in the format that the pool of tables has now. */
    bool (*start)(struct mmu *m);
    /* PAE: which directory the root shows at one of its four entries. False:
     * none. NULL: this technique has no such roots. */
    bool (*directory)(struct mmu *m, unsigned index, struct table_key *key);
    void (*cr3_written)(struct mmu *m);
    void (*mode_changed)(struct mmu *m, uint32_t old_cr0, uint32_t old_cr4);
    void (*invlpg)(struct mmu *m, uint32_t linear);
    /* Words (of 4 bytes) first to last of a traced guest page, whole entries,
     * may have changed. NULL: this
     * technique derives nothing that outlives the guest's own flushes. */
    void (*table_written)(struct mmu *m, uint32_t gfn, unsigned first,
                          unsigned last);
    /* A traced page is about to be written at a linear address: give it up if
     * it is no table any more, as far as one can tell, or let it go out of
     * sync. */
    void (*traced_write)(struct mmu *m, uint32_t gfn, uint32_t linear);
    /* A page out of sync was brought into line: is it worth its tables? */
    void (*table_synced)(struct mmu *m, uint32_t gfn);
    /* NULL if an entry is as it must be, or what is wrong with it. */
    const char *(*audit)(struct mmu *m, int slot, unsigned index);

    /* A technique without tables of the pool leaves out what is above but
     * start and the guest's changes, and answers these instead; the others
     * leave these out. */
    void (*destroy)(struct mmu *m);
    /* Has the processor used a guest page since the last question; remove it;
     * take the right to write it. */
    bool (*used)(struct mmu *m, gpa_t page);
    /* Must it stay where it is? NULL: no. */
    bool (*busy)(struct mmu *m, gpa_t page);
    void (*drop_gpa)(struct mmu *m, gpa_t page);
    /* Let a guest page lead there until it is dropped (step.c). */
    bool (*open)(struct mmu *m, gpa_t page, ma_t ma);
    void (*protect)(struct mmu *m, gpa_t page);
    /* The walk, the PMap's answer and traced are there. */
    void (*inspect)(struct mmu *m, uint32_t linear, unsigned access,
                    struct mmu_view *view);
    /* One whose guest's tables are the processor's (direct) these, too. */
    void (*walk)(struct mmu *m, uint32_t linear, unsigned access,
                 struct paging_walk *w);
    void (*fault)(struct mmu *m, uint32_t linear, unsigned access,
                  uint32_t error, struct mmu_result *r);
    void (*show_overlay)(struct mmu *m); /* where m->overlay says */
    bool (*find_overlay)(struct mmu *m, uint32_t *linear);
    unsigned (*audit_all)(struct mmu *m, char *line, size_t bytes);
    size_t (*save)(const struct mmu *m, void *buffer, size_t bytes);
    bool (*restore)(struct mmu *m, const void *buffer, size_t bytes);
};

/* A page that is writable for one instruction, or leads to a device. */
struct step_page {
    uint32_t linear;
    uint32_t gfn;
    bool device;
    int slot;
    unsigned index;
    uint32_t before[PAGE_WORDS]; /* its contents */
};

enum { STEP_PAGES = 4 };

/* Where pages that lead to devices go: machine addresses that have no memory,
 * one page for each that may be open. */
#define STEP_WINDOW (0u - STEP_PAGES * PAGE_BYTES)

struct mmu_step {
    uint32_t wanted_linear; /* the access that mmu_open() is for */
    unsigned wanted_access;
    gpa_t wanted_gpa; /* for who has no tables of the pool */
    unsigned count;   /* pages that are open now */
    struct step_page page[STEP_PAGES];
    /* The step before. An instruction that writes two watched pages faults on
     * the second one after the first is closed again: then both are opened. */
    uint32_t last_eip;
    unsigned last_count;
    uint32_t last_linear[STEP_PAGES];
};

/* The VMM's own piece of linear space. In PAE it needs two page tables. */
struct mmu_overlay {
    bool created, placed;
    bool wanted; /* the guest reaches for what its tables have there */
    uint32_t linear;
    ma_t table[2];
    /* The guest's own page tables of the place, which map no memory so far and
     * are watched; 0: there is none. */
    uint32_t guest_table[2]; /* frames */
};

struct mmu {
    const struct mmu_technique *technique;
    const struct mmu_ops *ops;
    struct mmu_config c;
    void *own; /* the technique's */
    struct tables t;
    int root;
    uint32_t eip; /* of the instruction that the latest fault concerned */
    uint32_t dropped_gfn, dropped_eip; /* the last page that was written like
                                          data, and the instruction */
    bool quiet;         /* walk without side effects (screens, audits) */
    bool starved;       /* the PMap found no frame during a walk */
    bool planted_bug;   /* for tests of the audit: what the guest writes to its
                           tables is lost */
    struct paging seen; /* what the guest's tables mean while it pages */
    bool nx;            /* the processor obeys NX in ours */
    struct mmu_overlay overlay;
    uint16_t *watches; /* by guest frame */
    struct mmu_step step;
    struct walk_cache walks;
    struct unsync unsync;
    struct evict evict;
};

/* mmu.c */
struct mmu *mmu_create(const struct mmu_technique *technique,
                       const struct mmu_ops *ops,
                       const struct mmu_config *config);

static inline struct event_site mmu_site(const struct mmu *m)
{
    return (struct event_site){m->eip, m->c.vcpu->cpl};
}

static inline bool mmu_paging(const struct mmu *m)
{
    return (m->c.vcpu->cr0 & CR0_PG) != 0;
}

/* The format that the VMM's tables are to have. */
static inline const struct paging_format *mmu_format(const struct mmu *m)
{
    return mmu_paging(m) ? m->seen.format : &paging_32bit;
}

static inline unsigned mmu_leaf_index(const struct mmu *m, uint32_t linear)
{
    return paging_index(m->t.format, LEVEL_PT, linear);
}

/* The entry of that number, if it is the guest's in a table of ours. */
static inline gpa_t mmu_guest_entry(const struct mmu *m,
                                    const struct table *table, unsigned index)
{
    return GPA(((uint64_t)table->gfn << PAGE_SHIFT) +
               index * m->t.format->entry_bytes);
}

/* Tell the processor that the VMM wrote guest memory. */
static inline void mmu_wrote(const struct mmu *m, ma_t ma, uint64_t bytes)
{
    if (m->c.hardware.memory_written)
        m->c.hardware.memory_written(m->c.hardware.ctx, ma, bytes);
}

/* Must writes to this guest frame reach the VMM? */
static inline bool mmu_guarded(const struct mmu *m, uint32_t gfn)
{
    struct unsync *u = (struct unsync *)(uintptr_t)&m->unsync;

    return m->watches[gfn] != 0 ||
           (tables_traced(&m->t, gfn) && !unsync_find(u, gfn));
}

/* overlay.c: a watched page was written. */
void overlay_watched(struct mmu *m, uint32_t gfn);

/* Tell who watches a page that bytes within it were written. */
static inline void mmu_watched(struct mmu *m, gpa_t gpa, uint32_t bytes)
{
    if (!m->watches[gpa.v >> PAGE_SHIFT])
        return;
    overlay_watched(m, (uint32_t)(gpa.v >> PAGE_SHIFT));
    if (m->c.watched)
        m->c.watched(m->c.ctx, gpa, bytes);
}

/* Bring what is derived from words of a guest page into line with them. */
static inline void mmu_table_written(struct mmu *m, uint32_t gfn,
                                     unsigned first, unsigned last)
{
    unsigned rest = m->t.format->entry_bytes / 4 - 1; /* of an entry's words */

    if (m->planted_bug)
        return;
    first &= ~rest;
    last |= rest;
    unsync_seen(m, gfn, first, last);
    m->ops->table_written(m, gfn, first, last);
}

/* walk.c. Read only: neither accessed nor dirty bits change. */
void walk_tables(struct mmu *m, uint32_t linear, unsigned access,
                 struct paging_walk *w);
/* An address of the guest's memory by itself: every right, for the guest's
 * tables are not asked. */
void walk_flat(gpa_t gpa, struct paging_walk *w);
/* Do the rights of a walk that has a translation allow an access? */
bool walk_allows(const struct mmu *m, unsigned access,
                 const struct paging_walk *w);
/* Set the bits that the processor sets for an allowed access. */
void walk_commit(struct mmu *m, unsigned access, struct paging_walk *w);
/* An entry of the guest's tables (of 4 or 8 bytes) as the processor's walk
 * would read it. */
uint64_t walk_read(struct mmu *m, gpa_t gpa, unsigned bytes);
/* What the virtual processor's registers say about translation. */
void mmu_translation(const struct mmu *m, struct paging *p);
/* Take over into seen what they say now. */
void mmu_see(struct mmu *m);
/* The guest page that the walk's last table is, if it was a page table. */
static inline bool walk_page_table(const struct paging_walk *w, uint32_t *gfn)
{
    *gfn = (uint32_t)(w->entry[LEVEL_PD] >> PAGE_SHIFT);
    return w->level == LEVEL_PT;
}

/* classify.c. entry: the VMM's entry before. */
/* The processor's check of one of our entries. Real CR0.WP is always 1. */
static inline bool entry_allows(uint64_t entry, unsigned access)
{
    if (!(entry & PTE_P))
        return false;
    if ((access & ACC_USER) && !(entry & PTE_U))
        return false;
    if ((access & ACC_FETCH) && (entry & PTE_NX))
        return false;
    return !(access & ACC_WRITE) || (entry & PTE_W);
}

enum fault_class mmu_classify(const struct mmu *m, unsigned access,
                              const struct paging_walk *before,
                              enum pmap_kind kind, uint64_t entry);

/* fill.c */
struct fill {
    int slot;
    unsigned index;
    uint64_t entry;
};
/* Install what the walk allows for the access. open: writable although
 * guarded. False: no memory for a table. */
bool mmu_fill(struct mmu *m, uint32_t linear, unsigned access,
              const struct paging_walk *w, enum pmap_kind kind, ma_t ma,
              bool open, struct fill *fill);
/* The same without counting it as one, for an entry that does not let the
 * processor through. */
bool mmu_fill_silent(struct mmu *m, uint32_t linear, unsigned access,
                     const struct paging_walk *w, enum pmap_kind kind, ma_t ma,
                     bool open, struct fill *fill);
/* Put what the walk allows into an entry, and flush what that takes away.
 * Returns the entry. */
uint64_t mmu_entry_put(struct mmu *m, int slot, unsigned index, unsigned access,
                       const struct paging_walk *w, enum pmap_kind kind,
                       ma_t ma, bool open);
/* A new table; others but the root may have to go. */
int mmu_table_new(struct mmu *m, const struct table_key *key);
/* The table that has these properties, new if there is none. */
int mmu_table_get(struct mmu *m, const struct table_key *key);
/* Not for one that is in the current root. */
void mmu_table_drop(struct mmu *m, int slot, const char *cause);
void mmu_report_table(struct mmu *m, const struct table *table,
                      const char *cause);
/* Remove an entry, or rights from it, and what the TLB knows of it. */
void mmu_entry_clear(struct mmu *m, int slot, unsigned index);
void mmu_entry_restrict(struct mmu *m, int slot, unsigned index,
                        uint64_t entry);
/* Point an upper entry to a table. */
void mmu_link(struct mmu *m, int slot, unsigned index, int child);
/* Forget in the TLB all that it has, of whatever root. */
void mmu_flush(struct mmu *m);
/* Forget in the TLB what it may have read from a leaf entry. */
void mmu_entry_flush(struct mmu *m, int slot, unsigned index);
/* Take write permission from every mapping of a guest frame. */
void mmu_protect(struct mmu *m, uint32_t gfn);
void mmu_set_root(struct mmu *m, int slot);
/* Have the processor load the root again: it has a PAE root's entries in
 * registers. */
void mmu_load_root(struct mmu *m);
/* Let the entries of a PAE root be what the technique says; directories that do
 * not exist yet are left to a fault, but for the overlay's. False: no memory
 * for that one. */
bool mmu_link_directories(struct mmu *m, int root);
/* Have tables in the format of the guest's mode. True: that took new ones, from
 * the root on, and nothing is left to do. */
bool mmu_follow_format(struct mmu *m);
/* Drop all tables and start again in a format. */
void mmu_restart(struct mmu *m, const struct paging_format *format,
                 const char *cause);

/* overlay.c */
/* The guest maps something where the VMM sits: ask the owner to move. */
void overlay_check(struct mmu *m);
/* The same, if one of these words of a guest page says so. */
void overlay_table_written(struct mmu *m, uint32_t gfn, unsigned first,
                           unsigned last);
/* Does this table show it, and what has the processor to find in an entry of
 * its (0: nothing of the VMM's)? */
uint64_t overlay_entry(const struct mmu *m, const struct table *table,
                       unsigned index);
/* Write its entries into a new directory. */
void overlay_show(struct mmu *m, int slot);
/* The format is going to be another. */
void overlay_convert(struct mmu *m, const struct paging_format *format);
static inline bool overlay_has(const struct mmu *m, uint32_t linear)
{
    return m->overlay.placed && linear - m->overlay.linear < MMU_OVERLAY_BYTES;
}

/* large.c */
/* May a direct table be large; from which machine address on? */
bool large_fits(const struct mmu *m, const struct table *table, ma_t *first);
/* A direct table was made: let it be large if that fits. */
void large_begin(struct mmu *m, int slot);
/* A guest frame is not like its neighbours any more. True: it was. */
bool large_split(struct mmu *m, uint32_t gfn);
/* The entry that maps an address whose leaf table is large. */
void large_find(struct mmu *m, uint32_t linear, struct fill *fill);

/* prefetch.c */
/* Fill what is near an entry that was filled for a hidden fault. */
void mmu_prefetch(struct mmu *m, uint32_t linear, const struct paging_walk *w,
                  const struct fill *fill);
/* W, U and NX of the directory entry that a page table was derived under. */
uint64_t table_rights(const struct table *table);
/* Fill an empty entry from the guest's at that address, if its accessed bit is
 * set; rights: those of the directory entry above. */
bool mmu_prefetch_entry(struct mmu *m, int slot, unsigned index, gpa_t at,
                        uint64_t rights);

/* mmio.c */
/* An access that the guest's tables allow leads to no memory: remember that.
 * After walk_commit(). */
void mmio_remember(struct mmu *m, uint32_t linear, unsigned access,
                   const struct paging_walk *w);
/* Is it remembered that the guest's tables allow this access, and that it leads
 * to a device? Then fill says where that is remembered, and *gpa where. */
bool mmio_find(struct mmu *m, uint32_t linear, unsigned access, gpa_t *gpa,
               struct fill *fill);

/* reclaim.c */
/* Hear of the PMap's changes from now on. */
void reclaim_start(struct mmu *m);

/* classify.c */
/* Count a fault and emit EV_FAULT. */
void mmu_report_fault(struct mmu *m, uint32_t linear, uint32_t error,
                      const struct mmu_result *r);
/* EV_FILL for an entry that no fault asked for. */
void mmu_report_fill(struct mmu *m, uint32_t linear, int slot, unsigned index);

/* step.c */
bool step_open(struct mmu *m, uint32_t linear, unsigned access,
               const struct paging_walk *w, ma_t ma, struct fill *fill);
/* After a write to words of a guest frame: tables and watchers. */
void step_written(struct mmu *m, uint32_t gfn, unsigned first, unsigned last);

#endif
