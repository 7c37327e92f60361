/* SPDX-License-Identifier: MIT */
/* labs/start.c - umbra lab list and umbra lab start. */
#include "labs/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int lab_list(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        lab_complain("list takes no arguments");
        return LAB_USAGE;
    }
    for (size_t i = 0; i < lab_count; i++)
        printf("%-20s %s (%u points)\n", lab_all[i]->name, lab_all[i]->title,
               lab_points(lab_all[i]));
    return 0;
}

unsigned lab_points(const struct lab *lab)
{
    unsigned sum = 0;
    for (size_t i = 0; i < lab->test_count; i++)
        sum += lab->tests[i].points;
    return sum;
}

const struct lab *lab_named(const char *name)
{
    const struct lab *lab = lab_find(name);
    if (!lab)
        lab_complain("there is no lab '%s' (umbra lab list)", name);
    return lab;
}

/* Is any of the lab's files there? All or nothing: half a starter beside
 * somebody's work would be a riddle. */
static const char *already_there(int directory, const struct lab *lab)
{
    for (size_t i = 0; i < lab_file_count; i++) {
        const char *name = lab_file_below(&lab_files[i], lab->name, "starter");
        if (!name)
            name = lab_file_below(&lab_files[i], lab->name, "");
        if (name && faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            return name;
    }
    return NULL;
}

int lab_start(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        lab_complain(argc < 2 ? "start wants a lab's name (umbra lab list)"
                              : "start takes a lab's name and a folder");
        return LAB_USAGE;
    }
    const struct lab *lab = lab_named(argv[1]);
    if (!lab)
        return LAB_USAGE;
    const char *folder = argc > 2 ? argv[2] : lab->name, *name = NULL;
    if (!*folder) {
        lab_complain("start: the folder's name is missing");
        return LAB_USAGE;
    }
    int directory = -1, error = 0;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        error = errno;
    if (!error) {
        directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        error = directory < 0 ? errno : 0;
    }
    if (!error && (name = already_there(directory, lab)))
        error = EEXIST;
    if (!error)
        error = lab_files_write(directory, lab->name, "", &name);
    if (!error)
        error = lab_files_write(directory, lab->name, "starter", &name);
    if (directory >= 0)
        close(directory);
    if (error) {
        lab_complain("%s%s%s: %s", folder, name ? "/" : "", name ? name : "",
                     error == EEXIST ? "is there already; nothing was written"
                                     : strerror(error));
        return LAB_USAGE;
    }
    printf("%s: read README.md, write %s, then: umbra lab test %s\n", folder,
           lab->file, folder);
    return 0;
}
