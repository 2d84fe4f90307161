// SPDX-License-Identifier: Apache-2.0
#include "bench/driver/interrupts.hpp"

#include <csignal>
#include <ctime>
#include <initializer_list>

namespace speedwell::bench {

namespace {

// But for SIGHUP where it is ignored, as under nohup: blocked, it would be seen all the same. Shells ignore SIGINT for
// what they start in the background, and whoever sends that one there means it.
sigset_t asking_to_end() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM}) sigaddset(&set, signal);
  struct sigaction hangup;
  if (::sigaction(SIGHUP, nullptr, &hangup) != 0 || hangup.sa_handler != SIG_IGN) sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

Interrupts::Interrupts() {
  const sigset_t set = asking_to_end();
  ::sigprocmask(SIG_BLOCK, &set, &before_);
}

Interrupts::~Interrupts() {
  // The same one once more was meant by whoever sent the first: timeout(1) sends two.
  if (signal_ != 0) {
    sigset_t same;
    sigemptyset(&same);
    sigaddset(&same, signal_);
    const timespec at_once = {};
    ::sigtimedwait(&same, nullptr, &at_once);
  }
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

int Interrupts::signal() {
  if (signal_ != 0) return signal_;
  const sigset_t set = asking_to_end();
  const timespec at_once = {};
  const int came = ::sigtimedwait(&set, nullptr, &at_once);
  if (came > 0) signal_ = came;
  return signal_;
}

}  // namespace speedwell::bench
