/* SPDX-License-Identifier: MIT */
#include "labs/process.h"

#include "labs/results.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORDS = 64, KEPT = 32 << 10, FILE_BYTES = 64 << 20 };

volatile bool process_interrupted;

static void interrupt(int number)
{
    (void)number;
    process_interrupted = true;
}

void process_catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = interrupt}, old;

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
}

double process_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void process_close_from(int first)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, ~0u, 0u) == 0)
        return;
#endif
    struct rlimit r;
    int most = getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < 65536
                   ? (int)r.rlim_cur
                   : 65536;
    for (int fd = first; fd < most; fd++)
        close(fd);
}

/* In the new process. */
static _Noreturn void become(const char *const *words, const char *folder,
                             int output)
{
    struct rlimit size = {FILE_BYTES, FILE_BYTES}, none = {0, 0};
    int null = open("/dev/null", O_RDONLY);

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    setrlimit(RLIMIT_FSIZE, &size);
    setrlimit(RLIMIT_CORE, &none);
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    process_close_from(STDERR_FILENO + 1);
    setenv("LC_ALL", "C", 1); /* the words are looked at */
    if (chdir(folder) == 0) {
        char **argv;
        memcpy(&argv, &words, sizeof argv); /* exec changes nothing there */
        execvp(argv[0], argv);
    }
    dprintf(STDERR_FILENO, "%s: %s\n", words[0], strerror(errno));
    _exit(127);
}

static void gather(struct process_result *r, int output, double end)
{
    char *kept = malloc(KEPT), chunk[4096];
    size_t used = 0;

    for (;;) {
        struct pollfd p = {.fd = output, .events = POLLIN};
        double left = end - process_clock();
        if (left <= 0 || process_interrupted) {
            r->timed_out = true;
            break;
        }
        int ready = poll(&p, 1, (int)(left * 1000) + 1);
        if (ready < 0 && errno != EINTR)
            break;
        if (ready <= 0)
            continue;
        ssize_t n = read(output, chunk, sizeof chunk);
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        size_t part = n > 0 ? (size_t)n : 0;
        if (part > KEPT - used)
            part = KEPT - used;
        if (kept)
            memcpy(kept + used, chunk, part);
        used += part;
    }
    r->output = kept ? lab_harmless(kept, used) : NULL;
    free(kept);
}

static void start_and_wait(struct process_result *r, const char *folder,
                           const char *const *words, unsigned seconds)
{
    int pipes[2], status = 0;

    if (pipe2(pipes, O_CLOEXEC) != 0)
        return;
    pid_t pid = fork();
    if (pid == 0)
        become(words, folder, pipes[1]);
    close(pipes[1]);
    if (pid > 0) {
        setpgid(pid, pid);
        gather(r, pipes[0], process_clock() + seconds);
        if (r->timed_out)
            kill(-pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        if (WIFEXITED(status) && !r->timed_out)
            r->status = WEXITSTATUS(status);
    }
    close(pipes[0]);
}

void process_run(struct process_result *r, const char *folder,
                 const char *variable, const char *fallback,
                 const char *const *arguments, unsigned seconds)
{
    const char *first = variable ? getenv(variable) : NULL;
    char *text = strdup(first && *first ? first : fallback), *rest = NULL;
    const char *words[WORDS + 1];
    size_t count = 0;

    *r = (struct process_result){.status = -1};
    if (!text)
        return;
    for (char *word = strtok_r(text, " \t", &rest); word && count < WORDS / 2;
         word = strtok_r(NULL, " \t", &rest))
        words[count++] = word;
    while (*arguments && count < WORDS)
        words[count++] = *arguments++;
    words[count] = NULL;
    if (count)
        start_and_wait(r, folder, words, seconds);
    free(text);
}
