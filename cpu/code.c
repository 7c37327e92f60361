/* SPDX-License-Identifier: MIT */
/* cpu/code.c - pages that hold code: write-xor-execute, twins, counting.
 *
 * The engine keeps translations of guest code and does not notice every store
 * to it. So a machine page is either code (then no TLB entry lets it be
 * written) or data (then none lets it be fetched), and changes sides at the
 * first access of the other kind, when its translations are dropped.
 *
 * The engine cannot be told to stop at an instruction either. A page with
 * instructions that need it is fetched from a twin, a copy in which each of
 * them starts with INT3, while reads and writes go to the original. Blocks are
 * decoded when they first run, so only bytes that really begin an executed
 * instruction are ever patched, and the clock gets its instruction counts.
 *
 * A page where that is not exact runs one instruction at a time ("stepped"):
 * code that keeps writing to itself, overlapping instructions, and the LOCK
 * forms that would stop the engine's process.
 */
#include "cpu/machine_priv.h"

#include <stdlib.h>

static struct code_page *page_of(const struct machine *m, ma_t ma)
{
    return memory_has(&m->memory, ma, 1) ? m->pages[ma.v >> PAGE_SHIFT] : NULL;
}

static void remove_translations(struct machine *m, uint64_t engine_address,
                                uint64_t bytes)
{
    uint64_t at = LINEAR_ALIAS + engine_address;

    uc_ctl_remove_cache(m->engine.uc, at, at + bytes);
}

static uint64_t twin_address(const struct code_page *p)
{
    return ENGINE_TWINS + (uint64_t)(p->twin - 1) * PAGE_BYTES;
}

static void forget_analysis(struct code_page *p)
{
    memset(p->starts, 0, sizeof p->starts);
    memset(p->interior, 0, sizeof p->interior);
    memset(p->sites, 0, sizeof p->sites);
    memset(p->blocks, 0, sizeof p->blocks);
    p->twinned = false;
}

void code_drop(struct machine *m, ma_t ma)
{
    struct code_page *p = page_of(m, ma);
    uint64_t page = ma.v & ~(uint64_t)PAGE_MASK;

    if (!p || !p->code)
        return;
    remove_translations(m, page, PAGE_BYTES);
    if (p->twinned)
        remove_translations(m, twin_address(p), PAGE_BYTES);
    forget_analysis(p);
    p->code = false;
    p->dirty = false;
    m->trace->count.code_rewritten++;
    uc_ctl_flush_tlb(m->engine.uc);
}

void machine_memory_written(struct machine *m, ma_t ma, uint64_t bytes)
{
    if (!bytes || !memory_has(&m->memory, ma, bytes))
        return;
    for (uint64_t n = ma.v >> PAGE_SHIFT; n <= (ma.v + bytes - 1) >> PAGE_SHIFT;
         n++)
        if (m->pages[n] && m->pages[n]->code)
            code_drop(m, MA(n << PAGE_SHIFT));
}

/* Does the page hold bytes that may be a LOCK form the engine cannot
 * translate? Looks at every F0 without knowing where instructions begin. */
static bool has_bad_lock(const uint8_t *page)
{
    const uint8_t *at = page, *end = page + PAGE_BYTES;

    while ((at = memchr(at, 0xF0, (size_t)(end - at)))) {
        const uint8_t *op = at + 1;

        while (op < end && op < at + 14 &&
               (*op == 0x66 || *op == 0x67 || *op == 0xF2 || *op == 0xF3 ||
                *op == 0x2E || *op == 0x36 || *op == 0x3E || *op == 0x26 ||
                *op == 0x64 || *op == 0x65 || *op == 0xF0))
            op++;
        if (op + 3 > end) {
            if (op >= end || op[0] == 0x0F)
                return true; /* cut by the page's end: may be one */
        } else if (op[0] == 0x0F && op[2] >= 0xC0 &&
                   ((op[1] & 0xE7) == 0xA3 ||
                    (op[1] == 0xBA && (op[2] & 0x38) >= 0x20))) {
            return true;
        }
        at++;
    }
    return false;
}

bool code_fetched(struct machine *m, uint64_t linear, ma_t ma,
                  uc_tlb_entry *result)
{
    struct fetch_slot *slot = &m->fetch[(linear >> PAGE_SHIFT) % FETCH_SLOTS];
    struct code_page *p;

    result->perms = UC_PROT_READ | UC_PROT_EXEC;
    slot->page = 0;
    if (!memory_has(&m->memory, ma, PAGE_BYTES)) {
        result->paddr = ENGINE_MICROCODE + PAGE_BYTES; /* all ones: #UD */
        return true;
    }
    p = m->pages[ma.v >> PAGE_SHIFT];
    if (!p) {
        p = calloc(1, sizeof *p);
        if (!p) {
            machine_break(m, "out of host memory");
            return false;
        }
        m->pages[ma.v >> PAGE_SHIFT] = p;
    }
    if (!p->code) {
        p->code = true;
        p->strict = false;
        p->stepped = p->own_stores >= OWN_STORES ||
                     has_bad_lock(memory_at(&m->memory, ma));
        m->trace->count.code_pages++;
        uc_ctl_flush_tlb(m->engine.uc); /* no entry may write to it */
    }
    if (!p->strict && live_cpl(m) > 0) {
        p->strict = true;
        memset(p->blocks, 0, sizeof p->blocks); /* look again */
    }
    if (p->stepped && !m->stepping) {
        m->refused = REFUSED_STEP;
        return false;
    }
    *slot = (struct fetch_slot){(linear >> PAGE_SHIFT) + 1, p, ma.v};
    if (p->twinned && !p->stepped) {
        result->paddr = twin_address(p);
        result->perms = UC_PROT_EXEC;
    }
    return true;
}

/* The machine page of a linear address that is being executed. */
static struct code_page *executing(struct machine *m, uint64_t linear,
                                   ma_t *page)
{
    struct fetch_slot *slot = &m->fetch[(linear >> PAGE_SHIFT) % FETCH_SLOTS];
    struct hw_walk walk;

    if (slot->page == (linear >> PAGE_SHIFT) + 1) {
        *page = MA(slot->ma);
        return slot->code;
    }
    machine_walk(m, (uint32_t)linear, &walk);
    if (!walk.present || !memory_has(&m->memory, walk.ma, 1))
        return NULL;
    *page = MA(walk.ma.v & ~(uint64_t)PAGE_MASK);
    return m->pages[walk.ma.v >> PAGE_SHIFT];
}

bool code_written(struct machine *m, ma_t ma, uc_tlb_entry *result)
{
    struct code_page *p = m->pages[ma.v >> PAGE_SHIFT];
    ma_t at;

    result->perms = UC_PROT_READ | UC_PROT_WRITE;
    if (!p->code) {
        p->own_stores = 0;
        return true;
    }
    if (m->stepping) {
        p->dirty = true; /* code_stepped() sees to it */
        return true;
    }
    if ((executing(m, m->block, &at) && at.v == ma.v) ||
        (executing(m, m->block + m->block_bytes - 1, &at) && at.v == ma.v)) {
        m->refused = REFUSED_OWN_STORE;
        return false;
    }
    p->own_stores = 0;
    code_drop(m, ma);
    return true;
}

/* After a stepped instruction: pages it wrote to lose their translations. Only
 * the few pages around it can be both written and executed. */
void code_stepped(struct machine *m, uint32_t linear)
{
    bool flush = false;

    for (unsigned i = 0; i < FETCH_SLOTS; i++) {
        struct code_page *p = m->fetch[i].code;
        bool own = m->fetch[i].page == (linear >> PAGE_SHIFT) + 1u;

        if (!m->fetch[i].page || !p->dirty)
            continue;
        if (own && p->own_stores < OWN_STORES)
            p->own_stores++;
        code_drop(m, MA(m->fetch[i].ma));
        flush = true;
    }
    if (flush)
        uc_ctl_flush_tlb(m->engine.uc);
}

bool code_needs_step(struct machine *m, uint32_t linear)
{
    ma_t at;
    struct code_page *p = executing(m, linear, &at);

    return p && p->code && p->stepped;
}

bool code_is_site(struct machine *m, uint32_t linear)
{
    ma_t at;
    struct code_page *p = executing(m, linear, &at);

    return p && p->twinned && bit_test(p->sites, linear & PAGE_MASK);
}

size_t code_bytes(struct machine *m, uint32_t linear, uint8_t *out,
                  size_t bytes)
{
    size_t done = 0;

    while (done < bytes) {
        size_t part = PAGE_BYTES - ((linear + done) & PAGE_MASK);
        struct hw_walk walk;

        if (part > bytes - done)
            part = bytes - done;
        machine_walk(m, linear + (uint32_t)done, &walk);
        if (!walk.present)
            break;
        if (memory_has(&m->memory, walk.ma, part))
            memcpy(out + done, memory_at(&m->memory, walk.ma), part);
        else
            memset(out + done, 0xFF, part);
        done += part;
    }
    return done;
}

/* ---- blocks ----------------------------------------------------------- */

static bool give_twin(struct machine *m, struct code_page *p, ma_t page)
{
    if (!p->twin) {
        if (m->twin_count == TWIN_LIMIT) {
            machine_break(m, "too many code pages with intercepts");
            return false;
        }
        p->twin = ++m->twin_count;
    }
    memcpy(m->twins + (uint64_t)(p->twin - 1) * PAGE_BYTES,
           memory_at(&m->memory, page), PAGE_BYTES);
    remove_translations(m, twin_address(p), PAGE_BYTES);
    p->twinned = true;
    uc_ctl_flush_tlb(m->engine.uc); /* fetch from the twin from now on */
    return true;
}

static void make_stepped(struct machine *m, struct code_page *p, ma_t page)
{
    uint8_t own = OWN_STORES;

    code_drop(m, page);
    p->own_stores = own;
}

/* Put INT3 over the instruction at offset. */
static void make_site(struct machine *m, struct code_page *p, ma_t page,
                      unsigned offset)
{
    if (!p->twinned && !give_twin(m, p, page))
        return;
    bit_set(p->sites, offset);
    m->twins[(uint64_t)(p->twin - 1) * PAGE_BYTES + offset] = 0xCC;
    remove_translations(m, twin_address(p) + offset, 1);
}

/* Note where one instruction lies in its page; true if it collides with
 * another decoding of the same bytes around a site. */
static bool note_instruction(struct code_page *p, unsigned offset,
                             unsigned length, bool site)
{
    bool collides = site && bit_test(p->interior, offset);

    bit_set(p->starts, offset);
    for (unsigned i = offset + 1; i < offset + length && i < PAGE_BYTES; i++) {
        bit_set(p->interior, i);
        collides |= bit_test(p->sites, i);
    }
    return collides;
}

/* A block that was looked at before: count it. */
static inline bool known_block(struct machine *m, const struct code_page *p,
                               uint64_t address, uint32_t size)
{
    unsigned block = p->blocks[address & PAGE_MASK];

    if (block >> BLOCK_SIZE_SHIFT != block_size_key(size))
        return false;
    m->now += block & BLOCK_COUNT;
    return true;
}

/* First run of a block: decode it, find sites, count. True: run it now. */
static bool analyse(struct machine *m, uint64_t address, uint32_t size)
{
    bool code32 = (*m->engine.live.hflags & HF_CS32) != 0, ready = true;
    bool known = false, site = false, split;
    ma_t page;
    struct code_page *p = executing(m, address, &page);
    uint32_t done = 0;
    unsigned count = 0;
    uint16_t *entry;
    struct insn insn = {.ends_block = false};

    if (!p || !p->code) {
        m->now++; /* not memory: all ones, an undefined instruction */
        return true;
    }
    /* Two pages may share a slot; take it back. */
    m->fetch[(address >> PAGE_SHIFT) % FETCH_SLOTS] =
        (struct fetch_slot){(address >> PAGE_SHIFT) + 1, p, page.v};
    if (known_block(m, p, address, size))
        return true;
    while (done < size) {
        unsigned offset = (unsigned)((address + done) & PAGE_MASK);
        uint8_t bytes[INSN_MAX_LENGTH];
        size_t n =
            code_bytes(m, (uint32_t)(address + done), bytes, sizeof bytes);
        unsigned length;

        known = decode_flow(bytes, n, code32, &insn);
        length = known ? insn.length : 1;
        site = known && intercept_wanted(m, &insn, p->strict);
        if (done + (address & PAGE_MASK) >= PAGE_BYTES)
            break; /* the tail of a block that spans pages: next block's */
        count++;
        if (note_instruction(p, offset, length, site)) {
            make_stepped(m, p, page);
            return false;
        }
        if (site && !bit_test(p->sites, offset)) {
            make_site(m, p, page, offset);
            ready = false;
        }
        done += length;
        if (site || !known)
            break; /* the INT3 there, or #UD, ends the block */
    }
    if (count > BLOCK_COUNT)
        count = BLOCK_COUNT;
    split = !known || !(code_boundary_after(&insn) || site);
    entry = &p->blocks[address & PAGE_MASK];
    /* The one instruction in an interrupt shadow is not the usual block. */
    if (!(*m->engine.live.hflags & HF_INHIBIT_IRQ))
        *entry = (uint16_t)(count | (split ? BLOCK_SPLIT : 0) |
                            block_size_key(size) << BLOCK_SIZE_SHIFT);
    if (ready)
        m->now += count;
    return ready;
}

bool code_boundary_after(const struct insn *insn)
{
    switch (insn->id) {
    case INSN_POPF: /* may have allowed interrupts */
    case INSN_MOV_TO_CR:
    case INSN_WRMSR:
    case INSN_IN: /* a device may have raised one */
    case INSN_OUT:
    case INSN_INS:
    case INSN_OUTS: return true;
    default: return insn->ends_block || insn->rep || insn->repne;
    }
}

/* Is this block only the continuation of the one before, which the engine cut
 * for its own reasons? Then it is no place to look up. */
static bool continues(struct machine *m, uint64_t address)
{
    ma_t page;
    struct code_page *p;

    if (m->block + m->block_bytes != address)
        return false;
    p = executing(m, m->block, &page);
    return p && (p->blocks[m->block & PAGE_MASK] & BLOCK_SPLIT);
}

static bool must_stop(struct machine *m)
{
    const struct live *l = &m->engine.live;

    if (m->stop || m->attend || m->now >= m->deadline)
        return true;
    if (*l->hflags & HF_INHIBIT_IRQ)
        return false;
    return (m->nmi && !m->client.exit && !(*l->hflags2 & HF2_NMI)) ||
           (m->intr && (*l->eflags & EFL_IF));
}

/* The slow side of the block hook; true: the block may run. */
static bool look_up(struct machine *m, uint64_t address)
{
    if (m->mid_block) {
        m->mid_block = false;
        return true;
    }
    return continues(m, address) || !must_stop(m);
}

/* Called by the engine before every block. */
void code_block(uc_engine *uc, uint64_t address, uint32_t size, void *user)
{
    struct machine *m = user;
    struct fetch_slot *slot = &m->fetch[(address >> PAGE_SHIFT) % FETCH_SLOTS];

    if (m->now >= m->attention) {
        if (m->stepping || address >= LINEAR_MICROCODE)
            return;
        if (!look_up(m, address)) {
            m->asked = true;
            uc_emu_stop(uc);
            return;
        }
    }
    m->block = address;
    m->block_bytes = size;
    m->block_start = m->now;
    if (slot->page == (address >> PAGE_SHIFT) + 1) {
        if (known_block(m, slot->code, address, size))
            return;
    }
    if (!analyse(m, address, size)) {
        m->asked = true;
        uc_emu_stop(uc);
    }
}

void code_refund(struct machine *m, uint32_t linear)
{
    ma_t page;
    struct code_page *p = executing(m, m->block, &page);
    unsigned from = (unsigned)(m->block & PAGE_MASK), to, count, done = 0;

    if (!p || linear < m->block || linear >= m->block + m->block_bytes)
        return;
    count = (unsigned)(m->now - m->block_start);
    to = (linear >> PAGE_SHIFT) == (m->block >> PAGE_SHIFT) ? linear & PAGE_MASK
                                                            : PAGE_BYTES;
    for (unsigned i = from; i < to && done < count; i++)
        done += bit_test(p->starts, i);
    m->now -= count - done;
}
