/* SPDX-License-Identifier: MIT */
/* visualizer/actions.c - what the keys do. */
#include "visualizer/actions.h"

#include <string.h>

#include "visualizer/event_text.h"
#include "visualizer/session.h"

/* Most actions have no use for a count. */
#define UNUSED(x) ((void)(x))

/* What a smaller terminal needs beside the rows of the VGA: the screens, a
 * title, Why, the keys. */
enum { VGA_FRAME_ROWS = 5 };

void act_step(struct session *s, unsigned count)
{
    session_step(s, count);
}

void act_step_back(struct session *s, unsigned count)
{
    session_step_back(s, count);
}

void act_trap(struct session *s, unsigned count)
{
    session_trap(s, count);
}

void act_trap_back(struct session *s, unsigned count)
{
    session_trap_back(s, count);
}

void act_continue(struct session *s, unsigned count)
{
    UNUSED(count);
    session_continue(s);
}

/* The code line that the cursor is on; NULL: there is no code. */
static const struct inspect_line *cursor_line(const struct session *s)
{
    int at = (int)s->in->current + s->ui.code_cursor;
    if (s->in->code_count == 0)
        return NULL;
    if (at < 0)
        at = 0;
    if (at >= (int)s->in->code_count)
        at = (int)s->in->code_count - 1;
    return &s->in->code[at];
}

void act_until(struct session *s, unsigned count)
{
    const struct inspect_line *line = cursor_line(s);
    UNUSED(count);
    if (!line)
        session_say(s, "There is no code under the cursor.");
    else if (s->ui.pane != PANE_CODE)
        session_say(s, "u runs to a line of the code: Tab goes there.");
    else if (line->address == s->in->code[s->in->current].address)
        session_say(s, "The guest is there already; move the cursor first.");
    else
        session_until_address(s, line->address);
}

void act_break(struct session *s, unsigned count)
{
    const struct inspect_line *line = cursor_line(s);
    UNUSED(count);
    if (!line || s->ui.pane != PANE_CODE)
        session_say(s, "b marks a line of the code: Tab goes there.");
    else
        session_toggle_break(s, line->address);
}

static void ask(struct session *s, enum prompt prompt, const char *line)
{
    s->ui.prompt = prompt;
    snprintf(s->ui.line, sizeof s->ui.line, "%s", line);
}

void act_filter(struct session *s, unsigned count)
{
    UNUSED(count);
    ask(s, PROMPT_FILTER, s->ui.filter);
}

void act_goto(struct session *s, unsigned count)
{
    UNUSED(count);
    ask(s, PROMPT_GOTO, "");
}

void act_search(struct session *s, unsigned count)
{
    UNUSED(count);
    ask(s, PROMPT_SEARCH, "");
}

void act_export(struct session *s, unsigned count)
{
    UNUSED(count);
    ask(s, PROMPT_EXPORT, "");
}

void act_command(struct session *s, unsigned count)
{
    UNUSED(count);
    ask(s, PROMPT_COMMAND, "");
}

void act_next(struct session *s, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        session_search(s, true);
}

void act_previous(struct session *s, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        session_search(s, false);
}

/* ---- Moving the cursor ----------------------------------------------------*/

static int clamp(int64_t value, int64_t low, int64_t high)
{
    return (int)(value < low ? low : value > high ? high : value);
}

/* Not further than there are rows. */
static void scroll_vga(struct session *s, int64_t rows)
{
    const struct text_screen *screen = &s->in->vga;
    int shown = s->canvas->height - VGA_FRAME_ROWS;
    int down = clamp(s->ui.vga_down + rows, -TEXT_ROWS, TEXT_ROWS);

    s->ui.vga_down =
        view_vga_first(screen, down, shown) - view_vga_first(screen, 0, shown);
}

/* In rows, positive downwards (towards later code, newer events). */
static void move_rows(struct session *s, int64_t rows)
{
    struct ui *ui = &s->ui;
    unsigned index[INSPECT_EVENTS];

    if (ui->help) {
        ui->help_top = (unsigned)clamp(ui->help_top + rows, 0, (int)key_count);
    } else if (ui->screen == SCREEN_CONSOLE) {
        ui->console_back = (unsigned)clamp(ui->console_back - rows, 0,
                                           (int)s->in->console_rows);
    } else if (ui->screen == SCREEN_VGA) {
        scroll_vga(s, rows);
    } else if (ui->screen == SCREEN_TRANSLATION) {
        ui->request = (struct inspect_request){
            true, s->in->gva + (uint32_t)rows * PAGE_BYTES, s->in->access};
        session_take(s);
    } else if (ui->pane == PANE_CODE) {
        int at = (int)s->in->current + ui->code_cursor;
        at = clamp(at + rows, 0, (int)s->in->code_count - 1);
        ui->code_cursor = at - (int)s->in->current;
    } else {
        int most = (int)events_filtered(s->in, ui->filter, index) - 1;
        ui->log_cursor =
            (unsigned)clamp(ui->log_cursor - rows, 0, most < 0 ? 0 : most);
    }
}

void act_down(struct session *s, unsigned count)
{
    move_rows(s, count);
}

void act_up(struct session *s, unsigned count)
{
    move_rows(s, -(int64_t)count);
}

static int64_t page_rows(const struct session *s)
{
    /* On Translation a row is a page, and a "page" a directory entry. */
    if (s->ui.screen == SCREEN_TRANSLATION && !s->ui.help)
        return 1024;
    return s->ui.screen == SCREEN_CONSOLE ? s->canvas->height - 7 : 5;
}

void act_page_down(struct session *s, unsigned count)
{
    move_rows(s, count * page_rows(s));
}

void act_page_up(struct session *s, unsigned count)
{
    move_rows(s, -(count * page_rows(s)));
}

void act_home(struct session *s, unsigned count)
{
    UNUSED(count);
    if (s->ui.screen != SCREEN_TRANSLATION)
        move_rows(s, -1000);
}

void act_end(struct session *s, unsigned count)
{
    UNUSED(count);
    if (s->ui.screen != SCREEN_TRANSLATION)
        move_rows(s, 1000);
}

void act_pane(struct session *s, unsigned count)
{
    UNUSED(count);
    s->ui.pane = s->ui.pane == PANE_CODE ? PANE_LOG : PANE_CODE;
}

/* ---- Screens --------------------------------------------------------------*/

static void show_screen(struct session *s, enum ui_screen screen)
{
    s->ui.help = false;
    if (s->ui.screen != screen)
        s->ui.back = s->ui.screen;
    s->ui.screen = screen;
}

/* Look at the address of the selected row: a fault's, or of the code. */
void act_follow(struct session *s, unsigned count)
{
    struct ui *ui = &s->ui;
    UNUSED(count);
    if (ui->screen != SCREEN_STEP) {
        session_say(s, "Enter translates the address of a row of Step.");
        return;
    }
    unsigned access = s->in->guest.cpl == 3 ? ACC_USER : 0;
    const struct inspect_line *line = cursor_line(s);
    if (ui->pane == PANE_CODE && line) {
        ui->request =
            (struct inspect_request){true, line->address, access | ACC_FETCH};
    } else if (ui->pane == PANE_LOG) {
        unsigned index[INSPECT_EVENTS];
        unsigned n = events_filtered(s->in, ui->filter, index);
        if (n == 0 || ui->log_cursor >= n)
            return;
        const struct event *e = &s->in->events[index[n - 1 - ui->log_cursor]];
        ui->request =
            (struct inspect_request){true, e->eip, access | ACC_FETCH};
        if (e->kind == EV_FAULT) {
            access = e->arg[3] & PF_USER ? ACC_USER : 0;
            access |= e->arg[3] & PF_WRITE ? ACC_WRITE : 0;
            access |= e->arg[3] & PF_FETCH ? ACC_FETCH : 0;
            ui->request = (struct inspect_request){true, e->arg[0], access};
        }
    }
    session_take(s);
    show_screen(s, SCREEN_TRANSLATION);
}

void act_back(struct session *s, unsigned count)
{
    UNUSED(count);
    show_screen(s, s->ui.back);
}

void act_screen_1(struct session *s, unsigned count)
{
    UNUSED(count);
    show_screen(s, SCREEN_STEP);
}

void act_screen_2(struct session *s, unsigned count)
{
    UNUSED(count);
    show_screen(s, SCREEN_TRANSLATION);
}

void act_screen_3(struct session *s, unsigned count)
{
    UNUSED(count);
    show_screen(s, SCREEN_CONSOLE);
}

void act_screen_4(struct session *s, unsigned count)
{
    UNUSED(count);
    show_screen(s, SCREEN_VGA);
}

void act_type(struct session *s, unsigned count)
{
    UNUSED(count);
    if (s->plain) {
        session_say(s, "Type with :type TEXT; \\r in it is Enter.");
        return;
    }
    if (s->in->stop != VM_RUNNING) {
        session_say(s, "The guest has ended; nobody reads what is typed.");
        return;
    }
    s->ui.console_back = 0;
    s->ui.vga_down = 0;
    s->ui.typing = true;
    s->target->ops->live(s->target->ctx, true);
}

void act_help(struct session *s, unsigned count)
{
    UNUSED(count);
    s->ui.help = !s->ui.help;
    s->ui.help_top = 0;
}

void act_cache(struct session *s, unsigned count)
{
    UNUSED(count);
    s->ui.cache = !s->ui.cache;
    session_say(s, s->ui.cache ? "Translated code (technique bt)." : "Traps.");
}

void act_lines(struct session *s, unsigned count)
{
    UNUSED(count);
    s->ui.unicode = !s->ui.unicode;
    session_say(s, s->ui.unicode ? "Unicode lines." : "ASCII lines.");
}

void act_repaint(struct session *s, unsigned count)
{
    UNUSED(count);
    if (s->front.repaint)
        s->front.repaint(s->front.ctx);
}

void act_suspend(struct session *s, unsigned count)
{
    UNUSED(count);
    if (s->front.suspend)
        s->front.suspend(s->front.ctx);
}

/* Close what is open; if nothing is, back to the translation's own choice of
 * an address. */
void act_escape(struct session *s, unsigned count)
{
    UNUSED(count);
    if (s->ui.help) {
        s->ui.help = false;
    } else if (s->ui.screen == SCREEN_TRANSLATION && s->ui.request.has_gva) {
        s->ui.request.has_gva = false;
        session_take(s);
        session_say(s, "The last fault's address again.");
    }
}

void act_quit(struct session *s, unsigned count)
{
    UNUSED(count);
    if (s->ui.help)
        s->ui.help = false;
    else
        s->quit = true;
}

void act_interrupt(struct session *s, unsigned count)
{
    UNUSED(count);
    if (s->ui.interrupted_once)
        s->quit = true;
    s->ui.interrupted_once = true;
    session_say(s, "Ctrl-C stops a run; once more quits (so does q).");
}
