#include "aim/model/on_demand.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "aim/base/error.h"

namespace aim {
namespace {

class Doubling : public Autoencoder {
 public:
  at::Tensor Encode(const at::Tensor& video, ContentKind) const override { return video * 2; }
  at::Tensor Decode(const at::Tensor& latent, ContentKind) const override { return latent / 2; }
  int64_t channels() const override { return 3; }
  int64_t spatial_factor() const override { return 1; }
  int64_t temporal_factor() const override { return 4; }
};

TEST(OnDemandAutoencoder, LoadsWhenUsedAndAfterEveryRelease) {
  int loads = 0;
  const OnDemandAutoencoder code({3, 1, 4}, at::kCPU, [&] {
    ++loads;
    return std::make_unique<Doubling>();
  });
  const at::Tensor video = at::ones({1, 3, 1, 2, 2});
  EXPECT_EQ(code.channels(), 3);
  EXPECT_EQ(code.temporal_factor(), 4);
  EXPECT_EQ(loads, 0);
  const at::Tensor latent = code.Encode(video, ContentKind::kVideo);
  EXPECT_TRUE(code.Decode(latent, ContentKind::kVideo).equal(video));
  EXPECT_EQ(loads, 1);
  code.ReleaseWeights();
  code.ReleaseWeights();
  EXPECT_EQ(loads, 1);
  EXPECT_TRUE(code.Encode(video, ContentKind::kAction).equal(latent));
  EXPECT_EQ(loads, 2);
}

TEST(OnDemandAutoencoder, TriesAgainAfterAFailure) {
  bool broken = true;
  const OnDemandAutoencoder code({3, 1, 4}, at::kCPU, [&]() -> std::unique_ptr<Autoencoder> {
    if (broken) throw InputError({"vae.safetensors", "missing", "a file", ""});
    return std::make_unique<Doubling>();
  });
  EXPECT_THROW(code.Encode(at::ones({1}), ContentKind::kVideo), InputError);
  broken = false;
  EXPECT_EQ(code.Encode(at::ones({1}), ContentKind::kVideo).item<float>(), 2.0f);
}

}  // namespace
}  // namespace aim
