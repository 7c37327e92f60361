/* SPDX-License-Identifier: MIT */
/* The balloon's registers. */
#include "tests/io/machine.h"

/* An owner that has frames 0 to 9. */
struct owner {
    bool given[10];
};

static uint32_t wish(void *ctx)
{
    (void)ctx;
    return 7;
}

static uint32_t held(void *ctx)
{
    const struct owner *o = ctx;
    uint32_t n = 0;
    for (unsigned i = 0; i < 10; i++)
        n += o->given[i];
    return n;
}

static bool change(struct owner *o, uint32_t frame, bool given)
{
    if (frame >= 10 || o->given[frame] == given)
        return false;
    o->given[frame] = given;
    return true;
}

static bool give(void *ctx, uint32_t frame)
{
    return change(ctx, frame, true);
}

static bool take(void *ctx, uint32_t frame)
{
    return change(ctx, frame, false);
}

static struct owner owner;

static struct machine *machine_with_balloon(void)
{
    static const struct pc_balloon balloon = {wish, held, give, take, &owner};
    owner = (struct owner){{false}};
    return machine_create((struct pc_config){.balloon = &balloon});
}

static uint32_t in32(struct machine *m, uint16_t port)
{
    return bus_port_read(m->bus, port, 4);
}

static void out32(struct machine *m, uint16_t port, uint32_t value)
{
    bus_port_write(m->bus, port, 4, value);
}

Test(balloon, says_what_it_is_and_what_is_wished_for)
{
    struct machine *m = machine_with_balloon();
    cr_assert_eq(in32(m, 0x5B0), 0x4E4F4C42);
    cr_assert_eq(in32(m, 0x5B4), 7);
    cr_assert_eq(in32(m, 0x5B8), 0);
    machine_free(m);
}

Test(balloon, takes_frames_and_gives_them_back)
{
    struct machine *m = machine_with_balloon();
    out32(m, 0x5B0, 3);
    cr_assert_eq(in32(m, 0x5BC), 1);
    out32(m, 0x5B0, 3);
    cr_assert_eq(in32(m, 0x5BC), 0, "it has it already");
    out32(m, 0x5B0, 4);
    cr_assert_eq(in32(m, 0x5B8), 2);
    out32(m, 0x5B4, 3);
    cr_assert_eq(in32(m, 0x5BC), 1);
    cr_assert(!owner.given[3] && owner.given[4]);
    out32(m, 0x5B4, 100);
    cr_assert_eq(in32(m, 0x5BC), 0);
    machine_free(m);
}

Test(balloon, is_not_there_without_a_wish)
{
    struct machine *m = machine_new();
    cr_assert_eq(in32(m, 0x5B0), UINT32_MAX);
    cr_assert_gt(m->unclaimed, 0);
    machine_free(m);
}
