/* SPDX-License-Identifier: MIT */
/* labs/command.c - umbra lab: which of its commands. */
#include "labs/commands.h"

#include <stdarg.h>
#include <string.h>

static const char help[] =
    "Usage: umbra lab list\n"
    "  or:  umbra lab start NAME [FOLDER]\n"
    "  or:  umbra lab test [FOLDER] [-t TEST]... [--tap] [--json FILE]\n"
    "Exercises: write the function that is missing, and have it judged.\n"
    "\n"
    "list     the labs\n"
    "start    a folder (NAME's own in this one) with the lab's text and the\n"
    "         file to fill in; nothing that is there is overwritten\n"
    "test     build the file in FOLDER (this one) and test it; the file's "
    "own\n"
    "         name will do, too: prove -e 'umbra lab test --tap' decide.c\n"
    "\n"
    "  -t, --test=TEST   only this test, or those it is the start of\n"
    "      --tap         results as TAP 13, for prove\n"
    "      --json=FILE   results as JSON, too (\"-\": instead, on standard\n"
    "                    output)\n"
    "      --lab=NAME    the lab, when the file's name does not tell\n"
    "      --seed=N      of the random tests (0x5eed)\n"
    "      --help        this text\n"
    "\n"
    "CC is the C compiler (cc), TMPDIR where it works (/tmp). Your code runs\n"
    "in a process of its own that can compute and nothing else.\n"
    "\n"
    "Exit status: 0; 1 when a test did not pass; 2 for bad usage or files;\n"
    "70 for an error of the tests themselves.\n";

void lab_complain(const char *format, ...)
{
    va_list args;
    fputs("umbra lab: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

int lab_command(int argc, char **argv, const struct lab_host *host)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(help, stdout);
            return 0;
        }
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "list") == 0)
        return lab_list(argc - 1, argv + 1);
    if (strcmp(name, "start") == 0)
        return lab_start(argc - 1, argv + 1);
    if (strcmp(name, "test") == 0)
        return lab_test(argc - 1, argv + 1, host);
    if (*name)
        lab_complain("'%s' is not list, start or test (umbra lab --help)",
                     name);
    else
        lab_complain("list, start or test is wanted (umbra lab --help)");
    return LAB_USAGE;
}
