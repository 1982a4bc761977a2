// The C++ Actor Framework in the peers' workloads: the command line, and the JSON line.
//
// Workloads on one core have one worker, pinned; the others two, between which CAF moves actors as
// it likes. Only detached actors stay where they are put: the mode `detached` has them where two
// actors are to be on two cores.
#include "peer.hpp"

#include <caf/config.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>

using namespace caf;

static const std::vector<std::string> WORKLOADS = {
    "ask-local", "ask-cross", "tell-local", "tell-cross", "fan-in",
    "fan-out",   "ring",      "ping-pong",  "activate",   "idle",
};

// Runs `work` in a system of its own, with so many workers.
static Answer in_system(const Job& job, size_t workers, std::function<Answer(actor_system&)> work) {
    Answer answer;
    // Threads are where the thread is that makes them.
    auto thread = std::thread([&] {
        if (workers == 1)
            pin(0);
        actor_system_config config;
        config.set("scheduler.max-threads", workers);
        config.set("scheduler.policy", job.mode == "sharing" ? atom("sharing") : atom("stealing"));
        actor_system system{config};
        answer = work(system);
        // Actors that nobody will end would be waited for.
        system.await_actors_before_shutdown(false);
        // Nor is there anything worth waiting for: each workload is a process of its own.
    });
    thread.join();
    return answer;
}

// A workload that has two parts, on two cores and on one.
static Answer both(const Job& job, std::function<Answer(actor_system&, bool)> work) {
    auto across = in_system(job, 2, [&](actor_system& system) { return work(system, true); });
    if (job.detached())
        return across;
    auto local = in_system(job, 1, [&](actor_system& system) { return work(system, false); });
    across.figures.insert(local.figures.begin(), local.figures.end());
    return across;
}

static Answer work(const Job& job) {
    auto one = [&](Answer (*work)(actor_system&, const Job&), size_t workers) {
        return in_system(job, workers, [&](actor_system& system) { return work(system, job); });
    };
    const auto& name = job.workload;
    auto is_apart = name == "ask-cross" || name == "tell-cross" || name == "ping-pong";
    if (job.detached() && !is_apart) {
        Answer answer;
        answer.dash = "only where two actors are to be on two cores";
        return answer;
    }
    if (name == "ask-local")
        return one(ask_local, 1);
    if (name == "ask-cross")
        return one(ask_cross, 2);
    if (name == "tell-local")
        return in_system(job, 1, [&](auto& system) { return tell(system, job, false); });
    if (name == "tell-cross")
        return in_system(job, 2, [&](auto& system) { return tell(system, job, true); });
    if (name == "fan-in")
        return both(job, [&](auto& system, bool across) { return fan_in(system, job, across); });
    if (name == "fan-out")
        return both(job, [&](auto& system, bool across) { return fan_out(system, job, across); });
    if (name == "ring")
        return one(ring, 1);
    if (name == "ping-pong")
        return both(job, [&](auto& system, bool across) { return ping_pong(system, job, across); });
    if (name == "activate")
        return one(activate, 1);
    return one(idle, 2);
}

static std::string version() {
    auto text = [](int part) { return std::to_string(part); };
    return text(CAF_VERSION / 10000) + "." + text(CAF_VERSION / 100 % 100) + "."
        + text(CAF_VERSION % 100);
}

static std::string object(const std::map<std::string, double>& values) {
    std::string out;
    for (const auto& [name, value] : values) {
        char text[64];
        std::snprintf(text, sizeof text, "%.6f", value);
        out += (out.empty() ? "\"" : ",\"") + name + "\":" + text;
    }
    return "{" + out + "}";
}

static void print(const Job& job, const Answer& answer) {
    const auto& measured = answer.measured;
    auto rate = measured.seconds > 0 ? measured.per_s() : 0;
    std::printf("{\"peer\":\"caf\",\"version\":\"%s\",\"mode\":\"%s\",\"spins\":false,"
                "\"workload\":\"%s\",\"count\":%llu,\"seconds\":%.6f,\"rate_per_s\":%.3f,"
                "\"latency_ns\":%s,\"figures\":%s,\"dash\":%s}\n",
                version().c_str(), job.mode.c_str(), job.workload.c_str(),
                static_cast<unsigned long long>(measured.count), measured.seconds, rate,
                answer.latency ? object(*answer.latency).c_str() : "null",
                object(answer.figures).c_str(),
                answer.dash.empty() ? "null" : ("\"" + answer.dash + "\"").c_str());
    std::fflush(stdout);
}

int main(int count, char** arguments) {
    Job job{"", "stealing", {}, 1000000};
    auto seconds = 0.7;
    std::vector<std::string> asked;
    for (int index = 1; index < count; ++index) {
        std::string argument = arguments[index];
        std::string value = index + 1 < count ? arguments[index + 1] : "";
        if (argument == "--describe") {
            std::printf("{\"peer\":\"caf\",\"version\":\"%s\",\"is_virtual\":false,"
                        "\"mailbox\":\"unbounded\",\"modes\":["
                        "{\"name\":\"stealing\",\"spins\":false,\"places\":false},"
                        "{\"name\":\"sharing\",\"spins\":false,\"places\":false},"
                        "{\"name\":\"detached\",\"spins\":false}]}\n",
                        version().c_str());
            return 0;
        }
        if (argument.rfind("--", 0) != 0) {
            asked.push_back(argument);
            continue;
        }
        ++index;
        if (argument == "--mode")
            job.mode = value;
        else if (argument == "--seconds")
            seconds = std::atof(value.c_str());
        else if (argument == "--keys")
            job.keys = std::strtoull(value.c_str(), nullptr, 10);
        else
            return std::fprintf(stderr, "no option %s\n", argument.c_str()), 2;
    }
    if (job.mode != "stealing" && job.mode != "sharing" && job.mode != "detached")
        return std::fprintf(stderr, "caf has no mode %s\n", job.mode.c_str()), 2;
    if (!(seconds > 0) || job.keys == 0)
        return std::fprintf(stderr, "--seconds and --keys must be above 0\n"), 2;
    job.lasts = std::chrono::duration_cast<Nanoseconds>(std::chrono::duration<double>(seconds));
    for (const auto& name : asked)
        if (std::find(WORKLOADS.begin(), WORKLOADS.end(), name) == WORKLOADS.end())
            return std::fprintf(stderr, "no workload %s\n", name.c_str()), 2;
    for (const auto& name : asked.empty() ? WORKLOADS : asked) {
        job.workload = name;
        print(job, work(job));
    }
    return 0;
}
