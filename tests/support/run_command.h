// Runs a program as a user does: words in, exit code and both streams out.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "aim/base/atomic_file.h"
#include "support/temporary_folder.h"

namespace aim::testing {

struct CommandResult {
  int exit_code = -1;  // -1: ended by a signal
  std::string out;
  std::string err;
};

// A test cannot go on without its program, and must not wait for it.
inline std::runtime_error CannotStart(const std::string& program, int error) {
  return std::runtime_error("cannot start " + program + ": " + std::strerror(error) +
                            "; build the tools first");
}

// `command[0]` is a path. stdout goes to `stdout_path` instead of `out` if that is not empty.
// Throws std::runtime_error if the program cannot be started.
inline CommandResult RunCommand(const std::vector<std::string>& command,
                                const std::string& stdout_path = "") {
  const TemporaryFolder folder;
  const std::string out_path = stdout_path.empty() ? (folder / "out").string() : stdout_path;
  const std::string err_path = (folder / "err").string();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_path.c_str(), O_WRONLY | O_CREAT,
                                   0600);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err_path.c_str(), O_WRONLY | O_CREAT,
                                   0600);
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_t child = 0;
  const int error = posix_spawn(&child, words[0], &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw CannotStart(command[0], error);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  CommandResult result;
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (stdout_path.empty()) result.out = ReadFile(out_path);
  result.err = ReadFile(err_path);
  return result;
}

// A binary of this build: Binary("aim-codec"). ctest sets AIM_BIN_DIR.
inline std::string Binary(const std::string& name) {
  const char* folder = std::getenv("AIM_BIN_DIR");
  EXPECT_NE(folder, nullptr) << "set AIM_BIN_DIR to the folder of the tools, or run ctest";
  return std::string(folder == nullptr ? "." : folder) + "/" + name;
}

}  // namespace aim::testing
