#include "aim/text/text_cache.h"

#include <ATen/ATen.h>

#include <cstdio>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/rng.h"
#include "aim/base/text.h"
#include "aim/tensor/safetensors.h"
#include "aim/tensor/shape.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRows = "features";

// Any text as the value of a JSON header, which must be UTF-8.
std::string Quoted(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F && c != '%') {
      out += c;
    } else {
      char code[4];
      std::snprintf(code, sizeof(code), "%%%02X", static_cast<unsigned>(byte));
      out += code;
    }
  }
  return out;
}

int64_t RowsUntilLastNonZero(const at::Tensor& rows) {
  const at::Tensor used = at::nonzero((rows != 0).any(1));
  return used.numel() == 0 ? 0 : used.max().item<int64_t>() + 1;
}

}  // namespace

CachedTextEncoder::CachedTextEncoder(std::shared_ptr<const TextEncoder> inner, fs::path folder,
                                     std::string key)
    : inner_(std::move(inner)), folder_(std::move(folder)), key_(std::move(key)) {}

fs::path CachedTextEncoder::FileOf(const std::string& prompt) const {
  const uint64_t model = StableHash(key_);
  return folder_ / (HexText(model) + HexText(StableHash(prompt, model)) + ".safetensors");
}

at::Tensor CachedTextEncoder::Read(const fs::path& file, const std::string& prompt) const {
  const SafetensorsFile stored = OpenSafetensors(file);
  const auto metadata = [&](const char* name) {
    const auto found = stored.metadata.find(name);
    return found == stored.metadata.end() ? std::string() : found->second;
  };
  const auto rows = stored.tensors.find(kRows);
  if (metadata("key") != Quoted(key_) || metadata("prompt") != Quoted(prompt) ||
      rows == stored.tensors.end()) {
    throw FormatError({.where = file.string(),
                       .got = "not the features of this prompt and text encoder",
                       .expected = "a file that this cache wrote",
                       .fix = ""});
  }
  CheckShape(rows->second, {"L", dim()}, file.string() + ": " + kRows);
  CheckDtype(rows->second, at::kFloat, file.string() + ": " + kRows);
  CheckFinite(stored.tensors, file.string());
  const int64_t count = rows->second.size(0);
  if (count > max_tokens()) {
    throw FormatError({.where = file.string() + ": " + kRows,
                       .got = CountText(count, "row") + " long",
                       .expected = "at most " + std::to_string(max_tokens()),
                       .fix = ""});
  }
  at::Tensor padded = at::zeros({max_tokens(), dim()}, at::kFloat);
  padded.narrow(0, 0, count).copy_(rows->second);
  return padded;
}

at::Tensor CachedTextEncoder::Encode(const std::string& prompt) const {
  const fs::path file = FileOf(prompt);
  if (fs::exists(file)) {
    try {
      return Read(file, prompt);
    } catch (const InputError& error) {
      LogWarning(std::string(error.what()) + "; the prompt is encoded again");
    }
  }
  at::Tensor rows = inner_->Encode(prompt);
  WriteSafetensors(file, {{kRows, rows.narrow(0, 0, RowsUntilLastNonZero(rows))}},
                   {{"key", Quoted(key_)}, {"prompt", Quoted(prompt)}});
  return rows;
}

at::Tensor RememberingTextEncoder::Encode(const std::string& prompt) const {
  constexpr size_t kMaxPrompts = 64;
  {
    const std::lock_guard lock(mutex_);
    const auto found = rows_.find(prompt);
    if (found != rows_.end()) return found->second;
  }
  const at::Tensor rows = inner_->Encode(prompt);
  const std::lock_guard lock(mutex_);
  if (rows_.size() >= kMaxPrompts) rows_.clear();
  rows_[prompt] = rows;
  return rows;
}

}  // namespace aim
