#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Walks of two, three and four levels that a guest asks the page walker for
# (guests/walks) end the same everywhere; behind nested tables of n levels they
# read (n + 1)(g + 1) - 1 entries.
set -euo pipefail

: "${UMBRA:?}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ask() { # NAME OPTIONS...
    local name=$1 status=0
    shift
    "$UMBRA" run "$@" --device walker @walks > "$work/$name" < /dev/null ||
        status=$?
    [ $status -eq 1 ] || { echo "$name: exit status $status"; exit 1; }
    sed 's/, entries.*//' "$work/$name" > "$work/$name.ends"
}

# The references of the walk of a small page with GUEST levels.
references() { # NAME GUEST
    sed -n "s/^$2 levels .*user \(write\|read\): at .*read: \(.*\) guest, \(.*\) nested/\2 \3/p" \
        "$work/$1" | awk '{ print $1 + $2; exit }'
}

ask bare --cpu bare
ask shadow --cpu bt --mmu shadow
diff -u "$work/bare" "$work/shadow"
for nested in 2 3 4; do
    ask "nested$nested" --cpu hvm --mmu nested --nested-levels "$nested"
    diff -u "$work/bare.ends" "$work/nested$nested.ends"
    for guest in 2 3 4; do
        want=$(((nested + 1) * (guest + 1) - 1))
        got=$(references "nested$nested" "$guest")
        [ "$got" = "$want" ] || {
            echo "$guest levels in $nested: $got references, not $want"
            exit 1
        }
    done
done

# A large nested page is one reference less for each address of the walk.
ask large --cpu hvm --mmu nested --large-frames
diff -u "$work/bare.ends" "$work/large.ends"
[ "$(references large 4)" = 19 ] || {
    echo "4 levels in large pages: $(references large 4) references, not 19"
    exit 1
}
echo "8 to 24 references, as many as the formula says"
