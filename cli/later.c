/* SPDX-License-Identifier: MIT */
/* Commands that the command line promises and that are not built yet. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

int cmd_later(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) {
            printf("Usage: %s\nThis command is not built yet.\n", argv[0]);
            return STATUS_OK;
        }
    cli_error(argv[0], "not built yet");
    return STATUS_USAGE;
}
