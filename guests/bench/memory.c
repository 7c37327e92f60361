/* SPDX-License-Identifier: MIT */
/* memory.c - frames and address spaces. */
#include "bench.h"
#include "kit.h"

static uint32_t *free_frames; /* a list through their first words          */
static uint32_t next_frame = KIT_FRAMES;

uint32_t *frame_new(void)
{
    uint32_t *frame = free_frames;

    if (frame) {
        free_frames = (uint32_t *)frame[0];
        return frame;
    }
    if (next_frame == KIT_MAPPED) {
        kit_print("out of frames\n");
        kit_exit(2);
    }
    frame = (uint32_t *)next_frame;
    next_frame += 4096;
    return frame;
}

void frame_free(void *frame)
{
    *(uint32_t **)frame = free_frames;
    free_frames = frame;
}

void page_copy(void *to, const void *from)
{
    uint32_t words = 1024;

    __asm__ volatile("rep movsl"
                     : "+D"(to), "+S"(from), "+c"(words)
                     :
                     : "memory");
}

static void page_clear(void *page)
{
    uint32_t words = 1024;

    __asm__ volatile("rep stosl" : "+D"(page), "+c"(words) : "a"(0) : "memory");
}

uint32_t *space_new(uint32_t address, uint32_t **table)
{
    uint32_t *directory = frame_new();

    *table = frame_new();
    page_clear(*table);
    page_copy(directory, kit_directory);
    directory[address >> 22] = (uint32_t)*table | PTE_P | PTE_W | PTE_U;
    return directory;
}
