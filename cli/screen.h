/* SPDX-License-Identifier: MIT */
/* cli/screen.h - the guest's text screen, at the end or as it changes. */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include "vmm/text_screen.h"
#include "vmm/vm.h"

/* Write the 80x25 cells of the VGA's text screen as lines, without their
 * attributes and without blanks at the ends; what is not ASCII is drawn with
 * what resembles it. path "-": standard output. Returns 0 or an errno. */
int screen_write(struct vm *vm, const char *path);

/* Does nothing stand there? */
bool screen_is_blank(struct vm *vm);

/* The screen on a terminal (ANSI, ECMA-48): what was drawn last. */
struct screen {
    bool started;
    struct text_screen drawn;
};

/* Draw what has changed on standard output. The terminal stays as it is until
 * there is something to draw. */
void screen_draw(struct screen *s, struct vm *vm);
/* Leave the cursor below the picture, if there is one. */
void screen_leave(struct screen *s);

#endif
