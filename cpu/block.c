/* SPDX-License-Identifier: MIT */
/* cpu/block.c - before every block: the clock, interrupts, and the search for
 * instructions that the machine executes itself.
 *
 * The engine runs straight pieces of code ("blocks") and tells us before each.
 * A block is decoded when it first runs, so only bytes that really begin an
 * executed instruction are ever replaced, and the clock gets its instruction
 * counts. From then on a block costs a look into a table.
 */
#include "cpu/machine_priv.h"

/* Note where one instruction lies; the page in which it collides with another
 * decoding of the same bytes around a site, or NULL. */
static struct code_page *note_instruction(struct code_page *p,
                                          struct code_page *next,
                                          unsigned offset, unsigned length,
                                          bool site)
{
    struct code_page *collides = NULL;

    if (site && bit_test(p->interior, offset))
        collides = p;
    for (unsigned i = offset + 1; i < offset + length; i++) {
        struct code_page *at = i < PAGE_BYTES ? p : next;

        if (!at)
            break;
        bit_set(at->interior, i & PAGE_MASK);
        if (bit_test(at->sites, i & PAGE_MASK))
            collides = at;
    }
    return collides;
}

/* What one look at a block's instructions finds. */
struct look {
    unsigned count;
    bool ready; /* nothing had to be replaced: it may run */
    bool split; /* its end is none of the program's */
};

/* Look at one instruction of a block; false: the last, or all is off. */
static bool look_at(struct machine *m, uint64_t linear, struct code_page *p,
                    struct code_page *next, struct look *look,
                    struct insn *insn)
{
    bool code32 = (*m->engine.live.hflags & HF_CS32) != 0;
    unsigned offset = (unsigned)(linear & PAGE_MASK);
    uint8_t bytes[INSN_MAX_LENGTH];
    size_t n = code_bytes(m, (uint32_t)linear, bytes, sizeof bytes);
    bool known = decode_flow(bytes, n, code32, insn);
    bool site = known && intercept_wanted(m, insn, p->strict);
    bool quiet = known && code_is_pause(bytes, insn);
    struct code_page *collides;

    if (!known)
        insn->length = 1;
    look->count++;
    collides = note_instruction(p, next, offset, insn->length, site || quiet);
    if (collides) {
        code_overlaps(m, collides);
        look->ready = false;
        return false;
    }
    if ((site || quiet) && !bit_test(p->sites, offset)) {
        code_make_site(m, p, offset, site ? OP_INT3 : PREFIX_OPERAND_SIZE);
        look->ready = false;
    }
    look->split = !known || !(code_boundary_after(insn) || site);
    return known && !site; /* the INT3 there, or #UD, ends the block */
}

/* Blocks that run over into a page are only known together with it. */
static bool follows(struct machine *m, const struct code_page *p, uint64_t last)
{
    ma_t at;
    const struct code_page *next = code_executing(m, last, &at);

    return next && next == p->next && next->generation == p->next_generation;
}

static void note_next(struct code_page *p, struct code_page *next)
{
    if (p->next == next && p->next_generation == next->generation)
        return;
    memset(p->blocks, 0, sizeof p->blocks);
    p->next = next;
    p->next_generation = next->generation;
}

static void remember(struct machine *m, struct code_page *p,
                     struct code_page *next, uint64_t address, uint32_t size,
                     const struct look *look)
{
    /* The one instruction in an interrupt shadow is not the usual block. */
    if (*m->engine.live.hflags & HF_INHIBIT_IRQ)
        return;
    if (next)
        note_next(p, next);
    p->blocks[address & PAGE_MASK] =
        look->count | (look->split ? BLOCK_SPLIT : 0u) |
        (next ? BLOCK_SPANS : 0u) | size << BLOCK_SIZE_SHIFT;
}

static inline void begin_block(struct machine *m, uint64_t address,
                               uint32_t size)
{
    m->block = address;
    m->block_bytes = size;
    m->block_start = m->now;
}

/* Count a block that was looked at before; false: it was not. */
static inline bool count_known(struct machine *m, uint64_t address,
                               uint32_t size)
{
    const struct fetch_slot *slot = fetch_slot(m, address);
    uint32_t block;

    if (slot->page != (address >> PAGE_SHIFT) + 1)
        return false;
    block = slot->code->blocks[address & PAGE_MASK];
    if (block >> BLOCK_SIZE_SHIFT != size || (block & BLOCK_SPANS))
        return false;
    begin_block(m, address, size);
    m->now += block & BLOCK_COUNT;
    return true;
}

/* The same for one that runs over into the next page. */
static bool count_spanning(struct machine *m, const struct code_page *p,
                           uint64_t address, uint32_t size)
{
    uint32_t block = p->blocks[address & PAGE_MASK];

    if (block >> BLOCK_SIZE_SHIFT != size || !(block & BLOCK_SPANS) ||
        !follows(m, p, address + size - 1))
        return false;
    begin_block(m, address, size);
    m->now += block & BLOCK_COUNT;
    return true;
}

/* First run of a block: decode it, find sites, count. True: run it now. */
static bool analyse(struct machine *m, uint64_t address, uint32_t size)
{
    uint64_t end = address + size;
    struct look look = {.ready = true};
    struct code_page *p, *next = NULL;
    struct insn insn;
    ma_t page;

    p = code_executing(m, address, &page);
    if (!p || !p->code) {
        begin_block(m, address, size);
        m->now++; /* not memory: all ones, an undefined instruction */
        return true;
    }
    /* Two pages may share a slot; take it back. */
    *fetch_slot(m, address) =
        (struct fetch_slot){(address >> PAGE_SHIFT) + 1, p};
    if (count_known(m, address, size) || count_spanning(m, p, address, size))
        return true;
    if ((end - 1) >> PAGE_SHIFT != address >> PAGE_SHIFT)
        next = code_executing(m, end - 1, &page);
    for (uint64_t at = address; at < end; at += insn.length) {
        bool first = at >> PAGE_SHIFT == address >> PAGE_SHIFT;

        if (!first && !next)
            break; /* not memory */
        if (!look_at(m, at, first ? p : next, first ? next : NULL, &look,
                     &insn))
            break;
    }
    if (look.ready) {
        remember(m, p, next, address, size, &look);
        begin_block(m, address, size);
        m->now += look.count;
    }
    return look.ready;
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
    case INSN_NOP: return false;
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
    p = code_executing(m, m->block, &page);
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
        machine_look(m);
        return true;
    }
    return !must_stop(m) || continues(m, address);
}

/* The functions below are kept apart so that the usual case saves no
 * registers. First: a block that is new, or may have to stop. */
__attribute__((noinline)) static void
block_slow(struct machine *m, uint64_t address, uint32_t size)
{
    if (m->stepping || address >= LINEAR_MICROCODE)
        return;
    if (m->now >= m->attention && !look_up(m, address)) {
        m->asked = true;
        uc_emu_stop(m->engine.uc);
        return;
    }
    if (!analyse(m, address, size)) {
        m->asked = true;
        uc_emu_stop(m->engine.uc);
    }
}

/* Often an interrupt waits for IF only; then there is nothing to do either. */
__attribute__((noinline)) static void
block_waiting(struct machine *m, uint64_t address, uint32_t size)
{
    if (!m->waiting || m->now >= m->deadline ||
        (*m->engine.live.eflags & EFL_IF) || !count_known(m, address, size))
        block_slow(m, address, size);
}

/* Called by the engine before every block: the most executed function of the
 * project. */
void code_block(uc_engine *uc, uint64_t address, uint32_t size, void *user)
{
    struct machine *m = user;

    (void)uc;
    if (m->now >= m->attention)
        block_waiting(m, address, size);
    else if (!count_known(m, address, size))
        block_slow(m, address, size);
}

void code_refund(struct machine *m, uint32_t linear)
{
    bool code32 = (*m->engine.live.hflags & HF_CS32) != 0;
    uint64_t at = m->block, end = m->block + m->block_bytes;
    uint64_t retired = m->block_start;

    if (linear < at || linear >= end)
        return;
    while (at < linear) {
        uint8_t bytes[INSN_MAX_LENGTH];
        size_t n = code_bytes(m, (uint32_t)at, bytes, sizeof bytes);
        struct insn insn;

        at += decode_flow(bytes, n, code32, &insn) ? insn.length : 1u;
        retired++;
    }
    if (retired < m->now)
        m->now = retired;
}
