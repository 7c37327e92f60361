#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# setup/packages.sh build|check: see that what Umbra stands on is installed,
# and install what is missing with apt. "check" includes what the tests need.
# Where there is no apt it only says what to install.
set -euo pipefail

# needed for | Debian package | what it is | found by
packages='
build|gcc|C compiler|gcc
build|libc6-dev|C library|stdlib.h
build|cmake|build system|cmake
build|ninja-build|build tool|ninja
build|pkg-config|library finder|pkg-config
build|clang|guest compiler|clang
build|lld|guest linker|ld.lld
build|libzydis-dev|instruction decoder|Zydis/Zydis.h
build|libncurses-dev|terminal screens|ncursesw/curses.h
build|libelf-dev|ELF reader|gelf.h
build|libjansson-dev|JSON|jansson.h
build|libseccomp-dev|grader sandbox|seccomp.h
build|libxxhash-dev|page hashing|xxhash.h
check|libcriterion-dev|unit tests|criterion/criterion.h
check|clang-format|code style|clang-format
check|tmux|terminal tests|tmux
check|cpio|Linux initramfs|cpio
check|kmod|Linux modules|depmod
check|xz-utils|Linux modules|xz
'

say() { printf 'umbra: %s\n' "$*" >&2; }

case ${1:-} in
build) groups='^build$' ;;
check) groups='^(build|check)$' ;;
*)
    echo 'usage: setup/packages.sh build|check' >&2
    exit 2
    ;;
esac

wanted() {
    awk -F'|' -v groups="$groups" '$1 ~ groups' <<<"$packages"
}

# What is found without a package (or where there is no dpkg) is good, too.
present() {
    if [[ $1 == *.h ]]; then
        command -v cc >/dev/null &&
            echo "#include <$1>" | cc -E -o /dev/null - 2>/dev/null
    else
        PATH=$PATH:/sbin:/usr/sbin command -v "$1" >/dev/null
    fi
}

# Sets missing (names) and why ("zydis: instruction decoder, ...").
missing=()
why=
look() {
    local installed='' package what probe short
    missing=()
    why=
    if command -v dpkg-query >/dev/null; then
        # shellcheck disable=SC2016 # dpkg-query expands these
        installed=$(wanted | cut -d'|' -f2 | xargs dpkg-query -W \
            -f='${Package} ${db:Status-Status}\n' 2>/dev/null) || true
    fi
    while IFS='|' read -r _ package what probe; do
        [[ $'\n'$installed$'\n' == *$'\n'"$package installed"$'\n'* ]] &&
            continue
        present "$probe" && continue
        missing+=("$package")
        short=${package%-dev}
        [[ $short == libc6 ]] || short=${short#lib}
        why+=${why:+, }"$short: $what"
    done < <(wanted)
}

look
[[ ${#missing[@]} -eq 0 ]] && exit 0

line="apt-get install --no-install-recommends ${missing[*]}"
if ! command -v apt-get >/dev/null; then
    say "needed, and not found: $why"
    say 'This system has no apt. Install them its own way, and start again;'
    say "Debian's names: ${missing[*]}"
    exit 1
fi

as_root=()
if [[ $(id -u) -ne 0 ]]; then
    # Ask for a password only where somebody can answer.
    sudo=(sudo)
    [[ -t 0 && -t 2 ]] || sudo=(sudo -n)
    if ! command -v sudo >/dev/null || ! "${sudo[@]}" true 2>/dev/null; then
        say "${#missing[@]} packages are missing ($why)"
        say 'Installing them takes root; please run, and start again:'
        echo "  $line" >&2
        exit 1
    fi
    as_root=("${sudo[@]}")
fi

say "installing ${#missing[@]} packages ($why)"
apt() {
    ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
        apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        "$@" </dev/null >&2
}
quiet=-qq
[[ -t 2 ]] && quiet=-q
# One unreachable source matters only if a package then cannot be had.
apt $quiet update || say 'some package lists could not be fetched; going on'
apt $quiet install -y --no-install-recommends "${missing[@]}" || true
look
if [[ ${#missing[@]} -gt 0 ]]; then
    say "could not install: $why. Please install, and start again:"
    echo "  $line" >&2
    exit 1
fi
