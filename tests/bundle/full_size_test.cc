// The released system at its full size, with zeros for weights: sparse files that take no room.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "aim/base/run_context.h"
#include "aim/bundle/bundle.h"
#include "aim/bundle/make_bundle.h"
#include "aim/model/wan_vae.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

fs::path Root() { return testing::SourceDir(); }

BundleConfig Released() {
  const fs::path file = Root() / "configs/model/action_images_5b.toml";
  BundleConfig config;
  ApplyOptions(config, ReadToml(file), file.string());
  return config;
}

// A safetensors file whose tensors are a hole; returns its size in bytes.
int64_t WriteHollow(const fs::path& path, const ShapeMap& shapes, const std::string& dtype) {
  const int64_t item_bytes = dtype == "F32" ? 4 : 2;
  nlohmann::json header = nlohmann::json::object();
  int64_t end = 0;
  for (const auto& [name, shape] : shapes) {
    int64_t bytes = item_bytes;
    for (const int64_t size : shape) bytes *= size;
    header[name] = {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {end, end + bytes}}};
    end += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(&length), sizeof length);
  out << text;
  out.close();
  fs::resize_file(path, 8 + length + static_cast<uint64_t>(end));
  return 8 + static_cast<int64_t>(length) + end;
}

TEST(FullSize, TheReleaseBecomesABundleWithoutBeingRead) {
  const testing::TemporaryFolder folder;
  const BundleConfig released = Released();
  const int64_t dit_bytes =
      WriteHollow(folder / "step125750.safetensors", DitWeightShapes(released.dit), "BF16");
  WriteHollow(folder / "vae.safetensors", WanVaeWeightShapes(released.autoencoder.wan_vae), "F32");
  WriteHollow(folder / "t5.safetensors", Umt5WeightShapes(released.text.umt5), "BF16");
  EXPECT_NEAR(static_cast<double>(dit_bytes), 12.83e9, 0.01e9);  // docs/reference/method.md 3.3

  MakeBundleOptions options;
  options.dit = (folder / "step125750.safetensors").string();
  options.vae = (folder / "vae.safetensors").string();
  options.text = (folder / "t5.safetensors").string();
  options.tokenizer = (Root() / "tests/data/parity/pipeline/tokenizer").string();
  options.link = true;
  RunContext run({.out = folder / "bundle"});
  const int64_t before = PeakMemoryBytes();
  const nlohmann::json report = RunMakeBundle(options, run);
  EXPECT_EQ(report["parameters"], 6'415'549'632 + 704'688'668 + 5'680'910'336);
  EXPECT_LT(PeakMemoryBytes() - before, int64_t{200} << 20);

  const BundleConfig found = LoadBundleConfig(run.out());
  EXPECT_EQ(OptionsToJson(found.dit), OptionsToJson(released.dit));
  EXPECT_EQ(OptionsToJson(found.autoencoder.wan_vae), OptionsToJson(released.autoencoder.wan_vae));
  EXPECT_EQ(OptionsToJson(found.text.umt5), OptionsToJson(released.text.umt5));
  EXPECT_EQ(found.trained_modes, released.trained_modes);
  EXPECT_EQ(found.image_height, released.image_height);
  EXPECT_EQ(found.num_frames, released.num_frames);
}

}  // namespace
}  // namespace aim
