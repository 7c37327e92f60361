/* SPDX-License-Identifier: MIT */
/* shadowmmu/shadow.c - shadow page tables: one tree per guest address space.
 *
 * A shadow directory stands for a guest directory (keyed by the page that CR3
 * names), a shadow leaf table for a guest page table under the rights of the
 * directory entry above it. So a page table that two address spaces share has
 * one shadow, and one that is mapped read-only here and writable there has
 * two. All are kept when the guest switches address spaces.
 *
 * What is kept must not get old: every guest page that a shadow is derived
 * from is write-protected everywhere (traced), and a write to it ends in
 * shadow_table_written(). So the shadow is stricter than a TLB, which is
 * allowed; page tables that are written often may be as lax as one
 * (unsync.h).
 *
 * Reference: SDM 3A, "32-Bit Paging"; K1-K11 of the KVM MMU's documentation
 * describe the same problems.
 */
#include "shadowmmu/shadow.h"

#include <stdlib.h>

#define PDE_LARGE_RESERVED 0x003FE000u

bool shadow_key(const struct mmu *m, uint32_t pde, struct shadow_key *key)
{
    if (!(pde & PTE_P) || !(pde & PTE_A))
        return false;
    key->rights =
        ((pde & PTE_W) ? RIGHT_WRITE : 0u) | ((pde & PTE_U) ? RIGHT_USER : 0u);
    key->gfn = pde >> PAGE_SHIFT;
    key->kind = TABLE_LEAF;
    if ((pde & PTE_PS) && (m->c.vcpu->cr4 & CR4_PSE)) {
        if (pde & PDE_LARGE_RESERVED)
            return false;
        key->kind = TABLE_DIRECT;
        key->gfn = (pde & PDE_LARGE_FRAME) >> PAGE_SHIFT;
        if (pde & PTE_D)
            key->rights |= RIGHT_DIRTY;
    }
    return true;
}

/* Paging off: memory in order, with every right. The same tables serve the
 * guest's 4 MiB pages. */
static struct shadow_key unpaged_key(unsigned index)
{
    return (struct shadow_key){
        .kind = TABLE_DIRECT,
        .gfn = index * TABLE_ENTRIES,
        .rights = RIGHT_WRITE | RIGHT_USER | RIGHT_DIRTY,
    };
}

bool shadow_key_at(struct mmu *m, int slot, unsigned index,
                   struct shadow_key *key)
{
    const struct table *table = &m->t.slot[slot];
    gpa_t pde = GPA(((uint64_t)table->gfn << PAGE_SHIFT) + index * 4);

    if (table->kind == TABLE_UNPAGED) {
        *key = unpaged_key(index);
        return true;
    }
    return shadow_key(m, (uint32_t)walk_read(m, pde, 4), key);
}

bool shadow_key_matches(const struct table *table, const struct shadow_key *key)
{
    return table->kind == key->kind && table->gfn == key->gfn &&
           table->rights == key->rights;
}

/*S:310*/
/* The accessed bit of the guest's entry is set by now: the walk did it. */
static int shadow_leaf(struct mmu *m, uint32_t linear,
                       const struct paging_walk *w)
{
    unsigned index = linear >> LARGE_PAGE_SHIFT;
    uint32_t pde = (uint32_t)w->entry[LEVEL_PD];
    int slot = tables_leaf(&m->t, m->root, linear);
    struct shadow_key key;

    if (!walk_paged(w)) {
        key = unpaged_key(index);
    } else if (!shadow_key(m, pde, &key)) {
        /* The accessed bit could not be kept: the directory is not in RAM.
         * Nothing will change there, so it may count as set. */
        if (!shadow_key(m, pde | PTE_A, &key))
            return SLOT_NONE;
    }
    if (slot != SLOT_NONE) {
        if (shadow_key_matches(&m->t.slot[slot], &key))
            return slot;
        mmu_entry_clear(m, m->root, index);
    }
    slot = tables_find(&m->t, key.kind, key.gfn, key.rights);
    if (slot == SLOT_NONE)
        slot = mmu_table_new(m, key.kind, key.gfn, key.rights);
    if (slot == SLOT_NONE)
        return SLOT_NONE;
    table_link(&m->t, m->root, index, slot);
    m->t.slot[m->root].flood = 0;
    return slot;
}
/*:*/

/* The root for what the vcpu's registers say now. */
static bool shadow_switch(struct mmu *m)
{
    enum table_kind kind = mmu_paging(m) ? TABLE_DIRECTORY : TABLE_UNPAGED;
    uint32_t gfn = mmu_paging(m) ? m->c.vcpu->cr3 >> PAGE_SHIFT : 0;
    int slot = tables_find(&m->t, kind, gfn, 0);

    if (slot == SLOT_NONE) {
        /* The old root may be reclaimed too, for it is left anyway. */
        m->root = SLOT_NONE;
        slot = mmu_table_new(m, kind, gfn, 0);
    }
    if (slot == SLOT_NONE)
        return false;
    mmu_set_root(m, slot);
    return true;
}

/* Not reached with a root in existence: its own frame can be had again. */
static void shadow_switch_or_die(struct mmu *m)
{
    if (!shadow_switch(m))
        abort();
}

static bool shadow_start(struct mmu *m)
{
    return shadow_switch(m);
}

/* A write of the same value comes here too. Real TLBs are emptied by it; the
 * shadow has seen every change but those of tables out of sync, and stays. */
static void shadow_cr3_written(struct mmu *m)
{
    unsync_all(m);
    if (mmu_paging(m))
        shadow_switch_or_die(m);
}

/* CR0.WP went on: the kernel's writable forms of read-only pages must go. */
static void drop_wp0_entries(struct mmu *m)
{
    for (int slot = 0; slot < m->t.limit; slot++) {
        const struct table *table = &m->t.slot[slot];
        unsigned index = 0;

        if (table->kind != TABLE_LEAF && table->kind != TABLE_DIRECT)
            continue;
        while ((index = table_next(table, index)) < TABLE_ENTRIES) {
            if (table_entry(&m->t, slot, index) & MARK_WP0)
                table_clear(&m->t, slot, index);
            index++;
        }
    }
    m->c.hardware.flush_all(m->c.hardware.ctx);
}

/* Every directory means something else now. */
static void drop_all(struct mmu *m)
{
    for (int slot = 0; slot < m->t.limit; slot++)
        if (m->t.slot[slot].kind != TABLE_FREE && slot != m->root)
            mmu_table_drop(m, slot, "paging mode");
    table_empty(&m->t, m->root);
}

static void shadow_mode_changed(struct mmu *m, uint32_t old_cr0,
                                uint32_t old_cr4)
{
    const struct cpu_state *v = m->c.vcpu;

    unsync_all(m);
    if ((v->cr0 & ~old_cr0) & CR0_WP)
        drop_wp0_entries(m);
    if ((v->cr4 ^ old_cr4) & (CR4_PSE | CR4_PAE))
        drop_all(m);
    shadow_switch_or_die(m);
}

/* The entry is looked at again. The real TLB has nothing that our tables have
 * not: what they lose is flushed there and then. */
static void shadow_invlpg(struct mmu *m, uint32_t linear)
{
    unsigned index = linear >> PAGE_SHIFT & (TABLE_ENTRIES - 1);
    int slot = tables_leaf(&m->t, m->root, linear);

    if (slot == SLOT_NONE)
        return;
    if (m->t.slot[slot].kind == TABLE_LEAF)
        unsync_entry(m, m->t.slot[slot].gfn, index);
    shadow_sync_leaf(m, slot, index);
}

static const struct mmu_ops shadow_ops = {
    .leaf = shadow_leaf,
    .start = shadow_start,
    .cr3_written = shadow_cr3_written,
    .mode_changed = shadow_mode_changed,
    .invlpg = shadow_invlpg,
    .table_written = shadow_table_written,
    .traced_write = shadow_traced_write,
    .table_synced = shadow_table_synced,
    .audit = shadow_audit,
};

static struct mmu *shadow_create(const struct mmu_config *config)
{
    return mmu_create(&mmu_shadow, &shadow_ops, config);
}

const struct mmu_technique mmu_shadow = {
    .name = "shadow",
    .blurb = "shadow tables: one tree per address space, guest tables traced",
    .create = shadow_create,
};
