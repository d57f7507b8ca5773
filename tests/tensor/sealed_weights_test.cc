#include "aim/tensor/sealed_weights.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/tensor/fingerprint.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::TemporaryFolder;

TEST(SealedWeightsTest, ComeBackWithTheirMetadata) {
  const TemporaryFolder folder;
  const WeightMap weights = {{"a", at::arange(6, at::kFloat)}, {"b", at::ones({2, 2}, at::kHalf)}};
  WriteSealed(folder / "w.safetensors", weights, {{"format", "pt"}});
  const SafetensorsFile read = OpenSealed(folder / "w.safetensors");
  EXPECT_EQ(read.metadata.at("format"), "pt");
  for (const auto& [name, weight] : weights) EXPECT_TRUE(at::equal(read.tensors.at(name), weight));
}

TEST(SealedWeightsTest, EveryFlippedByteOfTheValuesIsFound) {
  const TemporaryFolder folder;
  WriteSealed(folder / "w.safetensors", {{"a", at::arange(6, at::kFloat)}});
  const std::string whole = ReadFile(folder / "w.safetensors");
  for (size_t i = whole.size() - 6 * sizeof(float); i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 4);
    WriteFileAtomic(folder / "w.safetensors", damaged);
    testing::ExpectThrowsWith<FormatError>([&] { OpenSealed(folder / "w.safetensors"); },
                                           {"w.safetensors", "damaged"});
  }
}

// Tensors that come one by one make the bytes of those that are all there, whatever their types.
TEST(SealedWeightsTest, AStreamMakesTheSameFile) {
  const TemporaryFolder folder;
  const WeightMap weights = {{"a", at::arange(6, at::kFloat)},
                             {"b", at::ones({2, 2}, at::kHalf)},
                             {"step", at::tensor({5}, at::kLong)},
                             {"z", at::full({3}, 0.5f)}};
  WriteSealed(folder / "whole.safetensors", weights);
  std::map<std::string, TensorInfo> infos;
  Fingerprinter first;
  uint64_t state = first.state();
  for (const auto& [name, weight] : weights) {
    infos[name] = {weight.scalar_type(), weight.sizes().vec()};
    Fingerprinter next(state);  // another process, say
    next.Add(name, weight);
    state = next.state();
  }
  std::vector<std::string> asked;
  const auto load = [&](const std::string& name) {
    asked.push_back(name);
    return weights.at(name);
  };
  StreamSealed(folder / "stream.safetensors", infos, load, Fingerprinter(state).Text());
  EXPECT_EQ(ReadFile(folder / "stream.safetensors"), ReadFile(folder / "whole.safetensors"));
  EXPECT_EQ(asked, OrderInFile(infos));
  EXPECT_EQ(asked, (std::vector<std::string>{"step", "a", "z", "b"}));
}

TEST(SealedWeightsTest, AFileWithoutASealIsReadAsItIs) {
  const TemporaryFolder folder;
  WriteSafetensors(folder / "w.safetensors", {{"a", at::ones({3})}});
  EXPECT_EQ(OpenSealed(folder / "w.safetensors").tensors.size(), 1u);
}

}  // namespace
}  // namespace aim
