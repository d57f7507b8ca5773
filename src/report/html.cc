#include "aim/report/html.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <sstream>

#include "aim/base/atomic_file.h"

namespace aim {
namespace {

std::string Base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t word = 0;
    for (size_t j = 0; j < 3; ++j) {
      word = word << 8 | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0U);
    }
    for (size_t j = 0; j < 4; ++j) {
      text += i + j > bytes.size() ? '=' : kDigits[word >> (18 - 6 * j) & 63U];
    }
  }
  return text;
}

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string WordsHtml(std::string_view name) {
  std::string words = EscapeHtml(name);
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

std::string SvgText(double x, double y, const char* anchor, const std::string& text) {
  std::ostringstream svg;
  svg << "<text x='" << x << "' y='" << y << "' text-anchor='" << anchor << "'>" << text
      << "</text>";
  return svg.str();
}

std::string NumberHtml(std::optional<double> value, int digits, double scale) {
  if (!value || !std::isfinite(*value)) return "&ndash;";
  std::array<char, 400> text{};  // the largest double has 309 digits before the point
  std::snprintf(text.data(), text.size(), "%.*f", digits, scale * *value);
  return text.data();
}

std::string PercentHtml(std::optional<double> fraction, int digits) {
  return NumberHtml(fraction, digits, 100);
}

std::string IntervalHtml(double low, double high) {
  return PercentHtml(low) + "&ndash;" + PercentHtml(high);
}

std::string PValueHtml(double p_value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), p_value < 1e-4 ? "%.0e" : "%.4f", p_value);
  return text.data();
}

std::string FactHtml(const std::string& value, const std::string& name) {
  return "<div class=fact><b>" + value + "</b><span>" + name + "</span></div>";
}

std::string EmbeddedImageHtml(const std::filesystem::path& file, std::string_view description) {
  const bool is_png = file.extension() == ".png";
  return "<img alt=\"" + EscapeHtml(description) + "\" src=\"data:image/" +
         (is_png ? "png" : "jpeg") + ";base64," + Base64(ReadFile(file)) + "\">";
}

}  // namespace aim
