// configs/model/*.toml are the released models: as many weights and parameters as they have.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "aim/bundle/bundle.h"
#include "aim/model/dit.h"
#include "aim/model/wan_vae.h"
#include "aim/text/umt5.h"
#include "support/source_dir.h"

namespace aim {
namespace {

struct Totals {
  size_t weights;
  int64_t parameters;
};

bool operator==(const Totals& a, const Totals& b) {
  return a.weights == b.weights && a.parameters == b.parameters;
}

std::ostream& operator<<(std::ostream& out, const Totals& totals) {
  return out << totals.weights << " weights, " << totals.parameters << " parameters";
}

Totals Count(const ShapeMap& shapes) {
  Totals totals{shapes.size(), 0};
  for (const auto& [name, shape] : shapes) {
    int64_t elements = 1;
    for (const int64_t size : shape) elements *= size;
    totals.parameters += elements;
  }
  return totals;
}

std::filesystem::path ConfigFolder() { return testing::SourceDir() / "configs/model"; }

BundleConfig Read(const std::filesystem::path& file) {
  BundleConfig config;
  ApplyOptions(config, ReadToml(file), file.string());
  config.Validate(file.string());
  return config;
}

constexpr Totals kVae22 = {196, 704'688'668};  // docs/reference/wan22.md 1.1, 3.8, 4.1
constexpr Totals kVae21 = {194, 126'892'531};
constexpr Totals kUmt5 = {242, 5'680'910'336};

TEST(ModelConfigs, AreTheReleasedModels) {
  struct Case {
    const char* name;
    // docs/reference/wan22.md 2.1, docs/reference/method.md 3.3; 1.3 B and 14 B: counted in
    // Diffusers 0.42's modules
    Totals dit;
    Totals vae;
  };
  const Case table[] = {{"action_images_5b", {945, 6'415'549'632}, kVae22},
                        {"wan22_ti2v_5b", {825, 4'999'787'712}, kVae22},
                        {"wan21_t2v_1_3b", {825, 1'418'996'800}, kVae21},
                        {"wan21_t2v_14b", {1095, 14'288'491'584}, kVae21}};
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(ConfigFolder())) {
    files += entry.path().extension() == ".toml" ? 1 : 0;
  }
  EXPECT_EQ(files, std::size(table)) << "each file has its line here";
  for (const Case& line : table) {
    SCOPED_TRACE(line.name);
    const BundleConfig config = Read(ConfigFolder() / (std::string(line.name) + ".toml"));
    EXPECT_EQ(config.preset, line.name);
    EXPECT_EQ(Count(DitWeightShapes(config.dit)), line.dit);
    EXPECT_EQ(Count(WanVaeWeightShapes(config.autoencoder.wan_vae)), line.vae);
    EXPECT_EQ(Count(Umt5WeightShapes(config.text.umt5)), kUmt5);
    EXPECT_EQ(config.dit.head_dim(), 128);
  }
}

// The latent statistics of the files are those of the options' defaults.
TEST(ModelConfigs, LatentStatistics) {
  const BundleConfig wan22 = Read(ConfigFolder() / "wan22_ti2v_5b.toml");
  EXPECT_EQ(OptionsToJson(wan22.autoencoder.wan_vae), OptionsToJson(WanVaeOptions()));
  const BundleConfig wan21 = Read(ConfigFolder() / "wan21_t2v_14b.toml");
  EXPECT_EQ(OptionsToJson(wan21.autoencoder.wan_vae), OptionsToJson(Wan21VaeOptions()));
}

}  // namespace
}  // namespace aim
