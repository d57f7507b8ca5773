// A program that runs beside this one and exchanges messages with it over a socket of their own
// (never its stdout: simulators print there).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace aim {

// A message is its length, four bytes, the least significant first, and that many bytes. For one
// thread at a time.
class ChildProcess {
 public:
  // Starts `command`, its first word looked up in PATH, with "--fd N" behind it: the descriptor of
  // its end of the socket. What it prints is kept for errors. Throws ConfigError if there is no
  // such program.
  explicit ChildProcess(const std::vector<std::string>& command);
  ~ChildProcess();  // ends it, and what it started in turn
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Sends a message and waits for one. Throws IoError naming `what` if the child ends, or the time
  // is over first; it is of no use then.
  std::string Ask(std::string_view message, double timeout_s, const std::string& what);

 private:
  using Deadline = std::chrono::steady_clock::time_point;

  void Send(std::string_view bytes, Deadline deadline, const std::string& what);
  void ReceiveInto(char* bytes, size_t count, Deadline deadline, const std::string& what);
  void AwaitReady(short events, Deadline deadline, const std::string& what);
  [[noreturn]] void FailEnded(const std::string& what);
  std::string LastWords() const;
  void End();

  pid_t pid_ = -1;
  int socket_ = -1;
  int printed_ = -1;  // a file without a name, for its stdout and stderr
};

}  // namespace aim
