// ask-local, ask-cross and fan-out.
#include "peer.hpp"

#include <pthread.h>
#include <sched.h>

using namespace caf;

static constexpr size_t CALLEES = 1000;

// Before any thread is pinned.
static const cpu_set_t allowed = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof set, &set);
    return set;
}();

void pin(int index) {
    int core = 0;
    for (int left = index; core < CPU_SETSIZE; ++core)
        if (CPU_ISSET(core, &allowed) && left-- == 0)
            break;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (core < CPU_SETSIZE)
        CPU_SET(core, &set);
    if (pthread_setaffinity_np(pthread_self(), sizeof set, &set) != 0)
        CAF_CRITICAL("a thread can't be pinned to its core");
}

behavior counter(stateful_actor<CounterState>* self) {
    return {
        [=](ask_atom, uint64_t more) { return self->state.sum += more; },
        [=](tell_atom, uint64_t more) { self->state.sum += more; },
        [=](credit_atom) { return credit_atom::value; },
        [=](sum_atom) { return self->state.sum; },
        [=](pin_atom, int core) { pin(core); },
    };
}

actor spawn_counter(actor_system& system, bool apart) {
    if (!apart)
        return system.spawn(counter);
    auto callee = system.spawn<detached>(counter);
    anon_send(callee, pin_atom::value, 1);
    return callee;
}

namespace {

class Caller : public event_based_actor {
public:
    Caller(actor_config& config, const Job& job, std::vector<actor> callees, size_t outstanding,
           Stamps* stamps, std::promise<Measured>* end)
        : event_based_actor(config), detached_(job.detached()), laps_(job.lasts, 256),
          callees_(std::move(callees)), outstanding_(outstanding), stamps_(stamps), end_(end) {
    }

    behavior make_behavior() override {
        return {[=](go_atom) {
            if (detached_)
                pin(0);
            laps_.start();
            for (size_t index = 0; index < outstanding_; ++index)
                ask();
        }};
    }

private:
    void ask() {
        auto begun = stamps_ ? Clock::now() : Clock::time_point{};
        auto& callee = callees_[next_];
        next_ = next_ + 1 < callees_.size() ? next_ + 1 : 0;
        request(callee, infinite, ask_atom::value, uint64_t{1}).then([=](uint64_t sum) {
            answered(sum, begun);
        });
    }

    void answered(uint64_t sum, Clock::time_point begun) {
        seen_ = sum;
        if (stamps_)
            stamps_->record(Clock::now() - begun);
        if (!over_ && !laps_.again())
            over_ = true;
        if (!over_)
            return ask();
        if (--outstanding_ == 0) {
            end_->set_value(laps_.end());
            quit();
        }
    }

    bool detached_, over_ = false;
    Laps laps_;
    std::vector<actor> callees_;
    size_t outstanding_, next_ = 0;
    Stamps* stamps_;
    std::promise<Measured>* end_;
    volatile uint64_t seen_ = 0;
};

} // namespace

Measured ask(actor_system& system, const Job& job, std::vector<actor> callees, size_t outstanding,
             Stamps* stamps) {
    std::promise<Measured> end;
    auto caller = job.detached()
        ? system.spawn<Caller, detached>(job, std::move(callees), outstanding, stamps, &end)
        : system.spawn<Caller>(job, std::move(callees), outstanding, stamps, &end);
    anon_send(caller, go_atom::value);
    return end.get_future().get();
}

Answer ask_local(actor_system& system, const Job& job) {
    std::vector<actor> callee{spawn_counter(system, false)};
    Answer answer;
    answer.measured = ask(system, job, callee, 1, nullptr);
    answer.figures["ask_ns"] = answer.measured.median_ns;
    Stamps stamps;
    ask(system, job, callee, 1, &stamps);
    answer.latency = stamps.summary();
    return answer;
}

Answer ask_cross(actor_system& system, const Job& job) {
    std::vector<actor> callee{spawn_counter(system, job.detached())};
    Answer answer;
    answer.measured = ask(system, job, callee, 1, nullptr);
    Stamps stamps;
    ask(system, job, callee, 1, &stamps);
    answer.latency = stamps.summary();
    answer.figures["ask_ns"] = answer.latency->at("p50");
    answer.figures["asks_per_s_256"] = ask(system, job, callee, 256, nullptr).per_s();
    return answer;
}

// A thousand threads are nobody's configuration: where actors have their own, there is no fan-out.
Answer fan_out(actor_system& system, const Job& job, bool across) {
    std::vector<actor> callees;
    for (size_t index = 0; index < CALLEES; ++index)
        callees.push_back(spawn_counter(system, false));
    Answer answer;
    answer.measured = ask(system, job, std::move(callees), across ? 256 : 64, nullptr);
    answer.figures[across ? "cross_asks_per_s" : "asks_per_s"] = answer.measured.per_s();
    return answer;
}
