#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Debian's Linux 686, unmodified, boots to its shell on the bare machine,
# deprivileged at ring 1, translated, and in VMX non-root operation, with both
# memory techniques, runs what is typed, and its console says the same everywhere.
# So does the kernel for PAE paging, with no-execute.
#
# timeout: 500
set -euo pipefail

: "${UMBRA:?}" "${UMBRA_LINUX:?}"
if [ ! -e "$UMBRA_LINUX/vmlinuz-686" ]; then
    echo "skipped: no Linux kernel in $UMBRA_LINUX (see setup/linux.sh)"
    exit 77
fi
if [ "${UMBRA_SANITIZE:-0}" = 1 ]; then
    echo "skipped: too slow under the sanitizers"
    exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
truncate -s 1M "$work/disk.img"

# The first bytes may be lost while the driver opens the port: empty lines,
# which are not compared.
{
    printf '\n\n\n\n\n\n\n\n\n\n'
    cat <<'COMMANDS'
uname -srm
echo one two three | wc -w
for i in 1 2 3 4 5; do (echo child $i) ; done
mkdir /tmp/d && echo data > /tmp/d/f && cat /tmp/d/f && rm -r /tmp/d
i=0; while [ $i -lt 300 ]; do i=$((i+1)); done; echo counted $i
modprobe ata_piix; modprobe pata_legacy; sleep 2
echo written > /dev/sda; sync; head -c 7 /dev/sda; echo
sh -c 'kill -TERM $$'; echo signalled $?
reboot -f
COMMANDS
} > "$work/input"

boot() { # NAME OPTIONS...
    local name=$1 status=0 kernel=vmlinuz-686${FLAVOUR:+-$FLAVOUR}
    shift
    cp "$work/disk.img" "$work/$name.img"
    "$UMBRA" run "$@" --memory 128 --initrd "$UMBRA_LINUX/initramfs.cpio" \
        --append "console=ttyS0 acpi=off nokaslr random.trust_cpu=off" \
        --disk "$work/$name.img" --max-cycles 60000000000 \
        --stats "$work/$name.json" "$UMBRA_LINUX/$kernel" \
        < "$work/input" > "$work/$name.out" 2> "$work/$name.err" || status=$?
    # What depends on time is not compared: time stamps, calibration, the
    # order in which the kernel's own threads speak between commands.
    tr -d '\r' < "$work/$name.out" |
        sed -n '/shell ready/,$p' | grep -v -e '^\[' -e '^~ # *$' \
            > "$work/$name.shell" || true
    if [ $status -ne 0 ]; then
        echo "$name: exit status $status"
        tail -n 20 "$work/$name.out" "$work/$name.err"
        exit 1
    fi
    grep -q '^one two three\|^3$' "$work/$name.shell" || {
        echo "$name: the shell did not run what was typed"
        tail -n 30 "$work/$name.out"
        exit 1
    }
}

boot bare --cpu bare
boot shadow --cpu trap --what-if iopl1 --mmu shadow
boot tlb --cpu trap --what-if iopl1 --mmu tlb
boot bt-shadow --cpu bt --mmu shadow
boot bt-tlb --cpu bt --mmu tlb
boot hvm-shadow --cpu hvm --mmu shadow
boot hvm-tlb --cpu hvm --mmu tlb
boot hvm-nested --cpu hvm --mmu nested

FLAVOUR=pae boot pae-bare --cpu bare
FLAVOUR=pae boot pae-nested --cpu hvm --mmu nested
FLAVOUR=pae boot pae-bt-shadow --cpu bt --mmu shadow
FLAVOUR=pae boot pae-bt-tlb --cpu bt --mmu tlb
FLAVOUR=pae boot pae-hvm-shadow --cpu hvm --mmu shadow
FLAVOUR=pae boot pae-hvm-tlb --cpu hvm --mmu tlb

same() { # NAME: as the bare machine's; the kernels differ in their names
    diff -u <(grep -v '^Linux' "$work/bare.shell") \
        <(grep -v '^Linux' "$work/$1.shell")
}

for name in shadow tlb bt-shadow bt-tlb hvm-shadow hvm-tlb hvm-nested; do
    if ! diff -u "$work/bare.shell" "$work/$name.shell"; then
        echo "$name: the console differs from the bare machine's"
        exit 1
    fi
done
for name in pae-bare pae-nested pae-bt-shadow pae-bt-tlb pae-hvm-shadow \
    pae-hvm-tlb; do
    if ! same $name || ! grep -q 'NX .* protection: active' "$work/$name.out"; then
        echo "$name: another console, or no no-execute protection"
        exit 1
    fi
done
echo "Linux on bare, trap, bt and hvm, shadow and tlb: the same console"
