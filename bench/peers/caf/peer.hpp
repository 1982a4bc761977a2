// What the workloads of the CAF peer share.
#pragma once

#include <caf/all.hpp>

#include <chrono>
#include <cstdint>
#include <future>
#include <map>
#include <optional>
#include <string>
#include <vector>

using ask_atom = caf::atom_constant<caf::atom("ask")>;
using tell_atom = caf::atom_constant<caf::atom("tell")>;
using credit_atom = caf::atom_constant<caf::atom("credit")>;
using sum_atom = caf::atom_constant<caf::atom("sum")>;
using pin_atom = caf::atom_constant<caf::atom("pin")>;
using pass_atom = caf::atom_constant<caf::atom("pass")>;
using join_atom = caf::atom_constant<caf::atom("join")>;
using go_atom = caf::atom_constant<caf::atom("go")>;

using Clock = std::chrono::steady_clock;
using Nanoseconds = std::chrono::nanoseconds;

// What is to be done.
struct Job {
    std::string workload;
    std::string mode;
    Nanoseconds lasts;
    uint64_t keys;

    // Actors that have a thread each, where they are to be on two cores.
    bool detached() const { return mode == "detached"; }
};

// What a loop measured.
struct Measured {
    uint64_t count = 0;
    double seconds = 0;
    // Of a unit, in the middle one of all batches.
    double median_ns = 0;

    double per_s() const { return count / seconds; }
};

// What a workload has given; or why it can't be done.
struct Answer {
    Measured measured;
    std::optional<std::map<std::string, double>> latency;
    std::map<std::string, double> figures;
    std::string dash;
};

// A timed loop: batches between two readings of the clock.
class Laps {
public:
    Laps(Nanoseconds lasts, uint64_t batch);
    // Begins the first batch.
    void start();
    // One unit more is done; whether there is time for another.
    bool again();
    Measured end();
    uint64_t batch() const { return batch_; }

private:
    Nanoseconds lasts_;
    uint64_t batch_, count_ = 0;
    Clock::time_point begun_, lap_begun_;
    std::vector<double> laps_;
};

// Latencies of single units.
class Stamps {
public:
    Stamps();
    void record(Nanoseconds latency);
    std::map<std::string, double> summary() const;

private:
    std::vector<uint64_t> buckets_;
    uint64_t count_ = 0, sum_ = 0, max_ = 0;
};

// Adds up what it is asked and told.
struct CounterState {
    uint64_t sum = 0;
};
caf::behavior counter(caf::stateful_actor<CounterState>* self);

// A counter; one with a thread of its own on the second core, if that is asked for.
caf::actor spawn_counter(caf::actor_system& system, bool apart);

// Keeps this thread to one of the cores that the process may use.
void pin(int index);

// Asks `callees` in turn, so many asks outstanding; stamps them if there is something to stamp.
Measured ask(caf::actor_system& system, const Job& job, std::vector<caf::actor> callees,
             size_t outstanding, Stamps* stamps);

Answer ask_local(caf::actor_system& system, const Job& job);
Answer ask_cross(caf::actor_system& system, const Job& job);
Answer fan_out(caf::actor_system& system, const Job& job, bool across);
Answer tell(caf::actor_system& system, const Job& job, bool across);
Answer fan_in(caf::actor_system& system, const Job& job, bool across);
Answer ring(caf::actor_system& system, const Job& job);
Answer ping_pong(caf::actor_system& system, const Job& job, bool across);
Answer activate(caf::actor_system& system, const Job& job);
Answer idle(caf::actor_system& system, const Job& job);
