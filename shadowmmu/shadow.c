/* SPDX-License-Identifier: MIT */
/* shadowmmu/shadow.c - shadow page tables: one tree per guest address space.
 *
 * A shadow directory stands for a guest directory (keyed by the page that CR3
 * or a PDPTE names), a shadow leaf table for a guest page table under the
 * rights of the directory entry above it. So a page table that two address
 * spaces share has one shadow, and one that is mapped read-only here and
 * writable there has two. All are kept when the guest switches address spaces.
 *
 * What is kept must not get old: every guest page that a shadow is derived
 * from is write-protected everywhere (traced), and a write to it ends in
 * shadow_table_written(). So the shadow is stricter than a TLB, which is
 * allowed; page tables that are written often may be as lax as one
 * (unsync.h).
 *
 * Reference: SDM 3A, "32-Bit Paging", "PAE Paging"; K1-K11 of the KVM MMU's
 * documentation describe the same problems.
 */
#include "shadowmmu/shadow.h"

#include <stdlib.h>

static unsigned rights_of(uint64_t entry)
{
    return ((entry & PTE_W) ? RIGHT_WRITE : 0u) |
           ((entry & PTE_U) ? RIGHT_USER : 0u) |
           ((entry & PTE_NX) ? 0u : RIGHT_EXECUTE);
}

bool shadow_key(const struct mmu *m, uint64_t pde, struct table_key *key)
{
    bool page = paging_maps_page(&m->seen, LEVEL_PD, pde);
    uint64_t frames = 1u << m->t.format->index_bits; /* of a large page */

    if (!(pde & PTE_P) || !(pde & PTE_A) ||
        (pde & paging_reserved(&m->seen, LEVEL_PD, page)))
        return false;
    *key = (struct table_key){.kind = page ? TABLE_DIRECT : TABLE_GUEST,
                              .level = LEVEL_PT,
                              .gfn = (uint32_t)(pde >> PAGE_SHIFT),
                              .rights = rights_of(pde)};
    if (page) {
        key->gfn &= ~(uint32_t)(frames - 1);
        if (pde & PTE_D)
            key->rights |= RIGHT_DIRTY;
    }
    return true;
}

/* Paging off: memory in order, with every right. The same tables serve the
 * guest's 4 MiB pages. */
static struct table_key unpaged_key(unsigned index)
{
    return (struct table_key){
        .kind = TABLE_DIRECT,
        .level = LEVEL_PT,
        .gfn = index * TABLE_ENTRIES,
        .rights = RIGHT_WRITE | RIGHT_USER | RIGHT_DIRTY | RIGHT_EXECUTE,
    };
}

/* PAE: by the guest's PDPTE register. Where the VMM sits there must be a
 * directory. */
static bool shadow_directory(struct mmu *m, unsigned index,
                             struct table_key *key)
{
    uint64_t pdpte = m->seen.pdpte[index];
    bool overlay = m->overlay.placed && m->overlay.linear >> 30 == index;

    *key = (struct table_key){.kind = TABLE_GUEST,
                              .level = LEVEL_PD,
                              .gfn = (uint32_t)(pdpte >> PAGE_SHIFT),
                              .rights = overlay ? ROLE_OVERLAY : 0};
    if ((pdpte & PTE_P) && paging_pdpte_valid(pdpte))
        return true;
    key->kind = TABLE_UPPER;
    key->gfn = index << (30 - PAGE_SHIFT);
    return overlay;
}

bool shadow_key_at(struct mmu *m, int slot, unsigned index,
                   struct table_key *key)
{
    const struct table *table = &m->t.slot[slot];

    if (table->level == LEVEL_PDPT)
        return shadow_directory(m, index, key);
    if (table->kind == TABLE_UPPER) {
        *key = unpaged_key(index);
        return true;
    }
    return shadow_key(m,
                      walk_read(m, mmu_guest_entry(m, table, index),
                                m->t.format->entry_bytes),
                      key);
}

/* The key for an entry of ours, of a translation that the guest allows. Its
 * accessed bits are set by now, but where that could not be kept: in tables
 * that are not in RAM. Nothing will change there, so they may count as set. */
static bool key_allowed(struct mmu *m, const struct table *table,
                        unsigned index, const struct paging_walk *w,
                        struct table_key *key)
{
    if (table->level == LEVEL_PDPT)
        return shadow_directory(m, index, key);
    if (walk_paged(w))
        return shadow_key(m, w->entry[LEVEL_PD] | PTE_A, key);
    *key = unpaged_key(index);
    return true;
}

/* The table behind entry index, linked. SLOT_NONE: no memory. */
static int shadow_child(struct mmu *m, int slot, unsigned index,
                        const struct paging_walk *w)
{
    uint32_t id = (uint32_t)slot * TABLE_ENTRIES + index;
    struct table_key key;
    int child;

    if (!key_allowed(m, &m->t.slot[slot], index, w, &key))
        return SLOT_NONE;
    m->t.slot[slot].stamp = ++m->t.clock; /* in use, as long as its leaves */
    if (table_has(&m->t.slot[slot], index)) {
        child = (int)m->t.target[id];
        if (table_matches(&m->t.slot[child], &key))
            return child;
        mmu_entry_clear(m, slot, index);
    }
    child = mmu_table_get(m, &key);
    if (child == SLOT_NONE)
        return SLOT_NONE;
    if (key.kind == TABLE_GUEST)
        unsync_table(m, key.gfn);
    mmu_link(m, slot, index, child);
    m->t.slot[slot].flood = 0;
    return child;
}

/*S:310*/
static int shadow_leaf(struct mmu *m, uint32_t linear,
                       const struct paging_walk *w)
{
    const struct paging_format *f = m->t.format;
    int slot = m->root;

    for (unsigned level = f->levels; level > LEVEL_PT && slot != SLOT_NONE;
         level--)
        slot = shadow_child(m, slot, paging_index(f, level, linear), w);
    return slot;
}
/*:*/

/* The root for what the vcpu's registers say now: PAE's is a copy of the four
 * PDPTE registers, and there is only one. */
static struct table_key root_key(const struct mmu *m)
{
    struct table_key key = {.kind = TABLE_UPPER, .level = m->t.format->levels};

    if (mmu_paging(m) && key.level == LEVEL_PD) {
        key.kind = TABLE_GUEST;
        key.gfn = m->c.vcpu->cr3 >> PAGE_SHIFT;
    }
    return key;
}

static bool shadow_switch(struct mmu *m)
{
    struct table_key key = root_key(m);
    int slot = tables_find(&m->t, &key);

    if (slot == SLOT_NONE) {
        /* The old root may be reclaimed too, for it is left anyway. */
        m->root = SLOT_NONE;
        slot = mmu_table_new(m, &key);
    }
    if (slot == SLOT_NONE ||
        (key.level == LEVEL_PDPT && !mmu_link_directories(m, slot)))
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

        if (table->kind == TABLE_FREE || table_is_upper(table))
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
    if (mmu_follow_format(m))
        return;
    if (m->t.format == &paging_pae && m->seen.nx != m->nx) {
        mmu_restart(m, m->t.format, "paging mode");
        return;
    }
    if ((v->cr0 & ~old_cr0) & CR0_WP)
        drop_wp0_entries(m);
    if (m->t.format == &paging_32bit &&
        ((v->cr4 ^ old_cr4) & (CR4_PSE | CR4_PAE)))
        drop_all(m);
    shadow_switch_or_die(m);
}

/* The entry is looked at again. The real TLB has nothing that our tables have
 * not: what they lose is flushed there and then. */
static void shadow_invlpg(struct mmu *m, uint32_t linear)
{
    unsigned index = mmu_leaf_index(m, linear);
    int slot = tables_leaf(&m->t, m->root, linear);

    if (slot == SLOT_NONE)
        return;
    if (m->t.slot[slot].kind == TABLE_GUEST)
        unsync_entry(m, m->t.slot[slot].gfn, index);
    shadow_sync_leaf(m, slot, index);
}

static const struct mmu_ops shadow_ops = {
    .leaf = shadow_leaf,
    .start = shadow_start,
    .directory = shadow_directory,
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
    .optimizations = MMU_WALK_CACHE | MMU_PREFETCH | MMU_UNSYNC | MMU_UNSHADOW |
                     MMU_MMIO_CACHE | MMU_EVICTION | MMU_LARGE | MMU_TAGS,
    .create = shadow_create,
};
