/* SPDX-License-Identifier: MIT */
/* visualizer/session.h - a user and a guest: keys and commands in, cells out.
 *
 * Knows neither curses nor the machine: the one is a struct front, the other a
 * struct target. So a session can be tested, scripted and run without a
 * terminal.
 */
#ifndef VISUALIZER_SESSION_H
#define VISUALIZER_SESSION_H

#include <signal.h>

#include "visualizer/canvas.h"
#include "visualizer/history.h"
#include "visualizer/keys.h"
#include "visualizer/target.h"
#include "visualizer/view.h"

/* Where the session is shown. Any member may be NULL. */
struct front {
    /* Asked before each drawing: the canvas follows. */
    void (*size)(void *ctx, int *width, int *height);
    void (*show)(void *ctx, const struct canvas *c);
    /* Is a key waiting? Asked while the guest runs. */
    bool (*key_waiting)(void *ctx);
    void (*drop_key)(void *ctx); /* it stopped the run, and that is all */
    /* Time to show the running guest again? At most 30 times a second. */
    bool (*redraw_due)(void *ctx);
    void (*repaint)(void *ctx); /* Ctrl-L: as if the terminal forgot all */
    void (*suspend)(void *ctx); /* Ctrl-Z */
    void *ctx;
};

struct session {
    const struct target *target;
    struct front front;
    struct ui ui;
    struct inspection *in; /* of this moment */
    struct canvas *canvas;
    struct history history;
    /* Set from a signal handler: stop running. Cleared when a run begins. */
    volatile bool *interrupted;
    bool quit;
    int status; /* of the program: 1 when an :expect failed */
    bool plain; /* no screens: messages go where the sentences go */
};

/* False: no memory. interrupted may be NULL. */
bool session_open(struct session *s, const struct target *target,
                  const struct front *front, volatile bool *interrupted,
                  int width, int height);
void session_close(struct session *s);
/* The terminal has another size now. False: no memory. */
bool session_resize(struct session *s, int width, int height);

void session_key(struct session *s, int key);
/* A line of the command prompt, without its colon. False: not understood, or
 * an expectation failed; ui.status says it. */
bool session_command(struct session *s, const char *line);
/* Is its first word a command? */
bool session_is_command(const char *line);
/* A line of a key script: "20s", "Enter", ":goto 1000", "# comment". */
bool session_script_line(struct session *s, const char *line);
/* All of it, until quit. False after a line that failed: ui.status says where
 * and why, and status is 1. */
bool session_script(struct session *s, FILE *script, const char *name);

/* Look at the machine again; draw; show. */
void session_take(struct session *s);
void session_draw(struct session *s);
void session_say(struct session *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void session_export(struct session *s, const char *path);
/* Bytes to the guest's serial line. False: it does not take them. */
bool session_type(struct session *s, const char *text, size_t bytes);
void session_search(struct session *s, bool forward);
bool session_goto(struct session *s, const char *where);
bool session_filter(struct session *s, const char *letters);

/* Moving the guest (visualizer/motion.c). Each takes a new picture. */
void session_step(struct session *s, unsigned count);
void session_trap(struct session *s, unsigned count);
void session_continue(struct session *s);
void session_run_cycles(struct session *s, uint64_t cycles);
void session_until_address(struct session *s, uint32_t address);
void session_until_event(struct session *s, uint64_t seq);
void session_step_back(struct session *s, unsigned count);
void session_trap_back(struct session *s, unsigned count);
bool session_toggle_break(struct session *s, uint32_t address);

/* The command table as text. */
void command_list(FILE *out);

#endif
