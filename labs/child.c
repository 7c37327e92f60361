/* SPDX-License-Identifier: MIT */
#include "labs/child.h"

#include "labs/process.h"
#include "labs/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 100, STOP_MS = 500 };

__attribute__((format(printf, 3, 4))) static bool
ended(struct child *c, enum lab_status how, const char *format, ...)
{
    va_list args;
    if (c->end != LAB_PASSED)
        return false;
    c->end = how;
    va_start(args, format);
    vsnprintf(c->message, sizeof c->message, format, args);
    va_end(args);
    return false;
}

/* ---- How it ended -------------------------------------------------------- */

static const char *signal_name(int number)
{
    switch (number) {
    case SIGSEGV: return "SIGSEGV";
    case SIGBUS: return "SIGBUS";
    case SIGFPE: return "SIGFPE";
    case SIGILL: return "SIGILL";
    case SIGABRT: return "SIGABRT";
    case SIGKILL: return "SIGKILL";
    case SIGTERM: return "SIGTERM";
    case SIGTRAP: return "SIGTRAP";
    default: return "a signal";
    }
}

static void crashed(struct child *c, const uint32_t *word)
{
    uint64_t address = word[1] | (uint64_t)word[2] << 32;
    uint64_t offset = word[3] | (uint64_t)word[4] << 32;
    char place[80] = "", at[40] = "";

    if (offset < 16 << 20)
        build_place(c->build, offset, place, sizeof place);
    if (word[0] == SIGSEGV || word[0] == SIGBUS)
        snprintf(at, sizeof at, " (address 0x%llx)",
                 (unsigned long long)address);
    ended(c, LAB_CRASH, "%s%s%s%s", signal_name((int)word[0]),
          place[0] ? " at " : "", place, at);
}

static void forbidden(struct child *c, int number)
{
    char name[64];
    sandbox_call_name(number, name, sizeof name);
    ended(c, LAB_FORBIDDEN, "called %s, which is not allowed here", name);
}

/* The socket was closed: there is no process any more, or nearly. */
static void reap(struct child *c)
{
    int status = 0;
    double until = process_clock() + 1;

    while (c->pid > 0 && waitpid(c->pid, &status, WNOHANG) == 0) {
        if (process_clock() > until) {
            kill(-c->pid, SIGKILL);
            kill(c->pid, SIGKILL);
            until += 3600;
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    c->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127 && c->hello[1] == 0)
        ended(c, LAB_ERROR, "the runner could not be started");
    else if (WIFEXITED(status))
        ended(c, LAB_EXITED,
              "ended the process (exit status %d) instead of "
              "giving an answer",
              WEXITSTATUS(status));
    else if (WTERMSIG(status) == SIGXCPU)
        ended(c, LAB_TIMEOUT, "used too much processor time");
    else if (WTERMSIG(status) == SIGSYS)
        ended(c, LAB_FORBIDDEN, "called what is not allowed here");
    else
        ended(c, LAB_CRASH, "killed by %s", signal_name(WTERMSIG(status)));
}

/* ---- Hearing ------------------------------------------------------------- */

static void drain(struct child *c)
{
    char chunk[4096];
    ssize_t n;

    while (c->output >= 0 && (n = read(c->output, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return; /* nothing now */
        size_t room = sizeof c->printed - c->printed_used;
        size_t part = (size_t)n < room ? (size_t)n : room;
        memcpy(c->printed + c->printed_used, chunk, part);
        c->printed_used += part;
        c->printed_more |= part < (size_t)n;
        if (c->printed_more)
            return; /* enough; it must not keep us from looking at the clock */
    }
    if (c->output >= 0)
        close(c->output);
    c->output = -1;
}

static double cpu_seconds(const struct child *c)
{
    struct timespec t;
    clockid_t clock;

    if (clock_getcpuclockid(c->pid, &clock) != 0 ||
        clock_gettime(clock, &t) != 0)
        return 0;
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The next message. False: it ended. */
static bool hear(struct child *c, struct message *m, double cpu, double wall)
{
    while (c->end == LAB_PASSED) {
        struct pollfd p[2] = {{.fd = c->socket, .events = POLLIN},
                              {.fd = c->output, .events = POLLIN}};
        int ready = poll(p, 2, TICK_MS);
        if (ready > 0 && p[1].revents)
            drain(c);
        if (ready > 0 && p[0].revents) {
            ssize_t n = recv(c->socket, m, sizeof *m, 0);
            if (n == (ssize_t)sizeof *m)
                return true;
            if (n > 0)
                return ended(c, LAB_FORBIDDEN,
                             "wrote to the grader's own channel");
            if (n == 0 || errno != EINTR)
                reap(c);
            continue;
        }
        if (process_interrupted)
            ended(c, LAB_ERROR, "interrupted");
        else if (ready <= 0 || p[1].revents) {
            if (cpu_seconds(c) - cpu > CHILD_CPU_SECONDS)
                ended(c, LAB_TIMEOUT,
                      "no answer after %d s of processor time: an endless "
                      "loop?",
                      CHILD_CPU_SECONDS);
            else if (process_clock() - wall > CHILD_WALL_SECONDS)
                ended(c, LAB_TIMEOUT, "no answer after %d s",
                      CHILD_WALL_SECONDS);
        }
    }
    return false;
}

static bool say(struct child *c, const struct message *m)
{
    if (send(c->socket, m, sizeof *m, MSG_NOSIGNAL) == (ssize_t)sizeof *m)
        return true;
    reap(c);
    return false;
}

/* ---- Life ---------------------------------------------------------------- */

/* In the new process: only calls that are safe there. */
static _Noreturn void become(const struct build *b, int channel, int output)
{
    static char *const environment[] = {NULL};
    char runner[] = BUILD_RUNNER, code[] = BUILD_CODE;
    char *const argv[] = {runner, code, NULL};
    int null = open("/dev/null", O_RDONLY);

    /* Out of the way of the numbers they will get. */
    int high_channel = fcntl(channel, F_DUPFD, RUNNER_SOCKET + 1);
    int high_output = fcntl(output, F_DUPFD, RUNNER_SOCKET + 1);
    if (chdir(b->folder) != 0 || high_channel < 0 || high_output < 0)
        _exit(127);
    dup2(null, STDIN_FILENO);
    dup2(high_output, STDOUT_FILENO);
    dup2(high_output, STDERR_FILENO);
    dup2(high_channel, RUNNER_SOCKET);
    process_close_from(RUNNER_SOCKET + 1);
    for (int number = 1; number < 32; number++)
        signal(number, SIG_DFL);
    sandbox_enter(b->reachable);
    execve(BUILD_RUNNER, argv, environment);
    _exit(127);
}

static bool send_filter(struct child *c, enum sandbox_stage stage)
{
    unsigned char filter[FILTER_BYTES];
    size_t size = sandbox_filter(stage, c->pid, filter, sizeof filter);
    struct message m = {SAY_VALUE, {(uint32_t)size}};

    return say(c, &m) && (size == 0 || send(c->socket, filter, size,
                                            MSG_NOSIGNAL) == (ssize_t)size);
}

static bool fork_it(struct child *c)
{
    int channel[2], output[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) != 0)
        return false;
    if (pipe2(output, O_CLOEXEC) != 0) {
        close(channel[0]);
        close(channel[1]);
        return false;
    }
    fflush(NULL);
    c->pid = fork();
    if (c->pid == 0)
        become(c->build, channel[1], output[1]);
    c->group = c->pid;
    close(channel[1]);
    close(output[1]);
    c->socket = channel[0];
    c->output = output[0];
    fcntl(c->output, F_SETFL, O_NONBLOCK);
    return c->pid > 0;
}

bool child_start(struct child *c, const struct build *b)
{
    struct message m;
    double now = process_clock();

    *c = (struct child){
        .build = b, .socket = -1, .output = -1, .end = LAB_PASSED};
    /* What outlives its parent in the sandbox becomes ours to end. */
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    if (!fork_it(c))
        return ended(c, LAB_ERROR, "no process: %s", strerror(errno));
    if (!send_filter(c, SANDBOX_LOADING) || !send_filter(c, SANDBOX_RUNNING) ||
        !hear(c, &m, 0, now))
        return false;
    memcpy(c->hello, m.word, sizeof c->hello);
    if (!hear(c, &m, 0, now))
        return false;
    switch (m.say) {
    case SAY_READY: return true;
    case SAY_CRASH: crashed(c, m.word); return false;
    case SAY_FORBIDDEN: forbidden(c, (int)m.word[0]); return false;
    default: return ended(c, LAB_ERROR, "the code could not be loaded");
    }
}

bool child_ask(struct child *c, const uint32_t *question, unsigned words,
               uint32_t *answer, unsigned answer_words, child_read_fn *read,
               void *ctx)
{
    struct message m = {.say = SAY_ASK};
    double cpu = cpu_seconds(c), wall = process_clock();

    if (c->end != LAB_PASSED)
        return false;
    c->questions++;
    c->reads = 0;
    memcpy(m.word, question, words * sizeof *question);
    if (!say(c, &m))
        return false;
    while (hear(c, &m, cpu, wall)) {
        switch (m.say) {
        case SAY_READ:
            if (c->reads == CHILD_READS)
                return ended(c, LAB_TIMEOUT,
                             "read more than %d words for one answer: an "
                             "endless loop?",
                             CHILD_READS);
            c->read_address[c->reads] = m.word[0];
            c->read_value[c->reads] = read(ctx, m.word[0]);
            m = (struct message){SAY_VALUE, {c->read_value[c->reads++]}};
            if (!say(c, &m))
                return false;
            break;
        case SAY_ANSWER:
            memcpy(answer, m.word, answer_words * sizeof *answer);
            return true;
        case SAY_CRASH: crashed(c, m.word); return false;
        case SAY_FORBIDDEN: forbidden(c, (int)m.word[0]); return false;
        default:
            return ended(c, LAB_FORBIDDEN, "wrote to the grader's own channel");
        }
    }
    return false;
}

/* Orphans of the student's process, if the sandbox let it have any. */
static void reap_group(pid_t group)
{
    for (int tries = 0; tries < 1000; tries++) {
        kill(-group, SIGKILL);
        if (waitpid(-group, NULL, WNOHANG) < 0)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

void child_stop(struct child *c)
{
    struct message m = {.say = SAY_END};

    if (c->pid > 0 && c->end == LAB_PASSED &&
        send(c->socket, &m, sizeof m, MSG_NOSIGNAL) > 0) {
        /* It prints the rest, and goes. */
        struct pollfd p = {.fd = c->socket, .events = POLLIN};
        poll(&p, 1, STOP_MS);
    }
    if (c->pid > 0) {
        kill(-c->pid, SIGKILL);
        kill(c->pid, SIGKILL);
        while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (c->group > 0)
        reap_group(c->group);
    drain(c);
    if (c->output >= 0)
        close(c->output);
    if (c->socket >= 0)
        close(c->socket);
    c->output = c->socket = -1;
    c->pid = c->group = 0;
}

char *child_printed(const struct child *c)
{
    if (c->printed_used == 0)
        return NULL;
    char *text = lab_harmless(c->printed, c->printed_used), *all = NULL;
    if (!text || !c->printed_more)
        return text;
    if (asprintf(&all, "%s\n(and more)", text) < 0)
        return text;
    free(text);
    return all;
}
