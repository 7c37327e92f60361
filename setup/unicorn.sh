#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# setup/unicorn.sh PREFIX: print the prefix of a Unicorn Engine >= 2.1.1.
# In this order: $UNICORN_PREFIX, PREFIX (from an earlier time), pkg-config's,
# and else Debian's package, unpacked into PREFIX. The system stays untouched.
set -euo pipefail

need=2.1.1
suite=trixie

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=setup/private-apt.sh
. "$here/private-apt.sh"

# The version of the Unicorn whose headers and library are under $1.
version_in() {
    local header=$1/include/unicorn/unicorn.h
    compgen -G "$1/lib*/libunicorn.so*" >/dev/null ||
        compgen -G "$1/lib/*/libunicorn.so*" >/dev/null || return 1
    [[ -r $header ]] || return 1
    awk '$1 == "#define" && $2 ~ /^UC_API_(MAJOR|MINOR|PATCH)$/ { v[$2] = $3 }
        END { print v["UC_API_MAJOR"] "." v["UC_API_MINOR"] "." \
                    v["UC_API_PATCH"] }' "$header"
}

good() {
    local v
    v=$(version_in "$1") &&
        [[ $(printf '%s\n' "$need" "$v" | sort -V | head -n1) == "$need" ]]
}

if [[ $# -ne 1 || $1 == -* ]]; then
    echo 'usage: setup/unicorn.sh PREFIX' >&2
    exit 2
fi
mkdir -p "$(dirname "$1")"
prefix=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")

if [[ -n ${UNICORN_PREFIX:-} ]]; then
    if good "$UNICORN_PREFIX"; then
        cd "$UNICORN_PREFIX" && pwd
        exit 0
    fi
    umbra_say "UNICORN_PREFIX=$UNICORN_PREFIX has no Unicorn >= $need" \
        "(include/unicorn/unicorn.h and lib/libunicorn.so)"
    exit 1
fi
if good "$prefix"; then
    echo "$prefix"
    exit 0
fi
if pkg-config --atleast-version="$need" unicorn 2>/dev/null; then
    # (Debian's file names no prefix: it is some folder above the file.)
    found=$(pkg-config --variable=pcfiledir unicorn)
    while [[ $found == /?* ]]; do
        found=$(dirname "$found")
        if good "$found"; then
            echo "$found"
            exit 0
        fi
    done
fi

instructions() {
    umbra_say "Unicorn Engine >= $need is needed, and was not found."
    cat >&2 <<TEXT
  Debian 13 has it, but this machine's apt has no Debian archive to fetch it
  from (or cannot reach it). Either:
  - build the upstream release (unicorn-engine/unicorn, tag $need or later):
      cmake -S unicorn -B unicorn/build -G Ninja -DCMAKE_BUILD_TYPE=Release \\
        -DUNICORN_ARCH=x86 -DCMAKE_INSTALL_PREFIX=\$HOME/unicorn
      cmake --build unicorn/build && cmake --install unicorn/build
      export UNICORN_PREFIX=\$HOME/unicorn
  - or use the library inside the Python package:
      python3 -m venv \$HOME/unicorn
      \$HOME/unicorn/bin/pip install 'unicorn>=$need'
      export UNICORN_PREFIX=\$(echo \$HOME/unicorn/lib/python3*/site-packages/unicorn)
  then start again.
TEXT
    exit 1
}

arch=$(dpkg --print-architecture 2>/dev/null) || instructions
scratch=$(mktemp -d "$prefix.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

umbra_say "fetching Unicorn from Debian $suite (once; into ${prefix#"$PWD"/})"
private_apt_open "$scratch/apt" "$suite" "$arch" || instructions
library=$(private_apt_depends libunicorn-dev '^libunicorn2')
for package in libunicorn-dev "$library"; do
    deb=$(private_apt_fetch "$package") || instructions
    dpkg-deb -x "$deb" "$scratch/deb"
done

# Lay it out as an ordinary prefix, the way upstream's own install does.
usr=$scratch/deb/usr
new=$scratch/prefix
mkdir -p "$new/lib/pkgconfig"
cp -a "$usr/include" "$new/"
cp -a "$usr"/lib/*/libunicorn.so* "$new/lib/"
cp -a "$usr/share" "$new/"
{
    echo "prefix=$prefix"
    # shellcheck disable=SC2016 # pkg-config expands it
    printf '%s=${prefix}/%s\n' libdir lib includedir include
    grep -vE '^(prefix|libdir|includedir|exec_prefix)=' \
        "$usr"/lib/*/pkgconfig/unicorn.pc
} >"$new/lib/pkgconfig/unicorn.pc"
good "$new" || {
    umbra_say "Debian $suite offered Unicorn $(version_in "$new"):" \
        "older than $need"
    instructions
}
rm -rf "$prefix"
mv "$new" "$prefix"
umbra_say "Unicorn $(version_in "$prefix") ready"
echo "$prefix"
