// Prompts that were encoded before, kept on disk and in memory.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "aim/text/text_encoder.h"

namespace aim {

// Reads what `inner` made of a prompt from `folder`, or calls it and writes the rows (up to the
// last that is not zero, float32) to "<hash of key and prompt>.safetensors" there. `key` names the
// encoder: its weights, tokenizer, type and length; another key never gets this one's rows.
//
// Files appear whole, so any number of processes may share a folder. A file that is damaged or
// belongs to something else is replaced, with a warning in the log. Throws IoError if a file cannot
// be written.
class CachedTextEncoder : public TextEncoder {
 public:
  CachedTextEncoder(std::shared_ptr<const TextEncoder> inner, std::filesystem::path folder,
                    std::string key);

  at::Tensor Encode(const std::string& prompt) const override;
  void ReleaseWeights() const override { inner_->ReleaseWeights(); }
  int64_t max_tokens() const override { return inner_->max_tokens(); }
  int64_t dim() const override { return inner_->dim(); }

  // Where a prompt's rows are, or will be.
  std::filesystem::path FileOf(const std::string& prompt) const;

 private:
  at::Tensor Read(const std::filesystem::path& file, const std::string& prompt) const;

  std::shared_ptr<const TextEncoder> inner_;
  std::filesystem::path folder_;
  std::string key_;
};

// Keeps the rows of the last prompts in memory: a policy asks for the same one before every plan.
class RememberingTextEncoder : public TextEncoder {
 public:
  explicit RememberingTextEncoder(std::unique_ptr<const TextEncoder> inner)
      : inner_(std::move(inner)) {}

  at::Tensor Encode(const std::string& prompt) const override;
  void ReleaseWeights() const override { inner_->ReleaseWeights(); }
  int64_t max_tokens() const override { return inner_->max_tokens(); }
  int64_t dim() const override { return inner_->dim(); }

 private:
  std::unique_ptr<const TextEncoder> inner_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, at::Tensor> rows_;
};

}  // namespace aim
