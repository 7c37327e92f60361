/* SPDX-License-Identifier: MIT */
#include "labs/build.h"

#include "labs/process.h"
#include "labs/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECONDS = 60, SOURCE_BYTES = 1 << 20 };

/* ---- The folder ---------------------------------------------------------- */

static int copy(int from, int to)
{
    char buffer[4096];
    size_t total = 0;
    ssize_t n;

    while ((n = read(from, buffer, sizeof buffer)) > 0) {
        total += (size_t)n;
        if (total > SOURCE_BYTES)
            return EFBIG;
        if (write(to, buffer, (size_t)n) != n)
            return errno ? errno : EIO;
    }
    return n < 0 ? errno : 0;
}

static int copy_source(const char *folder, int directory, const char *name)
{
    char path[4096];
    struct stat s;
    int error = 0;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (from < 0 || fstat(from, &s) != 0)
        error = errno;
    else if (!S_ISREG(s.st_mode))
        error = EINVAL;
    if (!error) {
        int to = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
        error = to < 0 ? errno : copy(from, to);
        if (to >= 0)
            close(to);
    }
    if (from >= 0)
        close(from);
    return error;
}

static bool broken(struct lab_report *r, const char *what, const char *why)
{
    r->build.status = LAB_ERROR;
    snprintf(r->build.message, sizeof r->build.message, "%.140s: %.50s", what,
             why);
    return false;
}

static bool fill_folder(const struct build *b, const char *folder,
                        struct lab_report *r)
{
    const struct lab *lab = r->lab;
    const char *name = "";
    int directory = open(b->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (directory < 0)
        return broken(r, b->folder, strerror(errno));
    int error = copy_source(folder, directory, lab->file);
    if (error) {
        close(directory);
        return broken(r, lab->file, strerror(error));
    }
    /* The starter's other files, too; its own copy of the student's file is in
     * the way of nothing: it is there already. */
    error = lab_files_write(directory, "runner", "", &name);
    if (!error)
        error = lab_files_write(directory, lab->name, "support", &name);
    for (size_t i = 0; i < lab_file_count && !error; i++) {
        name = lab_file_below(&lab_files[i], lab->name, "starter");
        if (!name || strcmp(name, lab->file) == 0)
            continue;
        int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
        if (fd < 0 || write(fd, lab_files[i].data, lab_files[i].size) !=
                          (ssize_t)lab_files[i].size)
            error = errno ? errno : EIO;
        if (fd >= 0)
            close(fd);
    }
    close(directory);
    return !error || broken(r, name ? name : b->folder, strerror(error));
}

/* ---- Compiling ----------------------------------------------------------- */

static unsigned count_warnings(const char *text)
{
    unsigned count = 0;
    while (text && (text = strstr(text, "warning:"))) {
        count++;
        text++;
    }
    return count;
}

static bool build_runner(const struct build *b, struct lab_report *r)
{
    static const char *const arguments[] = {
        "-std=c17", "-D_GNU_SOURCE", "-O1",  "-w", "-o",
        "runner",   "runner.c",      "-ldl", NULL};
    struct process_result cc;

    process_run(&cc, b->folder, "CC", "cc", arguments, SECONDS);
    if (cc.status == 0) {
        free(cc.output);
        return true;
    }
    r->build.output = cc.output;
    return broken(r, "the tests' own runner", "the C compiler failed (CC)");
}

static bool build_code(const struct build *b, struct lab_report *r)
{
    const char *const arguments[] = {
        "-std=c17",   "-Wall",       "-g",         "-O1", "-fPIC",
        "-shared",    "-Wl,-z,defs", "-Wl,-z,now", "-o",  "student.so",
        r->lab->file, "glue.c",      NULL};
    struct process_result cc;

    process_run(&cc, b->folder, "CC", "cc", arguments, SECONDS);
    r->build.output = cc.output;
    r->build.warnings = count_warnings(cc.output);
    r->build.status = cc.status == 0 ? LAB_PASSED : LAB_FAILED;
    if (cc.timed_out)
        snprintf(r->build.message, sizeof r->build.message,
                 "%s: the compiler needs more than %d s", r->lab->file,
                 SECONDS);
    else if (cc.status != 0)
        snprintf(r->build.message, sizeof r->build.message,
                 "%s does not compile", r->lab->file);
    else
        snprintf(r->build.message, sizeof r->build.message, "%s (%u warning%s)",
                 r->lab->file, r->build.warnings,
                 r->build.warnings == 1 ? "" : "s");
    return cc.status == 0;
}

bool build_make(struct build *b, const char *folder, struct lab_report *report)
{
    const char *temporary = getenv("TMPDIR");
    char path[300];
    int length = snprintf(b->folder, sizeof b->folder, "%s/umbra-lab-XXXXXX",
                          temporary && *temporary ? temporary : "/tmp");

    if (length >= (int)sizeof b->folder || !mkdtemp(b->folder)) {
        int error = errno;
        b->folder[0] = '\0';
        return broken(report, "a folder for the build (TMPDIR)",
                      strerror(error));
    }
    chmod(b->folder, 0755);
    b->reachable = sandbox_reachable(b->folder);
    if (!fill_folder(b, folder, report) || !build_runner(b, report) ||
        !build_code(b, report))
        return false;
    /* Whatever the umask is. */
    snprintf(path, sizeof path, "%s/%s", b->folder, BUILD_RUNNER);
    chmod(path, 0755);
    snprintf(path, sizeof path, "%s/%s", b->folder, BUILD_CODE);
    chmod(path, 0755);
    return true;
}

void build_remove(struct build *b)
{
    DIR *directory = b->folder[0] ? opendir(b->folder) : NULL;
    struct dirent *entry;

    while (directory && (entry = readdir(directory)))
        unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory)
        closedir(directory);
    if (b->folder[0])
        rmdir(b->folder);
    b->folder[0] = '\0';
}

void build_place(const struct build *b, uint64_t offset, char *place,
                 size_t bytes)
{
    char number[24];
    const char *const arguments[] = {"-e", "student.so", number, NULL};
    struct process_result r;

    snprintf(number, sizeof number, "0x%llx", (unsigned long long)offset);
    process_run(&r, b->folder, NULL, "addr2line", arguments, 5);
    place[0] = '\0';
    if (r.status == 0 && r.output) {
        const char *slash = strrchr(r.output, '/');
        const char *name = slash ? slash + 1 : r.output;
        if (name[0] != '?')
            snprintf(place, bytes, "%.*s", (int)strcspn(name, " \n"), name);
    }
    free(r.output);
}
