/* SPDX-License-Identifier: MIT */
/* shadowmmu/shadow.h - shared by the two files of the shadow technique. */
#ifndef SHADOWMMU_SHADOW_H
#define SHADOWMMU_SHADOW_H

#include "shadowmmu/technique.h"

/* The page table (or the piece of memory) behind a guest directory entry; false
 * if nothing may be linked for it: not present, malformed, or its accessed bit
 * still to be set. */
bool shadow_key(const struct mmu *m, uint64_t pde, struct table_key *key);
/* The key of entry index of an upper table of ours, from the guest's. */
bool shadow_key_at(struct mmu *m, int slot, unsigned index,
                   struct table_key *key);

/* shadow_sync.c: the parts of struct mmu_ops about changed guest tables. */
void shadow_table_written(struct mmu *m, uint32_t gfn, unsigned first,
                          unsigned last);
void shadow_traced_write(struct mmu *m, uint32_t gfn, uint32_t linear);
void shadow_table_synced(struct mmu *m, uint32_t gfn);
const char *shadow_audit(struct mmu *m, int slot, unsigned index);
/* Bring one leaf entry into line. */
void shadow_sync_leaf(struct mmu *m, int slot, unsigned index);

#endif
