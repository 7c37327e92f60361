/* SPDX-License-Identifier: MIT */
#include "test_load_images.h"

#include "vmm/firmware.h"

#include <criterion/criterion.h>

static struct guest_memory guest;
static struct load_result result;
static char *error;

static void open_guest(void)
{
    guest_open(&guest);
}

static void close_guest(void)
{
    free(guest.bytes);
    free(error);
}

static bool load(const void *data, size_t size, const char *append)
{
    struct load_request q = {.kernel = {data, size, "kernel"},
                             .append = append};
    free(error);
    return load_guest(&q, &guest.access, &result, &error);
}

static void refused(const void *data, size_t size, const char *why)
{
    cr_assert(!load(data, size, NULL));
    cr_assert_not_null(error);
    cr_assert_not_null(strstr(error, why), "%s", error);
    cr_assert_null(strchr(error, '\n'));
}

TestSuite(vmm_load, .init = open_guest, .fini = close_guest);

Test(vmm_load, multiboot_elf_is_placed_and_entered_as_specified)
{
    uint8_t image[ELF_BYTES];
    image_elf(image);
    cr_assert(load(image, sizeof image, "a=1"), "%s", error);
    cr_assert_str_eq(result.kind, "multiboot");
    const struct cpu_state *s = &result.state;
    cr_assert_eq(s->eip, 0x100020);
    cr_assert_eq(s->gpr[GPR_EAX], 0x2BADB002);
    cr_assert_eq(s->cr0, CR0_PE | CR0_ET);
    cr_assert_eq(s->eflags, EFL_FIXED);
    cr_assert_eq(s->seg[SEG_CS].attr, 0xC09B);
    cr_assert_eq(s->seg[SEG_SS].attr, 0xC093);
    cr_assert_eq(s->seg[SEG_GS].limit, 0xFFFFFFFF);
    cr_assert_arr_eq(guest.bytes + 0x100000, image + ELF_CODE_AT, 0x100);

    const uint8_t *info = guest.bytes + s->gpr[GPR_EBX];
    cr_assert_lt(s->gpr[GPR_EBX] + 116, 0x4000);
    cr_assert_eq(get32(info + 4), 639);
    cr_assert_eq(get32(info + 8), (IMAGE_RAM - (1 << 20)) / 1024);
    cr_assert_str_eq((char *)guest.bytes + get32(info + 16), "kernel a=1");
    cr_assert_eq(result.range_count, 1);
    cr_assert_eq(result.range[0].linear, 0xC0100000);
    cr_assert(result.range[0].executable);
}

Test(vmm_load, gdt_in_memory_describes_the_loaded_segments)
{
    uint8_t image[ELF_BYTES];
    image_elf(image);
    cr_assert(load(image, sizeof image, NULL));
    const struct cpu_state *s = &result.state;
    cr_assert_lt(s->gdtr.base + s->gdtr.limit, 0x4000);
    const uint8_t *d = guest.bytes + s->gdtr.base + s->seg[SEG_CS].selector;
    cr_assert_eq(get32(d), 0x0000FFFF);
    cr_assert_eq(get32(d + 4), 0x00CF9B00);
    d = guest.bytes + s->gdtr.base + s->seg[SEG_DS].selector;
    cr_assert_eq(get32(d + 4), 0x00CF9300);
}

Test(vmm_load, virtual_entry_point_is_translated)
{
    uint8_t image[ELF_BYTES];
    image_elf(image);
    put32(image + 0x18, 0xC0100040);
    cr_assert(load(image, sizeof image, NULL));
    cr_assert_eq(result.entry, 0x100040);
    put32(image + 0x18, 0x5000);
    refused(image, sizeof image, "entry point 0x5000 is in no segment");
}

Test(vmm_load, memory_map_covers_the_ram)
{
    uint8_t image[ELF_BYTES];
    image_elf(image);
    cr_assert(load(image, sizeof image, NULL));
    const uint8_t *info = guest.bytes + result.state.gpr[GPR_EBX];
    cr_assert(get32(info) & 1 << 6);
    const uint8_t *e = guest.bytes + get32(info + 48);
    const uint8_t *end = e + get32(info + 44);
    uint64_t ram = 0;
    for (; e < end; e += get32(e) + 4)
        if (get32(e + 20) == 1)
            ram += get32(e + 12);
    cr_assert_eq(ram, IMAGE_RAM - 0x100000 + 0x9FC00);
}

Test(vmm_load, modules_follow_the_kernel_page_aligned)
{
    uint8_t image[ELF_BYTES];
    image_elf(image);
    struct blob modules[2] = {{"first", 5, "m1"}, {"second", 6, "m2"}};
    struct load_request q = {.kernel = {image, sizeof image, "k"},
                             .initrd = modules,
                             .initrd_count = 2};
    cr_assert(load_guest(&q, &guest.access, &result, &error), "%s", error);
    const uint8_t *info = guest.bytes + result.state.gpr[GPR_EBX];
    cr_assert_eq(get32(info + 20), 2);
    const uint8_t *m = guest.bytes + get32(info + 24);
    cr_assert_eq(get32(m), 0x101000);
    cr_assert_eq(get32(m + 4), 0x101005);
    cr_assert_eq(get32(m + 16), 0x102000);
    cr_assert_str_eq((char *)guest.bytes + get32(m + 24), "m2");
    cr_assert_arr_eq(guest.bytes + 0x102000, "second", 6);
}

Test(vmm_load, header_with_addresses_needs_no_elf)
{
    uint8_t image[256] = {0};
    put_multiboot(image + 32, 1 << 16);
    put32(image + 44, 0x4020); /* header, load, load end, bss end, entry */
    put32(image + 48, 0x4000);
    put32(image + 60, 0x4080);
    cr_assert(load(image, sizeof image, NULL), "%s", error);
    cr_assert_eq(result.entry, 0x4080);
    cr_assert_arr_eq(guest.bytes + 0x4000, image, sizeof image);
    put32(image + 48, 0x5000);
    refused(image, sizeof image, "load address");
    put32(image + 48, 0x4000);
    refused(image, 40, "not a multiboot");
    refused(image, 60, "cut short");
}

Test(vmm_load, foreign_images_are_named)
{
    uint8_t image[ELF_BYTES];
    image_elf(image);
    put32(image + ELF_HEADER_AT, 0);
    refused(image, sizeof image,
            "kernel: not a multiboot ELF, a Linux bzImage or a disk with a "
            "boot sector (starts with 7f 45 4c 46; ELF, but no multiboot "
            "header in its first 8192 bytes)");
    refused("", 0, "empty");
    refused("x", 1, "starts with 78");
    refused("#!/bin/sh\n", 10, "script");
    refused("\x1f\x8b\x08\0", 4, "gzip");
}

/* Even if there is a multiboot kernel right behind its boot sector. */
Test(vmm_load, disk_begins_in_the_bios)
{
    static uint8_t image[512 + ELF_BYTES];
    image_elf(image + 512);
    cr_assert_str_eq(load_kind(&(struct blob){image, sizeof image, "k"}),
                     "multiboot");
    image[510] = 0x55;
    image[511] = 0xAA;
    cr_assert(load(image, sizeof image, NULL), "%s", error);
    cr_assert_str_eq(result.kind, "disk");
    cr_assert_eq(result.state.cr0, CR0_ET);
    cr_assert_eq(result.state.seg[SEG_CS].base, 0xF0000);
    cr_assert_eq(guest.bytes[0xF0000 + result.entry], 0xFA); /* cli */
    cr_assert_eq(guest.bytes[0x7C00], 0); /* the BIOS will read it */
}

Test(vmm_load, bad_multiboot_images_are_refused)
{
    uint8_t image[ELF_BYTES];
    image_elf(image);
    refused(image, 0x1080, "cut short");
    image[4] = ELFCLASS64;
    refused(image, sizeof image, "ELF");
    image_elf(image);
    image[18] = EM_X86_64;
    refused(image, sizeof image, "not an ELF for a 32-bit x86");
    image_elf(image);
    put_multiboot(image + ELF_HEADER_AT, 1 << 7);
    refused(image, sizeof image, "requires features");
    static const uint32_t places[] = {0x1000, 0x9F000, 0xF0000,
                                      IMAGE_RAM - 0x800, 0xFFFFF000};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        image_elf(image);
        put32(image + 52 + 12, places[i]);
        refused(image, sizeof image, "does not fit");
    }
}

Test(vmm_load, bzimage_is_placed_and_entered_as_specified)
{
    uint8_t image[BZ_SETUP + BZ_KERNEL];
    image_linux(image);
    struct blob parts[2] = {{"abcde", 5, "i1"}, {"fgh", 3, "i2"}};
    struct load_request q = {.kernel = {image, sizeof image, "k"},
                             .append = "console=ttyS0",
                             .initrd = parts,
                             .initrd_count = 2};
    cr_assert(load_guest(&q, &guest.access, &result, &error), "%s", error);
    cr_assert_str_eq(result.kind, "linux");
    const struct cpu_state *s = &result.state;
    cr_assert_eq(s->eip, 0x100000);
    cr_assert_eq(s->seg[SEG_CS].selector, 0x10);
    cr_assert_eq(s->seg[SEG_DS].selector, 0x18);
    cr_assert_eq(s->gpr[GPR_EBX] | s->gpr[GPR_EBP] | s->gpr[GPR_EDI], 0);
    const uint8_t *z = guest.bytes + s->gpr[GPR_ESI];
    cr_assert_arr_eq(z + 0x202, "HdrS", 4);
    cr_assert_eq(z[0x210], 0xFF);
    cr_assert_eq(z[0x1E8], 4);
    cr_assert_str_eq((char *)guest.bytes + get32(z + 0x228), "console=ttyS0");
    cr_assert_eq(get32(z + 0x218), IMAGE_RAM - 4096);
    cr_assert_eq(get32(z + 0x21C), 11);
    cr_assert_arr_eq(guest.bytes + IMAGE_RAM - 4096, "abcde\0\0\0fgh", 11);
    cr_assert_arr_eq(guest.bytes + 0x100000, image + BZ_SETUP, BZ_KERNEL);
}

Test(vmm_load, bad_bzimages_are_refused)
{
    uint8_t image[BZ_SETUP + BZ_KERNEL];
    image_linux(image);
    refused(image, sizeof image - 16, "cut short");
    refused(image, 0x220, "damaged");
    put32(image + 0x260, 64 << 20);
    refused(image, sizeof image, "needs 65 MiB of memory to start");
    image_linux(image);
    image[0x236] = 1;
    refused(image, sizeof image, "64-bit Linux");
    image_linux(image);
    put32(image + 0x238, 4);
    cr_assert(!load(image, sizeof image, "too long"));
    cr_assert_not_null(strstr(error, "command line"));
}

/* ---- What is entered in real mode ---------------------------------------- */

static void load_old(uint8_t *image, unsigned minor)
{
    struct blob initrd = {"abc", 3, "i"};
    struct load_request q = {
        .kernel = {image, BZ_SETUP + BZ_KERNEL, "k"},
        .append = "auto",
        .initrd = &initrd,
        .initrd_count = 1,
    };
    image[0x206] = (uint8_t)minor;
    cr_assert(load_guest(&q, &guest.access, &result, &error), "%s", error);
}

Test(vmm_load, an_old_kernel_begins_with_its_setup)
{
    uint8_t image[BZ_SETUP + BZ_KERNEL];
    image_linux(image);
    load_old(image, 3);
    const uint8_t *setup = guest.bytes + 0x90000;
    cr_assert_eq(result.state.seg[SEG_CS].base, 0xF0000);
    cr_assert_eq(result.state.cr0 & CR0_PE, 0);
    cr_assert_arr_eq(setup + 0x202, "HdrS", 4);
    cr_assert_eq(setup[0x211], 0x81); /* high; a heap */
    cr_assert_str_eq((char *)guest.bytes + get32(setup + 0x228), "auto");
    cr_assert_arr_eq(guest.bytes + get32(setup + 0x218), "abc", 3);
    cr_assert_arr_eq(guest.bytes + 0x100000, image + BZ_SETUP, BZ_KERNEL);
}

Test(vmm_load, a_kernel_without_a_32_bit_entry_begins_with_its_setup)
{
    uint8_t image[BZ_SETUP + BZ_KERNEL];
    image_linux(image);
    put32(image + 0x214, 0);
    load_old(image, 7);
    cr_assert_eq(result.state.cr0 & CR0_PE, 0);
}

Test(vmm_load, a_zimage_is_low)
{
    uint8_t image[BZ_SETUP + BZ_KERNEL];
    image_linux(image);
    image[0x211] = 0;
    load_old(image, 1);
    const uint8_t *setup = guest.bytes + 0x90000;
    cr_assert_arr_eq(guest.bytes + 0x10000, image + BZ_SETUP, BZ_KERNEL);
    cr_assert_eq(setup[0x20] | setup[0x21] << 8, 0xA33F);
    cr_assert_str_eq((const char *)setup + (setup[0x22] | setup[0x23] << 8),
                     "auto");
}

Test(vmm_load, a_damaged_setup_is_refused)
{
    uint8_t image[BZ_SETUP + BZ_KERNEL];
    image_linux(image);
    image[0x206] = 3;
    image[0x1F1] = 200;
    refused(image, sizeof image, "damaged");
}

/* ---- Damaged images: refused or loaded, never a crash -------------------- */

static uint64_t random_state = 0x9E3779B97F4A7C15u;

static size_t random_below(size_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % bound);
}

static void damage(const uint8_t *valid, size_t size, size_t headers)
{
    for (int round = 0; round < 20000; round++) {
        size_t cut = random_below(4) ? size : random_below(size + 1);
        uint8_t *image = malloc(cut ? cut : 1); /* exact, for the sanitizer */
        memcpy(image, valid, cut);
        for (size_t flips = random_below(6); flips && cut; flips--) {
            size_t at = random_below(random_below(2) ? size : headers);
            if (at < cut)
                image[at] ^= (uint8_t)(1u << random_below(8));
        }
        if (load(image, cut, "x"))
            cr_assert_eq(result.state.eip, result.entry);
        else
            cr_assert_not_null(error);
        free(image);
    }
}

Test(vmm_load, damaged_images_never_crash_the_loaders, .timeout = 100)
{
    uint8_t elf[ELF_BYTES], linux_image[BZ_SETUP + BZ_KERNEL];
    image_elf(elf);
    damage(elf, sizeof elf, 0x54);
    image_linux(linux_image);
    damage(linux_image, sizeof linux_image, 0x270);
    linux_image[0x206] = 3;
    damage(linux_image, sizeof linux_image, 0x270);
    uint8_t flat[256] = {0};
    put_multiboot(flat, 1 << 16);
    put32(flat + 12, 0x100000);
    put32(flat + 16, 0x100000);
    put32(flat + 28, 0x100020);
    damage(flat, sizeof flat, 32);
}

/* ---- What the firmware leaves -------------------------------------------- */

static uint8_t sum(const uint8_t *p, size_t n)
{
    uint8_t s = 0;
    while (n--)
        s = (uint8_t)(s + *p++);
    return s;
}

Test(vmm_load, firmware_tables_can_be_found_and_add_up)
{
    cr_assert(firmware_install(&guest.access, 2, false));
    const uint8_t *m = guest.bytes;
    cr_assert_eq(m[0x413] | m[0x414] << 8, 639);
    cr_assert_eq((m[0x40E] | m[0x40F] << 8) << 4, 0x9FC00);
    cr_assert_eq(m[0x475], 2);
    cr_assert_eq(m[0xF0000 + (m[0x40] | m[0x41] << 8)], 0xCF); /* INT 10h */
    const uint8_t *p = m + 0xF0000;
    while (p < m + 0x100000 && memcmp(p, "_MP_", 4) != 0)
        p += 16;
    cr_assert_lt(p, m + 0x100000);
    cr_assert_eq(sum(p, 16), 0);
    const uint8_t *t = m + get32(p + 4);
    cr_assert_arr_eq(t, "PCMP", 4);
    size_t length = (size_t)(t[4] | t[5] << 8);
    cr_assert_eq(sum(t, length), 0);
    cr_assert_eq(get32(t + 36), 0xFEE00000);
    unsigned entries = 0;
    for (const uint8_t *e = t + 44; e < t + length; e += *e ? 8 : 20)
        entries++;
    cr_assert_eq(entries, t[34]);
}
