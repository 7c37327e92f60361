/* SPDX-License-Identifier: MIT */
/* umbra compare: the same guest under several techniques, one after another.
 * No input is given to it, so that every run is the same. */
#include "cli/compare.h"

#include "cli/cli.h"
#include "cli/files.h"
#include "cli/terminal.h"
#include "vmm/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    KEY_TECHNIQUES = 1000,
    KEY_JSON,
    SLICE_CYCLES = 20000000,
    QUIET_SECONDS = 2, /* then say what is going on */
};

struct compare {
    struct run_options options;
    struct guest guest;
    struct comparison result;
    const char *list; /* NULL: default */
    bool json;
    double start;
};

/* ---- Techniques ---------------------------------------------------------- */

/* "bt-chain-inline": bt without these two. What follows "bt" is cut off. */
static bool minus_options(struct run_options *o, char *word)
{
    if (strncmp(word, "bt-", 3) != 0 || cpu_technique_find(word) >= 0)
        return true;
    for (char *p = word + 3; *p; p++)
        if (*p == '-')
            *p = ',';
    word[2] = '\0';
    return options_find_bt_without(o, word + 3);
}

static bool parse_one(struct comparison *c, struct run_options *o, char *word)
{
    char *colon = strchr(word, ':');
    struct technique *t = &c->technique[c->count];
    o->cpu_given = true;
    o->mmu_given = false;
    o->mmu = &mmu_shadow;
    if (colon)
        *colon = '\0';
    o->bt_without = 0;
    if (!minus_options(o, word))
        return false;
    char *plus = strchr(word, '+');
    bool iopl1 = plus && strcmp(plus, "+iopl1") == 0;
    bool nobatch = plus && strcmp(word, "pv+nobatch") == 0;
    if (plus && !iopl1 && !nobatch) {
        options_fail(o,
                     "--techniques: '%s' is not 'trap+iopl1' or "
                     "'pv+nobatch'",
                     word);
        return false;
    }
    if (plus)
        *plus = '\0';
    o->iopl1 = iopl1;
    if (!options_find_cpu(o, word) ||
        (colon && !options_find_mmu(o, colon + 1)) || !options_check_pair(o))
        return false;
    *t = (struct technique){.cpu = o->cpu,
                            .mmu = o->mmu,
                            .iopl1 = o->iopl1,
                            .nobatch = nobatch,
                            .bt_without = o->bt_without};
    bool bare = o->cpu == CPU_BARE;
    char cpu[CPU_TEXT];
    snprintf(t->name, sizeof t->name, "%s%s%s", compare_cpu_text(t, cpu),
             bare ? "" : ":", bare ? "" : o->mmu->name);
    c->count++;
    return true;
}

bool compare_parse_list(struct comparison *c, struct run_options *o,
                        const char *list)
{
    struct run_options scratch = *o;
    char *copy = strdup(list), *rest = copy, *word;
    bool good = copy != NULL;
    while (good && (word = strsep(&rest, ","))) {
        if (c->count == COMPARE_MAX) {
            options_fail(o, "--techniques: %d at most", COMPARE_MAX);
            good = false;
        } else {
            good = parse_one(c, &scratch, word);
        }
    }
    free(copy);
    return good;
}

/* Those that can run this guest without changing it. */
static const char *default_list(const struct guest *g)
{
    const char *kind = load_kind(&g->config.kernel);
    if (kind && strcmp(kind, "linux") == 0)
        return "bare,bt:tlb,bt:shadow";
    if (guest_is_builtin(g, "lumen-pv"))
        return "pv+nobatch:shadow,pv:tlb,pv:shadow";
    if (guest_is_builtin(g, "lumen-trap"))
        return "bare,trap:shadow,bt-static:shadow,bt:shadow";
    return "bare,bt-static:shadow,bt:tlb,bt:shadow";
}

/* ---- Disks: each run gets its own copy ----------------------------------- */

static bool copy_disk(const char *who, const char *path, int *fd)
{
    char buffer[64 << 10];
    int from = open(path, O_RDONLY | O_CLOEXEC);
    *fd = memfd_create("disk", MFD_CLOEXEC);
    int error = from < 0 || *fd < 0 ? errno : 0;
    while (!error) {
        ssize_t n = read(from, buffer, sizeof buffer);
        if (n < 0)
            error = errno;
        else
            error = file_write_all(*fd, buffer, (size_t)n);
        if (n <= 0)
            break;
    }
    if (from >= 0)
        close(from);
    if (error)
        cli_error(who, "%s: %s", path, strerror(error));
    return !error;
}

struct disk_copies {
    struct pc_disk disk[OPTIONS_DISKS];
    int fd[OPTIONS_DISKS];
    char path[OPTIONS_DISKS][32];
    size_t count;
};

static bool copy_disks(struct disk_copies *d, const struct run_options *o)
{
    for (d->count = 0; d->count < o->disk_count;) {
        size_t i = d->count++;
        if (!copy_disk(o->who, o->disk[i].path, &d->fd[i]))
            return false;
        snprintf(d->path[i], sizeof d->path[i], "/proc/self/fd/%d", d->fd[i]);
        d->disk[i] = (struct pc_disk){d->path[i], o->disk[i].read_only};
    }
    return true;
}

static void close_disks(struct disk_copies *d)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->fd[i] >= 0)
            close(d->fd[i]);
}

/* ---- One run
 * ----------------------------------------------------------------- */

static void capture(void *ctx, uint8_t byte)
{
    struct outcome *r = ctx;
    if (r->console_bytes == r->console_room) {
        size_t room = r->console_room ? 2 * r->console_room : 4096;
        char *grown =
            room <= CONSOLE_MAX_BYTES ? realloc(r->console, room) : NULL;
        if (!grown) {
            r->limited = true;
            cli_interrupted = true;
            return;
        }
        r->console = grown;
        r->console_room = room;
    }
    r->console[r->console_bytes++] = (char)byte;
}

static void progress(const struct compare *c, size_t index, bool *said)
{
    if (*said || cli_seconds() - c->start < QUIET_SECONDS)
        return;
    *said = true;
    fprintf(stderr, "%s: %zu of %zu: %s\n", c->options.who, index + 1,
            c->result.count, c->result.technique[index].name);
}

static void run_to_end(const struct compare *c, struct vm *vm, size_t index,
                       struct outcome *r)
{
    uint64_t most = c->options.max_cycles;
    bool said = false;
    double start = cli_seconds();
    cli_interrupted = cli_signal != 0;
    cli_timed_out = 0;
    signals_insist(true);
    signals_time_limit(c->options.max_seconds);
    for (;;) {
        uint64_t until = vm_cycles(vm) + SLICE_CYCLES;
        struct vm_limit limit = {.cycles = most && until > most ? most : until,
                                 .interrupted = &cli_interrupted};
        r->stop = vm_run(vm, &limit);
        progress(c, index, &said);
        if (r->stop != VM_RUNNING)
            break;
        if (cli_interrupted || (most && vm_cycles(vm) >= most)) {
            r->limited = true;
            break;
        }
    }
    signals_insist(false);
    r->seconds = cli_seconds() - start;
}

static void keep_results(struct vm *vm, struct outcome *r)
{
    r->status = r->limited ? STATUS_LIMIT : vm_exit_status(vm);
    r->count = vm_trace(vm)->count;
    r->cycles = vm_cycles(vm);
    r->memory_digest = vm_digest(vm, false);
    r->state_digest = vm_digest(vm, true);
    const char *report = vm_report(vm);
    r->report = strdup(report ? report : "");
}

/* STATUS_OK, or why it could not be run. */
static int run_one(struct compare *c, size_t index)
{
    const struct technique *t = &c->result.technique[index];
    struct outcome *r = &c->result.outcome[index];
    struct disk_copies disks;
    struct vm_config config = c->guest.config;
    char *error = NULL;
    int status = STATUS_USAGE;
    struct vm *vm = NULL;

    r->technique = t;
    config.cpu = t->cpu;
    config.mmu = t->mmu;
    config.iopl1 = t->iopl1;
    config.bt_without = t->bt_without;
    config.serial_output = capture;
    config.ctx = r;
    config.disks = disks.disk;
    char *append = NULL;
    if (t->nobatch &&
        asprintf(&append, "%s nobatch", config.append ? config.append : "") > 0)
        config.append = append;
    if (copy_disks(&disks, &c->options) &&
        guest_port(&c->guest, c->options.who, t->cpu, &config.kernel)) {
        vm = vm_create(&config, &error, &status);
        if (!vm)
            cli_error(c->options.who, "%s: %s", t->name,
                      error ? error : "out of memory");
    }
    if (vm) {
        run_to_end(c, vm, index, r);
        keep_results(vm, r);
        vm_destroy(vm);
        status = cli_signal ? STATUS_SIGNAL + cli_signal : STATUS_OK;
    }
    free(error);
    free(append);
    close_disks(&disks);
    return status;
}

/* ---- All of them
 * --------------------------------------------------------------- */

static int verdict(struct compare *c)
{
    struct comparison *r = &c->result;
    compare_judge(r);
    if (!c->json)
        compare_print(r, stdout);
    else if (!compare_print_json(r, stdout))
        return STATUS_INTERNAL;
    for (size_t i = 0; i < r->count; i++)
        if (r->outcome[i].stop == VM_INTERNAL)
            return STATUS_INTERNAL;
    if (!r->equal)
        return STATUS_DIFFERS;
    return r->limited ? STATUS_LIMIT : STATUS_OK;
}

static int compare_all(struct compare *c)
{
    struct run_options *o = &c->options;
    /* The list decides; guest_open need not choose. */
    o->cpu_given = true;
    if (!guest_open(&c->guest, o))
        return STATUS_USAGE;
    /* Lumen's shell would wait for input for ever; its self-test ends. */
    if (!c->guest.kernel_data && !o->append)
        c->guest.config.append = "test";
    int status = STATUS_USAGE;
    const char *list = c->list ? c->list : default_list(&c->guest);
    if (compare_parse_list(&c->result, o, list)) {
        signals_catch();
        c->start = cli_seconds();
        status = STATUS_OK;
        for (size_t i = 0; i < c->result.count && status == STATUS_OK; i++)
            status = run_one(c, i);
        if (status == STATUS_OK)
            status = verdict(c);
    }
    for (size_t i = 0; i < c->result.count; i++) {
        free(c->result.outcome[i].console);
        free(c->result.outcome[i].report);
    }
    guest_close(&c->guest);
    return status;
}

static error_t parse_extra(void *ctx, struct run_options *o, int key, char *arg)
{
    struct compare *c = ctx;
    (void)o;
    if (key == KEY_TECHNIQUES)
        c->list = arg;
    else
        c->json = true;
    return 0;
}

int cmd_compare(int argc, char **argv)
{
    static const struct argp_option extra[] = {
        {"techniques", KEY_TECHNIQUES, "LIST", 0,
         "Which, as in bare,trap:tlb,bt-static:shadow,trap+iopl1:shadow; "
         "bt-chain-ahead is bt without these two (see umbra run "
         "--bt-without). For pv the built-in lumen is its port; pv+nobatch "
         "is the port without batches of hypercalls. The first one is what the "
         "others are measured by. "
         "Default: bare, and what can run the guest as it is",
         1},
        {"json", KEY_JSON, NULL, 0, "Print JSON", 1},
        {0},
    };
    static struct compare c;
    const struct options_command command = {
        .who = "umbra compare",
        .doc = "Run the same guest under several techniques, side by side.\v"
               "The guest gets no input, and each run its own copy of the "
               "disks; the built-in kernel runs its self-test unless --append "
               "says something else. Limits hold for each run.\n\n"
               "Exit status: 0 when every run ended with the same exit status "
               "and the same console output as the first, 1 when one "
               "differs, 124 when a limit ended a run before.",
        .extra = extra,
        .parse_extra = parse_extra,
        .ctx = &c,
    };
    int status = STATUS_USAGE;
    if (options_parse(&c.options, &command, argc, argv))
        status = compare_all(&c);
    options_free(&c.options);
    return status;
}
