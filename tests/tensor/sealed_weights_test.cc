#include "aim/tensor/sealed_weights.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
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

TEST(SealedWeightsTest, AFileWithoutASealIsReadAsItIs) {
  const TemporaryFolder folder;
  WriteSafetensors(folder / "w.safetensors", {{"a", at::ones({3})}});
  EXPECT_EQ(OpenSealed(folder / "w.safetensors").tensors.size(), 1u);
}

}  // namespace
}  // namespace aim
