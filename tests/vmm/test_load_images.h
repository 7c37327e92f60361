/* SPDX-License-Identifier: MIT */
/* Kernel images built in memory, and a guest memory that checks its writes. */
#ifndef TESTS_VMM_TEST_LOAD_IMAGES_H
#define TESTS_VMM_TEST_LOAD_IMAGES_H

#include "vmm/load.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

enum {
    IMAGE_RAM = 16 << 20,
    ELF_BYTES = 0x1400, /* headers and code, tables from 0x1100 */
    ELF_CODE_AT = 0x1000,
    ELF_HEADER_AT = 0x1010, /* the multiboot header */
    BZ_SETUP = 5 * 512,
    BZ_KERNEL = 4096,
};

struct guest_memory {
    uint8_t *bytes;
    struct load_memory access;
};

static inline bool guest_write(void *ctx, uint64_t gpa, const void *data,
                               uint64_t bytes)
{
    struct guest_memory *g = ctx;
    if (gpa > IMAGE_RAM || bytes > IMAGE_RAM - gpa)
        abort(); /* the loaders promise to check before */
    memcpy(g->bytes + gpa, data, bytes);
    return true;
}

static inline void guest_open(struct guest_memory *g)
{
    g->bytes = calloc(1, IMAGE_RAM);
    g->access = (struct load_memory){
        .write = guest_write, .ctx = g, .ram_bytes = IMAGE_RAM};
}

static inline void put32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, 4);
}

static inline uint32_t get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static inline void put_multiboot(uint8_t *p, uint32_t flags)
{
    put32(p, 0x1BADB002);
    put32(p + 4, flags);
    put32(p + 8, 0u - 0x1BADB002u - flags);
}

/* Symbols, names and section headers of the kernel below. */
static inline void image_elf_tables(uint8_t image[ELF_BYTES])
{
    static const char names[] = "\0start\0work\0label";
    static const char sections[] = "\0.text\0.symtab\0.strtab";
    Elf32_Sym sym[4] = {
        {0},
        {1, 0xC0100020, 16, ELF32_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1},
        {7, 0xC0100040, 16, ELF32_ST_INFO(STB_LOCAL, STT_FUNC), 0, 1},
        {12, 0xC0100020, 0, ELF32_ST_INFO(STB_LOCAL, STT_NOTYPE), 0, 1},
    };
    Elf32_Shdr s[4] = {
        {0},
        {.sh_name = 1,
         .sh_type = SHT_PROGBITS,
         .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
         .sh_addr = 0xC0100000,
         .sh_offset = ELF_CODE_AT,
         .sh_size = 0x100},
        {.sh_name = 7,
         .sh_type = SHT_SYMTAB,
         .sh_offset = 0x1100,
         .sh_size = sizeof sym,
         .sh_link = 3,
         .sh_info = 1,
         .sh_entsize = sizeof sym[0]},
        {.sh_name = 15, .sh_type = SHT_STRTAB, .sh_offset = 0x1180},
    };
    s[3].sh_size = 0x40 + sizeof sections;
    s[1].sh_name += 0x40;
    s[2].sh_name += 0x40;
    s[3].sh_name += 0x40;
    memcpy(image + 0x1100, sym, sizeof sym);
    memcpy(image + 0x1180, names, sizeof names);
    memcpy(image + 0x11C0, sections, sizeof sections);
    memcpy(image + 0x1200, s, sizeof s);
}

/* A kernel linked at 3 GiB + 1 MiB, loaded at 1 MiB: 256 bytes of code, one
 * page in all; functions "start" (0xC0100020) and "work" (0xC0100040). */
static inline void image_elf(uint8_t image[ELF_BYTES])
{
    memset(image, 0, ELF_BYTES);
    Elf32_Ehdr h = {
        .e_ident = {0x7F, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, 1},
        .e_type = ET_EXEC,
        .e_machine = EM_386,
        .e_version = 1,
        .e_entry = 0x100020,
        .e_phoff = sizeof h,
        .e_shoff = 0x1200,
        .e_ehsize = sizeof h,
        .e_phentsize = sizeof(Elf32_Phdr),
        .e_phnum = 1,
        .e_shentsize = sizeof(Elf32_Shdr),
        .e_shnum = 4,
        .e_shstrndx = 3,
    };
    Elf32_Phdr p = {
        .p_type = PT_LOAD,
        .p_offset = ELF_CODE_AT,
        .p_vaddr = 0xC0100000,
        .p_paddr = 0x100000,
        .p_filesz = 0x100,
        .p_memsz = 0x1000,
        .p_flags = PF_R | PF_X,
    };
    memcpy(image, &h, sizeof h);
    memcpy(image + sizeof h, &p, sizeof p);
    memset(image + ELF_CODE_AT, 0xF4, 0x100);
    put_multiboot(image + ELF_HEADER_AT, 3);
    image_elf_tables(image);
}

/* A bzImage of protocol 2.12 that wants 2 MiB. */
static inline void image_linux(uint8_t image[BZ_SETUP + BZ_KERNEL])
{
    memset(image, 0, BZ_SETUP);
    memset(image + BZ_SETUP, 0xF4, BZ_KERNEL);
    image[0x1F1] = 4;
    put32(image + 0x1F4, BZ_KERNEL / 16);
    image[0x1FE] = 0x55;
    image[0x1FF] = 0xAA;
    image[0x200] = 0xEB;
    image[0x201] = 0x66;
    memcpy(image + 0x202, "HdrS\x0c\x02", 6);
    image[0x211] = 1;
    put32(image + 0x214, 0x100000);
    put32(image + 0x22C, 0x37FFFFFF);
    put32(image + 0x238, 2047);
    put32(image + 0x258, 0x100000);
    put32(image + 0x260, 0x200000);
}

#endif
