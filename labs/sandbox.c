/* SPDX-License-Identifier: MIT */
#include "labs/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "labs/runner/protocol.h"

enum {
    NOBODY = 65534,
    CPU_SECONDS = 60, /* a whole test; the grader's own net is finer */
    MEMORY_BYTES = 512 << 20,
    STACK_BYTES = 8 << 20,
    FILES = 16,
};

/* ---- seccomp ------------------------------------------------------------- */

/* Memory, the end, signals that return, time. No new descriptors. */
static const int allowed[] = {
    SCMP_SYS(brk),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_gettime64),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(futex),
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    SCMP_SYS(getrandom),
    SCMP_SYS(gettid),
    SCMP_SYS(madvise),
    SCMP_SYS(mmap),
    SCMP_SYS(mmap2),
    SCMP_SYS(mprotect),
    SCMP_SYS(mremap),
    SCMP_SYS(munmap),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigreturn),
};

/* What stdio tries and can do without. */
static const struct {
    int call, error;
} refused[] = {
    {SCMP_SYS(ioctl), ENOTTY},
    {SCMP_SYS(lseek), ESPIPE},
    {SCMP_SYS(_llseek), ESPIPE},
};

/* What the loader needs besides. */
static const int loading[] = {
    SCMP_SYS(access),    SCMP_SYS(close),   SCMP_SYS(fstat),
    SCMP_SYS(fstat64),   SCMP_SYS(statx),   SCMP_SYS(newfstatat),
    SCMP_SYS(fstatat64), SCMP_SYS(pread64), SCMP_SYS(faccessat),
    SCMP_SYS(getcwd),    SCMP_SYS(stat),    SCMP_SYS(stat64),
};

/* While loading; these are refused later, not fatal: stdio calls them. */
static const int stats[] = {
    SCMP_SYS(fstat), SCMP_SYS(fstat64),    SCMP_SYS(fstatat64),
    SCMP_SYS(statx), SCMP_SYS(newfstatat),
};

static int allow_channels(scmp_filter_ctx f)
{
    static const unsigned written[] = {STDOUT_FILENO, STDERR_FILENO,
                                       RUNNER_SOCKET};
    int bad = 0;
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++)
        bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(write), 1,
                                SCMP_A0(SCMP_CMP_EQ, written[i], 0));
    return bad;
}

static int allow_loading(scmp_filter_ctx f)
{
    const unsigned modes = O_ACCMODE | O_CREAT | O_TRUNC;
    int bad = 0;

    for (size_t i = 0; i < sizeof loading / sizeof loading[0]; i++)
        bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, loading[i], 0);
    bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(read), 0);
    bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                            SCMP_A2(SCMP_CMP_MASKED_EQ, modes, O_RDONLY));
    bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
                            SCMP_A1(SCMP_CMP_MASKED_EQ, modes, O_RDONLY));
    bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
                            SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP, 0));
    return bad;
}

static int allow_running(scmp_filter_ctx f)
{
    int bad = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(read), 1,
                               SCMP_A0(SCMP_CMP_EQ, RUNNER_SOCKET, 0));
    for (size_t i = 0; i < sizeof stats / sizeof stats[0]; i++)
        bad |= seccomp_rule_add(f, SCMP_ACT_ERRNO(EBADF), stats[i], 0);
    return bad;
}

static int add_rules(scmp_filter_ctx f, enum sandbox_stage stage, pid_t pid)
{
    int bad = 0;
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        bad |= seccomp_rule_add(f, SCMP_ACT_ERRNO((uint32_t)refused[i].error),
                                refused[i].call, 0);
    /* A signal to itself: abort() and raise(). */
    bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                            SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)pid, 0));
    bad |= allow_channels(f);
    return bad |
           (stage == SANDBOX_LOADING ? allow_loading(f) : allow_running(f));
}

/* Everything else is a SIGSYS, of which the runner says the number. */
size_t sandbox_filter(enum sandbox_stage stage, pid_t pid, void *out,
                      size_t bytes)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_TRAP);
    int file = memfd_create("filter", MFD_CLOEXEC);
    ssize_t size = 0;

    if (f && file >= 0 && add_rules(f, stage, pid) == 0 &&
        seccomp_export_bpf(f, file) == 0)
        size = pread(file, out, bytes, 0);
    if (file >= 0)
        close(file);
    if (f)
        seccomp_release(f);
    return size > 0 && (size_t)size < bytes ? (size_t)size : 0;
}

void sandbox_call_name(int number, char *name, size_t bytes)
{
    char *found = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
    if (found)
        snprintf(name, bytes, "%s", found);
    else
        snprintf(name, bytes, "system call %d", number);
    free(found);
}

/* ---- The other layers ---------------------------------------------------- */

static void limit(__rlimit_resource_t what, rlim_t most)
{
    struct rlimit r;
    if (getrlimit(what, &r) == 0 && r.rlim_max != RLIM_INFINITY &&
        r.rlim_max < most)
        most = r.rlim_max;
    r = (struct rlimit){most, most};
    setrlimit(what, &r);
}

void sandbox_enter(bool reachable)
{
    setsid();
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_NOFILE, FILES);
    limit(RLIMIT_CPU, CPU_SECONDS);
    limit(RLIMIT_AS, MEMORY_BYTES);
    limit(RLIMIT_STACK, STACK_BYTES);
    if (geteuid() == 0 && reachable && setgroups(0, NULL) == 0 &&
        setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
        setresuid(NOBODY, NOBODY, NOBODY) != 0)
        _exit(127);
    limit(RLIMIT_NPROC, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* (setuid would undo it) */
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

bool sandbox_reachable(const char *folder)
{
    char path[PATH_MAX];
    struct stat s;

    if (!realpath(folder, path))
        return false;
    for (;;) {
        if (stat(path, &s) != 0 || !(s.st_mode & S_IXOTH))
            return false;
        char *slash = strrchr(path, '/');
        if (!slash || slash == path)
            return true;
        *slash = '\0';
    }
}

void sandbox_describe(const uint32_t *hello, char *text, size_t bytes)
{
    int used = snprintf(text, bytes, "own session, rlimits");
    if (hello[1])
        used +=
            snprintf(text + used, bytes - (size_t)used, ", no new privileges");
    if (hello[0])
        used += snprintf(text + used, bytes - (size_t)used, ", seccomp");
    else
        used += snprintf(text + used, bytes - (size_t)used,
                         " (no seccomp on this host)");
    if (geteuid() == 0 && hello[2] != 0)
        snprintf(text + used, bytes - (size_t)used, ", uid %u", hello[2]);
    else if (geteuid() == 0)
        snprintf(text + used, bytes - (size_t)used, " (as root)");
}
