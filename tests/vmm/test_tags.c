/* SPDX-License-Identifier: MIT */
/* tests/vmm/test_tags.c - what the processor's TLB holds while guests run.
 *
 * Isolation does not end at the tables: no entry of the TLB that can be used
 * leads to a machine frame that the PMap does not give the VM; and where the
 * VMM's own tables are walked, none says more than they do, under whichever
 * tag it is kept.
 */
#include <criterion/criterion.h>

#include "cpu/machine_priv.h"
#include "tests/support/guest.h"
#include "traps/hvm_priv.h"
#include "vmm/vm_priv.h"

TestSuite(tags, .timeout = 120);

enum { LOOKS = 400, EVERY = 5003 /* cycles */ };

struct look {
    const struct way *way;
    struct vm *vm;
    unsigned tags; /* under which entries could be used, at most */
};

static bool read_table(void *ctx, uint64_t at, unsigned bytes, uint64_t *entry)
{
    const struct memory *memory = ctx;

    *entry = 0;
    if (!memory_has(memory, MA(at), bytes))
        return false;
    memcpy(entry, memory_at(memory, MA(at)), bytes);
    return true;
}

/* The root of the entry's tag; NULL: the entry is not for use. */
static const struct mmu_root *root_of(const struct look *l,
                                      const struct tlb_entry *e)
{
    const struct monitor *mon = l->vm->monitor;
    const struct hvm_tag *tag;

    if (l->way->cpu != CPU_HVM || l->way->mmu == &mmu_nested)
        return &mon->root;
    cr_assert(e->tag >= VPID_OF_GUEST && e->tag < VPID_OF_GUEST + HVM_TAGS);
    tag = &hvm_of(mon)->tags.tag[e->tag - VPID_OF_GUEST];
    return tag->withdrawn == hvm_of(mon)->tags.withdrawn ? &tag->root : NULL;
}

static void check_against_tables(const struct look *l,
                                 const struct tlb_entry *e,
                                 const struct mmu_root *root)
{
    const struct memory *memory = machine_memory(l->vm->machine);
    uint32_t linear = e->page << PAGE_SHIFT;
    struct paging_walk w;
    struct paging p;

    paging_from_registers(&p, CR0_PE | CR0_PG | CR0_WP, root->ma.v,
                          root->pae ? CR4_PAE : 0, root->nx ? EFER_NXE : 0,
                          root->pae ? root->pdpte : NULL);
    paging_walk(&p, linear, 0, read_table, (void *)(uintptr_t)memory, &w);
    cr_assert(w.translated, "%s: %08x is in no table", l->way->name,
              (unsigned)linear);
    cr_assert_eq(w.address & ~(uint64_t)PAGE_MASK, e->address);
    cr_assert(w.writable >= e->writable && w.user >= e->user &&
                  w.executable >= e->executable && w.dirty >= e->dirty,
              "%s: %08x has lost a right", l->way->name, (unsigned)linear);
}

static void check_owner(const struct look *l, const struct tlb_entry *e)
{
    ma_t frame = MA(e->address);

    if (frames_owner(l->vm->frames, frame) == FRAME_VMM)
        cr_assert_not(e->user, "%s: a frame of the VMM's", l->way->name);
    else
        cr_assert(pmap_gives(l->vm->pmap, frame, e->writable && e->dirty),
                  "%s: %08x", l->way->name, (unsigned)e->page << PAGE_SHIFT);
}

static void look_at_tlb(struct look *l)
{
    const struct tlb *t = &l->vm->machine->tlb;
    bool seen[1 + HVM_TAGS] = {false};
    unsigned tags = 0;

    for (unsigned i = 0; i < t->entries; i++) {
        const struct tlb_entry *e = &t->entry[i];
        const struct mmu_root *root;

        if (!e->order || !(root = root_of(l, e)))
            continue;
        check_owner(l, e);
        if (l->way->mmu != &mmu_nested)
            check_against_tables(l, e, root);
        tags += !seen[e->tag];
        seen[e->tag] = true;
    }
    if (l->tags < tags)
        l->tags = tags;
}

/* Returns under how many tags there were entries for use at once. */
static unsigned look_while_it_runs(unsigned way, const char *append,
                                   void (*change)(struct vm_config *config))
{
    struct look l = {.way = &ways[way]};
    struct guest g;

    guest_open(&g, l.way, guest_embedded("lumen"), append, 16 * MIB, change);
    l.vm = g.vm;
    for (unsigned i = 1; i <= LOOKS; i++) {
        if (guest_run(&g, i * EVERY) != VM_RUNNING)
            break;
        look_at_tlb(&l);
    }
    guest_close(&g);
    return l.tags;
}

static const char forks[] = "quiet run=forks,10";

static void scarce(struct vm_config *c)
{
    c->machine_bytes = 512 << 10;
    c->share = 64;
}

Test(tags, the_tlb_has_what_the_tables_have)
{
    for (unsigned way = WAY_STATIC_TLB; way <= WAY_BT_SHADOW; way++)
        look_while_it_runs(way, forks, NULL);
    look_while_it_runs(WAY_HVM_TLB, forks, NULL);
    look_while_it_runs(WAY_HVM_SHADOW, forks, NULL);
    look_while_it_runs(WAY_HVM_NESTED, forks, NULL);
}

Test(tags, and_when_frames_are_taken_away_too)
{
    look_while_it_runs(WAY_BT_SHADOW, forks, scarce);
    look_while_it_runs(WAY_HVM_TLB, forks, scarce);
    look_while_it_runs(WAY_HVM_SHADOW, forks, scarce);
    look_while_it_runs(WAY_HVM_NESTED, forks, scarce);
}

static const char pingpong[] = "quiet run=pingpong,3,16,40";

static void one_tag(struct vm_config *c)
{
    c->mmu_without = MMU_SPACE_VPID;
}

/* Otherwise the tests above would look at one tag alone. */
Test(tags, each_address_space_has_one_under_shadow_paging)
{
    cr_expect_geq(look_while_it_runs(WAY_HVM_SHADOW, pingpong, NULL), 3);
    cr_expect_eq(look_while_it_runs(WAY_HVM_SHADOW, pingpong, one_tag), 1);
    cr_expect_eq(look_while_it_runs(WAY_HVM_NESTED, pingpong, NULL), 1);
}
