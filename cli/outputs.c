/* SPDX-License-Identifier: MIT */
#include "cli/outputs.h"

#include "cli/cli.h"
#include "cli/files.h"

#include <string.h>

static bool is_file(const char *path)
{
    return path && strcmp(path, "-") != 0;
}

static bool clashes(const struct run_options *o, const char *path,
                    const char *other, const char *what)
{
    if (!is_file(path) || !is_file(other) || !file_is_same(path, other))
        return false;
    cli_error(o->who, "%s: %s", path, what);
    return true;
}

static bool overwrites_guest(const struct run_options *o, const char *path)
{
    static const char what[] = "the guest needs it, and output is to go there";

    if (clashes(o, path, o->kernel, what) ||
        clashes(o, path, o->swap_path, what))
        return true;
    for (size_t i = 0; i < o->initrd_count; i++)
        if (clashes(o, path, o->initrd[i], what))
            return true;
    for (size_t i = 0; i < o->disk_count; i++)
        if (clashes(o, path, o->disk[i].path, what))
            return true;
    return false;
}

bool outputs_are_distinct(const struct run_options *o, const char *const *paths,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (overwrites_guest(o, paths[i]))
            return false;
        for (size_t j = 0; j < i; j++)
            if (clashes(o, paths[i], paths[j],
                        "two kinds of output are to go there"))
                return false;
    }
    return true;
}
