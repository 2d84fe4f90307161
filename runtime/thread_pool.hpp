// SPDX-License-Identifier: Apache-2.0
// A fork-join pool of std::threads. The caller works too; workers are kept between calls.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace speedwell::runtime {

class ThreadPool {
 public:
  // Calls body(context, i) once for each i in 0..count-1, on the caller and up to threads - 1 workers, and returns when
  // all are done. Each thread starts on a range of its own and steals from others when it is through. The first
  // exception stops the rest as soon as may be and is rethrown here. If a thread can't be created, it runs with fewer.
  // May be called from many threads at once: each call has workers of its own. With at least as many indices as
  // threads, each of the threads runs one of them, unless LateThreads says otherwise; inside another parallel_for it is
  // a plain loop.
  void parallel_for(int threads, std::ptrdiff_t count, void (*body)(void* context, std::ptrdiff_t i), void* context);

  template <class Body>
  void parallel_for(int threads, std::ptrdiff_t count, Body&& body) {
    using Function = std::remove_reference_t<Body>;
    parallel_for(
        threads, count, [](void* context, std::ptrdiff_t i) { (*static_cast<Function*>(context))(i); },
        const_cast<std::remove_const_t<Function>*>(std::addressof(body)));
  }

  // Whether a call pays that takes one thread `alone_s`, while several that are awake would be faster: if workers are
  // awake, or if it is longer than waking them takes, which the pool learns. Shorter ones pay once calls with hardly a
  // pause between them have taken as long together, as from then on workers stay awake: so nobody loses more than twice
  // what knowing the future would have saved. Nanoseconds, and allocates nothing.
  bool pays(double alone_s);

  // Ends the workers and frees them. No call may be running.
  void shutdown();
};

// What becomes of a worker that hasn't begun when the caller finds nothing left to do. Workers that sleep take 5 to 300
// microseconds to come, on a loaded machine milliseconds.
enum class Late {
  waited_for,  // so that as many threads take part as were asked for
  left_out,    // the caller does the worker's part, so that no call takes much longer than on one thread
};

// What holds for calls of the pool by the calling thread while this lives; else they are waited for.
class LateThreads {
 public:
  explicit LateThreads(Late late);
  ~LateThreads();
  LateThreads(const LateThreads&) = delete;
  LateThreads& operator=(const LateThreads&) = delete;

 private:
  Late before_;
};

// The process's one pool.
ThreadPool& thread_pool();

// Whether the calling thread is one of the pool's workers, or a caller inside parallel_for.
bool inside_thread_pool();

// In a forked child, with process_lock() held: forgets the workers, which the child doesn't have.
void abandon_workers();

}  // namespace speedwell::runtime
