/* SPDX-License-Identifier: MIT */
/* visualizer/tty_loop.c - a session on a terminal, key by key. */
#include "visualizer/tty.h"

enum {
    TYPING_SLICE_CYCLES = 5000000, /* guest time between two looks at keys */
    GONE_AFTER = 3,                /* so many empty reads in a row */
};

/* While the user types to the guest it runs; keys go to it as they come. */
static void type_and_run(struct session *s)
{
    int key;
    session_run_cycles(s, TYPING_SLICE_CYCLES);
    if (s->in->stop != VM_RUNNING) {
        session_key(s, UI_KEY_ESCAPE);
        return;
    }
    while (s->ui.typing && (key = tty_key(0)) != UI_KEY_NONE) {
        if (key != UI_KEY_RESIZE) /* drawing follows the size by itself */
            session_key(s, key);
    }
}

void tty_loop(struct session *s)
{
    int empty = 0;

    session_draw(s);
    while (!s->quit) {
        if (s->ui.typing) {
            type_and_run(s);
            if (s->front.redraw_due(s->front.ctx) || !s->ui.typing)
                session_draw(s);
            continue;
        }
        int key = tty_key(-1);
        if (key == UI_KEY_NONE) { /* end of input, or a signal came */
            if (++empty >= GONE_AFTER)
                return;
            continue;
        }
        empty = 0;
        if (key != UI_KEY_RESIZE)
            session_key(s, key);
        session_draw(s);
    }
}
