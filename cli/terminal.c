/* SPDX-License-Identifier: MIT */
#include "cli/terminal.h"

#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <termios.h>
#include <unistd.h>

volatile bool cli_interrupted;
volatile sig_atomic_t cli_signal;
volatile sig_atomic_t cli_timed_out;

static struct termios saved_mode;
static volatile sig_atomic_t mode_changed;

bool terminal_raw(void)
{
    struct termios raw;
    if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp() ||
        tcgetattr(STDIN_FILENO, &saved_mode) != 0)
        return false;
    raw = saved_mode;
    raw.c_iflag &=
        ~(tcflag_t)(BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    mode_changed = 1; /* first: a signal may come between */
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0) {
        mode_changed = 0;
        return false;
    }
    atexit(terminal_restore);
    return true;
}

void terminal_restore(void)
{
    if (mode_changed)
        tcsetattr(STDIN_FILENO, TCSANOW, &saved_mode);
    mode_changed = 0;
}

/* ---- Signals that end a run ---------------------------------------------- */

static volatile sig_atomic_t insisting;
enum { PATIENCE_SECONDS = 10 };

static void end_run(int number)
{
    if (cli_signal) {
        terminal_restore();
        _exit(STATUS_SIGNAL + number);
    }
    cli_signal = number;
    cli_interrupted = true;
    if (insisting)
        alarm(PATIENCE_SECONDS);
}

static void time_over(int number)
{
    static const char stuck[] =
        "umbra: internal error: the guest cannot be stopped (this is a bug of "
        "Umbra, not of the guest)\n";
    (void)number;
    if (insisting && (cli_signal || cli_timed_out)) {
        terminal_restore();
        if (write(STDERR_FILENO, stuck, sizeof stuck - 1) < 0)
            _exit(STATUS_INTERNAL);
        _exit(STATUS_INTERNAL);
    }
    cli_timed_out = 1;
    cli_interrupted = true;
    if (insisting)
        alarm(PATIENCE_SECONDS);
}

static void on_signal(int number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

void signals_catch(void)
{
    on_signal(SIGINT, end_run, 0); /* no SA_RESTART: sleeps end */
    on_signal(SIGTERM, end_run, 0);
    on_signal(SIGHUP, end_run, 0);
    on_signal(SIGALRM, time_over, 0);
}

void signals_insist(bool on)
{
    insisting = on;
    if (!on)
        alarm(0);
}

void signals_time_limit(double seconds)
{
    if (seconds <= 0)
        return;
    time_t whole = (time_t)seconds;
    struct itimerval timer = {
        .it_value = {.tv_sec = whole,
                     .tv_usec = (suseconds_t)((seconds - (double)whole) * 1e6)},
    };
    on_signal(SIGALRM, time_over, 0);
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* ---- Crashes ------------------------------------------------------------- */

#if defined __SANITIZE_ADDRESS__
#define CRASHES_ARE_SANITIZED 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define CRASHES_ARE_SANITIZED 1
#endif
#endif

#ifdef CRASHES_ARE_SANITIZED

void signals_report_crashes(void)
{
    /* The sanitizer's own report says more. */
}

#else

static void crash(int number)
{
    static const char before[] = "umbra: internal error: signal ";
    static const char after[] = " (this is a bug of Umbra, not of the guest)\n";
    char digits[2] = {(char)('0' + number / 10), (char)('0' + number % 10)};
    terminal_restore();
    if (write(STDERR_FILENO, before, sizeof before - 1) < 0 ||
        write(STDERR_FILENO, digits, sizeof digits) < 0 ||
        write(STDERR_FILENO, after, sizeof after - 1) < 0)
        _exit(STATUS_INTERNAL);
    _exit(STATUS_INTERNAL);
}

void signals_report_crashes(void)
{
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    static char stack[64 << 10]; /* the crash may be a lack of stack */
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alternate, NULL);
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++)
        on_signal(crashes[i], crash, SA_ONSTACK | (int)SA_RESETHAND);
}

#endif
