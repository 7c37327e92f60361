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
    uint32_t block = p->blocks[address & PAGE_MASK];

    if (block >> BLOCK_SIZE_SHIFT != size)
        return false;
    m->now += block & BLOCK_COUNT;
    return true;
}

/* First run of a block: decode it, find sites, count. True: run it now. */
static bool analyse(struct machine *m, uint64_t address, uint32_t size)
{
    bool code32 = (*m->engine.live.hflags & HF_CS32) != 0, ready = true;
    bool known = false, site = false, quiet, split;
    ma_t page;
    struct code_page *p = code_executing(m, address, &page);
    uint32_t done = 0;
    unsigned count = 0;
    uint32_t *entry;
    struct insn insn = {.ends_block = false};

    if (!p || !p->code) {
        m->now++; /* not memory: all ones, an undefined instruction */
        return true;
    }
    /* Two pages may share a slot; take it back. */
    *fetch_slot(m, address) =
        (struct fetch_slot){(address >> PAGE_SHIFT) + 1, p};
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
        quiet = known && code_is_pause(bytes, &insn);
        if (done + (address & PAGE_MASK) >= PAGE_BYTES)
            break; /* the tail of a block that spans pages: next block's */
        count++;
        if (note_instruction(p, offset, length, site || quiet)) {
            code_overlaps(m, p);
            return false;
        }
        if ((site || quiet) && !bit_test(p->sites, offset)) {
            code_make_site(m, p, offset, site ? OP_INT3 : PREFIX_OPERAND_SIZE);
            ready = false;
        }
        done += length;
        if (site || !known)
            break; /* the INT3 there, or #UD, ends the block */
    }
    split = !known || !(code_boundary_after(&insn) || site);
    entry = &p->blocks[address & PAGE_MASK];
    /* The one instruction in an interrupt shadow is not the usual block. */
    if (!(*m->engine.live.hflags & HF_INHIBIT_IRQ))
        *entry = count | (split ? BLOCK_SPLIT : 0u) | size << BLOCK_SIZE_SHIFT;
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
        return true;
    }
    return !must_stop(m) || continues(m, address);
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
    if (block >> BLOCK_SIZE_SHIFT != size)
        return false;
    begin_block(m, address, size);
    m->now += block & BLOCK_COUNT;
    return true;
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
    begin_block(m, address, size);
    if (!analyse(m, address, size)) {
        m->asked = true;
        uc_emu_stop(m->engine.uc);
    }
}

/* Often an interrupt waits for IF only; then there is nothing to do either. */
__attribute__((noinline)) static void
block_waiting(struct machine *m, uint64_t address, uint32_t size)
{
    bool quiet =
        !(m->stepping || m->mid_block || m->stop || m->attend || m->nmi ||
          m->now >= m->deadline || (*m->engine.live.eflags & EFL_IF));

    if (!quiet || !count_known(m, address, size))
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
    ma_t page;
    struct code_page *p = code_executing(m, m->block, &page);
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
