/* SPDX-License-Identifier: MIT */
/* visualizer/session.c - from keys to actions, from pictures to cells. */
#include "visualizer/session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool session_open(struct session *s, const struct target *target,
                  const struct front *front, volatile bool *interrupted,
                  int width, int height)
{
    memset(s, 0, sizeof *s);
    s->target = target;
    s->interrupted = interrupted;
    if (front)
        s->front = *front;
    s->in = calloc(1, sizeof *s->in);
    s->canvas = canvas_create(width, height);
    if (!s->in || !s->canvas) {
        session_close(s);
        return false;
    }
    session_take(s);
    return true;
}

void session_close(struct session *s)
{
    history_close(&s->history, s->target);
    canvas_destroy(s->canvas);
    free(s->in);
    s->canvas = NULL;
    s->in = NULL;
}

bool session_resize(struct session *s, int width, int height)
{
    struct canvas *c = canvas_create(width, height);
    if (!c)
        return false;
    canvas_destroy(s->canvas);
    s->canvas = c;
    return true;
}

void session_take(struct session *s)
{
    s->target->ops->take(s->target->ctx, &s->ui.request, s->in);
}

void session_draw(struct session *s)
{
    int width = s->canvas->width, height = s->canvas->height;
    if (s->front.size)
        s->front.size(s->front.ctx, &width, &height);
    if (width != s->canvas->width || height != s->canvas->height)
        session_resize(s, width, height); /* no memory: the old one, clipped */
    view_draw(s->canvas, s->in, &s->ui);
    if (s->front.show)
        s->front.show(s->front.ctx, s->canvas);
}

void session_say(struct session *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(s->ui.status, sizeof s->ui.status, format, args);
    va_end(args);
    for (char *c = s->ui.status; *c; c++)
        if (*c == '\n')
            *c = ' ';
}

void session_export(struct session *s, const char *path)
{
    FILE *out = fopen(path, "w");
    if (!out) {
        session_say(s, "%s: %s", path, strerror(errno));
        return;
    }
    /* As it is without the message line, and in ASCII: it goes into mails. */
    struct ui plain = s->ui;
    plain.status[0] = '\0';
    plain.prompt = PROMPT_NONE;
    plain.unicode = false;
    view_draw(s->canvas, s->in, &plain);
    bool written = canvas_write(s->canvas, out);
    written = fclose(out) == 0 && written;
    if (written)
        session_say(s, "Written to %s.", path);
    else
        session_say(s, "%s: %s", path, strerror(errno));
}

/* ---- The question on the last line ---------------------------------------*/

static void answer(struct session *s, enum prompt prompt, const char *line)
{
    switch (prompt) {
    case PROMPT_COMMAND: session_command(s, line); break;
    case PROMPT_SEARCH:
        snprintf(s->ui.search, sizeof s->ui.search, "%s", line);
        session_search(s, false);
        break;
    case PROMPT_GOTO:
        if (line[0])
            session_goto(s, line);
        break;
    case PROMPT_FILTER: session_filter(s, line); break;
    case PROMPT_EXPORT:
        if (line[0])
            session_export(s, line);
        break;
    case PROMPT_NONE:
    case PROMPT_COUNT: break;
    }
}

static void prompt_key(struct session *s, int key)
{
    struct ui *ui = &s->ui;
    size_t length = strlen(ui->line);
    enum prompt prompt = ui->prompt;

    if (key == UI_KEY_ESCAPE || key == CONTROL('C')) {
        ui->prompt = PROMPT_NONE;
    } else if (key == UI_KEY_ENTER) {
        char line[UI_TEXT];
        memcpy(line, ui->line, sizeof line);
        ui->prompt = PROMPT_NONE;
        answer(s, prompt, line);
    } else if (key == UI_KEY_BACKSPACE) {
        if (length == 0)
            ui->prompt = PROMPT_NONE;
        else
            ui->line[length - 1] = '\0';
    } else if (key == CONTROL('U')) {
        ui->line[0] = '\0';
    } else if (key >= ' ' && key <= '~' && length + 1 < sizeof ui->line) {
        ui->line[length] = (char)key;
        ui->line[length + 1] = '\0';
    }
}

/* ---- Keys that go to the guest -------------------------------------------*/

bool session_type(struct session *s, const char *text, size_t bytes)
{
    uint64_t now = s->target->ops->cycles(s->target->ctx);
    if (bytes == 0)
        return true;
    if (now < s->history.furthest) /* another future begins here */
        history_cut(&s->history, s->target, now);
    s->ui.past = false;
    for (size_t i = 0; i < bytes; i++) {
        if (s->target->ops->type(s->target->ctx, (uint8_t)text[i]))
            continue;
        session_say(s, "The guest does not read; its queue is full.");
        return false;
    }
    return true;
}

static void typing_key(struct session *s, int key)
{
    static const struct {
        int key;
        const char *text; /* what a VT100 sends */
    } table[] = {
        {UI_KEY_UP, "\033[A"},       {UI_KEY_DOWN, "\033[B"},
        {UI_KEY_RIGHT, "\033[C"},    {UI_KEY_LEFT, "\033[D"},
        {UI_KEY_HOME, "\033[H"},     {UI_KEY_END, "\033[F"},
        {UI_KEY_PAGE_UP, "\033[5~"}, {UI_KEY_PAGE_DOWN, "\033[6~"},
        {UI_KEY_DELETE, "\033[3~"},
    };
    if (key == UI_KEY_ESCAPE) {
        s->ui.typing = false;
        s->target->ops->live(s->target->ctx, false);
        return;
    }
    char one[2] = {0, 0};
    const char *text = one;
    if (key > 0 && key < 0x80)
        one[0] = (char)key;
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].key == key)
            text = table[i].text;
    session_type(s, text, strlen(text));
}

/* ---- Dispatch -------------------------------------------------------------*/

/* Digits are screens and counts. One that has a screen shows it; one that has
 * none (0, 5 to 9) makes a count of itself and of the digit just before it,
 * whose screen is left again: 2 is a screen, 20s are twenty steps, 012s twelve.
 * True: the key was part of a count. */
static bool count_key(struct ui *ui, int key)
{
    unsigned digit = (unsigned)(key - '0');
    if (key < '0' || key > '9')
        return false;
    if (!ui->counting && digit >= 1 && digit <= SCREEN_COUNT) {
        ui->last_digit = digit;
        ui->digit_screen = ui->screen;
        return false;
    }
    if (!ui->counting && ui->last_digit) {
        ui->count = ui->last_digit;
        ui->screen = ui->digit_screen;
    }
    ui->counting = true;
    if (ui->count < 100000)
        ui->count = ui->count * 10 + digit;
    return true;
}

static void say_no_such_key(struct session *s, int key)
{
    bool elsewhere = false;
    for (unsigned i = 0; i < key_count; i++)
        elsewhere = elsewhere || key_table[i].key == key;
    if (elsewhere)
        session_say(s, "That key does nothing on the %s screen; ? for help.",
                    view_table[s->ui.screen].name);
    else if (key > ' ' && key <= '~')
        session_say(s, "There is no key %c; ? for help.", key);
    else
        session_say(s, "There is no such key; ? for help.");
}

void session_key(struct session *s, int key)
{
    struct ui *ui = &s->ui;
    if (ui->prompt != PROMPT_NONE) {
        prompt_key(s, key);
        return;
    }
    if (ui->typing) {
        typing_key(s, key);
        return;
    }
    ui->status[0] = '\0';
    if (key != CONTROL('C'))
        ui->interrupted_once = false;
    if (count_key(ui, key))
        return;
    if (key < '0' || key > '9')
        ui->last_digit = 0;
    const struct key_row *row = key_find(key, ui->screen);
    unsigned count = ui->count ? ui->count : 1;
    ui->count = 0;
    ui->counting = false;
    if (row)
        row->action(s, count);
    else
        say_no_such_key(s, key);
}
