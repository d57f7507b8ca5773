#include "aim/report/numbers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "aim/base/text.h"

namespace aim {
namespace {

constexpr double kWideInterval = 0.2;

template <class... Values>
std::string Printed(const char* format, Values... values) {
  std::array<char, 400> text{};  // the largest double has 309 digits before the point
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

}  // namespace

std::string WordsText(std::string_view name) {
  std::string words(name);
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

std::string NumberText(std::optional<double> value, int digits, double scale) {
  if (!value || !std::isfinite(*value)) return std::string(kNotMeasured);
  return Printed("%.*f", digits, scale * *value);
}

std::string PercentText(std::optional<double> fraction, int digits) {
  return NumberText(fraction, digits, 100);
}

std::string IntervalText(double low, double high) {
  return PercentText(low) + "\u2013" + PercentText(high);
}

std::string FewText(int num_episodes, double low, double high) {
  if (high - low <= kWideInterval) return "";
  return CountText(num_episodes, "episode") + ": anything from " + PercentText(low) + " to " +
         PercentText(high) + " %";
}

std::string PValueText(double p_value) {
  return Printed(p_value < 1e-4 ? "%.0e" : "%.4f", p_value);
}

std::string DurationText(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return std::string(kNotMeasured);
  if (seconds < 9.95) return Printed("%.1f s", seconds);
  const auto whole = std::llround(std::min(seconds, 1e12));
  if (whole < 60) return Printed("%lld s", whole);
  if (whole < 3600) return Printed("%lld min %02lld s", whole / 60, whole % 60);
  return Printed("%lld h %02lld min", whole / 3600, whole / 60 % 60);
}

}  // namespace aim
