// A part of a test in a process of its own.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace aim::testing {

// Runs `child` in a process of its own, which ends without the destructors of this one.
inline pid_t Fork(const std::function<void()>& child) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    child();
    ::_exit(0);
  }
  return pid;
}

// How it ended, for WIFEXITED and its like.
inline int WaitFor(pid_t pid) {
  int status = -1;
  ::waitpid(pid, &status, 0);
  return status;
}

}  // namespace aim::testing
