/* SPDX-License-Identifier: MIT */
/* shadowmmu/shadow.h - shared by the two files of the shadow technique. */
#ifndef SHADOWMMU_SHADOW_H
#define SHADOWMMU_SHADOW_H

#include "shadowmmu/technique.h"

/* Which table stands behind a directory entry: the guest page that it is
 * derived from (or the 4 MiB of memory), under which rights. */
struct shadow_key {
    enum table_kind kind;
    uint32_t gfn;
    unsigned rights;
};

/* The key for a guest directory entry; false if nothing may be linked for it:
 * not present, malformed, or its accessed bit still to be set. */
bool shadow_key(const struct mmu *m, uint32_t pde, struct shadow_key *key);
/* The key of entry index of a directory of ours, from the guest's tables. */
bool shadow_key_at(struct mmu *m, int slot, unsigned index,
                   struct shadow_key *key);
bool shadow_key_matches(const struct table *table,
                        const struct shadow_key *key);

/* shadow_sync.c: the parts of struct mmu_ops about changed guest tables. */
void shadow_table_written(struct mmu *m, uint32_t gfn, unsigned first,
                          unsigned last);
void shadow_traced_write(struct mmu *m, uint32_t gfn, uint32_t linear);
void shadow_table_synced(struct mmu *m, uint32_t gfn);
const char *shadow_audit(struct mmu *m, int slot, unsigned index);
/* Bring one leaf entry into line. */
void shadow_sync_leaf(struct mmu *m, int slot, unsigned index);

#endif
