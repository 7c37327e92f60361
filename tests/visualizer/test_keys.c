/* SPDX-License-Identifier: MIT */
/* The key table keeps its promises. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "visualizer/keys.h"

Test(visualizer_keys, no_key_does_two_things_in_one_place)
{
    for (unsigned i = 0; i < key_count; i++)
        for (unsigned k = 0; k < i; k++)
            cr_assert(key_table[i].key != key_table[k].key ||
                          !(key_table[i].where & key_table[k].where),
                      "%s", key_table[i].name);
}

Test(visualizer_keys, every_row_is_complete)
{
    cr_assert(key_table[0].help);
    for (unsigned i = 0; i < key_count; i++) {
        cr_assert(key_table[i].action && key_table[i].name[0]);
        cr_assert(key_table[i].where &&
                  (key_table[i].where | EVERYWHERE) == EVERYWHERE);
        cr_assert_eq(key_by_name(key_table[i].name), key_table[i].key);
    }
}

/* Small letter forward, its capital back: a capital needs its small twin. */
Test(visualizer_keys, capitals_are_twins)
{
    for (unsigned i = 0; i < key_count; i++) {
        int key = key_table[i].key;
        if (key < 'A' || key > 'Z')
            continue;
        bool twin = false;
        for (unsigned k = 0; k < key_count; k++)
            twin = twin || key_table[k].key == tolower(key);
        cr_assert(twin, "%c", key);
    }
}

Test(visualizer_keys, the_list_has_every_key)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    key_list(out);
    fclose(out);
    for (unsigned i = 0; i < key_count; i++)
        cr_assert(strstr(text, key_table[i].name), "%s", key_table[i].name);
    free(text);
}

Test(visualizer_keys, help_fits_its_column_at_80x24)
{
    char names[64];
    for (unsigned i = 0; i < key_count;) {
        cr_assert_leq(strlen(key_table[i].help), 26, "%s", key_table[i].help);
        i = key_group(i, names, sizeof names);
        cr_assert_leq(strlen(names), 12, "%s", names);
    }
}
