/* SPDX-License-Identifier: MIT */
/* shadowmmu/direct_update.c - what the guest asks for: entries, pins, CR3.
 *
 * Each request is checked whole before anything changes.
 */
#include "shadowmmu/direct_priv.h"

/* What a request comes to. The value's frame is named as the guest knows it. */
static struct direct_answer
finish(const struct mmu *m, struct direct_answer answer, enum table_refusal why)
{
    answer.why = why;
    if (!pmap_inverse(m->c.pmap, MA(answer.value & PTE_FRAME), &answer.gpa))
        answer.gpa = GPA(0);
    return answer;
}

/* ---- entries ---------------------------------------------------------------
 */

/* Does the new value refer to the same thing in the same way? */
static bool same_reference(unsigned table, uint32_t old, uint32_t new)
{
    return (old & PTE_P) && (new &PTE_P) && ((old ^ new) & PTE_FRAME) == 0 &&
           use_of(table, old) == use_of(table, new) &&
           !(new & ~(PTE_FRAME | ENTRY_FLAGS));
}

/* First the new references, then the store, then the old ones: what both refer
 * to is not given up in between. */
static enum table_refusal table_update(struct mmu *m, ma_t at, uint32_t value,
                                       struct direct_answer *answer)
{
    unsigned type = direct_of(m)->frame[frame_of(at)].type;
    unsigned index = (unsigned)(at.v & PAGE_MASK) / 4;
    uint32_t old = memory_read32(m->c.memory, at);
    enum table_refusal why = REFUSAL_NONE;

    if (is_hole(m, type, index))
        return REFUSAL_RESERVED;
    if (same_reference(type, old, value)) {
        entry_store(m, at, value);
        return REFUSAL_NONE;
    }
    if (value & PTE_P)
        why = entry_take(m, type, index, value, answer);
    if (why != REFUSAL_NONE)
        return why;
    entry_store(m, at, value);
    entry_drop(m, type, index, old);
    return REFUSAL_NONE;
}

/* A store like any other of the guest's own. */
static enum table_refusal word_update(struct mmu *m, ma_t at, uint32_t value,
                                      struct direct_answer *answer)
{
    enum table_refusal why = type_use(m, frame_of(at), FRAME_WRITABLE, answer);

    if (why != REFUSAL_NONE)
        return why;
    entry_store(m, at, value);
    type_unuse(m, frame_of(at));
    return REFUSAL_NONE;
}

struct direct_answer direct_update(struct mmu *m, ma_t entry, uint32_t value,
                                   bool keep_bits)
{
    struct direct_answer answer = {.entry = entry, .value = value};
    const struct frame_info *f;
    enum table_refusal why;

    if (!frame_is_guests(m, frame_of(entry)))
        return finish(
            m, (struct direct_answer){.value = (uint32_t)entry.v & PTE_FRAME},
            REFUSAL_FRAME);
    f = &direct_of(m)->frame[frame_of(entry)];
    if (keep_bits)
        value |= memory_read32(m->c.memory, entry) & (PTE_A | PTE_D);
    if (f->uses && type_is_table(f->type))
        why = table_update(m, entry, value, &answer);
    else
        why = word_update(m, entry, value, &answer);
    return finish(m, answer, why);
}

bool direct_entry(struct mmu *m, uint32_t linear, ma_t *entry)
{
    uint32_t base = frame_of(direct_of(m)->base);
    unsigned index = linear >> LARGE_PAGE_SHIFT;
    uint32_t pde = memory_read32(m->c.memory, entry_at(base, index));

    if (!(pde & PTE_P) || is_hole(m, FRAME_DIRECTORY, index))
        return false;
    *entry =
        entry_at(pde >> PAGE_SHIFT, linear >> PAGE_SHIFT & (TABLE_ENTRIES - 1));
    return true;
}

/* ---- frames ----------------------------------------------------------------
 */

static enum table_refusal check_frame(const struct mmu *m, ma_t frame)
{
    if (frame.v & PAGE_MASK)
        return REFUSAL_ALIGNMENT;
    return frame_is_guests(m, frame_of(frame)) ? REFUSAL_NONE : REFUSAL_FRAME;
}

static enum table_refusal pin(struct mmu *m, uint32_t frame,
                              enum frame_type type,
                              struct direct_answer *answer)
{
    struct frame_info *f = &direct_of(m)->frame[frame];
    enum table_refusal why;

    if (f->pinned)
        return f->type == type ? REFUSAL_PINNED : REFUSAL_LEVEL;
    why = type_use(m, frame, type, answer);
    f->pinned = why == REFUSAL_NONE;
    return why;
}

struct direct_answer direct_pin(struct mmu *m, ma_t frame, enum frame_type type)
{
    struct direct_answer answer = {.value = (uint32_t)frame.v};
    enum table_refusal why = check_frame(m, frame);

    if (why == REFUSAL_NONE)
        why = pin(m, frame_of(frame), type, &answer);
    return finish(m, answer, why);
}

static enum table_refusal unpin(struct mmu *m, uint32_t frame)
{
    struct frame_info *f = &direct_of(m)->frame[frame];

    if (!f->pinned)
        return REFUSAL_NOT_PINNED;
    f->pinned = false;
    type_unuse(m, frame);
    return REFUSAL_NONE;
}

struct direct_answer direct_unpin(struct mmu *m, ma_t frame)
{
    struct direct_answer answer = {.value = (uint32_t)frame.v};
    enum table_refusal why = check_frame(m, frame);

    if (why == REFUSAL_NONE)
        why = unpin(m, frame_of(frame));
    return finish(m, answer, why);
}

struct direct_answer direct_new_base(struct mmu *m, ma_t directory)
{
    struct direct_answer answer = {.value = (uint32_t)directory.v};
    struct direct *d = direct_of(m);
    enum table_refusal why = check_frame(m, directory);

    if (why == REFUSAL_NONE)
        why = type_use(m, frame_of(directory), FRAME_DIRECTORY, &answer);
    if (why == REFUSAL_NONE) {
        if (d->base.v)
            type_unuse(m, frame_of(d->base));
        d->base = directory;
    }
    return finish(m, answer, why);
}

bool direct_hold(struct mmu *m, gpa_t page)
{
    struct direct_answer ignored;
    struct frame_info *f;
    ma_t ma;

    if (pmap_lookup(m->c.pmap, page, &ma) != PMAP_RAM)
        return false;
    f = &direct_of(m)->frame[frame_of(ma)];
    if (f->held)
        return true;
    f->held =
        type_use(m, frame_of(ma), FRAME_WRITABLE, &ignored) == REFUSAL_NONE;
    return f->held;
}
