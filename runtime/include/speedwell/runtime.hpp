// SPDX-License-Identifier: Apache-2.0
// The process-wide runtime: what the last call ran on, messages, shutdown, version.
//
// Fork. A child of a process in which the library has run in parallel has none of the threads: its calls run
// sequentially, and last_run() says so. The parent goes on as before. Where the forking thread has OpenMP threads that
// the library made, they are ended before the fork (and made again when next needed), so that the program's own OpenMP
// works in the child; oneTBB itself doesn't support a child that goes on using it.
//
// Nesting. A call inside an OpenMP region, a oneTBB task or a thread of Speedwell's pool runs sequentially; in a
// tbb::task_arena that has fewer threads than the machine has cores, on no more than these. Calls from many threads at
// once that leave the number of threads open share the machine's cores among them.
#pragma once

#include <string_view>

#define SPEEDWELL_VERSION_MAJOR 0
#define SPEEDWELL_VERSION_MINOR 1
#define SPEEDWELL_VERSION_PATCH 0
#define SPEEDWELL_VERSION "0.1.0"

namespace speedwell {

// The library's version, "major.minor.patch": compare with SPEEDWELL_VERSION to find a header of another version.
std::string_view version();

// How the calling thread's most recent kernel call ran.
struct LastRun {
  std::string_view backend;  // the model that ran: "sequential", "threads", "openmp", "tbb"; empty before any call
  int threads = 0;           // distinct threads that did at least one block of the work
  std::string_view reason;   // why this model and number, in words: "as asked", "too small to pay for a fork-join", ...
};

LastRun last_run();

// The library prints nothing by itself. Messages (a reduced thread count, a file set aside) go to the handler, and to
// stderr when SPEEDWELL_VERBOSE is 1 (warnings), 2 (choices) or 3 (everything). The handler may be called from any
// thread, must not throw, and must not call the library. nullptr removes it.
enum class MessageLevel { warning = 1, choice = 2, detail = 3 };
using MessageHandler = void (*)(MessageLevel level, std::string_view text);
void set_message_handler(MessageHandler handler);

// Ends the threads that the library made and frees what it holds. Call it before the library is unloaded, while no
// kernel is running; a later call starts afresh. OpenMP's and oneTBB's own threads end as far as they can be ended from
// here, which is not while other threads of the program live that have used them; their libraries stay loaded then.
void shutdown();

}  // namespace speedwell
