/* SPDX-License-Identifier: MIT */
/* umbra step: a guest in the inspector, stopped at its first instruction. */
#include "cli/step.h"

#include "cli/cli.h"
#include "cli/guest.h"
#include "cli/step_target.h"
#include "cli/terminal.h"
#include "visualizer/plain.h"
#include "visualizer/tty.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct step {
    struct run_options options;
    const char *keys_path;
    FILE *keys;
    enum tty_color color;
    bool plain, list_keys;

    struct guest guest;
    struct step_target target;
    struct session session;
};

/* ---- The two faces ---------------------------------------------------------
 */

static struct step step; /* one; a dying program looks at it, too */

static void last_words(void)
{
    struct event events[10];
    char sentence[400];
    size_t n = step.target.inspector
                   ? inspector_events(step.target.inspector, events, 10)
                   : 0;
    if (n)
        fprintf(stderr, "umbra step: the last %zu events:\n", n);
    for (size_t i = 0; i < n; i++) {
        event_sentence(&events[i], sentence, sizeof sentence);
        fprintf(stderr, "#%llu cycle %llu EIP %08X: %s\n",
                (unsigned long long)events[i].seq,
                (unsigned long long)events[i].cycles, events[i].eip, sentence);
    }
}

static void on_interrupt(int number)
{
    (void)number;
    cli_interrupted = true;
}

static bool go_plain(struct step *s)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    bool typed = isatty(STDIN_FILENO);

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    if (!session_open(&s->session, &s->target.target, NULL, &cli_interrupted,
                      SMALLEST_WIDTH, SMALLEST_HEIGHT))
        return false;
    s->session.plain = true;
    if (typed && !s->keys)
        puts("One key or command a line; ? lists them, q quits.");
    plain_where(&s->session, stdout);
    fflush(stdout);
    bool good = !s->keys ||
                plain_play(&s->session, s->keys, stdout, false, s->keys_path);
    if (good && (!s->keys || typed))
        plain_play(&s->session, stdin, stdout, typed, NULL);
    return true;
}

static bool go_screens(struct step *s)
{
    if (!tty_enter(NULL, stdout, stdin, s->color))
        return go_plain(s);
    struct front front = tty_front();
    tty_on_death(last_words);
    bool good = session_open(&s->session, &s->target.target, &front,
                             &cli_interrupted, tty_width(), tty_height());
    if (good) {
        s->session.ui.unicode = tty_unicode();
        session_draw(&s->session);
        bool played =
            !s->keys || session_script(&s->session, s->keys, s->keys_path);
        if (played)
            tty_loop(&s->session);
    }
    tty_close();
    tty_on_death(NULL);
    if (good && s->session.status && s->session.ui.status[0])
        cli_error(s->options.who, "%s", s->session.ui.status);
    return good;
}

static int run_guest(struct step *s)
{
    int status = STATUS_USAGE;
    s->target.session = &s->session;
    s->target.max_cycles = s->options.max_cycles;
    if (step_target_open(&s->target, &s->guest.config, s->options.who,
                         &status)) {
        const char *type = getenv("TERM");
        bool screens = !s->plain && isatty(STDIN_FILENO) &&
                       isatty(STDOUT_FILENO) && type &&
                       strcmp(type, "dumb") != 0;
        signals_time_limit(s->options.max_seconds);
        if (screens ? go_screens(s) : go_plain(s)) {
            status = s->session.status;
            session_close(&s->session);
        } else {
            cli_error(s->options.who, "out of memory");
        }
    }
    step_target_close(&s->target);
    return status;
}

/* ---- Options ---------------------------------------------------------------
 */

enum { KEY_KEYS = 1000, KEY_PLAIN, KEY_COLOR, KEY_LIST };

static const struct argp_option extra[] = {
    {NULL, 0, NULL, 0, "The screens:", 1},
    {"keys", KEY_KEYS, "FILE", 0,
     "Play a key script: one key or command a line, # comments", 0},
    {"plain", KEY_PLAIN, NULL, 0,
     "Lines instead of screens: commands from standard input, sentences for "
     "answers (by itself where there is no terminal)",
     0},
    {"color", KEY_COLOR, "WHEN", 0,
     "auto, always, never, or 8 for the eight basic colors", 0},
    {"list-keys", KEY_LIST, NULL, 0, "Print the keys and the commands", 0},
    {0},
};

static error_t parse_color(struct step *s, struct run_options *o,
                           const char *arg)
{
    static const struct {
        const char *name;
        enum tty_color color;
    } table[] = {
        {"auto", TTY_COLOR_AUTO},
        {"always", TTY_COLOR_ALWAYS},
        {"never", TTY_COLOR_NEVER},
        {"8", TTY_COLOR_8},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(arg, table[i].name) == 0) {
            s->color = table[i].color;
            return 0;
        }
    return options_fail(o, "--color %s: auto, always, never or 8 is wanted",
                        arg);
}

static error_t parse_extra(void *ctx, struct run_options *o, int key, char *arg)
{
    struct step *s = ctx;
    switch (key) {
    case KEY_KEYS:
        s->keys_path = arg;
        return *arg ? 0 : options_fail(o, "--keys: the file's name is missing");
    case KEY_PLAIN: s->plain = true; return 0;
    case KEY_COLOR: return parse_color(s, o, arg);
    case KEY_LIST: s->list_keys = true; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* A folder can be opened, and cannot be read. False: a line was printed. */
static bool open_keys(struct step *s)
{
    int first = EOF;

    s->keys = fopen(s->keys_path, "re");
    if (s->keys)
        first = getc(s->keys);
    if (!s->keys || ferror(s->keys)) {
        cli_error(s->options.who, "%s: %s", s->keys_path, strerror(errno));
        return false;
    }
    ungetc(first, s->keys);
    return true;
}

static int open_and_run(struct step *s)
{
    int status = STATUS_USAGE;

    if (s->list_keys) {
        key_list(stdout);
        command_list(stdout);
        return STATUS_OK;
    }
    if ((!s->keys_path || open_keys(s)) && guest_open(&s->guest, &s->options)) {
        status = run_guest(s);
        guest_close(&s->guest);
    }
    if (s->keys)
        fclose(s->keys);
    return status;
}

int cmd_step(int argc, char **argv)
{
    struct step *s = &step;
    const struct options_command command = {
        .who = "umbra step",
        .doc = "Boot a guest in the inspector, stopped at its first "
               "instruction.\v"
               "KERNEL is as for umbra run. What the guest writes to COM1 "
               "and to the VGA's text screen are screens of the inspector; ? "
               "shows the keys.\n\n"
               "Exit status: 0; 1 when a line of the key script failed; 2 for "
               "bad usage or input; 70 for an error of Umbra itself; 124 when "
               "a limit was reached.",
        .takes = TAKES_TECHNIQUE,
        .extra = extra,
        .parse_extra = parse_extra,
        .ctx = s,
    };
    int status = STATUS_USAGE;
    if (options_parse(&s->options, &command, argc, argv))
        status = open_and_run(s);
    options_free(&s->options);
    return status;
}
