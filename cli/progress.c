/* SPDX-License-Identifier: MIT */
#include "cli/progress.h"

#include "cli/cli.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

enum { QUIET_SECONDS = 2, WIDTH = 79 };
static const double interval = 0.3; /* seconds */

static struct {
    const char *who;
    bool terminal;
    bool shown;
    double next; /* nothing is said before */
} line;

void progress_begin(const char *who)
{
    line.who = who;
    line.terminal = isatty(STDERR_FILENO);
    line.shown = false;
    line.next = cli_seconds() + QUIET_SECONDS;
}

void progress_say(const char *format, ...)
{
    char text[WIDTH + 1];
    int used;
    va_list args;

    if (!line.terminal || cli_seconds() < line.next)
        return;
    used = snprintf(text, sizeof text, "%s: ", line.who);
    va_start(args, format);
    vsnprintf(text + used, sizeof text - (size_t)used, format, args);
    va_end(args);
    line.next = cli_seconds() + interval;
    line.shown = true;
    fprintf(stderr, "\r%s\033[K\r", text);
}

void progress_clear(void)
{
    if (line.shown)
        fputs("\r\033[K", stderr);
    line.shown = false;
}
