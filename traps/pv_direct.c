/* SPDX-License-Identifier: MIT */
/* traps/pv_direct.c - page tables that hold machine addresses.
 *
 * The processor walks them (--mmu direct), so they are only ever what the VMM
 * has checked; shadowmmu/direct.h keeps the books. Here the guest is told which
 * machine frames it has: the machine-to-physical map lies in the VMM's own
 * linear space, where every kernel may read it.
 */
#include "traps/pv.h"

enum {
    M2P_FIRST = (PV_M2P - PV_HOLE) >> PAGE_SHIFT, /* page of the overlay */
    M2P_WORDS = PAGE_BYTES / 4,
};

_Static_assert((int)M2P_FIRST >= (int)OVERLAY_PAGES,
               "behind the descriptor tables");

/* ---- the machine-to-physical map -------------------------------------------
 */

static void fill_page(struct monitor *mon, ma_t page, uint32_t first_frame)
{
    const struct memory *memory = machine_memory(mon->machine);

    for (uint32_t i = 0; i < M2P_WORDS; i++) {
        ma_t ma = MA((uint64_t)(first_frame + i) << PAGE_SHIFT);
        bool own = false;
        gpa_t gpa;

        if (memory_has(memory, ma, PAGE_BYTES))
            own = pmap_inverse(mon->config.pmap, ma, &gpa);
        memory_write32(memory, MA(page.v + i * 4),
                       own ? (uint32_t)(gpa.v >> PAGE_SHIFT) : PV_NO_FRAME);
    }
}

/* Frames that come and go have a place in the map: it is of all the machine. */
static void tell_m2p(struct monitor *mon, ma_t frame, uint32_t page)
{
    const struct memory *memory = machine_memory(mon->machine);
    uint32_t number = (uint32_t)(frame.v >> PAGE_SHIFT);
    uint32_t at = pv_of(mon)->s.m2p[number / M2P_WORDS];

    memory_write32(memory, MA(at + number % M2P_WORDS * 4), page);
}

static bool map_m2p(struct monitor *mon)
{
    const struct memory *memory = machine_memory(mon->machine);
    uint32_t frames = (uint32_t)(memory->bytes >> PAGE_SHIFT);

    for (uint32_t first = 0; first < frames; first += M2P_WORDS) {
        uint32_t at = M2P_FIRST + first / M2P_WORDS;
        ma_t page;

        if (at >= MMU_OVERLAY_BYTES / PAGE_BYTES ||
            !frames_take(mon->config.frames, &page))
            return false;
        fill_page(mon, page, first);
        pv_of(mon)->s.m2p[first / M2P_WORDS] = (uint32_t)page.v;
        mmu_overlay_map(mon->mmu, at, page, PTE_P | PTE_A);
    }
    return true;
}

/* The shared page is written by the VMM at any time: it is never a table. */
static void enter(struct monitor *mon)
{
    if (!direct_hold(mon->mmu, GPA(pv_of(mon)->s.shared_gpa)) || !map_m2p(mon))
        exits_stop(mon, MONITOR_NO_MEMORY,
                   "no machine memory for the machine-to-physical map");
}

/* ---- requests --------------------------------------------------------------
 */

static struct direct_answer update(struct monitor *mon, uint32_t entry,
                                   uint32_t value, bool keep_bits)
{
    return direct_update(mon->mmu, MA(entry), value, keep_bits);
}

static bool find_entry(struct monitor *mon, uint32_t linear, uint32_t *entry)
{
    ma_t ma = MA(0);
    bool found = direct_entry(mon->mmu, linear, &ma);

    *entry = (uint32_t)ma.v;
    return found;
}

static struct direct_answer new_base(struct monitor *mon, uint32_t directory)
{
    struct direct_answer a = direct_new_base(mon->mmu, MA(directory));

    if (a.why != REFUSAL_NONE)
        return a;
    mon->v.cr3 = directory;
    mmu_cr3_written(mon->mmu);
    return a;
}

static struct direct_answer pin(struct monitor *mon, uint32_t page,
                                enum frame_type type)
{
    return direct_pin(mon->mmu, MA(page), type);
}

static struct direct_answer unpin(struct monitor *mon, uint32_t page)
{
    return direct_unpin(mon->mmu, MA(page));
}

/* The counts know it better. */
static struct direct_answer no_table(struct monitor *mon, uint32_t page)
{
    (void)mon;
    return (struct direct_answer){.why = page & PAGE_MASK ? REFUSAL_ALIGNMENT
                                                          : REFUSAL_NONE,
                                  .value = page};
}

static void given(struct monitor *mon, ma_t frame)
{
    tell_m2p(mon, frame, PV_NO_FRAME);
}

/* It must be there to be mapped. */
static int32_t taken(struct monitor *mon, uint32_t page)
{
    gpa_t gpa = GPA((uint64_t)page << PAGE_SHIFT);
    ma_t frame;

    if (pmap_hold(mon->config.pmap, gpa, true, &frame) != PMAP_RAM)
        return PV_EINVAL;
    tell_m2p(mon, frame, page);
    return (int32_t)(frame.v >> PAGE_SHIFT);
}

const struct pv_tables pv_direct_tables = {
    .given = given,
    .taken = taken,
    .features = PV_HAS_DIRECT,
    .enter = enter,
    .update = update,
    .entry = find_entry,
    .new_base = new_base,
    .pin = pin,
    .unpin = unpin,
    .no_table = no_table,
};
