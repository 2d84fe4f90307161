// SPDX-License-Identifier: Apache-2.0
// Real children of the sweep, driven through pipes; and speedwell_bench as a Google Benchmark program.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <speedwell/machine.hpp>

#include "bench/case.hpp"

namespace speedwell::bench {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// A started program with both ends of its pipes.
class Child {
 public:
  explicit Child(std::vector<std::string> arguments, const char* errors = "/dev/null") {
    int question[2], answer[2];
    if (::pipe2(question, O_CLOEXEC) != 0 || ::pipe2(answer, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    std::vector<char*> words;
    for (std::string& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(question[0], 0);
      ::dup2(answer[1], 1);
      ::dup2(::open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
      ::execv(words[0], words.data());
      ::_exit(127);
    }
    ::close(question[0]);
    ::close(answer[1]);
    to_ = question[1];
    from_ = ::fdopen(answer[0], "r");
  }

  ~Child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
    hang_up();
    std::fclose(from_);
  }

  void say(const std::string& text) {
    const std::string line = text + "\n";
    if (::write(to_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) throw std::runtime_error("write");
  }

  json hear() {
    std::string line;
    for (int c = std::fgetc(from_); c != EOF && c != '\n'; c = std::fgetc(from_)) line += static_cast<char>(c);
    return json::parse(line, nullptr, false);
  }

  json ask(const json& request) {
    say(request.dump());
    return hear();
  }

  void hang_up() {
    if (to_ >= 0) ::close(to_);
    to_ = -1;
  }

  // The exit status, or minus the signal.
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  // CPU time of all its threads so far.
  double cpu_ms() const {
    double ns = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/task")) {
      double of_task = 0;
      std::ifstream(task.path() / "schedstat") >> of_task;
      ns += of_task;
    }
    return ns / 1e6;
  }

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int to_ = -1;
  std::FILE* from_ = nullptr;
};

Child start(const std::string& backend, int threads = 1, const std::string& more = "--memory=100000000") {
  return Child({SPEEDWELL_BENCH, "--serve", "--backend=" + backend, "--threads=" + std::to_string(threads), more});
}

constexpr const char* small = "matmul/f32/64x64x64";

json prepare(const std::string& name, double target_ns = 1e6) {
  return {{"do", "prepare"}, {"case", name}, {"target_ns", target_ns}};
}

json sample(const std::string& name, int calls = 3) { return {{"do", "sample"}, {"case", name}, {"calls", calls}}; }

void expect_refused(const json& reply, const std::string& why) {
  EXPECT_EQ(reply.value("ok", json()), false) << reply;
  EXPECT_THAT(reply.value("error", ""), HasSubstr(why));
}

TEST(Child, SaysWhoItIs) {
  for (const std::string& backend : backend_names()) {
    Child child = start(backend);
    const json hello = child.ask({{"do", "hello"}});
    EXPECT_EQ(hello["ok"], true);
    EXPECT_EQ(hello["pid"], child.pid());
    EXPECT_EQ(hello["backend"], backend);
    EXPECT_EQ(hello["threads"], 1);
    EXPECT_FALSE(hello["version"].get<std::string>().empty());
    EXPECT_FALSE(hello["wait_policy"].get<std::string>().empty());
    std::vector<std::string> expected;
    for (const Case& each : cases()) {
      if (runs_on(each, backend)) expected.push_back(each.name());
    }
    EXPECT_EQ(hello["cases"].get<std::vector<std::string>>(), expected);
  }
}

TEST(Child, StaysOnItsCpus) {
  const std::string cpu = std::to_string(machine().allowed_cpus.front());
  Child child = start("sequential", 1, "--cpus=" + cpu);
  EXPECT_EQ(child.ask({{"do", "hello"}})["cpus"].dump(), "[" + cpu + "]");
  std::ifstream of_child("/proc/" + std::to_string(child.pid()) + "/status");
  std::stringstream text;
  text << of_child.rdbuf();
  EXPECT_THAT(text.str(), HasSubstr("Cpus_allowed_list:\t" + cpu + "\n"));
}

// The CPUs in the order given, the main thread first: whichever library makes the threads, and whenever. The OpenMP
// backend's are made anew for each sample, and a small case runs before one that needs all threads.
TEST(Child, PutsEachThreadOnACpuOfItsOwn) {
  const std::vector<int>& allowed = machine().allowed_cpus;
  if (allowed.size() < 2) GTEST_SKIP() << "one CPU only";
  const std::string cpus = "--cpus=" + std::to_string(allowed[1]) + "," + std::to_string(allowed[0]);
  for (const std::string& backend : backend_names()) {
    SCOPED_TRACE(backend);
    const int threads = backend == "sequential" ? 1 : 2;
    Child child = start(backend, threads, cpus);
    EXPECT_EQ(child.ask({{"do", "hello"}})["pinned"], true);
    json expected = {{allowed[1]}};
    if (threads > 1) expected.push_back({allowed[0]});
    // One block: the pool makes no thread for it yet.
    ASSERT_EQ(child.ask(prepare(small, 1e6))["ok"], true);
    EXPECT_EQ(child.ask(sample(small))["cpus_of_threads"], json({{allowed[1]}}));
    for (const char* const name : {"matmul/f32/512x512x512", "sobel/f32c1/640x480"}) {
      ASSERT_EQ(child.ask(prepare(name, 5e6))["ok"], true);
      for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(child.ask(sample(name))["cpus_of_threads"], expected) << name;
      }
    }
  }
}

std::string environment_of(pid_t process) {
  std::stringstream text;
  text << std::ifstream("/proc/" + std::to_string(process) + "/environ").rdbuf();
  return text.str();
}

// Its runtime makes its threads anew for each sample: they must not first be placed once the sample runs.
TEST(Child, TellsOpenMpWhereItsThreadsSit) {
  const std::vector<int>& allowed = machine().allowed_cpus;
  if (allowed.size() < 2) GTEST_SKIP() << "one CPU only";
  if (!is_built(OpenMp{})) GTEST_SKIP() << "OpenMP isn't built";
  const std::string first = std::to_string(allowed[1]), second = std::to_string(allowed[0]);
  Child child = start("openmp", 2, "--cpus=" + first + "," + second);
  ASSERT_EQ(child.ask({{"do", "hello"}})["ok"], true);
  EXPECT_THAT(environment_of(child.pid()), HasSubstr("OMP_PLACES={" + first + "},{" + second + "}"));
  Child free({SPEEDWELL_BENCH, "--serve", "--backend=openmp", "--threads=2", "--unpinned"});
  ASSERT_EQ(free.ask({{"do", "hello"}})["ok"], true);
  EXPECT_THAT(environment_of(free.pid()), testing::Not(HasSubstr("OMP_PLACES={")));
}

TEST(Child, SharesItsCpusWhereItIsNotPinned) {
  const std::vector<int>& allowed = machine().allowed_cpus;
  if (allowed.size() < 2) GTEST_SKIP() << "one CPU only";
  const auto cpus_of_main = [](const std::vector<std::string>& more) {
    std::vector<std::string> words = {SPEEDWELL_BENCH, "--serve", "--backend=threads"};
    words.insert(words.end(), more.begin(), more.end());
    Child child(words);
    EXPECT_EQ(child.ask({{"do", "hello"}})["pinned"], false);
    EXPECT_EQ(child.ask(prepare(small, 1e6))["ok"], true);
    return child.ask(sample(small))["cpus_of_threads"][0];
  };
  EXPECT_EQ(cpus_of_main({"--threads=2", "--unpinned"}), json(allowed));
  // More threads than CPUs take turns on all of them.
  const std::string two = "--cpus=" + std::to_string(allowed[0]) + "," + std::to_string(allowed[1]);
  EXPECT_EQ(cpus_of_main({"--threads=3", two}), json({allowed[0], allowed[1]}));
}

TEST(Child, SaysWhereItsTimeWent) {
  Child child = start("sequential");
  const json prepared = child.ask(prepare("sort/f32/100000", 1e6));
  ASSERT_EQ(prepared["ok"], true) << prepared;
  EXPECT_GT(prepared["park_ns"].get<double>(), 0);
  const json taken = child.ask(sample("sort/f32/100000"));
  for (const char* const member : {"spin_after_ns", "make_ns", "warm_ns", "restore_ns", "check_ns", "park_ns"}) {
    EXPECT_GT(taken[member].get<double>(), 0) << member;
  }
  EXPECT_GE(taken["warm_ns"].get<double>(), 5e5);
  EXPECT_GE(taken["others_running"].get<double>(), 0);
  EXPECT_GE(taken["voluntary_switches"].get<double>(), 0);
}

TEST(Child, PreparesAndSamplesOnEveryBackend) {
  std::string hash;
  for (const std::string& backend : backend_names()) {
    const int threads = backend == "sequential" ? 1 : 2;
    Child child = start(backend, threads);
    for (const char* name : {"matmul/f32/512x512x512", "sobel/f32c1/640x480"}) {
      const json prepared = child.ask(prepare(name, 5e6));
      ASSERT_EQ(prepared["ok"], true) << prepared;
      EXPECT_EQ(prepared["verified"], true);
      // How many take part is up to the scheduler where the machine is busy; what is counted is tested below.
      EXPECT_GE(prepared["threads_used"].get<int>(), 1) << backend;
      EXPECT_LE(prepared["threads_used"].get<int>(), threads) << backend;
      EXPECT_GE(prepared["calls"].get<int>(), 1);
      EXPECT_GT(prepared["ns"].get<double>(), 0);
      EXPECT_EQ(prepared["hash"].get<std::string>().size(), 16U);
      const json taken = child.ask(sample(name));
      ASSERT_EQ(taken["ok"], true) << taken;
      EXPECT_EQ(taken["hash"], prepared["hash"]);
      for (const char* member : {"ns", "cpu_ns", "threads_used", "threads_mean", "spin_ns"}) {
        EXPECT_GT(taken[member].get<double>(), 0) << member;
      }
      EXPECT_GE(taken["steal_ticks"].get<double>(), 0);
      EXPECT_GE(taken["involuntary_switches"].get<double>(), 0);
    }
    // The same bits from every backend.
    const json last = child.ask(sample("sobel/f32c1/640x480"));
    if (hash.empty()) hash = last["hash"];
    EXPECT_EQ(last["hash"], hash) << backend;
    EXPECT_EQ(child.ask({{"do", "quit"}})["ok"], true);
    EXPECT_EQ(child.wait(), 0);
  }
}

TEST(Child, RefusesWhatItCannotDoAndGoesOn) {
  Child child = start("sequential");
  const auto say = [&child](const std::string& line) {
    child.say(line);
    return child.hear();
  };
  expect_refused(say("{\"do\": \"hello\""), "not a JSON object: {\"do\"");
  expect_refused(say(""), "not a JSON object");
  expect_refused(say("[1]"), "not a JSON object");
  expect_refused(say("\xff\xfe"), "not a JSON object");
  expect_refused(say("{}"), "\"do\" is null, expected hello, prepare, sample, release or quit");
  expect_refused(say("{\"do\": 7}"), "\"do\" is 7");
  expect_refused(say("{\"do\": \"dance\"}"), "\"do\" is \"dance\"");
  expect_refused(child.ask(prepare("matmul/f32/1x1")), "\"case\" is \"matmul/f32/1x1\"");
  expect_refused(child.ask({{"do", "sample"}, {"calls", 1}}), "\"case\" is null");
  expect_refused(child.ask({{"do", "release"}, {"case", 3}}), "\"case\" is 3");
  expect_refused(child.ask({{"do", "prepare"}, {"case", small}}), "\"target_ns\" is missing");
  expect_refused(child.ask(prepare(small, -1)), "\"target_ns\" is -1.0, expected a number from 1 to");
  expect_refused(child.ask({{"do", "prepare"}, {"case", small}, {"target_ns", "1"}}), "\"target_ns\" is \"1\"");
  expect_refused(child.ask(sample(small)), "is not prepared");
  ASSERT_EQ(child.ask(prepare(small))["ok"], true);
  expect_refused(child.ask(sample(small, 0)), "\"calls\" is 0");
  EXPECT_EQ(child.ask(sample(small))["ok"], true);
}

TEST(Child, RefusesACeilingOnAModelThatHasNone) {
  if (!is_built(OpenMp{})) GTEST_SKIP() << "OpenMP isn't built";
  Child child = start("openmp");
  expect_refused(child.ask(prepare("ceiling/triad/memory")), "doesn't exist on openmp");
}

TEST(Child, MakesAgainWhatItGaveUp) {
  // Room for one of the two.
  Child child = start("sequential", 1, "--memory=700000");
  const std::string first = "gaussian_blur/u8c1/640x480", second = "median_blur/u8c1/640x480";
  const json hash = child.ask(prepare(first))["hash"];
  ASSERT_EQ(child.ask(prepare(second))["ok"], true);
  EXPECT_EQ(child.ask(sample(first))["hash"], hash);
  EXPECT_EQ(child.ask(sample(second))["ok"], true);
  EXPECT_EQ(child.ask({{"do", "release"}, {"case", first}})["ok"], true);
  EXPECT_EQ(child.ask({{"do", "release"}, {"case", first}})["ok"], true);
  EXPECT_EQ(child.ask(sample(first))["hash"], hash);
}

TEST(Child, EndsWithItsInput) {
  Child child = start("sequential");
  ASSERT_EQ(child.ask({{"do", "hello"}})["ok"], true);
  child.hang_up();
  EXPECT_EQ(child.wait(), 0);
}

TEST(Child, IgnoresCtrlC) {
  Child child = start("sequential");
  ASSERT_EQ(child.ask({{"do", "hello"}})["ok"], true);
  ::kill(child.pid(), SIGINT);
  EXPECT_EQ(child.ask({{"do", "hello"}})["ok"], true);
}

TEST(Child, DiesWithItsParentEvenWhileItWorks) {
  // The parent in between starts a child that works for minutes, says its pid, and is killed.
  int pids[2];
  ASSERT_EQ(::pipe(pids), 0);
  const pid_t between = ::fork();
  if (between == 0) {
    Child child = start("sequential");
    child.ask(prepare(small));
    child.say(sample(small, 1 << 28).dump());
    const pid_t pid = child.pid();
    [[maybe_unused]] const auto written = ::write(pids[1], &pid, sizeof pid);
    ::pause();
    ::_exit(0);
  }
  pid_t pid = 0;
  ASSERT_EQ(::read(pids[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  ::kill(between, SIGKILL);
  ::waitpid(between, nullptr, 0);
  // Gone, or dead and waiting for someone to notice.
  const auto alive = [pid] {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string number, name, state;
    return static_cast<bool>(stat >> number >> name >> state) && state != "Z";
  };
  for (int i = 0; i < 500 && alive(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_FALSE(alive());
  if (alive()) ::kill(pid, SIGKILL);
  ::close(pids[0]);
  ::close(pids[1]);
}

void expect_idle(Child& child) {
  const double before = child.cpu_ms();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(child.cpu_ms() - before, 2);
}

TEST(Child, TakesNoCpuTimeWhileItWaits) {
  for (const std::string& backend : backend_names()) {
    SCOPED_TRACE(backend);
    Child child = start(backend, backend == "sequential" ? 1 : 2);
    ASSERT_EQ(child.ask(prepare(small))["ok"], true);
    expect_idle(child);
    ASSERT_EQ(child.ask(sample(small, 100))["ok"], true);
    expect_idle(child);
  }
}

// Two threads in every other call: the most counts, and the mean is said.
TEST(Child, CountsTheThreadsThatTookPart) {
  Child child({SPEEDWELL_FAKE_CHILD, "--serve", "--backend=turns", "--threads=2"});
  EXPECT_EQ(child.ask(prepare(small))["threads_used"], 2);
  const json taken = child.ask(sample(small, 1000));
  EXPECT_EQ(taken["threads_used"], 2);
  EXPECT_EQ(taken["threads_mean"], 1.5);
}

// An engine whose threads spin for a while after a call: the child must wait for them.
TEST(Child, WaitsForThreadsThatSpin) {
  Child child({SPEEDWELL_FAKE_CHILD, "--serve", "--backend=busy"});
  ASSERT_EQ(child.ask(prepare(small, 1))["ok"], true);
  expect_idle(child);
}

TEST(Child, NoticesAKernelThatDoesNothing) {
  Child child({SPEEDWELL_FAKE_CHILD, "--serve", "--backend=nothing"});
  const json reply = child.ask(prepare(small));
  expect_refused(reply, "wrong result");
  EXPECT_EQ(reply["verified"], false);
}

TEST(Child, TakesNoEarlierOutputForANewOne) {
  Child child({SPEEDWELL_FAKE_CHILD, "--serve", "--backend=lazy"});
  ASSERT_EQ(child.ask(prepare(small, 1))["ok"], true);
  expect_refused(child.ask(prepare(small, 1)), "wrong result");
}

TEST(Child, NoticesAKernelThatStopsComputing) {
  Child child({SPEEDWELL_FAKE_CHILD, "--serve", "--backend=lazy"});
  ASSERT_EQ(child.ask(prepare(small, 1))["ok"], true);
  const json reply = child.ask(sample(small));
  expect_refused(reply, "wrong result: its hash is");
  EXPECT_EQ(reply["verified"], false);
}

TEST(Child, KeepsALibrarysPrintsOutOfItsReplies) {
  Child child({SPEEDWELL_FAKE_CHILD, "--serve", "--backend=noisy"});
  EXPECT_EQ(child.ask(prepare(small))["verified"], true);
  EXPECT_EQ(child.ask(sample(small))["ok"], true);
}

TEST(Child, SettlesItsEnvironmentBeforeItsRuntimesLoad) {
  Child child({SPEEDWELL_FAKE_CHILD, "--serve", "--backend=right"});
  EXPECT_EQ(child.ask({{"do", "hello"}})["pid"], child.pid());
  EXPECT_THAT(environment_of(child.pid()), HasSubstr("SPEEDWELL_TEST_CHILD=settled"));
}

std::string text_of(const std::filesystem::path& file) {
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

TEST(Child, RefusesAWrongCommandLine) {
  const auto expect = [](const std::vector<std::string>& more, const std::string& message) {
    std::vector<std::string> words = {SPEEDWELL_BENCH, "--serve"};
    words.insert(words.end(), more.begin(), more.end());
    const auto errors = std::filesystem::path(testing::TempDir()) / ("bench_child_" + std::to_string(::getpid()));
    Child child(words, errors.c_str());
    EXPECT_EQ(child.wait(), 2) << message;
    EXPECT_THAT(text_of(errors), HasSubstr(message));
    std::filesystem::remove(errors);
  };
  expect({"--backend=gpu"}, "--backend is 'gpu', expected one of sequential, threads");
  expect({"--backend=threads", "--threads=0"}, "--threads is '0', expected a number from 1 to 1024");
  expect({"--backend=threads", "--threads=1000000"}, "--threads is '1000000'");
  expect({"--backend=threads", "--threads=-1"}, "--threads is '-1'");
  expect({"--backend=threads", "--threads=2x"}, "--threads is '2x'");
  expect({"--backend=sequential", "--threads=2"}, "expected 1 with --backend=sequential");
  expect({"--cpus=0,"}, "--cpus is ''");
  expect({"--cpus=1023"}, "--cpus names CPUs that this process may not run on");
  expect({"--fast"}, "'--fast' is not an option");
}

// The threads that work have a CPU each, as far as there are CPUs; a library may keep others beside.
void expect_apart(const json& cpus_of_threads, std::size_t threads) {
  if (machine().allowed_cpus.size() < threads) return;
  std::set<json> seen;
  for (std::size_t i = 0; i < std::min(threads, cpus_of_threads.size()); ++i) {
    EXPECT_EQ(cpus_of_threads[i].size(), 1u) << cpus_of_threads;
    EXPECT_TRUE(seen.insert(cpus_of_threads[i]).second) << cpus_of_threads;
  }
}

// Each peer that was built: SPEEDWELL_PEERS is their programs' paths.
TEST(Peers, VerifyAndPark) {
  std::stringstream programs(SPEEDWELL_PEERS);
  for (std::string program; std::getline(programs, program, '|');) {
    SCOPED_TRACE(program);
    const bool knows_one_thread = program.ends_with("vqsort");
    Child child({program, "--serve", knows_one_thread ? "--threads=1" : "--threads=2"});
    const json hello = child.ask({{"do", "hello"}});
    if (hello.is_discarded()) {
      // Built for an instruction set that this processor lacks.
      EXPECT_EQ(child.wait(), 3);
      continue;
    }
    EXPECT_FALSE(hello["version"].get<std::string>().empty());
    auto names = hello["cases"].get<std::vector<std::string>>();
    EXPECT_FALSE(names.empty());
    // Shapes that a library takes another way for, in each layout; that they aren't listed is no matter.
    const std::vector<std::string> listed = names;
    for (const std::string& name : listed) {
      if (!name.ends_with("/1000x37x61")) continue;
      const std::string variant = name.substr(0, name.rfind('/'));
      for (const char* const size : {"/1x1x1", "/1x60x700", "/60x1x700", "/60x70x1", "/5x6x7", "/130x140x150"}) {
        names.push_back(variant + size);
      }
    }
    for (const std::string& name : names) {
      const auto ends = [&name](const char* size) { return name.ends_with(size); };
      const bool is_small =
          ends("/640x480") || ends("/64x64x64") || ends("/1000x37x61") || ends("/65536") || ends("/100000");
      if (!is_small && std::find(listed.begin(), listed.end(), name) != listed.end()) continue;
      const json prepared = child.ask(prepare(name));
      EXPECT_EQ(prepared.value("verified", false), true) << name << " " << prepared;
      const json taken = child.ask(sample(name));
      EXPECT_EQ(taken["ok"], true) << name;
      expect_apart(taken["cpus_of_threads"], knows_one_thread ? 1 : 2);
    }
    expect_idle(child);
    expect_refused(child.ask(prepare("ceiling/triad/memory")), "doesn't exist on");
  }
}

// A peer's kernels are chosen for it, whatever the environment says to the libraries.
TEST(Peers, RunTheirBestKernels) {
  ::setenv("OPENBLAS_CORETYPE", "Prescott", 1);
  ::setenv("BLIS_ARCH_TYPE", "5", 1);
  ::setenv("ONEDNN_MAX_CPU_ISA", "SSE41", 1);
  const auto& isas = machine().isas;
  const bool avx512 = std::find(isas.begin(), isas.end(), Isa::avx512) != isas.end();
  const bool avx2 = std::find(isas.begin(), isas.end(), Isa::avx2) != isas.end();
  const auto isa_of = [](const std::string& program, const std::string& backend) -> std::string {
    return Child({program, "--serve", "--threads=1", "--backend=" + backend}).ask({{"do", "hello"}}).value("isa", "");
  };
  std::stringstream programs(SPEEDWELL_PEERS);
  for (std::string program; std::getline(programs, program, '|');) {
    if (program.ends_with("_openblas") && avx2) {
      EXPECT_EQ(isa_of(program, "openblas"), avx512 ? "SkylakeX" : "Haswell");
    } else if (program.ends_with("_blis") && avx2) {
      EXPECT_EQ(isa_of(program, "blis"), avx512 ? "skx" : "zen3");
      EXPECT_EQ(isa_of(program, "blis_avx2"), "zen3");
    } else if (program.ends_with("_onednn") && avx2) {
      EXPECT_THAT(isa_of(program, "onednn"), HasSubstr(avx512 ? "AVX-512" : "AVX2"));
    }
  }
  for (const char* const name : {"OPENBLAS_CORETYPE", "BLIS_ARCH_TYPE", "ONEDNN_MAX_CPU_ISA"}) ::unsetenv(name);
}

// The library's own choice, beside the models: on as many threads as it likes, as far as it may.
TEST(Child, RunsAutomatic) {
  Child child = start("automatic", 2);
  const json hello = child.ask({{"do", "hello"}});
  EXPECT_THAT(environment_of(child.pid()), HasSubstr("SPEEDWELL_THREADS=2"));
  const auto names = hello["cases"].get<std::vector<std::string>>();
  EXPECT_THAT(names, testing::Contains(small));
  EXPECT_THAT(names, testing::Not(testing::Contains(testing::StartsWith("ceiling/"))));
  EXPECT_THAT(names, testing::Not(testing::Contains(testing::StartsWith("weak/"))));
  for (const char* const name : {"matmul/f32/5x6x7", "matmul/f32/512x512x512"}) {
    const json prepared = child.ask(prepare(name));
    EXPECT_EQ(prepared.value("verified", false), true) << prepared;
    EXPECT_EQ(child.ask(sample(name))["threads_used"], 2);
  }
}

TEST(Child, MakesAProductOfAnySize) {
  Child child = start("threads", 2);
  const json prepared = child.ask(prepare("matmul/f64_bt/123x77x1001"));
  EXPECT_EQ(prepared.value("verified", false), true) << prepared;
  EXPECT_EQ(child.ask(sample("matmul/f64_bt/123x77x1001"))["ok"], true);
  EXPECT_EQ(child.ask({{"do", "release"}, {"case", "matmul/f64_bt/123x77x1001"}})["ok"], true);
  expect_refused(child.ask(prepare("matmul/f64_bt/123x77x0")), "expected numbers from 1 to");
  expect_refused(child.ask(prepare("matmul/f64_bt/123x77")), "expected one of those that");
}

struct Output {
  int status;
  std::string text;
};

Output run(const std::string& arguments) {
  Output output = {0, ""};
  std::FILE* pipe = ::popen((std::string(SPEEDWELL_BENCH) + " " + arguments).c_str(), "r");
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) output.text += static_cast<char>(c);
  output.status = WEXITSTATUS(::pclose(pipe));
  return output;
}

TEST(GoogleBenchmark, ListsCellsByTheirNames) {
  const Output all = run("--benchmark_list_tests");
  EXPECT_EQ(all.status, 0);
  EXPECT_THAT(all.text, HasSubstr("matmul/f32/1024x1024x1024/sequential/1\n"));
  EXPECT_THAT(all.text, testing::Not(HasSubstr("real_time")));
  EXPECT_EQ(run("--benchmark_list_tests --benchmark_filter='^matmul/f64/64x64x64/sequential/1$'").text,
            "matmul/f64/64x64x64/sequential/1\n");
  EXPECT_THAT(run("--benchmark_list_tests --benchmark_filter=-matmul").text, testing::Not(HasSubstr("matmul")));
}

TEST(GoogleBenchmark, NamesAndRatesInEveryFormat) {
  const auto file = std::filesystem::path(testing::TempDir()) / ("bench_out_" + std::to_string(::getpid()));
  const std::string arguments =
      "--benchmark_filter='^matmul/f32/64x64x64/(sequential|threads)/1$' --benchmark_repetitions=2 "
      "--benchmark_min_time=0.01 --benchmark_out=" +
      file.string();
  const Output console = run(arguments + " 2>/dev/null");
  EXPECT_EQ(console.status, 0);
  EXPECT_THAT(console.text, HasSubstr("\nmatmul/f32/64x64x64/threads/1 "));
  EXPECT_THAT(console.text, HasSubstr("FLOP/s="));
  const json written = json::parse(text_of(file), nullptr, false);
  ASSERT_TRUE(written.is_object()) << text_of(file);
  EXPECT_FALSE(written["context"]["isa"].get<std::string>().empty());
  const json& first = written["benchmarks"][0];
  EXPECT_EQ(first["name"], "matmul/f32/64x64x64/sequential/1");
  EXPECT_EQ(first["run_name"], "matmul/f32/64x64x64/sequential/1");
  EXPECT_EQ(first["time_unit"], "ns");
  // Of real time: 2 n^3 / t.
  EXPECT_NEAR(first["FLOP/s"].get<double>() * first["real_time"].get<double>() * 1e-9, 524288, 0.01 * 524288);
  std::filesystem::remove(file);

  const Output csv = run(arguments + " --benchmark_format=csv 2>/dev/null");
  EXPECT_THAT(csv.text, HasSubstr("\n\"matmul/f32/64x64x64/sequential/1_median\","));
  const Output as_json = run(arguments + " --benchmark_format=json 2>/dev/null");
  EXPECT_EQ(json::parse(as_json.text, nullptr, false)["benchmarks"].size(), 2 * (2 + 4));
  std::filesystem::remove(file);
}

TEST(GoogleBenchmark, RefusesWrongUse) {
  EXPECT_EQ(run("--benchmark_filter=nothing_like_it 2>/dev/null").status, 2);
  EXPECT_EQ(run("--benchmark_filter='(' 2>/dev/null").status, 2);
  EXPECT_EQ(run("--fast 2>/dev/null").status, 2);
  EXPECT_THAT(run("--benchmark_filter='(' 2>&1").text, HasSubstr("isn't a regular expression"));
}

}  // namespace
}  // namespace speedwell::bench
