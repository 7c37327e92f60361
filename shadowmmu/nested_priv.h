/* SPDX-License-Identifier: MIT */
/* shadowmmu/nested_priv.h - the tree of nested tables (nested*.c alone). */
#ifndef SHADOWMMU_NESTED_PRIV_H
#define SHADOWMMU_NESTED_PRIV_H

#include "cpu/ept.h"
#include "shadowmmu/nested.h"
#include "shadowmmu/technique.h"

/* Each guest frame has at most one entry, which its address finds: there is
 * nothing to be remembered about a table but that it exists. */
struct nested {
    unsigned levels;
    uint32_t limit; /* tables at most */
    uint32_t count;
    uint32_t *frame; /* of each table, in the order they were made; the first
                        is the root */
};

static inline struct nested *nested_of(const struct mmu *m)
{
    return m->own;
}

/* nested_tables.c */
bool nested_tables_init(struct mmu *m);
/* Tell the processor where the nested tables begin. */
void nested_load_root(struct mmu *m);
void nested_tables_free(struct mmu *m);
/* Put an entry for the page of a guest frame: a large one, if it can be. False:
 * no memory for a table. */
bool nested_map(struct mmu *m, gpa_t gpa, enum pmap_kind kind, ma_t ma);
/* Map what is near: the frames of an aligned group that have memory and no
 * entry. */
void nested_map_near(struct mmu *m, gpa_t gpa);
void nested_unmap(struct mmu *m, gpa_t gpa);
void nested_protect(struct mmu *m, gpa_t gpa);
bool nested_used(struct mmu *m, gpa_t gpa);
void nested_walk(const struct mmu *m, gpa_t gpa, struct ept_walk *w);
unsigned nested_audit(struct mmu *m, char *line, size_t bytes);
size_t nested_save(const struct mmu *m, void *buffer, size_t bytes);
bool nested_restore(struct mmu *m, const void *buffer, size_t bytes);

#endif
