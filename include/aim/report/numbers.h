// Numbers and names as people read them on a page. All is text: templates escape it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace aim {

// What stands for a value that was not measured: an en dash.
inline constexpr std::string_view kNotMeasured = "\u2013";

// A name in snake case as people read it: "close_jar" is "close jar".
std::string WordsText(std::string_view name);

// scale * value with this many digits behind the point; a dash for what was not measured (absent or
// not finite).
std::string NumberText(std::optional<double> value, int digits, double scale = 1);

// A fraction in percent, without the sign.
std::string PercentText(std::optional<double> fraction, int digits = 0);

// "12–34", fractions in percent.
std::string IntervalText(double low, double high);

// "4 episodes: anything from 51 to 100 %" where the 95 % interval of a rate in [0, 1] is wider than
// 20 points; else empty.
std::string FewText(int num_episodes, double low, double high);

// Four digits, or the order of magnitude of a very small one.
std::string PValueText(double p_value);

// "1 h 02 min", "3 min 20 s", "12 s"; of less than ten seconds one digit behind the point.
std::string DurationText(double seconds);

}  // namespace aim
