/* SPDX-License-Identifier: MIT */
/* traps/pv_memory.c - arguments that are pointers, and the shared page.
 *
 * A guest may put anything into a register. What it points to is reached
 * through its own page tables, page by page, with its kernel's rights, and
 * only where real memory is behind it.
 */
#include "traps/pv.h"

_Static_assert(sizeof(struct pv_shared_info) == 72,
               "guest and VMM lay the shared page out alike");
_Static_assert(sizeof(struct pv_start) <= PAGE_BYTES, "one page");

static bool in_bounds(uint32_t linear, uint32_t bytes)
{
    return linear < PV_HOLE && bytes <= PV_HOLE - linear;
}

bool pv_is_memory(const struct monitor *mon, uint32_t gpa)
{
    ma_t ma;

    return pmap_writable(pmap_lookup(mon->config.pmap, GPA(gpa), &ma));
}

/* The guest-physical address behind a linear one, for bytes inside a page. */
static bool translate(struct monitor *mon, uint32_t linear, unsigned access,
                      uint32_t *gpa)
{
    struct paging_walk walk;

    mmu_guest_walk(mon->mmu, linear, access, true, &walk);
    *gpa = (uint32_t)walk.address;
    return walk.allowed && pv_is_memory(mon, *gpa);
}

static uint32_t part_of(uint32_t linear, uint32_t bytes)
{
    uint32_t room = PAGE_BYTES - (linear & PAGE_MASK);

    return bytes < room ? bytes : room;
}

bool pv_read(struct monitor *mon, uint32_t linear, void *out, uint32_t bytes)
{
    uint8_t *to = out;

    if (!in_bounds(linear, bytes))
        return false;
    while (bytes) {
        uint32_t part = part_of(linear, bytes), gpa;

        if (!translate(mon, linear, 0, &gpa) ||
            !pmap_read(mon->config.pmap, GPA(gpa), to, part))
            return false;
        linear += part;
        to += part;
        bytes -= part;
    }
    return true;
}

bool pv_write_gpa(struct monitor *mon, uint32_t gpa, const void *data,
                  uint32_t bytes)
{
    ma_t ma;

    if (pmap_hold(mon->config.pmap, GPA(gpa), true, &ma) != PMAP_RAM)
        return false;
    memcpy(memory_at(machine_memory(mon->machine), ma), data, bytes);
    machine_memory_written(mon->machine, ma, bytes);
    mmu_gpa_written(mon->mmu, GPA(gpa), bytes);
    return true;
}

bool pv_write(struct monitor *mon, uint32_t linear, const void *data,
              uint32_t bytes)
{
    const uint8_t *from = data;

    if (!in_bounds(linear, bytes))
        return false;
    while (bytes) {
        uint32_t part = part_of(linear, bytes), gpa;

        if (!translate(mon, linear, ACC_WRITE, &gpa) ||
            !pv_write_gpa(mon, gpa, from, part))
            return false;
        linear += part;
        from += part;
        bytes -= part;
    }
    return true;
}

struct pv_shared_info *pv_shared(const struct monitor *mon)
{
    ma_t ma;

    if (pmap_lookup(mon->config.pmap, GPA(pv_of(mon)->s.shared_gpa), &ma) !=
        PMAP_RAM)
        return NULL;
    return (void *)memory_at(machine_memory(mon->machine), ma);
}

void pv_shared_wrote(struct monitor *mon)
{
    uint32_t gpa = pv_of(mon)->s.shared_gpa;
    ma_t ma;

    if (pmap_lookup(mon->config.pmap, GPA(gpa), &ma) != PMAP_RAM)
        return;
    machine_memory_written(mon->machine, ma, sizeof(struct pv_shared_info));
    mmu_gpa_written(mon->mmu, GPA(gpa), sizeof(struct pv_shared_info));
}

int32_t pv_check_batch(uint32_t linear, uint32_t count, uint32_t bytes)
{
    if (count > PV_BATCH_MAX)
        return PV_E2BIG;
    if (linear & 3)
        return PV_EINVAL;
    return in_bounds(linear, count * bytes) ? 0 : PV_EFAULT;
}

int32_t pv_batch_done(struct monitor *mon, uint32_t linear, uint32_t done,
                      int32_t result)
{
    if (linear && !pv_write(mon, linear, &done, sizeof done))
        return PV_EFAULT;
    return result;
}
