/* SPDX-License-Identifier: MIT */
/* cpu/machine.c - the machine put together: memory, hooks, state, clock. */
#include "cpu/machine_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define ADDRESS_SPACE (1ull << 32)

/* ---- hooks -------------------------------------------------------------- */

static uint64_t hook_mmio_read(uc_engine *uc, uint64_t offset, unsigned size,
                               void *user)
{
    struct machine *m = user;

    (void)uc;
    return m->client.mmio_read(m->client.owner, MA(m->memory.bytes + offset),
                               size);
}

static void hook_mmio_write(uc_engine *uc, uint64_t offset, unsigned size,
                            uint64_t value, void *user)
{
    struct machine *m = user;

    (void)uc;
    m->client.mmio_write(m->client.owner, MA(m->memory.bytes + offset), size,
                         (uint32_t)value);
}

static bool add_hook(struct machine *m, int type, void *call, int insn)
{
    return uc_hook_add(m->engine.uc, &m->hooks[m->hook_count++], type, call, m,
                       1, 0, insn) == UC_ERR_OK;
}

static bool add_hooks(struct machine *m)
{
    return add_hook(m, UC_HOOK_TLB_FILL, (void *)walk_fill, 0) &&
           add_hook(m, UC_HOOK_INTR, (void *)run_interrupt, 0) &&
           add_hook(m, UC_HOOK_INSN_INVALID, (void *)run_invalid, 0) &&
           add_hook(m, UC_HOOK_BLOCK, (void *)code_block, 0) &&
           add_hook(m, UC_HOOK_INSN, (void *)cpuid_hook, UC_X86_INS_CPUID);
}

/* ---- memory ------------------------------------------------------------- */

static void *host_pages(uint64_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

/* The machine's memory: large pages of the host's spare it page faults and
 * misses in its own TLB. Where it has none to give, small ones do. */
static uint8_t *memory_pages(uint64_t bytes)
{
    uint8_t *p = host_pages(bytes);

    if (p)
        (void)madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}

/* invlpg [eax]; int3 - and a page of ones, which is what is fetched where
 * there is no memory. */
static void write_microcode(uint8_t *page)
{
    static const uint8_t drop_page[] = {0x0F, 0x01, 0x38, 0xCC};

    memcpy(page, drop_page, sizeof drop_page);
    memset(page + PAGE_BYTES, 0xFF, PAGE_BYTES);
}

static bool map_memory(struct machine *m)
{
    uc_engine *uc = m->engine.uc;
    uint64_t twins = (uint64_t)TWIN_LIMIT * PAGE_BYTES;

    m->memory.host = memory_pages(m->memory.bytes);
    m->twins = host_pages(twins);
    m->microcode = host_pages(2 * PAGE_BYTES);
    m->pages = calloc(m->memory.bytes >> PAGE_SHIFT, sizeof *m->pages);
    if (!m->memory.host || !m->twins || !m->microcode || !m->pages)
        return false;
    write_microcode(m->microcode);
    return uc_mem_map_ptr(uc, 0, m->memory.bytes, UC_PROT_ALL,
                          m->memory.host) == UC_ERR_OK &&
           uc_mem_map_ptr(uc, ENGINE_TWINS, twins, UC_PROT_ALL, m->twins) ==
               UC_ERR_OK &&
           uc_mem_map_ptr(uc, ENGINE_MICROCODE, 2 * PAGE_BYTES, UC_PROT_ALL,
                          m->microcode) == UC_ERR_OK &&
           uc_mmio_map(uc, m->memory.bytes, ADDRESS_SPACE - m->memory.bytes,
                       hook_mmio_read, m, hook_mmio_write, m) == UC_ERR_OK;
}

static uint64_t stamp(const void *ctx)
{
    return machine_now(ctx);
}

static void open_clock(struct machine *m)
{
    const struct live *l = &m->engine.live;

    clock_open(&m->clock, &(struct clock_engine){
                              .engine = m->engine.uc,
                              .user = m,
                              .state = l->regs,
                              .exit = l->exit_word,
                              .noted = &l->regs[GPR_COUNT],
                              .hook = (void (*)(void))code_block,
                              .counted = (void (*)(void))code_counted,
                          });
}

struct machine *machine_create(const struct machine_config *config,
                               char **error)
{
    struct machine *m = calloc(1, sizeof *m);
    struct cpu_state reset;

    *error = NULL;
    if (!m || !engine_open(&m->engine, error)) {
        free(m);
        return NULL;
    }
    m->client = config->client;
    m->stamps = (struct trace_clock){stamp, m};
    open_clock(m);
    m->trace = config->trace;
    m->memory.bytes = config->memory_bytes;
    m->deadline = m->event_at = UINT64_MAX;
    m->own_first = UINT32_MAX; /* none */
    if (!tlb_create(&m->tlb,
                    config->tlb_entries ? config->tlb_entries : TLB_ENTRIES,
                    config->tlb_ways ? config->tlb_ways : TLB_WAYS) ||
        !map_memory(m) || !add_hooks(m)) {
        if (asprintf(error, "cannot set up %llu MiB of machine memory",
                     (unsigned long long)(config->memory_bytes >> 20)) < 0)
            *error = NULL;
        machine_destroy(m);
        return NULL;
    }
    arch_reset(&reset);
    machine_set_state(m, &reset);
    drops_seek(m);
    own_create(m);
    if (config->plain_clock)
        m->clock.code = m->clock.code_end = 0;
    machine_look(m);
    return m;
}

static void unmap(void *p, uint64_t bytes)
{
    if (p)
        munmap(p, bytes);
}

void machine_destroy(struct machine *m)
{
    if (!m)
        return;
    engine_close(&m->engine);
    clock_close(&m->clock);
    for (uint64_t i = 0; m->pages && i < m->memory.bytes >> PAGE_SHIFT; i++)
        free(m->pages[i]);
    free(m->pages);
    tlb_destroy(&m->tlb);
    unmap(m->memory.host, m->memory.bytes);
    unmap(m->twins, (uint64_t)TWIN_LIMIT * PAGE_BYTES);
    unmap(m->microcode, 2 * PAGE_BYTES);
    free(m);
}

const struct memory *machine_memory(const struct machine *m)
{
    return &m->memory;
}

const char *machine_broken(const struct machine *m)
{
    return m->broken ? m->broken : "";
}

const struct arch_chain *machine_triple_fault(const struct machine *m)
{
    return &m->chain;
}

/* ---- state -------------------------------------------------------------- */

void machine_get_system(const struct machine *m, struct cpu_state *s)
{
    engine_load_system(&m->engine, s);
    s->tr.base = m->extra.tr.base; /* the engine's is LINEAR_NO_TASK */
}

void machine_get_state(const struct machine *m, struct cpu_state *s)
{
    *s = m->extra;
    machine_get_running(m, s);
    machine_get_system(m, s);
}

static void look_if_allowed(struct machine *m, const struct cpu_state *s)
{
    if (m->waiting && run_interrupt_waits(m) && (s->eflags & EFL_IF))
        clock_attend_from(&m->clock, 0);
}

/* "Operations that Invalidate TLBs and Paging-Structure Caches": what a load of
 * control registers does. EFER.NXE changes what entries mean. */
static void invalidate_for(struct machine *m, const struct cpu_state *s)
{
    const uint64_t *cr = m->engine.live.cr;
    uint32_t cr4 = (uint32_t)cr[4] ^ s->cr4;

    if ((((uint32_t)cr[0] ^ s->cr0) & CR0_PG) ||
        (cr4 & (CR4_PGE | CR4_PAE | CR4_PSE)) || m->extra.efer != s->efer)
        drops_flush(m, TLB_CONTEXT, m->tlb.tag);
    else if ((uint32_t)cr[3] != s->cr3 ||
             memcmp(m->extra.pdpte, s->pdpte, sizeof s->pdpte) != 0)
        drops_flush(m, TLB_LOCAL, m->tlb.tag);
}

void machine_set_state(struct machine *m, const struct cpu_state *s)
{
    invalidate_for(m, s);
    machine_put_state(m, s);
}

void machine_put_state(struct machine *m, const struct cpu_state *s)
{
    m->extra = *s;
    engine_store(&m->engine, s);
    walk_configure(m);
    m->engine.live.tr->base = LINEAR_NO_TASK;
    own_hide_tables(m);
    look_if_allowed(m, s);
}

bool machine_load_pdptes(struct machine *m, struct cpu_state *s)
{
    struct mem_ops mem = machine_mem_ops(m);
    struct fault f;

    return !state_pae(s) || arch_load_pdptes(s, &mem, &f);
}

void machine_get_running(const struct machine *m, struct cpu_state *s)
{
    engine_load_running(&m->engine, s);
    s->halted = m->halted;
}

void machine_set_running(struct machine *m, const struct cpu_state *s)
{
    engine_store_running(&m->engine, s);
    look_if_allowed(m, s);
}

void machine_get_frame(const struct machine *m, struct cpu_state *s)
{
    engine_load_frame(&m->engine, s);
    s->halted = m->halted;
}

void machine_get_rest(const struct machine *m, struct cpu_state *s)
{
    engine_load_rest(&m->engine, s);
}

void machine_set_frame(struct machine *m, const struct cpu_state *s)
{
    engine_store_frame(&m->engine, s);
    look_if_allowed(m, s);
}

uint32_t machine_reg(const struct machine *m, enum gpr reg)
{
    return (uint32_t)m->engine.live.regs[reg];
}

void machine_set_reg(struct machine *m, enum gpr reg, uint32_t value)
{
    m->engine.live.regs[reg] = value;
}

uint32_t machine_eip(const struct machine *m)
{
    return (uint32_t)*m->engine.live.eip;
}

void machine_set_eip(struct machine *m, uint32_t eip)
{
    *m->engine.live.eip = eip;
}

uint32_t machine_eflags(const struct machine *m)
{
    return engine_eflags(&m->engine);
}

void machine_set_arith_flags(struct machine *m, uint32_t eflags)
{
    engine_set_arith_flags(&m->engine, eflags);
}

/* ---- clock and pins ------------------------------------------------------ */

uint64_t machine_now(const struct machine *m)
{
    return clock_now(&m->clock);
}

const struct trace_clock *machine_clock(const struct machine *m)
{
    return &m->stamps;
}

uint64_t machine_read_clock(struct machine *m)
{
    uint64_t now = clock_now(&m->clock);

    clock_add(&m->clock, RDTSC_CYCLES - 1);
    return now;
}

void machine_retire(struct machine *m, int instructions)
{
    clock_add(&m->clock, instructions);
}

void machine_event_taken(struct machine *m)
{
    if (m->event_at == clock_now(&m->clock))
        clock_add(&m->clock, 1);
    m->event_at = clock_now(&m->clock);
}

void machine_skip_to(struct machine *m, uint64_t cycles)
{
    if (cycles > clock_now(&m->clock))
        clock_move(&m->clock, cycles);
}

void machine_set_now(struct machine *m, uint64_t cycles)
{
    clock_move(&m->clock, cycles);
}

void machine_set_deadline(struct machine *m, uint64_t cycles)
{
    m->deadline = cycles;
    machine_look(m);
}

void machine_attend(struct machine *m)
{
    m->attend = true;
    machine_look_now(m);
}

void machine_set_interrupted(struct machine *m, const volatile bool *flag)
{
    m->interrupted = flag;
}

void machine_set_halted(struct machine *m, bool halted)
{
    if (m->halted == halted)
        return;
    m->halted = halted;
    machine_look(m);
}

void machine_request_step(struct machine *m)
{
    m->step_requested = true;
}

void machine_step_next(struct machine *m, bool on)
{
    m->step_next = on;
}

void machine_set_intr(struct machine *m, bool level)
{
    if (m->intr == level)
        return;
    m->intr = level;
    machine_look(m);
}

void machine_raise_nmi(struct machine *m)
{
    m->nmi = true;
    machine_look(m);
}

void machine_watch(struct machine *m, unsigned classes)
{
    m->watch = classes;
}

void machine_set_weighed(struct machine *m, uint32_t first, uint32_t last)
{
    m->own_first = first;
    m->own_last = last;
}

/* ---- save and restore ---------------------------------------------------- */

struct saved {
    struct cpu_state extra;
    struct tlb tlb; /* its entries come behind */
    struct vmx vmx;
    uint64_t now, deadline, event_at;
    bool attend, intr, nmi, halted, mid_block, creep, step_requested;
    bool step_next;
};

static size_t tlb_bytes(const struct machine *m)
{
    return m->tlb.entries * sizeof *m->tlb.entry;
}

size_t machine_save(const struct machine *m, void *buffer, size_t bytes)
{
    size_t context = uc_context_size(m->engine.uc), tlb = tlb_bytes(m);
    struct saved saved = {m->extra,
                          m->tlb,
                          m->vmx,
                          clock_now(&m->clock),
                          m->deadline,
                          m->event_at,
                          m->attend,
                          m->intr,
                          m->nmi,
                          m->halted,
                          m->mid_block,
                          m->creep,
                          m->step_requested,
                          m->step_next};
    uint8_t *to = buffer;
    uc_context *c;

    if (!buffer)
        return sizeof saved + tlb + context;
    if (bytes < sizeof saved + tlb + context ||
        uc_context_alloc(m->engine.uc, &c) != UC_ERR_OK)
        return 0;
    uc_context_save(m->engine.uc, c);
    memcpy(to, &saved, sizeof saved);
    memcpy(to + sizeof saved, m->tlb.entry, tlb);
    memcpy(to + sizeof saved + tlb, c, context);
    uc_context_free(c);
    return sizeof saved + tlb + context;
}

bool machine_restore(struct machine *m, const void *buffer, size_t bytes)
{
    size_t context = uc_context_size(m->engine.uc), tlb = tlb_bytes(m);
    const uint8_t *from = buffer;
    struct saved saved;
    uc_context *c;

    if (bytes != sizeof saved + tlb + context ||
        uc_context_alloc(m->engine.uc, &c) != UC_ERR_OK)
        return false;
    memcpy(&saved, from, sizeof saved);
    memcpy(c, from + sizeof saved + tlb, context);
    uc_context_restore(m->engine.uc, c);
    uc_context_free(c);
    m->extra = saved.extra;
    tlb_restore(&m->tlb, &saved.tlb, from + sizeof saved);
    m->vmx = saved.vmx;
    walk_configure(m);
    clock_move(&m->clock, saved.now);
    m->deadline = saved.deadline;
    m->event_at = saved.event_at;
    m->attend = saved.attend;
    m->intr = saved.intr;
    m->nmi = saved.nmi;
    m->halted = saved.halted;
    m->mid_block = saved.mid_block;
    m->creep = saved.creep;
    m->step_requested = saved.step_requested;
    m->step_next = saved.step_next;
    m->triple = m->stop = false;
    m->ept_flushes++;
    /* All of memory may be different: every code page starts anew. */
    for (uint64_t i = 0; i < m->memory.bytes >> PAGE_SHIFT; i++)
        if (m->pages[i])
            code_drop(m, MA(i << PAGE_SHIFT));
    drops_engine(m);
    machine_look(m);
    return true;
}
