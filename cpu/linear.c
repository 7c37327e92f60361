/* SPDX-License-Identifier: MIT */
/* cpu/linear.c - linear memory for the architecture's procedures.
 *
 * Delivering an event reads and writes a dozen words of tables and stacks that
 * are where they were the last time. A slot keeps a translation together with
 * the table entries it came from, and holds only while they still say the same:
 * it cannot be stale, nothing has to drop it, and it counts the references that
 * comparing takes, which are the walk's.
 */
#include "cpu/machine_priv.h"

/* ---- translations kept -------------------------------------------------- */

/* What a translation depends on besides the entries: the page, the access, and
 * the bits of the control registers that change what entries mean. */
static uint64_t walk_key(const struct machine *m, uint32_t linear, bool write,
                         bool user)
{
    const uint64_t *cr = m->engine.live.cr;
    uint32_t mode = (uint32_t)((cr[0] & CR0_WP) | (cr[4] & CR4_PSE));

    return (uint64_t)(mode | (write ? 1u << 1 : 0) | (user ? 1u << 2 : 0) | 1u)
               << 32 |
           linear >> PAGE_SHIFT;
}

static struct walk_slot *walk_slot(struct machine *m, uint64_t key)
{
    return &m->walks[(key + (key >> 33) * 29) % WALK_SLOTS];
}

/* The memory at a linear address, or NULL: walk. */
static uint8_t *kept(struct machine *m, uint32_t linear, bool write, bool user)
{
    uint64_t key = walk_key(m, linear, write, user);
    const struct walk_slot *slot = walk_slot(m, key);

    if (slot->key != key || slot->cr3 != (uint32_t)m->engine.live.cr[3] ||
        memory_read32(&m->memory, slot->pde_at) != slot->pde ||
        memory_read32(&m->memory, slot->pte_at) != slot->pte ||
        !walk_translates(m))
        return NULL;
    m->trace->count.walk_references += slot->references;
    return memory_at(&m->memory, slot->page) + (linear & PAGE_MASK);
}

/* Just walked, with success. */
static void keep(struct machine *m, uint32_t linear, bool write, bool user)
{
    uint64_t key = walk_key(m, linear, write, user);
    struct walk_slot *slot = walk_slot(m, key);
    struct hw_walk w;

    machine_walk(m, linear, &w);
    w.ma.v &= ~(uint64_t)PAGE_MASK;
    if (!walk_translates(m) || !memory_has(&m->memory, w.pde_ma, 4) ||
        !memory_has(&m->memory, w.ma, PAGE_BYTES) ||
        (!w.large && !memory_has(&m->memory, w.pte_ma, 4)))
        return;
    *slot = (struct walk_slot){
        .key = key,
        .cr3 = (uint32_t)m->engine.live.cr[3],
        .pde = w.pde,
        .pte = w.large ? w.pde : w.pte,
        .references = w.large ? 1 : 2,
        .pde_at = w.pde_ma,
        .pte_at = w.large ? w.pde_ma : w.pte_ma,
        .page = w.ma,
    };
}

/* ---- accesses ----------------------------------------------------------- */

static uint32_t physical_read(struct machine *m, ma_t ma, unsigned size)
{
    uint32_t value = 0;

    if (memory_has(&m->memory, ma, size))
        memcpy(&value, memory_at(&m->memory, ma), size);
    else
        value = m->client.mmio_read(m->client.ctx, ma, size);
    return value;
}

static void physical_write(struct machine *m, ma_t ma, unsigned size,
                           uint32_t value)
{
    if (!memory_has(&m->memory, ma, size)) {
        m->client.mmio_write(m->client.ctx, ma, size, value);
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

static bool walked_read(struct machine *m, uint32_t linear, unsigned size,
                        bool user, uint32_t *value, struct fault *f)
{
    unsigned part = first_part(linear, size);
    bool writable;
    ma_t a, b;

    if (!walk_access(m, linear, false, user, false, &a, &writable, f))
        return false;
    if (part == size) {
        keep(m, linear, false, user);
        *value = physical_read(m, a, size);
        return true;
    }
    if (!walk_access(m, linear + part, false, user, false, &b, &writable, f))
        return false;
    *value = 0;
    for (unsigned i = 0; i < size; i++) {
        ma_t at = i < part ? MA(a.v + i) : MA(b.v + i - part);
        *value |= physical_read(m, at, 1) << 8 * i;
    }
    return true;
}

static bool walked_write(struct machine *m, uint32_t linear, unsigned size,
                         bool user, uint32_t value, struct fault *f)
{
    unsigned part = first_part(linear, size);
    bool writable;
    ma_t a, b;

    if (!walk_access(m, linear, true, user, false, &a, &writable, f))
        return false;
    if (part == size) {
        keep(m, linear, true, user);
        physical_write(m, a, size, value);
        return true;
    }
    if (!walk_access(m, linear + part, true, user, false, &b, &writable, f))
        return false;
    for (unsigned i = 0; i < size; i++)
        physical_write(m, i < part ? MA(a.v + i) : MA(b.v + i - part), 1,
                       value >> 8 * i & 0xFF);
    return true;
}

static bool linear_read(void *ctx, uint32_t linear, unsigned size, bool user,
                        uint32_t *value, struct fault *f)
{
    const uint8_t *at = NULL;

    if ((linear & PAGE_MASK) <= PAGE_BYTES - 4)
        at = kept(ctx, linear, false, user);
    if (!at)
        return walked_read(ctx, linear, size, user, value, f);
    memcpy(value, at, sizeof *value);
    *value &= UINT32_MAX >> (32 - 8 * size);
    return true;
}

static bool linear_write(void *ctx, uint32_t linear, unsigned size, bool user,
                         uint32_t value, struct fault *f)
{
    struct machine *m = ctx;
    uint8_t *at = NULL;

    if (size == 4 && (linear & PAGE_MASK) <= PAGE_BYTES - 4)
        at = kept(m, linear, true, user);
    if (!at)
        return walked_write(m, linear, size, user, value, f);
    memcpy(at, &value, sizeof value);
    machine_memory_written(m, MA((uint64_t)(at - m->memory.host)),
                           sizeof value);
    return true;
}

static void linear_switch(void *ctx, uint32_t cr3)
{
    struct machine *m = ctx;

    uc_reg_write(m->engine.uc, UC_X86_REG_CR3, &cr3);
}

struct mem_ops machine_mem_ops(struct machine *m)
{
    return (struct mem_ops){.read = linear_read,
                            .write = linear_write,
                            .switch_cr3 = linear_switch,
                            .ctx = m};
}
