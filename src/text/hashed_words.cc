#include "aim/text/hashed_words.h"

#include <ATen/ATen.h>

#include <cmath>
#include <string>
#include <vector>

#include "aim/base/rng.h"

namespace aim {
namespace {

bool IsWordByte(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;
}

std::vector<std::string> Words(const std::string& text) {
  std::vector<std::string> words;
  bool is_inside = false;
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool is_word = IsWordByte(static_cast<unsigned char>(c));
    if (is_word && !is_inside) words.emplace_back();
    if (is_word) words.back() += c;
    is_inside = is_word;
  }
  return words;
}

}  // namespace

HashedWords::HashedWords(const HashedWordsOptions& options) : options_(options) {
  CheckRanges(options, "text");
}

at::Tensor HashedWords::Encode(const std::string& prompt) const {
  at::Tensor rows = at::zeros({options_.length, options_.dim}, at::kFloat);
  auto values = rows.accessor<float, 2>();
  const std::vector<std::string> words = Words(CleanPrompt(prompt));
  const int64_t count = std::min<int64_t>(options_.length, static_cast<int64_t>(words.size()));
  for (int64_t row = 0; row < count; ++row) {
    Rng rng(StableHash(words[static_cast<size_t>(row)]));
    for (int64_t column = 0; column < options_.dim; ++column) {
      values[row][column] = static_cast<float>(std::round(rng.Normal() * 1024.0) / 1024.0);
    }
  }
  return rows;
}

}  // namespace aim
