/* SPDX-License-Identifier: MIT */
/* cli/options.h - the options that say what guest to run and how.
 *
 * Every command that runs guests parses them here, so that they mean the same
 * everywhere. A mistake is one line on standard error that names the option
 * and what would be right.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "vmm/vm.h"

#include <argp.h>

enum serial_kind { SERIAL_STDIO, SERIAL_NULL, SERIAL_FILE };
enum console_kind { CONSOLE_AUTO, CONSOLE_SERIAL, CONSOLE_SCREEN };

enum { OPTIONS_INITRDS = 64, OPTIONS_DISKS = 4 };

struct run_options {
    const char *who; /* "umbra run", for messages */

    /* The technique. */
    bool cpu_given, mmu_given;
    enum cpu_technique cpu;
    const struct mmu_technique *mmu;
    bool iopl1;
    bool audit;             /* --audit silent */
    uint64_t audit_mmu;     /* --audit mmu: at every so many exits; 0: not */
    uint64_t table_bytes;   /* 0: default */
    unsigned mmu_without;   /* enum mmu_optimization: switched off */
    unsigned nested_levels; /* 0: the default */
    unsigned bt_without;    /* 1 << enum bt_option: switched off */
    unsigned bt_unit;       /* 0: default */
    uint32_t bt_cache_bytes;

    /* The guest. Strings are argv's. */
    const char *kernel;             /* NULL: the built-in lumen */
    uint64_t memory_bytes;          /* 0: default */
    unsigned tlb_entries, tlb_ways; /* 0: default */
    const char *append;
    const char *initrd[OPTIONS_INITRDS];
    size_t initrd_count;
    struct pc_disk disk[OPTIONS_DISKS]; /* paths are allocated */
    size_t disk_count;
    bool diskette; /* the last of them is one */
    bool testdev, walker;

    /* Its memory in the machine; 0, NULL: as struct vm_config has it. */
    uint64_t machine_bytes, swap_bytes;
    const char *swap_path;
    uint64_t balloon_bytes;
    bool balloon_auto;
    bool large_frames;
    unsigned share;

    /* The run. */
    double max_seconds; /* 0: no limit */
    uint64_t max_cycles;
    bool host_clock;
    enum serial_kind serial;
    const char *serial_path;
    enum console_kind console;
    const char *stats, *trace, *screen; /* NULL: none */
};

/* Which of the shared options a command takes. */
enum { TAKES_TECHNIQUE = 1, TAKES_OUTPUT = 2 };

/* A command's own part: text for --help, more options (keys from 1000 on) and
 * what to do with them (0, or EINVAL after options_fail). */
struct options_command {
    const char *who; /* "umbra run" */
    const char *doc; /* argp's doc */
    unsigned takes;
    const struct argp_option *extra; /* may be NULL */
    error_t (*parse_extra)(void *ctx, struct run_options *o, int key,
                           char *arg);
    void *ctx;
};

/* Parse, and check what can be checked without a look at the files. False: a
 * line was printed; exit with status 2. (--help exits with 0 by itself.) */
bool options_parse(struct run_options *o, const struct options_command *command,
                   int argc, char **argv);
void options_free(struct run_options *o);

/* Print "WHO: message"; returns EINVAL. */
error_t options_fail(const struct run_options *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Names to techniques; false after options_fail: unknown, not built yet, or a
 * pair that does not go together. */
bool options_find_cpu(struct run_options *o, const char *name);
bool options_find_mmu(struct run_options *o, const char *name);
/* A list of optimizations of the memory technique, to be switched off. */
bool options_find_mmu_without(struct run_options *o, const char *list);
bool options_find_bt_without(struct run_options *o, const char *list);
bool options_check_pair(const struct run_options *o);

/* An integer from min to max, in decimal or 0x form, or a real number. False:
 * it is none, or, of options_number, after options_fail. */
bool options_integer(const char *text, uint64_t min, uint64_t max,
                     uint64_t *value);
bool options_real(const char *text, double min, double max, double *value);
bool options_number(const struct run_options *o, const char *option,
                    const char *text, uint64_t min, uint64_t max,
                    uint64_t *value);

#endif
