# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Sourced: a private apt, to fetch single packages of a Debian release other
# than the machine's own. It has its own state, sources and (empty) package
# database in one directory, so nothing on the user's system changes and no
# privilege is needed. Signatures are checked against Debian's own keyring.
#
#   private_apt_open DIR SUITE ARCH   0 when SUITE's package list is there
#   private_apt_fetch PACKAGE         fetch PACKAGE, print its file's name
#   private_apt_depends PACKAGE RE    its first dependency that matches RE

umbra_say() { printf 'umbra: %s\n' "$*" >&2; }

private_apt_dir=

# Debian's keyring, and the Debian archives this machine's apt uses.
private_apt_keyring() {
    local k
    for k in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
        [[ -r $k ]] && { echo "$k"; return 0; }
    done
    return 1
}

private_apt_archives() {
    local releases='stable|testing|unstable|sid|oldstable|oldoldstable'
    releases+='|bullseye|bookworm|trixie|forky|duke'
    # shellcheck disable=SC2016 # apt expands these
    apt-get indextargets --no-release-info \
        --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' \
        2>/dev/null |
        awk -v r="^($releases)\$" \
            '$1 ~ r && $2 == "main" && $3 !~ /^cdrom/ && !seen[$3]++ {
                print $3 }'
}

private_apt() {
    local tool=$1
    shift
    "$tool" -c "$private_apt_dir/apt.conf" "$@"
}

private_apt_open() {
    local dir=$1 suite=$2 arch=$3 keyring archive quiet=-qq
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    keyring=$(private_apt_keyring) || return 1
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    private_apt_dir=$dir
    mkdir -p "$dir"/{lists/partial,cache/archives/partial,sources}
    : >"$dir/status"
    # Read after the machine's own configuration (its proxies stay in force).
    cat >"$dir/apt.conf" <<CONF
#clear APT::Update;
#clear APT::Default-Release;
#clear APT::Architectures;
#clear DPkg;
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "2";
Dir::State "$dir";
Dir::State::lists "$dir/lists";
Dir::State::status "$dir/status";
Dir::Cache "$dir/cache";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$dir/sources";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
CONF
    [[ -t 2 ]] && quiet=-q
    while read -r archive; do
        cat >"$dir/sources/debian.sources" <<SOURCES
Types: deb
URIs: $archive
Suites: $suite
Components: main
Architectures: $arch
Targets: Packages
Signed-By: $keyring
SOURCES
        private_apt apt-get $quiet update -o APT::Update::Error-Mode=any \
            >&2 && return 0
    done < <(private_apt_archives)
    return 1
}

private_apt_fetch() {
    local package=$1 quiet=-qq
    [[ -t 2 ]] && quiet=-q
    mkdir -p "$private_apt_dir/debs"
    (cd "$private_apt_dir/debs" &&
        private_apt apt-get $quiet download "$package" >&2) || return 1
    ls "$private_apt_dir/debs/${package}"_*.deb
}

private_apt_depends() {
    local package=$1 re=$2
    private_apt apt-cache depends --important "$package" |
        awk -v re="$re" '/Depends:/ && $2 ~ re { print $2; exit }'
}
