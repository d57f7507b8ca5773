// Segmentation of text into the pieces of a Unigram vocabulary.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aim {

struct ScoredPiece {
  std::string text;  // UTF-8
  double score = 0;  // log probability
};

struct UnigramOptions {
  std::optional<size_t> unknown;  // id of characters that no piece has
  bool byte_fallback = false;     // those as pieces "<0xE4>", if the vocabulary has them all
};

// Ids are positions in the list of pieces. `const` methods are thread-safe.
class Unigram {
 public:
  // Throws FormatError, naming `where`, for no pieces, a piece named twice, a score that is no
  // number, an unknown id out of range.
  Unigram(std::vector<ScoredPiece> pieces, const UnigramOptions& options, const std::string& where);

  size_t size() const { return pieces_.size(); }
  std::optional<int64_t> Find(std::string_view piece) const;

  // Appends the ids of the segmentation whose scores have the largest sum. An unknown character
  // counts as the lowest score less 10; neighbouring ones become one id. Throws InputError if there
  // is one and the vocabulary has no id for it. `text` is valid UTF-8.
  void Encode(std::string_view text, std::vector<int64_t>& ids) const;

 private:
  struct Node {  // best segmentation that ends here
    double score = 0;
    size_t begin = 0;  // of its last piece
    int64_t id = kUnreached;
  };
  static constexpr int64_t kUnreached = -1;
  static constexpr int64_t kUnknown = -2;

  template <class Visitor>
  void ForEachPrefix(std::string_view text, Visitor&& visit) const;
  std::vector<Node> Search(std::string_view text) const;
  void AppendUnknown(std::string_view text, std::vector<int64_t>& ids) const;

  std::vector<ScoredPiece> pieces_;
  UnigramOptions options_;
  std::string where_;
  std::vector<uint32_t> sorted_;               // ids in the order of their text
  std::array<uint32_t, 257> first_byte_ = {};  // where pieces of a first byte begin in sorted_
  double unknown_score_ = 0;
};

}  // namespace aim
