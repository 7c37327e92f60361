/* SPDX-License-Identifier: MIT */
/* tests/vmm/test_late_flush.c - a guest that flushes late, on the whole
 * machine.
 *
 * The probe's kernel changes the entries of two page tables, and a directory's
 * entry that links the one or the other or is a large page, and flushes only
 * sometimes; it and its programs read, write and execute there meanwhile.
 * late_flush.h says what may come of that. Each frame tells its number, and
 * which operation wrote there last: it must be one that could.
 *
 * tests/shadowmmu/test_lazy.h asks the same of the MMU alone, on a pretended
 * processor.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "tests/support/random.h"
#include "tests/vmm/late_flush.h"

/* ---- what the guest does ----------------------------------------------------
 */

/* Behind the frames, which are sequences too: code that says whose it is. */
static const uint8_t action_code[][PROBE_ENTRY_BYTES] = {
    [READ] = {0x8B, 0x46, 0x01, 0xCD, PROBE_DONE},
    /* MOV [ESI + 3], CX; MOV EAX, [ESI + 1] */
    [WRITE] = {0x66, 0x89, 0x4E, 0x03, 0x8B, 0x46, 0x01, 0xCD, PROBE_DONE},
    [FETCH] = {0xFF, 0xE6},
    [STORE] = {0x89, 0x07, 0xCD, PROBE_DONE},
    [FLUSH_PAGE] = {0x0F, 0x01, 0x3E, 0xCD, PROBE_DONE},
    [LOAD_CR3] = {0x0F, 0x20, 0xD8, 0x0F, 0x22, 0xD8, 0xCD, PROBE_DONE},
    [SET_CR4] = {0xCD, PROBE_DONE}, /* the probe itself does it before */
};
enum { ACTIONS = sizeof action_code / sizeof action_code[0] };

static uint32_t page_entry(void)
{
    return frame_at(random_below(FRAMES)) |
           (random_chance(75) ? RWU : random_below(8)) |
           (random_chance(66) ? 0u : PTE_G);
}

static uint32_t directory_entry(bool pae)
{
    uint32_t first = pae ? PROBE_PAE_WINDOW_TABLE : PROBE_WINDOW_TABLE;
    uint32_t rights = random_chance(75) ? RWU : random_below(8);

    if (random_chance(20))
        return frame_at(0) | PTE_PS | rights | (random_chance(50) ? PTE_G : 0);
    return (random_chance(50) ? first : (uint32_t)SECOND_TABLE) | rights;
}

/* No-execute, or a bit that is reserved. */
static uint32_t upper_half(void)
{
    if (random_chance(70))
        return random_chance(50) ? (uint32_t)(PTE_NX >> 32) : 0;
    return 1u << random_below(31);
}

static struct op make_store(bool pae)
{
    unsigned table = random_chance(20) ? 0 : 1 + random_below(2);
    struct op o = {.action = STORE,
                   .table = (uint8_t)table,
                   .page = table ? random_below(PAGES) : 0,
                   .upper = pae && random_chance(30)};

    o.value = o.upper ? upper_half()
              : table ? page_entry()
                      : directory_entry(pae);
    return o;
}

static struct op make_op(bool pae)
{
    uint32_t what = random_below(100);

    if (what < 25)
        return make_store(pae);
    if (what < 35)
        return (struct op){.action = FLUSH_PAGE, .page = random_below(PAGES)};
    if (what < 38)
        return (struct op){.action = LOAD_CR3};
    if (what == 38)
        return (struct op){.action = SET_CR4, .pge = random_chance(50)};
    return (struct op){.action = (enum action)random_below(STORE),
                       .page = random_below(PAGES),
                       .user = random_chance(60)};
}

/* ---- as cases of the probe --------------------------------------------------
 */

static uint32_t entry_at(const struct op *o, bool pae)
{
    static const uint32_t tables[2][3] = {
        {PROBE_DIRECTORY + 4 * PROBE_WINDOW_PDE, PROBE_WINDOW_TABLE,
         SECOND_TABLE},
        {PROBE_PAE_DIRECTORY + 8 * PROBE_PAE_WINDOW_PDE, PROBE_PAE_WINDOW_TABLE,
         SECOND_TABLE},
    };

    return tables[pae][o->table] + o->page * (pae ? 8 : 4) + (o->upper ? 4 : 0);
}

static struct probe_case make_case(const struct op *o, bool pae,
                                   uint32_t number)
{
    bool control = o->action == SET_CR4;

    return (struct probe_case){
        .flags = (o->user ? CASE_USER : 0u) |
                 (control ? CASE_CONTROL | (pae ? CASE_WIDE : 0u) : 0u),
        .cr0 = PROBE_CR0,
        .cr4 = (pae ? CR4_PAE : CR4_PSE) | (o->pge ? CR4_PGE : 0u),
        .efer = pae ? EFER_NXE : 0,
        .eip = probe_entry(FRAMES * PER_PAGE + o->action),
        .eflags = EFL_FIXED | EFL_IF,
        .gpr = {entry_at(o, pae), WINDOW + o->page * 0x1000, 0,
                PROBE_SANDBOX + 0x800, 0, 0, number, o->value},
    };
}

/* MOV AL, the frame's number; CMP EAX, who wrote there last, in the lower half.
 * Then the actions. */
static uint8_t (*make_code(void))[PROBE_ENTRY_BYTES]
{
    uint8_t(*code)[PROBE_ENTRY_BYTES] =
        calloc(FRAMES * PER_PAGE + ACTIONS, sizeof *code);

    cr_assert_not_null(code);
    for (unsigned frame = 0; frame < FRAMES; frame++)
        memcpy(code[frame * PER_PAGE],
               (const uint8_t[]){0xB0, (uint8_t)frame, 0x3D, 0, 0, 0, 0, 0xCD,
                                 PROBE_DONE},
               9);
    memcpy(code[FRAMES * PER_PAGE], action_code, sizeof action_code);
    return code;
}

/* ---- all of it --------------------------------------------------------------
 */

struct late {
    struct op op[OPS];
    struct probe_case cases[OPS];
    struct probe_result results[OPS];
    struct model model;
};

static void make(struct late *l, bool pae, uint64_t seed)
{
    random_seed(seed);
    for (unsigned i = 0; i < OPS; i++) {
        l->op[i] = i % 400 ? make_op(pae)
                           : (struct op){.action = SET_CR4, .pge = i / 400 % 2};
        l->cases[i] = make_case(&l->op[i], pae, i);
    }
}

static void check(struct late *l, const struct way *way, bool pae)
{
    struct model *m = &l->model;
    uint8_t(*code)[PROBE_ENTRY_BYTES] = make_code();
    struct probe_table table = {.cases = l->cases,
                                .case_count = OPS,
                                .code = code,
                                .code_count = FRAMES * PER_PAGE + ACTIONS,
                                .pae = pae};
    enum vm_stop stop;
    uint32_t done;

    model_open(m, pae);
    done = probe_run(way, &table, l->results, &stop);

    cr_assert_eq(done, OPS, "%s: %u of %u, %d", way->name, done, OPS, stop);
    for (unsigned i = 0; i < OPS; i++) {
        const struct op *o = &l->op[i];
        const struct probe_result *r = &l->results[i];

        cr_assert(model_op(m, o, r, i),
                  "%s, %s, %u: action %d of %s at page %u: vector %u error %x "
                  "CR2 %08x EAX %x; PDE %" PRIx64 " PTE %" PRIx64 ", %" PRIx64,
                  way->name, pae ? "PAE" : "two levels", i, o->action,
                  o->user ? "user" : "kernel", o->page, r->vector, r->error,
                  r->cr2, r->gpr[7], m->pde[o->page].entry[0],
                  m->pte[0][o->page].entry[0], m->pte[1][o->page].entry[0]);
    }
    /* Who never sees anything old has proved nothing. */
    cr_expect(m->older > 0, "%s, %s", way->name, pae ? "PAE" : "two levels");
    free(code);
}

/* With it all of INVLPG's cases come. */
enum { SEED = 8 };

static void check_all(bool pae)
{
    struct late *l = calloc(1, sizeof *l);
    struct way way;

    cr_assert_not_null(l);
    make(l, pae, SEED);
    check(l, &ways[WAY_BARE], pae);
    for (unsigned i = 0; guest_way(i, &way); i++)
        check(l, &way, pae);
    free(l);
}

Test(late_flush, two_levels)
{
    check_all(false);
}

Test(late_flush, pae)
{
    check_all(true);
}
