/* SPDX-License-Identifier: MIT */
/* vmm/linux_setup.h - the setup header of a Linux image, for both of its
 * loaders: offsets of fields, equal in the image and in the zero page.
 *
 * Reference: Linux, "The Linux/x86 Boot Protocol".
 */
#ifndef VMM_LINUX_SETUP_H
#define VMM_LINUX_SETUP_H

enum {
    SETUP_SECTS = 0x1F1,
    SYSSIZE = 0x1F4,
    VID_MODE = 0x1FA,
    BOOT_FLAG = 0x1FE,
    JUMP_OFFSET = 0x201, /* the header ends at 0x202 + this byte */
    HEADER_MAGIC = 0x202,
    VERSION = 0x206,
    TYPE_OF_LOADER = 0x210,
    LOADFLAGS = 0x211,
    CODE32_START = 0x214,
    RAMDISK_IMAGE = 0x218,
    RAMDISK_SIZE = 0x21C,
    HEAP_END_PTR = 0x224,
    CMD_LINE_PTR = 0x228,
    INITRD_ADDR_MAX = 0x22C,
    HEADER_END_MIN = 0x230, /* of version 2.04 */
    XLOADFLAGS = 0x236,
    CMDLINE_SIZE = 0x238,
    PREF_ADDRESS = 0x258,
    INIT_SIZE = 0x260,
    HEADER_END_MAX = 0x290,

    LOADER_UNREGISTERED = 0xFF, /* TYPE_OF_LOADER */
    SETUP_SECTS_DEFAULT = 4,    /* where the field is 0 */
    SETUP_SECTOR = 512,
};

#endif
