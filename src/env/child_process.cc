#include "env/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>

#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/text.h"
#include "aim/format/byte_reader.h"

namespace aim {
namespace {

// High enough that no shell script between us (xvfb-run) uses it for itself.
constexpr int kChildSocket = 63;
constexpr size_t kMostMessageBytes = size_t{256} << 20;
constexpr int64_t kLastWordsBytes = 2000;
constexpr off_t kMostPrintedBytes = off_t{8} << 20;
constexpr auto kGraceOfDying = std::chrono::milliseconds(2000);

[[noreturn]] void FailSystem(const std::string& what) {
  throw IoError({.where = "a child process",
                 .got = "not to be had (" + what + ": " + std::strerror(errno) + ")",
                 .expected = "a working system",
                 .fix = ""});
}

int NamelessFile() {
  std::string path = (std::filesystem::temp_directory_path() / "aim_child_XXXXXX").string();
  const int file = mkostemp(path.data(), O_CLOEXEC | O_APPEND);
  if (file < 0) FailSystem(path);
  unlink(path.c_str());
  return file;
}

// In a process group of its own, so that all of it can be ended at once.
pid_t Spawn(const std::vector<std::string>& command, int socket, int printed) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, printed, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, printed, STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&actions, socket, kChildSocket);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  std::vector<std::string> words = command;
  words.insert(words.end(), {"--fd", std::to_string(kChildSocket)});
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  pid_t pid = -1;
  const int error =
      posix_spawnp(&pid, pointers[0], &actions, &attributes, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error == 0) return pid;
  throw ConfigError({.where = "the program " + Excerpt(command[0]),
                     .got = std::string("not to be started (") + std::strerror(error) + ")",
                     .expected = "a Python that has the simulator",
                     .fix = "name one with --env-python"});
}

// How the process ended, if it did within the time.
std::optional<std::string> HowItEnded(pid_t pid, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  siginfo_t info = {};
  while (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
    if (info.si_pid != 0) {
      const std::string number = std::to_string(info.si_status);
      return info.si_code == CLD_EXITED ? "with exit code " + number : "by signal " + number;
    }
    if (std::chrono::steady_clock::now() >= deadline) break;
    poll(nullptr, 0, 10);
  }
  return std::nullopt;
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command) {
  AIM_CHECK(!command.empty());
  int ends[2] = {-1, -1};
  printed_ = NamelessFile();
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    close(printed_);
    FailSystem("socketpair");
  }
  socket_ = ends[0];
  try {
    pid_ = Spawn(command, ends[1], printed_);
  } catch (const Error&) {
    close(ends[1]);
    End();
    throw;
  }
  close(ends[1]);
  fcntl(socket_, F_SETFL, O_NONBLOCK);
}

ChildProcess::~ChildProcess() { End(); }

void ChildProcess::End() {
  if (pid_ > 0) {
    kill(-pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  close(socket_);
  close(printed_);
}

std::string ChildProcess::Ask(std::string_view message, double timeout_s, const std::string& what) {
  AIM_CHECK(message.size() <= kMostMessageBytes);
  const Deadline deadline = std::chrono::steady_clock::now() +
                            std::chrono::milliseconds(static_cast<int64_t>(1000 * timeout_s));
  // In front of each message is its length, little-endian as the machine's own numbers.
  auto length_bytes =
      std::bit_cast<std::array<std::byte, sizeof(uint32_t)>>(static_cast<uint32_t>(message.size()));
  char* const length_text = reinterpret_cast<char*>(length_bytes.data());
  // What was printed before this question is nobody's last word any more; over days it would fill
  // the disk. The child appends.
  if (lseek(printed_, 0, SEEK_END) > kMostPrintedBytes && ftruncate(printed_, 0) != 0) {
    FailSystem("ftruncate");
  }
  Send({length_text, length_bytes.size()}, deadline, what);
  Send(message, deadline, what);
  ReceiveInto(length_text, length_bytes.size(), deadline, what);
  const size_t length = ReadNumber<uint32_t>(length_bytes, 0);
  if (length > kMostMessageBytes) {
    throw IoError({.where = what,
                   .got = "answered by a message of " + std::to_string(length) + " bytes",
                   .expected = "at most " + std::to_string(kMostMessageBytes),
                   .fix = ""});
  }
  // Grows with what comes, not with what was declared.
  std::string reply;
  constexpr size_t kChunk = size_t{1} << 20;
  while (reply.size() < length) {
    const size_t old_size = reply.size();
    reply.resize(std::min(length, old_size + kChunk));
    ReceiveInto(reply.data() + old_size, reply.size() - old_size, deadline, what);
  }
  return reply;
}

void ChildProcess::Send(std::string_view bytes, Deadline deadline, const std::string& what) {
  while (!bytes.empty()) {
    const ssize_t count = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count > 0) {
      bytes.remove_prefix(static_cast<size_t>(count));
    } else if (errno == EAGAIN) {
      AwaitReady(POLLOUT, deadline, what);
    } else if (errno != EINTR) {
      FailEnded(what);
    }
  }
}

void ChildProcess::ReceiveInto(char* bytes, size_t count, Deadline deadline,
                               const std::string& what) {
  while (count > 0) {
    const ssize_t received = recv(socket_, bytes, count, 0);
    if (received > 0) {
      bytes += received;
      count -= static_cast<size_t>(received);
    } else if (received < 0 && errno == EAGAIN) {
      AwaitReady(POLLIN, deadline, what);
    } else if (received == 0 || errno != EINTR) {
      FailEnded(what);
    }
  }
}

void ChildProcess::AwaitReady(short events, Deadline deadline, const std::string& what) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  pollfd waited{.fd = socket_, .events = events, .revents = 0};
  if (left.count() <= 0 || poll(&waited, 1, static_cast<int>(left.count())) == 0) {
    throw IoError({.where = what,
                   .got = "without an answer in time" + LastWords(),
                   .expected = "one before the deadline",
                   .fix = "raise --env-timeout-s if the simulator is slow, not stuck"});
  }
}

void ChildProcess::FailEnded(const std::string& what) {
  const std::optional<std::string> how = HowItEnded(pid_, kGraceOfDying);
  throw IoError({.where = what,
                 .got = "cut off: the simulator " +
                        (how ? "ended " + *how : "closed its connection") + LastWords(),
                 .expected = "an answer",
                 .fix = ""});
}

// The last line that it printed, where errors stand.
std::string ChildProcess::LastWords() const {
  const off_t size = lseek(printed_, 0, SEEK_END);
  std::string tail(static_cast<size_t>(std::min<int64_t>(size, kLastWordsBytes)), '\0');
  const ssize_t count =
      pread(printed_, tail.data(), tail.size(), size - static_cast<off_t>(tail.size()));
  tail.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
  while (!tail.empty() && std::isspace(static_cast<unsigned char>(tail.back()))) tail.pop_back();
  if (tail.empty()) return "";
  return ", its last words being \"" + Printable(tail.substr(tail.rfind('\n') + 1), 300) + '"';
}

}  // namespace aim
