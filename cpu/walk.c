/* SPDX-License-Identifier: MIT */
/* cpu/walk.c - the machine's MMU: page walks and the engine's TLB fills.
 *
 * The engine keeps a TLB of its own and asks here on a miss; we are the page
 * walker. The answer is exact: no write right until the entry is dirty, no
 * execute right but for a fetch, so that the next use asks again.
 *
 * Reference: SDM 3A, "32-Bit Paging", "Accessed and Dirty Flags", "Access
 * Rights".
 */
#include "cpu/machine_priv.h"
#include "cpu/vmx.h"

/* Read and write of table entries; tables outside memory read as all ones. */
static uint32_t entry_read(const struct machine *m, ma_t at)
{
    return memory_has(&m->memory, at, 4) ? memory_read32(&m->memory, at)
                                         : 0xFFFFFFFFu;
}

static void entry_write(struct machine *m, ma_t at, uint32_t value)
{
    if (!memory_has(&m->memory, at, 4))
        return;
    memory_write32(&m->memory, at, value);
    if (m->pages[at.v >> PAGE_SHIFT])
        machine_memory_written(m, at, 4);
}

static bool refuse(struct fault *f, uint32_t linear, uint32_t error)
{
    *f = (struct fault){VEC_PF, true, error, linear};
    return false;
}

/* Is this right denied by these combined permissions? Supervisor writes obey
 * the W bit only with CR0.WP. */
static bool denied(uint32_t rights, bool write, bool user, uint32_t cr0)
{
    if (user && !(rights & PTE_U))
        return true;
    return write && !(rights & PTE_W) && (user || (cr0 & CR0_WP));
}

/* An unrestricted guest's addresses are translated in every mode. */
bool walk_translates(const struct machine *m)
{
    return (m->engine.live.cr[0] & CR0_PG) ||
           (m->vmx.loaded && (m->vmx.c.proc2 & PROC2_UNRESTRICTED));
}

bool walk_access(struct machine *m, uint32_t linear, bool write, bool user,
                 bool fetch, ma_t *ma, bool *writable, struct fault *f)
{
    const uint64_t *cr = m->engine.live.cr;
    uint32_t cr0 = (uint32_t)cr[0], error, pde, pte, rights;
    ma_t pde_at, pte_at = MA(0);
    bool large;

    *writable = true;
    if (!walk_translates(m)) {
        *ma = MA(linear);
        return true;
    }
    /* I/D is only reported with NX or SMEP, which two-level paging has not. */
    (void)fetch;
    error = (write ? PF_WRITE : 0) | (user ? PF_USER : 0);
    pde_at = MA(((uint32_t)cr[3] & PTE_FRAME) + (linear >> 22) * 4);
    pde = entry_read(m, pde_at);
    m->trace->count.walk_references++;
    if (!(pde & PTE_P))
        return refuse(f, linear, error);
    large = (pde & PTE_PS) && (cr[4] & CR4_PSE);
    if (large) {
        if (pde & 0x003FE000u) /* bits 21:13, reserved without PSE-36 */
            return refuse(f, linear, error | PF_PRESENT | PF_RSVD);
        rights = pte = pde;
        *ma = MA((pde & PDE_LARGE_FRAME) | (linear & (LARGE_PAGE_BYTES - 1)));
        pte_at = pde_at;
    } else {
        pte_at = MA((pde & PTE_FRAME) + (linear >> 12 & 0x3FF) * 4);
        pte = entry_read(m, pte_at);
        m->trace->count.walk_references++;
        if (!(pte & PTE_P))
            return refuse(f, linear, error);
        rights = pde & pte;
        *ma = MA((pte & PTE_FRAME) | (linear & PAGE_MASK));
    }
    if (denied(rights, write, user, cr0))
        return refuse(f, linear, error | PF_PRESENT);
    if (!large && !(pde & PTE_A))
        entry_write(m, pde_at, pde | PTE_A);
    if (!(pte & PTE_A) || (write && !(pte & PTE_D))) {
        pte |= PTE_A | (write ? PTE_D : 0);
        entry_write(m, pte_at, pte);
    }
    *writable = (pte & PTE_D) && !denied(rights, true, user, cr0);
    return true;
}

void machine_walk(const struct machine *m, uint32_t linear, struct hw_walk *w)
{
    const uint64_t *cr = m->engine.live.cr;
    uint32_t rights;

    *w = (struct hw_walk){.present = false};
    if (!walk_translates(m)) {
        w->present = w->writable = w->user = true;
        w->ma = MA(linear);
        return;
    }
    w->pde_ma = MA(((uint32_t)cr[3] & PTE_FRAME) + (linear >> 22) * 4);
    w->pde = entry_read(m, w->pde_ma);
    if (!(w->pde & PTE_P))
        return;
    w->large = (w->pde & PTE_PS) && (cr[4] & CR4_PSE);
    rights = w->pde;
    if (w->large) {
        w->ma =
            MA((w->pde & PDE_LARGE_FRAME) | (linear & (LARGE_PAGE_BYTES - 1)));
    } else {
        w->pte_ma = MA((w->pde & PTE_FRAME) + (linear >> 12 & 0x3FF) * 4);
        w->pte = entry_read(m, w->pte_ma);
        w->pte_valid = true;
        if (!(w->pte & PTE_P))
            return;
        rights &= w->pte;
        w->ma = MA((w->pte & PTE_FRAME) | (linear & PAGE_MASK));
    }
    w->present = true;
    w->writable = (rights & PTE_W) != 0;
    w->user = (rights & PTE_U) != 0;
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

bool walk_fill(uc_engine *uc, uint64_t address, uc_mem_type type,
               uc_tlb_entry *result, void *user_data)
{
    struct machine *m = user_data;
    bool write = type == UC_MEM_WRITE, fetch = type == UC_MEM_FETCH;
    bool user = live_cpl(m) == 3, writable;
    uint32_t linear = (uint32_t)address;
    ma_t ma;

    (void)uc;
    if (address >> 63) {
        m->refused = REFUSED_WRAPPED;
        return false;
    }
    if (address >= LINEAR_MICROCODE)
        return fill_own(address, result);
    m->trace->count.tlb_fills++;
    if (!walk_access(m, linear, write, user, fetch, &ma, &writable,
                     &m->refused_fault)) {
        m->refused = REFUSED_FAULT;
        m->refused_fetch = fetch;
        return false;
    }
    ma.v &= ~(uint64_t)PAGE_MASK;
    result->paddr = ma.v;
    result->perms = UC_PROT_READ;
    if (fetch)
        return code_fetched(m, linear, ma, result);
    if (!memory_has(&m->memory, ma, PAGE_BYTES)) {
        m->refused = REFUSED_DEVICE; /* EIP and clock are not exact here */
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
