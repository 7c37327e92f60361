/* SPDX-License-Identifier: MIT */
/* cpu/vmx_ept.c - a guest's walk in two dimensions, and the exits it makes.
 *
 * Reference: SDM 3C, "EPT Translation Mechanism", "EPT-Induced VM Exits",
 * "Exit Qualification for EPT Violations", "Information That May Be Cached".
 */
#include "cpu/machine_priv.h"
#include "cpu/vmx.h"

/* A guest-physical access on the way. */
struct access {
    unsigned kind;  /* EPT_FOR_... */
    unsigned about; /* the qualification's other bits */
    uint32_t linear;
};

static void refuse(struct machine *m, gpa_t gpa, const struct access *a,
                   const struct ept_walk *w)
{
    m->vmx.ept = (struct ept_refusal){
        .misconfigured = w->misconfigured,
        .qualification = a->kind | a->about |
                         (uint32_t)w->rights << EPT_VIOLATION_RIGHTS_SHIFT,
        .linear = a->linear,
        .gpa = gpa.v,
    };
}

static struct ept_slot *slot_of(struct machine *m, gpa_t gpa)
{
    return &m->ept[(gpa.v >> PAGE_SHIFT) % EPT_SLOTS];
}

/* A kept walk that this access needs nothing more of. */
static bool kept(struct machine *m, gpa_t gpa, unsigned kind,
                 struct ept_walk *w)
{
    const struct ept_slot *slot = slot_of(m, gpa);
    uint64_t eptp = m->vmx.c.eptp;
    bool dirty = slot->walk.entry[slot->walk.level] & EPT_DIRTY;

    if (slot->flushes != m->ept_flushes || slot->eptp != eptp ||
        slot->gfn != gpa.v >> PAGE_SHIFT || !ept_allows(&slot->walk, kind) ||
        ((kind & EPT_FOR_WRITE) && (eptp & EPTP_ACCESSED_DIRTY) && !dirty))
        return false;
    *w = slot->walk;
    w->ma.v |= gpa.v & PAGE_MASK;
    return true;
}

static void keep(struct machine *m, gpa_t gpa, const struct ept_walk *w)
{
    struct ept_slot *slot = slot_of(m, gpa);

    *slot = (struct ept_slot){.eptp = m->vmx.c.eptp,
                              .gfn = gpa.v >> PAGE_SHIFT,
                              .flushes = m->ept_flushes,
                              .walk = *w};
    slot->walk.ma.v &= ~(uint64_t)PAGE_MASK;
}

void vmx_ept_forget(struct machine *m, uint64_t eptp)
{
    for (unsigned i = 0; i < EPT_SLOTS; i++)
        if (TLB_NESTED_BY(m->ept[i].eptp) == TLB_NESTED_BY(eptp))
            m->ept[i].eptp = 0; /* no valid pointer */
}

/* True: w has the translation and its bits are set. */
static bool translate(struct machine *m, gpa_t gpa, const struct access *a,
                      struct ept_walk *w)
{
    uint64_t eptp = m->vmx.c.eptp;
    bool known = kept(m, gpa, a->kind, w);

    if (!known)
        ept_walk(&m->memory, eptp, gpa, w);
    m->trace->count.walk_references += w->references;
    m->trace->count.nested_references += w->references;
    if (known)
        return true;
    if (!ept_allows(w, a->kind)) {
        refuse(m, gpa, a, w);
        return false;
    }
    ept_commit(&m->memory, eptp, a->kind, w);
    keep(m, gpa, w);
    return true;
}

/* ---- the guest's tables -----------------------------------------------------
 */

/* A walk of the guest's tables: where each entry was found, for its accessed
 * and dirty bits. */
struct tables {
    struct machine *m;
    struct access access;
    struct ept_walk walk[PAGING_LEVELS];
    uint64_t at[PAGING_LEVELS];
    unsigned count;
    bool refused;
};

/* Entries where there is no memory read as all ones. */
static bool read_entry(void *ctx, uint64_t at, unsigned bytes, uint64_t *entry)
{
    struct tables *t = ctx;
    struct ept_walk *w = &t->walk[t->count];

    if (!translate(t->m, GPA(at), &t->access, w))
        return false;
    t->at[t->count++] = at;
    *entry = UINT64_MAX >> (64 - 8 * bytes);
    if (memory_has(&t->m->memory, w->ma, bytes))
        memcpy(entry, memory_at(&t->m->memory, w->ma), bytes);
    return true;
}

static struct ept_walk *walk_for(struct tables *t, uint64_t at)
{
    unsigned i = 0;

    while (i + 1 < t->count && t->at[i] != at)
        i++;
    return &t->walk[i];
}

/* Setting bits is a write, which the nested tables may refuse. */
static void write_entry(void *ctx, uint64_t at, unsigned bytes, uint64_t entry)
{
    struct tables *t = ctx;
    struct machine *m = t->m;
    struct ept_walk *w = walk_for(t, at);
    struct access a = t->access;

    a.kind = EPT_FOR_READ | EPT_FOR_WRITE;
    t->refused |= !ept_allows(w, a.kind);
    if (t->refused) {
        refuse(m, GPA(at), &a, w);
        return;
    }
    ept_commit(&m->memory, m->vmx.c.eptp, a.kind, w);
    if (!memory_has(&m->memory, w->ma, bytes))
        return;
    memcpy(memory_at(&m->memory, w->ma), &entry, bytes);
    if (m->pages[w->ma.v >> PAGE_SHIFT])
        machine_memory_written(m, w->ma, bytes);
}

/* "Accesses to guest paging-structure entries are treated as writes" where
 * accessed and dirty flags for EPT are enabled. */
static unsigned kind_of_table_read(const struct machine *m)
{
    return EPT_FOR_READ |
           (m->vmx.c.eptp & EPTP_ACCESSED_DIRTY ? EPT_FOR_WRITE : 0);
}

static unsigned kind_of(unsigned access)
{
    return access & ACC_WRITE   ? EPT_FOR_WRITE
           : access & ACC_FETCH ? EPT_FOR_FETCH
                                : EPT_FOR_READ;
}

/* The page at the end of the guest's walk. */
static bool reach_page(struct machine *m, uint32_t linear, unsigned access,
                       struct paging_walk *w)
{
    struct access a = {kind_of(access),
                       EPT_VIOLATION_LINEAR | EPT_VIOLATION_TRANSLATED, linear};
    struct ept_walk page;
    uint64_t leaf;

    if (!translate(m, GPA(w->address), &a, &page))
        return false;
    leaf = page.entry[page.level];
    w->address = page.ma.v;
    w->executable = w->executable && (page.rights & EPT_EXECUTE);
    w->dirty = w->dirty && (page.rights & EPT_WRITE) &&
               (!(m->vmx.c.eptp & EPTP_ACCESSED_DIRTY) || (leaf & EPT_DIRTY));
    return true;
}

/* The bits of the guest's entries are set first, as the walk comes by. */
bool vmx_walk(struct machine *m, uint32_t linear, unsigned access,
              struct paging_walk *w, struct fault *f)
{
    struct tables t = {
        .m = m,
        .access = {kind_of_table_read(m), EPT_VIOLATION_LINEAR, linear}};

    paging_walk(&m->paging, linear, access, read_entry, &t, w);
    m->trace->count.walk_references += w->references;
    if (!w->stopped && !w->allowed) {
        *f = (struct fault){VEC_PF, true, w->error, linear};
        return false;
    }
    if (!w->stopped)
        paging_commit(&m->paging, access, write_entry, &t, w);
    if (!w->stopped && !t.refused && reach_page(m, linear, access, w))
        return true;
    *f = (struct fault){.vector = VEC_EPT, .cr2 = linear};
    return false;
}

/* ---- without side effects ---------------------------------------------------
 */

static bool look_at_entry(void *ctx, uint64_t at, unsigned bytes,
                          uint64_t *entry)
{
    const struct machine *m = *(const struct machine *const *)ctx;
    struct ept_walk w;

    ept_walk(&m->memory, m->vmx.c.eptp, GPA(at), &w);
    if (!ept_allows(&w, EPT_FOR_READ) || !memory_has(&m->memory, w.ma, bytes))
        return false;
    *entry = 0;
    memcpy(entry, memory_at(&m->memory, w.ma), bytes);
    return true;
}

bool vmx_look(const struct machine *m, uint32_t linear, struct paging_walk *w,
              ma_t *ma)
{
    struct ept_walk page;

    paging_walk(&m->paging, linear, 0, look_at_entry, &m, w);
    if (!w->translated)
        return false;
    ept_walk(&m->memory, m->vmx.c.eptp, GPA(w->address), &page);
    *ma = page.ma;
    return page.present;
}

bool vmx_translate(struct machine *m, gpa_t gpa, ma_t *ma)
{
    struct access a = {EPT_FOR_READ, 0, 0};
    struct ept_walk w;

    if (!translate(m, gpa, &a, &w))
        return false;
    *ma = w.ma;
    return true;
}

/* ---- exits ------------------------------------------------------------------
 */

void vmx_ept_at(struct machine *m, uint32_t linear)
{
    struct ept_refusal *r = &m->vmx.ept;

    r->linear = linear;
    if (r->qualification & EPT_VIOLATION_TRANSLATED)
        r->gpa = (r->gpa & ~(uint64_t)PAGE_MASK) | (linear & PAGE_MASK);
}

/* A misconfiguration has neither qualification nor linear address. */
void vmx_ept_exit(struct machine *m, const struct arch_event *event)
{
    const struct ept_refusal *r = &m->vmx.ept;
    struct vmx_exit x = {.reason = VMX_EPT_MISCONFIGURATION,
                         .physical = r->gpa,
                         .vectored = event};

    if (!r->misconfigured) {
        x.reason = VMX_EPT_VIOLATION;
        x.qualification = r->qualification;
        x.linear = r->linear;
    }
    vmx_exit(m, &x);
}
