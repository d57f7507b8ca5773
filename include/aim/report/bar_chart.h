// Horizontal bars of rates with their intervals, as a part of a page.
#pragma once

#include <optional>
#include <span>
#include <string>

namespace aim {

// All values are fractions in [0, 1], all words text.
struct RateBar {
  std::string label;
  double rate = 0;
  double low = 0;  // of the interval
  double high = 1;
  std::optional<double> diamond = {};  // marks of what it is compared with
  std::optional<double> dot = {};
  std::string note = {};  // below the bar; may be empty
};

// What stands below the axis; a mark without a name is not explained.
struct RateBarNames {
  std::string axis;
  std::string diamond;
  std::string dot;
};

// One row a bar, percent from left to right.
std::string RateBarsHtml(std::span<const RateBar> bars, const RateBarNames& names);

}  // namespace aim
