#include "text/unicode.h"

#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "aim/base/error.h"

namespace aim {
namespace {

#include "text/unicode_tables.inc"

// Hangul syllables are arithmetic: leading consonant, vowel, trailing consonant.
constexpr char32_t kHangul = 0xAC00, kLead = 0x1100, kVowel = 0x1161, kTrail = 0x11A7;
constexpr char32_t kLeads = 19, kVowels = 21, kTrails = 28;
constexpr char32_t kSyllables = kLeads * kVowels * kTrails;

enum GraphemeKind : uint8_t { kOther, kJoinsBefore, kJoinsAfter, kAlone, kPictograph };

std::vector<uint32_t> Unpack(std::string_view base64) {
  const std::optional<std::string> bytes = DecodeBase64(base64);
  AIM_CHECK(bytes.has_value());
  std::vector<uint32_t> numbers;
  uint32_t number = 0;
  int shift = 0;
  for (const char c : *bytes) {
    number |= (static_cast<uint32_t>(c) & 0x7F) << shift;
    shift += 7;
    if ((static_cast<unsigned char>(c) & 0x80) != 0) continue;
    numbers.push_back(number);
    number = 0;
    shift = 0;
  }
  return numbers;
}

// Runs of codes with one value each.
class RunTable {
 public:
  explicit RunTable(std::string_view packed) {
    const std::vector<uint32_t> numbers = Unpack(packed);
    uint32_t end = 0;
    for (size_t i = 0; i + 2 < numbers.size(); i += 3) {
      const uint32_t begin = end + numbers[i];
      end = begin + numbers[i + 1];
      runs_.push_back({begin, end, static_cast<uint8_t>(numbers[i + 2])});
    }
  }

  uint8_t Find(char32_t code) const {
    const auto after = std::upper_bound(runs_.begin(), runs_.end(), code,
                                        [](char32_t c, const Run& run) { return c < run.begin; });
    if (after == runs_.begin()) return 0;
    const Run& run = *(after - 1);
    return code < run.end ? run.value : uint8_t{0};
  }

 private:
  struct Run {
    uint32_t begin;
    uint32_t end;
    uint8_t value;
  };
  std::vector<Run> runs_;
};

struct Canonical {
  std::unordered_map<char32_t, std::pair<char32_t, char32_t>> parts;  // second 0: a singleton
  std::map<std::pair<char32_t, char32_t>, char32_t> composed;
  RunTable classes{kCombiningClasses};

  Canonical() {
    const std::vector<uint32_t> numbers = Unpack(kDecompositions);
    char32_t code = 0;
    char32_t first = 0;
    for (size_t i = 0; i + 2 < numbers.size(); i += 3) {
      code += numbers[i];
      const uint32_t step = numbers[i + 1];
      first += (step & 1) != 0 ? 0 - (step + 1) / 2 : step / 2;
      const char32_t second = numbers[i + 2] / 2;
      parts[code] = {first, second};
      if ((numbers[i + 2] & 1) == 0) composed[{first, second}] = code;
    }
  }
};

const Canonical& CanonicalTables() {
  static const Canonical tables;
  return tables;
}

void AppendDecomposed(const Canonical& tables, char32_t code, std::u32string& out) {
  if (code >= kHangul && code < kHangul + kSyllables) {
    const char32_t index = code - kHangul;
    out += static_cast<char32_t>(kLead + index / (kVowels * kTrails));
    out += static_cast<char32_t>(kVowel + index % (kVowels * kTrails) / kTrails);
    if (index % kTrails != 0) out += kTrail + index % kTrails;
    return;
  }
  const auto found = tables.parts.find(code);
  if (found == tables.parts.end()) {
    out += code;
    return;
  }
  AppendDecomposed(tables, found->second.first, out);
  if (found->second.second != 0) out += found->second.second;
}

// Marks between two starters stand in the order of their classes; equal ones keep theirs.
void SortMarks(const Canonical& tables, std::u32string& text) {
  for (size_t begin = 0; begin < text.size(); ++begin) {
    if (tables.classes.Find(text[begin]) == 0) continue;
    size_t end = begin;
    while (end < text.size() && tables.classes.Find(text[end]) != 0) ++end;
    std::stable_sort(text.begin() + static_cast<std::ptrdiff_t>(begin),
                     text.begin() + static_cast<std::ptrdiff_t>(end), [&](char32_t a, char32_t b) {
                       return tables.classes.Find(a) < tables.classes.Find(b);
                     });
    begin = end;
  }
}

char32_t Compose(const Canonical& tables, char32_t first, char32_t second) {
  if (first >= kLead && first < kLead + kLeads && second >= kVowel && second < kVowel + kVowels) {
    return kHangul + ((first - kLead) * kVowels + (second - kVowel)) * kTrails;
  }
  if (first >= kHangul && first < kHangul + kSyllables && (first - kHangul) % kTrails == 0 &&
      second > kTrail && second < kTrail + kTrails) {
    return first + (second - kTrail);
  }
  const auto found = tables.composed.find({first, second});
  return found == tables.composed.end() ? 0 : found->second;
}

}  // namespace

bool IsWhiteSpace(char32_t code) {
  return (code >= 0x09 && code <= 0x0D) || code == 0x20 || code == 0x85 || code == 0xA0 ||
         code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 ||
         code == 0x202F || code == 0x205F || code == 0x3000;
}

std::u32string ToNfc(std::u32string_view text) {
  const Canonical& tables = CanonicalTables();
  std::u32string parts;
  for (const char32_t code : text) AppendDecomposed(tables, code, parts);
  SortMarks(tables, parts);

  constexpr size_t kNone = static_cast<size_t>(-1);
  std::u32string out;
  size_t starter = kNone;
  uint8_t last_class = 0;  // of the character before, if it stands between it and the starter
  for (const char32_t code : parts) {
    const uint8_t now = tables.classes.Find(code);
    const bool is_adjacent = starter != kNone && starter + 1 == out.size();
    const bool is_free = starter != kNone && (is_adjacent || (last_class != 0 && last_class < now));
    const char32_t joined = is_free ? Compose(tables, out[starter], code) : 0;
    if (joined != 0) {
      out[starter] = joined;
      continue;
    }
    if (now == 0) starter = out.size();
    last_class = now;
    out += code;
  }
  return out;
}

std::u32string UsualWidth(std::u32string_view text) {
  static const std::vector<uint32_t> widths = Unpack(kWidths);
  constexpr char32_t kFirstForm = 0xFF01;
  constexpr char32_t kMacron = 0xFFE3;  // the only form of two characters
  std::u32string out;
  for (const char32_t code : text) {
    const bool is_form = code >= kFirstForm && code < kFirstForm + widths.size();
    const char32_t usual = is_form ? widths[code - kFirstForm] : 0;
    if (code == 0x3000) {
      out += U' ';
    } else if (code == kMacron) {
      out += U" \u0304";
    } else {
      out += usual != 0 ? usual : code;
    }
  }
  return out;
}

size_t GraphemeLength(std::u32string_view text, size_t begin) {
  static const RunTable kinds(kGraphemeKinds);
  constexpr char32_t kJoiner = 0x200D;
  uint8_t last = kinds.Find(text[begin]);
  if (last == kAlone) {
    const bool is_line_end = text[begin] == U'\r' && begin + 1 < text.size();
    return is_line_end && text[begin + 1] == U'\n' ? 2 : 1;
  }
  bool after_pictograph = last == kPictograph;  // with nothing but joining marks since
  size_t end = begin + 1;
  for (; end < text.size(); ++end) {
    const uint8_t now = kinds.Find(text[end]);
    const bool is_emoji_sequence =
        now == kPictograph && after_pictograph && text[end - 1] == kJoiner;
    const bool joins =
        now == kJoinsBefore || (now != kAlone && last == kJoinsAfter) || is_emoji_sequence;
    if (!joins) break;
    after_pictograph = now == kPictograph || (now == kJoinsBefore && after_pictograph);
    last = now;
  }
  return end - begin;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  std::string bytes;
  if (text.size() % 4 != 0) return std::nullopt;
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  uint32_t bits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    uint32_t value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = static_cast<uint32_t>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      value = static_cast<uint32_t>(c - 'a' + 26);
    } else if (c >= '0' && c <= '9') {
      value = static_cast<uint32_t>(c - '0' + 52);
    } else if (c == '+' || c == '/') {
      value = c == '+' ? 62 : 63;
    } else if (i < text.size() - padding) {
      return std::nullopt;
    }
    bits = bits << 6 | value;
    if (i % 4 != 3) continue;
    for (const int shift : {16, 8, 0}) bytes += static_cast<char>(bits >> shift & 0xFF);
    bits = 0;
  }
  for (; padding > 0; --padding) bytes.pop_back();
  return bytes;
}

}  // namespace aim
