/* SPDX-License-Identifier: MIT */
/* cpu/code.c - pages that hold code: write-xor-execute and twins.
 *
 * The engine keeps translations of guest code and does not notice every store
 * to it. So a machine page is either code (then no TLB entry lets it be
 * written) or data (then none lets it be fetched), and changes sides at the
 * first access of the other kind, when its translations are dropped.
 *
 * The engine cannot be told to stop at an instruction either. A page with
 * instructions that need it is fetched from a twin, a copy in which each of
 * them starts with INT3, while reads and writes go to the original.
 * cpu/block.c finds them.
 *
 * The LOCK forms that would stop the engine's process, at translation already,
 * lose their opcode in the twin as soon as the page is code. Where instructions
 * begin is not known then: most often an F0 ends the instruction before a plain
 * BT, which then is an intercepted instruction.
 *
 * A page where that is not exact runs one instruction at a time ("stepped"):
 * code that keeps writing to itself, overlapping instructions, and LOCK forms
 * across two pages.
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
    memset(p->interior, 0, sizeof p->interior);
    memset(p->sites, 0, sizeof p->sites);
    memset(p->blocks, 0, sizeof p->blocks);
    p->longest = p->entered = 0;
    p->twinned = false;
    p->generation++;
    p->changes++;
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
    clock_forget(&m->clock, p->records);
    forget_analysis(p);
    p->code = p->stepped = false;
    m->drops++;
    m->trace->count.code_rewritten++;
    drops_engine(m);
}

void code_forget_all(struct machine *m)
{
    uc_ctl_flush_tb(m->engine.uc);
    for (uint64_t i = 0; i < m->memory.bytes >> PAGE_SHIFT; i++)
        if (m->pages[i])
            memset(m->pages[i]->records, 0, sizeof m->pages[i]->records);
    clock_forget_all(&m->clock);
    memset(m->own.seen, 0, sizeof m->own.seen);
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

static bool is_prefix(uint8_t byte)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xF2, 0xF3, 0x2E, 0x36,
                                       0x3E, 0x26, 0x64, 0x65, 0xF0};

    return memchr(prefixes, byte, sizeof prefixes) != NULL;
}

/* Bytes that may hold a LOCK form the engine cannot translate (BT and its kin
 * with a register). */
struct lock_search {
    const uint8_t *from;
    size_t bytes;
    size_t at;     /* where to go on */
    size_t opcode; /* found: where its opcode is, behind the prefixes */
    size_t cut;    /* where one begins that the end cuts, or bytes */
};

/* The next one. Looks at every F0 without knowing where instructions begin. */
static bool next_bad_lock(struct lock_search *s)
{
    const uint8_t *end = s->from + s->bytes, *at = s->from + s->at;

    while (at < end && (at = memchr(at, 0xF0, (size_t)(end - at)))) {
        const uint8_t *op = at + 1;

        while (op < end && op < at + INSN_MAX_LENGTH - 1 && is_prefix(*op))
            op++;
        if (op + 3 > end) {
            if ((op >= end || op[0] == 0x0F) && s->cut == s->bytes)
                s->cut = (size_t)(at - s->from);
        } else if (op[0] == 0x0F && op[2] >= 0xC0 &&
                   ((op[1] & 0xE7) == 0xA3 ||
                    (op[1] == 0xBA && (op[2] & 0x38) >= 0x20))) {
            s->at = (size_t)(at - s->from) + 1;
            s->opcode = (size_t)(op - s->from);
            return true;
        }
        at++;
    }
    return false;
}

static struct lock_search search_locks(const uint8_t *from, size_t bytes)
{
    return (struct lock_search){.from = from, .bytes = bytes, .cut = bytes};
}

/* May new bytes be part of a LOCK form that the engine cannot translate? */
static bool locks(const uint8_t *page, unsigned from, unsigned to)
{
    struct lock_search s;

    from = from < INSN_MAX_LENGTH ? 0 : from - INSN_MAX_LENGTH;
    to = to + INSN_MAX_LENGTH > PAGE_BYTES ? PAGE_BYTES : to + INSN_MAX_LENGTH;
    s = search_locks(page + from, to - from);
    return next_bad_lock(&s) || (to == PAGE_BYTES && s.cut < s.bytes);
}

static void page_patched(struct machine *m, struct code_page *p, unsigned from,
                         unsigned to)
{
    uint64_t page = code_page_at(p).v;
    const uint8_t *bytes = memory_at(&m->memory, MA(page));
    bool sites = false;

    for (unsigned i = from; i < to && p->twinned; i++)
        sites |= bit_test(p->sites, i);
    if (sites || p->stepped || to - from == PAGE_BYTES ||
        locks(bytes, from, to)) {
        code_drop(m, MA(page));
        return;
    }
    if (p->twinned) {
        memcpy(m->twins + (twin_address(p) - ENGINE_TWINS) + from, bytes + from,
               to - from);
        remove_translations(m, twin_address(p) + from, to - from);
    }
    remove_translations(m, page + from, to - from);
    code_look_again(p, from, to);
}

void machine_code_patched(struct machine *m, ma_t ma, uint64_t bytes)
{
    uint64_t at = ma.v, end = ma.v + bytes, next;

    if (!bytes || !memory_has(&m->memory, ma, bytes))
        return;
    clock_running(&m->clock);
    for (; at < end; at = next) {
        struct code_page *p = m->pages[at >> PAGE_SHIFT];

        next = (at & ~(uint64_t)PAGE_MASK) + PAGE_BYTES;
        if (next > end)
            next = end;
        if (p && p->code)
            page_patched(m, p, (unsigned)(at & PAGE_MASK),
                         (unsigned)(next - 1) % PAGE_BYTES + 1);
    }
}

/* Does a page that ends within such a form go on with the rest of it? */
static bool bad_lock_across(const struct machine *m, const struct code_page *p,
                            uint64_t next)
{
    uint8_t bytes[2 * INSN_MAX_LENGTH];
    size_t tail = PAGE_BYTES - p->cut;
    struct lock_search s = search_locks(bytes, tail + INSN_MAX_LENGTH);
    struct hw_walk walk;

    machine_walk(m, (uint32_t)next, &walk);
    if (!walk.present || !memory_has(&m->memory, walk.ma, INSN_MAX_LENGTH))
        return false;
    memcpy(bytes, memory_at(&m->memory, MA(code_page_at(p).v + p->cut)), tail);
    memcpy(bytes + tail, memory_at(&m->memory, walk.ma), INSN_MAX_LENGTH);
    return next_bad_lock(&s);
}

/* The page was data and is fetched from: code from now on. */
static void becomes_code(struct machine *m, struct code_page *p)
{
    const uint8_t *page = memory_at(&m->memory, code_page_at(p));
    struct lock_search s = search_locks(page, PAGE_BYTES);

    p->code = true;
    p->strict = false;
    p->calm = 0;
    p->forced = p->overlaps;
    while (!p->forced && next_bad_lock(&s))
        code_make_site(m, p, (unsigned)s.opcode, OP_INT3);
    p->cut = p->forced ? PAGE_BYTES : (uint16_t)s.cut;
    p->stepped = p->forced || p->own_stores >= OWN_STORES;
    m->trace->count.code_pages++;
    drops_engine(m); /* no entry may write to it */
}

/* LOCK forms that two pages share, seen from either; true: here is one. */
static bool joins_bad_lock(struct machine *m, struct code_page *p,
                           uint64_t linear)
{
    uint64_t page = linear & ~(uint64_t)PAGE_MASK;
    struct code_page *before;
    ma_t at;

    if (p->cut < PAGE_BYTES && bad_lock_across(m, p, page + PAGE_BYTES)) {
        p->forced = p->stepped = true;
        return true;
    }
    before = code_executing(m, (uint32_t)(page - PAGE_BYTES), &at);
    if (before && before->code && before->cut < PAGE_BYTES &&
        !before->stepped && bad_lock_across(m, before, page)) {
        code_drop(m, at); /* its next fetch sees it, too */
        return true;
    }
    return false;
}

static struct code_page *page_made(struct machine *m, ma_t ma)
{
    struct code_page *p = m->pages[ma.v >> PAGE_SHIFT];

    if (p)
        return p;
    p = calloc(1, sizeof *p);
    if (!p) {
        machine_break(m, "out of host memory");
        return NULL;
    }
    p->frame = (uint32_t)(ma.v >> PAGE_SHIFT);
    m->pages[p->frame] = p;
    return p;
}

/* Blocks that count themselves must not escape that. */
static void look_again(struct machine *m, struct code_page *p)
{
    remove_translations(m, code_page_at(p).v, PAGE_BYTES);
    if (p->twinned)
        remove_translations(m, twin_address(p), PAGE_BYTES);
    clock_forget(&m->clock, p->records);
    memset(p->blocks, 0, sizeof p->blocks);
    p->generation++;
    p->changes++;
}

bool code_fetched(struct machine *m, uint64_t linear, ma_t ma,
                  uc_tlb_entry *result)
{
    struct fetch_slot *slot = fetch_slot(m, linear);
    struct code_page *p;

    result->perms = UC_PROT_READ | UC_PROT_EXEC;
    slot->page = 0;
    if (!memory_has(&m->memory, ma, PAGE_BYTES)) {
        result->paddr = ENGINE_MICROCODE + PAGE_BYTES; /* all ones: #UD */
        return true;
    }
    p = page_made(m, ma);
    if (!p)
        return false;
    if (!p->code)
        becomes_code(m, p);
    if (!p->strict && live_cpl(m) > 0) {
        p->strict = true;
        look_again(m, p);
    }
    if ((joins_bad_lock(m, p, linear) || p->stepped) && !m->stepping) {
        m->refused = REFUSED_STEP;
        return false;
    }
    *slot = (struct fetch_slot){(linear >> PAGE_SHIFT) + 1, p};
    if (p->stepped)
        m->stepped_fetch = true; /* fetched for one instruction only */
    if (p->twinned && !p->stepped) {
        result->paddr = twin_address(p);
        result->perms = UC_PROT_EXEC;
    }
    return true;
}

/* Apart, so that the usual case saves no registers. */
__attribute__((noinline)) static struct code_page *
executing_by_walk(struct machine *m, uint32_t linear, ma_t *page)
{
    struct hw_walk walk;

    machine_walk(m, linear, &walk);
    if (!walk.present || !memory_has(&m->memory, walk.ma, 1))
        return NULL;
    *page = MA(walk.ma.v & ~(uint64_t)PAGE_MASK);
    return m->pages[walk.ma.v >> PAGE_SHIFT];
}

struct code_page *code_executing(struct machine *m, uint64_t linear, ma_t *page)
{
    const struct fetch_slot *slot = fetch_slot(m, linear);

    if (slot->page != (linear >> PAGE_SHIFT) + 1)
        return executing_by_walk(m, (uint32_t)linear, page);
    *page = code_page_at(slot->code);
    return slot->code;
}

bool code_written(struct machine *m, ma_t ma, uc_tlb_entry *result)
{
    const struct running *block = clock_running(&m->clock);
    struct code_page *p = m->pages[ma.v >> PAGE_SHIFT];
    ma_t at;

    result->perms = UC_PROT_READ | UC_PROT_WRITE;
    if (!p->code) {
        p->own_stores = 0;
        p->overlaps = false;
        return true;
    }
    if (m->stepping && m->dirty_count < sizeof m->dirty / sizeof *m->dirty) {
        struct dirty_page *d = &m->dirty[m->dirty_count++];

        d->page = p; /* code_stepped() sees to it */
        memcpy(d->before, memory_at(&m->memory, ma), PAGE_BYTES);
        return true;
    }
    if (!m->stepping &&
        ((code_executing(m, block->address, &at) && at.v == ma.v) ||
         (code_executing(m, block->address + block->bytes - 1, &at) &&
          at.v == ma.v))) {
        m->refused = REFUSED_OWN_STORE;
        return false;
    }
    p->own_stores = 0;
    p->overlaps = false;
    code_drop(m, ma);
    return true;
}

/* Bytes that are compared at a time. */
enum { STRIDE = 64 };

/* A page that is stepped for its stores alone keeps what they have not changed:
 * much of it may be data beside the code. */
static void page_stored(struct machine *m, const struct dirty_page *d)
{
    struct code_page *p = d->page;
    const uint8_t *now = memory_at(&m->memory, code_page_at(p));
    unsigned from = 0, to = PAGE_BYTES;

    while (from < to && memcmp(now + from, d->before + from, STRIDE) == 0)
        from += STRIDE;
    while (from < to && now[from] == d->before[from])
        from++;
    while (to > from && to % STRIDE == 0 &&
           memcmp(now + to - STRIDE, d->before + to - STRIDE, STRIDE) == 0)
        to -= STRIDE;
    while (to > from && now[to - 1] == d->before[to - 1])
        to--;
    if (!p->stepped || p->forced || p->twinned || locks(now, from, to)) {
        code_drop(m, code_page_at(p));
        return;
    }
    p->calm = 0;
    if (from < to) {
        remove_translations(m, code_page_at(p).v + from, to - from);
        code_look_again(p, from, to);
    }
    drops_engine(m); /* no entry may write to it */
}

/* After a stepped instruction: code pages it wrote to lose their translations,
 * and its own page runs freely again when it has left itself alone. */
void code_stepped(struct machine *m, uint32_t linear)
{
    struct fetch_slot *slot = fetch_slot(m, linear);
    struct code_page *own =
        slot->page == (linear >> PAGE_SHIFT) + 1 ? slot->code : NULL;

    if (own && own->stepped && !own->forced && ++own->calm >= CALM_STEPS) {
        own->stepped = false;
        own->own_stores = 0;
    }
    while (m->dirty_count) {
        const struct dirty_page *d = &m->dirty[--m->dirty_count];

        if (d->page == own && own->own_stores < OWN_STORES)
            own->own_stores++;
        page_stored(m, d);
    }
}

bool code_needs_step(struct machine *m, uint32_t linear)
{
    ma_t at;
    struct code_page *p = code_executing(m, linear, &at);

    return p && p->code && p->stepped;
}

struct code_page *code_site(struct machine *m, uint32_t linear)
{
    ma_t at;
    struct code_page *p = code_executing(m, linear, &at);

    return p && p->twinned && bit_test(p->sites, linear & PAGE_MASK) ? p : NULL;
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

size_t code_executed_bytes(struct machine *m, uint32_t linear, uint8_t *out,
                           size_t bytes)
{
    uint32_t offset = linear & PAGE_MASK;
    ma_t page;

    if (offset + bytes > PAGE_BYTES || !code_executing(m, linear, &page))
        return code_bytes(m, linear, out, bytes);
    memcpy(out, memory_at(&m->memory, MA(page.v + offset)), bytes);
    return bytes;
}

/* ---- twins ------------------------------------------------------------- */

static bool give_twin(struct machine *m, struct code_page *p)
{
    if (!p->twin) {
        if (m->twin_count == TWIN_LIMIT) {
            machine_break(m, "too many code pages with intercepts");
            return false;
        }
        p->twin = ++m->twin_count;
    }
    memcpy(m->twins + (uint64_t)(p->twin - 1) * PAGE_BYTES,
           memory_at(&m->memory, code_page_at(p)), PAGE_BYTES);
    remove_translations(m, twin_address(p), PAGE_BYTES);
    p->twinned = true;
    drops_engine(m); /* fetch from the twin from now on */
    return true;
}

void code_make_device_site(struct machine *m, struct code_page *p,
                           unsigned offset)
{
    if (bit_test(p->interior, offset))
        return; /* other instructions overlap it */
    code_make_site(m, p, offset, OP_INT3);
    look_again(m, p);
}

void code_overlaps(struct machine *m, struct code_page *p)
{
    code_drop(m, code_page_at(p));
    p->overlaps = true;
}

static struct code_page *about_to_fetch(struct machine *m, uint32_t linear)
{
    struct code_page *p;
    struct hw_walk walk;

    machine_walk(m, linear, &walk);
    if (!walk.present || !memory_has(&m->memory, walk.ma, 1))
        return NULL;
    p = page_made(m, walk.ma);
    if (p && !p->code)
        becomes_code(m, p);
    return p;
}

void code_stepping(struct machine *m, uint32_t linear, unsigned length)
{
    for (unsigned i = 1; i < length; i++) {
        struct code_page *p = about_to_fetch(m, linear + i);

        if (p && p->twinned && bit_test(p->sites, (linear + i) & PAGE_MASK))
            code_overlaps(m, p);
    }
}

void code_make_site(struct machine *m, struct code_page *p, unsigned offset,
                    uint8_t byte)
{
    if (!p->twinned && !give_twin(m, p))
        return;
    bit_set(p->sites, offset);
    m->twins[(uint64_t)(p->twin - 1) * PAGE_BYTES + offset] = byte;
    remove_translations(m, twin_address(p) + offset, 1);
}
