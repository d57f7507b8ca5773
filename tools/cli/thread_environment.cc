#include "tools/cli/thread_environment.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

namespace aim::cli {
namespace {

// The value of the last --threads, or nothing. What is wrong with it is said later, by the flags.
std::string ThreadsFlag(int argc, char** argv) {
  constexpr std::string_view kFlag = "--threads";
  std::string value;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == kFlag && i + 1 < argc) value = argv[i + 1];
    if (word.starts_with("--threads=")) value = word.substr(kFlag.size() + 1);
  }
  const bool is_count =
      !value.empty() && value.find_first_not_of("0123456789") == std::string::npos;
  return is_count && value != "0" ? value : "";
}

// Whether the variable had to change.
bool Set(const char* name, const std::string& value) {
  const char* present = std::getenv(name);
  if (present != nullptr && value == present) return false;
  return ::setenv(name, value.c_str(), 1) == 0;
}

}  // namespace

void SetThreadEnvironment(int argc, char** argv) {
  bool changed = false;
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) changed = Set("OMP_WAIT_POLICY", "passive");
  const std::string threads = ThreadsFlag(argc, argv);
  if (!threads.empty()) changed = Set("OMP_NUM_THREADS", threads) || changed;
  if (changed) ::execv("/proc/self/exe", argv);
  // Started through that link it is called "exe" in ps, top and killall.
  if (argc > 0) {
    ::prctl(PR_SET_NAME, std::filesystem::path(argv[0]).filename().c_str());
  }
}

int ThreadsOfEnvironment() {
  const char* text = std::getenv("OMP_NUM_THREADS");
  if (text == nullptr) return 0;
  const std::string_view view = text;
  int threads = 0;
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), threads);
  return error == std::errc() && end == view.data() + view.size() && threads > 0 ? threads : 0;
}

}  // namespace aim::cli
