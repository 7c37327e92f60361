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

/* The same with the instruction's first two bytes. */
static unsigned weight_of(const struct machine *m, uint32_t linear,
                          const uint8_t *bytes)
{
    unsigned weight = 1;

    if (is_own_code(m, linear) && m->client.weight)
        weight = m->client.weight(m->client.owner, linear);
    if (bytes[0] == PREFIX_REP && bytes[1] == OP_NOP)
        weight *= PAUSE_CYCLES;
    return weight;
}

unsigned code_weight(struct machine *m, uint32_t linear)
{
    uint8_t bytes[2] = {0};

    code_bytes(m, linear, bytes, sizeof bytes);
    return weight_of(m, linear, bytes);
}

/* What one look at a block's instructions finds. */
struct look {
    unsigned count;
    bool ready; /* nothing had to be replaced: it may run */
    bool split; /* its end is none of the program's */
    bool opens; /* it may allow interrupts */
};

/* May interrupts be allowed after it that were not before? All of these end
 * their block. */
static bool may_open(const struct insn *insn)
{
    return insn->id == INSN_STI || insn->id == INSN_POPF ||
           insn->id == INSN_IRET || insn->id == INSN_JMP_FAR ||
           insn->id == INSN_CALL_FAR;
}

/* Look at one instruction of a block; false: the last, or all is off. */
static bool look_at(struct machine *m, uint64_t linear, struct code_page *p,
                    struct code_page *next, struct look *look,
                    struct insn *insn)
{
    bool code32 = (*m->engine.live.hflags & HF_CS32) != 0;
    unsigned offset = (unsigned)(linear & PAGE_MASK);
    uint8_t buffer[INSN_MAX_LENGTH] = {0};
    const uint8_t *bytes = buffer;
    size_t n = INSN_MAX_LENGTH;
    bool known, own = is_own_code(m, (uint32_t)linear), site, quiet;
    struct code_page *collides;

    if (offset + n <= PAGE_BYTES)
        bytes =
            (const uint8_t *)memory_at(&m->memory, code_page_at(p)) + offset;
    else
        n = code_bytes(m, (uint32_t)linear, buffer, n);
    known = decode_flow(bytes, n, code32, insn);
    site = known ? (!own || insn->id == INSN_RDTSC) &&
                       intercept_wanted(m, insn, p->strict)
                 : !own && insn_undefined(insn);
    quiet = known && !site && code_is_pause(bytes, insn);
    site |= known && !own && !quiet && bit_test(p->sites, offset);
    if (!known)
        insn->length = 1;
    look->count += weight_of(m, (uint32_t)linear, bytes);
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
    look->opens = known && may_open(insn);
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

static void note_next(struct code_page *p, struct code_page *next,
                      uint16_t entered)
{
    if (next->entered < entered)
        next->entered = entered;
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
    if ((*m->engine.live.hflags & HF_INHIBIT_IRQ) || look->count > BLOCK_COUNT)
        return;
    if (next)
        note_next(p, next, (uint16_t)((address + size) & PAGE_MASK));
    if (p->longest < size)
        p->longest = (uint16_t)size;
    p->blocks[address & PAGE_MASK] =
        look->count | (look->split ? BLOCK_SPLIT : 0u) |
        (look->opens ? BLOCK_OPENS : 0u) | (next ? BLOCK_SPANS : 0u) |
        size << BLOCK_SIZE_SHIFT;
}

/* Interrupts that wait for IF may come behind this block. */
static inline void expect_open(struct machine *m)
{
    if (m->waiting && run_interrupt_waits(m))
        clock_attend_from(&m->clock, 0);
}

/* A block that was looked at before begins; the next time it counts itself. */
static inline void begin_known(struct machine *m, struct code_page *p,
                               uint64_t address, uint32_t size, uint8_t *back)
{
    uint32_t *block = &p->blocks[address & PAGE_MASK];

    clock_begin(&m->clock, address, size, *block & BLOCK_COUNT);
    if (own_has(m, (uint32_t)address))
        own_block(m, address, size, back);
    if (*block & BLOCK_OPENS)
        expect_open(m);
    else if (!(*block & BLOCK_HOOKED) &&
             !clock_inline(&m->clock, p->records, back, address, size,
                           *block & BLOCK_COUNT))
        *block |= BLOCK_HOOKED;
}

/* Count a block that was looked at before; false: it was not. */
static inline bool count_known(struct machine *m, uint64_t address,
                               uint32_t size, uint8_t *back)
{
    const struct fetch_slot *slot = fetch_slot(m, address);
    uint32_t block;

    if (slot->page != (address >> PAGE_SHIFT) + 1)
        return false;
    block = slot->code->blocks[address & PAGE_MASK];
    if (block >> BLOCK_SIZE_SHIFT != size || (block & BLOCK_SPANS))
        return false;
    begin_known(m, slot->code, address, size, back);
    return true;
}

/* The same for one that runs over into the next page. */
static bool count_spanning(struct machine *m, struct code_page *p,
                           uint64_t address, uint32_t size, uint8_t *back)
{
    uint32_t block = p->blocks[address & PAGE_MASK];

    if (block >> BLOCK_SIZE_SHIFT != size || !(block & BLOCK_SPANS) ||
        !follows(m, p, address + size - 1))
        return false;
    begin_known(m, p, address, size, back);
    return true;
}

/* First run of a block: decode it, find sites, count. True: run it now. */
static bool analyse(struct machine *m, uint64_t address, uint32_t size,
                    uint8_t *back)
{
    uint64_t end = address + size;
    struct look look = {.ready = true};
    struct code_page *p, *next = NULL;
    struct insn insn;
    ma_t page;

    p = code_executing(m, address, &page);
    if (!p || !p->code) {
        /* not memory: all ones, an undefined instruction */
        clock_begin(&m->clock, address, size, 1);
        return true;
    }
    /* Two pages may share a slot; take it back. */
    *fetch_slot(m, address) =
        (struct fetch_slot){(address >> PAGE_SHIFT) + 1, p};
    if (count_known(m, address, size, back) ||
        count_spanning(m, p, address, size, back))
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
        clock_begin(&m->clock, address, size, look.count);
        if (own_has(m, (uint32_t)address))
            own_block(m, address, size, back);
        expect_open(m);
    }
    return look.ready;
}

void code_look_again(struct code_page *p, unsigned from, unsigned to)
{
    unsigned at = from < p->longest ? 0 : from - p->longest + 1;

    for (unsigned i = from; i < to; i++)
        bit_clear(p->interior, i);
    p->changes++;
    for (; at < to; at++)
        if (at + (p->blocks[at] >> BLOCK_SIZE_SHIFT) > from)
            p->blocks[at] = 0;
    if (from < p->entered)
        p->generation++;
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
    case INSN_NOP:
    case INSN_PAUSE: return false;
    default: return insn->ends_block || insn->rep || insn->repne;
    }
}

bool code_crosses(const struct machine *m, uint64_t from, uint64_t to)
{
    return from >> PAGE_SHIFT != to >> PAGE_SHIFT &&
           !is_own_code(m, (uint32_t)to);
}

/* The length of an instruction that is executed (1: not one). */
static unsigned length_at(struct machine *m, uint64_t linear)
{
    bool code32 = (*m->engine.live.hflags & HF_CS32) != 0;
    uint8_t bytes[INSN_MAX_LENGTH];
    size_t n = code_bytes(m, (uint32_t)linear, bytes, sizeof bytes);
    struct insn insn;

    return decode_flow(bytes, n, code32, &insn) ? insn.length : 1;
}

/* The engine cut the last block for its own reasons, and this is no place to
 * look up. */
bool code_continues(struct machine *m, uint64_t linear)
{
    const struct running *before = clock_running(&m->clock);
    uint64_t at = before->address, last = at;
    struct code_page *p;
    ma_t page;

    if (at + before->bytes != linear)
        return false;
    p = code_executing(m, at, &page);
    if (!p || !(p->blocks[at & PAGE_MASK] & BLOCK_SPLIT))
        return false;
    for (; at < linear; at += length_at(m, at))
        last = at;
    return !code_crosses(m, last, linear);
}

static bool must_stop(struct machine *m)
{
    const struct live *l = &m->engine.live;

    if (m->stop || m->attend || clock_now(&m->clock) >= m->deadline)
        return true;
    if (*l->hflags & HF_INHIBIT_IRQ)
        return false;
    if (m->vmx.non_root)
        return vmx_event_due(m);
    return (m->nmi && !m->client.exit && !(*l->hflags2 & HF2_NMI)) ||
           (m->intr && (*l->eflags & EFL_IF));
}

/* The slow side of the block hook; true: the block may run. */
static bool look_up(struct machine *m, uint64_t address)
{
    unsigned drops = m->drops;

    if (m->mid_block) {
        m->mid_block = false;
        machine_look(m);
        return true;
    }
    if (!must_stop(m) || code_continues(m, address))
        return true;
    if ((m->client.exit && !m->vmx.non_root) ||
        !(m->attend || clock_now(&m->clock) >= m->deadline))
        return false;
    /* Without a monitor (or without a VM exit) nobody touches the processor's
     * state at a deadline: no need to leave the engine for it, unless a device
     * writes to code, perhaps to this block. */
    *m->engine.live.eip = (uint32_t)(address - m->engine.live.seg[SEG_CS].base);
    m->attend = false;
    m->client.attend(m->client.owner);
    machine_look(m);
    return m->drops == drops && !m->drop_count && !must_stop(m);
}

static void stop_here(struct machine *m)
{
    m->asked = true;
    uc_emu_stop(m->engine.uc);
}

/* The clock's countdown ran out. May the block at address run? */
static bool may_run(struct machine *m, uint64_t address)
{
    uint64_t now = clock_now(&m->clock);

    clock_set(&m->clock, now);
    if (now < m->clock.attention)
        return true;
    if (m->waiting && now < m->deadline && !(*m->engine.live.eflags & EFL_IF)) {
        /* An interrupt waits for IF: until then only blocks that open. */
        clock_attend_from(&m->clock, m->deadline);
        return true;
    }
    return look_up(m, address);
}

/* How long a block takes at most. */
static uint64_t block_most(struct machine *m, uint64_t address, uint32_t size)
{
    ma_t page;
    const struct code_page *p = code_executing(m, address, &page);
    uint32_t block = p ? p->blocks[address & PAGE_MASK] : 0;

    if (block >> BLOCK_SIZE_SHIFT == size)
        return block & BLOCK_COUNT;
    return (uint64_t)size * PAUSE_CYCLES; /* not looked at */
}

/* Something is due before this block comes to another page: it is stepped up to
 * there. */
static bool due_inside(struct machine *m, uint64_t address, uint32_t size)
{
    uint64_t at = address, now = clock_now(&m->clock);

    if (!code_crosses(m, address, address + size - 1) ||
        now + block_most(m, address, size) < m->clock.attention)
        return false;
    for (; !code_crosses(m, address, at); at += length_at(m, at)) {
        if (at >= address + size)
            return false;
        now += code_weight(m, (uint32_t)at);
    }
    if (at >= address + size || !(must_stop(m) || now >= m->deadline))
        return false;
    m->creep = m->mid_block = true;
    machine_look(m);
    return true;
}

/* The functions below are kept apart so that the usual case saves no
 * registers. First: a block that is new, or may have to stop. */
__attribute__((noinline)) static void
block_slow(struct machine *m, uint64_t address, uint32_t size, uint8_t *back)
{
    if (address >= LINEAR_MICROCODE && m->clock.seeking)
        clock_found(&m->clock, back);
    if (m->stepping || address >= LINEAR_MICROCODE)
        return;
    if ((!*m->clock.countdown && !may_run(m, address)) ||
        due_inside(m, address, size))
        stop_here(m);
    else if (!count_known(m, address, size, back) &&
             !analyse(m, address, size, back))
        stop_here(m);
}

void code_counted(uc_engine *unused, uint64_t record, uint32_t size, void *user)
{
    struct machine *m = user;
    const struct block_record *r = clock_take_back(&m->clock, (uint32_t)record);

    (void)unused, (void)size;
    if (m->stepping)
        return;
    if (may_run(m, r->address) && !due_inside(m, r->address, r->bytes))
        clock_begin_again(&m->clock, (uint32_t)record);
    else
        stop_here(m);
}

void code_block(uc_engine *uc, uint64_t address, uint32_t size, void *user)
{
    uint8_t *back = __builtin_return_address(0);
    struct machine *m = user;

    (void)uc;
    if (!*m->clock.countdown || !count_known(m, address, size, back))
        block_slow(m, address, size, back);
}

/* Instructions of [at, linear) that count. */
static uint32_t count_before(struct machine *m, uint64_t at, uint32_t linear,
                             bool code32)
{
    uint32_t count = 0;

    while (at < linear) {
        uint8_t bytes[INSN_MAX_LENGTH] = {0};
        size_t n = code_executed_bytes(m, (uint32_t)at, bytes, sizeof bytes);
        struct insn insn;

        count += weight_of(m, (uint32_t)at, bytes);
        at += decode_flow(bytes, n, code32, &insn) ? insn.length : 1u;
    }
    return count;
}

void code_refund(struct machine *m, uint32_t linear)
{
    bool code32 = (*m->engine.live.hflags & HF_CS32) != 0;
    const struct running *block = clock_running(&m->clock);
    uint64_t at = block->address, end = at + block->bytes;
    struct refund *r = &m->refunds[linear % REFUNDS];
    const struct code_page *p;
    uint64_t retired;
    ma_t page;

    if (linear < at || linear >= end)
        return;
    p = code_executing(m, at, &page);
    if (!p || p != r->page || p->changes != r->changes || r->from != at ||
        r->linear != linear || r->code32 != code32) {
        *r = (struct refund){.from = at,
                             .linear = linear,
                             .code32 = code32,
                             .count = count_before(m, at, linear, code32)};
        if (p && at >> PAGE_SHIFT == linear >> PAGE_SHIFT) {
            r->page = p;
            r->changes = p->changes;
        }
    }
    retired = block->start + r->count;
    if (retired < clock_now(&m->clock))
        clock_set(&m->clock, retired);
}
