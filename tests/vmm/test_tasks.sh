#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Programs with LDTs that the timer switches by TSS, and a task gate
# (guests/tasks): the same letters in the same order as on the bare machine, and
# each program's own are complete. Without --cpu trap: the IRET that enters the
# first program is lost there, and with it the timer.
set -euo pipefail

: "${UMBRA:?}" "${UMBRA_BUILD:?}"

said() { # OPTIONS...
    local status=0
    "$UMBRA" run "$@" --max-cycles 100000000 "$UMBRA_BUILD/guests/tasks" \
        < /dev/null || status=$?
    test $status -eq 1
}

bare=$(said --cpu bare)
test "$(tr -d 'A-Z!' <<< "$bare")" = abcdef
test "$(tr -d 'a-z!' <<< "$bare")" = ABCDEF
test "$(tr -d 'a-zA-Z' <<< "$bare")" = '!!'
test "$bare" != 'abcdef!ABCDEF!' # they took turns
for mmu in tlb shadow; do
    for cpu in bt hvm; do
        now=$(said --cpu "$cpu" --mmu "$mmu")
        if [ "$now" != "$bare" ]; then
            echo "$cpu, $mmu: $now instead of $bare"
            exit 1
        fi
    done
done
echo "tasks on bare, bt and hvm: $bare"
