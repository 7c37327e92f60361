/* SPDX-License-Identifier: MIT */
/* balloon.c - memory for the VMM.
 *
 * Whoever runs this kernel in a virtual machine may wish for memory back. The
 * kernel knows which frames nobody needs: it takes them out of its allocator
 * and gives them away by number. So the balloon grows and the kernel has less;
 * when frames run out, the balloon shrinks, whatever the VMM wishes.
 *
 * Reference: Waldspurger, "Memory Resource Management in VMware ESX Server".
 */
#include "kernel.h"
#include "machine.h"

#define RESERVE 128u /* frames that stay                      */
#define A_TICK  256u /* frames that go in one tick, at most   */
#define A_NEED  32u  /* that come back when none is left      */

static bool on;
static uint32_t held;

static bool give_one(void)
{
    uint32_t frame = frame_to_balloon();

    if (frame == 0)
        return false;
    if (!machine_balloon_give(frame)) {
        frame_from_balloon();
        return false;
    }
    held++;
    return true;
}

static bool take_one(void)
{
    uint32_t frame = frame_from_balloon();

    if (frame == 0)
        return false;
    machine_balloon_take(frame);
    held--;
    return true;
}

/* As the VMM wishes, but for so many frames at most. */
static void adjust(uint32_t frames)
{
    uint32_t target = machine_balloon_target();

    while (frames--) {
        if (held < target && frames_free() > RESERVE) {
            if (!give_one())
                return;
        } else if (held <= target || !take_one()) {
            return;
        }
    }
}

void balloon_init(void)
{
    on = cmdline_has("balloon") && machine_has_balloon();
    if (on)
        adjust(UINT32_MAX);
}

void balloon_tick(void)
{
    if (on)
        adjust(A_TICK);
}

void balloon_shrink(void)
{
    for (uint32_t i = 0; i < A_NEED && take_one(); i++)
        ;
}
