/* SPDX-License-Identifier: MIT */
/* shadowmmu/evict.h - which table goes when there is no room for another.
 *
 * The best victim is the one that is needed again last (Belady 1966). What can
 * be told of that, in this order:
 *
 *   dead       no table points to it: its address space has exited, or its
 *              directory was given up
 *   written    the guest writes its page, and did not use it since
 *   idle       the current address space does not show it, and only one does
 *   shared     the same, but several do, as they do the kernel's
 *   in use     the current address space shows it
 *
 * Within a rank the least recently used goes first. Use is what the VMM saw (a
 * fill, a load of CR3) and what the processor says: the accessed bits of the
 * entries that point to a table (Corbato 1968). Tables that are complete cause
 * no faults, and would look old without these.
 *
 * Processes that run by turns defeat that among idle tables: the least recently
 * used is the next to be used. So what was evicted is remembered for a while,
 * and two ways of choosing compete, least and most recently used; the one goes
 * on after whose evictions more address spaces were loaded before the table was
 * made again. (Similar: Smaragdakis et al., "EELRU", 1999; Vietri et al.,
 * "Driving Cache Replacement with ML-based LeCaR", 2018; the refault distance
 * of Linux' mm/workingset.c.)
 *
 * KVM takes the oldest by creation but for roots that are in use; Xen gives up
 * the top level that was loaded longest ago, and what only it showed goes with
 * it.
 */
#ifndef SHADOWMMU_EVICT_H
#define SHADOWMMU_EVICT_H

#include "shadowmmu/tables.h"

enum { EVICT_WAYS = 2, EVICT_REMEMBERED = 64 };

/* A table that was evicted. */
struct evicted {
    struct table_key key; /* kind TABLE_FREE: none, or it was made again */
    uint32_t way;         /* how it was chosen */
    uint64_t loads;       /* of address spaces, by then */
};

struct evict {
    uint64_t loads;            /* of address spaces */
    uint32_t away[EVICT_WAYS]; /* loads until it was wanted again, averaged */
    uint32_t way, next;        /* the way now; the place of the next one */
    struct evicted evicted[EVICT_REMEMBERED];
};

struct mmu;

void evict_init(struct mmu *m);
/* Is this what a snapshot may hold? */
bool evict_valid(const struct evict *e);
/* Drop a table that is not the root, nor a directory that it shows. False:
 * there is none. */
bool evict_one(struct mmu *m);
/* A table is made. */
void evict_made(struct mmu *m, const struct table_key *key);

#endif
