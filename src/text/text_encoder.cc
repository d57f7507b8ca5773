#include "aim/text/text_encoder.h"

namespace aim {

std::string CleanPrompt(const std::string& prompt) {
  std::string spaced;
  for (const char c : prompt) {
    if (c != '.') spaced += c == '_' ? ' ' : c;
  }
  std::string clean;
  for (size_t i = 0; i < spaced.size(); ++i) {
    clean += spaced[i];
    const bool is_pair = spaced[i] == ' ' && i + 1 < spaced.size() && spaced[i + 1] == ' ';
    if (is_pair) ++i;
  }
  return clean;
}

}  // namespace aim
