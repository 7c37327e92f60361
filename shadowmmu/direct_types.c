/* SPDX-License-Identifier: MIT */
/* shadowmmu/direct_types.c - what each machine frame is used as, and how often.
 *
 * A use that would need another type is refused while the frame has uses. The
 * TLB is part of that: it may remember a writable mapping that is gone, so a
 * frame that was used changes its type only after the TLB has been emptied
 * (Xen's tlbflush_timestamp: mostly that has happened already).
 */
#include "shadowmmu/direct_priv.h"

const char *frame_type_name(enum frame_type type)
{
    static const char *const name[FRAME_TYPES] = {
        [FRAME_UNTYPED] = "untyped",
        [FRAME_WRITABLE] = "writable",
        [FRAME_TABLE] = "page table",
        [FRAME_DIRECTORY] = "page directory",
    };

    return name[(unsigned)type < FRAME_TYPES ? type : FRAME_UNTYPED];
}

void direct_flush(struct mmu *m)
{
    direct_of(m)->flushes++;
    m->c.hardware.flush_all(m->c.hardware.ctx);
}

void entry_store(struct mmu *m, ma_t at, uint32_t value)
{
    memory_write32(m->c.memory, at, value);
    mmu_wrote(m, at, sizeof value);
}

/* ---- entries ---------------------------------------------------------------
 */

/* The references that a present entry has. Refused, there are none. */
enum table_refusal entry_take(struct mmu *m, unsigned table, unsigned index,
                              uint32_t entry, struct direct_answer *answer)
{
    uint32_t target = entry >> PAGE_SHIFT;
    enum frame_type use = use_of(table, entry);
    enum table_refusal why = REFUSAL_NONE;

    if (is_hole(m, table, index))
        return REFUSAL_RESERVED;
    if (entry & ~(PTE_FRAME | ENTRY_FLAGS))
        return REFUSAL_FLAGS;
    if (!frame_is_guests(m, target))
        return REFUSAL_FRAME;
    if (use != FRAME_UNTYPED)
        why = type_use(m, target, use, answer);
    if (why == REFUSAL_NONE)
        direct_of(m)->frame[target].references++;
    return why;
}

void entry_drop(struct mmu *m, unsigned table, unsigned index, uint32_t entry)
{
    uint32_t target = entry >> PAGE_SHIFT;

    if (!(entry & PTE_P) || is_hole(m, table, index))
        return;
    if (--direct_of(m)->frame[target].references == 0)
        direct_of(m)->frame[target].unmapped = direct_of(m)->flushes;
    if (use_of(table, entry) != FRAME_UNTYPED)
        type_unuse(m, target);
}

/* ---- tables ----------------------------------------------------------------
 */

static void report(struct mmu *m, uint32_t frame, const char *cause)
{
    struct direct *d = direct_of(m);
    ma_t ma = MA((uint64_t)frame << PAGE_SHIFT);
    gpa_t gpa = GPA(0);

    pmap_inverse(m->c.pmap, ma, &gpa);
    trace_table(m->c.trace, mmu_site(m), cause, (uint32_t)ma.v, (uint32_t)gpa.v,
                d->frame[frame].type == FRAME_DIRECTORY ? 2 : 1, d->tables);
}

static void drop_entries(struct mmu *m, uint32_t frame, unsigned count)
{
    unsigned type = direct_of(m)->frame[frame].type;

    for (unsigned i = 0; i < count; i++)
        entry_drop(m, type, i, memory_read32(m->c.memory, entry_at(frame, i)));
}

/* The VMM's own space may be there already: copied from another directory. */
static enum table_refusal check_hole(struct mmu *m, uint32_t entry)
{
    bool same = ((entry ^ hole_entry(m)) & PTE_FRAME) == 0;

    return (entry & PTE_P) && !same ? REFUSAL_RESERVED : REFUSAL_NONE;
}

/*S:230*/
/* Look at every entry of what becomes a table, and refer to what it names. The
 * frame has its type already, so that no entry can map it writable. */
static enum table_refusal validate(struct mmu *m, uint32_t frame,
                                   struct direct_answer *answer)
{
    unsigned type = direct_of(m)->frame[frame].type;

    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        ma_t at = entry_at(frame, i);
        uint32_t entry = memory_read32(m->c.memory, at);
        struct direct_answer inner = {.entry = at, .value = entry};
        enum table_refusal why = REFUSAL_NONE;

        if (is_hole(m, type, i))
            why = check_hole(m, entry);
        else if (entry & PTE_P)
            why = entry_take(m, type, i, entry, &inner);
        if (why == REFUSAL_NONE)
            continue;
        drop_entries(m, frame, i);
        *answer = inner;
        return why;
    }
    return REFUSAL_NONE;
}

static enum table_refusal become_table(struct mmu *m, uint32_t frame,
                                       struct direct_answer *answer)
{
    struct direct *d = direct_of(m);
    struct frame_info *f = &d->frame[frame];
    enum table_refusal why = validate(m, frame, answer);

    if (why != REFUSAL_NONE)
        return why;
    if (f->type == FRAME_DIRECTORY && m->overlay.placed)
        entry_store(m, entry_at(frame, hole_index(m)), hole_entry(m));
    d->tables++;
    m->c.trace->count.mmu_typed++;
    report(m, frame, "checked");
    return REFUSAL_NONE;
}
/*:*/

/* Nothing refers to it any more: neither does it. */
static void table_unused(struct mmu *m, uint32_t frame)
{
    struct direct *d = direct_of(m);

    drop_entries(m, frame, TABLE_ENTRIES);
    if (d->frame[frame].type == FRAME_DIRECTORY && m->overlay.placed)
        entry_store(m, entry_at(frame, hole_index(m)), 0);
    d->tables--;
    report(m, frame, "given up");
}

/* ---- types -----------------------------------------------------------------
 */

static enum table_refusal conflict(unsigned is, enum frame_type wanted)
{
    if (wanted == FRAME_WRITABLE)
        return REFUSAL_TABLE;
    return is == FRAME_WRITABLE ? REFUSAL_WRITABLE : REFUSAL_LEVEL;
}

/*S:240*/
enum table_refusal type_use(struct mmu *m, uint32_t frame, enum frame_type type,
                            struct direct_answer *answer)
{
    struct direct *d = direct_of(m);
    struct frame_info *f = &d->frame[frame];
    uint8_t before = f->type;
    enum table_refusal why = REFUSAL_NONE;

    if (f->uses && f->type != type)
        return conflict(f->type, type);
    if (f->uses++)
        return REFUSAL_NONE;
    if (before != FRAME_UNTYPED && before != type && f->stamp == d->flushes)
        direct_flush(m);
    f->type = (uint8_t)type;
    if (type_is_table(type))
        why = become_table(m, frame, answer);
    if (why != REFUSAL_NONE) {
        f->type = before;
        f->uses = 0;
    }
    return why;
}

void type_unuse(struct mmu *m, uint32_t frame)
{
    struct direct *d = direct_of(m);
    struct frame_info *f = &d->frame[frame];

    if (--f->uses)
        return;
    f->stamp = d->flushes;
    if (type_is_table(f->type))
        table_unused(m, frame);
}
/*:*/
