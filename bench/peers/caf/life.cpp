// activate and idle.
#include "peer.hpp"

#include <fstream>
#include <sstream>
#include <thread>

using namespace caf;

static constexpr size_t TOGETHER = 64, ACTORS = 1000, STATE_BYTES = sizeof(CounterState);

namespace {

uint64_t resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    uint64_t size = 0, pages = 0;
    statm >> size >> pages;
    return pages * 4096;
}

// User and system time, in hundredths of a second on every Linux.
double processor_seconds() {
    std::ifstream file("/proc/self/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    std::istringstream fields(text.substr(text.rfind(')') + 1));
    std::string skipped;
    for (int field = 0; field < 11; ++field)
        fields >> skipped;
    double user = 0, system = 0;
    fields >> user >> system;
    return (user + system) / 100;
}

// Hosts are slow to hand memory out: a GiB is touched and given back to the allocator.
void touch() {
    std::vector<std::vector<char>> held;
    for (int index = 0; index < 16384; ++index)
        held.emplace_back(64 << 10, 1);
}

// Spawns actors, and asks each once.
class Maker : public event_based_actor {
public:
    Maker(actor_config& config, std::vector<actor>* made, std::promise<void>* end)
        : event_based_actor(config), made_(made), end_(end) {
    }

    behavior make_behavior() override {
        return {[=](go_atom) {
            for (size_t index = 0; index < TOGETHER; ++index)
                make();
        }};
    }

private:
    void make() {
        if (begun_ == made_->size())
            return;
        auto& actor = (*made_)[begun_++] = spawn(counter);
        request(actor, infinite, ask_atom::value, uint64_t{1}).then([=](uint64_t) {
            if (++answered_ == made_->size()) {
                end_->set_value();
                quit();
            } else {
                make();
            }
        });
    }

    std::vector<actor>* made_;
    std::promise<void>* end_;
    size_t begun_ = 0, answered_ = 0;
};

void make(actor_system& system, std::vector<actor>& made) {
    if (made.empty())
        return;
    std::promise<void> end;
    anon_send(system.spawn<Maker>(&made, &end), go_atom::value);
    end.get_future().get();
}

} // namespace

Answer activate(actor_system& system, const Job& job) {
    Answer answer;
    {
        std::vector<actor> made(job.keys);
        auto before = resident_bytes();
        make(system, made);
        auto grown = static_cast<double>(resident_bytes()) - static_cast<double>(before);
        answer.figures["bytes_per_idle_actor"] = grown / job.keys - STATE_BYTES;
    }
    touch();
    std::vector<actor> made(job.keys);
    auto begun = Clock::now();
    make(system, made);
    answer.measured.count = job.keys;
    answer.measured.seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    answer.figures["activations_per_s"] = answer.measured.per_s();
    return answer;
}

Answer idle(actor_system& system, const Job&) {
    std::vector<actor> made(ACTORS);
    make(system, made);
    auto used = processor_seconds();
    auto begun = Clock::now();
    std::this_thread::sleep_for(std::chrono::seconds(2));
    Answer answer;
    answer.measured.seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    answer.figures["cpu_percent"] =
        (processor_seconds() - used) / answer.measured.seconds * 100;
    return answer;
}
