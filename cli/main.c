/* SPDX-License-Identifier: MIT */
/* umbra: the program. Finds the command and runs it. */
#include "cli/cli.h"
#include "cli/files.h"
#include "cli/guest.h"
#include "cli/step.h"
#include "cli/terminal.h"
#include "labs/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* cpu/engine.h, which names the library's types, is cpu's own. */
const char *engine_version(void);

static int cmd_lab(int argc, char **argv)
{
    char engine[64];
    const struct lab_host host = {engine, guest_kernel, file_replace};

    snprintf(engine, sizeof engine, "unicorn %s", engine_version());
    return lab_command(argc, argv, &host);
}

static const struct command commands[] = {
    {"run", "boot a guest", cmd_run},
    {"step", "the same in the visualizer, stopped at the first instruction",
     cmd_step},
    {"compare", "the same guest under several techniques, side by side",
     cmd_compare},
    {"audit", "a guest, while the VMM's tables are checked", cmd_audit},
    {"bench", "one operation many times: what each technique costs", cmd_bench},
    {"hole", "the instructions that break trap-and-emulate, executed",
     cmd_hole},
    {"disasm", "the kernel's code beside its translation (bt)", cmd_disasm},
    {"scan", "list the sensitive instructions of a kernel image", cmd_scan},
    {"lab", "list, start and test the labs", cmd_lab},
    {"errata", "test the software processor for its known faults", cmd_errata},
    {"grade", "grade submissions (not built yet)", cmd_later},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void help(void)
{
    puts("Usage: umbra COMMAND [options] [KERNEL]\n"
         "A teaching hypervisor: runs operating systems by every technique "
         "of the course,\nand shows what happens.\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  umbra %-8s %s\n", commands[i].name, commands[i].blurb);
    puts("\n  umbra --help      this text\n"
         "  umbra --version   versions of Umbra and its libraries\n\n"
         "umbra COMMAND --help says all about a command. Without KERNEL it "
         "is the built-in\nteaching kernel, lumen. To begin: umbra run");
}

/* Output that cannot be written is an error, even at the last moment. */
static void close_output(void)
{
    bool failed = ferror(stdout);
    bool wanted = failed || __fpending(stdout) > 0;
    errno = 0;
    if ((fclose(stdout) != 0 && (wanted || errno != EBADF)) || failed) {
        cli_error("umbra", "standard output: %s",
                  errno ? strerror(errno) : "not all of it could be written");
        _exit(STATUS_USAGE);
    }
}

/* Were one of the three closed, the next file opened (a disk, say) would take
 * its place. These cannot be read or written. */
static void open_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            _exit(STATUS_USAGE);
}

static const struct command *find_command(const char *name)
{
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    cli_error("umbra", "'%s' is not a command (umbra --help lists them)", name);
    return NULL;
}

static int run_command(const char *name, int argc, char **argv)
{
    char full[64];
    const struct command *command = find_command(name);
    if (!command)
        return STATUS_USAGE;
    snprintf(full, sizeof full, "umbra %s", command->name);
    argv[0] = full;
    return command->run(argc, argv);
}

int main(int argc, char **argv)
{
    open_standard_files();
    atexit(close_output);
    signal(SIGPIPE, SIG_IGN); /* a write error instead, that can be reported */
    signal(SIGXFSZ, SIG_IGN);
    signals_report_crashes();

    const char *first = argc > 1 ? argv[1] : "--help";
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 ||
        (strcmp(first, "help") == 0 && argc == 2)) {
        help();
        return STATUS_OK;
    }
    if (strcmp(first, "--version") == 0) {
        cli_version();
        return STATUS_OK;
    }
    if (strcmp(first, "help") == 0) {
        char *arguments[] = {argv[0], (char[]){"--help"}, NULL};
        return run_command(argv[2], 2, arguments);
    }
    if (first[0] == '-') {
        cli_error("umbra", "unknown option '%s' (umbra --help)", first);
        return STATUS_USAGE;
    }
    return run_command(first, argc - 1, argv + 1);
}
