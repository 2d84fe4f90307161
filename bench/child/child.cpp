// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <list>
#include <map>
#include <optional>
#include <stdexcept>
#include <string_view>

#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <speedwell/backend.hpp>

#include "bench/child/pinning.hpp"
#include "bench/child/protocol.hpp"
#include "bench/child/sampling.hpp"
#include "runtime/reasons.hpp"

namespace speedwell::bench {
namespace {

using nlohmann::json;

constexpr int wrong_use = 2, could_not = 3;

class WrongUse : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <class Number>
Number parse_number(std::string_view text, std::string_view what, Number least, Number most) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    throw WrongUse(std::string(what) + " is '" + std::string(text) + "', expected a number from " +
                   std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

std::vector<int> parse_cpus(std::string_view text) {
  std::vector<int> cpus;
  while (true) {
    const std::size_t comma = text.find(',');
    cpus.push_back(parse_number(text.substr(0, comma), "--cpus", 0, CPU_SETSIZE - 1));
    if (comma == std::string_view::npos) return cpus;
    text.remove_prefix(comma + 1);
  }
}

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  ::sched_getaffinity(0, sizeof set, &set);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

ChildOptions parse_options(int argc, char** argv, const std::string& default_backend) {
  ChildOptions options = {.backend = default_backend, .cpus = allowed_cpus()};
  bool serve = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const std::size_t equals = argument.find('=');
    const std::string_view flag = argument.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? "" : argument.substr(equals + 1);
    if (argument == "--serve") {
      serve = true;
    } else if (flag == "--backend") {
      options.backend = value;
    } else if (flag == "--threads") {
      options.threads = parse_number(value, "--threads", 1, max_threads);
    } else if (flag == "--cpus") {
      options.cpus = parse_cpus(value);
    } else if (argument == "--unpinned") {
      options.pinned = false;
    } else if (flag == "--memory") {
      options.memory = parse_number<std::size_t>(value, "--memory", 0, PTRDIFF_MAX);
    } else {
      throw WrongUse(
          "'" + std::string(argument) +
          "' is not an option; expected --serve --backend=NAME --threads=N --cpus=0,1 --unpinned --memory=BYTES");
    }
  }
  if (!serve) throw WrongUse("expected --serve: this program is started by the sweep");
  return options;
}

std::string with_commas(const std::vector<int>& numbers) {
  std::string text;
  for (const int number : numbers) {
    if (!text.empty()) text += ',';
    text += std::to_string(number);
  }
  return text;
}

// Affinity and environment as they must be when the runtimes load, since OpenMP and OpenBLAS look at both before
// main(): starts the program again unless it was started so.
void settle(const ChildOptions& options, Environment environment, int argc, char** argv) {
  std::vector<int> wanted = options.cpus;
  std::sort(wanted.begin(), wanted.end());
  // What was done cannot be seen from the mask: OpenMP's runtime has narrowed this thread's when it loaded.
  environment.emplace_back("SPEEDWELL_CHILD_CPUS", with_commas(wanted));
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : options.cpus) CPU_SET(cpu, &set);
  // The kernel leaves out CPUs that aren't allowed, and fails only where none is left.
  if (::sched_setaffinity(0, sizeof set, &set) != 0 || allowed_cpus() != wanted) {
    throw WrongUse("--cpus names CPUs that this process may not run on, or one of them twice");
  }
  bool changed = false;
  for (const auto& [name, value] : environment) {
    const char* now = std::getenv(name.c_str());
    if (now != nullptr && value == now) continue;
    ::setenv(name.c_str(), value.c_str(), 1);
    changed = true;
  }
  if (!changed) return;
  std::string cpus = "--cpus=" + with_commas(options.cpus);
  std::vector<char*> arguments(argv, argv + argc);
  arguments.push_back(cpus.data());
  arguments.push_back(nullptr);
  ::execv("/proc/self/exe", arguments.data());
  throw std::runtime_error(std::string("can't start itself again: ") + std::strerror(errno));
}

std::string hex(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

// A request that can't be done; the text goes into the reply.
class Refused : public std::runtime_error {
 public:
  explicit Refused(const std::string& text, json more = json::object()) : std::runtime_error(text), more(more) {}
  json more;
};

double number(const json& request, const char* name, double least, double most) {
  const auto member = request.find(name);
  const bool valid =
      member != request.end() && member->is_number() && member->get<double>() >= least && member->get<double>() <= most;
  if (valid) return member->get<double>();
  char range[64];
  std::snprintf(range, sizeof range, "%g to %g", least, most);
  throw Refused(std::string("\"") + name + "\" is " + (member == request.end() ? "missing" : member->dump()) +
                ", expected a number from " + range);
}

// How a run of calls went.
struct Calls {
  double ns = 0, cpu_ns = 0;  // of one call
  int threads_used = 0;       // the most
  double threads_mean = 0;
  std::int64_t reset_ns = 0;  // between them all, untimed
};

class Server {
 public:
  Server(const ChildOptions& options, std::unique_ptr<Engine> engine)
      : options_(options), pinning_(options), engine_(std::move(engine)) {}

  // The reply to one line.
  json answer(const std::string& line) {
    try {
      const json request = json::parse(line, nullptr, false);
      if (!request.is_object()) throw Refused("not a JSON object: " + line.substr(0, 80));
      json reply = dispatch(request);
      reply["ok"] = true;
      return reply;
    } catch (const Refused& refused) {
      json reply = refused.more;
      reply["ok"] = false;
      reply["error"] = refused.what();
      return reply;
    } catch (const std::bad_alloc&) {
      return {{"ok", false}, {"error", "out of memory"}};
    } catch (const std::exception& error) {
      return {{"ok", false}, {"error", error.what()}};
    }
  }

  bool quitting() const { return quitting_; }

  void park() {
    engine_->park();
    wait_until_idle();
  }

 private:
  struct Kept {
    const Case* which;
    std::unique_ptr<Workload> workload;
    std::function<void()> call;
  };

  json dispatch(const json& request) {
    const json action = request.value("do", json());
    if (action == "hello") return hello();
    if (action == "prepare") return prepare(request);
    if (action == "sample") return sample(request);
    if (action == "release") return release(request);
    if (action == "quit") {
      quitting_ = true;
      return json::object();
    }
    throw Refused("\"do\" is " + action.dump() + ", expected hello, prepare, sample, release or quit");
  }

  json hello() const {
    json names = json::array();
    for (const Case& each : cases()) {
      if (engine_->offers(each)) names.push_back(each.name());
    }
    return {{"pid", ::getpid()},     {"backend", options_.backend},           {"threads", options_.threads},
            {"cpus", options_.cpus}, {"pinned", !pinning_.places().empty()},  {"version", engine_->version()},
            {"isa", engine_->isa()}, {"wait_policy", engine_->wait_policy()}, {"cases", names}};
  }

  json prepare(const json& request) {
    const Case& which = case_of(request);
    const double target = number(request, "target_ns", 1, 1e11);
    if (request.contains("memory")) options_.memory = static_cast<std::size_t>(number(request, "memory", 0, 1e15));
    Kept& kept = get(which);
    Calls calls;
    constexpr int least_calls = 1, most_calls = 1 << 24;
    kept.workload->spoil(0, 1);
    pinning_.widen();
    const Calls first = make_calls(kept, 1);
    pinning_.pin();
    const bool trusted = !request.value("verify", true);
    if (const std::string differs = trusted ? "" : kept.workload->verify(); !differs.empty()) {
      prepared_.erase(which.name());
      throw Refused("wrong result: " + differs, {{"verified", false}});
    }
    const std::uint64_t hash = kept.workload->output_hash();
    prepared_[which.name()] = hash;
    // Twice as many until they take a quarter of the sample: short calls speed up as they repeat.
    int used = first.threads_used;
    for (int count = least_calls; count <= most_calls; count *= 2) {
      calls = make_calls(kept, count);
      used = std::max(used, calls.threads_used);
      if (calls.ns * count > target / 4) break;
    }
    // On a busy machine a few short calls are over before every thread had a share; for some there may be none.
    constexpr std::int64_t patience = 50'000'000;
    const std::int64_t begin = wall_ns();
    while (used < options_.threads && wall_ns() - begin < patience && engine_->reason() != runtime::too_few_blocks)
      used = std::max(used, make_calls(kept, 1).threads_used);
    check_hash(kept, hash);
    const double wanted = std::clamp(std::round(target / std::max(calls.ns, 1.0)), 1.0, double{most_calls});
    return {{"calls", static_cast<int>(wanted)},
            {"ns", calls.ns},
            {"threads_used", used},
            {"verified", !trusted},
            {"hash", hex(hash)},
            {"reason", engine_->reason()}};
  }

  json sample(const json& request) {
    const Case& which = case_of(request);
    const int count = static_cast<int>(number(request, "calls", 1, 1 << 30));
    const auto prepared = prepared_.find(which.name());
    if (prepared == prepared_.end()) throw Refused(which.name() + " is not prepared; expected \"prepare\" first");
    const std::int64_t begin = wall_ns();
    Kept& kept = get(which);
    const std::int64_t made = wall_ns();
    // Others had the caches and the clock's boost meanwhile: once for the data, half a millisecond for the cores.
    constexpr std::int64_t warm_up = 500'000;
    do {
      make_calls(kept, 1);
    } while (wall_ns() - made < warm_up);
    const std::int64_t warm = wall_ns();
    pinning_.pin();  // threads that the calls have made
    // One element a page: the timed calls must write them again, and too few to leave the caches changed.
    constexpr std::size_t elements_a_page = 4096 / sizeof(float);
    const std::int64_t pinned = wall_ns();
    kept.workload->spoil(static_cast<std::size_t>(samples_++) % elements_a_page, elements_a_page);
    const std::int64_t spoiled = wall_ns();
    const std::int64_t spin = calibration_spin_ns();
    const Disturbance before = read_disturbance(options_.cpus);
    const Calls calls = make_calls(kept, count);
    const Disturbance after = read_disturbance(options_.cpus);
    const std::int64_t spin_after = calibration_spin_ns();
    const json cpus = cpus_of_threads();
    const std::int64_t unchecked = wall_ns();
    check_hash(kept, prepared->second);
    return {{"ns", calls.ns},
            {"cpu_ns", calls.cpu_ns},
            {"threads_used", calls.threads_used},
            {"threads_mean", calls.threads_mean},
            {"cpus_of_threads", cpus},
            {"hash", hex(prepared->second)},
            {"spin_ns", spin},
            {"spin_after_ns", spin_after},
            {"steal_ticks", after.steal_ticks - before.steal_ticks},
            {"others_running", std::min(before.others_running, after.others_running)},
            {"voluntary_switches", after.voluntary_switches - before.voluntary_switches},
            {"involuntary_switches", after.involuntary_switches - before.involuntary_switches},
            {"make_ns", made - begin},
            {"warm_ns", warm - made},
            {"restore_ns", spoiled - pinned + calls.reset_ns},
            {"check_ns", wall_ns() - unchecked}};
  }

  json release(const json& request) {
    const Case& which = case_of(request);
    kept_.remove_if([&which](const Kept& kept) { return kept.which == &which; });
    return json::object();
  }

  const Case& case_of(const json& request) {
    const json name = request.value("case", json());
    const Case* const which = name.is_string() ? known(name.get<std::string>()) : nullptr;
    if (which == nullptr) {
      throw Refused("\"case\" is " + name.dump() + ", expected one of those that \"hello\" lists");
    }
    if (!engine_->offers(*which)) throw Refused(which->name() + " doesn't exist on " + options_.backend);
    return *which;
  }

  // One that isn't listed stays where it is from the first request for it on.
  const Case* known(const std::string& name) {
    if (const Case* const listed = find_case(name)) return listed;
    if (const auto found = unlisted_.find(name); found != unlisted_.end()) return &found->second;
    std::optional<Case> made = make_case(name);
    return made ? &unlisted_.emplace(name, std::move(*made)).first->second : nullptr;
  }

  // The case's workload, made if it isn't there; the one used last is at the front.
  Kept& get(const Case& which) {
    const auto found = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) { return kept.which == &which; });
    if (found != kept_.end()) {
      kept_.splice(kept_.begin(), kept_, found);
      return kept_.front();
    }
    // Its size is known once it exists; memory that nobody touched yet costs nothing, but filling it does. So older
    // ones go before, by what the case reads and writes.
    std::size_t held = static_cast<std::size_t>(which.bytes);
    for (const Kept& kept : kept_) held += kept.workload->bytes();
    while (!kept_.empty() && held > options_.memory) {
      held -= kept_.back().workload->bytes();
      kept_.pop_back();
    }
    pinning_.widen();
    std::unique_ptr<Workload> workload = which.make(options_.threads);
    std::function<void()> call = engine_->call(*workload);
    if (!call) throw Refused(which.name() + " doesn't exist on " + options_.backend);
    // What no call writes must read the same in each instance, as it is part of the bits that are compared.
    workload->spoil(0, 1);
    kept_.push_front({&which, std::move(workload), std::move(call)});
    return kept_.front();
  }

  Calls make_calls(const Kept& kept, int count) const {
    Calls calls;
    std::int64_t threads = 0;
    const bool one_by_one = kept.workload->needs_reset();
    std::int64_t cpu = 0, wall = 0;
    for (int done = 0; done < count;) {
      if (one_by_one) {
        const std::int64_t begin = wall_ns();
        kept.workload->reset();
        calls.reset_ns += wall_ns() - begin;
      }
      const int batch = one_by_one ? 1 : count;
      const std::int64_t cpu_begin = cpu_ns(), wall_begin = wall_ns();
      for (int i = 0; i < batch; ++i) {
        kept.call();
        const int used = engine_->threads_used(*kept.workload);
        calls.threads_used = std::max(calls.threads_used, used);
        threads += used;
      }
      wall += wall_ns() - wall_begin;
      cpu += cpu_ns() - cpu_begin;
      done += batch;
    }
    calls.ns = static_cast<double>(wall) / count;
    calls.cpu_ns = static_cast<double>(cpu) / count;
    calls.threads_mean = static_cast<double>(threads) / count;
    return calls;
  }

  static void check_hash(const Kept& kept, std::uint64_t expected) {
    const std::uint64_t hash = kept.workload->output_hash();
    if (hash == expected) return;
    throw Refused(
        "wrong result: its hash is " + hex(hash) + ", expected " + hex(expected) + ", that of the verified one",
        {{"verified", false}});
  }

  ChildOptions options_;
  Pinning pinning_;
  std::unique_ptr<Engine> engine_;
  std::map<std::string, Case> unlisted_;
  std::list<Kept> kept_;
  std::map<std::string, std::uint64_t> prepared_;  // the hash of each case's verified output, kept when its memory goes
  std::int64_t samples_ = 0;
  bool quitting_ = false;
};

// A stream on what was standard output, which from now on goes where standard error goes: what a library prints there
// would look like a reply.
std::FILE* take_standard_output() {
  const int replies = ::dup(STDOUT_FILENO);
  if (replies < 0 || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) return nullptr;
  return ::fdopen(replies, "w");
}

}  // namespace

Environment openmp_environment(const ChildOptions& options) {
  Environment environment = {{"OMP_NUM_THREADS", std::to_string(options.threads)}};
  const std::vector<int> places = Pinning(options).places();
  if (places.empty()) return environment;
  std::string text;
  for (const int cpu : places) {
    if (!text.empty()) text += ',';
    text.append("{").append(std::to_string(cpu)).append("}");
  }
  environment.emplace_back("OMP_PLACES", text);
  environment.emplace_back("OMP_PROC_BIND", "close");
  return environment;
}

int child_main(int argc, char** argv, const std::string& default_backend,
               const std::function<Environment(const ChildOptions&)>& environment,
               const std::function<std::unique_ptr<Engine>(const ChildOptions&)>& make_engine) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);  // a sweep that is gone shows as the end of the input
  try {
    const ChildOptions options = parse_options(argc, argv, default_backend);
    settle(options, environment(options), argc, argv);
    std::unique_ptr<Engine> engine = make_engine(options);
    std::FILE* replies = take_standard_output();
    if (replies == nullptr)
      throw std::runtime_error(std::string("can't duplicate standard output: ") + std::strerror(errno));
    Server server(options, std::move(engine));
    for (std::string line; !server.quitting() && std::getline(std::cin, line);) {
      json reply = server.answer(line);
      const std::int64_t begin = wall_ns();
      server.park();
      reply["park_ns"] = wall_ns() - begin;
      // Text that isn't UTF-8 (an argument echoed in a message) must not end the child.
      const std::string text = reply.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
      if (std::fwrite(text.data(), 1, text.size(), replies) != text.size() || std::fflush(replies) != 0) break;
    }
    return 0;
  } catch (const WrongUse& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return wrong_use;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return wrong_use;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return could_not;
  }
}

}  // namespace speedwell::bench
