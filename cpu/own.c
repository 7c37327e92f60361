/* SPDX-License-Identifier: MIT */
/* cpu/own.c - who may reach the monitor's own memory (cpu/own.h). */
#include "cpu/machine_priv.h"

#define NEVER UINT64_MAX /* no page has this address */

/* ---- the space ------------------------------------------------------------
 */

static uint64_t page_linear(const struct machine *m, unsigned page)
{
    return m->own.linear + (uint64_t)page * PAGE_BYTES;
}

void own_create(struct machine *m)
{
    for (unsigned i = 0; i < OWN_PAGES; i++)
        m->own.entry[i].read = m->own.entry[i].write = NEVER;
    m->own.code = m->clock.code;
    m->own.code_end = m->clock.code_end;
}

void machine_own_page(struct machine *m, unsigned page, ma_t ma, bool writable)
{
    struct own_entry *e = &m->own.entry[page];
    uintptr_t host = (uintptr_t)memory_at(&m->memory, ma);

    e->read = page_linear(m, page);
    e->write = writable ? e->read : NEVER;
    e->addend = host - page_linear(m, page);
}

bool own_allows_fetch(const struct machine *m, uint32_t linear)
{
    return !own_has(m, linear) || is_own_code(m, linear) || m->own.open;
}

bool own_hides(const struct machine *m, uint32_t linear)
{
    return own_has(m, linear) && !m->own.open && !m->own.by_hand &&
           !m->own.by_table;
}

struct fault own_fault(const struct machine *m, uint32_t linear,
                       unsigned access)
{
    return (struct fault){VEC_PF, true, paging_error(&m->paging, access),
                          linear};
}

bool own_instruction(const struct machine *m, uint32_t linear)
{
    return is_own_code(m, linear) && m->client.owns &&
           m->client.owns(m->client.owner, linear);
}

bool own_writable(const struct machine *m, uint32_t linear)
{
    unsigned page = linear / PAGE_BYTES % OWN_PAGES;

    return m->own.entry[page].write == page_linear(m, page);
}

static void hide_table(const struct machine *m, struct live_segment *table)
{
    uint32_t base = (uint32_t)table->base;

    table->base = own_has(m, base) ? LINEAR_OWN + base : base;
}

void own_hide_tables(struct machine *m)
{
    hide_table(m, m->engine.live.gdt);
    hide_table(m, m->engine.live.ldt);
}

void machine_set_own_space(struct machine *m, uint32_t linear)
{
    struct own *own = &m->own;

    for (unsigned i = 0; i < OWN_PAGES; i++) {
        struct own_entry *e = &own->entry[i];
        uint64_t page = linear + (uint64_t)i * PAGE_BYTES;

        e->addend += page_linear(m, i) - page;
        e->read = e->read == NEVER ? NEVER : page;
        e->write = e->write == NEVER ? NEVER : page;
    }
    own->linear = linear;
    own->placed = true;
    own->open = !own->code;
    own_hide_tables(m);
    drops_engine(m);
}

/* ---- the engine's code: one access ----------------------------------------
 */

/* Offsets in an access. */
enum {
    AT_SHIFT = 3,
    AT_LEA = 15, /* behind the look-up of the TLB's entry */
    ACCESS_MOST = 48,
};

enum { RSI = 6, RDI = 7 };

/* mov %from, %to, 64 bits. */
static unsigned put_move(uint8_t *at, unsigned to, unsigned from)
{
    at[0] = (uint8_t)(0x48 | from >> 3);
    at[1] = 0x8B;
    at[2] = (uint8_t)(0xC0 | to << 3 | (from & 7));
    return 3;
}

static unsigned put_bytes(uint8_t *at, const void *bytes, unsigned count)
{
    memcpy(at, bytes, count);
    return count;
}

#define PUT(at, ...)                                                           \
    put_bytes(at, (const uint8_t[]){__VA_ARGS__},                              \
              sizeof((const uint8_t[]){__VA_ARGS__}))

/* The last address of the access, or of a byte the only one, into RSI. */
static unsigned put_end(uint8_t *at, unsigned address, bool byte)
{
    unsigned n;

    if (byte)
        return put_move(at, RSI, address);
    at[0] = (uint8_t)(0x48 | address >> 3);
    at[1] = 0x8D; /* lea 3(%address), %rsi */
    at[2] = (uint8_t)(0x40 | RSI << 3 | (address & 7));
    n = 3;
    if ((address & 7) == GPR_ESP)
        at[n++] = 0x24;
    at[n++] = 3;
    return n;
}

/* How the engine reaches the memory at an address in a host register; up to the
 * displacement of its jump to the slow way. */
static unsigned write_access(uint8_t *at, unsigned address, bool byte,
                             bool store)
{
    unsigned n = put_move(at, RDI, address);

    n += PUT(at + n, 0x48, 0xC1, 0xEF, 0x06, /* shr $6, %rdi */
             0x48, 0x23, 0x7D, 0xE0,         /* and mask(%rbp), %rdi */
             0x48, 0x03, 0x7D, 0xE8);        /* add table(%rbp), %rdi */
    n += put_end(at + n, address, byte);
    n += PUT(at + n, 0x48, 0x81, 0xE6, 0x00, 0xF0, 0xFF, 0xFF);
    n += store ? PUT(at + n, 0x48, 0x3B, 0x77, 0x08)
               : PUT(at + n, 0x48, 0x3B, 0x37);
    n += put_move(at + n, RSI, address);
    return n + PUT(at + n, 0x0F, 0x85);
}

static const uint8_t add_addend[] = {0x48, 0x03, 0x77, 0x20};

/* Is this such an access? *end: of the jump. */
static bool is_access(const uint8_t *at, const uint8_t *limit,
                      unsigned *address, unsigned *end)
{
    uint8_t expected[ACCESS_MOST];

    if (limit - at < ACCESS_MOST || (at[0] & 0xFE) != 0x48 || at[1] != 0x8B ||
        (at[2] & 0xF8) != (0xC0 | RDI << 3))
        return false;
    *address = (at[0] & 1u) << 3 | (at[2] & 7u);
    for (unsigned form = 0; form < 4; form++) {
        unsigned n = write_access(expected, *address, form & 1, form & 2);

        *end = n + 4;
        if (memcmp(at, expected, n) == 0 &&
            memcmp(at + *end, add_addend, sizeof add_addend) == 0)
            return true;
    }
    return false;
}

static unsigned put_pointer(uint8_t *at, uint8_t opcode, const void *pointer)
{
    uint64_t value = (uintptr_t)pointer;

    at[0] = 0x48;
    at[1] = opcode;
    memcpy(at + 2, &value, sizeof value);
    return 2 + sizeof value;
}

/* At a constant address. */
static void patch_word(uint8_t *at, const struct own_entry *entry)
{
    unsigned n = put_pointer(at, 0xBF, entry); /* movabs $entry, %rdi */

    PUT(at + n, 0x0F, 0x1F, 0x44, 0x00, 0x00); /* nop */
}

/* At any address: as in the engine's TLB, entries have 64 bytes. */
static void patch_table(uint8_t *at, const struct own_entry *entries,
                        unsigned address, unsigned end)
{
    unsigned n = AT_SHIFT;

    n += PUT(at + n, 0xC1, 0xEF, 0x06,            /* shr $6, %edi */
             0x81, 0xE7, 0xC0, 0xFF, 0x00, 0x00); /* and $0xFFC0, %edi */
    n += put_pointer(at + n, 0xBE, entries);      /* movabs $entries, %rsi */
    n += PUT(at + n, 0x48, 0x01, 0xF7);           /* add %rsi, %rdi */
    n += put_move(at + n, RSI, address);
    PUT(at + n, 0xEB, (uint8_t)(end - (n + 2)));
}

_Static_assert(sizeof(struct own_entry) == 64 && OWN_PAGES * 64 == 0x10000,
               "as the shift and the mask have it");

/* ---- the engine's code: a block -------------------------------------------
 */

/* What the engine keeps with a block, and where: its description, its code,
 * and for each instruction the EIP, how flags are kept, and where its code
 * ends, each as the difference to the one before (SLEB128). */
struct engine_block {
    uint64_t address;
    uint64_t cs_base;
    uint32_t flags;
    uint16_t bytes;
    uint16_t instructions;
    uint32_t unused[2];
    uint8_t *code;
    uint64_t code_bytes;
};

enum {
    BLOCK_BYTES = 192, /* of the description, the code follows */
    BLOCK_ALIGN = 16,
    HOOK_CALL_MOST = 48, /* the code begins with the call of the block hook */
    CODE_MOST = 1 << 16, /* of a block */
};

static bool is_code(const struct own *own, uintptr_t from, uint64_t bytes)
{
    return from >= own->code && from + bytes <= own->code_end;
}

/* The block that called the hook, to return to back. NULL: not found. */
static const struct engine_block *block_of(const struct own *own,
                                           uint64_t address, uint32_t bytes,
                                           const uint8_t *back)
{
    uintptr_t code = (uintptr_t)back & ~(uintptr_t)(BLOCK_ALIGN - 1);

    for (; (uintptr_t)back - code <= HOOK_CALL_MOST; code -= BLOCK_ALIGN) {
        const struct engine_block *b = (const void *)(code - BLOCK_BYTES);

        if (is_code(own, code - BLOCK_BYTES, BLOCK_BYTES + CODE_MOST) &&
            b->address == address && b->bytes == bytes &&
            (uintptr_t)b->code == code && b->code_bytes < CODE_MOST / 2)
            return b;
    }
    return NULL;
}

static int64_t next_difference(const uint8_t **at)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte;

    do {
        byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        shift += 7;
    } while ((byte & 0x80) && shift < 63);
    if (byte & 0x40)
        value |= UINT64_MAX << shift;
    return (int64_t)value;
}

/* The first access of an instruction whose code is [from, to) is to the
 * monitor's data. */
static bool patch_instruction(struct own *own, uint8_t *from, uint8_t *to,
                              const struct insn *insn)
{
    for (uint8_t *at = from; at < to; at++) {
        unsigned address, end;

        if (!is_access(at, to, &address, &end))
            continue;
        for (unsigned i = 0; i < insn->operands; i++) {
            const struct operand *op = &insn->op[i];
            unsigned page = op->value / PAGE_BYTES % OWN_PAGES;

            if (op->kind != OPERAND_MEM)
                continue;
            if (op->base == REG_NONE && op->index == REG_NONE)
                patch_word(at, &own->entry[page]);
            else
                patch_table(at, own->entry, address, end);
            return true;
        }
        return false;
    }
    return false;
}

static void patch_own(struct machine *m, uint64_t linear, uint8_t *from,
                      uint8_t *to)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    size_t n = code_bytes(m, (uint32_t)linear, bytes, sizeof bytes);
    struct insn insn;

    if (decode(bytes, n, true, &insn) &&
        patch_instruction(&m->own, from, to, &insn))
        m->own.patched++;
    else if (++m->own.failed >= OWN_TRIES && !m->own.patched)
        m->own.open = true;
}

static struct own_seen *seen_slot(struct own *own, const uint8_t *back)
{
    uint32_t place = (uint32_t)(uintptr_t)back * 0x9E3779B1u;

    return &own->seen[place / (UINT32_MAX / OWN_SEEN + 1)];
}

void own_block(struct machine *m, uint64_t address, uint32_t bytes,
               uint8_t *back)
{
    struct own_seen *seen = seen_slot(&m->own, back);
    const struct engine_block *b;
    uint64_t linear = address;
    uint8_t *from, *end;
    const uint8_t *at;

    if ((seen->back == back && seen->address == address) || m->own.open)
        return;
    *seen = (struct own_seen){back, address};
    b = block_of(&m->own, address, bytes, back);
    if (!b)
        return;
    from = b->code;
    at = end = from + b->code_bytes;
    for (unsigned i = 0; i < b->instructions; i++) {
        uint8_t *to;

        linear += (uint64_t)next_difference(&at);
        next_difference(&at);
        to = from + next_difference(&at);
        if (to < from || to > end)
            return;
        if (own_instruction(m, (uint32_t)linear))
            patch_own(m, linear, from, to);
        from = to;
    }
}
