/* SPDX-License-Identifier: MIT */
#include "test_load_images.h"

#include "vmm/symbols.h"

#include <criterion/criterion.h>

static struct symbols *load(const uint8_t *image, size_t size)
{
    return symbols_load((struct blob){image, size, "kernel"});
}

Test(vmm_symbols, nearest_symbol_is_found_with_its_offset)
{
    uint8_t image[ELF_BYTES];
    image_elf(image);
    struct symbols *s = load(image, sizeof image);
    uint32_t offset = 99;
    const struct symbol *found = symbols_find(s, 0xC0100045, &offset);
    cr_assert_str_eq(found->name, "work");
    cr_assert_eq(offset, 5);
    cr_assert(found->function && found->code && !found->global);
    cr_assert_null(symbols_find(s, 0xC0100010, &offset));
    cr_assert_null(symbols_find(s, 0xC0101000, &offset));
    symbols_free(s);
}

Test(vmm_symbols, address_before_paging_finds_the_same_name)
{
    uint8_t image[ELF_BYTES];
    image_elf(image);
    struct symbols *s = load(image, sizeof image);
    uint32_t offset;
    const struct symbol *found = symbols_find(s, 0x100021, &offset);
    cr_assert_str_eq(found->name, "start");
    cr_assert_eq(offset, 1);
    symbols_free(s);
}

Test(vmm_symbols, one_name_an_address_and_functions_win)
{
    uint8_t image[ELF_BYTES];
    image_elf(image);
    struct symbols *s = load(image, sizeof image);
    cr_assert_eq(symbols_count(s), 2);
    cr_assert_str_eq(symbols_at(s, 0)->name, "start");
    cr_assert_null(symbols_at(s, 2));
    uint32_t address;
    cr_assert(symbols_address(s, "work", &address));
    cr_assert_eq(address, 0xC0100040);
    cr_assert(!symbols_address(s, "absent", &address));
    symbols_free(s);
}

Test(vmm_symbols, image_without_symbols_gives_an_empty_table)
{
    uint8_t image[BZ_SETUP + BZ_KERNEL];
    image_linux(image);
    struct symbols *s = load(image, sizeof image);
    cr_assert_eq(symbols_count(s), 0);
    cr_assert_null(symbols_find(s, 0x100000, NULL));
    symbols_free(s);
}

Test(vmm_symbols, damaged_images_never_crash, .timeout = 60)
{
    uint8_t valid[ELF_BYTES];
    image_elf(valid);
    uint32_t seed = 12345;
    for (int round = 0; round < 20000; round++) {
        uint8_t *image = malloc(sizeof valid);
        memcpy(image, valid, sizeof valid);
        for (int flips = 0; flips < 4; flips++) {
            seed = seed * 1664525u + 1013904223u;
            /* In the ELF header or in the tables at the end. */
            uint32_t at = seed >> 8;
            at = at & 1 ? at / 2 % 0x54 : 0x1100 + at / 2 % 0x2A0;
            image[at] ^= (uint8_t)(1u << (seed >> 5 & 7));
        }
        struct symbols *s = load(image, sizeof valid);
        cr_assert_not_null(s);
        symbols_find(s, 0xC0100040, NULL);
        symbols_free(s);
        free(image);
    }
}
