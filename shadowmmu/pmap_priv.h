/* SPDX-License-Identifier: MIT */
/* shadowmmu/pmap_priv.h - inside the PMap (shadowmmu/pmap*.c, commons*.c only).
 *
 * One word for each of the 2^20 guest frames. Bits 2:0 are the kind; bits
 * 31:12 the machine frame, or, where the frame is paged out, the slot of the
 * swap (0: it is full of zeros, and nowhere).
 */
#ifndef SHADOWMMU_PMAP_PRIV_H
#define SHADOWMMU_PMAP_PRIV_H

#include "shadowmmu/pmap.h"
#include "shadowmmu/swap.h"
#include "trace/trace.h"

#include "cpu/x86.h"

enum {
    GUEST_FRAMES = 1 << 20,
    KIND_MASK = 7,
    ENTRY_USED = 8,     /* held since the clock's hand was here */
    ENTRY_BALLOON = 16, /* paged out: the guest gave it away */
    ENTRY_PINNED = 32,  /* it stays where it is */
};

/* The search for equal frames (commons_share.c). */
enum { SCAN_BUCKETS = 1 << 16 };
struct scan_bucket {
    uint32_t gfn;
    uint16_t vm;
    uint16_t known; /* 0: nobody has */
};
struct scanner {
    bool on;
    unsigned vm;                /* whose turn it is, */
    uint32_t next;              /* and where */
    struct scan_bucket *bucket; /* by hash: who had it last */
};

struct commons {
    const struct memory *memory;
    struct frames *frames;
    uint64_t machine_frames;
    struct pmap *vm[COMMONS_VMS]; /* by number; NULL: none */
    struct swap *swap;
    uint64_t reserve; /* free frames that no guest gets */
    uint64_t hand;    /* the clock's: a machine frame */
    struct scanner scan;
};

struct pmap {
    struct commons *commons;
    const struct memory *memory; /* the commons' */
    struct frames *frames;       /* likewise */
    unsigned number;             /* this VM, there */
    unsigned owner;              /* and for the allocator */
    uint32_t *entry;             /* by guest frame */
    uint32_t *inverse; /* by machine frame: guest frame + 1, 0: none */
    uint32_t *sharer;  /* by guest frame: another + 1 with the same frame */
    uint32_t *hash;    /* by guest frame: of its contents when last seen */
    uint64_t machine_frames;
    uint32_t top; /* no guest frame from here on is anything */
    uint64_t generation;

    struct pmap_client client;
    struct trace *trace;
    void (*failed)(void *ctx);
    void *failed_ctx;
    char trouble[160];

    /* How many guest frames are RAM, in the balloon, in the swap; how many
     * share; how many machine frames there are, and are shared. */
    struct pmap_numbers {
        uint64_t ram, ballooned, swapped, sharing, resident, shared;
    } n;

    uint64_t limit;           /* of n.resident; 0: none, and none goes */
    uint32_t held[PMAP_HELD]; /* guest frames + 1, the latest first */
};

static inline enum pmap_kind entry_kind(uint32_t entry)
{
    return (enum pmap_kind)(entry & KIND_MASK);
}

static inline gpa_t gfn_gpa(uint32_t gfn)
{
    return GPA((uint64_t)gfn << PAGE_SHIFT);
}

static inline ma_t entry_frame(uint32_t entry)
{
    return MA(entry & PTE_FRAME);
}

static inline uint32_t entry_slot(uint32_t entry)
{
    return entry >> PAGE_SHIFT;
}

/* pmap.c */
/* Count in a field of struct counters. */
#define PMAP_COUNT(p, field)                                                   \
    do {                                                                       \
        if ((p)->trace)                                                        \
            (p)->trace->count.field++;                                         \
    } while (0)
/* The numbers have changed: show them in the counters. */
void pmap_show(struct pmap *p);
void pmap_tell(struct pmap *p, const char *cause, uint32_t gfn, ma_t frame,
               uint32_t slot);
/* A guest frame gets this machine frame, or loses the one it has (with its
 * reference). The client has been told. */
void pmap_attach(struct pmap *p, uint32_t gfn, ma_t frame, enum pmap_kind kind);
void pmap_detach(struct pmap *p, uint32_t gfn);
void pmap_moved(struct pmap *p, uint32_t gfn);

/* Of a shared machine frame this is the last guest frame. */
void pmap_alone(struct pmap *p, uint32_t gfn);

/* pmap_reclaim.c */
/* Must the guest frame stay where it is, and as it is? */
bool pmap_stays(const struct pmap *p, uint32_t gfn);
/* May it lose its machine frame? */
bool pmap_may_go(const struct pmap *p, uint32_t gfn);
/* Was it used? Not any more, after this. */
bool pmap_was_used(struct pmap *p, uint32_t gfn);
/* It loses its machine frame, whose contents are in a slot now (0: they are
 * zeros). */
void pmap_page_out(struct pmap *p, uint32_t gfn, uint32_t slot);
/* A machine frame for a guest frame, where need be that of another one. */
bool pmap_take(struct pmap *p, ma_t *frame);
/* Back a frame that is paged out. */
bool pmap_page_in(struct pmap *p, uint32_t gfn);
/* What is in the swap for it is not needed any more. */
void pmap_drop_slot(struct pmap *p, uint32_t gfn);
void pmap_fail(struct pmap *p, const char *why);
/* It was held now. */
void pmap_note_use(struct pmap *p, uint32_t gfn);

/* commons.c */
bool commons_join(struct commons *c, struct pmap *p); /* false: no room */
void commons_leave(struct commons *c, const struct pmap *p);
/* The VMs that have a machine frame, one after the other: from number 0 on, to
 * NULL. */
struct pmap *commons_user(const struct commons *c, uint64_t mfn,
                          unsigned *number);
/* A machine frame has got or lost a guest frame: whose is it now? */
void commons_settle(struct commons *c, ma_t frame);
/* Free a machine frame, if `of` is no NULL one that this VM has. */
enum eviction {
    EVICT_DONE,
    EVICT_NONE,    /* all must stay */
    EVICT_REFUSED, /* swap_error() says why */
};
enum eviction commons_evict(struct commons *c, const struct pmap *of);

/* commons_share.c */
/* A shared frame is about to be written: give it a machine frame alone. */
bool pmap_make_own(struct pmap *p, uint32_t gfn);

#endif
