// tell-local, tell-cross and fan-in. Mailboxes have no bound, so a sender has credit: after each
// half of it, the receiver is asked for so much more.
#include "peer.hpp"

using namespace caf;

static constexpr size_t SENDERS = 100;
// Half of what may be on its way, of one sender and of each of many.
static constexpr uint64_t HALF = 512, SMALL_HALF = 32;

namespace {

class Sender : public event_based_actor {
public:
    Sender(actor_config& config, actor target, Nanoseconds lasts, uint64_t half, bool apart,
           std::promise<uint64_t>* end)
        : event_based_actor(config), target_(std::move(target)), lasts_(lasts), half_(half),
          apart_(apart), end_(end) {
    }

    behavior make_behavior() override {
        return {
            [=](go_atom) {
                if (apart_)
                    pin(0);
                begun_ = Clock::now();
                burst();
                burst();
            },
            [=](credit_atom) {
                --pending_;
                if (Clock::now() - begun_ < lasts_) {
                    burst();
                } else if (pending_ == 0) {
                    end_->set_value(sent_);
                    quit();
                }
            },
        };
    }

private:
    void burst() {
        for (uint64_t index = 0; index < half_; ++index)
            send(target_, tell_atom::value, uint64_t{1});
        send(target_, credit_atom::value);
        sent_ += half_;
        ++pending_;
    }

    actor target_;
    Nanoseconds lasts_;
    uint64_t half_, sent_ = 0, pending_ = 0;
    bool apart_;
    std::promise<uint64_t>* end_;
    Clock::time_point begun_;
};

Measured pour(actor_system& system, const Job& job, size_t senders, uint64_t half, bool apart) {
    auto target = spawn_counter(system, apart);
    std::vector<std::promise<uint64_t>> ends(senders);
    std::vector<actor> all;
    // Many threads are nobody's configuration: of senders, only a lone one has its own.
    for (auto& end : ends)
        all.push_back(apart && senders == 1
            ? system.spawn<Sender, detached>(target, job.lasts, half, true, &end)
            : system.spawn<Sender>(target, job.lasts, half, false, &end));
    auto begun = Clock::now();
    for (auto& sender : all)
        anon_send(sender, go_atom::value);
    Measured measured;
    for (auto& end : ends)
        measured.count += end.get_future().get();
    measured.seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    scoped_actor self{system};
    self->request(target, infinite, sum_atom::value).receive(
        [&](uint64_t sum) {
            if (sum != measured.count)
                CAF_CRITICAL("messages were lost");
        },
        [](error&) { CAF_CRITICAL("the receiver is gone"); });
    return measured;
}

} // namespace

Answer tell(actor_system& system, const Job& job, bool across) {
    Answer answer;
    answer.measured = pour(system, job, 1, HALF, across && job.detached());
    answer.figures["messages_per_s"] = answer.measured.per_s();
    return answer;
}

Answer fan_in(actor_system& system, const Job& job, bool across) {
    Answer answer;
    answer.measured = pour(system, job, SENDERS, SMALL_HALF, across && job.detached());
    auto name = across ? "messages_per_s" : "local_messages_per_s";
    answer.figures[name] = answer.measured.per_s();
    return answer;
}
