/* SPDX-License-Identifier: MIT */
/* The same guest under QEMU's translator: a yardstick from outside. It runs as
 * its users run it, as a program of its own. */
#include "cli/bench.h"

#include "cli/cli.h"
#include "cli/files.h"
#include "cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define QEMU "qemu-system-i386"

enum {
    PASSED = 1,         /* (0 << 1) | 1, as isa-debug-exit makes it */
    WRONG = 3,          /* (1 << 1) | 1 */
    SECONDS_MOST = 120, /* then it is stuck */
};

static bool installed(void)
{
    const char *path = getenv("PATH");
    char *copy = strdup(path ? path : ""), *rest = copy, *folder;
    bool found = false;
    while (copy && !found && (folder = strsep(&rest, ":"))) {
        char *file;
        if (asprintf(&file, "%s/" QEMU, folder) < 0)
            break;
        found = access(file, X_OK) == 0;
        free(file);
    }
    free(copy);
    return found;
}

bool bench_qemu_open(struct bench *b)
{
    if (!installed()) {
        cli_error(b->who, "note: " QEMU " is not installed; its column is "
                          "left out");
        return false;
    }
    /* Inherited by QEMU: not closed at exec. */
    b->guest_fd = memfd_create("bench", 0);
    int error = b->guest_fd < 0
                    ? errno
                    : file_write_all(b->guest_fd, b->guest.data, b->guest.size);
    if (error)
        cli_error(b->who, "no file for QEMU: %s", strerror(error));
    return !error;
}

static void become_qemu(const char *kernel, const char *append, int output)
{
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    alarm(SECONDS_MOST);
    execlp(QEMU, QEMU, "-accel", "tcg", "-m", "16", "-nodefaults", "-display",
           "none", "-serial", "stdio", "-device",
           "isa-debug-exit,iobase=0xf4,iosize=4", "-no-reboot", "-kernel",
           kernel, "-append", append, (char *)NULL);
    _exit(127);
}

static void read_answer(int fd, char *answer, size_t room)
{
    size_t used = 0;
    ssize_t n;
    char rest[64];
    while ((n = used + 1 < room ? read(fd, answer + used, room - 1 - used)
                                : read(fd, rest, sizeof rest)) > 0)
        if (used + 1 < room)
            used += (size_t)n;
    answer[used] = '\0';
    answer[strcspn(answer, "\r\n")] = '\0';
}

static double seconds_of(const struct rusage *u)
{
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
           (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1e-6;
}

int bench_qemu(const struct bench *b, unsigned row, uint32_t iterations,
               struct bench_run *out)
{
    char kernel[64], append[64];
    int pipes[2], status = 0;
    struct rusage usage;
    snprintf(kernel, sizeof kernel, "/proc/self/fd/%d", b->guest_fd);
    snprintf(append, sizeof append, "%s %u", bench_rows[row].name, iterations);
    fflush(stdout);
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        cli_error(b->who, QEMU ": %s", strerror(errno));
        return STATUS_USAGE;
    }
    pid_t child = fork();
    if (child == 0)
        become_qemu(kernel, append, pipes[1]);
    close(pipes[1]);
    if (child > 0)
        read_answer(pipes[0], out->answer, sizeof out->answer);
    close(pipes[0]);
    if (child < 0 || wait4(child, &status, 0, &usage) != child) {
        cli_error(b->who, QEMU ": %s", strerror(errno));
        return STATUS_USAGE;
    }
    out->seconds = seconds_of(&usage);
    if (WIFEXITED(status) &&
        (WEXITSTATUS(status) == PASSED || WEXITSTATUS(status) == WRONG))
        return STATUS_OK;
    if (cli_signal)
        return STATUS_SIGNAL + cli_signal;
    cli_error(b->who, QEMU " did not run %s (%s %d)", append,
              WIFSIGNALED(status) ? "signal" : "status",
              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return STATUS_USAGE;
}
