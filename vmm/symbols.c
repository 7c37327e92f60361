/* SPDX-License-Identifier: MIT */
#include "vmm/symbols.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>

/* A part of the image: where it is linked, where it is loaded. */
struct extent {
    uint32_t linear, physical, size;
};

enum { EXTENTS = 16, SYMBOLS_MAX = 1 << 20 };

struct symbols {
    struct symbol *symbol;
    size_t count, capacity;
    struct extent extent[EXTENTS];
    unsigned extent_count;
};

static void read_extents(struct symbols *s, Elf *elf)
{
    size_t count = 0;
    if (elf_getphdrnum(elf, &count) != 0)
        return;
    for (size_t i = 0; i < count && s->extent_count < EXTENTS; i++) {
        GElf_Phdr p;
        if (!gelf_getphdr(elf, (int)i, &p))
            return;
        if (p.p_type == PT_LOAD && p.p_memsz > 0)
            s->extent[s->extent_count++] = (struct extent){
                (uint32_t)p.p_vaddr, (uint32_t)p.p_paddr, (uint32_t)p.p_memsz};
    }
}

static bool add(struct symbols *s, const struct symbol *symbol)
{
    if (s->count == s->capacity) {
        size_t capacity = s->capacity ? 2 * s->capacity : 256;
        struct symbol *grown = realloc(s->symbol, capacity * sizeof *grown);
        if (!grown)
            return false;
        s->symbol = grown;
        s->capacity = capacity;
    }
    struct symbol copy = *symbol;
    copy.name = strdup(symbol->name);
    if (!copy.name)
        return false;
    s->symbol[s->count++] = copy;
    return true;
}

static bool section_is_code(Elf *elf, unsigned index)
{
    GElf_Shdr header;
    Elf_Scn *section = elf_getscn(elf, index);
    return section && gelf_getshdr(section, &header) &&
           (header.sh_flags & SHF_EXECINSTR) != 0;
}

/* One entry of the symbol table; false: no memory. */
static bool read_symbol(struct symbols *s, Elf *elf, const GElf_Sym *sym,
                        size_t names)
{
    unsigned type = GELF_ST_TYPE(sym->st_info);
    if (type != STT_FUNC && type != STT_OBJECT && type != STT_NOTYPE)
        return true;
    if (sym->st_shndx == SHN_UNDEF || sym->st_shndx >= SHN_LORESERVE)
        return true;
    const char *name = elf_strptr(elf, names, sym->st_name);
    if (!name || !*name)
        return true;
    struct symbol symbol = {
        .address = (uint32_t)sym->st_value,
        .size = (uint32_t)sym->st_size,
        .function = type == STT_FUNC,
        .code = section_is_code(elf, sym->st_shndx),
        .global = GELF_ST_BIND(sym->st_info) != STB_LOCAL,
        .name = name,
    };
    return add(s, &symbol);
}

static bool read_table(struct symbols *s, Elf *elf, Elf_Scn *section,
                       const GElf_Shdr *header)
{
    Elf_Data *data = elf_getdata(section, NULL);
    if (!data || header->sh_entsize == 0)
        return true;
    size_t count = data->d_size / header->sh_entsize;
    for (size_t i = 0; i < count && s->count < SYMBOLS_MAX; i++) {
        GElf_Sym sym;
        if (!gelf_getsym(data, (int)i, &sym))
            break;
        if (!read_symbol(s, elf, &sym, header->sh_link))
            return false;
    }
    return true;
}

static bool read_image(struct symbols *s, Elf *elf)
{
    GElf_Ehdr header;
    if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header) ||
        header.e_ident[EI_CLASS] != ELFCLASS32)
        return true;
    read_extents(s, elf);
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section;
         section = elf_nextscn(elf, section)) {
        GElf_Shdr sh;
        if (gelf_getshdr(section, &sh) && sh.sh_type == SHT_SYMTAB &&
            !read_table(s, elf, section, &sh))
            return false;
    }
    return true;
}

/* Of several names for one address the best one comes first. */
static int rank(const struct symbol *s)
{
    return (s->function ? 4 : 0) + (s->global ? 2 : 0) + (s->size ? 1 : 0);
}

static int compare(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    if (rank(x) != rank(y))
        return rank(y) - rank(x);
    return strcmp(x->name, y->name);
}

static void sort(struct symbols *s)
{
    size_t kept = 0;
    if (s->count)
        qsort(s->symbol, s->count, sizeof *s->symbol, compare);
    for (size_t i = 0; i < s->count; i++) {
        if (kept && s->symbol[kept - 1].address == s->symbol[i].address)
            free((char *)(uintptr_t)s->symbol[i].name);
        else
            s->symbol[kept++] = s->symbol[i];
    }
    s->count = kept;
}

struct symbols *symbols_load(struct blob image)
{
    struct symbols *s = calloc(1, sizeof *s);
    if (!s || image.size < SELFMAG || memcmp(image.data, ELFMAG, SELFMAG) != 0)
        return s;
    elf_version(EV_CURRENT);
    /* libelf only reads; its interface lacks the const. */
    Elf *elf = elf_memory((char *)(uintptr_t)image.data, image.size);
    if (!elf)
        return s;
    bool complete = read_image(s, elf);
    elf_end(elf);
    if (!complete) {
        symbols_free(s);
        return NULL;
    }
    sort(s);
    return s;
}

void symbols_free(struct symbols *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        free((char *)(uintptr_t)s->symbol[i].name);
    free(s->symbol);
    free(s);
}

size_t symbols_count(const struct symbols *s)
{
    return s->count;
}

const struct symbol *symbols_at(const struct symbols *s, size_t index)
{
    return index < s->count ? &s->symbol[index] : NULL;
}

/* Bring an address into the range the image is linked for. */
static bool linked_address(const struct symbols *s, uint32_t *address)
{
    for (unsigned i = 0; i < s->extent_count; i++)
        if (*address - s->extent[i].linear < s->extent[i].size)
            return true;
    for (unsigned i = 0; i < s->extent_count; i++)
        if (*address - s->extent[i].physical < s->extent[i].size) {
            *address += s->extent[i].linear - s->extent[i].physical;
            return true;
        }
    return false;
}

const struct symbol *symbols_find(const struct symbols *s, uint32_t address,
                                  uint32_t *offset)
{
    if (!linked_address(s, &address))
        return NULL;
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->symbol[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    if (offset)
        *offset = address - s->symbol[low - 1].address;
    return &s->symbol[low - 1];
}

bool symbols_address(const struct symbols *s, const char *name,
                     uint32_t *address)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->symbol[i].name, name) == 0) {
            *address = s->symbol[i].address;
            return true;
        }
    return false;
}
