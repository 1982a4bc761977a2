#!/usr/bin/env bash
# Loads what `quark-bench --hgrm DIR` wrote with PyPI's hdrhistogram, and holds the percentiles
# of each .hgrm file against the histogram in the .hlog beside it: tools/hgrm.sh [DIR]. Without
# DIR, of a short run of its own. Needs Python with venv, and PyPI.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=${CARGO_TARGET_DIR:-target}
folder=${1:-}
if [[ -z $folder ]]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    cargo run --locked --quiet -p quark-bench -- run ask-local activate --count 20000 \
        --oversubscribe --hgrm "$folder" >/dev/null
fi

python=$target/venv-hgrm/bin/python
if ! "$python" -c 'import hdrh' 2>/dev/null; then
    python3 -m venv "$target/venv-hgrm"
    "$python" -m pip install --quiet 'hdrhistogram>=0.10,<0.11'
fi
"$python" - "$folder" <<'PYTHON'
import pathlib
import sys

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader


def rows(text):
    """What HdrHistogram's plotter takes from a file: lines of four columns."""
    for line in text.splitlines():
        columns = line.split()
        if not line.startswith("#") and len(columns) == 4:
            try:
                yield [float(column) for column in columns]
            except ValueError:
                pass  # the head


def check(log):
    reader = HistogramLogReader(str(log), HdrHistogram(1, 3_600_000_000_000, 3))
    histogram = reader.get_next_interval_histogram()
    assert histogram is not None, f"{log}: no interval"
    assert reader.get_next_interval_histogram() is None, f"{log}: more than one interval"
    text = log.with_suffix(".hgrm").read_text()
    assert "#[Unit    = microseconds]" in text, f"{log}: no unit"
    count = 0
    for value, share, below, inverse in rows(text):
        # A rank is whole, so that of a share may be one of two.
        rank = share * histogram.total_count
        near = [histogram.get_value_at_percentile(100 * (rank + step) / histogram.total_count)
                for step in (-0.6, 0.6)]
        low, high = near[0] * 0.999 - 1, near[1] * 1.001 + 1
        assert low <= value * 1000 <= high, f"{log}: {value} at {share}, not {near}"
        assert abs(inverse - 1 / (1 - share)) < 0.01 * inverse, f"{log}: 1/(1-p) at {share}"
        assert below <= histogram.total_count, f"{log}: count at {share}"
        count += 1
    tagged = histogram.get_tag() if hasattr(histogram, "get_tag") else histogram.tag
    assert log.name.startswith(f"{tagged}."), f"{log}: tag {tagged}"
    length = histogram.end_time_stamp_msec - histogram.start_time_stamp_msec
    print(f"{log.name}: {histogram.total_count} values in {length / 1000:.1f} s, "
          f"p99 {histogram.get_value_at_percentile(99) / 1000:.3f} µs, {count} rows agree")


logs = sorted(pathlib.Path(sys.argv[1]).glob("*.hlog"))
assert logs, f"no .hlog in {sys.argv[1]}"
for log in logs:
    check(log)
PYTHON
