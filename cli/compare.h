/* SPDX-License-Identifier: MIT */
/* cli/compare.h - one guest run under several techniques, and the verdict.
 *
 * All of them advance in lock step of guest work, which is what virtual time
 * counts. At agreed points of it the guests that run the same kernel are
 * compared, register by register and byte by byte of memory; at the end what
 * any guest leaves behind: its console, its exit status, its disks.
 */
#ifndef CLI_COMPARE_H
#define CLI_COMPARE_H

#include "cli/compare_state.h"
#include "cli/guest.h"

#include <jansson.h>
#include <stdio.h>

enum {
    COMPARE_MAX = 16,
    CONSOLE_MAX_BYTES = 64 << 20,
    SWITCH_BUCKETS = 256,
};

enum { CPU_TEXT = 56, MMU_TEXT = 56 };

struct technique {
    char name[112]; /* "trap+iopl1:tlb" */
    enum cpu_technique cpu;
    const struct mmu_technique *mmu;
    bool iopl1;
    bool nobatch;           /* lumen-pv's command line gets that word */
    unsigned bt_without;    /* 1 << enum bt_option */
    unsigned mmu_without;   /* enum mmu_optimization */
    unsigned nested_levels; /* 0: the default */
};

/* What was counted up to an agreed point. */
struct sample {
    uint64_t cycles;
    uint64_t faults[FC_COUNT];
    uint64_t exits, cr3_writes, tables;
    unsigned spaces; /* address spaces, as far as faults have shown them */
    uint64_t working_set_pages; /* see compare_pages.h; of the first guest */
};

/* Page faults by class between the guest's loads of CR3: bucket i has those
 * after load number i << shift. */
struct switches {
    unsigned shift;
    size_t count; /* buckets in use */
    uint32_t faults[SWITCH_BUCKETS][FC_COUNT];
};

/* The tables that the guest's CR3 has named when a fault came. */
enum { SPACES_SHIFT = 12, SPACES_MOST = 1 << SPACES_SHIFT };
struct spaces {
    uint64_t loads; /* of CR3, when it was last looked at */
    unsigned count;
    uint32_t root[SPACES_MOST]; /* 0: free */
};

/* How far two guests' states were the same. */
enum state_verdict {
    STATE_ALONE,   /* nobody else runs this kernel */
    STATE_EQUAL,   /* at every point */
    STATE_SHIFTED, /* until an interrupt came elsewhere */
    STATE_DIFFERS, /* and that is wrong */
};

/* The instruction before which two guests were in the same state, and after
 * which they were not. */
struct divergence {
    bool found; /* else only the interval is known */
    bool interrupt;
    uint64_t cycles;
    uint32_t eip;
    char place[64]; /* symbol+offset */
    char text[64];  /* the instruction */
    struct state_difference after;
};

struct state_check {
    enum state_verdict verdict;
    size_t peer; /* whom it was compared with */
    unsigned points, memory_points;
    uint64_t equal_cycles, different_cycles; /* the interval, if it differs */
    uint64_t excused[EXCUSES];               /* most at any point */
    struct divergence first;
};

/* What a run came to. */
struct outcome {
    const struct technique *technique;
    enum vm_stop stop;
    int status;
    bool limited; /* stopped by --max-time or --max-cycles */
    struct counters count;
    uint64_t cycles;
    double seconds; /* CPU time of the host */
    uint64_t memory_digest, state_digest;
    char *console;
    size_t console_bytes, console_room;
    char *report;
    struct sample *samples;
    size_t sample_count, sample_room;
    struct switches switches;
    struct spaces spaces;
    struct state_check state;
    json_t *stats; /* the document of --stats, and the working set */

    /* Against the first outcome. */
    bool equal;
    size_t line; /* of the consoles' first difference, from 1; 0: none */
    size_t byte; /* and the byte there */
    char expected[80], found[80];
    char printer[96];  /* who printed that byte; "": not known */
    size_t time_lines; /* that differ in numbers, after an interrupt came
                        * elsewhere */
    bool disk_differs;
    size_t disk;
    uint64_t disk_offset;
};

struct comparison {
    struct technique technique[COMPARE_MAX];
    struct outcome outcome[COMPARE_MAX];
    size_t count;
    const char *kernel, *append; /* of the guest; append may be NULL */
    bool equal;
    bool limited;
};

/* compare_list.c: "bare", "trap:tlb", "trap+iopl1:shadow", "bt-chain:tlb" (bt
 * without chain), "bt:shadow-unsync" (shadow without unsync), "pv+nobatch:tlb",
 * separated by commas. False: a line was printed. */
bool compare_parse_list(struct comparison *c, struct run_options *o,
                        const char *list);
/* The techniques that can run this guest without changing it. */
const char *compare_default_list(const struct guest *g);
/* "trap+iopl1", "bt-chain": the processor's part of the name; "shadow-unsync",
 * "-": memory's. */
const char *compare_cpu_text(const struct technique *t, char text[CPU_TEXT]);
const char *compare_mmu_text(const struct technique *t, char text[MMU_TEXT]);

/* compare_steps.c: run all of them. STATUS_OK, or another after a line was
 * printed or a signal came. */
int compare_run(struct comparison *c, const struct guest *guest,
                const struct run_options *o);

/* compare_first.c: name the instruction behind every state that differs.
 * Creates these guests anew. */
void compare_find_first(struct comparison *c, const struct guest *guest,
                        const struct run_options *o);

/* compare_printer.c: where states cannot be compared, name the instruction that
 * printed the first byte that differs. Creates these guests anew. */
void compare_find_printers(struct comparison *c, const struct guest *guest,
                           const struct run_options *o);

/* compare_judge.c: fill in equal, line... of every outcome, and of the whole;
 * and stats. False: no host memory. */
void compare_judge(struct comparison *c);
bool compare_measure(struct comparison *c);
/* The names of symbols are the guest's. to may be from. */
void compare_copy_printable(char *to, size_t size, const char *from);
const char *compare_verdict(const struct comparison *c); /* a sentence */
const char *compare_stop_name(const struct outcome *r);
const char *compare_state_name(enum state_verdict verdict);

/* Free what the outcomes hold. */
void compare_free(struct comparison *c);

/* What it came to, in several forms. False: no host memory; whether the file
 * took it all is for its owner to see. */
bool compare_print(const struct comparison *c, FILE *out);
bool compare_print_json(const struct comparison *c, FILE *out);
bool compare_print_csv(const struct comparison *c, FILE *out);
bool report_print(const struct comparison *c, FILE *out); /* report.c: HTML */

/* compare_table.c: in lines, how an outcome differs from the others, and where
 * it began; nothing if it does not. */
void compare_print_differences(const struct comparison *c, FILE *out,
                               const struct outcome *r);

#endif
