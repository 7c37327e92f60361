/* SPDX-License-Identifier: MIT */
/* cpu/linear.c - linear memory for the architecture's procedures.
 *
 * Delivering an event reads and writes a dozen words of tables and stacks that
 * are where they were the last time. A slot keeps a translation together with
 * the table entries it came from, and holds only while they still say the same:
 * it cannot be stale, nothing has to drop it, and it counts the references that
 * comparing takes, which are the walk's. Of nested tables the entries are not
 * compared: where they said that the guest's memory is, it is until INVEPT
 * (SDM 3C, "Information That May Be Cached": combined mappings).
 */
#include "cpu/machine_priv.h"

/* ---- translations kept -------------------------------------------------- */

/* What a translation depends on besides the entries: the page, the access, and
 * what the control registers say that entries mean. */
static uint64_t walk_key(const struct machine *m, uint32_t linear,
                         unsigned access)
{
    const struct paging *p = &m->paging;
    unsigned meaning = (p->wp ? 1u << 3 : 0) | (p->large ? 1u << 4 : 0) |
                       (p->nx ? 1u << 5 : 0) |
                       (p->format == &paging_pae ? 1u << 6 : 0);

    return (uint64_t)(meaning | access << 1 | 1u) << 32 | linear >> PAGE_SHIFT;
}

static struct walk_slot *walk_slot(struct machine *m, uint64_t key)
{
    return &m->walks[(key + (key >> 33) * 29) % WALK_SLOTS];
}

/* (Of two constant sizes, each is one instruction.) */
static uint64_t entry_at(const uint8_t *at, unsigned bytes)
{
    uint64_t entry = 0;

    if (bytes == 4)
        memcpy(&entry, at, 4);
    else
        memcpy(&entry, at, 8);
    return entry;
}

/* Do the entries still say what they said? */
static bool unchanged(const struct walk_slot *slot)
{
    for (unsigned i = 0; i < slot->entries; i++)
        if (entry_at(slot->at[i], slot->entry_bytes) != slot->entry[i])
            return false;
    return true;
}

static uint64_t nested_tables(const struct machine *m)
{
    return vmx_nested(&m->vmx) ? m->vmx.c.eptp : 0;
}

/* Is the guest's memory where it was? "Combined mappings" hold until INVEPT. */
static bool same_memory(const struct machine *m, const struct walk_slot *slot)
{
    return slot->eptp == nested_tables(m) &&
           (!slot->eptp || slot->ept_flushes == m->ept_flushes);
}

/* The memory at a linear address, or NULL: walk. */
static uint8_t *kept(struct machine *m, uint32_t linear, unsigned access)
{
    uint64_t key = walk_key(m, linear, access);
    const struct walk_slot *slot = walk_slot(m, key);

    if (own_has(m, linear)) /* who asks may, another may not */
        return NULL;
    if (slot->key != key || slot->root != m->paging.root || !m->paging.format ||
        !same_memory(m, slot) || !unchanged(slot))
        return NULL;
    m->trace->count.walks++;
    m->trace->count.walk_references += slot->references + slot->nested;
    m->trace->count.nested_references += slot->nested;
    return memory_at(&m->memory, slot->page) + (linear & PAGE_MASK);
}

void linear_forget(struct machine *m, uint64_t eptp)
{
    for (unsigned i = 0; i < WALK_SLOTS; i++)
        if (TLB_NESTED_BY(m->walks[i].eptp) == TLB_NESTED_BY(eptp))
            m->walks[i].key = 0;
}

/* Just walked, with success. */
static void keep(struct machine *m, uint32_t linear, unsigned access,
                 const struct paging_walk *w)
{
    const struct paging *p = &m->paging;
    uint64_t key = walk_key(m, linear, access);
    struct walk_slot slot = {
        .key = key,
        .root = p->root,
        .eptp = nested_tables(m),
        .ept_flushes = m->ept_flushes,
        .references = w->references,
        .nested = w->nested,
        .page = MA(w->address & ~(uint64_t)PAGE_MASK),
    };

    if (!p->format || m->own.by_hand ||
        !memory_has(&m->memory, slot.page, PAGE_BYTES))
        return;
    slot.entry_bytes = p->format->entry_bytes;
    for (unsigned level = p->format->levels; level >= w->level; level--) {
        ma_t at = MA(w->at[level]);

        if (p->format == &paging_pae && level == LEVEL_PDPT)
            slot.at[slot.entries] =
                (const uint8_t *)&p
                    ->pdpte[paging_index(p->format, level, linear)];
        else if (memory_has(&m->memory, at, slot.entry_bytes))
            slot.at[slot.entries] = memory_at(&m->memory, at);
        else
            return;
        slot.entry[slot.entries++] = w->entry[level];
    }
    *walk_slot(m, key) = slot;
}

/* ---- accesses ----------------------------------------------------------- */

static uint32_t physical_read(struct machine *m, ma_t ma, unsigned size)
{
    uint32_t value = 0;

    if (memory_has(&m->memory, ma, size))
        memcpy(&value, memory_at(&m->memory, ma), size);
    else
        value = m->client.mmio_read(m->client.owner, ma, size);
    return value;
}

static void physical_write(struct machine *m, ma_t ma, unsigned size,
                           uint32_t value)
{
    if (!memory_has(&m->memory, ma, size)) {
        m->client.mmio_write(m->client.owner, ma, size, value);
        return;
    }
    memcpy(memory_at(&m->memory, ma), &value, size);
    machine_memory_written(m, ma, size);
}

/* The part of an access that lies in its first page. */
static unsigned first_part(uint32_t linear, unsigned size)
{
    unsigned room = PAGE_BYTES - (linear & PAGE_MASK);

    return size < room ? size : room;
}

/* Byte i of an access over two pages: part bytes lie in the first. */
static ma_t split(const struct paging_walk *a, const struct paging_walk *b,
                  unsigned part, unsigned i)
{
    return i < part ? MA(a->address + i) : MA(b->address + i - part);
}

static bool walk_to(struct machine *m, uint32_t linear, unsigned access,
                    struct paging_walk *w, struct fault *f)
{
    if (own_hides(m, linear)) {
        *f = own_fault(m, linear, access);
        return false;
    }
    return walk_access(m, linear, access, w, f);
}

static bool walked_read(struct machine *m, uint32_t linear, unsigned size,
                        unsigned access, uint32_t *value, struct fault *f)
{
    unsigned part = first_part(linear, size);
    struct paging_walk a, b;

    if (!walk_to(m, linear, access, &a, f))
        return false;
    if (part == size) {
        keep(m, linear, access, &a);
        *value = physical_read(m, MA(a.address), size);
        return true;
    }
    if (!walk_to(m, linear + part, access, &b, f))
        return false;
    *value = 0;
    for (unsigned i = 0; i < size; i++)
        *value |= physical_read(m, split(&a, &b, part, i), 1) << 8 * i;
    return true;
}

static bool walked_write(struct machine *m, uint32_t linear, unsigned size,
                         unsigned access, uint32_t value, struct fault *f)
{
    unsigned part = first_part(linear, size);
    struct paging_walk a, b;

    if (!walk_to(m, linear, access, &a, f))
        return false;
    if (part == size) {
        keep(m, linear, access, &a);
        physical_write(m, MA(a.address), size, value);
        return true;
    }
    if (!walk_to(m, linear + part, access, &b, f))
        return false;
    for (unsigned i = 0; i < size; i++)
        physical_write(m, split(&a, &b, part, i), 1, value >> 8 * i & 0xFF);
    return true;
}

static bool linear_read(void *ctx, uint32_t linear, unsigned size, bool user,
                        uint32_t *value, struct fault *f)
{
    unsigned access = user ? ACC_USER : 0;
    const uint8_t *at = NULL;

    if ((linear & PAGE_MASK) <= PAGE_BYTES - 4)
        at = kept(ctx, linear, access);
    if (!at)
        return walked_read(ctx, linear, size, access, value, f);
    memcpy(value, at, sizeof *value);
    *value &= UINT32_MAX >> (32 - 8 * size);
    return true;
}

static bool linear_write(void *ctx, uint32_t linear, unsigned size, bool user,
                         uint32_t value, struct fault *f)
{
    unsigned access = ACC_WRITE | (user ? ACC_USER : 0);
    struct machine *m = ctx;
    uint8_t *at = NULL;

    if (size == 4 && (linear & PAGE_MASK) <= PAGE_BYTES - 4)
        at = kept(m, linear, access);
    if (!at)
        return walked_write(m, linear, size, access, value, f);
    memcpy(at, &value, sizeof value);
    machine_memory_written(m, MA((uint64_t)(at - m->memory.host)),
                           sizeof value);
    return true;
}

static bool linear_descriptor(void *ctx, uint32_t linear, bool write,
                              uint32_t *value, struct fault *f)
{
    struct machine *m = ctx;
    bool done;

    m->own.by_table = true;
    done = write ? linear_write(m, linear, 4, false, *value, f)
                 : linear_read(m, linear, 4, false, value, f);
    m->own.by_table = false;
    return done;
}

/* Is this access allowed, and would it set no bit? */
static bool is_free(const struct paging *p, unsigned access,
                    const struct paging_walk *w)
{
    if (!p->format || !w->translated || !paging_allows(p, access, w) ||
        ((access & ACC_WRITE) && !w->dirty))
        return false;
    for (unsigned level = w->level; level <= LEVEL_PD; level++)
        if (!(w->entry[level] & PTE_A))
            return false;
    return true;
}

static bool free_walk(struct machine *m, uint32_t linear, unsigned access,
                      struct paging_walk *w)
{
    struct hw_walk at;

    if (vmx_nested(&m->vmx))
        return vmx_walk_settled(m, linear, access, w) &&
               is_free(&m->paging, access, w);
    machine_walk(m, linear, &at);
    *w = at.walk;
    return is_free(&m->paging, access, w);
}

/* NULL: the access must be walked for. */
static uint8_t *span_at(struct machine *m, uint32_t linear, unsigned access)
{
    uint8_t *at = kept(m, linear, access);
    struct paging_walk w;

    if (at)
        return at;
    if (own_hides(m, linear) || !free_walk(m, linear, access, &w))
        return NULL;
    keep(m, linear, access, &w);
    return kept(m, linear, access);
}

static void *linear_span(void *ctx, uint32_t linear, unsigned bytes, bool write,
                         bool user)
{
    unsigned access = (write ? ACC_WRITE : 0) | (user ? ACC_USER : 0);
    struct machine *m = ctx;
    uint8_t *at;

    if ((linear & PAGE_MASK) + bytes > PAGE_BYTES)
        return NULL;
    at = span_at(m, linear, access);
    if (at && write)
        machine_memory_written(m, MA((uint64_t)(at - m->memory.host)), bytes);
    return at;
}

/* Outside memory all ones, as entries of tables. */
static bool physical_entry(void *ctx, uint32_t address, uint64_t *value,
                           struct fault *f)
{
    struct machine *m = ctx;
    ma_t ma = MA(address);

    *value = UINT64_MAX;
    if (vmx_nested(&m->vmx) && !vmx_translate(m, GPA(address), &ma)) {
        *f = (struct fault){.vector = VEC_EPT};
        return false;
    }
    if (memory_has(&m->memory, ma, sizeof *value))
        memcpy(value, memory_at(&m->memory, ma), sizeof *value);
    return true;
}

static void linear_switch(void *ctx, uint32_t cr3, const uint64_t *pdpte)
{
    struct machine *m = ctx;

    memcpy(m->extra.pdpte, pdpte, sizeof m->extra.pdpte);
    m->engine.live.cr[3] = cr3;
    drops_flush(m, TLB_LOCAL, m->tlb.tag);
    walk_configure(m);
}

struct mem_ops machine_mem_ops(struct machine *m)
{
    return (struct mem_ops){.read = linear_read,
                            .write = linear_write,
                            .span = linear_span,
                            .read_physical = physical_entry,
                            .descriptor = linear_descriptor,
                            .switch_cr3 = linear_switch,
                            .ctx = m};
}
