#!/usr/bin/env bash
# Runs every test: tools/test.sh [--full]. With --full, the long forms too: all seeds of the
# simulator, larger bounds of the models.
set -euo pipefail
unset QUARK_FULL
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/setup.sh

# The models in quark-shards, by the name of their module.
LOOM_TESTS=loom_models
EXAMPLES=(hello counter order_book game durable)
# Built once with both drivers and all stores in it, and run on each driver.
BOTH_DRIVERS=(--features quark-tests/glommio,quark-bench/glommio,quark-bench/redis,quark-bench/postgres,quark-tests/servers,quark-tools/servers)
# The programs whose tests launch engines, or quark-bench, which does: they run on glommio, too. All
# other tests are of parts that no driver is under, of the simulator's, or run on both by themselves.
mapfile -t ENGINES < <({
    grep -lr '\.launch()' {tests,engine}/tests --include=*.rs --exclude-dir=ui
    printf '%s\n' bench/tests/*.rs
} | sed -E 's,^[a-z]+/tests/([^/.]+).*,\1,' | sort -u)
# What cannot hold there, each with its reason.
NOT_ON_GLOMMIO=(
    # Its timers, which end every slice of a shard's loop, are allocated.
    a_steady_state_call_allocates_nothing
)

full=
for argument in "$@"; do
    case $argument in
        --full)
            full=1
            export QUARK_FULL=1
            ;;
        *) fail "unknown argument $argument: tools/test.sh [--full]" ;;
    esac
done

step=set-up
begun=0
trap '(($? == 0)) || printf "\nFAILED: %s\n" "$step" >&2' EXIT

# Runs one step under a heading, and says how long it took.
run() {
    step=$1
    shift
    begun=$SECONDS
    printf '\n== %s\n' "$step"
    "$@"
    printf -- '-- %s: %s s\n' "$step" "$((SECONDS - begun))"
}

# Steps name the whole workspace, so that they build with the same features and share what is
# built; so does the test profile for examples.
clippy_all() { cargo clippy --locked --workspace "${BOTH_DRIVERS[@]}" --all-targets -- -D warnings; }
clippy_bare() { cargo clippy --locked -p quark-numa -p quark-shards -p quark-engine --lib -- -D warnings; }
tests() { cargo test --locked --workspace "${BOTH_DRIVERS[@]}" --tests -- ${full:+--show-output}; }
on_glommio() {
    QUARK_DRIVER=glommio cargo test --locked --workspace "${BOTH_DRIVERS[@]}" \
        "${ENGINES[@]/#/--test=}" -- "${NOT_ON_GLOMMIO[@]/#/--skip=}"
}
planted_bugs() {
    local bugs=quark-tests/planted-bugs,quark-storage/planted-bugs,quark-net/planted-bugs
    local suites=(--workspace "${BOTH_DRIVERS[@]}" --features "$bugs")
    cargo test --locked "${suites[@]}" --test planted -- --show-output
    cargo test --locked "${suites[@]}" --test durable_histories --test cluster_histories -- planted --show-output
    cargo test --locked -p quark-storage -p quark-net --features "${bugs#*,}" --lib -- planted --show-output
}
doc_tests() { cargo test --locked --workspace "${BOTH_DRIVERS[@]}" --doc; }
rustdoc() { RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace "${BOTH_DRIVERS[@]}" --no-deps; }
examples() { cargo build --locked --workspace "${BOTH_DRIVERS[@]}" --profile test "${EXAMPLES[@]/#/--example=}"; }
example() { "${CARGO_TARGET_DIR:-target}/debug/examples/$1"; }

# Optimised, for the models try many orders; but linked fast.
loom() {
    RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/loom \
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    CARGO_PROFILE_RELEASE_DEBUG=false CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true \
        cargo test --locked -p quark-shards --release --lib "$LOOM_TESTS" -- "$@"
}

# A name that fits no test would pass by doing nothing.
models() {
    local names
    names=$(loom --list)
    grep -q ': test$' <<<"$names" || fail "no test of quark-shards is called $LOOM_TESTS"
    loom
}

# valgrind counts instructions in a test; stores are tested against the servers themselves, with
# certificates by openssl.
run "set-up" set_up rustfmt clippy -- valgrind redis-server postgresql openssl iproute2
run "format" cargo fmt --all --check
run "clippy" clippy_all
run "clippy without hwloc" clippy_bare
run "tests" tests
run "tests on glommio" on_glommio
run "planted bugs" planted_bugs
run "doc tests" doc_tests
run "documentation" rustdoc
run "models" models
run "examples" examples
for name in "${EXAMPLES[@]}"; do
    run "example $name" example "$name"
done

printf '\nall steps passed in %s s\n' "$SECONDS"
