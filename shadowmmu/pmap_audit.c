/* SPDX-License-Identifier: MIT */
/* shadowmmu/pmap_audit.c - isolation, checked.
 *
 * A VM may reach the machine frames that its PMap gives it, and no other; and
 * write only those that it has alone. mmu_audit() asks of every entry that the
 * processor can use; here is the answer, and whether the map itself is right by
 * the allocator's books.
 */
#include "shadowmmu/pmap_priv.h"

bool pmap_gives(const struct pmap *p, ma_t frame, bool write)
{
    uint64_t mfn = frame.v >> PAGE_SHIFT;

    if (mfn >= p->machine_frames || !p->inverse[mfn])
        return false;
    return frames_owner(p->frames, frame) == p->owner &&
           (!write || frames_references(p->frames, frame) == 1);
}

/* The guest frames that a machine frame stands for. */
static const char *audit_frame(const struct pmap *p, uint64_t mfn)
{
    ma_t frame = MA(mfn << PAGE_SHIFT);
    unsigned references = frames_references(p->frames, frame), n = 0;

    if (!p->inverse[mfn])
        return frames_owner(p->frames, frame) == p->owner
                   ? "a machine frame of this VM is behind no guest frame"
                   : NULL;
    if (frames_owner(p->frames, frame) != p->owner)
        return "a guest frame has a machine frame that is not this VM's";
    for (uint32_t at = p->inverse[mfn]; at; at = p->sharer[at - 1], n++) {
        uint32_t entry = p->entry[at - 1];

        if (!pmap_readable(entry_kind(entry)) ||
            entry_frame(entry).v != frame.v)
            return "the inverse names a guest frame that is elsewhere";
        if ((entry_kind(entry) == PMAP_SHARED) != (references > 1))
            return "a machine frame's references and its sharing disagree";
        if (n >= references)
            return "a machine frame has more guest frames than references";
    }
    return n == references ? NULL : "a machine frame has lost a guest frame";
}

const char *pmap_audit(const struct pmap *p)
{
    uint64_t resident = 0;
    const char *what = NULL;

    for (uint64_t mfn = 0; mfn < p->machine_frames && !what; mfn++) {
        what = audit_frame(p, mfn);
        resident += p->inverse[mfn] != 0;
    }
    if (!what && resident != p->n.resident)
        what = "the machine frames of the VM are counted wrong";
    if (!what && p->limit && resident > p->limit)
        what = "the VM has more machine frames than it may have";
    return what;
}
