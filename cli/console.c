/* SPDX-License-Identifier: MIT */
#include "cli/console.h"

#include "cli/cli.h"
#include "cli/files.h"
#include "cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CTRL_A = 1 };

static int open_output(const struct run_options *o)
{
    switch (o->serial) {
    case SERIAL_STDIO: return o->console == CONSOLE_SCREEN ? -1 : STDOUT_FILENO;
    case SERIAL_FILE:
        return open(o->serial_path,
                    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
    case SERIAL_NULL: break;
    }
    return -1;
}

bool console_open(struct console *c, const struct run_options *o)
{
    *c = (struct console){.who = o->who, .out = open_output(o)};
    if (o->serial == SERIAL_FILE && c->out < 0) {
        cli_error(o->who, "%s: %s", o->serial_path, strerror(errno));
        return false;
    }
    if (o->serial != SERIAL_STDIO && o->console != CONSOLE_SCREEN)
        return true;
    c->terminal = terminal_raw();
    c->reads = c->terminal || !isatty(STDIN_FILENO);
    if (c->terminal && isatty(STDERR_FILENO))
        cli_error(o->who, "Ctrl-A x ends the run, Ctrl-A h lists more");
    return true;
}

void console_close(struct console *c)
{
    console_flush(c);
    if (c->out > STDERR_FILENO && close(c->out) != 0 && !c->error)
        c->error = errno;
    c->out = -1;
    terminal_restore();
}

/* ---- Output -------------------------------------------------------------- */

void console_flush(struct console *c)
{
    size_t bytes = c->output_used;
    c->output_used = 0;
    if (bytes == 0 || c->error)
        return;
    c->error = file_write_all(c->out, c->output, bytes);
    if (c->error)
        cli_interrupted = true; /* nobody listens: end the run */
}

void console_put(void *ctx, uint8_t byte)
{
    struct console *c = ctx;
    c->spoke = true;
    if (c->out < 0)
        return;
    c->output[c->output_used++] = (char)byte;
    if (byte == '\n' || c->output_used == sizeof c->output)
        console_flush(c);
}

/* ---- Input --------------------------------------------------------------- */

static void keep(struct console *c, uint8_t byte)
{
    if (c->input_count < CONSOLE_INPUT)
        c->input[(c->input_start + c->input_count++) % CONSOLE_INPUT] = byte;
}

/* The byte after Ctrl-A. */
static void command(struct console *c, uint8_t byte)
{
    switch (byte) {
    case 'x':
    case 'X':
        c->quit = true;
        cli_interrupted = true;
        break;
    case CTRL_A:
    case 'a': keep(c, CTRL_A); break;
    default:
        cli_error(c->who, "Ctrl-A x: end the run; Ctrl-A Ctrl-A: send Ctrl-A");
        break;
    }
}

static void typed(struct console *c, uint8_t byte)
{
    if (c->prefix) {
        c->prefix = false;
        command(c, byte);
    } else if (byte == CTRL_A) {
        c->prefix = true;
    } else {
        keep(c, byte);
    }
}

/* Take what is there, without waiting. */
static void take(struct console *c)
{
    struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
    uint8_t bytes[256];
    size_t room = CONSOLE_INPUT - c->input_count;
    if (!c->reads || poll(&ready, 1, 0) <= 0)
        return;
    /* From a terminal more than fits is dropped, so that Ctrl-A x is seen. */
    size_t wanted = c->terminal || room > sizeof bytes ? sizeof bytes : room;
    ssize_t n = read(STDIN_FILENO, bytes, wanted);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0)
        c->reads = false; /* the end, or as good as that */
    for (ssize_t i = 0; i < n; i++) {
        if (c->terminal)
            typed(c, bytes[i]);
        else
            keep(c, bytes[i]);
    }
}

void console_pump(struct console *c)
{
    if (c->terminal)
        take(c);
}

int console_get(void *ctx)
{
    struct console *c = ctx;
    if (c->input_count == 0)
        take(c);
    if (c->input_count == 0)
        return -1;
    uint8_t byte = c->input[c->input_start];
    c->input_start = (c->input_start + 1) % CONSOLE_INPUT;
    c->input_count--;
    return byte;
}

void console_wait(struct console *c, uint64_t ns)
{
    struct timespec most = {(time_t)(ns / 1000000000u),
                            (long)(ns % 1000000000u)};
    struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
    if (cli_interrupted)
        return;
    ppoll(&ready, c->reads && c->terminal ? 1 : 0, &most, NULL);
    console_pump(c);
}
