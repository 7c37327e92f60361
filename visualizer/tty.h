/* SPDX-License-Identifier: MIT */
/* visualizer/tty.h - a terminal to show a session on (by curses).
 *
 * There is one at a time: curses is like that.
 */
#ifndef VISUALIZER_TTY_H
#define VISUALIZER_TTY_H

#include "visualizer/session.h"

/* --color=: AUTO follows NO_COLOR and the terminal. */
enum tty_color {
    TTY_COLOR_AUTO,
    TTY_COLOR_NEVER,
    TTY_COLOR_8,
    TTY_COLOR_ALWAYS,
};

/* Take a terminal of a type (NULL: $TERM). False: curses does not know it. */
bool tty_enter(const char *type, FILE *out, FILE *in, enum tty_color color);
/* Give the terminal back as it was. tty_leave may be called any time. */
void tty_leave(void);
void tty_close(void);
/* Called when a signal ends the program, after the terminal was given back. */
void tty_on_death(void (*last_words)(void));

int tty_width(void);
int tty_height(void);
bool tty_unicode(void); /* does the locale have the line characters? */

/* The next key (keys.h), waiting so long for it (-1: as long as it takes).
 * UI_KEY_NONE: none came. */
int tty_key(int timeout_ms);
/* The terminal is no more: nobody can press a key. */
bool tty_gone(void);

struct front tty_front(void);

/* Keys to actions to screens, until quit. */
void tty_loop(struct session *s);

#endif
