// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <csignal>

namespace speedwell::bench {

// While it lives, holds back the signals that ask a program to end, so that a running sample can end. SIGHUP stays
// ignored where it is.
class Interrupts {
 public:
  Interrupts();
  // A signal that nobody has asked for yet ends the program now.
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // The one that came, or 0. It stays.
  int signal();

 private:
  sigset_t before_;
  int signal_ = 0;
};

}  // namespace speedwell::bench
