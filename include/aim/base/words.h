// Choices among words: an enum class and one table of its words, which flags, TOML keys, --help,
// error messages and files all read.
//
//   enum class SamplerKind { kEuler, kUnipc };
//   constexpr auto WordsOf(SamplerKind) {
//     return WordTable<SamplerKind, 2>{{{SamplerKind::kEuler, "euler"},
//                                       {SamplerKind::kUnipc, "unipc"}}};
//   }
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "aim/base/error.h"

namespace aim {

template <class Enum>
struct Word {
  Enum value;
  const char* text;
};

template <class Enum, size_t N>
using WordTable = std::array<Word<Enum>, N>;

// An enum with a WordsOf beside it.
template <class T>
concept WordEnum = std::is_enum_v<T> && requires {
  WordsOf(T{});
};

template <WordEnum Enum>
std::string ToWord(Enum value) {
  for (const auto& word : WordsOf(value)) {
    if (word.value == value) return word.text;
  }
  AIM_CHECK(false);
  return {};
}

template <WordEnum Enum>
std::vector<std::string> AllWords() {
  std::vector<std::string> words;
  for (const auto& word : WordsOf(Enum{})) words.emplace_back(word.text);
  return words;
}

// Throws ConfigError that says what `where` may be, and which word is nearest.
[[noreturn]] void ThrowUnknownWord(std::string_view text, const std::vector<std::string>& known,
                                   const std::string& where);

template <WordEnum Enum>
Enum FromWord(std::string_view text, const std::string& where) {
  for (const auto& word : WordsOf(Enum{})) {
    if (word.text == text) return word.value;
  }
  ThrowUnknownWord(text, AllWords<Enum>(), where);
}

}  // namespace aim
