// SPDX-License-Identifier: Apache-2.0
// Starts a program that is to be measured, so that it never outlives this one.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace speedwell::bench {

struct StandardFiles {
  int input, output, errors;
};

// The new process, which leads a process group of its own, may run on the CPUs only, and is killed when the calling
// thread ends; or -1, and errno says why. `words` are its arguments from its name on.
pid_t start_program(const std::filesystem::path& program, std::vector<std::string> words, const std::vector<int>& cpus,
                    StandardFiles files);

// "was ended by signal 9 (Killed)", "exited with status 1": of a status from waitpid.
std::string how_it_ended(int status);

}  // namespace speedwell::bench
