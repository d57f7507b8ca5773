// Pieces of self-contained HTML pages: text from outside, numbers, pictures.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace aim {

// Text as HTML shows it, also inside an attribute in double or single quotes.
std::string EscapeHtml(std::string_view text);

// Text of an SVG at (x, y); `anchor` is start, middle or end. The text may hold markup.
std::string SvgText(double x, double y, const char* anchor, const std::string& text);

// A name in snake case as people read it, escaped: "close_jar" is "close jar".
std::string WordsHtml(std::string_view name);

// scale * value with this many digits behind the point; a dash for what was not measured (absent or
// not finite).
std::string NumberHtml(std::optional<double> value, int digits, double scale = 1);

// A fraction in percent, without the sign.
std::string PercentHtml(std::optional<double> fraction, int digits = 0);

// "12–34", fractions in percent.
std::string IntervalHtml(double low, double high);

// Four digits, or the order of magnitude of a very small one.
std::string PValueHtml(double p_value);

// One number of a row of them, over its name; both are HTML.
std::string FactHtml(const std::string& value, const std::string& name);

// The PNG or JPEG file as an <img> that holds its bytes. Throws InputError if it cannot be read.
std::string EmbeddedImageHtml(const std::filesystem::path& file, std::string_view description);

// A whole page without references to other files: style sheet, <h1> and what follows it. `title` is
// text, `body` HTML.
std::string PageHtml(std::string_view title, const std::string& body);

}  // namespace aim
