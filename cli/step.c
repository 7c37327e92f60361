/* SPDX-License-Identifier: MIT */
/* umbra step: a guest in the inspector, stopped at its first instruction. */
#include "cli/step.h"

#include "cli/cli.h"
#include "cli/guest.h"
#include "cli/terminal.h"
#include "visualizer/plain.h"
#include "visualizer/tty.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PENDING_BYTES = 4096,
    IDLE_MAX_NS = 10000000, /* so that a key need not wait for long */
};

/* What the guest was given to read, and when: going back gives it again. */
struct given {
    uint64_t cycles;
    uint8_t byte;
};

struct step {
    struct run_options options;
    const char *keys_path;
    FILE *keys;
    enum tty_color color;
    bool plain, list_keys;

    struct guest guest;
    struct vm *vm;
    struct inspector *inspector;
    enum vm_stop stop;
    bool live;
    struct target target;
    struct session session;

    struct given *given;
    size_t given_count, given_room, given_read;
    uint8_t pending[PENDING_BYTES]; /* typed, and not yet asked for */
    size_t pending_count;
};

/* ---- The guest's side ------------------------------------------------------
 */

static void put(void *ctx, uint8_t byte)
{
    struct step *s = ctx;
    if (s->inspector)
        inspector_console(s->inspector, byte);
}

static bool remember(struct step *s, uint64_t cycles, uint8_t byte)
{
    if (s->given_count == s->given_room) {
        size_t room = s->given_room ? s->given_room * 2 : 256;
        struct given *given = realloc(s->given, room * sizeof *given);
        if (!given)
            return false;
        s->given = given;
        s->given_room = room;
    }
    s->given[s->given_count++] = (struct given){cycles, byte};
    s->given_read = s->given_count;
    return true;
}

static int get(void *ctx)
{
    struct step *s = ctx;
    uint64_t now = s->vm ? vm_cycles(s->vm) : 0;
    if (s->given_read < s->given_count) {
        const struct given *g = &s->given[s->given_read];
        if (now < g->cycles)
            return -1;
        s->given_read++;
        return g->byte;
    }
    if (s->pending_count == 0 || !remember(s, now, s->pending[0]))
        return -1;
    uint8_t byte = s->pending[0];
    memmove(s->pending, s->pending + 1, --s->pending_count);
    return byte;
}

/* While somebody types, an idle guest waits in real time; else it goes on to
 * its deadline at once. */
static void idle(void *ctx, uint64_t ns)
{
    const struct step *s = ctx;
    if (!s->live || s->pending_count)
        return;
    struct timespec wait = {.tv_nsec = (long)(ns < IDLE_MAX_NS ? ns
                                                              : IDLE_MAX_NS)};
    nanosleep(&wait, NULL);
}

/* ---- The inspector's side --------------------------------------------------
 */

/* A limit of the command line was reached: this is the end. */
static void end_at_limit(struct step *s, const char *option)
{
    s->session.status = STATUS_LIMIT;
    s->session.quit = true;
    *s->session.interrupted = true;
    session_say(&s->session, "stopped (%s)", option);
}

static enum vm_stop step_run(void *ctx, const struct vm_limit *wanted)
{
    struct step *s = ctx;
    struct vm_limit limit = *wanted;
    uint64_t most = s->options.max_cycles;
    if (most && (limit.cycles == 0 || limit.cycles > most))
        limit.cycles = most;
    if (s->stop == VM_RUNNING)
        s->stop = vm_run(s->vm, &limit);
    if (most && vm_cycles(s->vm) >= most)
        end_at_limit(s, "--max-cycles");
    else if (cli_timed_out)
        end_at_limit(s, "--max-time");
    return s->stop;
}

static void step_take(void *ctx, const struct inspect_request *request,
                      struct inspection *out)
{
    struct step *s = ctx;
    inspector_take(s->inspector, request, out);
    out->stop = s->stop;
}

static size_t step_latest(void *ctx, struct event *out, size_t n)
{
    return inspector_events(((struct step *)ctx)->inspector, out, n);
}

static uint32_t step_here(void *ctx)
{
    struct cpu_state state;
    vm_guest_state(((struct step *)ctx)->vm, &state);
    return state.seg[SEG_CS].base + state.eip;
}

static uint64_t step_cycles(void *ctx)
{
    return vm_cycles(((struct step *)ctx)->vm);
}

static bool step_type(void *ctx, uint8_t byte)
{
    struct step *s = ctx;
    if (s->pending_count == PENDING_BYTES)
        return false;
    s->given_count = s->given_read; /* what was read later is no more */
    s->pending[s->pending_count++] = byte;
    return true;
}

static void step_live(void *ctx, bool on)
{
    ((struct step *)ctx)->live = on;
}

static const char *step_report(void *ctx)
{
    return vm_report(((struct step *)ctx)->vm);
}

/* ---- Going back ------------------------------------------------------------
 */

struct target_saved {
    struct vm_saved *vm;
    struct inspector *inspector;
    size_t given_read;
};

static void step_forget(void *ctx, struct target_saved *saved)
{
    (void)ctx;
    if (!saved)
        return;
    vm_saved_free(saved->vm);
    inspector_destroy(saved->inspector);
    free(saved);
}

static struct target_saved *step_save(void *ctx)
{
    struct step *s = ctx;
    struct target_saved *saved = calloc(1, sizeof *saved);
    if (!saved)
        return NULL;
    saved->vm = vm_save(s->vm);
    saved->inspector = inspector_copy(s->inspector);
    saved->given_read = s->given_read;
    if (saved->vm && saved->inspector)
        return saved;
    if (saved->vm)
        vm_saved_free(saved->vm);
    inspector_destroy(saved->inspector);
    free(saved);
    return NULL;
}

static bool step_restore(void *ctx, const struct target_saved *saved)
{
    struct step *s = ctx;
    if (!vm_restore(s->vm, saved->vm))
        return false;
    inspector_return(s->inspector, saved->inspector);
    s->given_read = saved->given_read;
    s->stop = VM_RUNNING;
    return true;
}

static size_t step_saved_bytes(void *ctx, const struct target_saved *saved)
{
    (void)ctx;
    return vm_saved_bytes(saved->vm);
}

static const struct target_ops step_ops = {
    .run = step_run,
    .take = step_take,
    .latest = step_latest,
    .here = step_here,
    .cycles = step_cycles,
    .type = step_type,
    .live = step_live,
    .report = step_report,
    .save = step_save,
    .restore = step_restore,
    .forget = step_forget,
    .saved_bytes = step_saved_bytes,
};

/* ---- The two faces ---------------------------------------------------------
 */

static struct step step; /* one; a dying program looks at it, too */

static void last_words(void)
{
    struct event events[10];
    char sentence[400];
    size_t n = step.inspector
                   ? inspector_events(step.inspector, events, 10)
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
    if (!session_open(&s->session, &s->target, NULL, &cli_interrupted,
                      SMALLEST_WIDTH, SMALLEST_HEIGHT))
        return false;
    s->session.plain = true;
    if (typed && !s->keys)
        puts("One key or command a line; ? lists them, q quits.");
    plain_where(&s->session, stdout);
    fflush(stdout);
    bool good = !s->keys || plain_play(&s->session, s->keys, stdout, false,
                                       s->keys_path);
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
    bool good = session_open(&s->session, &s->target, &front,
                             &cli_interrupted, tty_width(), tty_height());
    if (good) {
        s->session.ui.unicode = tty_unicode();
        session_draw(&s->session);
        bool played = !s->keys || session_script(&s->session, s->keys,
                                                 s->keys_path);
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
    char *error = NULL;
    int status = STATUS_USAGE;
    struct vm_config *c = &s->guest.config;

    c->serial_output = put;
    c->serial_input = get;
    c->idle = idle;
    c->ctx = s;
    s->vm = vm_create(c, &error, &status);
    if (!s->vm) {
        cli_error(s->options.who, "%s", error ? error : "out of memory");
        free(error);
        return status;
    }
    s->inspector = inspector_create(s->vm);
    s->target = (struct target){&step_ops, s};
    signals_time_limit(s->options.max_seconds);
    const char *type = getenv("TERM");
    bool screens = !s->plain && isatty(STDIN_FILENO) &&
                   isatty(STDOUT_FILENO) && type && strcmp(type, "dumb") != 0;
    bool good = s->inspector && (screens ? go_screens(s) : go_plain(s));
    if (!good)
        cli_error(s->options.who, "out of memory");
    status = good ? s->session.status : STATUS_INTERNAL;
    if (s->inspector && good)
        session_close(&s->session);
    inspector_destroy(s->inspector);
    s->inspector = NULL;
    vm_destroy(s->vm);
    free(s->given);
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
    case KEY_KEYS: s->keys_path = arg; return 0;
    case KEY_PLAIN: s->plain = true; return 0;
    case KEY_COLOR: return parse_color(s, o, arg);
    case KEY_LIST: s->list_keys = true; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static int open_and_run(struct step *s)
{
    if (s->list_keys) {
        key_list(stdout);
        command_list(stdout);
        return STATUS_OK;
    }
    if (s->keys_path) {
        s->keys = fopen(s->keys_path, "r");
        if (!s->keys) {
            cli_error(s->options.who, "%s: %s", s->keys_path, strerror(errno));
            return STATUS_USAGE;
        }
    }
    int status = STATUS_USAGE;
    if (guest_open(&s->guest, &s->options)) {
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
               "KERNEL is as for umbra run. The guest's console is a screen "
               "of the inspector; ? shows the keys.\n\n"
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
