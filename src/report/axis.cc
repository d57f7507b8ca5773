#include "report/axis.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "aim/base/error.h"
#include "aim/report/numbers.h"

namespace aim {
namespace {

constexpr double kMostSteps = 5.0;
constexpr double kManyDecades = 3;  // above it only powers of ten are written
constexpr double kRounding = 1e-9;  // of the quotients of two numbers that should be whole

// 1, 2 or 5 times a power of ten, such that `span` has at most about five.
double StepOf(double span) {
  const double power = std::pow(10.0, std::floor(std::log10(span / kMostSteps)));
  for (const double digit : {1.0, 2.0, 5.0}) {
    if (span <= kMostSteps * digit * power * (1 + kRounding)) return digit * power;
  }
  return 10 * power;
}

// Values that are all the same, but for rounding, lie in the middle.
void Widen(double& low, double& high) {
  if (high - low > kRounding * std::max(std::abs(low), std::abs(high))) return;
  const double margin = low == 0 ? 1 : std::abs(low) / 2;
  low -= margin;
  high += margin;
}

std::vector<double> LinearTicks(double low, double high, double step) {
  std::vector<double> ticks;
  const double first = std::ceil(low / step - kRounding);
  const int count = static_cast<int>(std::floor(high / step + kRounding) - first) + 1;
  ticks.reserve(static_cast<size_t>(count));
  for (int k = 0; k < count; ++k) ticks.push_back((first + k) * step + 0.0);  // no -0
  return ticks;
}

Axis LinearAxis(double low, double high, double step) {
  return {.low = low, .high = high, .ticks = LinearTicks(low, high, step), .tick_step = step};
}

// 1, 2 and 5 times the powers of ten, around [low, high].
std::vector<double> LogNumbers(double low, double high) {
  std::vector<double> numbers;
  for (double power = std::floor(std::log10(low)); power <= std::ceil(std::log10(high)); ++power) {
    for (const double digit : {1.0, 2.0, 5.0}) numbers.push_back(digit * std::pow(10.0, power));
  }
  return numbers;
}

bool IsPowerOfTen(double value) {
  const double power = std::log10(value);
  return std::abs(power - std::round(power)) < kRounding;
}

}  // namespace

double Axis::At(double value) const {
  const double at =
      is_log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
  return std::clamp(at, 0.0, 1.0);
}

std::string Axis::TickText(double value) const {
  if (value == 0) return "0";
  if (is_log) {
    std::ostringstream text;  // six digits at most
    text << value;
    return text.str();
  }
  const double largest = std::max(std::abs(low), std::abs(high));
  if (largest >= 1e6 && tick_step >= 1e5) return NumberText(value / 1e6, tick_step < 1e6) + "M";
  if (largest >= 1e4 && tick_step >= 1e3) return NumberText(value / 1e3, 0) + "k";
  const int digits = std::max(0, static_cast<int>(-std::floor(std::log10(tick_step) + kRounding)));
  return NumberText(value, digits);
}

Axis ExactAxis(double low, double high) {
  Widen(low, high);
  return LinearAxis(low, high, StepOf(high - low));
}

Axis RoundAxis(double low, double high) {
  Widen(low, high);
  const double step = StepOf(high - low);
  return LinearAxis(std::floor(low / step + kRounding) * step,
                    std::ceil(high / step - kRounding) * step, step);
}

Axis LogAxis(double low, double high) {
  AIM_CHECK(low > 0 && low <= high);
  Axis axis{.low = low / 10, .high = high * 10, .is_log = true, .ticks = {}};
  const std::vector<double> numbers = LogNumbers(low, high);
  for (const double number : numbers) {
    if (number <= low * (1 + kRounding)) axis.low = number;
  }
  axis.high = *std::find_if(numbers.begin(), numbers.end(), [&](double number) {
    return number >= high * (1 - kRounding) && number > axis.low;
  });
  const bool all = std::log10(axis.high / axis.low) <= kManyDecades;
  for (const double number : numbers) {
    if (number < axis.low || number > axis.high) continue;
    if (all || IsPowerOfTen(number)) axis.ticks.push_back(number);
  }
  return axis;
}

}  // namespace aim
