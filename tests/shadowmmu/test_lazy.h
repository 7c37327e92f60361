/* SPDX-License-Identifier: MIT */
/* tests/shadowmmu/test_lazy.h - a guest that flushes late.
 *
 * It may see any entry that was in its table since its last flush, and nothing
 * else.
 */
#ifndef TESTS_SHADOWMMU_TEST_LAZY_H
#define TESTS_SHADOWMMU_TEST_LAZY_H

#include "tests/shadowmmu/test_program.h"

enum { DIRECTORY = 0x1000, OTHER = 0x2000, TABLE = 0x3000, PAGES_USED = 16 };
enum { RWU = PTE_P | PTE_W | PTE_U };
enum { TABLE_LINEAR = 63 << 12 }; /* the guest writes its table here */

static inline struct world *lazy_space(const struct mmu_technique *t,
                                       unsigned without)
{
    struct world *w = world_create(t, 0, 1, without);

    world_poke(w, DIRECTORY, TABLE | RWU);
    world_poke(w, OTHER, TABLE | RWU);
    for (uint32_t i = 0; i < 63; i++)
        world_poke(w, TABLE + i * 4, (0x100 + i) << 12 | RWU);
    world_poke(w, TABLE + 63 * 4, TABLE | RWU);
    world_cr3(w, DIRECTORY);
    world_mode(w, CR0_PE | CR0_PG | CR0_WP, CR4_PSE);
    return w;
}

static inline bool was_global(const struct world *w, uint32_t page,
                              const uint32_t *had, unsigned count)
{
    uint32_t any = reference_read(w, TABLE + page * 4);

    for (unsigned i = 0; i < count; i++)
        any |= had[i];
    return (any & PTE_G) != 0;
}

/* What a guest may see that changes entries and flushes only sometimes: the
 * entry as it is, or any that it had since the page was last flushed. */
static inline void lazy_guest(const struct mmu_technique *t, uint64_t seed)
{
    struct world *w = lazy_space(t, seed % 2 ? 0 : MMU_OPTIMIZATIONS);
    uint32_t had[PAGES_USED][64] = {{0}};
    unsigned count[PAGES_USED] = {0};

    w->random = seed * 77777 + 1;
    if (seed & 2)
        world_mode(w, w->vcpu.cr0, CR4_PSE | CR4_PGE);
    for (unsigned step = 0; step < 3000; step++) {
        uint32_t page = world_random(w, PAGES_USED), ma = 0;
        uint32_t linear = page << 12;
        bool stepping = false, legal = false;
        struct outcome_of got, want;

        switch (world_random(w, 8)) {
        case 0:
        case 1:
            if (count[page] < 63)
                had[page][count[page]++] = reference_read(w, TABLE + page * 4);
            world_access(w, TABLE_LINEAR + page * 4, ACC_WRITE,
                         (0x100 + world_random(w, 64)) << 12 |
                             (world_random(w, 4) ? RWU : 0) |
                             (world_random(w, 3) ? 0 : PTE_G));
            continue;
        case 2:
            mmu_invlpg(w->mmu, linear);
            count[page] = 0;
            continue;
        case 3:
            if (world_random(w, 8) == 0) {
                world_cr3(w, DIRECTORY);
                for (uint32_t i = 0; i < PAGES_USED; i++)
                    if (!was_global(w, i, had[i], count[i]))
                        count[i] = 0;
            }
            continue;
        default: break;
        }
        w->reference[TABLE + page * 4] =
            (uint8_t)guest_read(w, TABLE + page * 4);
        want = reference_access(w, linear, ACC_USER, false);
        got = world_translate(w, linear, ACC_USER, &ma, &stepping);
        w->reference[TABLE + page * 4] =
            (uint8_t)guest_read(w, TABLE + page * 4);
        legal = got.what == want.what && got.gpa == want.gpa;
        for (unsigned i = 0; i < count[page]; i++)
            legal |= got.what == OUTCOME_OK && (had[page][i] & PTE_P) &&
                     got.gpa == (had[page][i] & PTE_FRAME);
        cr_assert(legal, "seed %u page %u", (unsigned)seed, (unsigned)page);
        assert_audit(w);
    }
    world_destroy(w);
}

#endif
