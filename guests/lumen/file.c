/* SPDX-License-Identifier: MIT */
/* file.c - open files: the console, built-in files, pipe ends, the disk.
 *
 * fork() and dup2() share an open file and its position. The kernel is not
 * preempted, so none of this needs a lock.
 */
#include "kernel.h"
#include "proc.h"

#define FILES 128

enum file_kind {
    FILE_FREE,
    FILE_CONSOLE,
    FILE_STORED,
    FILE_PIPE_READ,
    FILE_PIPE_WRITE,
    FILE_DISK
};

struct file {
    enum file_kind kind;
    uint32_t references;
    uint32_t position;
    const struct stored_file *stored;
    struct pipe *pipe;
};

static struct file files[FILES];

const struct stored_file *stored_file_find(const char *path)
{
    if (*path == '/')
        path++;
    for (uint32_t i = 0; i < stored_file_count; i++) {
        if (strcmp(stored_files[i].name, path) == 0)
            return &stored_files[i];
    }
    return NULL;
}

static struct file *file_create(enum file_kind kind)
{
    for (struct file *f = files; f < files + FILES; f++) {
        if (f->kind == FILE_FREE) {
            *f = (struct file){.kind = kind};
            return f;
        }
    }
    return NULL;
}

static void drop(struct file *file)
{
    if (--file->references > 0)
        return;
    if (file->kind == FILE_PIPE_READ || file->kind == FILE_PIPE_WRITE)
        pipe_close(file->pipe, file->kind == FILE_PIPE_WRITE);
    file->kind = FILE_FREE;
}

/* The lowest free descriptor of the process, -1 if there is none. */
static int32_t install(struct proc *proc, struct file *file)
{
    for (uint32_t fd = 0; fd < PROC_FILES; fd++) {
        if (!proc->files[fd]) {
            proc->files[fd] = file;
            file->references++;
            return (int32_t)fd;
        }
    }
    return -1;
}

static struct file *get(uint32_t fd)
{
    return fd < PROC_FILES ? current->files[fd] : NULL;
}

bool files_open_console(struct proc *proc)
{
    struct file *console = file_create(FILE_CONSOLE);

    if (!console)
        return false;
    for (uint32_t fd = 0; fd < 3; fd++)
        install(proc, console);
    return true;
}

void files_share(struct proc *child, const struct proc *parent)
{
    for (uint32_t fd = 0; fd < PROC_FILES; fd++) {
        child->files[fd] = parent->files[fd];
        if (child->files[fd])
            child->files[fd]->references++;
    }
}

void files_close_all(struct proc *proc)
{
    for (uint32_t fd = 0; fd < PROC_FILES; fd++) {
        if (proc->files[fd])
            drop(proc->files[fd]);
        proc->files[fd] = NULL;
    }
}

int32_t file_open(const char *path)
{
    bool is_disk = strcmp(path, "/disk") == 0;
    const struct stored_file *stored = stored_file_find(path);
    struct file *file;
    int32_t fd;

    if (is_disk ? disk_sectors() == 0 : !stored)
        return -1;
    file = file_create(is_disk ? FILE_DISK : FILE_STORED);
    if (!file)
        return -1;
    file->stored = stored;
    fd = install(current, file);
    if (fd < 0)
        file->kind = FILE_FREE;
    return fd;
}

int32_t file_close(uint32_t fd)
{
    struct file *file = get(fd);

    if (!file)
        return -1;
    current->files[fd] = NULL;
    drop(file);
    return 0;
}

int32_t file_dup2(uint32_t from, uint32_t to)
{
    struct file *file = get(from);

    if (!file || to >= PROC_FILES)
        return -1;
    if (from != to) {
        file_close(to);
        current->files[to] = file;
        file->references++;
    }
    return (int32_t)to;
}

int32_t file_pipe(int32_t fds[2])
{
    struct pipe *pipe = pipe_create();
    struct file *reader, *writer;

    if (!pipe)
        return -1;
    reader = file_create(FILE_PIPE_READ);
    writer = file_create(FILE_PIPE_WRITE);
    if (!reader || !writer)
        goto err_files;
    reader->pipe = writer->pipe = pipe;
    fds[0] = install(current, reader);
    if (fds[0] < 0)
        goto err_files;
    fds[1] = install(current, writer);
    if (fds[1] < 0)
        goto err_writer;
    return 0;

err_writer:
    current->files[fds[0]] = NULL;
err_files:
    if (reader)
        reader->kind = FILE_FREE;
    if (writer)
        writer->kind = FILE_FREE;
    pipe_close(pipe, false);
    pipe_close(pipe, true);
    return -1;
}

/* Bytes of the disk, through the cache. A program's page may still have to
 * be found while we copy, hence the copy in between: no cache buffer is held
 * over a fault. */
static int32_t disk_bytes(struct file *file, uint8_t *buffer, uint32_t bytes,
                          bool write)
{
    uint32_t size = disk_sectors() * SECTOR_BYTES, done = 0;
    uint8_t sector[SECTOR_BYTES];

    while (done < bytes && file->position < size) {
        uint32_t number = file->position / SECTOR_BYTES;
        uint32_t start = file->position % SECTOR_BYTES;
        uint32_t part = SECTOR_BYTES - start;

        if (part > bytes - done)
            part = bytes - done;
        if (part < SECTOR_BYTES || !write) {
            if (!cache_read(number, sector))
                return -1;
        }
        if (write) {
            memcpy(sector + start, buffer + done, part);
            if (!cache_write(number, sector))
                return -1;
        } else {
            memcpy(buffer + done, sector + start, part);
        }
        file->position += part;
        done += part;
    }
    return (int32_t)done;
}

static int32_t stored_read(struct file *file, void *buffer, uint32_t bytes)
{
    uint32_t size = (uint32_t)(file->stored->end - file->stored->data);

    if (bytes > size - file->position)
        bytes = size - file->position;
    memcpy(buffer, file->stored->data + file->position, bytes);
    file->position += bytes;
    return (int32_t)bytes;
}

int32_t file_read(uint32_t fd, void *buffer, uint32_t bytes)
{
    struct file *file = get(fd);

    switch (file ? file->kind : FILE_FREE) {
    case FILE_CONSOLE: return console_read(buffer, bytes);
    case FILE_STORED: return stored_read(file, buffer, bytes);
    case FILE_PIPE_READ: return pipe_read(file->pipe, buffer, bytes);
    case FILE_DISK: return disk_bytes(file, buffer, bytes, false);
    default: return -1;
    }
}

int32_t file_write(uint32_t fd, const void *buffer, uint32_t bytes)
{
    struct file *file = get(fd);
    const char *text = buffer;

    switch (file ? file->kind : FILE_FREE) {
    case FILE_CONSOLE:
        for (uint32_t i = 0; i < bytes; i++)
            console_put(text[i]);
        console_flush();
        return (int32_t)bytes;
    case FILE_PIPE_WRITE: return pipe_write(file->pipe, buffer, bytes);
    case FILE_DISK: /* only read from when writing              */
        return disk_bytes(file, (uint8_t *)(uint32_t)buffer, bytes, true);
    default: return -1;
    }
}

int32_t file_seek(uint32_t fd, int32_t offset, uint32_t whence)
{
    struct file *file = get(fd);
    uint32_t size, target;

    if (!file || (file->kind != FILE_STORED && file->kind != FILE_DISK))
        return -1;
    size = file->kind == FILE_DISK
               ? disk_sectors() * SECTOR_BYTES
               : (uint32_t)(file->stored->end - file->stored->data);
    target = (whence == SEEK_END ? size : 0) + (uint32_t)offset;
    if (target > size)
        return -1;
    file->position = target;
    return (int32_t)target;
}
