// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/run_folder.hpp"
#include "bench/cli/verbs.hpp"

namespace speedwell::bench {

int run_report(const ReportOptions& options) {
  present_results(find_run_folder(options.run), {.report = true, .json = options.json});
  return exit_ok;
}

}  // namespace speedwell::bench
