#include "text/unigram.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <utility>

#include "aim/base/error.h"
#include "text/unicode.h"

namespace aim {
namespace {

constexpr double kUnknownPenalty = 10.0;

unsigned char ByteAt(const std::string& text, size_t i) {
  return static_cast<unsigned char>(text[i]);
}

}  // namespace

Unigram::Unigram(std::vector<ScoredPiece> pieces, const UnigramOptions& options,
                 const std::string& where)
    : pieces_(std::move(pieces)), options_(options), where_(where) {
  const auto fail = [&](const std::string& part, const std::string& got,
                        const std::string& expected) {
    throw FormatError({.where = where + ": " + part,
                       .got = got,
                       .expected = expected,
                       .fix = "take the tokenizer from the release again"});
  };
  if (pieces_.empty()) fail("vocabulary", "empty", "at least one piece");
  if (options.unknown && *options.unknown >= pieces_.size()) {
    fail("unknown id", std::to_string(*options.unknown),
         "an id below " + std::to_string(pieces_.size()));
  }
  double lowest = pieces_[0].score;
  for (size_t id = 0; id < pieces_.size(); ++id) {
    if (!std::isfinite(pieces_[id].score)) {
      fail("score of piece " + std::to_string(id), "not finite", "a log probability");
    }
    lowest = std::min(lowest, pieces_[id].score);
  }
  unknown_score_ = lowest - kUnknownPenalty;

  sorted_.resize(pieces_.size());
  std::iota(sorted_.begin(), sorted_.end(), 0U);
  std::sort(sorted_.begin(), sorted_.end(),
            [&](uint32_t a, uint32_t b) { return pieces_[a].text < pieces_[b].text; });
  for (size_t i = 1; i < sorted_.size(); ++i) {
    if (pieces_[sorted_[i]].text != pieces_[sorted_[i - 1]].text) continue;
    const auto [first, second] = std::minmax(sorted_[i - 1], sorted_[i]);
    fail("piece " + std::to_string(second),
         "\"" + pieces_[second].text + "\", which is piece " + std::to_string(first),
         "every piece once");
  }
  for (const ScoredPiece& piece : pieces_) {
    if (!piece.text.empty()) ++first_byte_[size_t{ByteAt(piece.text, 0)} + 1];
  }
  // An empty piece sorts first and is never a prefix.
  if (pieces_[sorted_[0]].text.empty()) ++first_byte_[0];
  std::partial_sum(first_byte_.begin(), first_byte_.end(), first_byte_.begin());
}

std::optional<int64_t> Unigram::Find(std::string_view piece) const {
  const auto found =
      std::lower_bound(sorted_.begin(), sorted_.end(), piece,
                       [&](uint32_t id, std::string_view text) { return pieces_[id].text < text; });
  if (found == sorted_.end() || pieces_[*found].text != piece) return std::nullopt;
  return *found;
}

// Visits the pieces that `text` begins with, shortest first: narrows the range of pieces that share
// the first n bytes. A piece of exactly n bytes is the first of that range.
template <class Visitor>
void Unigram::ForEachPrefix(std::string_view text, Visitor&& visit) const {
  const auto lead = static_cast<unsigned char>(text[0]);
  auto begin = sorted_.begin() + first_byte_[lead];
  auto end = sorted_.begin() + first_byte_[size_t{lead} + 1];
  for (size_t length = 1; begin != end; ++length) {
    if (pieces_[*begin].text.size() == length) {
      visit(*begin);
      ++begin;
    }
    if (length == text.size()) return;
    const auto byte = static_cast<unsigned char>(text[length]);
    begin = std::partition_point(
        begin, end, [&](uint32_t id) { return ByteAt(pieces_[id].text, length) < byte; });
    end = std::partition_point(
        begin, end, [&](uint32_t id) { return ByteAt(pieces_[id].text, length) == byte; });
  }
}

std::vector<Unigram::Node> Unigram::Search(std::string_view text) const {
  std::vector<Node> nodes(text.size() + 1);
  const auto offer = [&](size_t begin, size_t end, double score, int64_t id) {
    const double sum = score + nodes[begin].score;
    if (nodes[end].id == kUnreached || sum > nodes[end].score) nodes[end] = {sum, begin, id};
  };
  for (size_t begin = 0; begin < text.size();) {
    const size_t character = Utf8Length(text[begin]);
    bool is_known = false;
    ForEachPrefix(text.substr(begin), [&](uint32_t id) {
      const size_t length = pieces_[id].text.size();
      offer(begin, begin + length, pieces_[id].score, id);
      is_known = is_known || length == character;
    });
    if (!is_known) offer(begin, begin + character, unknown_score_, kUnknown);
    begin += character;
  }
  return nodes;
}

void Unigram::AppendUnknown(std::string_view text, std::vector<int64_t>& ids) const {
  if (const std::optional<int64_t> id = Find(text)) {  // "<unk>" itself
    ids.push_back(*id);
    return;
  }
  if (options_.byte_fallback) {
    std::vector<int64_t> bytes;
    for (const char c : text) {
      char name[8];
      std::snprintf(name, sizeof(name), "<0x%02X>", static_cast<unsigned>(c) & 0xFF);
      const std::optional<int64_t> id = Find(name);
      if (!id) break;
      bytes.push_back(*id);
    }
    if (bytes.size() == text.size()) {
      ids.insert(ids.end(), bytes.begin(), bytes.end());
      return;
    }
  }
  if (!options_.unknown) {
    throw InputError({.where = "prompt",
                      .got = "with \"" + std::string(text) + "\", which no piece of " + where_ +
                             " has and for which it has no unknown id",
                      .expected = "characters of its vocabulary",
                      .fix = "leave it out"});
  }
  ids.push_back(static_cast<int64_t>(*options_.unknown));
}

void Unigram::Encode(std::string_view text, std::vector<int64_t>& ids) const {
  const std::vector<Node> nodes = Search(text);
  std::vector<std::pair<size_t, int64_t>> path;  // where a piece begins, its id; last piece first
  for (size_t end = text.size(); end > 0; end = nodes[end].begin) {
    const bool is_piece_unknown = options_.unknown && nodes[end].id >= 0 &&
                                  static_cast<size_t>(nodes[end].id) == *options_.unknown;
    const int64_t id = is_piece_unknown ? kUnknown : nodes[end].id;
    if (id == kUnknown && !path.empty() && path.back().second == kUnknown) {
      path.back().first = nodes[end].begin;
    } else {
      path.emplace_back(nodes[end].begin, id);
    }
  }
  for (size_t i = path.size(); i-- > 0;) {
    const auto [begin, id] = path[i];
    const size_t end = i == 0 ? text.size() : path[i - 1].first;
    if (id == kUnknown) {
      AppendUnknown(text.substr(begin, end - begin), ids);
    } else {
      ids.push_back(id);
    }
  }
}

}  // namespace aim
