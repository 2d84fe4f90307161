// SPDX-License-Identifier: Apache-2.0
// The wall between C++ and C: what is thrown on one side is a status and a text on the other.
#pragma once

#include <cxxabi.h>

#include <exception>
#include <new>
#include <string_view>

#include <speedwell/error.hpp>

// All else is hidden.
#pragma GCC visibility push(default)
#include <speedwell.h>
#pragma GCC visibility pop

namespace speedwell::c_api {

// Keeps as much of `text` for speedwell_last_error() on this thread as there is room for. Allocates nothing, as memory
// may just have run out.
void keep_error(std::string_view text) noexcept;

template <class Body>
speedwell_status guarded(Body&& body) {
  try {
    body();
    return SPEEDWELL_OK;
  } catch (const InvalidArgument& error) {
    keep_error(error.what());
    return SPEEDWELL_INVALID_ARGUMENT;
  } catch (const std::bad_alloc&) {
    keep_error("out of memory");
    return SPEEDWELL_OUT_OF_MEMORY;
  } catch (const std::exception& error) {
    keep_error(error.what());
    return SPEEDWELL_FAILED;
  } catch (abi::__forced_unwind&) {
    // The thread is being cancelled: no exception but its end, which glibc insists on.
    throw;
  } catch (...) {
    keep_error("an exception of a type that says nothing of itself");
    return SPEEDWELL_FAILED;
  }
}

}  // namespace speedwell::c_api
