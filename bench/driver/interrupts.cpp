// SPDX-License-Identifier: Apache-2.0
#include "bench/driver/interrupts.hpp"

#include <csignal>
#include <ctime>
#include <initializer_list>

namespace speedwell::bench {

namespace {

// But for those that this program was started to ignore, as nohup does: blocked, they would be seen all the same.
sigset_t asking_to_end() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action;
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler != SIG_IGN) sigaddset(&set, signal);
  }
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
