#include "aim/report/bar_chart.h"

#include <sstream>

#include "aim/report/html.h"

namespace aim {
namespace {

constexpr double kLeft = 190;  // where the axis begins
constexpr double kWidth = 800;
constexpr double kRow = 34;
constexpr double kTop = 8;

double AtRate(double rate) { return kLeft + kWidth * rate; }

std::string Axis(double bottom, const RateBarNames& names) {
  std::ostringstream svg;
  for (int tick = 0; tick <= 100; tick += 20) {
    const double x = kLeft + kWidth * tick / 100;
    svg << "<line x1='" << x << "' x2='" << x << "' y1=0 y2='" << bottom << "' stroke='#dfe5ec'/>"
        << SvgText(x, bottom + 17, "middle", std::to_string(tick));
  }
  std::string caption = names.axis;
  if (!names.diamond.empty())
    caption += " &#8195; <tspan fill='#2f5d9b'>&#9670; " + names.diamond + "</tspan>";
  if (!names.dot.empty())
    caption += " &#8195; <tspan fill='#9a7a1c'>&#9679; " + names.dot + "</tspan>";
  svg << SvgText(kLeft + kWidth / 2, bottom + 40, "middle", caption);
  return svg.str();
}

std::string Row(const RateBar& bar, double y) {
  const double middle = y + 11, low = AtRate(bar.low), high = AtRate(bar.high);
  std::ostringstream svg;
  svg << SvgText(kLeft - 12, middle + 5, "end", bar.label) << "<rect x='" << kLeft << "' y='" << y
      << "' width='" << kWidth * bar.rate << "' height=22 rx=3 fill='#a8d5c3'/>"
      << "<path d='M" << low << " " << middle << "H" << high << "M" << low << " " << middle - 6
      << "v12M" << high << " " << middle - 6 << "v12' stroke-width=2 stroke='#23805f'/>";
  if (bar.diamond) {
    svg << "<path d='M" << AtRate(*bar.diamond) << " " << middle - 6
        << "l6 6l-6 6l-6 -6z' fill='#2f5d9b'/>";
  }
  if (bar.dot) {
    svg << "<circle cx='" << AtRate(*bar.dot) << "' cy='" << middle << "' r=5 fill='#9a7a1c'/>";
  }
  svg << SvgText(kLeft + kWidth + 14, middle + 5, "start", PercentHtml(bar.rate) + " %");
  return svg.str();
}

}  // namespace

std::string RateBarsSvg(std::span<const RateBar> bars, const RateBarNames& names) {
  const double bottom = kRow * static_cast<double>(bars.size()) + kTop;
  std::ostringstream svg;
  svg << "<svg viewBox='0 0 1070 " << bottom + 48 << "' role=img font-size=13 fill='#1c2430'>"
      << Axis(bottom, names);
  for (size_t i = 0; i < bars.size(); ++i)
    svg << Row(bars[i], kRow * static_cast<double>(i) + kTop);
  return svg.str() + "</svg>";
}

}  // namespace aim
