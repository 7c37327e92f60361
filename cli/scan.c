/* SPDX-License-Identifier: MIT */
/* umbra scan: the sensitive instructions of a kernel image, by class. */
#include "traps/scan.h"

#include "cli/cli.h"
#include "cli/guest.h"
#include "vmm/load.h"
#include "vmm/symbols.h"

#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Room for any kernel that Umbra boots; only what is written costs memory. */
enum { IMAGE_BYTES = 1 << 30, TEXT_BYTES = 64, PLACE_BYTES = 40 };

struct scan {
    const char *who;
    const char *name;
    bool all, json;
    struct blob kernel;
    void *kernel_data;
    uint8_t *memory; /* guest-physical, IMAGE_BYTES */
    struct load_result image;
    struct symbols *symbols;
    struct scan_result result;
};

/* What a deprivileged kernel's instruction does, by class. */
static const char *class_effect(enum insn_class cls)
{
    switch (cls) {
    case CLASS_PRIVILEGED:
    case CLASS_IO: return "traps";
    case CLASS_FLAG:
    case CLASS_TABLE:
    case CLASS_DESCRIPTOR:
    case CLASS_SEGMENT:
    case CLASS_TRANSFER: return "SILENT";
    case CLASS_VISIBLE: return "visible";
    default: return "";
    }
}

/* ---- The image
 * ---------------------------------------------------------------- */

static bool keep(void *ctx, uint64_t gpa, const void *data, uint64_t bytes)
{
    const struct scan *s = ctx;
    memcpy(s->memory + gpa, data, bytes);
    return true;
}

static bool load(struct scan *s)
{
    struct load_request request = {.kernel = s->kernel};
    struct load_memory memory = {
        .write = keep, .ctx = s, .ram_bytes = IMAGE_BYTES};
    char *error = NULL;
    const char *kind = load_kind(&s->kernel);
    if (kind && strcmp(kind, "linux") == 0) {
        cli_error(s->who,
                  "%s: a bzImage holds its kernel compressed: there is "
                  "nothing to read before it runs",
                  s->kernel.name);
        return false;
    }
    if (kind && strcmp(kind, "disk") == 0) {
        cli_error(s->who,
                  "%s: a disk: which of it is code is only known when it runs",
                  s->kernel.name);
        return false;
    }
    s->memory = mmap(NULL, IMAGE_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    s->symbols = symbols_load(s->kernel);
    if (s->memory == MAP_FAILED || !s->symbols) {
        s->memory = NULL;
        cli_error(s->who, "out of memory");
        return false;
    }
    if (!load_guest(&request, &memory, &s->image, &error)) {
        cli_error(s->who, "%s", error ? error : "out of memory");
        free(error);
        return false;
    }
    return true;
}

/* The entry point as linked; the loader knows where it is loaded. */
static uint32_t linked_entry(const struct scan *s)
{
    for (unsigned i = 0; i < s->image.range_count; i++) {
        const struct load_range *r = &s->image.range[i];
        if (s->image.entry - r->gpa < r->size)
            return s->image.entry - r->gpa + r->linear;
    }
    return s->image.entry;
}

static bool search(struct scan *s)
{
    struct scan_range ranges[LOAD_RANGES];
    size_t range_count = 0, start_count = 0;
    size_t symbols = symbols_count(s->symbols);
    uint32_t *starts = calloc(symbols + 1, sizeof *starts);
    if (!starts)
        return false;
    for (unsigned i = 0; i < s->image.range_count; i++) {
        const struct load_range *r = &s->image.range[i];
        if (r->executable && r->size > 0)
            ranges[range_count++] =
                (struct scan_range){r->linear, r->size, s->memory + r->gpa};
    }
    for (size_t i = 0; i < symbols; i++) {
        const struct symbol *y = symbols_at(s->symbols, i);
        if (y->code && (y->function || y->global))
            starts[start_count++] = y->address;
    }
    const struct scan_input input = {.ranges = ranges,
                                     .range_count = range_count,
                                     .entry = linked_entry(s),
                                     .starts = starts,
                                     .start_count = start_count,
                                     .code32 = true};
    bool found = scan_image(&input, &s->result);
    free(starts);
    return found;
}

/* ---- What was found
 * -------------------------------------------------------------- */

static void site_place(const struct scan *s, const struct scan_site *site,
                       char text[PLACE_BYTES])
{
    uint32_t offset;
    const struct symbol *y = symbols_find(s->symbols, site->address, &offset);
    if (!y)
        text[0] = '\0';
    else if (offset)
        snprintf(text, PLACE_BYTES, "%.28s+0x%x", y->name, offset);
    else
        snprintf(text, PLACE_BYTES, "%.38s", y->name);
}

static void site_text(const struct scan_site *site, char text[TEXT_BYTES])
{
    text[0] = '\0';
    decode_format(site->bytes, site->length, true, site->address, text,
                  TEXT_BYTES);
}

static void print_class(const struct scan *s, enum insn_class cls)
{
    const struct scan_result *r = &s->result;
    char place[PLACE_BYTES], text[TEXT_BYTES];
    if (r->total[cls] == 0 && (!s->all || r->maybe[cls] == 0))
        return;
    printf("\n%s (%s)\n", insn_class_name(cls), class_effect(cls));
    for (size_t i = 0; i < r->count; i++) {
        const struct scan_site *site = &r->sites[i];
        if (site->cls != cls || !(site->reached || s->all))
            continue;
        site_place(s, site, place);
        site_text(site, text);
        printf("  %08x %c%c %-30s %s\n", site->address,
               site->reached ? ' ' : '?', site->overlap ? '*' : ' ', place,
               text);
    }
}

static void print_totals(const struct scan *s)
{
    const struct scan_result *r = &s->result;
    size_t silent = 0, total = 0, maybe = 0;
    printf("\n%-30s %-8s %8s %10s\n", "class", "at ring 1", "reached",
           "maybe data");
    for (int c = CLASS_NONE + 1; c < CLASS_COUNT; c++) {
        enum insn_class cls = (enum insn_class)c;
        const char *effect = class_effect(cls);
        printf("%-30s %-9s %8zu %10zu\n", insn_class_name(cls), effect,
               r->total[c], r->maybe[c]);
        total += r->total[c];
        maybe += r->maybe[c];
        if (strcmp(effect, "SILENT") == 0)
            silent += r->total[c];
    }
    printf("%-30s %-9s %8zu %10zu\n\n", "all", "", total, maybe);
    printf("%zu instructions reached; %zu of them are sensitive and do not "
           "trap.\n",
           r->instructions, silent);
    printf("Followed by direct jumps and calls from the entry point and %zu "
           "symbols:\n%llu bytes. Not reached: %llu bytes, of which %llu "
           "decode as nothing; they may be\ndata, or code reached through "
           "pointers: reading alone cannot tell. Code that is\nmade or loaded "
           "at run time is not seen at all.\n",
           symbols_count(s->symbols), (unsigned long long)r->bytes_reached,
           (unsigned long long)r->bytes_unreached,
           (unsigned long long)r->bytes_undefined);
    if (r->overlapping)
        printf("%zu reached instructions overlap others (marked *).\n",
               r->overlapping);
}

static void print_text(const struct scan *s)
{
    printf("%s: sensitive instructions%s\n", s->kernel.name,
           s->all ? " (?: not reached, maybe data)" : "");
    for (int c = CLASS_NONE + 1; c < CLASS_COUNT; c++)
        print_class(s, (enum insn_class)c);
    print_totals(s);
}

static bool print_json(const struct scan *s)
{
    const struct scan_result *r = &s->result;
    char place[PLACE_BYTES], text[TEXT_BYTES], address[12];
    json_t *sites = json_array(), *classes = json_array();
    for (int c = CLASS_NONE + 1; c < CLASS_COUNT; c++)
        json_array_append_new(
            classes, json_pack("{s:s, s:s, s:I, s:I}", "class",
                               insn_class_name((enum insn_class)c), "effect",
                               class_effect((enum insn_class)c), "reached",
                               (json_int_t)r->total[c], "maybe_data",
                               (json_int_t)r->maybe[c]));
    for (size_t i = 0; i < r->count; i++) {
        const struct scan_site *site = &r->sites[i];
        enum insn_class cls = (enum insn_class)site->cls;
        site_place(s, site, place);
        site_text(site, text);
        snprintf(address, sizeof address, "0x%08x", site->address);
        json_array_append_new(
            sites,
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b}", "address",
                      address, "symbol", place, "text", text, "name",
                      insn_name((enum insn_id)site->id), "class",
                      insn_class_name(cls), "effect", class_effect(cls),
                      "reached", site->reached, "overlap", site->overlap));
    }
    json_t *root = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "kernel", s->kernel.name,
        "instructions", (json_int_t)r->instructions, "bytes_reached",
        (json_int_t)r->bytes_reached, "bytes_unreached",
        (json_int_t)r->bytes_unreached, "bytes_undefined",
        (json_int_t)r->bytes_undefined, "classes", classes, "sites", sites);
    if (!root)
        return false;
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
    return true;
}

/* ---- The command
 * ------------------------------------------------------------------ */

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct scan *s = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->err_stream = NULL; return 0;
    case 'a': s->all = true; return 0;
    case 'j': s->json = true; return 0;
    case ARGP_KEY_ARG:
        if (s->name) {
            cli_error(s->who, "more than one kernel: '%s'", arg);
            return EINVAL;
        }
        s->name = arg;
        return 0;
    case ARGP_KEY_END:
        if (s->name && *s->name)
            return 0;
        cli_error(s->who, "which KERNEL? (@lumen is the built-in one)");
        return EINVAL;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static int scan_kernel(struct scan *s)
{
    int status = STATUS_USAGE;
    if (!guest_kernel(s->who, s->name, &s->kernel, &s->kernel_data))
        return status;
    if (load(s)) {
        status = STATUS_OK;
        if (!search(s)) {
            cli_error(s->who, "out of memory");
            status = STATUS_USAGE;
        } else if (!s->json) {
            print_text(s);
        } else if (!print_json(s)) {
            status = STATUS_INTERNAL;
        }
        scan_free(&s->result);
    }
    if (s->memory)
        munmap(s->memory, IMAGE_BYTES);
    symbols_free(s->symbols);
    free(s->kernel_data);
    return status;
}

int cmd_scan(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"all", 'a', NULL, 0, "List what was not reached too: it may be data",
         0},
        {"json", 'j', NULL, 0, "Print everything as JSON", 0},
        {0},
    };
    static const struct argp argp = {
        options,
        parse,
        "KERNEL",
        "List the sensitive instructions of a kernel image, by class.\v"
        "KERNEL is a multiboot ELF, or @lumen, the built-in kernel. The "
        "classes follow Robin and Irvine (USENIX Security 2000): those that "
        "trap when the kernel runs outside ring 0, and those that silently do "
        "something else.",
        NULL,
        NULL,
        NULL};
    struct scan scan = {.who = "umbra scan"};
    if (argp_parse(&argp, argc, argv, 0, NULL, &scan) != 0)
        return STATUS_USAGE;
    return scan_kernel(&scan);
}
