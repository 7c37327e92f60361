/* SPDX-License-Identifier: MIT */
/* visualizer/tty_curses.c - the screens on a terminal. The only file that
 * knows curses.
 *
 * Signals only set flags, but for those that end the program: they leave the
 * terminal as it was first. No drawing is done in a handler.
 */
#include "visualizer/tty.h"

#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct tty {
    SCREEN *screen;
    enum tty_color color;
    int colors; /* 0, 8 or 256 */
    int pushed; /* a key read while the guest ran */
    struct timespec shown;
    struct sigaction old[NSIG];
} tty;

static const int fatal_signals[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGABRT,
                                    SIGSEGV, SIGBUS, SIGFPE, SIGILL};

static void (*tty_last_words)(void);

static void on_fatal_signal(int number)
{
    tty_leave();
    if (tty_last_words)
        tty_last_words();
    sigaction(number, &tty.old[number], NULL);
    raise(number); /* now as if we had not been there */
}

/* Before newterm: curses has handlers of its own, which would exit(1). */
static void remember_signals(void)
{
    for (size_t i = 0; i < sizeof fatal_signals / sizeof *fatal_signals; i++)
        sigaction(fatal_signals[i], NULL, &tty.old[fatal_signals[i]]);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_fatal_signal,
                               .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof fatal_signals / sizeof *fatal_signals; i++)
        sigaction(fatal_signals[i], &action, NULL);
}

static void release_signals(void)
{
    for (size_t i = 0; i < sizeof fatal_signals / sizeof *fatal_signals; i++)
        sigaction(fatal_signals[i], &tty.old[fatal_signals[i]], NULL);
}

/* ---- Colours --------------------------------------------------------------*/

static int wanted_colors(enum tty_color choice)
{
    const char *no_color = getenv("NO_COLOR");
    if (choice == TTY_COLOR_NEVER)
        return 0;
    if (choice == TTY_COLOR_AUTO && no_color && *no_color)
        return 0;
    if (!has_colors() || start_color() == ERR)
        return 0;
    if (choice == TTY_COLOR_8)
        return 8;
    return COLORS >= 256 ? 256 : 8;
}

static const struct look *look_of(unsigned style)
{
    const struct style_row *row = &style_table[style];
    return tty.colors == 256 ? &row->full
           : tty.colors == 8 ? &row->eight
                             : &row->mono;
}

static void make_pairs(void)
{
    if (tty.colors == 0)
        return;
    use_default_colors();
    for (unsigned i = 0; i < STYLE_COUNT; i++)
        if (look_of(i)->color >= 0)
            init_pair((short)(i + 1), look_of(i)->color, -1);
}

static attr_t attributes_of(unsigned style)
{
    const struct look *look = look_of(style);
    attr_t attributes = A_NORMAL;
    if (look->attributes & LOOK_BOLD)
        attributes |= A_BOLD;
    if (look->attributes & LOOK_UNDERLINE)
        attributes |= A_UNDERLINE;
    if (look->attributes & LOOK_REVERSE)
        attributes |= A_REVERSE;
    return attributes;
}

/* ---- Showing --------------------------------------------------------------*/

static void show(void *ctx, const struct canvas *c)
{
    (void)ctx;
    erase();
    for (int row = 0; row < c->height && row < LINES; row++) {
        for (int column = 0; column < c->width && column < COLS; column++) {
            const struct cell *cell = canvas_cell(c, row, column);
            wchar_t text[2] = {(wchar_t)canvas_glyph(c, cell), 0};
            short pair =
                look_of(cell->style)->color >= 0 ? (short)(cell->style + 1) : 0;
            cchar_t out;
            setcchar(&out, text, attributes_of(cell->style), pair, NULL);
            mvadd_wch(row, column, &out);
        }
    }
    move(c->cursor_row, c->cursor_column);
    refresh();
    clock_gettime(CLOCK_MONOTONIC, &tty.shown);
}

/* ---- Keys -----------------------------------------------------------------*/

static int key_from_curses(int code)
{
    static const struct {
        int curses, key;
    } table[] = {
        {KEY_UP, UI_KEY_UP},         {KEY_DOWN, UI_KEY_DOWN},
        {KEY_LEFT, UI_KEY_LEFT},     {KEY_RIGHT, UI_KEY_RIGHT},
        {KEY_PPAGE, UI_KEY_PAGE_UP}, {KEY_NPAGE, UI_KEY_PAGE_DOWN},
        {KEY_HOME, UI_KEY_HOME},     {KEY_END, UI_KEY_END},
        {KEY_BTAB, UI_KEY_BACK_TAB}, {KEY_F(1), UI_KEY_F1},
        {KEY_F(2), UI_KEY_F2},       {KEY_F(5), UI_KEY_F5},
        {KEY_F(10), UI_KEY_F10},     {KEY_DC, UI_KEY_DELETE},
        {KEY_ENTER, UI_KEY_ENTER},   {KEY_BACKSPACE, UI_KEY_BACKSPACE},
        {KEY_RESIZE, UI_KEY_RESIZE}, {'\n', UI_KEY_ENTER},
        {'\b', UI_KEY_BACKSPACE},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].curses == code)
            return table[i].key;
    return code < 0x80 ? code : UI_KEY_OTHER;
}

int tty_key(int timeout_ms)
{
    int code = tty.pushed;
    tty.pushed = ERR;
    if (code == ERR) {
        timeout(timeout_ms);
        code = getch();
    }
    return code == ERR ? UI_KEY_NONE : key_from_curses(code);
}

bool tty_gone(void)
{
    return !isatty(STDIN_FILENO);
}

static bool key_waiting(void *ctx)
{
    (void)ctx;
    if (tty.pushed == ERR) {
        timeout(0);
        do /* another size is no reason to stop */
            tty.pushed = getch();
        while (tty.pushed == KEY_RESIZE);
    }
    return tty.pushed != ERR;
}

static void drop_key(void *ctx)
{
    (void)ctx;
    tty.pushed = ERR;
}

static bool redraw_due(void *ctx)
{
    struct timespec now;
    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ms = (int64_t)(now.tv_sec - tty.shown.tv_sec) * 1000 +
                 (now.tv_nsec - tty.shown.tv_nsec) / 1000000;
    return ms >= 1000 / 30;
}

static void size(void *ctx, int *width, int *height)
{
    (void)ctx;
    *width = COLS;
    *height = LINES;
}

static void repaint(void *ctx)
{
    (void)ctx;
    clearok(curscr, TRUE);
}

static void suspend(void *ctx)
{
    (void)ctx;
    def_prog_mode();
    endwin();
    kill(0, SIGTSTP); /* as the terminal would: the whole job */
    reset_prog_mode();
    refresh();
}

/* ---- On and off -----------------------------------------------------------*/

bool tty_enter(const char *type, FILE *out, FILE *in, enum tty_color color)
{
    setlocale(LC_CTYPE, "");
    remember_signals();
    tty.screen = newterm(type, out, in);
    if (!tty.screen)
        return false;
    set_term(tty.screen);
    tty.pushed = ERR;
    raw(); /* Ctrl-C and Ctrl-Z are keys: they may be meant for the guest */
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    set_escdelay(25);
    tty.colors = wanted_colors(color);
    make_pairs();
    catch_signals();
    return true;
}

void tty_leave(void)
{
    if (tty.screen && !isendwin())
        endwin();
}

void tty_close(void)
{
    if (!tty.screen)
        return;
    release_signals();
    tty_leave();
    delscreen(tty.screen);
    tty.screen = NULL;
}

void tty_on_death(void (*last_words)(void))
{
    tty_last_words = last_words;
}

int tty_width(void)
{
    return COLS;
}

int tty_height(void)
{
    return LINES;
}

bool tty_unicode(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

struct front tty_front(void)
{
    return (struct front){.size = size,
                          .show = show,
                          .key_waiting = key_waiting,
                          .drop_key = drop_key,
                          .redraw_due = redraw_due,
                          .repaint = repaint,
                          .suspend = suspend};
}
