// A program that runs beside the test: its messages are read as they come, signals are sent to it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "aim/base/atomic_file.h"
#include "support/run_command.h"
#include "support/temporary_folder.h"

namespace aim::testing {

class ChildProcess {
 public:
  // `command[0]` is a path. Throws as RunCommand.
  explicit ChildProcess(const std::vector<std::string>& command) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, (folder_ / "out").c_str(),
                                     O_WRONLY | O_CREAT, 0600);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    // In a group of its own: where the tests' group is nobody's, as under nohup, one that is stopped
    // would have the kernel send SIGHUP to all of them.
    posix_spawnattr_t own_group;
    posix_spawnattr_init(&own_group);
    posix_spawnattr_setflags(&own_group, POSIX_SPAWN_SETPGROUP);
    std::vector<char*> words;
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    const int error = posix_spawn(&pid_, words[0], &actions, &own_group, words.data(), environ);
    posix_spawnattr_destroy(&own_group);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error != 0) {
      close(ends[0]);
      throw CannotStart(command[0], error);
    }
    err_end_ = ends[0];
  }
  ~ChildProcess() {
    if (!ended_) {
      Send(SIGKILL);
      Wait();
    }
    close(err_end_);
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Reads stderr until it holds `text`; false if it ends before.
  bool WaitForMessage(const std::string& text) {
    while (err_.find(text) == std::string::npos) {
      if (!ReadSome()) return false;
    }
    return true;
  }

  // What was read of stderr so far.
  const std::string& messages() const { return err_; }

  // Whether it has not ended yet; Wait() still tells how it did.
  bool IsRunning() const {
    siginfo_t info = {};
    EXPECT_EQ(waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT), 0);
    return info.si_pid == 0;
  }

  pid_t pid() const { return pid_; }

  void Send(int signal) const { EXPECT_EQ(kill(pid_, signal), 0); }

  // Its exit code (-1: ended by a signal) and all that it wrote.
  CommandResult Wait() {
    while (ReadSome()) {
    }
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    ended_ = true;
    CommandResult result;
    if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
    result.out = ReadFile(folder_ / "out");
    result.err = err_;
    return result;
  }

 private:
  bool ReadSome() {
    char chunk[4096];
    ssize_t count = 0;
    do {
      count = read(err_end_, chunk, sizeof chunk);
    } while (count < 0 && errno == EINTR);
    if (count > 0) err_.append(chunk, static_cast<size_t>(count));
    return count > 0;
  }

  TemporaryFolder folder_;
  pid_t pid_ = 0;
  int err_end_ = -1;
  std::string err_;
  bool ended_ = false;
};

}  // namespace aim::testing
