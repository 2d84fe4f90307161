// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/strip_pass.hpp"

namespace speedwell::image_filter {

void filter_on(OpenMp model, const StripPass& pass) {
#pragma omp parallel for num_threads(model.threads) schedule(static)
  for (std::ptrdiff_t strip = 0; strip < pass.strips; ++strip) pass(strip);
}

}  // namespace speedwell::image_filter
