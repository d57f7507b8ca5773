#include "aim/base/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace aim {
namespace {

constexpr int kBarWidth = 24;
constexpr std::chrono::milliseconds kRedrawEvery{100};
constexpr std::chrono::seconds kLineEvery{10};

// 75 s -> "1:15", 3700 s -> "1:01:40".
std::string ClockText(double seconds) {
  const long total = std::lround(std::clamp(seconds, 0.0, 3.6e6));
  char text[32];
  if (total >= 3600) {
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", total / 3600, total / 60 % 60, total % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld:%02ld", total / 60, total % 60);
  }
  return text;
}

}  // namespace

Progress::Progress(std::ostream* stream, bool is_terminal)
    : stream_(stream), is_terminal_(is_terminal) {}

void Progress::Start(const std::string& label, int64_t total) {
  const std::lock_guard lock(mutex_);
  label_ = label;
  note_.clear();
  total_ = total;
  done_ = 0;
  start_ = last_shown_ = std::chrono::steady_clock::now();
  if (is_terminal_) Show(false);
}

void Progress::Advance(int64_t count, const std::string& note) {
  const std::lock_guard lock(mutex_);
  done_ += count;
  if (!note.empty()) note_ = note;
  const auto now = std::chrono::steady_clock::now();
  if (is_terminal_ ? now - last_shown_ < kRedrawEvery : now - last_shown_ < kLineEvery) return;
  last_shown_ = now;
  Show(false);
}

void Progress::Finish() {
  const std::lock_guard lock(mutex_);
  Show(true);
}

void Progress::Show(bool last) {
  if (stream_ == nullptr) return;
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  std::string line = label_ + " ";
  if (total_ > 0) {
    const double fraction =
        std::clamp(static_cast<double>(done_) / static_cast<double>(total_), 0.0, 1.0);
    if (is_terminal_) {
      const auto filled = static_cast<size_t>(fraction * kBarWidth);
      line += "[" + std::string(filled, '=') + std::string(kBarWidth - filled, ' ') + "] ";
    }
    line += std::to_string(done_) + "/" + std::to_string(total_);
    if (!last && done_ > 0) {
      line += ", " + ClockText(seconds * (1.0 - fraction) / fraction) + " left";
    }
  } else {
    line += std::to_string(done_);
  }
  line += ", " + ClockText(seconds) + " so far";
  if (!note_.empty()) line += ", " + note_;
  if (is_terminal_) {
    *stream_ << "\r\033[K" << line << (last ? "\n" : "") << std::flush;
  } else {
    *stream_ << line << std::endl;
  }
}

}  // namespace aim
