/* SPDX-License-Identifier: MIT */
/* visualizer/view.c - the frame that all screens share.
 *
 * The top line: the screens, and which guest, techniques and event. The two
 * lines above the last: Why. The last: a message, a question, or the keys.
 */
#include "visualizer/view.h"

#include <string.h>

#include "visualizer/event_text.h"
#include "visualizer/keys.h"

const struct view view_table[SCREEN_COUNT] = {
    [SCREEN_STEP] = {"Step", '1', view_step},
    [SCREEN_TRANSLATION] = {"Translation", '2', view_translation},
    [SCREEN_CONSOLE] = {"Console", '3', view_console},
    [SCREEN_VGA] = {"VGA", '4', view_vga},
};

int view_first_row(int index, int count, int rows)
{
    int first = index - rows / 2;
    if (first > count - rows)
        first = count - rows;
    return first < 0 ? 0 : first;
}

static const char *moment(const struct inspection *in, const struct ui *ui)
{
    if (ui->running)
        return "RUNNING";
    if (ui->past)
        return "PAST";
    return in->stop == VM_RUNNING ? "LIVE" : "ENDED";
}

static void draw_top(struct canvas *c, const struct inspection *in,
                     const struct ui *ui)
{
    char number[28], right[160];
    int column = 0;

    for (int i = 0; i < SCREEN_COUNT; i++) {
        bool on = ui->screen == (enum ui_screen)i && !ui->help;
        column = canvas_printf(c, 0, column, 40, on ? STYLE_TITLE : STYLE_TEXT,
                               on ? "[%c %s]" : " %c %s ", view_table[i].key,
                               view_table[i].name);
    }
    int length = snprintf(right, sizeof right, "%s %s  %s #%llu",
                          in->cpu ? in->cpu : "?", in->mmu ? in->mmu : "-",
                          moment(in, ui), (unsigned long long)in->seq);
    if (c->width >= 110)
        length = snprintf(
            right, sizeof right, "%.24s  cpu %s  mmu %s  %s #%llu  cycles %s",
            in->guest_name, in->cpu ? in->cpu : "?", in->mmu ? in->mmu : "-",
            moment(in, ui), (unsigned long long)in->seq,
            number_text(in->cycles, number));
    int start = c->width - length;
    if (start > column)
        canvas_text(c, 0, start, length, STYLE_TEXT, right);
}

const char *const prompt_text[PROMPT_COUNT] = {
    [PROMPT_NONE] = "",
    [PROMPT_COMMAND] = ":",
    [PROMPT_SEARCH] = "search the log for: ",
    [PROMPT_GOTO] = "go to (address, name or #event): ",
    [PROMPT_FILTER] = "show only the classes (letters; empty: all): ",
    [PROMPT_EXPORT] = "write this screen to the file: ",
};

static void draw_keys(struct canvas *c, const struct ui *ui, int row)
{
    int column = 0;
    for (unsigned i = 0; i < key_count; i++) {
        const struct key_row *k = &key_table[i];
        if (!k->brief || !(k->where >> ui->screen & 1))
            continue;
        int length = (int)(strlen(k->name) + 1 + strlen(k->brief));
        if (column + length > c->width)
            break;
        column = canvas_text(c, row, column, 12, STYLE_TITLE, k->name) + 1;
        column = canvas_text(c, row, column, 20, STYLE_TEXT, k->brief) + 2;
    }
}

static void draw_bottom(struct canvas *c, const struct ui *ui)
{
    int row = c->height - 1;

    if (ui->prompt != PROMPT_NONE) {
        int end = canvas_printf(c, row, 0, c->width, STYLE_STATUS, "%s%s",
                                prompt_text[ui->prompt], ui->line);
        c->cursor_row = row;
        c->cursor_column = end < c->width ? end : c->width - 1;
    } else if (ui->typing) {
        canvas_text(c, row, 0, c->width, STYLE_STATUS,
                    "What you type goes to the guest, which runs. "
                    "Esc: stop typing and stop it.");
    } else if (ui->running) {
        canvas_text(c, row, 0, c->width, STYLE_STATUS,
                    "The guest runs. Any key stops it.");
    } else if (ui->status[0]) {
        canvas_text(c, row, 0, c->width, STYLE_STATUS, ui->status);
    } else if (ui->count) {
        canvas_printf(c, row, 0, c->width, STYLE_STATUS, "%u times", ui->count);
    } else {
        draw_keys(c, ui, row);
    }
}

static void draw_too_small(struct canvas *c)
{
    char text[100];
    snprintf(text, sizeof text,
             "need %dx%d, have %dx%d - enlarge, or run with --plain",
             SMALLEST_WIDTH, SMALLEST_HEIGHT, c->width, c->height);
    canvas_wrap(c, (struct rect){0, 0, c->height, c->width}, STYLE_TEXT, text);
}

void view_draw(struct canvas *c, const struct inspection *in,
               const struct ui *ui)
{
    c->unicode = ui->unicode;
    canvas_clear(c);
    if (c->width < SMALLEST_WIDTH || c->height < SMALLEST_HEIGHT) {
        draw_too_small(c);
        return;
    }
    draw_top(c, in, ui);
    int why_rows = c->height >= 36 ? 3 : 2;
    struct rect body = {1, 0, c->height - 1 - why_rows - 1, c->width};
    if (ui->help) {
        body.height += why_rows;
        view_help(c, body, ui);
    } else {
        struct rect why = {c->height - 1 - why_rows, 0, why_rows, c->width};
        view_table[ui->screen].draw(c, body, in, ui);
        char text[sizeof in->why + 8];
        snprintf(text, sizeof text, "Why: %s", in->why);
        canvas_wrap(c, why, STYLE_TEXT, text);
    }
    draw_bottom(c, ui);
}

void view_short_text(const char *text, char *out, size_t bytes)
{
    static const char *const silent[] = {"dword ptr ", "ptr "};
    size_t used = 0;
    while (*text && used + 1 < bytes) {
        size_t skip = 0;
        for (unsigned i = 0; i < 2 && !skip; i++)
            if (strncmp(text, silent[i], strlen(silent[i])) == 0)
                skip = strlen(silent[i]);
        text += skip;
        if (skip)
            continue;
        out[used++] = *text;
        text += text[0] == ',' && text[1] == ' ' ? 2 : 1;
    }
    out[used] = '\0';
}
