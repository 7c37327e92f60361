/* SPDX-License-Identifier: MIT */
/* tests/vmm/test_hostile.c - guests that mean no good.
 *
 * Each program of guests/hostile runs on the bare machine and under every
 * technique with every memory technique. It must end as it says: with its own
 * fault handled, a triple fault, never, or as the bare machine has it; and log
 * the same on the way. Never by a bug of ours.
 *
 * UMBRA_HOSTILE=NAME runs one program, with every variant in every way;
 * UMBRA_HOSTILE=all does so with all.
 *
 * timeout: 300
 */
#include <criterion/criterion.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guests/hostile/hostile.h"
#include "tests/support/guest.h"

/* Virtual time for those that end, and for those that may not. */
#define CYCLES_ENOUGH UINT64_C(60000000)
#define CYCLES_FEW    UINT64_C(200000)

/* ---- the image ------------------------------------------------------------
 */

struct image {
    uint8_t *bytes;
    size_t size;
    uint8_t *loaded; /* HOSTILE_IMAGE */
};

static uint32_t word(const struct image *im, uint32_t offset)
{
    uint32_t value;

    memcpy(&value, im->loaded + offset, sizeof value);
    return value;
}

static void set_word(struct image *im, uint32_t offset, uint32_t value)
{
    memcpy(im->loaded + offset, &value, sizeof value);
}

static struct image image_read(void)
{
    const char *build = getenv("UMBRA_BUILD");
    struct image im = {.size = 1 << 20};
    Elf32_Ehdr header;
    Elf32_Phdr p;
    char name[512];
    FILE *f;

    snprintf(name, sizeof name, "%s/guests/hostile", build ? build : "build");
    f = fopen(name, "rb");
    cr_assert_not_null(f, "%s", name);
    im.bytes = malloc(im.size);
    cr_assert_not_null(im.bytes);
    im.size = fread(im.bytes, 1, im.size, f);
    fclose(f);
    memcpy(&header, im.bytes, sizeof header);
    memcpy(&p, im.bytes + header.e_phoff, sizeof p);
    cr_assert_eq(p.p_paddr, HOSTILE_IMAGE);
    im.loaded = im.bytes + p.p_offset;
    return im;
}

struct program {
    unsigned index;
    const char *name;
    uint32_t variants, end, flags;
};

static unsigned program_count(const struct image *im)
{
    return (word(im, HOSTILE_TABLE + 4) - word(im, HOSTILE_TABLE)) /
           PROGRAM_BYTES;
}

static struct program program_read(const struct image *im, unsigned index)
{
    uint32_t at =
        word(im, HOSTILE_TABLE) - HOSTILE_IMAGE + index * PROGRAM_BYTES;

    return (struct program){index, (const char *)im->loaded + at + PROGRAM_NAME,
                            word(im, at + PROGRAM_VARIANTS),
                            word(im, at + PROGRAM_END),
                            word(im, at + PROGRAM_FLAGS)};
}

/* ---- one run
 * -------------------------------------------------------------------- */

struct run {
    enum vm_stop stop;
    int status;
    uint32_t logged;
    uint32_t log[LOG_WORDS];
    char report[512];
};

static void run_program(struct image *im, const struct program *p,
                        uint32_t variant, const struct way *way, struct run *r)
{
    struct guest g;

    memset(r, 0, sizeof *r);
    set_word(im, HOSTILE_CHOICE, p->index);
    set_word(im, HOSTILE_VARIANT, variant);
    guest_open(&g, way, (struct blob){im->bytes, im->size, "hostile"}, NULL,
               MEMORY_END, NULL);
    r->stop = guest_run(&g, p->end == END_EXIT ? CYCLES_ENOUGH : CYCLES_FEW);
    r->status = r->stop == VM_RUNNING ? 124 : vm_exit_status(g.vm);
    snprintf(r->report, sizeof r->report, "%s", vm_report(g.vm));
    cr_assert(vm_read_physical(g.vm, GPA(HOSTILE_IMAGE + HOSTILE_LOGGED),
                               &r->logged, sizeof r->logged));
    if (r->logged > LOG_WORDS) /* the program may have overwritten it */
        r->logged = LOG_WORDS;
    cr_assert(
        vm_read_physical(g.vm, GPA(LOG), r->log, r->logged * sizeof *r->log));
    guest_close(&g);
}

static void print_log(const char *name, const struct run *r, uint32_t from)
{
    fprintf(stderr, "  %-18s stop %d status %d, %u words, from %u:", name,
            r->stop, r->status, r->logged, from);
    for (uint32_t i = from; i < r->logged && i < from + 12; i++)
        fprintf(stderr, " %x", r->log[i]);
    fprintf(stderr, "\n%s", r->report);
}

/* ---- what must come of it
 * ------------------------------------------------------- */

static bool ended_well(const struct program *p, const struct run *r,
                       const struct run *bare)
{
    switch (p->end) {
    case END_EXIT: return r->stop == VM_DEBUG_EXIT && r->status == 1;
    case END_TRIPLE: return r->stop == VM_TRIPLE_FAULT && r->status == 4;
    case END_NEVER: return r->stop == VM_RUNNING;
    case END_DEAD: return r->stop == VM_DEAD && r->status == 4;
    default: return r->stop == bare->stop && r->status == bare->status;
    }
}

/* Does the technique promise that this program finds nothing amiss? */
static bool promised(const struct program *p, const struct way *way)
{
    return !(way->cpu == CPU_TRAP && (p->flags & NOT_TRAP)) &&
           !(way->cpu == CPU_BT_STATIC && (p->flags & NOT_STATIC));
}

static uint32_t log_difference(const struct run *a, const struct run *b)
{
    uint32_t i = 0;

    while (i < a->logged && i < b->logged && a->log[i] == b->log[i])
        i++;
    return i;
}

/* The events that a triple fault ran through, and the state it left: its report
 * but for the first line, which tells the time. */
static const char *fall(const struct run *r)
{
    const char *line = strchr(r->report, '\n');

    return line ? line : "";
}

static void check(const struct program *p, uint32_t variant,
                  const struct way *way, const struct run *r,
                  const struct run *bare)
{
    bool refused = r->stop == VM_UNSUPPORTED && (p->flags & MAY_REFUSE);
    bool timed = r->stop == VM_RUNNING; /* logs end wherever they got to */
    uint32_t from = log_difference(r, bare);
    bool same = from == r->logged && r->logged == bare->logged;

    cr_expect(r->stop != VM_INTERNAL, "%s, variant %u, %s: %s", p->name,
              variant, way->name, r->report);
    cr_expect(r->stop != VM_UNSUPPORTED || r->report[0],
              "%s, variant %u, %s: refused without a word", p->name, variant,
              way->name);
    if (refused || !promised(p, way))
        return;
    cr_expect(ended_well(p, r, bare), "%s, variant %u, %s: stop %d, status %d",
              p->name, variant, way->name, r->stop, r->status);
    if (r->stop == VM_TRIPLE_FAULT && bare->stop == VM_TRIPLE_FAULT &&
        !(p->flags & ANY_TLB))
        cr_expect_str_eq(fall(r), fall(bare),
                         "%s, variant %u, %s fell otherwise:\n%sbare:\n%s",
                         p->name, variant, way->name, r->report, bare->report);
    same |= timed || (p->flags & NOT_LOGGED);
    cr_expect(same, "%s, variant %u, %s: the log differs", p->name, variant,
              way->name);
    if (!same || !ended_well(p, r, bare)) {
        print_log("bare", bare, from > 6 ? from - 6 : 0);
        print_log(way->name, r, from > 6 ? from - 6 : 0);
    }
}

/* Programs of many variants meet one of the ways with each, in turn. */
enum { MANY_VARIANTS = 2 };

static void everywhere(struct image *im, const struct program *p,
                       uint32_t variant, bool all)
{
    static struct run bare, other;
    struct way way;
    unsigned count = 0;

    run_program(im, p, variant, &ways[WAY_BARE], &bare);
    check(p, variant, &ways[WAY_BARE], &bare, &bare);
    while (guest_way(count, &way))
        count++;
    for (unsigned i = 0; guest_way(i, &way); i++) {
        if (!all && p->variants >= MANY_VARIANTS && i != variant % count)
            continue;
        run_program(im, p, variant, &way, &other);
        check(p, variant, &way, &other, &bare);
    }
}

/* Every eighth program from the first on.
 * UMBRA_HOSTILE: one program, every variant in every way; or "all". */
static void programs(unsigned first)
{
    struct image im = image_read();
    const char *only = getenv("UMBRA_HOSTILE");
    unsigned count = program_count(&im);

    for (unsigned i = first; i < count; i += 8) {
        struct program p = program_read(&im, i);

        for (uint32_t v = 0; v < p.variants; v++)
            if (!only || strcmp(only, "all") == 0 || strcmp(only, p.name) == 0)
                everywhere(&im, &p, v, only != NULL);
    }
    free(im.bytes);
}

#define PROGRAMS(n)                                                            \
    Test(hostile, programs_from_##n, .timeout = 280)                           \
    {                                                                          \
        programs(n);                                                           \
    }
PROGRAMS(0)
PROGRAMS(1)
PROGRAMS(2)
PROGRAMS(3)
PROGRAMS(4)
PROGRAMS(5)
PROGRAMS(6)
PROGRAMS(7)
