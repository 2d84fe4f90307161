// SPDX-License-Identifier: Apache-2.0
// A plugin with the library within it, unloaded after shutdown() and loaded again. This program itself has neither the
// library nor the parallel models, so that they are unloaded with the plugin, if they can be.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <link.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <latch>
#include <string_view>
#include <thread>

#include "tests/in_child.hpp"

namespace {

int threads_of_this_process() {
  int count = 0;
  for ([[maybe_unused]] const auto& task : std::filesystem::directory_iterator("/proc/self/task")) ++count;
  return count;
}

bool eventually(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

bool plugin_is_loaded() {
  const auto look = [](dl_phdr_info* info, std::size_t, void* found) {
    if (std::string_view(info->dlpi_name).ends_with("unload_library.so")) *static_cast<bool*>(found) = true;
    return 0;
  };
  bool loaded = false;
  dl_iterate_phdr(look, &loaded);
  return loaded;
}

class Plugin {
 public:
  Plugin() : handle_(dlopen(UNLOAD_LIBRARY, RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) throw std::runtime_error(dlerror());
  }
  ~Plugin() { dlclose(handle_); }
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;

  int call() const { return reinterpret_cast<int (*)()>(dlsym(handle_, "plugin_call"))(); }
  void shutdown() const { reinterpret_cast<void (*)()>(dlsym(handle_, "plugin_shutdown"))(); }

 private:
  void* handle_;
};

// Whatever was left behind would run now: threads that wake up, handlers of fork.
void expect_all_quiet() {
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  tests::expect_in_child([] { return true; });
}

TEST(Unload, AThreadThatHasEndedLeavesNothing) {
  const int threads_before = threads_of_this_process();
  for (int round = 0; round < 3; ++round) {
    {
      const Plugin plugin;
      std::jthread([&] {
        EXPECT_EQ(plugin.call(), 0);
        plugin.shutdown();
      }).join();
      EXPECT_TRUE(eventually([&] { return threads_of_this_process() == threads_before; }))
          << threads_of_this_process() - threads_before << " threads are left";
    }
    EXPECT_FALSE(plugin_is_loaded());
    expect_all_quiet();
  }
}

TEST(Unload, AThreadThatLivesOnMayHaveCalled) {
  for (int round = 0; round < 2; ++round) {
    std::latch called(1), unloaded(1);
    std::jthread caller;
    {
      const Plugin plugin;
      caller = std::jthread([&] {
        EXPECT_EQ(plugin.call(), 0);
        called.count_down();
        unloaded.wait();
      });
      called.wait();
      EXPECT_EQ(plugin.call(), 0);
      plugin.shutdown();
    }
    expect_all_quiet();
    unloaded.count_down();
    caller.join();
    expect_all_quiet();
  }
}

}  // namespace
