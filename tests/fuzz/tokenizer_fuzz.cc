// Both tokenizer files, any bytes: a file is read or refused with an InputError, and what was read
// encodes any text to ids of its vocabulary. The first byte says which file, the second how many of
// the last bytes are the text.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "aim/base/error.h"
#include "aim/text/prompt_cleaning.h"
#include "aim/text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t text_size = std::min<size_t>(data[1], bytes.size());
  const std::string text(bytes.substr(bytes.size() - text_size));
  bytes.remove_suffix(text_size);
  const std::string clean = aim::CleanPromptText(text);
  constexpr int64_t kMaxTokens = 64;
  try {
    const aim::Tokenizer tokenizer =
        data[0] % 2 == 0 ? aim::Tokenizer::FromJson(bytes, "fuzz")
                         : aim::Tokenizer::FromSentencePiece(bytes, "fuzz", data[0] / 2 % 4);
    for (const std::string& prompt : {text, clean}) {
      const auto ids = tokenizer.Encode(prompt, kMaxTokens);
      if (static_cast<int64_t>(ids.size()) > kMaxTokens) std::abort();
      for (const int64_t id : ids) {
        if (id < 0 || id >= tokenizer.vocab_size()) std::abort();
      }
    }
  } catch (const aim::InputError&) {
    // Refused, as it should be.
  }
  return 0;
}
