/* SPDX-License-Identifier: MIT */
#include "cli/compare_vm.h"

#include "cli/cli.h"
#include "cli/files.h"
#include "cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Two limits in a row that stop at different blocks are rare. */
enum { ALIGN_TRIES = 32 };

/* ---- Disks: each run gets its own copy ----------------------------------- */

static bool copy_disk(const char *who, const char *path, int *fd)
{
    char buffer[64 << 10];
    int from = open(path, O_RDONLY | O_CLOEXEC);
    *fd = memfd_create("disk", MFD_CLOEXEC);
    int error = from < 0 || *fd < 0 ? errno : 0;
    while (!error) {
        ssize_t n = read(from, buffer, sizeof buffer);
        if (n < 0)
            error = errno;
        else
            error = file_write_all(*fd, buffer, (size_t)n);
        if (n <= 0)
            break;
    }
    if (from >= 0)
        close(from);
    if (error)
        cli_error(who, "%s: %s", path, strerror(error));
    return !error;
}

static bool copy_disks(struct disk_copies *d, const struct run_options *o)
{
    for (d->count = 0; d->count < o->disk_count;) {
        size_t i = d->count++;
        if (!copy_disk(o->who, o->disk[i].path, &d->fd[i]))
            return false;
        snprintf(d->path[i], sizeof d->path[i], "/proc/self/fd/%d", d->fd[i]);
        d->disk[i] = (struct pc_disk){d->path[i], o->disk[i].read_only};
    }
    return true;
}

/* Where two files differ first; -1: nowhere. */
static int64_t first_byte(int a, int b)
{
    char left[64 << 10], right[sizeof left];
    int64_t at = 0;

    for (;;) {
        ssize_t n = pread(a, left, sizeof left, at);
        ssize_t m = pread(b, right, sizeof right, at);

        for (ssize_t i = 0; i < n && i < m; i++)
            if (left[i] != right[i])
                return at + i;
        if (n != m)
            return at + (n < m ? n : m);
        if (n <= 0)
            return -1;
        at += n;
    }
}

bool compared_disks_differ(const struct compared_vm *a,
                           const struct compared_vm *b, size_t *disk,
                           uint64_t *offset)
{
    for (size_t i = 0; i < a->disks.count; i++) {
        int64_t at = first_byte(a->disks.fd[i], b->disks.fd[i]);

        if (at < 0)
            continue;
        *disk = i;
        *offset = (uint64_t)at;
        return true;
    }
    return false;
}

/* ---- The guest's console ------------------------------------------------- */

static void note_printer(struct compared_vm *v)
{
    struct cpu_state s;

    if (!v->watch || v->seen || v->watched_byte != v->r->console_bytes)
        return;
    vm_guest_state(v->vm, &s);
    v->printer = s.eip;
    v->printed_at = vm_cycles(v->vm);
    v->seen = true;
}

static void capture(void *ctx, uint8_t byte)
{
    struct compared_vm *v = ctx;
    struct outcome *r = v->r;

    if (!r)
        return;
    note_printer(v);
    if (r->console_bytes == r->console_room) {
        size_t room = r->console_room ? 2 * r->console_room : 4096;
        char *grown =
            room <= CONSOLE_MAX_BYTES ? realloc(r->console, room) : NULL;
        if (!grown) {
            r->limited = true;
            cli_interrupted = true;
            return;
        }
        r->console = grown;
        r->console_room = room;
    }
    r->console[r->console_bytes++] = (char)byte;
}

/* ---- Its life ------------------------------------------------------------ */

static void configure(struct compared_vm *v, const struct guest *guest,
                      const struct technique *t)
{
    struct vm_config *c = &v->config;

    *c = guest->config;
    c->cpu = t->cpu;
    c->mmu = t->mmu;
    c->iopl1 = t->iopl1;
    c->bt_without = t->bt_without;
    c->mmu_without = t->mmu_without;
    c->nested_levels = t->nested_levels;
    c->serial_output = capture;
    c->ctx = v;
    c->disks = v->disks.disk;
    if (t->nobatch &&
        asprintf(&v->append, "%s nobatch", c->append ? c->append : "") > 0)
        c->append = v->append;
}

int compared_open(struct compared_vm *v, const struct guest *guest,
                  const struct run_options *o, const struct technique *t,
                  struct outcome *r)
{
    char *error = NULL;
    int status = STATUS_USAGE;

    *v = (struct compared_vm){.r = r};
    configure(v, guest, t);
    if (!copy_disks(&v->disks, o) ||
        !guest_port(guest, o->who, t->cpu, &v->config.kernel))
        return status;
    v->vm = vm_create(&v->config, &error, &status);
    if (!v->vm)
        cli_error(o->who, "%s: %s", t->name, error ? error : "out of memory");
    free(error);
    return v->vm ? STATUS_OK : status;
}

void compared_close(struct compared_vm *v)
{
    vm_destroy(v->vm);
    v->vm = NULL;
    free(v->append);
    v->append = NULL;
    for (size_t i = 0; i < v->disks.count; i++)
        if (v->disks.fd[i] >= 0)
            close(v->disks.fd[i]);
    v->disks.count = 0;
}

/* Of this process: a busy host does not change it much. */
static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

enum vm_stop compared_run(struct compared_vm *v, uint64_t cycles)
{
    const struct vm_limit limit = {.cycles = cycles,
                                   .interrupted = &cli_interrupted};
    double start = cpu_seconds();
    enum vm_stop stop = vm_run(v->vm, &limit);

    if (v->r) {
        v->r->stop = stop;
        v->r->seconds += cpu_seconds() - start;
    }
    return stop;
}

bool compared_align(struct compared_vm *a, struct compared_vm *b)
{
    for (unsigned i = 0; i < ALIGN_TRIES && !cli_interrupted; i++) {
        uint64_t x = vm_cycles(a->vm), y = vm_cycles(b->vm);

        if (x == y)
            return true;
        if (compared_run(x < y ? a : b, x < y ? y : x) != VM_RUNNING)
            return false;
    }
    return false;
}
