/* SPDX-License-Identifier: MIT */
/* space.c - the memory of a process: regions it may use, and the pages it
 * has been given so far.
 *
 * A page of bss, heap or stack gets its frame, full of zeros, at the first
 * touch. fork() shares every frame read-only; whoever writes first gets a
 * copy. CR0.WP makes that hold for the kernel's writes as well.
 *
 * Reference: SDM 3A, "Interrupt 14 - Page-Fault Exception (#PF)".
 */
#include "kernel.h"
#include "machine.h"
#include "x86.h"

#define ENTRIES      1024u
#define USER_ENTRIES ((uint32_t)KERNEL_BASE >> 22)

bool space_create(struct space *space)
{
    memset(space, 0, sizeof *space);
    space->regions[REGION_HEAP].writable = true;
    space->regions[REGION_STACK] =
        (struct region){STACK_BOTTOM, STACK_TOP, true};
    space->directory = directory_create();
    return space->directory != 0;
}

/* The caller no longer runs on it. */
void space_destroy(struct space *space)
{
    pte_t *directory = phys_to_virt(space->directory);

    if (space->directory == 0)
        return;
    batch_begin();
    directory_retire(space->directory);
    for (uint32_t i = 0; i < USER_ENTRIES; i++) {
        phys_t frame = pte_get(&directory[i]) & PAGE_MASK;
        const pte_t *table = phys_to_virt(frame);

        if (!(directory[i] & PTE_P))
            continue;
        for (uint32_t j = 0; j < ENTRIES; j++) {
            if (table[j] & PTE_P)
                frame_free(pte_get(&table[j]) & PAGE_MASK);
        }
        table_free(frame);
    }
    table_free(space->directory);
    batch_end();
    memset(space, 0, sizeof *space);
}

/* Share one table's frames with one that is not in use yet. A page that was
 * writable becomes copy-on-write on both sides; a page of text is simply
 * shared. */
static void share_table(pte_t *to, pte_t *from)
{
    for (uint32_t j = 0; j < ENTRIES; j++) {
        pte_t pte = pte_get(&from[j]);

        if (!(pte & PTE_P))
            continue;
        if (pte & PTE_W) {
            pte = (pte & ~(pte_t)PTE_W) | PTE_COW;
            pte_set(&from[j], pte);
        }
        to[j] = pte_value(pte & ~(pte_t)(PTE_A | PTE_D));
        frame_share(pte & PAGE_MASK);
    }
}

bool space_fork(struct space *child, struct space *parent)
{
    pte_t *from = phys_to_virt(parent->directory), *to;
    bool complete = true;

    if (!space_create(child))
        return false;
    memcpy(child->regions, parent->regions, sizeof child->regions);
    child->pages = parent->pages;

    to = phys_to_virt(child->directory);
    batch_begin();
    for (uint32_t i = 0; i < USER_ENTRIES && complete; i++) {
        phys_t table;

        if (!(from[i] & PTE_P))
            continue;
        table = frame_alloc();
        complete = table != 0;
        if (!complete)
            break;
        share_table(phys_to_virt(table),
                    phys_to_virt(pte_get(&from[i]) & PAGE_MASK));
        table_seal(table);
        pte_set(&to[i], table | PTE_P | PTE_W | PTE_U);
    }

    /* The parent lost write access: the TLB must forget that it had it. */
    tlb_flush();
    batch_end();
    if (!complete)
        space_destroy(child);
    return complete;
}

/* Takes over the caller's reference to the frame if it succeeds. */
bool space_add_page(struct space *space, uint32_t va, phys_t frame,
                    bool writable)
{
    pte_t *pte = directory_entry(space->directory, va, true);

    if (!pte)
        return false;
    pte_set(pte, frame | PTE_P | PTE_U | PTE_WAITED |
                     (writable ? (pte_t)PTE_W : 0u));
    space->pages++;
    return true;
}

static const struct region *find_region(const struct space *space, uint32_t va)
{
    for (uint32_t i = 0; i < REGIONS; i++) {
        if (va >= space->regions[i].start && va < space->regions[i].end)
            return &space->regions[i];
    }
    return NULL;
}

static enum fault_result copy_on_write(uint32_t va, pte_t *pte)
{
    phys_t old = pte_get(pte) & PAGE_MASK, copy;

    /* The last one to hold a shared frame may have it. */
    if (frame_references(old) == 1) {
        batch_begin();
        pte_set(pte, (pte_get(pte) & ~(pte_t)PTE_COW) | PTE_W | PTE_WAITED);
        invlpg(va);
        batch_end();
        return FAULT_FIXED;
    }

    copy = frame_alloc();
    if (copy == 0)
        return FAULT_NO_MEMORY;
    memcpy(phys_to_virt(copy), phys_to_virt(old), PAGE_SIZE);
    batch_begin();
    pte_set(pte, copy | PTE_P | PTE_W | PTE_U | PTE_WAITED);
    invlpg(va);
    batch_end();
    frame_free(old);
    return FAULT_FIXED;
}

enum fault_result space_fault(struct space *space, uint32_t va, uint32_t error)
{
    const struct region *region = find_region(space, va);
    pte_t *pte;
    phys_t frame;

    if (!region || ((error & PF_W) && !region->writable))
        return FAULT_ILLEGAL;

    if (error & PF_P) {
        pte = directory_entry(space->directory, va, false);
        if (!pte || !(error & PF_W))
            return FAULT_ILLEGAL;
        if (*pte & PTE_W) /* a stale TLB entry: look again    */
            return FAULT_FIXED;
        return *pte & PTE_COW ? copy_on_write(va, pte) : FAULT_ILLEGAL;
    }

    frame = frame_alloc();
    if (frame == 0)
        return FAULT_NO_MEMORY;
    if (!space_add_page(space, va, frame, region->writable)) {
        frame_free(frame);
        return FAULT_NO_MEMORY;
    }
    return FAULT_FIXED;
}

/* Give a page table back once nothing is left in it. */
static void drop_empty_table(struct space *space, uint32_t va)
{
    pte_t *pde = (pte_t *)phys_to_virt(space->directory) + (va >> 22);
    phys_t frame = pte_get(pde) & PAGE_MASK;
    const pte_t *table = phys_to_virt(frame);

    batch_flush();
    if (!(*pde & PTE_P))
        return;
    for (uint32_t j = 0; j < ENTRIES; j++) {
        if (table[j] != 0)
            return;
    }
    pte_set(pde, 0);
    table_free(frame);
    /* The CPU may have cached the directory entry; any INVLPG drops those. */
    invlpg(va);
}

static void unmap_range(struct space *space, uint32_t from, uint32_t to)
{
    for (uint32_t va = from; va < to; va += PAGE_SIZE) {
        pte_t *pte = directory_entry(space->directory, va, false);

        if (!pte) { /* on to the next 4 MiB             */
            va = (va | (BIG_PAGE - 1)) + 1 - PAGE_SIZE;
            continue;
        }
        if (*pte & PTE_P) {
            phys_t frame = pte_get(pte) & PAGE_MASK;

            pte_set(pte, 0);
            invlpg(va);
            frame_free(frame);
            space->pages--;
        }
        if (va + PAGE_SIZE >= to || (va + PAGE_SIZE) % BIG_PAGE == 0)
            drop_empty_table(space, va);
    }
}

/* Move the end of the heap. Growing costs nothing until a page is touched;
 * shrinking gives whole pages back at once. */
int32_t space_sbrk(struct space *space, int32_t bytes)
{
    struct region *heap = &space->regions[REGION_HEAP];
    uint32_t old = heap->end, new = old + (uint32_t)bytes;

    if (bytes > 0 && (new < old || new > HEAP_LIMIT))
        return -1;
    if (bytes < 0 && (new > old || new < heap->start))
        return -1;

    heap->end = new;
    if (bytes < 0) {
        batch_begin();
        unmap_range(space, (new + PAGE_SIZE - 1) & PAGE_MASK,
                    (old + PAGE_SIZE - 1) & PAGE_MASK);
        batch_end();
    }
    return (int32_t)old;
}

/* Whole pages of the heap, no more. */
static bool in_heap(const struct space *space, uint32_t va, uint32_t bytes)
{
    const struct region *heap = &space->regions[REGION_HEAP];

    return va % PAGE_SIZE == 0 && bytes % PAGE_SIZE == 0 && va >= heap->start &&
           va <= heap->end && bytes <= heap->end - va;
}

/* Take the pages that are there away; they are full of zeros at the next
 * touch. */
int32_t space_discard(struct space *space, uint32_t va, uint32_t bytes)
{
    if (!in_heap(space, va, bytes))
        return -1;
    batch_begin();
    unmap_range(space, va, va + bytes);
    batch_end();
    return 0;
}

/* Change one entry that is present, and say whether it had to be. A frame that
 * others have, too, becomes writable as its copy only. */
static bool protect_page(pte_t *pte, bool writable)
{
    pte_t was = pte_get(pte), value = was;

    if (!writable)
        value &= ~(pte_t)(PTE_W | PTE_COW);
    else if (frame_references(value & PAGE_MASK) > 1)
        value |= value & PTE_W ? 0u : PTE_COW;
    else
        value = (value & ~(pte_t)PTE_COW) | PTE_W;
    if (value == was)
        return false;
    pte_set(pte, value);
    return true;
}

/* Let the pages that are there be read only, or written again: all entries
 * first, then one flush, as kernels do it for more than a few. */
int32_t space_protect(struct space *space, uint32_t va, uint32_t bytes,
                      bool writable)
{
    bool changed = false;

    if (!in_heap(space, va, bytes))
        return -1;
    batch_begin();
    for (uint32_t at = va; at < va + bytes; at += PAGE_SIZE) {
        pte_t *pte = directory_entry(space->directory, at, false);

        if (pte && (*pte & PTE_P))
            changed |= protect_page(pte, writable);
    }
    if (changed)
        tlb_flush();
    batch_end();
    return 0;
}

/* Are the pages that are there writable, at the latest once they are copied? */
static bool pages_writable(const struct space *space, uint32_t va, uint32_t end)
{
    for (uint32_t at = va & PAGE_MASK; at < end; at += PAGE_SIZE) {
        const pte_t *pte = directory_entry(space->directory, at, false);

        if (pte && (*pte & PTE_P) && !(*pte & (PTE_W | PTE_COW)))
            return false;
    }
    return true;
}

/* May the program itself do this access? The kernel asks before it follows
 * a program's pointer. */
bool space_allows(const struct space *space, uint32_t va, uint32_t bytes,
                  bool write)
{
    uint32_t end = va + bytes;

    if (end < va)
        return false;
    while (va < end) {
        const struct region *region = find_region(space, va);

        if (!region || (write && !region->writable))
            return false;
        if (write &&
            !pages_writable(space, va, end < region->end ? end : region->end))
            return false;
        va = region->end;
    }
    return true;
}
