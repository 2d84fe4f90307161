// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace speedwell::bench {

// Holds back the signals that ask a program to end, from its construction on, so that a running sample can end. Those
// that are ignored stay so.
class Interrupts {
 public:
  Interrupts();
  // The one that came, or 0. It stays.
  int signal();

 private:
  int signal_ = 0;
};

}  // namespace speedwell::bench
