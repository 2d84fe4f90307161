// SPDX-License-Identifier: Apache-2.0
// The list of cases.
#include <algorithm>
#include <utility>

#include "bench/case.hpp"
#include "bench/cases/case_image.hpp"
#include "bench/cases/ceiling_case.hpp"
#include "bench/cases/kernel_cases.hpp"
#include "bench/cases/nested_case.hpp"
#include "bench/cases/overhead_case.hpp"

namespace speedwell::bench {

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> list;
    const auto add = [&list](const std::vector<Case>& more) { list.insert(list.end(), more.begin(), more.end()); };
    for (const auto& of_kernel : kernel_cases()) add(of_kernel);
    // Who has brought an image wants to know about that.
    if (case_image() != nullptr) std::erase_if(list, [](const Case& each) { return !each.on_image; });
    add(nested_cases(list));
    if (case_image() == nullptr) add(overhead_cases());
    for (Case& each : list) each.traffic = traffic_ceiling(each);
    // Tiny ones come after all others, as a group, and then weak scaling.
    for (const std::string_view group : {tiny_kernel, weak_kernel}) {
      std::stable_partition(list.begin(), list.end(), [=](const Case& each) { return each.kernel != group; });
    }
    add(ceiling_cases(list));
    return list;
  }();
  return all;
}

const Case* find_case(std::string_view name) {
  const auto& all = cases();
  const auto found = std::find_if(all.begin(), all.end(), [name](const Case& each) { return each.name() == name; });
  return found == all.end() ? nullptr : &*found;
}

std::optional<Case> make_case(std::string_view name) {
  if (const Case* const listed = find_case(name)) return *listed;
  const std::size_t slash = name.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view of = name.substr(0, slash);
  const auto& all = cases();
  const auto found = std::find_if(all.begin(), all.end(), [of](const Case& each) {
    return each.of_size && each.kernel + "/" + each.variant == of;
  });
  if (found == all.end()) return std::nullopt;
  std::optional<Case> made = found->of_size(name.substr(slash + 1));
  if (made && made->kernel != "ceiling") {
    const std::string traffic = traffic_ceiling(*made);
    if (make_case(traffic)) made->traffic = traffic;
  }
  return made;
}

std::string Case::name() const { return kernel + "/" + variant + "/" + size; }

Case tiny(Case of) {
  of.variant = of.kernel + "_" + of.variant;
  of.kernel = tiny_kernel;
  of.on_image = false;
  of.of_size = {};
  of.size_at = {};
  return of;
}

Case weak(Case of, std::string rule, std::function<Case(int threads)> grown) {
  of.weak_of = of.name();
  of.variant = of.kernel + "_" + of.variant;
  of.kernel = weak_kernel;
  of.rule = std::move(rule);
  of.quick = false;
  of.on_image = false;
  of.of_size = {};
  of.size_at = {};
  of.make = [grown](int threads) { return grown(threads).make(threads); };
  // Named by the size that it grows from, so that its points are of one case.
  of.on = [of, grown = std::move(grown)](int threads) {
    const Case larger = grown(threads);
    Case there = of;
    there.size = larger.size;
    there.flops = larger.flops;
    there.bytes = larger.bytes;
    there.written_bytes = larger.written_bytes;
    return there;
  };
  return of;
}

bool runs_on(const Case& which, std::string_view backend) {
  const auto built = backend_names();
  if (std::find(built.begin(), built.end(), backend) == built.end()) return false;
  if (which.kernel == weak_kernel) return backend != Sequential::name;
  return which.kernel != "ceiling" || backend == Sequential::name || backend == Threads::name;
}

std::vector<std::string> backend_names() {
  std::vector<std::string> names;
  for (const Backend& backend : {Backend(Sequential{}), Backend(Threads{}), Backend(OpenMp{}), Backend(Tbb{})}) {
    if (is_built(backend)) names.emplace_back(name(backend));
  }
  return names;
}

std::string cell_name(const Case& which, std::string_view backend, int threads) {
  return which.name() + "/" + std::string(backend) + "/" + std::to_string(threads);
}

}  // namespace speedwell::bench
