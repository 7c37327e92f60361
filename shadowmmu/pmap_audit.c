/* SPDX-License-Identifier: MIT */
/* shadowmmu/pmap_audit.c - isolation, checked.
 *
 * A VM may reach the machine frames that its PMap gives it, and no other; and
 * write only those that it has alone. mmu_audit() asks of every entry that the
 * processor can use; here is the answer, and whether the maps themselves are
 * right: by the allocator's books, and by each other.
 */
#include "shadowmmu/pmap_priv.h"

bool pmap_gives(const struct pmap *p, ma_t frame, bool write)
{
    uint64_t mfn = frame.v >> PAGE_SHIFT;
    unsigned owner = frames_owner(p->frames, frame);

    if (mfn >= p->machine_frames || !p->inverse[mfn])
        return false;
    if (write)
        return owner == p->owner && frames_references(p->frames, frame) == 1;
    return owner == p->owner || owner == FRAME_COMMON;
}

/* The guest frames that a machine frame stands for in one VM; they are added to
 * *count. */
static const char *audit_list(const struct pmap *p, uint64_t mfn,
                              unsigned references, unsigned *count)
{
    for (uint32_t at = p->inverse[mfn]; at; at = p->sharer[at - 1]) {
        uint32_t entry = p->entry[at - 1];

        if (!pmap_readable(entry_kind(entry)) ||
            entry_frame(entry).v != mfn << PAGE_SHIFT)
            return "the inverse names a guest frame that is elsewhere";
        if ((entry_kind(entry) == PMAP_SHARED) != (references > 1))
            return "a machine frame's references and its sharing disagree";
        if (++*count > references)
            return "a machine frame has more guest frames than references";
    }
    return NULL;
}

static const char *audit_owner(const struct commons *c, uint64_t mfn)
{
    unsigned owner = frames_owner(c->frames, MA(mfn << PAGE_SHIFT)), at = 0;
    const struct pmap *first = commons_user(c, mfn, &at);
    bool several = first && commons_user(c, mfn, &at);

    if (several && owner != FRAME_COMMON)
        return "a machine frame is in the maps of two VMs, and not shared";
    if (first && !several && owner != first->owner)
        return "a guest frame has a machine frame that is not this VM's";
    if (!first && owner != FRAME_FREE && owner != FRAME_VMM)
        return "a machine frame of a VM is behind no guest frame";
    return NULL;
}

static const char *audit_frame(const struct commons *c, uint64_t mfn)
{
    unsigned references = frames_references(c->frames, MA(mfn << PAGE_SHIFT));
    const char *what = audit_owner(c, mfn);
    unsigned count = 0, i = 0;
    const struct pmap *p;

    if (what || !(p = commons_user(c, mfn, &i)))
        return what;
    for (; p && !what; p = commons_user(c, mfn, &i))
        what = audit_list(p, mfn, references, &count);
    if (!what && count != references)
        what = "a machine frame has lost a guest frame";
    return what;
}

static const char *audit_numbers(const struct pmap *p)
{
    uint64_t resident = 0;

    for (uint64_t mfn = 0; mfn < p->machine_frames; mfn++)
        resident += p->inverse[mfn] != 0;
    if (resident != p->n.resident)
        return "the machine frames of the VM are counted wrong";
    if (p->limit && resident > p->limit)
        return "the VM has more machine frames than it may have";
    return NULL;
}

/* The frames that are in its map, and those that are said to be. */
const char *pmap_audit(const struct pmap *p)
{
    const char *what = NULL;

    for (uint64_t mfn = 0; mfn < p->machine_frames && !what; mfn++)
        if (p->inverse[mfn] ||
            frames_owner(p->frames, MA(mfn << PAGE_SHIFT)) == p->owner)
            what = audit_frame(p->commons, mfn);
    return what ? what : audit_numbers(p);
}

const char *commons_audit(const struct commons *c)
{
    const char *what = NULL;

    for (uint64_t mfn = 0; mfn < c->machine_frames && !what; mfn++)
        what = audit_frame(c, mfn);
    for (unsigned i = 0; i < COMMONS_VMS && !what; i++)
        if (c->vm[i])
            what = audit_numbers(c->vm[i]);
    return what;
}
