// The axis of a chart: where it begins and ends, and the numbers that stand along it.
#pragma once

#include <string>
#include <vector>

namespace aim {

struct Axis {
  double low = 0;
  double high = 1;  // above low
  bool is_log = false;
  std::vector<double> ticks;  // rising, within [low, high]
  double tick_step = 1;       // of a linear axis

  double At(double value) const;  // 0 at low, 1 at high; outside it is cut
  std::string TickText(double value) const;
};

// From low to high exactly, with at most about six round numbers. Widened where they are equal.
Axis ExactAxis(double low, double high);

// The same, widened to the next round numbers.
Axis RoundAxis(double low, double high);

// Of logarithms, from and to numbers that begin with 1, 2 or 5. 0 < low <= high.
Axis LogAxis(double low, double high);

}  // namespace aim
