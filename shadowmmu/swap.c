/* SPDX-License-Identifier: MIT */
/* shadowmmu/swap.c - pages of guests in a host file. See shadowmmu/swap.h. */
#include "shadowmmu/swap.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpu/addr.h"

static const char title[] = "Umbra's swap file: pages of a guest that is gone "
                            "once its run has ended.\n";

struct swap {
    int fd;
    uint32_t slots; /* 1 to slots are pages */
    uint32_t used;
    uint32_t lowest; /* no slot below it is free */
    uint32_t *references;
    char error[128];
};

/* ---- the file ------------------------------------------------------------ */

static int open_unnamed(void)
{
    const char *folder = getenv("TMPDIR");
    char path[512];
    int fd;

    snprintf(path, sizeof path, "%s/umbra-swap-XXXXXX",
             folder && *folder ? folder : "/tmp");
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

/* New, empty, or one of ours? Who mistakes a disk image for a swap file must
 * not lose it. */
static bool is_ours(int fd, const struct stat *st)
{
    char found[sizeof title - 1];

    if (!S_ISREG(st->st_mode))
        return false;
    return st->st_size == 0 ||
           (pread(fd, found, sizeof found, 0) == (ssize_t)sizeof found &&
            memcmp(found, title, sizeof found) == 0);
}

/* The descriptor, or -1 and why. */
static int open_named(const char *path, const char **why)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat st;

    *why = NULL;
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0) {
        if (!is_ours(fd, &st))
            *why = "it exists and is no swap file of Umbra's";
        else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
            *why = "another guest uses it";
        else
            return fd;
    }
    close(fd);
    return -1;
}

static bool write_title(int fd)
{
    return ftruncate(fd, 0) == 0 &&
           pwrite(fd, title, sizeof title - 1, 0) == (ssize_t)sizeof title - 1;
}

struct swap *swap_open(const char *path, uint32_t slots, char **error)
{
    struct swap *s = calloc(1, sizeof *s);
    const char *why = NULL;

    *error = NULL;
    if (!s)
        return NULL;
    s->slots = slots < SWAP_SLOTS_MOST ? slots : SWAP_SLOTS_MOST;
    s->lowest = 1;
    s->references = calloc(s->slots + 1u, sizeof *s->references);
    s->fd = path ? open_named(path, &why) : open_unnamed();
    if (s->references && s->fd >= 0 && write_title(s->fd))
        return s;
    if (asprintf(error, "swap file %s: %s", path ? path : "(temporary)",
                 why ? why : strerror(errno)) < 0)
        *error = NULL;
    swap_close(s);
    return NULL;
}

void swap_close(struct swap *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->references);
    free(s);
}

/* ---- slots --------------------------------------------------------------- */

static off_t slot_at(uint32_t slot)
{
    return (off_t)slot << PAGE_SHIFT;
}

/* A whole page, either way; what is said of an error. */
static bool failed(struct swap *s, const char *what, ssize_t done)
{
    if (done == PAGE_BYTES)
        return false;
    snprintf(s->error, sizeof s->error, "the host's swap file cannot be %s: %s",
             what, done < 0 ? strerror(errno) : "cut short");
    return true;
}

static bool put(struct swap *s, uint32_t slot, const void *page)
{
    return !failed(s, "written",
                   pwrite(s->fd, page, PAGE_BYTES, slot_at(slot)));
}

uint32_t swap_store(struct swap *s, const void *page)
{
    uint32_t slot = s->lowest;

    while (slot <= s->slots && s->references[slot])
        slot++;
    s->lowest = slot;
    if (slot > s->slots) {
        snprintf(s->error, sizeof s->error,
                 "the host's swap is full: %llu KiB are in use",
                 (unsigned long long)s->used * PAGE_BYTES / 1024);
        return SWAP_NONE;
    }
    if (!put(s, slot, page))
        return SWAP_NONE;
    s->references[slot] = 1;
    s->used++;
    return slot;
}

bool swap_load(struct swap *s, uint32_t slot, void *page)
{
    assert(swap_references(s, slot));
    return !failed(s, "read", pread(s->fd, page, PAGE_BYTES, slot_at(slot)));
}

void swap_share(struct swap *s, uint32_t slot)
{
    assert(swap_references(s, slot));
    s->references[slot]++;
}

void swap_drop(struct swap *s, uint32_t slot)
{
    assert(swap_references(s, slot));
    if (--s->references[slot])
        return;
    s->used--;
    if (slot < s->lowest)
        s->lowest = slot;
}

uint32_t swap_used(const struct swap *s)
{
    return s->used;
}

uint32_t swap_references(const struct swap *s, uint32_t slot)
{
    return slot && slot <= s->slots ? s->references[slot] : 0;
}

const char *swap_error(const struct swap *s)
{
    return s->error;
}

/* ---- save and restore ---------------------------------------------------- */

struct saved_swap {
    uint32_t slots, used;
};

struct saved_slot {
    uint32_t slot, references;
    uint8_t page[PAGE_BYTES];
};

size_t swap_save(struct swap *s, void *buffer, size_t bytes)
{
    struct saved_swap h = {s->slots, s->used};
    size_t want = sizeof h + s->used * sizeof(struct saved_slot);
    uint8_t *out = buffer;

    if (!buffer || bytes < want)
        return want;
    memcpy(out, &h, sizeof h);
    out += sizeof h;
    for (uint32_t slot = 1; slot <= s->slots; slot++) {
        struct saved_slot saved = {slot, s->references[slot], {0}};

        if (!saved.references)
            continue;
        if (!swap_load(s, slot, saved.page))
            return 0;
        memcpy(out, &saved, sizeof saved);
        out += sizeof saved;
    }
    return want;
}

bool swap_restore(struct swap *s, const void *buffer, size_t bytes)
{
    const uint8_t *in = buffer;
    struct saved_swap h;

    if (bytes < sizeof h)
        return false;
    memcpy(&h, in, sizeof h);
    if (h.slots != s->slots || h.used > h.slots ||
        bytes < sizeof h + h.used * sizeof(struct saved_slot))
        return false;
    memset(s->references, 0, (s->slots + 1u) * sizeof *s->references);
    s->used = h.used;
    s->lowest = 1;
    for (uint32_t i = 0; i < h.used; i++) {
        struct saved_slot saved;

        memcpy(&saved, in + sizeof h + i * sizeof saved, sizeof saved);
        if (saved.slot == 0 || saved.slot > s->slots ||
            !put(s, saved.slot, saved.page))
            return false;
        s->references[saved.slot] = saved.references;
    }
    return true;
}
