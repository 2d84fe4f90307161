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
  // threads, each of the threads runs one of them; inside another parallel_for it is a plain loop.
  void parallel_for(int threads, std::ptrdiff_t count, void (*body)(void* context, std::ptrdiff_t i), void* context);

  template <class Body>
  void parallel_for(int threads, std::ptrdiff_t count, Body&& body) {
    using Function = std::remove_reference_t<Body>;
    parallel_for(
        threads, count, [](void* context, std::ptrdiff_t i) { (*static_cast<Function*>(context))(i); },
        const_cast<std::remove_const_t<Function>*>(std::addressof(body)));
  }

  // Ends the workers and frees them. No call may be running.
  void shutdown();
};

// The process's one pool.
ThreadPool& thread_pool();

// Whether the calling thread is one of the pool's workers, or a caller inside parallel_for.
bool inside_thread_pool();

// In a forked child, with process_lock() held: forgets the workers, which the child doesn't have.
void abandon_workers();

}  // namespace speedwell::runtime
