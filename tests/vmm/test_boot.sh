#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A disk with a boot sector (guests/boot) boots through the BIOS (guests/bios):
# what the services answer, and the same under every technique. Then the same
# image as small as a diskette, from drive 00h, and what is no such disk.
set -euo pipefail

: "${UMBRA:?}" "${UMBRA_BUILD:?}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The boot sector's image on a disk of so many bytes; cd ab where the second
# track of a hard disk begins.
make_disk() { # FILE BYTES
    cp "$UMBRA_BUILD/guests/small/boot" "$1"
    chmod 644 "$1"
    truncate -s "$2" "$1"
    printf '\xcd\xab' | dd of="$1" bs=512 seek=63 conv=notrunc status=none
}

run() { # NAME OPTIONS...
    local name=$1 status=0
    shift
    make_disk "$work/disk" 4M
    "$UMBRA" run "$@" --memory 64 --max-cycles 2000000000 "$work/disk" \
        > "$work/$name.out" 2> "$work/$name.err" < /dev/null || status=$?
    if [ $status -ne 1 ]; then
        echo "$name: exit status $status"
        cat "$work/$name.out" "$work/$name.err"
        exit 1
    fi
}

run bare --cpu bare
tr -d '\r' < "$work/bare.out" | diff -u - <(cat << 'END'
booted from drive 0080
KiB from 0: 027f
KiB from 1 MiB: fc00
64 KiB from 16 MiB: 0300
00000001000000000009fc000000000000000000
000000020000000000000400000000000009fc00
00000002000000000001000000000000000f0000
000000010000000003f000000000000000100000
073f
0f01
abcd
0008
003f
moved
the timer ticks
0003
1a1a
0008
Screen
0753
0753
0300
protected mode
END
)
# What it wrote last is on the screen, where it belongs.
"$UMBRA" run --serial null --screen - "$work/disk" > "$work/screen" ||
    test $? -eq 1
diff -u - "$work/screen" << 'END'


     0753en
0300
END
# The guest's write is on the disk.
test "$(od -An -tx2 -j $((40 * 512)) -N 2 "$work/disk")" = " 1234"

for mmu in tlb shadow; do
    for cpu in trap bt hvm; do
        run "$cpu-$mmu" --cpu "$cpu" --mmu "$mmu"
        diff -u "$work/bare.out" "$work/$cpu-$mmu.out"
    done
done

make_disk "$work/floppy" 1440K
"$UMBRA" run --max-cycles 2000000000 "$work/floppy" < /dev/null \
    > "$work/floppy.out" || test $? -eq 1
tr -d '\r' < "$work/floppy.out" | grep -qx 'booted from drive 0000'
tr -d '\r' < "$work/floppy.out" | grep -qx '4f12' # 80 tracks, 18 sectors

# Behind what a diskette's image has, it is empty, as far as a diskette goes.
head -c 2560 "$work/floppy" > "$work/short-floppy"
"$UMBRA" run --max-cycles 2000000000 "$work/short-floppy" < /dev/null \
    > "$work/floppy.out" || true
tr -d '\r' < "$work/floppy.out" | grep -qx 'booted from drive 0000'

# Beside a disk it is in a drive of its own.
make_disk "$work/disk" 4M
"$UMBRA" run --disk "$work/disk" --max-cycles 2000000000 "$work/floppy" \
    < /dev/null > "$work/floppy.out" || test $? -eq 1
tr -d '\r' < "$work/floppy.out" | grep -qx 'booted from drive 0000'
tr -d '\r' < "$work/floppy.out" | grep -qx '0008' # the disk is the first
test "$(od -An -tx2 -j $((40 * 512)) -N 2 "$work/disk")" = " 1234"

head -c 300 /dev/zero > "$work/short"
status=0
"$UMBRA" run "$work/short" 2> "$work/err" > "$work/out" || status=$?
test $status -eq 2
grep -q 'not a multiboot ELF, a Linux bzImage or a disk' "$work/err"
echo "booted from a disk on bare, trap, bt and hvm"
