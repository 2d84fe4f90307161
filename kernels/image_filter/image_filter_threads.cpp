// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/strip_pass.hpp"
#include "runtime/thread_pool.hpp"

namespace speedwell::image_filter {

void filter_on(Threads model, const StripPass& pass) {
  runtime::thread_pool().parallel_for(model.threads, pass.strips, pass);
}

}  // namespace speedwell::image_filter
