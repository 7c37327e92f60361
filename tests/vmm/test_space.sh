#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A guest that maps all of its linear address space (guests/space) finds its
# own memory everywhere, and the VMM a place where there is none.
set -euo pipefail

: "${UMBRA:?}" "${UMBRA_BUILD:?}"

run() { # OPTIONS...
    local status=0 said
    said=$("$UMBRA" run "$@" --memory 64 --max-cycles 100000000 \
        "$UMBRA_BUILD/guests/space" < /dev/null) || status=$?
    if [ $status -ne 1 ] || [ "$said" != "123@56" ]; then
        echo "$*: exit status $status, said $said"
        exit 1
    fi
}

run --cpu bare
for mmu in tlb shadow; do
    for cpu in trap bt hvm; do
        run --cpu "$cpu" --mmu "$mmu"
    done
done
echo "all 4 GiB on bare, trap, bt and hvm"
