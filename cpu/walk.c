/* SPDX-License-Identifier: MIT */
/* cpu/walk.c - the machine's MMU: page walks and the engine's TLB fills.
 *
 * The engine keeps a TLB of its own and asks here on a miss. The TLB's model
 * (cpu/tlb.h) answers, or the tables do. The answer is exact: no write right
 * until the entry is dirty, no execute right but for a fetch, so that the next
 * use asks again.
 *
 * Reference: SDM 3A, "Paging".
 */
#include "cpu/machine_priv.h"
#include "cpu/vmx.h"

/* Entries of tables. Outside memory they read as all ones. */
static bool entry_read(void *ctx, uint64_t at, unsigned bytes, uint64_t *entry)
{
    const struct memory *memory = ctx;

    *entry = UINT64_MAX >> (64 - 8 * bytes);
    if (memory_has(memory, MA(at), bytes))
        memcpy(entry, memory_at(memory, MA(at)), bytes);
    return true;
}

static void entry_write(void *ctx, uint64_t at, unsigned bytes, uint64_t entry)
{
    struct machine *m = ctx;

    if (!memory_has(&m->memory, MA(at), bytes))
        return;
    memcpy(memory_at(&m->memory, MA(at)), &entry, bytes);
    if (m->pages[at >> PAGE_SHIFT])
        machine_memory_written(m, MA(at), bytes);
}

/* Without nested paging, an unrestricted guest's addresses are translated by
 * CR3's tables in every mode. */
void walk_configure(struct machine *m)
{
    const uint64_t *cr = m->engine.live.cr;
    bool always = m->vmx.loaded && !vmx_nested(&m->vmx) &&
                  (m->vmx.c.proc2 & PROC2_UNRESTRICTED);

    paging_from_registers(&m->paging, cr[0] | (always ? CR0_PG : 0), cr[3],
                          cr[4], m->extra.efer, m->extra.pdpte);
}

bool walk_access(struct machine *m, uint32_t linear, unsigned access,
                 struct paging_walk *w, struct fault *f)
{
    m->trace->count.walks += m->paging.format || vmx_nested(&m->vmx);
    if (vmx_nested(&m->vmx))
        return vmx_walk(m, linear, access, w, f);
    paging_walk(&m->paging, linear, access, entry_read, &m->memory, w);
    m->trace->count.walk_references += w->references;
    if (!w->allowed) {
        *f = (struct fault){VEC_PF, true, w->error, linear};
        return false;
    }
    paging_commit(&m->paging, access, entry_write, m, w);
    return true;
}

void machine_walk(const struct machine *m, uint32_t linear, struct hw_walk *w)
{
    struct memory memory = m->memory;

    w->format = m->paging.format;
    if (vmx_nested(&m->vmx)) {
        w->present = vmx_look(m, linear, &w->walk, &w->ma);
        return;
    }
    paging_walk(&m->paging, linear, 0, entry_read, &memory, &w->walk);
    w->present = w->walk.translated;
    w->ma = MA(w->walk.address);
}

/* The machine's own addresses, which no table maps. */
static bool fill_own(uint64_t address, uc_tlb_entry *result)
{
    if (address >= LINEAR_ALIAS)
        result->paddr = address - LINEAR_ALIAS;
    else
        result->paddr = address - LINEAR_MICROCODE + ENGINE_MICROCODE;
    result->paddr &= ~(uint64_t)PAGE_MASK;
    result->perms = UC_PROT_READ | UC_PROT_EXEC;
    return true;
}

/* The entry's translation, if it has every right that the access wants: if not,
 * the processor walks, so a fault never comes of rights that are out of date.
 * Nor does a write to a page that is not dirty. */
static bool serves(const struct machine *m, const struct tlb_entry *e,
                   unsigned access, struct paging_walk *w)
{
    *w = (struct paging_walk){.address = e->address,
                              .writable = e->writable,
                              .user = e->user,
                              .executable = e->executable,
                              .dirty = e->dirty};
    return paging_allows(&m->paging, access, w) &&
           (e->dirty || !(access & ACC_WRITE));
}

/* By the TLB, or else by the tables. *entry: of the TLB, if there is one. A
 * page fault takes the page's entry with it; the engine stops then, and drops
 * the page before it goes on. */
static bool translate(struct machine *m, uint32_t linear, unsigned access,
                      struct paging_walk *w, struct tlb_entry **entry)
{
    bool global = (m->engine.live.cr[4] & CR4_PGE) != 0;
    struct tlb_entry *e;

    if (!m->paging.format && !vmx_nested(&m->vmx))
        return walk_access(m, linear, access, w, &m->refused_fault);
    *entry = e = tlb_find(&m->tlb, linear);
    if (e && serves(m, e, access, w)) {
        m->trace->count.tlb_refills++;
        return true;
    }
    m->trace->count.tlb_fills++;
    if (!walk_access(m, linear, access, w, &m->refused_fault)) {
        if (e)
            drops_page(m, m->tlb.tag, linear);
        return false;
    }
    switch (tlb_fill(&m->tlb, linear, w, global && w->global, entry)) {
    case TLB_DROPPED: m->trace->count.tlb_evictions++; /* fall through */
    case TLB_REPLACED: drops_engine(m); break; /* it may have what was lost */
    case TLB_EVICTED: m->trace->count.tlb_evictions++; break;
    case TLB_FREE:
    case TLB_SAME: break;
    }
    return true;
}

/* The processor reads a descriptor in the monitor's own space. */
static bool fill_table(struct machine *m, uint64_t address, bool write,
                       uc_tlb_entry *result)
{
    uint32_t linear = (uint32_t)address;
    struct hw_walk walk;

    machine_walk(m, linear, &walk);
    if (write || !walk.present) {
        m->refused = REFUSED_FAULT;
        m->refused_fetch = false;
        m->refused_fault = own_fault(m, linear, write ? ACC_WRITE : 0);
        m->refused_fault.error |= walk.present ? PF_PRESENT : 0;
        return false;
    }
    result->paddr = walk.ma.v & ~(uint64_t)PAGE_MASK;
    result->perms = UC_PROT_READ;
    return true;
}

static bool refuse_own(struct machine *m, uint32_t linear, unsigned access)
{
    m->refused = REFUSED_OWN;
    m->refused_fetch = (access & ACC_FETCH) != 0;
    m->refused_fault = own_fault(m, linear, access);
    return false;
}

static bool fill(struct machine *m, uint64_t address, uc_mem_type type,
                 uc_tlb_entry *result, struct tlb_entry **entry)
{
    bool write = type == UC_MEM_WRITE, fetch = type == UC_MEM_FETCH;
    bool writable, own;
    unsigned access = (write ? ACC_WRITE : 0) | (fetch ? ACC_FETCH : 0) |
                      (live_cpl(m) == 3 ? ACC_USER : 0);
    uint32_t linear = (uint32_t)address;
    struct paging_walk w;
    ma_t ma;

    if (address >> 63) {
        m->refused = REFUSED_WRAPPED;
        return false;
    }
    if (address - LINEAR_OWN <= UINT32_MAX)
        return fill_table(m, address, write, result);
    if (address >= LINEAR_MICROCODE)
        return fill_own(address, result);
    own = own_has(m, linear) && !m->own.open;
    if (own && !(fetch && own_allows_fetch(m, linear)))
        return refuse_own(m, linear, access);
    if (!translate(m, linear, access, &w, entry)) {
        m->refused = REFUSED_FAULT;
        m->refused_fetch = fetch;
        return false;
    }
    ma = MA(w.address & ~(uint64_t)PAGE_MASK);
    writable = w.dirty && paging_allows(&m->paging, access | ACC_WRITE, &w);
    result->paddr = ma.v;
    result->perms = UC_PROT_READ;
    if (fetch) {
        bool fetched = code_fetched(m, linear, ma, result);

        if (own)
            result->perms = UC_PROT_EXEC;
        return fetched;
    }
    if (!memory_has(&m->memory, ma, PAGE_BYTES)) {
        if (!m->device_once)
            m->refused = REFUSED_DEVICE; /* EIP and clock are not exact here */
        if (writable)
            result->perms |= UC_PROT_WRITE;
        return m->device_once;
    }
    if (writable && m->pages[ma.v >> PAGE_SHIFT]) {
        if (write)
            return code_written(m, ma, result);
        if (m->pages[ma.v >> PAGE_SHIFT]->code)
            return true; /* a read of code: no W, so that a write asks */
    }
    if (writable)
        result->perms |= UC_PROT_WRITE;
    return true;
}

/* The engine has the page from now on, also if its TLB was emptied meanwhile
 * (an entry had to go; a page became code). */
bool walk_fill(uc_engine *uc, uint64_t address, uc_mem_type type,
               uc_tlb_entry *result, void *user_data)
{
    struct machine *m = user_data;
    struct tlb_entry *e = NULL;

    (void)uc;
    if (!fill(m, address, type, result, &e)) {
        if (refused_inside(m))
            engine_report_refusal(&m->engine);
        return false;
    }
    if (e)
        e->epoch = m->tlb.epoch;
    return true;
}
