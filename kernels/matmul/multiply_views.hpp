// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <speedwell/view.hpp>

namespace speedwell {

// C = A * B + beta * C of views that were checked, whose rows are contiguous, for whatever sizes the function is for.
// By reference, as the caller has them: a product of a few elements would wait for its arguments to come off the stack.
template <class T>
using MultiplyViews = void (*)(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c,
                               T beta) noexcept;

}  // namespace speedwell
