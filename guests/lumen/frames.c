/* SPDX-License-Identifier: MIT */
/* frames.c - physical memory, a frame at a time.
 *
 * Memory below 1 MiB is left to the BIOS. Above the kernel's image come its
 * permanent tables (early_alloc), then the frames this file hands out.
 */
#include "irq.h"
#include "kernel.h"
#include "machine.h"
#include "trap.h"

struct frame {
    uint16_t references;
    uint16_t next_free; /* frame number; 0 ends the list           */
};

static struct frame *frames; /* indexed by frame number                 */
static uint32_t frame_count, free_count;
static uint16_t first_free;
static uint16_t first_ballooned; /* given back to the VMM                   */
static uint32_t early_next;      /* virtual; 0 once early_alloc has ended   */

/* Only boot_mapped bytes are mapped while this is in use. At most 64 page
 * tables and 256 KiB for the frame table: there is room. */
void *early_alloc(uint32_t bytes)
{
    void *p = (void *)early_next;

    early_next += (bytes + PAGE_SIZE - 1) & PAGE_MASK;
    if (virt_to_phys((void *)early_next) > boot_mapped)
        panic(NULL, "the kernel does not fit into %u KiB", boot_mapped / 1024);
    return memset(p, 0, bytes);
}

void frames_init(uint32_t memory_bytes)
{
    early_next = boot_end;
    frame_count = memory_bytes / PAGE_SIZE;
    frames = early_alloc(frame_count * sizeof *frames);
}

void frames_start(void)
{
    uint32_t first = virt_to_phys((void *)early_next) / PAGE_SIZE;

    early_next = 0;
    for (uint32_t n = frame_count - 1; n >= first; n--) {
        frames[n].next_free = first_free;
        first_free = (uint16_t)n;
        free_count++;
    }
}

phys_t frame_alloc(void)
{
    uint32_t state = irq_save();
    uint32_t n;

    if (first_free == 0)
        balloon_shrink();
    n = first_free;
    if (n != 0) {
        first_free = frames[n].next_free;
        frames[n].references = 1;
        free_count--;
    }
    irq_restore(state);

    if (n != 0)
        memset(phys_to_virt(n * PAGE_SIZE), 0, PAGE_SIZE);
    return n * PAGE_SIZE;
}

void frame_share(phys_t frame)
{
    uint32_t state = irq_save();

    frames[frame / PAGE_SIZE].references++;
    irq_restore(state);
}

void frame_free(phys_t frame)
{
    uint32_t n = frame / PAGE_SIZE;
    uint32_t state = irq_save();

    if (n >= frame_count || frames[n].references == 0)
        panic(NULL, "frame %x freed once too often", frame);
    if (--frames[n].references == 0) {
        frames[n].next_free = first_free;
        first_free = (uint16_t)n;
        free_count++;
    }
    irq_restore(state);
}

uint32_t frame_references(phys_t frame)
{
    return frames[frame / PAGE_SIZE].references;
}

uint32_t frames_free(void)
{
    return free_count;
}

/* The frame is not touched: it may be nowhere, and would have to be found. */
uint32_t frame_to_balloon(void)
{
    uint32_t n = first_free;

    if (n != 0) {
        first_free = frames[n].next_free;
        frames[n].next_free = first_ballooned;
        first_ballooned = (uint16_t)n;
        free_count--;
    }
    return n;
}

uint32_t frame_from_balloon(void)
{
    uint32_t n = first_ballooned;

    if (n != 0) {
        first_ballooned = frames[n].next_free;
        frames[n].next_free = first_free;
        first_free = (uint16_t)n;
        free_count++;
    }
    return n;
}
