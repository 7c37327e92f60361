/* SPDX-License-Identifier: MIT */
#include "tests/support/random.h"

static uint64_t state;

/* Seeds are consecutive numbers: they are mixed first (splitmix64). */
void random_seed(uint64_t seed)
{
    uint64_t z = seed + UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    state = (z ^ z >> 31) | 1;
}

uint32_t random_any(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

uint32_t random_below(uint32_t n)
{
    return random_any() % n;
}

bool random_chance(unsigned percent)
{
    return random_below(100) < percent;
}
