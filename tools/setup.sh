# What a fresh machine with Rust lacks to build Quark: sourced by test.sh and bench.sh, which
# run at the workspace's root. Installs system packages where apt-get can; else names them.
# shellcheck shell=bash

fail() {
    printf 'quark: %s\n' "$*" >&2
    exit 1
}

# Sets up the machine. Arguments: rustup components that the caller needs besides cargo; after a
# --, programs, each by the name of its Debian package.
set_up() {
    check_rust
    while (($#)) && [[ $1 != -- ]]; do
        check_component "$1"
        shift
    done
    install_packages "${@:2}"
}

check_rust() {
    local tool wanted found
    for tool in cargo rustc; do
        command -v "$tool" >/dev/null ||
            fail "no $tool here: install Rust from https://rustup.rs, then run this again"
    done
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(rustc --version | cut -d ' ' -f 2)
    [[ $(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1) == "$wanted" ]] ||
        fail "rustc $found is too old: $wanted or newer is needed (rustup update stable)"
}

check_component() {
    cargo "${1/rustfmt/fmt}" --version >/dev/null 2>&1 && return
    command -v rustup >/dev/null ||
        fail "$1 is missing: install it beside this rustc"
    rustup component add "$1" || fail "$1 is missing: rustup component add $1"
}

# Arguments: programs to install too. Each package is asked for only if what it brings is not
# there, whoever brought it.
install_packages() {
    local missing=()
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    if command -v pkg-config >/dev/null; then
        pkg-config --exists hwloc || missing+=(libhwloc-dev)
        pkg-config --exists libudev || missing+=(libudev-dev)
    else
        missing+=(pkg-config libhwloc-dev libudev-dev)
    fi
    local tool
    for tool in "$@"; do
        # Its programs are on nobody's path.
        [[ $tool == postgresql ]] && compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null && continue
        # Its program is called otherwise.
        [[ $tool == iproute2 ]] && command -v ip >/dev/null && continue
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    ((${#missing[@]})) || return 0

    local as_root=()
    if ((EUID != 0)); then
        as_root=(sudo)
    fi
    if ! command -v apt-get >/dev/null || ! command -v "${as_root[0]:-apt-get}" >/dev/null; then
        fail "install these packages (by their Debian names), then run this again: ${missing[*]}"
    fi
    printf '== system packages: %s\n' "${missing[*]}"
    "${as_root[@]}" apt-get update -qq ||
        printf 'quark: apt-get update failed; trying with the lists at hand\n' >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" ||
        fail "apt-get could not install: ${missing[*]}"
}
