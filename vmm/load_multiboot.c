/* SPDX-License-Identifier: MIT */
/* The Multiboot 1 boot loader.
 *
 * Everything the loader itself leaves in memory lies below LOW_FREE, modules
 * above the kernel: see the map in load.h.
 */
#include "cpu/addr.h"
#include "vmm/load_image.h"

#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    HEADER_MAGIC = 0x1BADB002,
    LOADER_MAGIC = 0x2BADB002,
    HEADER_SEARCH = 8192, /* the header lies wholly in here */
    HEADER_BYTES = 12,
    HEADER_ADDRESSES_END = 32,

    /* Header flags 0 to 15 are requirements: we must know them. */
    FLAG_ALIGN = 1 << 0,
    FLAG_MEMORY = 1 << 1,
    FLAG_VIDEO = 1 << 2, /* wishes only: text mode is always an answer */
    FLAG_ADDRESSES = 1 << 16,
    FLAG_KNOWN = FLAG_ALIGN | FLAG_MEMORY | FLAG_VIDEO,

    /* The information structure and its validity flags. */
    INFO_BYTES = 116,
    INFO_MEMORY = 1 << 0,
    INFO_COMMAND = 1 << 2,
    INFO_MODULES = 1 << 3,
    INFO_MAP = 1 << 6,
    INFO_LOADER = 1 << 9,
    INFO_FRAMEBUFFER = 1 << 12,

    MAP_ENTRY_BYTES = 24,
    MODULE_BYTES = 16,
    MODULES_MAX = 64,
    INFO_MAP_AT = LOW_INFO + 0x80,
    INFO_MODULES_AT = LOW_INFO + 0x100,

    CODE_SELECTOR = 0x08,
};

_Static_assert(INFO_MODULES_AT + MODULES_MAX * MODULE_BYTES <= LOW_STRINGS,
               "the module list ends before the strings");

/* One boot in progress. */
struct boot {
    struct loading in;
    struct load_result *result;
    uint64_t end;         /* first address after kernel and modules */
    uint64_t string_next; /* where the next string goes */
};

long multiboot_find(const struct blob *image)
{
    const uint8_t *bytes = image->data;
    size_t end = image->size < HEADER_SEARCH ? image->size : HEADER_SEARCH;
    for (size_t at = 0; at + HEADER_BYTES <= end; at += 4) {
        uint32_t flags = load_get32(bytes + at + 4);
        uint32_t sum = HEADER_MAGIC + flags + load_get32(bytes + at + 8);
        if (load_get32(bytes + at) == HEADER_MAGIC && sum == 0)
            return (long)at;
    }
    return -1;
}

/* Put size bytes of the image, and room for memory_size, at gpa. */
static bool place(struct boot *b, uint64_t linear, uint64_t gpa,
                  uint64_t offset, uint64_t size, uint64_t memory_size,
                  bool executable)
{
    const struct blob *image = &b->in.request->kernel;
    struct load_result *r = b->result;
    if (offset > image->size || size > image->size - offset)
        return load_refuse(&b->in,
                           "the image is cut short: a segment lies beyond its "
                           "end");
    if (memory_size < size || !load_fits(b->in.memory, gpa, memory_size))
        return load_error(b->in.error, image,
                          "a segment of %llu bytes at 0x%llx does not fit: the "
                          "guest has 0x%x to 0x%x and 1 MiB to %llu MiB "
                          "(--memory)",
                          (unsigned long long)memory_size,
                          (unsigned long long)gpa, LOW_FREE, LOW_EBDA,
                          (unsigned long long)b->in.memory->ram_bytes >> 20);
    if (r->range_count == LOAD_RANGES)
        return load_refuse(&b->in, "more than 16 loadable segments");
    if (size > 0 &&
        !load_put(&b->in, gpa, (const uint8_t *)image->data + offset, size))
        return false;
    r->range[r->range_count++] = (struct load_range){
        .linear = (uint32_t)linear,
        .gpa = (uint32_t)gpa,
        .size = (uint32_t)size,
        .executable = executable,
    };
    if (gpa + memory_size > b->end)
        b->end = gpa + memory_size;
    return true;
}

/* Where execution begins. The specification wants a physical address; kernels
 * linked high often name a virtual one, and loaders put up with it. */
static bool find_entry(struct boot *b, uint32_t entry)
{
    struct load_result *r = b->result;
    r->entry = entry;
    for (unsigned i = 0; i < r->range_count; i++)
        if (entry - r->range[i].gpa < r->range[i].size)
            return true;
    for (unsigned i = 0; i < r->range_count; i++) {
        const struct load_range *range = &r->range[i];
        if (entry - range->linear < range->size) {
            r->entry = entry - range->linear + range->gpa;
            return true;
        }
    }
    return load_error(b->in.error, &b->in.request->kernel,
                      "the entry point 0x%x is in no segment", entry);
}

/* The header names the addresses itself ("a.out kludge"). */
static bool load_by_header(struct boot *b, size_t header)
{
    const struct blob *image = &b->in.request->kernel;
    const uint8_t *h = (const uint8_t *)image->data + header;
    if (image->size - header < HEADER_ADDRESSES_END)
        return load_refuse(
            &b->in, "the image is cut short within its multiboot header");
    uint32_t header_addr = load_get32(h + 12);
    uint32_t load_addr = load_get32(h + 16);
    uint32_t load_end = load_get32(h + 20);
    uint32_t bss_end = load_get32(h + 24);
    if (load_addr > header_addr || header_addr - load_addr > header)
        return load_refuse(&b->in,
                           "the multiboot header's load address is not before "
                           "the header");
    size_t offset = header - (header_addr - load_addr);
    uint64_t size =
        load_end ? (uint64_t)load_end - load_addr : image->size - offset;
    if (load_end && load_end < load_addr)
        return load_refuse(&b->in,
                           "the multiboot header's load addresses are not in "
                           "order");
    uint64_t memory_size = size;
    if (bss_end) {
        if (bss_end < load_addr + size)
            return load_refuse(&b->in,
                               "the multiboot header's bss ends before it "
                               "begins");
        memory_size = bss_end - load_addr;
    }
    return place(b, load_addr, load_addr, offset, size, memory_size, true) &&
           find_entry(b, load_get32(h + 28));
}

static bool load_segments(struct boot *b, Elf *elf)
{
    GElf_Ehdr header;
    size_t count;
    if (!gelf_getehdr(elf, &header) || elf_getphdrnum(elf, &count) != 0)
        return load_refuse(&b->in,
                           "a damaged ELF (its headers cannot be read)");
    if (header.e_ident[EI_CLASS] != ELFCLASS32 ||
        header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != EM_386)
        return load_refuse(&b->in, "not an ELF for a 32-bit x86 processor");
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr p;
        if (!gelf_getphdr(elf, (int)i, &p))
            return load_refuse(&b->in,
                               "a damaged ELF (its program headers cannot be "
                               "read)");
        if (p.p_type != PT_LOAD || p.p_memsz == 0)
            continue;
        if (!place(b, p.p_vaddr, p.p_paddr, p.p_offset, p.p_filesz, p.p_memsz,
                   (p.p_flags & PF_X) != 0))
            return false;
    }
    if (b->result->range_count == 0)
        return load_refuse(&b->in, "an ELF with nothing to load");
    return find_entry(b, (uint32_t)header.e_entry);
}

static bool load_elf(struct boot *b)
{
    const struct blob *image = &b->in.request->kernel;
    if (image->size < SELFMAG || memcmp(image->data, ELFMAG, SELFMAG) != 0)
        return load_refuse(&b->in,
                           "a multiboot header that names no addresses, in a "
                           "file that is not an ELF");
    elf_version(EV_CURRENT);
    /* libelf only reads; its interface lacks the const. */
    Elf *elf = elf_memory((char *)(uintptr_t)image->data, image->size);
    if (!elf || elf_kind(elf) != ELF_K_ELF) {
        elf_end(elf);
        return load_refuse(&b->in, "a damaged ELF");
    }
    bool loaded = load_segments(b, elf);
    elf_end(elf);
    return loaded;
}

/* Store "name words" below LOW_FREE; its address. 0: no room. */
static uint32_t put_string(struct boot *b, const char *name, const char *words)
{
    char *text;
    if (asprintf(&text, "%s%s%s", name ? name : "", words && *words ? " " : "",
                 words ? words : "") < 0)
        return 0;
    uint64_t bytes = strlen(text) + 1, at = b->string_next;
    bool stored =
        bytes <= LOW_STRINGS_END - at && load_put(&b->in, at, text, bytes);
    free(text);
    if (!stored)
        return 0;
    b->string_next += bytes;
    return (uint32_t)at;
}

static bool put_modules(struct boot *b)
{
    const struct load_request *q = b->in.request;
    if (q->initrd_count > MODULES_MAX)
        return load_refuse(&b->in, "more than 64 modules (--initrd)");
    if (b->end < LOW_END)
        b->end = LOW_END;
    for (size_t i = 0; i < q->initrd_count; i++) {
        const struct blob *m = &q->initrd[i];
        uint64_t start = (b->end + PAGE_MASK) & ~(uint64_t)PAGE_MASK;
        if (!load_fits(b->in.memory, start, m->size))
            return load_error(b->in.error, m,
                              "this module does not fit in %llu MiB (--memory)",
                              (unsigned long long)b->in.memory->ram_bytes >>
                                  20);
        uint32_t name = put_string(b, m->name, NULL);
        if (!name)
            return load_refuse(&b->in, "the modules' names are too long");
        uint8_t entry[MODULE_BYTES] = {0};
        load_put32(entry, (uint32_t)start);
        load_put32(entry + 4, (uint32_t)(start + m->size));
        load_put32(entry + 8, name);
        if (!load_put(&b->in, start, m->data, m->size) ||
            !load_put(&b->in, INFO_MODULES_AT + i * MODULE_BYTES, entry,
                      sizeof entry))
            return false;
        b->end = start + m->size;
    }
    return true;
}

static bool put_memory_map(struct boot *b)
{
    struct load_area area[LOAD_AREAS];
    uint8_t map[LOAD_AREAS * MAP_ENTRY_BYTES];
    load_memory_map(b->in.memory, area);
    for (int i = 0; i < LOAD_AREAS; i++) {
        uint8_t *e = map + i * MAP_ENTRY_BYTES;
        load_put32(e, MAP_ENTRY_BYTES - 4); /* does not count itself */
        load_put64(e + 4, area[i].base);
        load_put64(e + 12, area[i].bytes);
        load_put32(e + 20, area[i].type);
    }
    return load_put(&b->in, INFO_MAP_AT, map, sizeof map);
}

static bool put_info(struct boot *b)
{
    const struct load_request *q = b->in.request;
    uint8_t info[INFO_BYTES] = {0};
    uint32_t command = put_string(b, q->kernel.name, q->append);
    uint32_t loader = put_string(b, "Umbra", NULL);
    if (!command || !loader)
        return load_refuse(
            &b->in, "the command line (--append) is too long: it must fit "
                    "in 8 KiB");
    if (!put_modules(b) || !put_memory_map(b))
        return false;

    uint64_t above = (b->in.memory->ram_bytes - LOW_END) >> 10;
    load_put32(info, INFO_MEMORY | INFO_COMMAND | INFO_MODULES | INFO_MAP |
                         INFO_LOADER | INFO_FRAMEBUFFER);
    load_put32(info + 4, LOW_EBDA >> 10);
    load_put32(info + 8, (uint32_t)above);
    load_put32(info + 16, command);
    load_put32(info + 20, (uint32_t)q->initrd_count);
    load_put32(info + 24, INFO_MODULES_AT);
    load_put32(info + 44, LOAD_AREAS * MAP_ENTRY_BYTES);
    load_put32(info + 48, INFO_MAP_AT);
    load_put32(info + 64, loader);
    load_put64(info + 88, 0xB8000); /* the screen: EGA text, 80 by 25 */
    load_put32(info + 96, 160);
    load_put32(info + 100, 80);
    load_put32(info + 104, 25);
    info[108] = 16;
    info[109] = 2;
    return load_put(&b->in, LOW_INFO, info, sizeof info);
}

bool multiboot_load(const struct load_request *request,
                    const struct load_memory *memory,
                    struct load_result *result, char **error)
{
    struct boot b = {.in = {request, memory, error},
                     .result = result,
                     .string_next = LOW_STRINGS};
    size_t header = (size_t)multiboot_find(&request->kernel);
    const uint8_t *bytes = request->kernel.data;
    uint32_t flags = load_get32(bytes + header + 4);
    if (flags & 0xFFFF & ~(uint32_t)FLAG_KNOWN)
        return load_error(error, &request->kernel,
                          "its multiboot header requires features unknown to "
                          "Multiboot 1 (flags 0x%x)",
                          flags);
    bool loaded =
        flags & FLAG_ADDRESSES ? load_by_header(&b, header) : load_elf(&b);
    if (!loaded || !put_info(&b))
        return false;
    if (!load_flat_state(memory, CODE_SELECTOR, &result->state))
        return load_refuse(&b.in, "guest memory cannot be written");
    result->state.gpr[GPR_EAX] = LOADER_MAGIC;
    result->state.gpr[GPR_EBX] = LOW_INFO;
    return true;
}
