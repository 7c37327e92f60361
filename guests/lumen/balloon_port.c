/* SPDX-License-Identifier: MIT */
/* balloon_port.c - Umbra's balloon, by its ports (io/balloon.c there). */
#include "machine.h"
#include "x86.h"

#define PORT_ID     0x5B0 /* reads "BLON"; a write gives a frame      */
#define PORT_TARGET 0x5B4 /* reads the wish; a write takes one back   */
#define PORT_RESULT 0x5BC /* of the last write: 1 done                */
#define ID          0x4E4F4C42u

bool machine_has_balloon(void)
{
    return port_in32(PORT_ID) == ID;
}

uint32_t machine_balloon_target(void)
{
    return port_in32(PORT_TARGET);
}

bool machine_balloon_give(uint32_t frame)
{
    port_out32(PORT_ID, frame);
    return port_in32(PORT_RESULT) != 0;
}

void machine_balloon_take(uint32_t frame)
{
    port_out32(PORT_TARGET, frame);
}
