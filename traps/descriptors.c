/* SPDX-License-Identifier: MIT */
/* traps/descriptors.c - shadow descriptor tables.
 *
 * The processor cannot use the guest's GDT and LDT: their ring-0 segments must
 * be ring 1, and gates and task segments must trap. It uses shadows of them,
 * which lie in a piece of linear space that the monitor takes from the guest
 * and gives back (by moving) when the guest wants it. The shadows are mapped
 * read-only for ring 1; the guest's tables are watched, so that every write to
 * them is seen. Only the processor itself reads them: to the guest there is
 * nothing (machine_set_own_space()).
 *
 * Reference: SDM 3A, "Segment Descriptors", "System Descriptor Types".
 */
#include "traps/monitor_priv.h"

#define DESC_P          0x00008000u
#define DESC_S          0x00001000u
#define DESC_A          0x00000100u
#define DESC_DPL        0x00006000u
#define DESC_DPL_SHIFT  13
#define DESC_TYPE_SHIFT 8

uint32_t descriptors_linear(const struct monitor *mon, unsigned page)
{
    return mon->overlay + page * PAGE_BYTES;
}

/* ---- one descriptor --------------------------------------------------------
 */

/* The second word as the processor may see it. */
static uint32_t shadow_of(uint32_t high)
{
    static const uint8_t ring[4] = {1, 2, 2, 3};
    unsigned dpl = (high & DESC_DPL) >> DESC_DPL_SHIFT;
    unsigned type = high >> DESC_TYPE_SHIFT & 0xF;

    if (!(high & DESC_S))
        return type == SYS_LDT ? high : high & ~DESC_P; /* must trap */
    if ((type & SEG_CODE) && (type & SEG_CONFORM))
        return high;
    return (high & ~DESC_DPL) | (uint32_t)ring[dpl] << DESC_DPL_SHIFT;
}

/* Guest memory at a linear address, by supervisor rights and without marks;
 * what is not mapped reads as 0 (no descriptor). */
static void read_guest(struct monitor *mon, uint32_t linear, uint8_t *out,
                       uint32_t bytes)
{
    memset(out, 0, bytes);
    while (bytes) {
        uint32_t part = PAGE_BYTES - (linear & PAGE_MASK);
        gpa_t gpa;

        if (part > bytes)
            part = bytes;
        mmu_peek(mon->mmu, linear, out, part, &gpa);
        linear += part;
        out += part;
        bytes -= part;
    }
}

/* ---- a table ---------------------------------------------------------------
 */

static void unwatch(struct monitor *mon, struct shadow_table *t)
{
    for (unsigned i = 0; i < t->watched_count; i++)
        mmu_unwatch(mon->mmu, t->watched[i]);
    t->watched_count = 0;
}

/* The guest pages that a table lies in, as they are mapped now. */
static unsigned table_pages(struct monitor *mon, uint32_t base, uint32_t bytes,
                            gpa_t page[WATCH_MAX])
{
    unsigned n = 0;
    uint32_t end = base + bytes;

    for (uint32_t at = base & PTE_FRAME; bytes && n < WATCH_MAX;
         at += PAGE_BYTES) {
        struct paging_walk walk;

        mmu_guest_walk(mon->mmu, at, 0, false, &walk);
        if (walk.allowed)
            page[n++] = GPA(walk.address & ~(uint64_t)PAGE_MASK);
        if (at + PAGE_BYTES >= end || at + PAGE_BYTES < at)
            break;
    }
    return n;
}

/* A table may lie in the same page as what the kernel writes all the time (xv6
 * has its GDT beside the counters of its locks). After so many writes that
 * change no descriptor watching does not pay: the loads trap instead, for a
 * lease that doubles each time that watching has been tried again for nothing.
 * They are done by hand meanwhile, or, where a selector may show the real ring,
 * the first has the table watched again, but for that many writes more. */
enum { PATIENCE = 256, LEASE_LEAST = 16, LEASE_MOST = 1 << 20 };

/* One descriptor into the shadow; true: it was another. */
static bool fill_descriptor(struct monitor *mon, const struct shadow_table *t,
                            uint32_t offset, const uint8_t guest[8])
{
    const struct memory *memory = machine_memory(mon->machine);
    ma_t at = MA(t->frame[offset / PAGE_BYTES].v + (offset & PAGE_MASK));
    uint32_t low, high, old_low = memory_read32(memory, at);
    uint32_t old_high = memory_read32(memory, MA(at.v + 4));

    memcpy(&low, guest, 4);
    memcpy(&high, guest + 4, 4);
    high = shadow_of(high);
    if (t->unwatched)
        high &= ~DESC_P;
    if (low == old_low && high == old_high)
        return false;
    memory_write32(memory, at, low);
    memory_write32(memory, MA(at.v + 4), high);
    return true;
}

/* The descriptors of which bytes lie in this part of the table; true: one
 * changed. */
static bool fill_part(struct monitor *mon, struct shadow_table *t,
                      uint32_t from, uint32_t to)
{
    uint8_t page[PAGE_BYTES];
    bool changed = false;

    to = (to + 7) & ~7u;
    if (to > (t->bytes & ~7u))
        to = t->bytes & ~7u;
    for (uint32_t at = from & ~7u, part; at < to; at += part) {
        part = PAGE_BYTES - (at & PAGE_MASK);
        if (part > to - at)
            part = to - at;
        read_guest(mon, t->base + at, page, part);
        for (uint32_t o = 0; o < part; o += 8)
            changed |= fill_descriptor(mon, t, at + o, page + o);
    }
    return changed;
}

static void shadow(struct monitor *mon, struct shadow_table *t, uint32_t base,
                   uint32_t bytes)
{
    gpa_t page[WATCH_MAX];
    unsigned n = table_pages(mon, base, bytes, page);

    for (unsigned i = 0; i < n; i++)
        mmu_watch(mon->mmu, page[i]);
    unwatch(mon, t);
    memcpy(t->watched, page, n * sizeof *page);
    t->watched_count = n;
    t->base = base;
    t->bytes = bytes;
    t->unwatched = false;
    fill_part(mon, t, 0, bytes);
    t->idle_writes = 0;
}

/* Too many writes for nothing: let the page go, and have the loads trap.
 * (LAR, which does not trap, shows descriptors as not present meanwhile.) */
static void stop_watching(struct monitor *mon, struct shadow_table *t)
{
    unwatch(mon, t);
    t->unwatched = true;
    t->loads = 0;
    if (t->lease < LEASE_MOST)
        t->lease = t->lease ? 2 * t->lease : LEASE_LEAST;
    fill_part(mon, t, 0, t->bytes);
    trace_table(mon->trace, monitor_site(mon), "descriptors unwatched",
                (uint32_t)t->frame[0].v, t->base, 0, 0);
}

bool descriptors_load_trapped(struct monitor *mon)
{
    struct shadow_table *tables[2] = {&mon->gdt, &mon->ldt};
    bool again = false;

    for (unsigned k = 0; k < 2; k++) {
        struct shadow_table *t = tables[k];

        if (!t->unwatched ||
            (mon->technique->hides_ring && t->loads++ < t->lease))
            continue;
        shadow(mon, t, t->base, t->bytes);
        again = true;
    }
    return again;
}

/* A table's register was loaded; an unwatched table that it leads to already
 * has nothing in the processor that could be old. */
static void loaded(struct monitor *mon, struct shadow_table *t, uint32_t base,
                   uint32_t bytes)
{
    if (!t->unwatched || t->base != base || t->bytes != bytes)
        shadow(mon, t, base, bytes);
}

/* GDTR or LDTR was loaded (or TR: xv6 does so at each switch of processes). */
void descriptors_tables_changed(struct monitor *mon)
{
    const struct cpu_state *v = &mon->v;
    uint32_t ldt = v->ldtr.attr & SEG_P ? v->ldtr.limit + 1 : 0;

    if (mon->technique->own_tables)
        return;
    loaded(mon, &mon->gdt, v->gdtr.base, (uint32_t)v->gdtr.limit + 1);
    loaded(mon, &mon->ldt, v->ldtr.base, ldt > 0x10000 ? 0x10000 : ldt);
    mon->dirty = true;
    mon->frame_only = false;
}

/* (A shadow says what the guest's descriptor says, or is not present.) */
bool descriptors_hold_cs(const struct monitor *mon)
{
    const struct memory *memory = machine_memory(mon->machine);
    const struct segment *cs = &mon->put.real.seg[SEG_CS];
    const struct shadow_table *t =
        cs->selector & SEL_TI ? &mon->ldt : &mon->gdt;
    uint32_t offset = cs->selector & SEL_INDEX;
    struct segment now;
    ma_t at;

    if (SEL_NULL(cs->selector) || offset + 8 > t->bytes)
        return false;
    at = MA(t->frame[offset / PAGE_BYTES].v + (offset & PAGE_MASK));
    now = arch_segment(cs->selector, memory_read32(memory, at),
                       memory_read32(memory, MA(at.v + 4)));
    return now.base == cs->base && now.limit == cs->limit &&
           now.attr == cs->attr;
}

void descriptors_release(struct monitor *mon)
{
    unwatch(mon, &mon->gdt);
    unwatch(mon, &mon->ldt);
    mon->gdt.bytes = mon->ldt.bytes = 0;
}

static bool moved(struct monitor *mon, const struct shadow_table *t)
{
    gpa_t page[WATCH_MAX];
    unsigned n = table_pages(mon, t->base, t->bytes, page);

    return !t->unwatched && (n != t->watched_count ||
                             memcmp(page, t->watched, n * sizeof *page) != 0);
}

/* The guest changed its paging: its tables may be mapped elsewhere now. */
void descriptors_remapped(struct monitor *mon)
{
    if (mon->technique->own_tables)
        return;
    if (moved(mon, &mon->gdt) || moved(mon, &mon->ldt))
        descriptors_tables_changed(mon);
}

/* The guest wrote these bytes of watched page i; true: a descriptor changed.
 * Where pages of the table are not mapped, a watched page's number says
 * nothing: then any may have. */
static bool written_in_page(struct monitor *mon, struct shadow_table *t,
                            unsigned i, uint32_t offset, uint32_t bytes)
{
    uint32_t first = t->base & PAGE_MASK;
    uint32_t from = i * PAGE_BYTES + offset, to = from + bytes;

    if (t->watched_count != (first + t->bytes + PAGE_MASK) / PAGE_BYTES)
        return fill_part(mon, t, 0, t->bytes);
    if (to <= first)
        return false;
    return fill_part(mon, t, from > first ? from - first : 0, to - first);
}

static void table_page_written(struct monitor *mon, struct shadow_table *t,
                               gpa_t gpa, uint32_t bytes)
{
    uint64_t page = gpa.v & ~(uint64_t)PAGE_MASK;
    bool watched = false, changed = false;

    for (unsigned i = 0; i < t->watched_count; i++) {
        if (t->watched[i].v != page)
            continue;
        watched = true;
        changed |=
            written_in_page(mon, t, i, (uint32_t)(gpa.v & PAGE_MASK), bytes);
    }
    if (!watched)
        return;
    t->idle_writes = changed ? 0 : t->idle_writes + 1;
    if (t->idle_writes > PATIENCE + (mon->technique->hides_ring ? 0 : t->lease))
        stop_watching(mon, t);
}

/* Bytes of a watched page were written. */
void descriptors_written(struct monitor *mon, gpa_t gpa, uint32_t bytes)
{
    table_page_written(mon, &mon->gdt, gpa, bytes);
    table_page_written(mon, &mon->ldt, gpa, bytes);
}

/* ---- the overlay -----------------------------------------------------------
 */

bool descriptors_create(struct monitor *mon)
{
    struct shadow_table *tables[2] = {&mon->gdt, &mon->ldt};

    if (mon->technique->own_tables)
        return true;
    if (!mmu_overlay_create(mon->mmu))
        return false;
    for (unsigned i = 0; i < OVERLAY_PAGES; i++) {
        ma_t *frame = &tables[i / TABLE_PAGES]->frame[i % TABLE_PAGES];

        if (!frames_take(mon->config.frames, frame))
            return false;
        mmu_overlay_map(mon->mmu, i, *frame, PTE_P | PTE_A);
    }
    return true;
}

void descriptors_hide(struct monitor *mon)
{
    if (!mon->technique->own_tables && !mon->technique->shows_space)
        machine_set_own_space(mon->machine, mon->overlay);
}

/* Choose a place that the guest does not use, and go there. */
void descriptors_place(struct monitor *mon)
{
    uint32_t old = mon->overlay, linear;

    if (mon->technique->own_tables)
        return;
    if (!mmu_find_overlay(mon->mmu, &linear)) {
        exits_stop(mon, MONITOR_UNSUPPORTED,
                   "the guest uses all of its linear address space: no 4 MiB "
                   "are left for the VMM (--cpu hvm needs none)");
        return;
    }
    mon->overlay = linear;
    mmu_set_overlay(mon->mmu, linear);
    descriptors_hide(mon);
    if (old != linear)
        trace_relocate(mon->trace, monitor_site(mon), "guest", old, linear,
                       mon->v.cr3);
    mon->dirty = true;
    mon->frame_only = false;
}

/* An instruction of the guest that loads no segment cannot have used a
 * descriptor: where it writes there is nothing for it. */
static bool loads_segment(struct monitor *mon)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;

    return exits_current(mon, &insn, bytes) && insn.cls != CLASS_NONE;
}

/* The processor wants to set the accessed bit of a shadow descriptor, which is
 * read-only: set it in the guest's and in the shadow, a right withheld to see
 * the first use. True: it was that. */
bool descriptors_own_fault(struct monitor *mon, uint32_t linear, uint32_t error)
{
    const struct memory *memory = machine_memory(mon->machine);
    uint32_t offset = linear - descriptors_linear(mon, 0), at;
    struct shadow_table *t = &mon->gdt;
    bool device = false;
    struct fault f;
    uint32_t high;
    ma_t entry;

    if (offset >= OVERLAY_PAGES * PAGE_BYTES || !(error & PF_PRESENT) ||
        !loads_segment(mon))
        return false;
    if (offset >= OVERLAY_LDT * PAGE_BYTES) {
        t = &mon->ldt;
        offset -= OVERLAY_LDT * PAGE_BYTES;
    }
    offset &= ~7u;
    if (offset + 8 > t->bytes)
        return false;
    entry = MA(t->frame[offset / PAGE_BYTES].v + (offset & PAGE_MASK) + 4);
    at = t->base + offset + 4;
    if (mmu_read(mon->mmu, at, 4, false, &high, &f, &device) &&
        !mmu_write(mon->mmu, at, 4, false, high | DESC_A, &f, &device) &&
        !device) {
        /* The guest's own page is read-only: so for its processor, too. */
        mon->trace->count.page_faults[FC_TRUE]++;
        trace_fault(mon->trace, monitor_site(mon), FC_TRUE, f.cr2, 0, 0, error,
                    f.error, 0);
        inject_fault(mon, &f);
        return true;
    }
    memory_write32(memory, entry, memory_read32(memory, entry) | DESC_A);
    mon->trace->count.page_faults[FC_DIRTY]++;
    trace_fault(mon->trace, monitor_site(mon), FC_DIRTY, linear, 0,
                (uint32_t)entry.v, error, 0, 0);
    return true;
}
