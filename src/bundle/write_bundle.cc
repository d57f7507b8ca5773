#include <ATen/core/Tensor.h>

#include <functional>

#include "aim/base/atomic_file.h"
#include "aim/base/run_context.h"
#include "aim/bundle/bundle.h"
#include "aim/tensor/safetensors.h"
#include "aim/tensor/weight_file.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

// A link takes no space and no time, and is safe: files of a bundle are replaced, never changed.
void LinkOrCopy(const fs::path& from, const fs::path& to) {
  fs::create_directories(to.parent_path());
  std::error_code error;
  fs::create_hard_link(fs::canonical(from), to, error);
  if (error) fs::copy_file(from, to);
}

// True for a name inside the bundle; "../vae.safetensors" and "/models/vae.safetensors" are not.
bool IsInside(const fs::path& name) {
  return !name.is_absolute() && *name.lexically_normal().begin() != "..";
}

// File or folder `name` of the bundle `initial`.
void TakeFiles(const fs::path& initial, const fs::path& name, const fs::path& folder) {
  if (!fs::is_directory(initial / name)) return LinkOrCopy(initial / name, folder / name);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(initial / name)) {
    if (!entry.is_regular_file()) continue;
    LinkOrCopy(entry.path(), folder / entry.path().lexically_relative(initial));
  }
}

// The same for weights, which may also be an index with its shards beside it.
void TakeWeights(const fs::path& initial, const fs::path& name, const fs::path& folder) {
  TakeFiles(initial, name, folder);
  if (fs::is_directory(initial / name)) return;
  for (const fs::path& file : OpenWeights(initial / name).files) {
    const fs::path to = (folder / name).parent_path() / file.filename();
    if (!fs::exists(to)) LinkOrCopy(file, to);
  }
}

// What is the same for all kinds; `write_parts` fills in the rest.
void Write(const fs::path& path, const BundleConfig& config, const WeightMap& dit,
           at::ScalarType dit_storage, const std::function<void(const fs::path&)>& write_parts) {
  config.Validate();
  CheckWeights(dit, DitWeightShapes(config.dit), config.dit_file);
  CheckFinite(dit, config.dit_file);
  const WeightMap stored = ConvertWeights(dit, dit_storage);
  WriteFolderAtomic(path, [&](const fs::path& folder) {
    WriteSafetensors(folder / config.dit_file, stored);
    write_parts(folder);
    WriteFileAtomic(folder / "model.toml", BundleConfigText(config));
  });
}

}  // namespace

void WriteBundle(const fs::path& path, BundleConfig config, const WeightMap& dit,
                 const WeightMap& autoencoder, at::ScalarType dit_storage) {
  const BundleConfig defaults;
  config.revision = Revision();
  config.dit_file = defaults.dit_file;
  config.autoencoder.file = defaults.autoencoder.file;
  config.Validate();
  const PcaAutoencoder checked(config.autoencoder.pca, autoencoder, config.autoencoder.file);
  Write(path, config, dit, dit_storage, [&](const fs::path& folder) {
    WriteSafetensors(folder / config.autoencoder.file, checked.weights());
  });
}

void WriteBundle(const fs::path& path, BundleConfig config, const WeightMap& dit,
                 const fs::path& initial, at::ScalarType dit_storage) {
  const BundleConfig from = LoadBundleConfig(initial);
  config.revision = Revision();
  config.dit_file = BundleConfig().dit_file;
  config.autoencoder = from.autoencoder;
  config.text = from.text;
  std::vector<std::string*> weights = {&config.autoencoder.file};
  std::vector<std::string*> names = weights;
  if (config.text.kind == TextKind::kUmt5) {
    weights.push_back(&config.text.file);
    names = {&config.autoencoder.file, &config.text.file, &config.text.tokenizer_file};
  }
  for (std::string* name : names) {
    if (!IsInside(*name)) *name = fs::absolute(initial / *name).lexically_normal().string();
  }
  Write(path, config, dit, dit_storage, [&](const fs::path& folder) {
    for (const std::string* name : weights) {
      if (IsInside(*name)) TakeWeights(initial, *name, folder);
    }
    if (names.size() > weights.size() && IsInside(*names.back()))
      TakeFiles(initial, *names.back(), folder);
  });
}

}  // namespace aim
