#!/usr/bin/env bash
# Compiles the CAF peer: build.sh OUT makes the program OUT.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$(realpath -m -- "${1:?build.sh OUT}")

left_out() {
    printf 'caf: left out, %s (Debian: apt-get install g++ libcaf-dev libmimalloc-dev)\n' "$1" >&2
    exit 1
}
command -v c++ >/dev/null || left_out 'there is no C++ compiler here'
has() { printf '#include <%s>\n' "$1" | c++ -std=c++17 -E -x c++ - >/dev/null 2>&1; }
has caf/all.hpp || left_out 'there is no libcaf here'
# Programs are written for the API of the version that Debian has.
printf '#include <caf/config.hpp>\nstatic_assert(CAF_VERSION / 100 == 17);\n' |
    c++ -std=c++17 -fsyntax-only -x c++ - 2>/dev/null || left_out 'its version is not 0.17'
# The allocator that everyone has.
has mimalloc.h || left_out 'there is no mimalloc here'

mkdir -p "$(dirname "$out")"
c++ -std=c++17 -O3 -flto -DNDEBUG -Wall -Wextra -Wno-unused-parameter \
    -o "$out" "$here"/*.cpp -Wl,--no-as-needed -lmimalloc -Wl,--as-needed -lcaf_core -pthread
