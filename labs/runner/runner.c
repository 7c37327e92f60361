/* SPDX-License-Identifier: MIT */
/* labs/runner/runner.c - the process the student's code lives in.
 *
 * Built beside the student's file and started with nothing: no environment, no
 * files but /dev/null, the pipe for what is printed and the socket to the
 * grader. It goes behind the seccomp filter before any of the student's code
 * is loaded, and behind a narrower one before it is called. It knows no answer
 * and gives no verdict.
 */
#include "protocol.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include <unistd.h>

static uint64_t code_base;

static void say(const struct message *m)
{
    if (write(RUNNER_SOCKET, m, sizeof *m) != (ssize_t)sizeof *m)
        _exit(1);
}

static void hear(struct message *m)
{
    if (read(RUNNER_SOCKET, m, sizeof *m) != (ssize_t)sizeof *m)
        _exit(1);
}

/* ---- Bad ends ------------------------------------------------------------ */

static uint64_t program_counter(const void *context)
{
    const ucontext_t *c = context;
#if defined(__x86_64__)
    return (uint64_t)c->uc_mcontext.gregs[REG_RIP];
#elif defined(__i386__)
    return (uint32_t)c->uc_mcontext.gregs[REG_EIP];
#elif defined(__aarch64__)
    return c->uc_mcontext.pc;
#else
    (void)c;
    return 0;
#endif
}

static void crashed(int number, siginfo_t *info, void *context)
{
    uint64_t address = (uintptr_t)info->si_addr;
    uint64_t offset = program_counter(context) - code_base;
    struct message m = {
        SAY_CRASH,
        {(uint32_t)number, (uint32_t)address, (uint32_t)(address >> 32),
         (uint32_t)offset, (uint32_t)(offset >> 32)},
    };
    say(&m);
    _exit(1);
}

static void forbidden(int number, siginfo_t *info, void *context)
{
    struct message m = {SAY_FORBIDDEN, {(uint32_t)info->si_syscall}};
    (void)number;
    (void)context;
    say(&m);
    _exit(1);
}

static void catch_signals(void)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    static char stack[64 << 10];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};

    sigaltstack(&other, NULL);
    sigemptyset(&action.sa_mask);
    action.sa_sigaction = crashed;
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        sigaction(fatal[i], &action, NULL);
    action.sa_sigaction = forbidden;
    sigaction(SIGSYS, &action, NULL);
}

/* ---- Filters ------------------------------------------------------------- */

struct filter {
    char bytes[FILTER_BYTES];
    ssize_t size;
};

static void get_filter(struct filter *f)
{
    struct message size;

    hear(&size);
    f->size = 0;
    if (size.word[0] == 0)
        return;
    f->size = read(RUNNER_SOCKET, f->bytes, sizeof f->bytes);
    if (f->size != (ssize_t)size.word[0])
        _exit(1);
}

static int use_filter(const struct filter *f)
{
    struct sock_fprog program = {
        (unsigned short)((size_t)f->size / sizeof(struct sock_filter)),
        (struct sock_filter *)(void *)f->bytes,
    };
    return f->size > 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

/* ---- The student's code -------------------------------------------------- */

static uint32_t ask_grader(uint32_t address)
{
    struct message m = {SAY_READ, {address}};

    say(&m);
    hear(&m);
    return m.word[0];
}

static lab_answer_fn *load(const char *path)
{
    struct link_map *map = NULL;
    void *code = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *found = code ? dlsym(code, "umbra_lab_answer") : NULL;
    lab_answer_fn *answer;

    if (!found) {
        struct message m = {SAY_UNLOADABLE, {0}};
        fprintf(stderr, "%s\n", dlerror());
        say(&m);
        _exit(1);
    }
    if (dlinfo(code, RTLD_DI_LINKMAP, &map) == 0)
        code_base = map->l_addr;
    memcpy(&answer, &found, sizeof answer);
    return answer;
}

int main(int argc, char **argv)
{
    static char line[BUFSIZ];
    static struct filter loading, running;
    struct message m = {SAY_HELLO, {0}};

    if (argc != 2)
        return 1;
    setvbuf(stdout, line, _IOLBF, sizeof line);
    catch_signals();
    get_filter(&loading);
    get_filter(&running);
    m.word[1] = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
    m.word[2] = (uint32_t)getuid();
    m.word[0] = (uint32_t)use_filter(&loading);
    say(&m);
    lab_answer_fn *answer = load(argv[1]);
    use_filter(&running);
    m = (struct message){SAY_READY, {0}};
    say(&m);
    for (;;) {
        struct message reply = {SAY_ANSWER, {0}};
        hear(&m);
        if (m.say != SAY_ASK)
            break;
        answer(m.word, reply.word, ask_grader);
        say(&reply);
    }
    fflush(stdout);
    _exit(0);
}
