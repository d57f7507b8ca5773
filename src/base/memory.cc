#include "aim/base/memory.h"

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "aim/base/error.h"

// jemalloc's, where a program has it.
extern "C" int mallctl(const char* name, void* old_value, size_t* old_size, void* new_value,
                       size_t new_size) __attribute__((weak));

namespace aim {
namespace {

// The number after `key` in a file of lines "key number"; `otherwise` if there is none.
int64_t NumberAfter(const char* path, const std::string& key, int64_t otherwise) {
  std::ifstream in(path);
  std::string word;
  while (in >> word) {
    int64_t value = 0;
    if (word == key) return in >> value ? value : otherwise;
  }
  return otherwise;
}

}  // namespace

int64_t AvailableMemoryBytes() {
  const int64_t free_kib = NumberAfter("/proc/meminfo", "MemAvailable:", -1);
  if (free_kib < 0) {
    throw IoError({.where = "/proc/meminfo",
                   .got = "without MemAvailable",
                   .expected = "the memory that is free",
                   .fix = ""});
  }
  // "max", which is no number, where there is no limit. Cached files can be given back.
  int64_t limit = 0;
  if (!(std::ifstream("/sys/fs/cgroup/memory.max") >> limit)) return free_kib * 1024;
  const int64_t used = NumberAfter("/sys/fs/cgroup/memory.stat", "anon", 0);
  return std::min(free_kib * 1024, std::max<int64_t>(0, limit - used));
}

std::string MemoryText(int64_t size_bytes) {
  const double mib = static_cast<double>(size_bytes) / (1 << 20);
  char text[32];
  if (mib < 1024) {
    std::snprintf(text, sizeof text, "%.0f MiB", mib);
  } else {
    std::snprintf(text, sizeof text, "%.1f GiB", mib / 1024);
  }
  return text;
}

void CheckMemory(int64_t needed_bytes, const std::string& where, const std::string& fix,
                 int64_t free_bytes) {
  if (needed_bytes <= free_bytes) return;
  throw ConfigError({.where = where,
                     .got = "in need of " + MemoryText(needed_bytes) + " of memory",
                     .expected = "at most the " + MemoryText(free_bytes) + " that are free",
                     .fix = fix});
}

void ReturnFreedMemory() {
  constexpr const char* kOfAllArenas = "arena.4096.purge";
  if (mallctl != nullptr) mallctl(kOfAllArenas, nullptr, nullptr, nullptr, 0);
}

}  // namespace aim
