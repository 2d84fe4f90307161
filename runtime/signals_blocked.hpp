// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <signal.h>

namespace speedwell::runtime {

// While one lives, threads that the calling one makes leave signals to the program's own threads; those that tell of an
// error in the thread itself, and the profiler's, are theirs.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t mask;
    sigfillset(&mask);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF}) sigdelset(&mask, own);
    pthread_sigmask(SIG_BLOCK, &mask, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace speedwell::runtime
