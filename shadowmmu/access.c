/* SPDX-License-Identifier: MIT */
/* shadowmmu/access.c - the VMM's own accesses to guest linear memory, and
 * writes that do not come from the guest's instructions. */
#include "shadowmmu/technique.h"

/* The part of an access that lies in one page. */
struct piece {
    uint32_t linear;
    unsigned bytes;
    struct paging_walk walk;
    enum pmap_kind kind;
    ma_t ma;
    bool device; /* no memory is there that can be used so */
};

/* False: a true fault. */
static bool translate(struct mmu *m, struct piece *p, unsigned access,
                      struct fault *f)
{
    walk_tables(m, p->linear, access, &p->walk);
    if (!p->walk.allowed) {
        *f = (struct fault){VEC_PF, true, p->walk.error, p->linear};
        return false;
    }
    p->kind = pmap_hold(m->c.pmap, walk_gpa(&p->walk),
                        (access & ACC_WRITE) != 0, &p->ma);
    p->device = p->kind != PMAP_RAM &&
                (!pmap_readable(p->kind) || (access & ACC_WRITE));
    return true;
}

/* The access goes to this page: set its bits, and remember the way. */
static void reach(struct mmu *m, struct piece *p, unsigned access)
{
    walk_commit(m, access, &p->walk);
    if (p->device) {
        mmio_remember(m, p->linear, access, &p->walk);
        return;
    }
    /* An accessed bit may lie in a page that was shared. */
    pmap_lookup(m->c.pmap, walk_gpa(&p->walk), &p->ma);
    walk_cache_add(m, p->linear, &p->walk, p->kind, p->ma);
}

/* One after the other, as the processor does: where the second page faults, the
 * first has its bits. Returns how many; 0: refused. */
static unsigned translate_all(struct mmu *m, uint32_t linear, unsigned size,
                              unsigned access, struct piece piece[2],
                              struct fault *f, bool *device)
{
    unsigned room = PAGE_BYTES - (linear & PAGE_MASK);
    unsigned count = size > room ? 2 : 1;

    *device = false;
    piece[0].linear = linear;
    piece[0].bytes = count == 2 ? room : size;
    piece[1].linear = linear + room;
    piece[1].bytes = size - piece[0].bytes;
    for (unsigned i = 0; i < count; i++) {
        if (!translate(m, &piece[i], access, f)) {
            *device = false; /* the fault comes first */
            return 0;
        }
        reach(m, &piece[i], access);
        *device |= piece[i].device;
    }
    return *device ? 0 : count;
}

/* The usual size is one instruction, not a call. */
static void copy_small(void *to, const void *from, unsigned size)
{
    if (size == 4)
        memcpy(to, from, 4);
    else
        memcpy(to, from, size);
}

bool mmu_known_device(struct mmu *m, uint32_t linear, unsigned size,
                      unsigned access, gpa_t *gpa)
{
    struct fill fill;

    return (linear & PAGE_MASK) + size <= PAGE_BYTES &&
           mmio_find(m, linear, access, gpa, &fill);
}

gpa_t mmu_device(struct mmu *m, uint32_t linear, unsigned access)
{
    struct paging_walk walk;
    struct fill fill;
    gpa_t gpa;

    if (mmio_find(m, linear, access, &gpa, &fill))
        return gpa;
    mmu_guest_walk(m, linear, access, false, &walk);
    return walk_gpa(&walk);
}

/* A remembered walk for an access within one page. */
static const struct walk_entry *remembered(struct mmu *m, uint32_t linear,
                                           unsigned size, unsigned access)
{
    if ((linear & PAGE_MASK) + size > PAGE_BYTES)
        return NULL;
    return walk_cache_find(m, linear, access);
}

bool mmu_fetchable(struct mmu *m, uint32_t linear, gpa_t *gpa, struct fault *f)
{
    struct paging_walk walk;

    walk_tables(m, linear, ACC_FETCH, &walk);
    if (!walk.allowed) {
        *f = (struct fault){VEC_PF, true, walk.error, linear};
        return false;
    }
    walk_commit(m, ACC_FETCH, &walk);
    *gpa = walk_gpa(&walk);
    return true;
}

bool mmu_read(struct mmu *m, uint32_t linear, unsigned size, bool user,
              uint32_t *value, struct fault *f, bool *device)
{
    unsigned access = user ? ACC_USER : 0;
    const struct walk_entry *e = remembered(m, linear, size, access);
    struct piece piece[2];
    unsigned count;
    uint8_t bytes[4] = {0};
    gpa_t gpa;

    *device = false;
    if (e) {
        m->c.trace->count.vmm_references += e->references;
        *value = 0;
        copy_small(value, e->page + (linear & PAGE_MASK), size);
        return true;
    }
    *device = mmu_known_device(m, linear, size, access, &gpa);
    count =
        *device ? 0 : translate_all(m, linear, size, access, piece, f, device);
    if (!count)
        return false;
    memcpy(bytes, memory_at(m->c.memory, piece[0].ma), piece[0].bytes);
    if (count == 2)
        memcpy(bytes + piece[0].bytes, memory_at(m->c.memory, piece[1].ma),
               piece[1].bytes);
    memcpy(value, bytes, sizeof *value);
    return true;
}

bool mmu_write(struct mmu *m, uint32_t linear, unsigned size, bool user,
               uint32_t value, struct fault *f, bool *device)
{
    unsigned access = ACC_WRITE | (user ? ACC_USER : 0);
    const struct walk_entry *e = remembered(m, linear, size, access);
    struct piece piece[2];
    unsigned count;
    uint8_t bytes[4];
    gpa_t gpa;

    *device = false;
    if (e && !mmu_guarded(m, e->gfn)) {
        uint8_t *at = e->page + (linear & PAGE_MASK);

        m->c.trace->count.vmm_references += e->references;
        copy_small(at, &value, size);
        mmu_wrote(m, MA((uint64_t)(at - m->c.memory->host)), size);
        return true;
    }
    *device = mmu_known_device(m, linear, size, access, &gpa);
    count =
        *device ? 0 : translate_all(m, linear, size, access, piece, f, device);
    if (!count)
        return false;
    for (unsigned i = 0; i < count; i++) {
        uint32_t gfn = walk_gfn(&piece[i].walk);

        if (tables_traced(&m->t, gfn) && mmu_guarded(m, gfn))
            m->ops->traced_write(m, gfn, piece[i].linear);
    }
    memcpy(bytes, &value, sizeof bytes);
    memcpy(memory_at(m->c.memory, piece[0].ma), bytes, piece[0].bytes);
    if (count == 2)
        memcpy(memory_at(m->c.memory, piece[1].ma), bytes + piece[0].bytes,
               piece[1].bytes);
    for (unsigned i = 0; i < count; i++) {
        mmu_wrote(m, piece[i].ma, piece[i].bytes);
        if (mmu_guarded(m, walk_gfn(&piece[i].walk)))
            mmu_gpa_written(m, walk_gpa(&piece[i].walk), piece[i].bytes);
    }
    return true;
}

/* For the next look at this page. */
static void remember(struct mmu *m, uint32_t linear,
                     const struct paging_walk *w)
{
    ma_t ma;
    enum pmap_kind kind = pmap_lookup(m->c.pmap, walk_gpa(w), &ma);

    if (pmap_readable(kind))
        walk_cache_add(m, linear, w, kind, ma);
}

void *mmu_span(struct mmu *m, uint32_t linear, unsigned bytes, bool write,
               bool user)
{
    unsigned access = (write ? ACC_WRITE : 0) | (user ? ACC_USER : 0);
    const struct walk_entry *e = remembered(m, linear, bytes, access);
    struct paging_walk w;
    uint8_t *at;
    gpa_t gpa;

    if (!e && !mmu_known_device(m, linear, bytes, access, &gpa)) {
        mmu_guest_walk(m, linear, access, false, &w);
        if (w.allowed)
            remember(m, linear, &w);
        e = remembered(m, linear, bytes, access);
    }
    if (!e || (write && mmu_guarded(m, e->gfn)))
        return NULL;
    m->c.trace->count.vmm_references += e->references;
    at = e->page + (linear & PAGE_MASK);
    if (write)
        mmu_wrote(m, MA((uint64_t)(at - m->c.memory->host)), bytes);
    return at;
}

size_t mmu_peek(struct mmu *m, uint32_t linear, void *out, size_t bytes,
                gpa_t *gpa)
{
    size_t room = PAGE_BYTES - (linear & PAGE_MASK);
    const struct walk_entry *e = walk_cache_find(m, linear, 0);
    struct paging_walk w;

    if (bytes > room)
        bytes = room;
    if (e) {
        *gpa = GPA((uint64_t)e->gfn << PAGE_SHIFT | (linear & PAGE_MASK));
        memcpy(out, e->page + (linear & PAGE_MASK), bytes);
        return bytes;
    }
    mmu_guest_walk(m, linear, 0, false, &w);
    if (!w.allowed || !pmap_read(m->c.pmap, walk_gpa(&w), out, bytes))
        return 0;
    remember(m, linear, &w);
    *gpa = walk_gpa(&w);
    return bytes;
}

void mmu_gpa_written(struct mmu *m, gpa_t gpa, uint64_t bytes)
{
    uint64_t end = gpa.v + bytes;

    while (gpa.v < end) {
        uint64_t page_end = (gpa.v | PAGE_MASK) + 1;
        uint64_t stop = page_end < end ? page_end : end;
        uint64_t gfn = gpa.v >> PAGE_SHIFT;

        if (gfn >= 1u << 20)
            return;
        step_written(m, (uint32_t)gfn, (unsigned)(gpa.v & PAGE_MASK) / 4,
                     (unsigned)((stop - 1) & PAGE_MASK) / 4);
        mmu_watched(m, gpa, (uint32_t)(stop - gpa.v));
        gpa.v = page_end;
    }
}

void mmu_watch(struct mmu *m, gpa_t page)
{
    uint32_t gfn = (uint32_t)(page.v >> PAGE_SHIFT);

    if (m->watches[gfn]++ == 0)
        mmu_protect(m, gfn);
}

/* Mappings get their write permission back at the next write. */
void mmu_unwatch(struct mmu *m, gpa_t page)
{
    uint32_t gfn = (uint32_t)(page.v >> PAGE_SHIFT);

    if (m->watches[gfn])
        m->watches[gfn]--;
}

void mmu_drop_gpa(struct mmu *m, gpa_t page)
{
    uint32_t gfn = (uint32_t)(page.v >> PAGE_SHIFT);

    if (m->ops->drop_gpa)
        m->ops->drop_gpa(m, page);
    unsync_end(m, gfn);
    large_split(m, gfn);
    while (m->t.mapped[gfn]) {
        uint32_t id = m->t.mapped[gfn] - 1;

        mmu_entry_clear(m, (int)(id / TABLE_ENTRIES), id % TABLE_ENTRIES);
    }
    /* If it was a guest table, nothing derived from it can be trusted. */
    if (tables_traced(&m->t, gfn))
        mmu_table_written(m, gfn, 0, PAGE_WORDS - 1);
}

void mmu_forget_table(struct mmu *m, gpa_t page)
{
    uint32_t at = m->t.derived[page.v >> PAGE_SHIFT];

    while (at) {
        int slot = (int)at - 1;

        at = m->t.slot[slot].next;
        if (!tables_in_root(&m->t, m->root, slot))
            mmu_table_drop(m, slot, "dropped: the guest says so");
    }
}
