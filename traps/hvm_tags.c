/* SPDX-License-Identifier: MIT */
/* traps/hvm_tags.c - the guest's VPIDs: whose entries the TLB keeps.
 *
 * With a VPID, entries outlive VM exits and VM entries. With one for each root
 * of the VMM's tables they outlive the guest's address-space switches too: the
 * entries derive from the VMM's tables, which are right when the guest has
 * loaded CR3. So the TLB may keep what it has of a root for as long as nothing
 * was taken from the tables since; then it must forget all of that root, for
 * who took it knew only where the root in use shows it. (Operating systems do
 * the same with PCIDs and a count of changes for each address space.)
 *
 * With nested paging the guest's own CR3 writes empty its VPID, which is one.
 *
 * Reference: SDM 3C, "Virtual-Processor Identifiers (VPIDs)", "Guidelines for
 * Use of the INVVPID Instruction".
 */
#include "traps/hvm_priv.h"

/* The root in use: the TLB was told which page, if it was told before all that
 * came earlier. Others find out when they are used again. */
void hvm_tags_withdrawn(struct monitor *mon)
{
    struct hvm *h = hvm_of(mon);
    struct hvm_tag *tag = &h->tags.tag[h->tags.current];
    bool knew = tag->withdrawn == h->tags.withdrawn;

    h->tags.withdrawn++;
    if (knew && hvm_same_root(&mon->root, &h->root))
        tag->withdrawn = h->tags.withdrawn;
}

bool hvm_tags_true(const struct monitor *mon)
{
    const struct hvm_tags *t = &hvm_of(mon)->tags;

    return hvm_nested(mon) || !hvm_tagged(mon) ||
           t->tag[t->current].withdrawn == t->withdrawn;
}

/* The one that the root has, or else the one that was given away first. */
static unsigned tag_for(struct hvm_tags *t, const struct mmu_root *root)
{
    for (unsigned i = 0; i < HVM_TAGS; i++)
        if (t->tag[i].withdrawn && hvm_same_root(&t->tag[i].root, root))
            return i;
    return t->next++ % HVM_TAGS;
}

void hvm_tags_choose(struct monitor *mon)
{
    struct hvm_tags *t = &hvm_of(mon)->tags;
    bool one = (mon->config.mmu_without & MMU_SPACE_VPID) != 0;
    struct hvm_tag *tag;

    if (!hvm_tagged(mon))
        return;
    t->current = one ? 0 : tag_for(t, &mon->root);
    tag = &t->tag[t->current];
    hvm_write(mon, VMCS_VPID, VPID_OF_GUEST + t->current);
    if (tag->withdrawn == t->withdrawn && hvm_same_root(&tag->root, &mon->root))
        return;
    *tag = (struct hvm_tag){mon->root, t->withdrawn};
    hvm_tags_forget(mon);
}

void hvm_tags_forget(struct monitor *mon)
{
    if (hvm_tagged(mon))
        vmx_invvpid(mon->machine, INVVPID_CONTEXT,
                    (uint16_t)(VPID_OF_GUEST + hvm_of(mon)->tags.current), 0);
}
