#include "aim/report/bar_chart.h"

#include <nlohmann/json.hpp>

#include "aim/report/numbers.h"
#include "aim/report/template.h"

namespace aim {
namespace {

nlohmann::json Mark(const std::optional<double>& rate) {
  return rate ? nlohmann::json{{"left", PercentText(rate, 1)}} : nlohmann::json();
}

}  // namespace

std::string RateBarsHtml(std::span<const RateBar> bars, const RateBarNames& names) {
  nlohmann::json rows = nlohmann::json::array();
  for (const RateBar& bar : bars) {
    rows.push_back({{"label", bar.label},
                    {"width", PercentText(bar.rate, 1)},
                    {"percent", PercentText(bar.rate)},
                    {"low", PercentText(bar.low, 1)},
                    {"interval_width", PercentText(bar.high - bar.low, 1)},
                    {"diamond", Mark(bar.diamond)},
                    {"dot", Mark(bar.dot)},
                    {"has_note", !bar.note.empty()},
                    {"note", bar.note}});
  }
  return RenderTemplate("rate_bars", {{"bars", std::move(rows)},
                                      {"ticks", {0, 20, 40, 60, 80, 100}},
                                      {"axis", names.axis},
                                      {"has_diamond", !names.diamond.empty()},
                                      {"diamond_name", names.diamond},
                                      {"has_dot", !names.dot.empty()},
                                      {"dot_name", names.dot}});
}

}  // namespace aim
