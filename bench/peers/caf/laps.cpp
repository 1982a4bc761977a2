// Timed loops, and latencies of single units.
#include "peer.hpp"

#include <algorithm>
#include <cmath>

Laps::Laps(Nanoseconds lasts, uint64_t batch) : lasts_(lasts), batch_(batch) {
    laps_.reserve(1 << 20);
}

void Laps::start() {
    begun_ = lap_begun_ = Clock::now();
}

bool Laps::again() {
    if (++count_ % batch_ != 0)
        return true;
    auto now = Clock::now();
    laps_.push_back(std::chrono::duration<double, std::nano>(now - lap_begun_).count());
    lap_begun_ = now;
    return now - begun_ < lasts_;
}

Measured Laps::end() {
    Measured measured;
    if (laps_.empty())
        return measured;
    measured.count = laps_.size() * batch_;
    measured.seconds = std::chrono::duration<double>(lap_begun_ - begun_).count();
    std::sort(laps_.begin(), laps_.end());
    measured.median_ns = laps_[laps_.size() / 2] / batch_;
    return measured;
}

// Exact below 256 ns, then 128 steps to each doubling.
static constexpr size_t STEPS = 128, DOUBLINGS = 40;

Stamps::Stamps() : buckets_(2 * STEPS + DOUBLINGS * STEPS) {
}

void Stamps::record(Nanoseconds latency) {
    uint64_t ns = std::max<int64_t>(latency.count(), 0), doublings = 0;
    ++count_;
    sum_ += ns;
    max_ = std::max(max_, ns);
    for (; ns >= 2 * STEPS && doublings < DOUBLINGS - 1; ns >>= 1)
        ++doublings;
    ++buckets_[doublings * STEPS + std::min<uint64_t>(ns, 2 * STEPS - 1)];
}

std::map<std::string, double> Stamps::summary() const {
    auto at = [this](double share) -> double {
        auto left = static_cast<uint64_t>(std::ceil(share * count_));
        for (size_t index = 0; index < buckets_.size(); ++index) {
            if (buckets_[index] < left) {
                left -= buckets_[index];
                continue;
            }
            if (index < 2 * STEPS)
                return index;
            auto doublings = (index - STEPS) / STEPS;
            auto within = index - doublings * STEPS;
            return (within << doublings) + (uint64_t{1} << doublings) / 2;
        }
        return max_;
    };
    return {{"mean", count_ ? double(sum_) / count_ : 0}, {"p50", at(0.5)}, {"p90", at(0.9)},
            {"p99", at(0.99)}, {"p999", at(0.999)}, {"max", double(max_)}};
}
