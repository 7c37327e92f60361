/* SPDX-License-Identifier: MIT */
/* abi.h - what the kernel and its programs must agree on.
 *
 * A program puts the call's number in EAX and up to three arguments in EBX,
 * ECX and EDX, executes INT 0x80, and finds the result in EAX. -1 is failure.
 */
#ifndef LUMEN_ABI_H
#define LUMEN_ABI_H

#include <stdint.h>

#define SYS_EXIT   0  /* (status)                does not return         */
#define SYS_FORK   1  /* ()                      0 in the child          */
#define SYS_EXEC   2  /* (path, argv)                                    */
#define SYS_WAIT   3  /* (pid or -1, &status, nohang)  pid, 0 if not yet */
#define SYS_GETPID 4  /* ()                                              */
#define SYS_YIELD  5  /* ()                                              */
#define SYS_SLEEP  6  /* (ticks of 10 ms)                                */
#define SYS_PIPE   7  /* (int fds[2])            read end, write end     */
#define SYS_DUP2   8  /* (old, new)                                      */
#define SYS_READ   9  /* (fd, buffer, bytes)                             */
#define SYS_WRITE  10 /* (fd, buffer, bytes)                             */
#define SYS_OPEN   11 /* (path)                                          */
#define SYS_CLOSE  12 /* (fd)                                            */
#define SYS_SEEK   13 /* (fd, offset, SEEK_...)  new offset              */
#define SYS_SBRK   14 /* (bytes, may be < 0)     the old break           */
#define SYS_PSINFO 15 /* (slot, &info)           0, 1 for an unused slot */
#define SYS_FILE   16 /* (index, char name[16])  size of the index'th    */
#define SYS_POWER  17 /* (POWER_...)                                     */
/* Whole pages of the heap: */
#define SYS_DISCARD 18 /* (address, bytes)        zeros at the next touch */
#define SYS_PROTECT 19 /* (address, bytes, writable) those that are there */

#define SEEK_SET 0
#define SEEK_END 2

#define POWER_OFF    0
#define POWER_REBOOT 1

#define NAME_BYTES 16 /* a process or file name with its final NUL       */

/* Exit statuses: 0..255 from exit(); a process that the kernel killed for
 * exception V has KILLED_BY + V. */
#define KILLED_BY 256

struct ps_info {
    int32_t pid;
    int32_t parent;
    uint32_t pages;     /* user frames mapped                            */
    uint32_t preempted; /* times the timer took the CPU from its loop    */
    char state;         /* R running, r ready, S sleeping, Z zombie      */
    char name[NAME_BYTES];
};

#endif
