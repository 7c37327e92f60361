/* SPDX-License-Identifier: MIT */
#include "labs/catalogue.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct lab *const lab_all[] = {&lab_hidden_faults};
const size_t lab_count = sizeof lab_all / sizeof lab_all[0];

static bool is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

const struct lab *lab_find(const char *name)
{
    for (size_t i = 0; i < lab_count; i++) {
        const char *full = lab_all[i]->name;
        const char *dash = strchr(full, '-');
        if (strcmp(name, full) == 0 || (dash && strcmp(name, dash + 1) == 0) ||
            (is_number(name) && atoi(name) == atoi(full)))
            return lab_all[i];
    }
    return NULL;
}

const struct lab *lab_in_folder(const char *folder)
{
    const struct lab *found = NULL;
    int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (size_t i = 0; directory >= 0 && i < lab_count && !found; i++)
        if (faccessat(directory, lab_all[i]->file, F_OK, 0) == 0)
            found = lab_all[i];
    if (directory >= 0)
        close(directory);
    return found;
}

const char *lab_file_below(const struct lab_file *file, const char *lab,
                           const char *folder)
{
    const char *path = file->path;
    size_t length = strlen(lab);

    if (strncmp(path, lab, length) != 0 || path[length] != '/')
        return NULL;
    path += length + 1;
    length = strlen(folder);
    if (length) {
        if (strncmp(path, folder, length) != 0 || path[length] != '/')
            return NULL;
        path += length + 1;
    }
    return strchr(path, '/') ? NULL : path;
}

static int write_file(int directory, const char *name,
                      const struct lab_file *file)
{
    int fd =
        openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    size_t done = 0;
    int error = 0;

    if (fd < 0)
        return errno;
    while (done < file->size && !error) {
        ssize_t n = write(fd, file->data + done, file->size - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            error = n == 0 ? EIO : errno;
    }
    if (close(fd) != 0 && !error)
        error = errno;
    return error;
}

int lab_files_write(int directory, const char *lab, const char *folder,
                    const char **name)
{
    for (size_t i = 0; i < lab_file_count; i++) {
        *name = lab_file_below(&lab_files[i], lab, folder);
        int error = *name ? write_file(directory, *name, &lab_files[i]) : 0;
        if (error)
            return error;
    }
    return 0;
}
