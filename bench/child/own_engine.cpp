// SPDX-License-Identifier: Apache-2.0
#include "bench/child/own_engine.hpp"

#include <algorithm>
#include <cstdlib>

#include <speedwell/error.hpp>
#include <speedwell/machine.hpp>
#include <speedwell/runtime.hpp>

#include "runtime/built.hpp"
#include "runtime/models.hpp"

namespace speedwell::bench {
namespace {

class OwnEngine final : public Engine {
 public:
  OwnEngine(std::string name, int threads)
      : name_(std::move(name)),
        threads_(threads),
        counted_(name_ != Automatic::name && name_ != Sequential::name),
        backend_(backend_from_name(name_, threads)) {}

  std::string version() const override { return std::string(speedwell::version()); }

  std::string isa() const override { return std::string(name(machine().isa)); }

  std::string wait_policy() const override {
    if (name_ == Sequential::name) return "no threads";
    if (name_ == Automatic::name) return "that of the model it picks";
    if (name_ == Threads::name) return "spins some microseconds, then sleeps";
    if (name_ == Tbb::name) return "oneTBB's own";
    const char* policy = std::getenv("OMP_WAIT_POLICY");
    return policy == nullptr ? "OpenMP's default; threads ended between samples"
                             : "OMP_WAIT_POLICY=" + std::string(policy) + "; threads ended between samples";
  }

  bool offers(const Case& which) const override {
    if (name_ != Automatic::name) return runs_on(which, name_);
    return which.kernel != "ceiling" && which.weak_of.empty();
  }

  std::function<void()> call(Workload& workload) override { return workload.call(backend_); }

  // How many of those that it may have take part is the library's own choice in Automatic, as in a peer; and asking
  // would add to a call of some nanoseconds what isn't added to a peer's.
  int threads_used(const Workload& workload) const override { return counted_ ? workload.threads_used() : threads_; }

  std::string reason() const override { return std::string(last_run().reason); }

  void park() override {
    // The pool's and oneTBB's workers go to sleep by themselves, at once.
    if constexpr (runtime::built<OpenMp>) runtime::release_openmp_threads();
  }

 private:
  std::string name_;
  int threads_;
  bool counted_;
  Backend backend_;
};

}  // namespace

Environment own_environment(const ChildOptions& options) {
  if (options.backend == Automatic::name) return {{"SPEEDWELL_THREADS", std::to_string(options.threads)}};
  return options.backend == OpenMp::name ? openmp_environment(options) : Environment();
}

std::unique_ptr<Engine> make_own_engine(const ChildOptions& options) {
  auto names = backend_names();
  names.emplace_back(Automatic::name);
  if (std::find(names.begin(), names.end(), options.backend) == names.end()) {
    std::string list;
    for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
    throw InvalidArgument("--backend is '" + options.backend + "', expected one of " + list);
  }
  if (options.backend == Sequential::name && options.threads != 1) {
    throw InvalidArgument("--threads is " + std::to_string(options.threads) + ", expected 1 with --backend=sequential");
  }
  return std::make_unique<OwnEngine>(options.backend, options.threads);
}

}  // namespace speedwell::bench
