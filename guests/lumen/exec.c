/* SPDX-License-Identifier: MIT */
/* exec.c - from an ELF file to a process ready to run it.
 *
 * The file's bytes are copied at once, into pages of its own; what a segment
 * needs beyond them (bss) is left to the page-fault handler.
 *
 * Reference: System V ABI, "Program Header" and the i386 supplement.
 */
#include "kernel.h"
#include "machine.h"
#include "proc.h"
#include "x86.h"

#define ELF_MAGIC   0x464C457Fu
#define ELF_I386    3
#define PT_LOAD     1u
#define PF_WRITABLE 2u
#define USER_BOTTOM 0x00400000u

struct elf_header {
    uint32_t magic;
    uint8_t ident[12];
    uint16_t type, machine;
    uint32_t version, entry, phoff, shoff, flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
    uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

/* The page at va holds the segment's bytes from there on, or zeros. */
static bool load_page(struct space *space, const uint8_t *file,
                      const struct elf_segment *seg, uint32_t va)
{
    uint32_t from = va < seg->vaddr ? seg->vaddr : va;
    uint32_t to = seg->vaddr + seg->filesz;
    phys_t frame = frame_alloc();

    if (frame == 0)
        return false;
    if (to > va + PAGE_SIZE)
        to = va + PAGE_SIZE;
    memcpy((uint8_t *)phys_to_virt(frame) + (from - va),
           file + seg->offset + (from - seg->vaddr), to - from);
    if (space_add_page(space, va, frame, seg->flags & PF_WRITABLE))
        return true;
    frame_free(frame);
    return false;
}

static bool load_segment(struct space *space, const struct stored_file *file,
                         const struct elf_segment *seg, struct region *region)
{
    uint32_t size = (uint32_t)(file->end - file->data);
    uint32_t end = seg->vaddr + seg->memsz;
    struct region *heap = &space->regions[REGION_HEAP];

    if (seg->vaddr < USER_BOTTOM || end < seg->vaddr || end > HEAP_LIMIT ||
        seg->filesz > seg->memsz || seg->offset > size ||
        seg->filesz > size - seg->offset)
        return false;

    *region = (struct region){seg->vaddr & PAGE_MASK, end,
                              (seg->flags & PF_WRITABLE) != 0};
    for (uint32_t va = region->start; va < seg->vaddr + seg->filesz;
         va += PAGE_SIZE) {
        if (!load_page(space, file->data, seg, va))
            return false;
    }

    /* The heap begins behind the last segment. */
    if (end > heap->start) {
        heap->start = (end + PAGE_SIZE - 1) & PAGE_MASK;
        heap->end = heap->start;
    }
    return true;
}

static bool load_file(struct space *space, const struct stored_file *file,
                      uint32_t *entry)
{
    const struct elf_header *elf = (const void *)file->data;
    const struct elf_segment *segments;
    uint32_t used = 0;

    if (file->end - file->data < (int32_t)sizeof *elf ||
        elf->magic != ELF_MAGIC || elf->machine != ELF_I386)
        return false;

    segments = (const void *)(file->data + elf->phoff);
    for (uint32_t i = 0; i < elf->phnum; i++) {
        if (segments[i].type != PT_LOAD || segments[i].memsz == 0)
            continue;
        if (used == REGION_HEAP ||
            !load_segment(space, file, &segments[i], &space->regions[used++]))
            return false;
    }
    *entry = elf->entry;
    return used > 0;
}

/* The first page of the stack: argc, argv[], NULL, and then the strings.
 * Returns the stack pointer, 0 if that is too much. */
static uint32_t build_stack(struct space *space, char *const argv[],
                            uint32_t argc)
{
    uint32_t bytes = (argc + 2) * 4, va = STACK_TOP - PAGE_SIZE, offset;
    phys_t frame = frame_alloc();
    uint32_t *words;

    for (uint32_t i = 0; i < argc; i++)
        bytes += strlen(argv[i]) + 1;
    if (frame == 0 || bytes > PAGE_SIZE ||
        !space_add_page(space, va, frame, true)) {
        if (frame != 0)
            frame_free(frame);
        return 0;
    }

    offset = (PAGE_SIZE - bytes) & ~15u;
    words = (uint32_t *)((uint8_t *)phys_to_virt(frame) + offset);
    bytes = offset + (argc + 2) * 4;
    words[0] = argc;
    for (uint32_t i = 0; i < argc; i++) {
        size_t length = strlen(argv[i]) + 1;

        words[1 + i] = va + bytes;
        memcpy((uint8_t *)phys_to_virt(frame) + bytes, argv[i], length);
        bytes += length;
    }
    words[1 + argc] = 0;
    return va + offset;
}

/* Fill an empty space and a trap frame that starts the program. On failure
 * nothing is left behind. */
int32_t exec_image(struct space *space, const char *path, char *const argv[],
                   uint32_t argc, struct trap_frame *frame)
{
    const struct stored_file *file = stored_file_find(path);
    uint32_t entry = 0, esp = 0;

    if (!file || !space_create(space))
        return -1;
    batch_begin();
    if (load_file(space, file, &entry))
        esp = build_stack(space, argv, argc);
    batch_end();
    if (esp == 0) {
        space_destroy(space);
        return -1;
    }

    memset(frame, 0, sizeof *frame);
    frame->ds = frame->es = frame->ss = SEL_USER_DATA;
    frame->cs = SEL_USER_CODE;
    frame->eflags = EFLAGS_FIXED | EFLAGS_IF;
    frame->eip = entry;
    frame->esp = esp;
    return 0;
}

/* Copy a program's argv into one frame, since its memory is about to go.
 * Returns argc, -1 if there is something wrong with it. */
static int32_t copy_arguments(uint32_t user_argv, char *page,
                              char *argv[ARGUMENTS])
{
    uint32_t used = 0, argc;

    for (argc = 0; argc < ARGUMENTS; argc++) {
        const uint32_t *slot = (const uint32_t *)user_argv + argc;
        const char *text;

        if (!space_allows(&current->space, (uint32_t)slot, 4, false))
            return -1;
        text = (const char *)*slot;
        if (!text)
            return (int32_t)argc;
        argv[argc] = page + used;
        do {
            if (used == PAGE_SIZE ||
                !space_allows(&current->space, (uint32_t)text, 1, false))
                return -1;
            page[used++] = *text;
        } while (*text++ != '\0');
    }
    return -1;
}

/* path is in kernel memory, user_argv in the program's. */
int32_t exec_current(const char *path, uint32_t user_argv,
                     struct trap_frame *frame)
{
    char *argv[ARGUMENTS];
    phys_t page = frame_alloc();
    struct space fresh;
    int32_t argc;
    int32_t result = -1;

    if (page == 0)
        return -1;
    argc = copy_arguments(user_argv, phys_to_virt(page), argv);
    if (argc > 0)
        result = exec_image(&fresh, path, argv, (uint32_t)argc, frame);
    if (result == 0) {
        struct space old = current->space;

        name_copy(current->name, path);
        current->space = fresh;
        directory_load(fresh.directory);
        space_destroy(&old);
    }
    frame_free(page);
    return result;
}
