// ring and ping-pong: actors that pass one message on and on.
#include "peer.hpp"

using namespace caf;

static constexpr size_t RING = 100;
// Hops between two readings of the clock.
static constexpr uint64_t LAP = 1000;

namespace {

class Runner : public event_based_actor {
public:
    Runner(actor_config& config, Nanoseconds lasts, std::promise<Measured>* end)
        : event_based_actor(config), laps_(lasts, 1), end_(end) {
    }

    behavior make_behavior() override {
        return {
            [=](join_atom, const actor& next) { next_ = next; },
            [=](pin_atom, int core) { pin(core); },
            [=](go_atom) {
                laps_.start();
                send(next_, pass_atom::value, LAP - 1);
            },
            [=](pass_atom, uint64_t left) {
                if (left > 0)
                    send(next_, pass_atom::value, left - 1);
                else if (laps_.again())
                    send(next_, pass_atom::value, LAP - 1);
                else
                    finish();
            },
        };
    }

private:
    void finish() {
        auto measured = laps_.end();
        measured.count *= LAP;
        measured.median_ns /= LAP;
        end_->set_value(measured);
        // The ring holds itself up no longer.
        next_ = nullptr;
    }

    Laps laps_;
    std::promise<Measured>* end_;
    actor next_;
};

Measured race(actor_system& system, const Job& job, size_t runners, bool apart) {
    std::promise<Measured> end;
    std::vector<actor> all;
    for (size_t index = 0; index < runners; ++index) {
        all.push_back(apart ? system.spawn<Runner, detached>(job.lasts, &end)
                            : system.spawn<Runner>(job.lasts, &end));
        if (apart)
            anon_send(all.back(), pin_atom::value, static_cast<int>(index % 2));
    }
    for (size_t index = 0; index < runners; ++index)
        anon_send(all[index], join_atom::value, all[(index + 1) % runners]);
    anon_send(all[0], go_atom::value);
    return end.get_future().get();
}

} // namespace

Answer ring(actor_system& system, const Job& job) {
    Answer answer;
    answer.measured = race(system, job, RING, false);
    answer.figures["hop_ns"] = answer.measured.median_ns;
    return answer;
}

Answer ping_pong(actor_system& system, const Job& job, bool across) {
    Answer answer;
    answer.measured = race(system, job, 2, across && job.detached());
    answer.figures[across ? "message_ns" : "local_message_ns"] = answer.measured.median_ns;
    return answer;
}
