#include "aim/text/text_cache.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/tensor/safetensors.h"
#include "aim/text/hashed_words.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

using ::aim::testing::TemporaryFolder;

// Counts how often it is asked.
class CountingEncoder : public TextEncoder {
 public:
  explicit CountingEncoder(int length = 8) : words_({.dim = 6, .length = length}) {}
  at::Tensor Encode(const std::string& prompt) const override {
    ++calls;
    return words_.Encode(prompt);
  }
  void ReleaseWeights() const override { ++releases; }
  int64_t max_tokens() const override { return words_.max_tokens(); }
  int64_t dim() const override { return words_.dim(); }

  mutable int calls = 0;
  mutable int releases = 0;

 private:
  HashedWords words_;
};

class TextCache : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  std::shared_ptr<CountingEncoder> inner_ = std::make_shared<CountingEncoder>();
  CachedTextEncoder cache_{inner_, folder_.path() / "text", "model 1"};
};

TEST_F(TextCache, SecondCallReadsTheSameRows) {
  for (const std::string prompt : {"pick up the block", "", "\xFF%\n\"漢字"}) {
    const int before = inner_->calls;
    const at::Tensor first = cache_.Encode(prompt);
    const at::Tensor second = cache_.Encode(prompt);
    EXPECT_EQ(inner_->calls, before + 1);
    EXPECT_TRUE(first.equal(second));
    EXPECT_TRUE(first.equal(inner_->Encode(prompt)));
    EXPECT_EQ(second.sizes(), (std::vector<int64_t>{8, 6}));
  }
  EXPECT_EQ(cache_.max_tokens(), 8);
  EXPECT_EQ(cache_.dim(), 6);
}

TEST_F(TextCache, OnlyRowsThatAreNotZeroAreStored) {
  cache_.Encode("three small words");
  EXPECT_EQ(ReadSafetensors(cache_.FileOf("three small words")).at("features").sizes(),
            (std::vector<int64_t>{3, 6}));
}

TEST_F(TextCache, OtherPromptsAndOtherModelsHaveOtherFiles) {
  const CachedTextEncoder other(inner_, folder_.path() / "text", "model 2");
  EXPECT_NE(cache_.FileOf("a"), cache_.FileOf("b"));
  EXPECT_NE(cache_.FileOf("a"), other.FileOf("a"));
  cache_.Encode("a");
  other.Encode("a");
  EXPECT_EQ(inner_->calls, 2);
}

TEST_F(TextCache, DamagedFilesAreReplaced) {
  const at::Tensor rows = cache_.Encode("a b");
  const std::filesystem::path file = cache_.FileOf("a b");
  const std::string whole = ReadFile(file);
  std::vector<std::string> damages;
  for (size_t size = 0; size < whole.size(); ++size) damages.push_back(whole.substr(0, size));
  damages.push_back("not a safetensors file");
  for (const std::string& damage : damages) {
    WriteFileAtomic(file, damage);
    EXPECT_TRUE(cache_.Encode("a b").equal(rows));
    EXPECT_EQ(ReadFile(file), whole);
  }
}

TEST_F(TextCache, FilesOfAnotherPromptShapeOrTypeAreReplaced) {
  const at::Tensor rows = cache_.Encode("a b");
  const std::filesystem::path file = cache_.FileOf("a b");
  const Metadata metadata = OpenSafetensors(file).metadata;
  cache_.Encode("c");
  const at::Tensor stored = rows.narrow(0, 0, 2);
  const std::vector<std::pair<WeightMap, Metadata>> wrong = {
      {{{"features", stored}}, OpenSafetensors(cache_.FileOf("c")).metadata},
      {{{"features", stored}}, {}},
      {{{"other", stored}}, metadata},
      {{{"features", at::zeros({9, 6})}}, metadata},
      {{{"features", at::zeros({2, 5})}}, metadata},
      {{{"features", stored.to(at::kDouble)}}, metadata},
      {{{"features", stored * std::numeric_limits<float>::quiet_NaN()}}, metadata}};
  for (const auto& [tensors, data] : wrong) {
    WriteSafetensors(file, tensors, data);
    const int before = inner_->calls;
    EXPECT_TRUE(cache_.Encode("a b").equal(rows));
    EXPECT_EQ(inner_->calls, before + 1);
  }
}

TEST_F(TextCache, ManyAtOnceAgree) {
  const at::Tensor expected = HashedWords({.dim = 6, .length = 8}).Encode("a b c");
  std::vector<std::thread> threads;
  std::vector<int> agree(4, 0);
  for (size_t i = 0; i < agree.size(); ++i) {
    threads.emplace_back([&, i] {
      // One cache a thread, as in processes that share a folder.
      const CachedTextEncoder cache(std::make_shared<CountingEncoder>(), folder_.path() / "text",
                                    "model 1");
      for (int round = 0; round < 5; ++round) {
        agree[i] += cache.Encode("a b c").equal(expected) ? 1 : 0;
        std::filesystem::remove(cache.FileOf("a b c"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(agree, ::testing::Each(5));
}

TEST_F(TextCache, ReleasesTheWeightsOfTheEncoder) {
  cache_.ReleaseWeights();
  EXPECT_EQ(inner_->releases, 1);
}

TEST(RememberingTextEncoder, AsksOnceForEachPrompt) {
  auto owned = std::make_unique<CountingEncoder>();
  const CountingEncoder& inner = *owned;
  const RememberingTextEncoder text(std::move(owned));
  const at::Tensor first = text.Encode("push");
  EXPECT_TRUE(first.equal(text.Encode("push")));
  EXPECT_EQ(inner.calls, 1);
  EXPECT_FALSE(first.equal(text.Encode("pull")));
  EXPECT_EQ(inner.calls, 2);
  for (int i = 0; i < 200; ++i) text.Encode(std::to_string(i));
  EXPECT_TRUE(first.equal(text.Encode("push"))) << "forgotten and made again";
}

}  // namespace
}  // namespace aim
