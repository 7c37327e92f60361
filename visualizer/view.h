/* SPDX-License-Identifier: MIT */
/* visualizer/view.h - the screens: pure functions from a picture to cells.
 *
 * A view gets a const inspection (what the machine is) and a const struct ui
 * (what the user looks at) and draws. It has no way to reach the machine, so
 * looking cannot change what is looked at. Layout is a function of the canvas'
 * size only.
 *
 * To add a screen: a function view_NAME() in its own file, a row in view_table
 * (visualizer/view.c), its bit in the key table's "where", a golden.
 */
#ifndef VISUALIZER_VIEW_H
#define VISUALIZER_VIEW_H

#include "visualizer/canvas.h"
#include "vmm/inspect.h"

enum ui_screen {
    SCREEN_STEP,
    SCREEN_TRANSLATION,
    SCREEN_CONSOLE,
    SCREEN_VGA,
    SCREEN_COUNT
};

/* What the cursor moves in, on the Step screen. */
enum pane { PANE_CODE, PANE_LOG, PANE_COUNT };

/* What the last line asks for; PROMPT_NONE: nothing. */
enum prompt {
    PROMPT_NONE,
    PROMPT_COMMAND,
    PROMPT_SEARCH,
    PROMPT_GOTO,
    PROMPT_FILTER,
    PROMPT_EXPORT,
    PROMPT_COUNT,
};

enum {
    UI_BREAKPOINTS = 16,
    UI_TEXT = 200,
    SMALLEST_WIDTH = 80,
    SMALLEST_HEIGHT = 24
};

/* What a prompt says before the line. */
extern const char *const prompt_text[PROMPT_COUNT];

/* What the user looks at. */
struct ui {
    enum ui_screen screen, back; /* back: where Left goes */
    bool cache; /* the Step screen shows translated code, not the log */
    bool help;
    bool vmcs; /* asked for: to be told */
    char vmcs_area[40];
    unsigned help_top;
    enum pane pane;
    int code_cursor;       /* rows from the next instruction */
    unsigned log_cursor;   /* rows from the newest event that is shown */
    unsigned console_back; /* rows scrolled back */
    int vga_down;          /* rows scrolled down, or up (negative) */
    bool typing;           /* keys go to the guest */
    bool running;
    bool interrupted_once; /* Ctrl-C was the last key */
    bool past;             /* earlier than the guest has been */
    bool unicode;
    char filter[32]; /* class letters; "": all */
    char search[UI_TEXT];
    enum prompt prompt;
    char line[UI_TEXT]; /* typed so far */
    unsigned count;     /* typed before a key, 0: none */
    bool counting;
    unsigned last_digit;         /* of the key before, that showed a screen */
    enum ui_screen digit_screen; /* the screen before that */
    char status[UI_TEXT];
    uint32_t breakpoints[UI_BREAKPOINTS];
    unsigned breakpoint_count;
    struct inspect_request request;
};

struct view {
    const char *name;
    char key;
    void (*draw)(struct canvas *c, struct rect where,
                 const struct inspection *in, const struct ui *ui);
};
extern const struct view view_table[SCREEN_COUNT];

/* The whole screen: the frame that all share, and the view in it. */
void view_draw(struct canvas *c, const struct inspection *in,
               const struct ui *ui);
void view_step(struct canvas *c, struct rect where, const struct inspection *in,
               const struct ui *ui);
void view_translation(struct canvas *c, struct rect where,
                      const struct inspection *in, const struct ui *ui);
void view_console(struct canvas *c, struct rect where,
                  const struct inspection *in, const struct ui *ui);
void view_vga(struct canvas *c, struct rect where, const struct inspection *in,
              const struct ui *ui);
/* Of the VGA's rows, the first one shown where only so many have room, when the
 * user has gone so far down from where the guest's cursor is in sight. */
int view_vga_first(const struct text_screen *s, int down, int rows);
void view_help(struct canvas *c, struct rect where, const struct ui *ui);

/* "mov eax, dword ptr [8]" as "mov eax,[8]": a size of four goes without
 * saying, and so does "ptr". */
void view_short_text(const char *text, char *out, size_t bytes);

/* The row of a pane that the cursor is on must be shown: the first of rows
 * shown, for a cursor at index of count things. */
int view_first_row(int index, int count, int rows);

#endif
