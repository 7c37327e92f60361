#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# setup/linux.sh DIR: unmodified third-party kernels for the tests.
#   DIR/vmlinuz-686, DIR/vmlinuz-686-pae   Debian's i386 kernels
#   DIR/initramfs.cpio                     busybox and a few modules of both
# The initramfs prints "umbra-initramfs: shell ready" and gives a shell on the
# console; leaving the shell reboots. Modules: modprobe ata_piix, virtio_blk...
# Nothing on the system changes. Exit status 75: not to be had here.
set -euo pipefail
export LC_ALL=C
umask 022

flavours=(686 686-pae)
modules=(
    scsi_common scsi_mod sd_mod t10-pi crc-t10dif crct10dif_common
    crct10dif_generic crc64 crc64-rocksoft crc64-rocksoft_generic
    libata ata_piix ata_generic pata_legacy
    virtio virtio_ring virtio_pci virtio_pci_modern_dev virtio_pci_legacy_dev
    virtio_blk virtio_balloon virtio_net net_failover failover
    fat vfat nls_cp437 nls_ascii
)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=setup/private-apt.sh
. "$here/private-apt.sh"

skip() {
    umbra_say "no third-party Linux kernels for the tests: $*"
    exit 75
}

if [[ $# -ne 1 || $1 == -* ]]; then
    echo 'usage: setup/linux.sh DIR' >&2
    exit 2
fi
mkdir -p "$1"
dir=$(cd "$1" && pwd)

stamp=$(cksum <"$here/linux.sh")
if [[ -s $dir/.stamp && $(<"$dir/.stamp") == "$stamp" ]]; then
    exit 0
fi

PATH=$PATH:/sbin:/usr/sbin
for tool in apt-get dpkg-deb cpio depmod xz; do
    command -v $tool >/dev/null || skip "$tool is missing"
done

scratch=$(mktemp -d "$dir/.fetch.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

# This machine's own release, and else the last one with i386 kernels.
# shellcheck source=/dev/null
suites=$(. /etc/os-release && echo "${VERSION_CODENAME:-} bookworm")
image=
for suite in $suites; do
    [[ $suite == trixie || $suite == forky ]] && continue
    umbra_say "fetching i386 kernels of Debian $suite (once; about 100 MB)"
    if private_apt_open "$scratch/apt" "$suite" i386; then
        image=$(private_apt_depends linux-image-686 '^linux-image-[0-9]')
        [[ -n $image ]] && break
    fi
done
[[ -n $image ]] || skip 'no Debian archive that apt can reach has them'

# ---- The kernels and their modules -----------------------------------------

root=$scratch/root
mkdir -p "$root"/{bin,dev,etc,proc,root,sys,tmp,sbin}
wanted=('./boot/vmlinuz-*' '*/modules.order' '*/modules.builtin*')
for module in "${modules[@]}"; do
    wanted+=("*/$module.ko" "*/$module.ko.xz")
done
for flavour in "${flavours[@]}"; do
    image=$(private_apt_depends "linux-image-$flavour" '^linux-image-[0-9]')
    umbra_say "fetching $image"
    deb=$(private_apt_fetch "$image") || skip "$image: no download"
    release=${image#linux-image-}
    mkdir "$scratch/image"
    # tar minds that not every pattern matches; what matters is checked below.
    dpkg-deb --fsys-tarfile "$deb" |
        tar -x -C "$scratch/image" --wildcards "${wanted[@]}" 2>/dev/null ||
        true
    mv "$scratch/image/boot/vmlinuz-$release" "$scratch/vmlinuz-$flavour"
    lib=lib/modules/$release
    [[ -d $scratch/image/$lib ]] || lib=usr/$lib
    find "$scratch/image/$lib" -name '*.ko.xz' -exec xz -d {} +
    mkdir -p "$root/lib/modules"
    mv "$scratch/image/$lib" "$root/lib/modules/"
    depmod -b "$root" "$release"
    grep -q '/ata_piix\.ko:.*libata' "$root/lib/modules/$release/modules.dep" ||
        skip "$image: its modules are not where they were"
    rm -rf "$scratch/image" "$deb"
done
find "$root/lib/modules" -maxdepth 2 -name 'modules.*' \
    ! -name modules.dep ! -name modules.alias -delete

# ---- The initramfs -----------------------------------------------------------

deb=$(private_apt_fetch busybox-static) || skip 'busybox-static: no download'
dpkg-deb --fsys-tarfile "$deb" |
    tar -x -C "$scratch" --wildcards --transform 's#.*/##' '*bin/busybox'
mv "$scratch/busybox" "$root/bin/"
ln -s busybox "$root/bin/sh"
cat >"$root/init" <<'INIT'
#!/bin/sh
/bin/busybox --install -s /bin
export HOME=/root PATH=/bin:/sbin TERM=linux PS1='~ # '
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
cd
echo 'umbra-initramfs: shell ready'
setsid cttyhack sh
reboot -f
INIT
chmod 755 "$root/init"

# One entry of a newc archive without data: name, mode, major, minor.
entry() {
    local length=$((${#1} + 1)) pad
    pad=$(((4 - (110 + length) % 4) % 4))
    printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X' \
        0 "$((8#$2))" 0 0 1 0 0 0 0 "$3" "$4" "$length" 0
    printf '%s\0' "$1"
    head -c "$pad" /dev/zero
}

# Only root may make a device node, but anybody may write about one: the node
# /dev/console comes in an archive of its own, before the files'. (The other
# nodes are devtmpfs's.)
find "$root" -exec touch -h -d @0 {} +
{
    entry dev 40755 0 0
    entry dev/console 20600 5 1
    entry dev/null 20666 1 3
    entry 'TRAILER!!!' 0 0 0
    (cd "$root" && find . -mindepth 1 | sed 's#^\./##' | sort |
        cpio --quiet --reproducible -R +0:+0 -o -H newc)
} >"$scratch/initramfs.cpio"

mv "$scratch"/vmlinuz-* "$scratch/initramfs.cpio" "$dir/"
echo "$stamp" >"$dir/.stamp"
umbra_say "Linux kernels ready in ${dir#"$PWD"/}"
