/* SPDX-License-Identifier: MIT */
/* The curses back end, on terminals that are nowhere. */
#include <criterion/criterion.h>

#include "tests/visualizer/fixture.h"
#include "visualizer/tty.h"

/* After ours: it has short names for many things. */
#include <curses.h>

static struct pretended guest;
static const struct target target = {&pretended_ops, &guest};
static struct session s;
static FILE *out, *in;

static void enter(const char *type, enum tty_color color)
{
    setenv("LINES", "24", 1);
    setenv("COLUMNS", "80", 1);
    unsetenv("NO_COLOR");
    out = fopen("/dev/null", "w");
    in = fopen("/dev/null", "r");
    cr_assert(tty_enter(type, out, in, color));
    struct front front = tty_front();
    cr_assert(
        session_open(&s, &target, &front, NULL, tty_width(), tty_height()));
}

static void leave(void)
{
    session_close(&s);
    tty_close();
    fclose(out);
    fclose(in);
}

static void shown_row(int row, char text[200])
{
    mvinnstr(row, 0, text, 199);
}

/* The attributes and the pair of the first cell with this character. */
static attr_t attributes_of_letter(char letter, int first, short *pair)
{
    for (int row = first; row < 21; row++)
        for (int column = 34; column < 36; column++) {
            cchar_t cell;
            wchar_t text[8];
            attr_t attributes;
            mvin_wch(row, column, &cell);
            getcchar(&cell, text, &attributes, pair, NULL);
            if (text[0] == (wchar_t)letter)
                return attributes;
        }
    cr_assert(false, "no %c is shown", letter);
    return 0;
}

Test(visualizer_tty, an_unknown_terminal_is_refused)
{
    FILE *null = fopen("/dev/null", "r+");
    cr_assert(!tty_enter("no-such-terminal", null, null, TTY_COLOR_AUTO));
    tty_leave();
    tty_close();
    fclose(null);
}

Test(visualizer_tty, shows_what_the_canvas_has)
{
    char text[200], wanted[200];
    enter("xterm-256color", TTY_COLOR_AUTO);
    session_draw(&s);
    for (int row = 2; row < 12; row++) {
        canvas_row(s.canvas, row, wanted, sizeof wanted);
        shown_row(row, text);
        cr_assert(strncmp(text, wanted, strlen(wanted)) == 0, "%s\n%s", text,
                  wanted);
    }
    leave();
}

Test(visualizer_tty, has_colours_by_meaning)
{
    short pair, red, ground;
    enter("xterm-256color", TTY_COLOR_ALWAYS);
    session_trap(&s, 1);
    session_draw(&s);
    attributes_of_letter('H', 14, &pair);
    pair_content(pair, &red, &ground);
    cr_assert_eq(red, style_table[STYLE_HIDDEN].full.color);
    leave();
}

Test(visualizer_tty, has_eight_colours_if_the_terminal_has)
{
    short pair, color, ground;
    enter("xterm", TTY_COLOR_AUTO);
    session_trap(&s, 1);
    session_draw(&s);
    attributes_of_letter('H', 14, &pair);
    pair_content(pair, &color, &ground);
    cr_assert_eq(color, COLOR_CYAN);
    leave();
}

Test(visualizer_tty, has_none_when_told)
{
    short pair;
    enter("xterm-256color", TTY_COLOR_NEVER);
    session_trap(&s, 2);
    session_draw(&s);
    cr_assert(attributes_of_letter('E', 14, &pair) & A_BOLD);
    cr_assert_eq(pair, 0);
    leave();
}

Test(visualizer_tty, works_on_a_vt100)
{
    char text[200];
    enter("vt100", TTY_COLOR_AUTO);
    session_draw(&s);
    shown_row(0, text);
    cr_assert(strstr(text, "[1 Step]"));
    leave();
}

Test(visualizer_tty, decodes_keys)
{
    static const struct {
        int curses, key;
    } table[] = {
        {'q', 'q'},
        {KEY_DOWN, UI_KEY_DOWN},
        {KEY_F(5), UI_KEY_F5},
        {'\n', UI_KEY_ENTER},
        {'\r', UI_KEY_ENTER},
        {KEY_BACKSPACE, UI_KEY_BACKSPACE},
        {0x7F, UI_KEY_BACKSPACE},
        {KEY_F(7), UI_KEY_OTHER},
    };
    enter("xterm", TTY_COLOR_AUTO);
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
        ungetch(table[i].curses);
        cr_assert_eq(tty_key(0), table[i].key);
    }
    cr_assert_eq(tty_key(0), UI_KEY_NONE);
    leave();
}

Test(visualizer_tty, survives_being_small)
{
    static const int sizes[][2] = {{5, 20},   {1, 1},   {24, 80},
                                   {40, 120}, {23, 79}, {24, 80}};
    char text[200];
    enter("xterm", TTY_COLOR_AUTO);
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        resizeterm(sizes[i][0], sizes[i][1]);
        cr_assert_eq(tty_key(0), UI_KEY_RESIZE);
        session_draw(&s);
        shown_row(0, text);
        if (sizes[i][1] >= 80 && sizes[i][0] >= 24)
            cr_assert(strstr(text, "[1 Step]"), "%s", text);
        else if (sizes[i][1] > 10)
            cr_assert(strstr(text, "need 80x24"), "%s", text);
    }
    leave();
}

Test(visualizer_tty, the_loop_ends_at_the_end_of_input)
{
    enter("xterm", TTY_COLOR_AUTO);
    ungetch('s');
    tty_loop(&s);
    cr_assert_eq(guest.cycles, 10);
    leave();
}

Test(visualizer_tty, a_key_stops_a_run_and_does_nothing_else)
{
    enter("xterm", TTY_COLOR_AUTO);
    ungetch('q'); /* read last: the queue is a stack */
    ungetch('2');
    ungetch('c');
    tty_loop(&s);
    cr_assert(s.quit);
    cr_assert_gt(guest.cycles, 0);
    cr_assert_eq(s.ui.screen, SCREEN_STEP);
    leave();
}
