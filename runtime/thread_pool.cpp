// SPDX-License-Identifier: Apache-2.0
#include "runtime/thread_pool.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <thread>
#include <utility>

#include <speedwell/backend.hpp>

#include "runtime/cgroup.hpp"
#include "runtime/message.hpp"
#include "runtime/once.hpp"
#include "runtime/process.hpp"
#include "runtime/signals_blocked.hpp"
#include "runtime/topology.hpp"

namespace speedwell::runtime {

namespace {

// x86 has had 64-byte lines throughout and fetches them in pairs; 128 also is the line of some ARM processors.
constexpr std::size_t apart = 128;

// How long a thread looks before it sleeps: about as long as being woken takes (5 us, in a virtual machine up to 60),
// so that it never costs more than twice the better choice. A pause is 40 to 140 cycles on processors since 2015.
constexpr int spins = 2000;
constexpr int yields = 16;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

// Whether `word` turns out not to be `old` while it is looked at.
bool spin_while(const std::atomic<int>& word, int old) {
  for (int i = 0; i < spins; ++i) {
    if (word.load(std::memory_order_acquire) != old) return true;
    pause();
  }
  for (int i = 0; i < yields; ++i) {
    if (word.load(std::memory_order_acquire) != old) return true;
    std::this_thread::yield();
  }
  return false;
}

using Clock = std::chrono::steady_clock;

double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

// What one thread takes for a call which takes as long if a sleeping worker is woken for it. With `woken` from the call
// to the worker's first step, and `waking` what of that the caller is busy with waking it, so that it works alone
// between:
//
//   T(2) = woken + (T(1) - (woken - waking)) / 2 = T(1)   where   T(1) = woken + waking
//
// Learned from calls, as it is some 5 us on one machine and 150 us on another, or after a longer sleep. It begins low,
// as waking once in vain costs less than never to find out.
class WakeCost {
 public:
  double value() const { return seconds_.load(std::memory_order_relaxed); }
  void learn(double seen) { set(value() + (std::clamp(seen, least, most) - value()) / 2); }
  // What was true once is tried again in the end.
  void doubt() { set(std::max(value() * 0.98, least)); }

 private:
  static constexpr double least = 2e-6;
  static constexpr double most = 200e-6;  // more is another program's load
  void set(double value) { seconds_.store(value, std::memory_order_relaxed); }

  std::atomic<double> seconds_ = 10e-6;
};
constinit WakeCost wake_cost;

// Calls that the calling thread has done alone, as workers slept, while a worker would have stayed awake between them.
struct Streak {
  double alone_s = 0;
  Clock::time_point end{};
};
thread_local constinit Streak streak;

// About how long a worker looks before it sleeps.
constexpr auto awake_for = std::chrono::microseconds(50);

// The units begin..end-1 that a thread has yet to do, in one word. Its owner takes from the front, one by one; others
// take the back half.
class alignas(apart) Range {
 public:
  void set(std::uint32_t begin, std::uint32_t end) { word_.store(pack(begin, end), std::memory_order_relaxed); }

  bool take(std::uint32_t& unit) {
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    while (begin_of(word) < end_of(word)) {
      if (word_.compare_exchange_weak(word, pack(begin_of(word) + 1, end_of(word)), std::memory_order_relaxed)) {
        unit = begin_of(word);
        return true;
      }
    }
    return false;
  }

  // Moves half of what is left, rounded up, into `thief`, which is empty.
  bool steal_into(Range& thief) {
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    while (begin_of(word) < end_of(word)) {
      const std::uint32_t middle = begin_of(word) + (end_of(word) - begin_of(word)) / 2;
      if (word_.compare_exchange_weak(word, pack(begin_of(word), middle), std::memory_order_relaxed)) {
        thief.set(middle, end_of(word));
        return true;
      }
    }
    return false;
  }

 private:
  static std::uint64_t pack(std::uint32_t begin, std::uint32_t end) { return std::uint64_t{end} << 32 | begin; }
  static std::uint32_t begin_of(std::uint64_t word) { return static_cast<std::uint32_t>(word); }
  static std::uint32_t end_of(std::uint64_t word) { return static_cast<std::uint32_t>(word >> 32); }

  std::atomic<std::uint64_t> word_ = 0;
};

struct Worker;

// One parallel_for, on its caller's stack.
class Job {
 public:
  Job(std::ptrdiff_t count, void (*body)(void* context, std::ptrdiff_t i), void* context, Late late)
      : body_(body),
        context_(context),
        late_(late),
        count_(count),
        unit_((count - 1) / UINT32_MAX + 1),
        units_(static_cast<std::uint32_t>((count - 1) / unit_ + 1)) {}

  // Runs it on up to `threads` threads, the calling one among them, and returns when all are through.
  void run(int threads);

  // What the thread at `place` does. Place 0 is the caller's.
  void work(int place);

  // Wakes the two workers below `place` in a binary tree: waking one costs a system call, so the waking is shared too.
  // They have higher places and have been called.
  void wake_below(int place);

  bool may_spin() const { return may_spin_; }
  const std::exception_ptr& exception() const { return exception_; }

 private:
  void lease_workers(int wanted);
  void give_workers_back();
  void call_workers();
  void finish(int place);
  void learn_wake_cost();
  void run_first_unit(int place);
  std::uint32_t share_begin(int place) const {
    return static_cast<std::uint32_t>(std::uint64_t{units_} * static_cast<unsigned>(place) /
                                      static_cast<unsigned>(threads_));
  }
  void run_unit(std::uint32_t unit) noexcept;
  bool steal(int place);

  void (*body_)(void* context, std::ptrdiff_t i);
  void* context_;
  Late late_;
  std::ptrdiff_t count_;
  std::ptrdiff_t unit_;  // indices that are handed out together: 1, unless there are more than a Range can hold
  std::uint32_t units_;
  int threads_ = 1;
  bool may_spin_ = false;
  Clock::time_point called_{}, woken_{};  // before and after the first worker is woken; unset if it is awake
  std::atomic<bool> stopped_ = false;
  std::atomic<bool> failed_ = false;
  std::exception_ptr exception_;  // written by the one thread that set failed_
  Range callers_range_;
  // By place, for those in use; the rest stays uninitialised.
  Range* ranges_[max_threads];
  Worker* workers_[max_threads];
};

struct alignas(apart) Worker {
  // A worker is called by its caller and begins to work by itself, so that until then the call can be taken back.
  enum State { idle, called, working, ending };
  // The worker waits while `idle`, its caller while it isn't: never both, so one notification is enough.
  std::atomic<int> state = idle;
  Job* job = nullptr;
  int place = 0;
  bool may_spin = false;            // when it is through with its job
  std::atomic<bool> asleep = true;  // or about to be, or not yet awake
  Clock::time_point begun{};        // with the job, if it slept before
  int kept_off = -1;                // the CPU that it was last told to keep off, and by which thread
  pthread_t kept_off_by{};
  Worker* next_idle = nullptr;
  Worker* next = nullptr;  // in the list of all
  std::thread thread;
  Range range;

  void serve();
  void keep_off(int cpu);
  // Whether this thread is the one to change the state of a called worker.
  bool change_from_called(State to) {
    int expected = called;
    return state.compare_exchange_strong(expected, to, std::memory_order_acquire, std::memory_order_relaxed);
  }
};

struct Pool {
  Worker* idle = nullptr;  // the one that the next call leases first
  Worker* all = nullptr;
  Worker* abandoned = nullptr;  // the parent's, in a forked child: kept so that their memory isn't lost sight of
};

constinit Pool pool;  // guarded by process_lock()

// pool.idle, for those who only look.
constinit std::atomic<Worker*> first_idle = nullptr;
void show_first_idle() { first_idle.store(pool.idle, std::memory_order_release); }

thread_local constinit bool inside = false;
thread_local constinit Late late_threads = Late::waited_for;

void Job::run_unit(std::uint32_t unit) noexcept {
  const std::ptrdiff_t begin = static_cast<std::ptrdiff_t>(unit) * unit_;
  const std::ptrdiff_t end = std::min(count_, begin + unit_);
  try {
    for (std::ptrdiff_t i = begin; i < end; ++i) {
      if (stopped_.load(std::memory_order_relaxed)) return;
      body_(context_, i);
    }
  } catch (...) {
    if (!failed_.exchange(true, std::memory_order_relaxed)) exception_ = std::current_exception();
    stopped_.store(true, std::memory_order_relaxed);
  }
}

// Looks at the others' ranges once round, beginning with the neighbour: each thief begins elsewhere.
bool Job::steal(int place) {
  for (int i = 1; i < threads_; ++i) {
    const int victim = place + i < threads_ ? place + i : place + i - threads_;
    if (ranges_[victim]->steal_into(*ranges_[place])) return true;
  }
  return false;
}

// Each place's first unit is its own: it isn't in any range, so that every thread takes part however late it comes.
void Job::run_first_unit(int place) {
  if (const std::uint32_t first = share_begin(place); first < share_begin(place + 1)) run_unit(first);
}

void Job::work(int place) {
  run_first_unit(place);
  Range& own = *ranges_[place];
  do {
    std::uint32_t unit;
    while (!stopped_.load(std::memory_order_relaxed) && own.take(unit)) run_unit(unit);
  } while (!stopped_.load(std::memory_order_relaxed) && steal(place));
}

void Job::wake_below(int place) {
  for (int child = 2 * place + 1; child <= 2 * place + 2 && child < threads_; ++child) {
    workers_[child]->state.notify_one();
  }
}

void Worker::serve() {
  inside = true;
  pthread_setname_np(pthread_self(), "speedwell");
  while (true) {
    const bool sleeps = !may_spin || !spin_while(state, idle);
    if (sleeps) {
      asleep.store(true, std::memory_order_relaxed);
      state.wait(idle, std::memory_order_acquire);
      asleep.store(false, std::memory_order_relaxed);
    }
    if (state.load(std::memory_order_acquire) == ending) return;
    if (!change_from_called(working)) continue;  // too late
    if (sleeps) begun = Clock::now();
    job->wake_below(place);
    job->work(place);
    may_spin = job->may_spin();
    // The job is gone once its caller sees this; the worker itself stays.
    state.store(idle, std::memory_order_seq_cst);  // and before notify_one() looks for sleepers: see call_workers()
    state.notify_one();
  }
}

// Lets the worker run on any CPU that the calling thread may use, except `cpu`, the one that it is on. Some kernels
// wake a thread on its waker's CPU while others stand idle (those without scheduling domains by cache, as in small
// virtual machines), and then it waits there for milliseconds. Nothing is changed if no CPU would be left.
void Worker::keep_off(int cpu) {
  const pthread_t caller = pthread_self();  // another's may use other CPUs
  if (cpu == kept_off && pthread_equal(caller, kept_off_by) != 0) return;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return;  // more than 1024 CPUs: such a kernel has the domains
  CPU_CLR(cpu, &set);
  if (CPU_COUNT(&set) == 0) return;
  pthread_setaffinity_np(thread.native_handle(), sizeof(set), &set);
  kept_off = cpu;
  kept_off_by = caller;
}

// A started worker that is in no list yet; nullptr if none can be had.
Worker* start_worker() {
  const SignalsBlocked blocked;
  Worker* worker = nullptr;
  try {
    worker = new Worker;
    worker->thread = std::thread([worker] { worker->serve(); });
    return worker;
  } catch (const std::exception& error) {
    delete worker;
    if (wants_message(MessageLevel::warning)) {
      std::array<char, 200> text;
      std::snprintf(text.data(), text.size(), "can't make a thread (%s): running with fewer", error.what());
      message(MessageLevel::warning, text.data());  // without memory, of which there may be none left
    }
    return nullptr;
  }
}

// How many threads can run at the same time. Not machine(), which also needs variables that an explicit number doesn't.
int parallel_cpus() {
  constinit static Once<int> cpus;
  return cpus.get([] {
    const int allowed = static_cast<int>(allowed_cpus().size());
    const double quota = read_cpu_quota().cpus;
    return quota > 0 && quota < allowed ? static_cast<int>(std::ceil(quota)) : allowed;
  });
}

// Marks the calling thread as inside a parallel_for.
class Inside {
 public:
  Inside() : before_(inside) { inside = true; }
  ~Inside() { inside = before_; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  bool before_;
};

void Job::lease_workers(int wanted) {
  {
    const std::lock_guard lock(process_lock());
    while (threads_ < wanted && pool.idle != nullptr) {
      workers_[threads_++] = pool.idle;
      pool.idle = pool.idle->next_idle;
    }
    show_first_idle();
  }
  while (threads_ < wanted) {
    Worker* worker = start_worker();
    if (worker == nullptr) break;
    workers_[threads_++] = worker;
    const std::lock_guard lock(process_lock());
    worker->next = pool.all;
    pool.all = worker;
  }
}

void Job::give_workers_back() {
  const std::lock_guard lock(process_lock());
  // The last place's goes in first, so that the next call finds the same workers at the same places, with warm caches.
  for (int place = threads_ - 1; place >= 1; --place) {
    workers_[place]->next_idle = pool.idle;
    pool.idle = workers_[place];
  }
  show_first_idle();
}

void Job::run(int threads) {
  const int cpus = parallel_cpus();  // before the lease: it may throw, the first time
  lease_workers(threads);
  // Counting all that the library runs: a thread that spins while others wait for its core only delays them.
  may_spin_ = std::max(threads_, ThreadBudget::in_use() + 1) <= cpus;

  ranges_[0] = &callers_range_;
  for (int place = 1; place < threads_; ++place) ranges_[place] = &workers_[place]->range;
  for (int place = 0; place < threads_; ++place) {
    const std::uint32_t end = share_begin(place + 1);
    ranges_[place]->set(std::min(share_begin(place) + 1, end), end);
  }
  call_workers();
  {
    const Inside now;
    work(0);
    for (int place = 1; place < threads_; ++place) finish(place);
  }
  learn_wake_cost();
  give_workers_back();
}

void Job::call_workers() {
  if (threads_ == 1) return;
  const bool wakes = workers_[1]->asleep.load(std::memory_order_relaxed);
  if (wakes) called_ = Clock::now();
  const int own_cpu = may_spin_ ? sched_getcpu() : -1;
  // The last place first: a worker that is awake begins at once, and those that it wakes then must have been called, or
  // they go back to sleep and nobody wakes them again.
  for (int place = threads_ - 1; place >= 1; --place) {
    Worker& worker = *workers_[place];
    if (own_cpu >= 0) worker.keep_off(own_cpu);
    worker.job = this;
    worker.place = place;
    worker.begun = {};
    worker.state.store(Worker::called, std::memory_order_release);
  }
  // notify_one() asks the kernel only if it reads that somebody sleeps. Were it to read that while these stores are
  // still on their way, a worker could go to sleep between: it notes that it sleeps, and then looks at its state a last
  // time.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  wake_below(0);
  if (wakes) woken_ = Clock::now();
}

// The caller is through, so of a worker that hasn't begun nothing is left but its first unit. Doing that at once is
// never later than leaving it to a worker that comes this very moment.
void Job::finish(int place) {
  Worker& worker = *workers_[place];
  if (late_ == Late::left_out && worker.change_from_called(Worker::idle)) return run_first_unit(place);
  for (int state; (state = worker.state.load(std::memory_order_acquire)) != Worker::idle;) {
    if (!may_spin_ || !spin_while(worker.state, state)) worker.state.wait(state, std::memory_order_acquire);
  }
}

void Job::learn_wake_cost() {
  if (woken_ == Clock::time_point()) return;
  const double caller_s = seconds(woken_ - called_);
  const Clock::time_point begun = workers_[1]->begun;
  if (begun != Clock::time_point()) return wake_cost.learn(seconds(begun - called_) + caller_s);
  // It hadn't come by now, if it wasn't awake after all.
  if (const double least_s = seconds(Clock::now() - called_) + caller_s; least_s > wake_cost.value()) {
    wake_cost.learn(least_s);
  }
}

}  // namespace

LateThreads::LateThreads(Late late) : before_(std::exchange(late_threads, late)) {}

LateThreads::~LateThreads() { late_threads = before_; }

void ThreadPool::parallel_for(int threads, std::ptrdiff_t count, void (*body)(void* context, std::ptrdiff_t i),
                              void* context) {
  threads = static_cast<int>(std::min<std::ptrdiff_t>(std::min(threads, max_threads), count));
  if (threads <= 1 || inside) {
    const Inside now;
    for (std::ptrdiff_t i = 0; i < count; ++i) body(context, i);
    return;
  }
  note_parallel_use();
  Job job(count, body, context, late_threads);
  job.run(threads);
  if (job.exception()) std::rethrow_exception(job.exception());
}

bool ThreadPool::pays(double alone_s) {
  const Worker* const first = first_idle.load(std::memory_order_acquire);
  if (first != nullptr && !first->asleep.load(std::memory_order_relaxed)) return true;
  const double wake_s = wake_cost.value();
  if (alone_s >= wake_s) return true;
  const Clock::time_point now = Clock::now();
  if (now > streak.end + awake_for) streak.alone_s = 0;
  streak.alone_s += alone_s;
  if (streak.alone_s >= wake_s) {
    streak.alone_s = 0;
    return true;
  }
  streak.end = now + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(alone_s));
  wake_cost.doubt();
  return false;
}

void ThreadPool::shutdown() {
  Worker* worker;
  {
    const std::lock_guard lock(process_lock());
    worker = pool.all;
    pool = Pool{.abandoned = pool.abandoned};
    show_first_idle();
  }
  while (worker != nullptr) {
    Worker* const next = worker->next;
    worker->state.store(Worker::ending, std::memory_order_seq_cst);  // see call_workers()
    worker->state.notify_one();
    worker->thread.join();
    delete worker;
    worker = next;
  }
}

ThreadPool& thread_pool() {
  static constinit ThreadPool the_pool;
  return the_pool;
}

bool inside_thread_pool() { return inside; }

void abandon_workers() {
  // A child of a child keeps the older list at the end of its own.
  Worker** end = &pool.all;
  while (*end != nullptr) end = &(*end)->next;
  *end = pool.abandoned;
  pool = Pool{.abandoned = pool.all};
  show_first_idle();
}

}  // namespace speedwell::runtime
