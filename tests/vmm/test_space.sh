#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A guest that maps all of its linear address space (guests/space) finds its
# own memory everywhere, and the VMM a place where there is none.
set -euo pipefail

: "${UMBRA:?}" "${UMBRA_BUILD:?}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

check() { # STATUS WORDS OPTIONS...
    local wanted=$1 words=$2 status=0 said
    shift 2
    said=$("$UMBRA" run "$@" --max-cycles 100000000 \
        "$UMBRA_BUILD/guests/space" < /dev/null 2> "$work/err" |
        tr '\0' '.') || status=$?
    if [ $status -ne "$wanted" ] || [ "$said" != "$words" ]; then
        echo "$*: exit status $status, said $said"
        cat "$work/err"
        exit 1
    fi
}

run() { # OPTIONS...
    check 1 '123@56' --memory 64 "$@"
}

run --cpu bare
for mmu in tlb shadow; do
    for cpu in trap bt hvm; do
        run --cpu "$cpu" --mmu "$mmu"
    done
done
# All that a guest can have leaves the hole below the devices. (The host has to
# find as much: once is enough.)
check 1 '123.56' --cpu bt --mmu shadow --memory 3072

# Memory everywhere: that needs a VMM without a place there, and it says so.
check 1 '123@567' --cpu bare --memory 64 --append crowded
check 1 '123@567' --cpu hvm --memory 64 --append crowded
check 1 '123@567' --cpu hvm --mmu nested --memory 64 --append crowded
for mmu in tlb shadow; do
    for cpu in trap bt; do
        check 2 '123@56' --cpu "$cpu" --mmu "$mmu" --memory 64 --append crowded
        grep -q 'are left for the VMM (--cpu hvm needs none)' "$work/err"
    done
done
echo "all 4 GiB on bare, trap, bt and hvm"
