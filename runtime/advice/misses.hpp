// SPDX-License-Identifier: Apache-2.0
// The processor's count of the calling thread's cache misses, where the kernel and the machine let a program have it.
#pragma once

namespace speedwell::advice {

class MissCounter {
 public:
  MissCounter();  // counts from here on
  ~MissCounter();
  MissCounter(const MissCounter&) = delete;
  MissCounter& operator=(const MissCounter&) = delete;

  double count() const;  // negative: there is none

 private:
  int file_;
};

}  // namespace speedwell::advice
