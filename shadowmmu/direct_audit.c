/* SPDX-License-Identifier: MIT */
/* shadowmmu/direct_audit.c - is every count what the tables say, and does no
 * table say what it must not?
 *
 * All uses and references are counted again, from CR3, the pins and the tables
 * that are in use, and compared. Nothing of direct_types.c is used for it.
 */
#include "shadowmmu/direct_priv.h"

#include <stdlib.h>

struct recount {
    uint32_t references, uses;
};

struct audit {
    struct mmu *m;
    struct recount *count; /* by machine frame */
    unsigned wrong;
    char *line;
    size_t bytes;
};

static void complain(struct audit *a, uint32_t frame, unsigned index,
                     const char *what)
{
    const struct direct *d = direct_of(a->m);

    if (a->wrong++ == 0 && a->line)
        snprintf(
            a->line, a->bytes, "machine frame %05x (%s) entry %03x = %08x: %s",
            (unsigned)frame, frame_type_name(d->frame[frame].type), index,
            (unsigned)memory_read32(a->m->c.memory, entry_at(frame, index)),
            what);
}

static void count_entry(struct audit *a, uint32_t frame, unsigned index)
{
    const struct direct *d = direct_of(a->m);
    uint32_t entry = memory_read32(a->m->c.memory, entry_at(frame, index));
    uint32_t target = entry >> PAGE_SHIFT;
    bool directory = d->frame[frame].type == FRAME_DIRECTORY;
    unsigned type;

    if (is_hole(a->m, d->frame[frame].type, index)) {
        if ((entry ^ hole_entry(a->m)) & ~(PTE_A | PTE_D))
            complain(a, frame, index, "the VMM's own space is not there");
        return;
    }
    if (!(entry & PTE_P))
        return;
    if (!frame_is_guests(a->m, target)) {
        complain(a, frame, index, "a frame that the PMap does not have");
        return;
    }
    if (entry & ~(PTE_FRAME | ENTRY_FLAGS))
        complain(a, frame, index, "forbidden flags");
    type = d->frame[target].uses ? d->frame[target].type : FRAME_UNTYPED;
    if (directory && type != FRAME_TABLE)
        complain(a, frame, index, "links what is no page table");
    if (!directory && (entry & PTE_W) && type != FRAME_WRITABLE)
        complain(a, frame, index,
                 type_is_table(type) ? "a page table is writable"
                                     : "writable, and not counted as such");
    a->count[target].references++;
    if (directory || (entry & PTE_W))
        a->count[target].uses++;
}

static void compare(struct audit *a, uint32_t frame)
{
    const struct frame_info *f = &direct_of(a->m)->frame[frame];
    const struct recount *c = &a->count[frame];

    if (c->references != f->references)
        complain(a, frame, 0, "references miscounted");
    if (c->uses != f->uses)
        complain(a, frame, 0, "uses miscounted");
    if (f->pinned && !type_is_table(f->type))
        complain(a, frame, 0, "pinned, and no table");
}

static void recount(struct audit *a)
{
    const struct direct *d = direct_of(a->m);

    for (uint32_t frame = 0; frame < d->frames; frame++) {
        const struct frame_info *f = &d->frame[frame];

        a->count[frame].uses += (uint32_t)f->pinned + f->held +
                                (d->base.v && frame == frame_of(d->base));
        if (!f->uses || !type_is_table(f->type))
            continue;
        for (unsigned i = 0; i < TABLE_ENTRIES; i++)
            count_entry(a, frame, i);
    }
}

unsigned direct_audit(struct mmu *m, char *line, size_t bytes)
{
    const struct direct *d = direct_of(m);
    struct audit a = {.m = m, .line = line, .bytes = bytes};

    a.count = calloc(d->frames, sizeof *a.count);
    if (!a.count) {
        if (line)
            snprintf(line, bytes, "no memory for the audit");
        return 1;
    }
    recount(&a);
    for (uint32_t frame = 0; frame < d->frames; frame++)
        compare(&a, frame);
    if (d->base.v && (d->frame[frame_of(d->base)].type != FRAME_DIRECTORY ||
                      (m->c.vcpu->cr3 & PTE_FRAME) != d->base.v))
        complain(&a, frame_of(d->base), 0, "CR3 names no directory");
    free(a.count);
    return a.wrong;
}
