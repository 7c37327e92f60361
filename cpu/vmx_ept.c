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
                   const struct ept_result *r)
{
    m->vmx.ept = (struct ept_refusal){
        .misconfigured = r->misconfigured,
        .qualification = a->kind | a->about |
                         (uint32_t)r->rights << EPT_VIOLATION_RIGHTS_SHIFT,
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
                 struct ept_result *r)
{
    const struct ept_slot *slot = slot_of(m, gpa);

    if (slot->gfn != gpa.v >> PAGE_SHIFT || slot->flushes != m->ept_flushes ||
        slot->eptp != m->vmx.c.eptp || (kind & ~slot->page.rights) ||
        ((kind & EPT_FOR_WRITE) && !slot->page.dirty))
        return false;
    *r = slot->page;
    r->ma.v |= gpa.v & PAGE_MASK;
    return true;
}

/* Walk; nothing is written. */
static void walk(const struct machine *m, gpa_t gpa, struct ept_walk *w,
                 struct ept_result *r)
{
    ept_walk(&m->memory, m->vmx.c.eptp, gpa, w);
    *r = (struct ept_result){.ma = w->ma,
                             .rights = w->rights,
                             .references = w->references,
                             .misconfigured = w->misconfigured};
}

/* Its bits are set for this kind of access. */
static void keep(struct machine *m, gpa_t gpa, const struct ept_walk *w,
                 struct ept_result *r)
{
    uint64_t eptp = m->vmx.c.eptp;
    struct ept_slot *slot = slot_of(m, gpa);

    r->dirty = ept_settled(eptp, EPT_FOR_WRITE, w);
    *slot = (struct ept_slot){.eptp = eptp,
                              .gfn = gpa.v >> PAGE_SHIFT,
                              .flushes = m->ept_flushes,
                              .page = *r};
    slot->page.ma.v &= ~(uint64_t)PAGE_MASK;
}

void vmx_ept_forget(struct machine *m, uint64_t eptp)
{
    for (unsigned i = 0; i < EPT_SLOTS; i++)
        if (TLB_NESTED_BY(m->ept[i].eptp) == TLB_NESTED_BY(eptp))
            m->ept[i].eptp = 0; /* no valid pointer */
    linear_forget(m, eptp);
}

/* True: r has the translation and its bits are set. */
static bool translate(struct machine *m, gpa_t gpa, const struct access *a,
                      struct ept_result *r)
{
    struct ept_walk w;

    if (kept(m, gpa, a->kind, r))
        return true;
    walk(m, gpa, &w, r);
    if (!ept_allows(&w, a->kind)) {
        refuse(m, gpa, a, r);
        return false;
    }
    ept_commit(&m->memory, m->vmx.c.eptp, a->kind, &w);
    keep(m, gpa, &w, r);
    return true;
}

/* The same if no bit is to be set, and nothing happens otherwise. */
static bool is_settled(struct machine *m, gpa_t gpa, unsigned kind,
                       struct ept_result *r)
{
    struct ept_walk w;

    if (kept(m, gpa, kind, r))
        return true;
    walk(m, gpa, &w, r);
    if (!ept_allows(&w, kind) || !ept_settled(m->vmx.c.eptp, kind, &w))
        return false;
    keep(m, gpa, &w, r);
    return true;
}

static void count(struct machine *m, unsigned references, unsigned nested)
{
    m->trace->count.walk_references += references + nested;
    m->trace->count.nested_references += nested;
}

/* ---- the guest's tables -----------------------------------------------------
 */

/* A walk of the guest's tables: where each entry was found, for its accessed
 * and dirty bits. */
struct tables {
    struct machine *m;
    struct access access;
    struct ept_result found[PAGING_LEVELS];
    uint64_t at[PAGING_LEVELS]; /* guest-physical */
    unsigned count;
    unsigned nested; /* references */
    bool refused;
};

/* Entries where there is no memory read as all ones. */
static uint64_t entry_at(const struct machine *m, ma_t ma, unsigned bytes)
{
    uint64_t entry = UINT64_MAX >> (64 - 8 * bytes);

    if (memory_has(&m->memory, ma, bytes))
        memcpy(&entry, memory_at(&m->memory, ma), bytes);
    return entry;
}

static bool read_entry(void *ctx, uint64_t at, unsigned bytes, uint64_t *entry)
{
    struct tables *t = ctx;
    struct ept_result *r = &t->found[t->count];
    bool found = translate(t->m, GPA(at), &t->access, r);

    t->nested += r->references;
    if (!found)
        return false;
    t->at[t->count++] = at;
    *entry = entry_at(t->m, r->ma, bytes);
    return true;
}

static bool read_settled(void *ctx, uint64_t at, unsigned bytes,
                         uint64_t *entry)
{
    struct tables *t = ctx;
    struct ept_result *r = &t->found[t->count];

    if (!is_settled(t->m, GPA(at), t->access.kind, r))
        return false;
    t->count++;
    t->nested += r->references;
    *entry = entry_at(t->m, r->ma, bytes);
    return true;
}

static const struct ept_result *found_for(const struct tables *t, uint64_t at)
{
    unsigned i = 0;

    while (i + 1 < t->count && t->at[i] != at)
        i++;
    return &t->found[i];
}

/* Setting bits is a write, which the nested tables may refuse. (Where they have
 * a dirty bit, it was set when the entry was read: kind_of_table_read().) */
static void write_entry(void *ctx, uint64_t at, unsigned bytes, uint64_t entry)
{
    struct tables *t = ctx;
    struct machine *m = t->m;
    const struct ept_result *r = found_for(t, at);
    struct access a = t->access;

    a.kind = EPT_FOR_READ | EPT_FOR_WRITE;
    t->refused |= (a.kind & ~r->rights) != 0;
    if (t->refused) {
        refuse(m, GPA(at), &a, r);
        return;
    }
    if (!memory_has(&m->memory, r->ma, bytes))
        return;
    memcpy(memory_at(&m->memory, r->ma), &entry, bytes);
    if (m->pages[r->ma.v >> PAGE_SHIFT])
        machine_memory_written(m, r->ma, bytes);
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

/* The walk's result in the machine's addresses. */
static void finish(const struct tables *t, const struct ept_result *page,
                   struct paging_walk *w)
{
    const struct paging *p = &t->m->paging;
    unsigned level = p->format ? p->format->levels : 0;

    for (unsigned i = 0; i < t->count; level--)
        if (!paging_in_registers(p, level))
            w->at[level] = t->found[i++].ma.v;
    w->nested = (uint8_t)t->nested;
    w->address = page->ma.v;
    w->executable = w->executable && (page->rights & EPT_EXECUTE);
    w->dirty = w->dirty && (page->rights & EPT_WRITE) && page->dirty;
}

/* The page at the end of the guest's walk. */
static bool reach_page(struct tables *t, unsigned access, struct paging_walk *w)
{
    struct access a = {kind_of(access),
                       EPT_VIOLATION_LINEAR | EPT_VIOLATION_TRANSLATED,
                       t->access.linear};
    struct ept_result page;
    bool reached = translate(t->m, GPA(w->address), &a, &page);

    t->nested += page.references;
    if (reached)
        finish(t, &page, w);
    return reached;
}

/* The bits of the guest's entries are set first, as the walk comes by. */
bool vmx_walk(struct machine *m, uint32_t linear, unsigned access,
              struct paging_walk *w, struct fault *f)
{
    struct tables t = {
        .m = m,
        .access = {kind_of_table_read(m), EPT_VIOLATION_LINEAR, linear}};
    bool reached = false;

    paging_walk(&m->paging, linear, access, read_entry, &t, w);
    *f = (struct fault){.vector = VEC_EPT, .cr2 = linear};
    if (!w->stopped && !w->allowed) {
        *f = (struct fault){VEC_PF, true, w->error, linear};
    } else if (!w->stopped) {
        paging_commit(&m->paging, access, write_entry, &t, w);
        reached = !t.refused && reach_page(&t, access, w);
    }
    count(m, w->references, t.nested);
    return reached;
}

bool vmx_walk_settled(struct machine *m, uint32_t linear, unsigned access,
                      struct paging_walk *w)
{
    struct tables t = {.m = m, .access.kind = kind_of_table_read(m)};
    struct ept_result page;

    paging_walk(&m->paging, linear, access, read_settled, &t, w);
    if (!w->translated ||
        !is_settled(m, GPA(w->address), kind_of(access), &page))
        return false;
    t.nested += page.references;
    finish(&t, &page, w);
    return true;
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
    struct ept_result r;
    bool found = translate(m, gpa, &a, &r);

    count(m, 0, r.references);
    *ma = r.ma;
    return found;
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
