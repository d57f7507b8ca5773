// A text encoder without weights: every word is a fixed random vector.
#pragma once

#include "aim/base/options.h"
#include "aim/text/text_encoder.h"

namespace aim {

struct HashedWordsOptions {
  int dim = 64;
  int length = 16;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("dim", self.dim, Range{1, 65536}, "numbers a word has");
    visit("length", self.length, Range{1, 4096}, "words a prompt has at most");
  }
};

// Words are runs of letters and digits of the cleaned prompt, lower-cased (bytes beyond ASCII count
// as letters). A word's hash seeds `dim` normal numbers of unit variance, rounded to 1/1024 so that
// machines whose math libraries differ in the last bit agree. Row i is word i.
//
// Two words share a vector only if their 64-bit hashes do: for 100 000 words the chance is 3e-10.
// Different words are nearly orthogonal (cosine about 1 / sqrt(dim)); there is no notion of similar
// words, and nothing but the row says in which order they stood.
class HashedWords : public TextEncoder {
 public:
  explicit HashedWords(const HashedWordsOptions& options);

  at::Tensor Encode(const std::string& prompt) const override;
  int64_t max_tokens() const override { return options_.length; }
  int64_t dim() const override { return options_.dim; }

 private:
  HashedWordsOptions options_;
};

}  // namespace aim
