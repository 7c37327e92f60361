/* SPDX-License-Identifier: MIT */
/* visualizer/keys.h - every key is a row of one table.
 *
 * The help screen, the bottom line, --list-keys and the dispatch are all
 * printed from or done by it. A small letter goes forward, its CAPITAL back;
 * no key does two things in two places.
 */
#ifndef VISUALIZER_KEYS_H
#define VISUALIZER_KEYS_H

#include <stdbool.h>
#include <stdio.h>

#include "visualizer/view.h"

/* Keys that are no character. */
enum ui_key {
    UI_KEY_NONE = -1,
    UI_KEY_UP = 0x1000,
    UI_KEY_DOWN,
    UI_KEY_LEFT,
    UI_KEY_RIGHT,
    UI_KEY_PAGE_UP,
    UI_KEY_PAGE_DOWN,
    UI_KEY_HOME,
    UI_KEY_END,
    UI_KEY_BACK_TAB,
    UI_KEY_F1,
    UI_KEY_F2,
    UI_KEY_F5,
    UI_KEY_F10,
    UI_KEY_DELETE,
    UI_KEY_RESIZE,
    UI_KEY_OTHER, /* known to the terminal, not to us */
};
#define CONTROL(letter)  ((letter)&0x1F)
#define UI_KEY_ESCAPE    27
#define UI_KEY_ENTER     '\r'
#define UI_KEY_TAB       '\t'
#define UI_KEY_BACKSPACE 0x7F

enum {
    ON_STEP = 1 << SCREEN_STEP,
    ON_TRANSLATION = 1 << SCREEN_TRANSLATION,
    ON_CONSOLE = 1 << SCREEN_CONSOLE,
    ON_VGA = 1 << SCREEN_VGA,
    EVERYWHERE = ON_STEP | ON_TRANSLATION | ON_CONSOLE | ON_VGA,
};

struct session;
typedef void key_action(struct session *s, unsigned count);

/* One key. A row without help is another key for, or the twin of, the row
 * above it, whose help speaks for both. */
struct key_row {
    int key;
    const char *name;
    unsigned where; /* ON_ */
    key_action *action;
    const char *help;
    const char *brief; /* in the bottom line; NULL: not there */
};
extern const struct key_row key_table[];
extern const unsigned key_count;

/* NULL: no such key here. */
const struct key_row *key_find(int key, enum ui_screen screen);
/* A key by the name that the table or a key script uses; UI_KEY_NONE. */
int key_by_name(const char *name);
/* The table as text: --list-keys. */
void key_list(FILE *out);
/* The names of row i and of the rows without help that follow it, joined;
 * returns the index of the next row with help. */
unsigned key_group(unsigned i, char *names, size_t bytes);

#endif
