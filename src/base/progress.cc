#include "aim/base/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <utility>

namespace aim {
namespace {

constexpr int kBarWidth = 24;
constexpr double kRedrawEveryS = 0.1;
constexpr double kLineEveryS = 10;

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

std::string LineOf(const ProgressState& state, bool with_bar) {
  std::string line = state.label + " ";
  if (state.total > 0) {
    const double fraction =
        std::clamp(static_cast<double>(state.done) / static_cast<double>(state.total), 0.0, 1.0);
    if (with_bar) {
      const auto filled = static_cast<size_t>(fraction * kBarWidth);
      line += "[" + std::string(filled, '=') + std::string(kBarWidth - filled, ' ') + "] ";
    }
    line += std::to_string(state.done) + "/" + std::to_string(state.total);
    if (!state.ends && state.done > 0) {
      line += ", " + ClockText(state.elapsed_s * (1.0 - fraction) / fraction) + " left";
    }
  } else {
    line += std::to_string(state.done);
  }
  line += ", " + ClockText(state.elapsed_s) + " so far";
  if (!state.note.empty()) line += ", " + state.note;
  return line;
}

}  // namespace

ProgressSink StreamProgress(std::ostream& stream, bool is_terminal) {
  auto last_shown = std::make_shared<double>(0.0);
  return [&stream, is_terminal, last_shown](const ProgressState& state) {
    if (state.begins) *last_shown = 0;
    const double every_s = is_terminal ? kRedrawEveryS : kLineEveryS;
    const bool is_due =
        state.ends || (state.begins ? is_terminal : state.elapsed_s - *last_shown >= every_s);
    if (!is_due) return;
    *last_shown = state.elapsed_s;
    if (is_terminal) {
      stream << "\r\033[K" << LineOf(state, true) << (state.ends ? "\n" : "") << std::flush;
    } else {
      stream << LineOf(state, false) << std::endl;
    }
  };
}

Progress::Progress(std::ostream* stream, bool is_terminal) {
  if (stream != nullptr) sink_ = StreamProgress(*stream, is_terminal);
}

void Progress::Start(const std::string& label, int64_t total) {
  const std::lock_guard lock(mutex_);
  state_ = {.label = label, .total = total, .note = {}, .begins = true};
  start_ = std::chrono::steady_clock::now();
  Tell();
  state_.begins = false;
}

void Progress::Advance(int64_t count, const std::string& note) {
  const std::lock_guard lock(mutex_);
  state_.done += count;
  if (!note.empty()) state_.note = note;
  Tell();
}

void Progress::Finish() {
  const std::lock_guard lock(mutex_);
  state_.ends = true;
  Tell();
}

void Progress::Tell() {
  if (!sink_) return;
  state_.elapsed_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  sink_(state_);
}

}  // namespace aim
