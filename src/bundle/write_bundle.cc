#include <ATen/core/Tensor.h>

#include <functional>

#include "aim/base/atomic_file.h"
#include "aim/base/run_context.h"
#include "aim/bundle/adapter.h"
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

// What another bundle calls the file `name` of the bundle `initial`: the same if it is taken along.
std::string NameFrom(const fs::path& initial, const std::string& name) {
  return IsInside(name) ? name : fs::absolute(initial / name).lexically_normal().string();
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

// The network: checked at once, written when the folder is.
std::function<void(const fs::path&)> DitPart(const BundleConfig& config, const WeightMap& dit,
                                             at::ScalarType storage) {
  config.Validate();
  CheckWeights(dit, DitWeightShapes(config.dit), config.dit_file);
  CheckFinite(dit, config.dit_file);
  return [stored = ConvertWeights(dit, storage), name = config.dit_file](const fs::path& folder) {
    WriteSafetensors(folder / name, stored);
  };
}

// The same for a pca autoencoder of given weights; `config` learns its name.
std::function<void(const fs::path&)> PcaPart(BundleConfig& config, const WeightMap& autoencoder) {
  config.autoencoder.file = BundleConfig().autoencoder.file;
  config.Validate();
  const PcaAutoencoder checked(config.autoencoder.pca, autoencoder, config.autoencoder.file);
  return [weights = checked.weights(), name = config.autoencoder.file](const fs::path& folder) {
    WriteSafetensors(folder / name, weights);
  };
}

// Autoencoder and text encoder of the bundle `initial`, as `config` then names them.
std::function<void(const fs::path&)> PartsOf(const fs::path& initial, BundleConfig& config) {
  const BundleConfig from = LoadBundleConfig(initial);
  config.autoencoder = from.autoencoder;
  config.text = from.text;
  const bool has_text_files = config.text.kind == TextKind::kUmt5;
  std::vector<std::string*> names = {&config.autoencoder.file};
  if (has_text_files) {
    names.push_back(&config.text.file);
    names.push_back(&config.text.tokenizer_file);
  }
  for (std::string* name : names) *name = NameFrom(initial, *name);
  return [initial, autoencoder = config.autoencoder, text = config.text,
          has_text_files](const fs::path& folder) {
    if (IsInside(autoencoder.file)) TakeWeights(initial, autoencoder.file, folder);
    if (!has_text_files) return;
    if (IsInside(text.file)) TakeWeights(initial, text.file, folder);
    if (IsInside(text.tokenizer_file)) TakeFiles(initial, text.tokenizer_file, folder);
  };
}

// Network and adapters of the bundle `initial`, and a new adapter; `config` learns where they are.
std::function<void(const fs::path&)> AdapterPart(const fs::path& initial, BundleConfig& config,
                                                 const Lora& adapter, const std::string& name) {
  const std::string dit = LoadBundleConfig(initial).dit_file;
  config.dit_file = NameFrom(initial, dit);
  config.adapter = name;
  return [=](const fs::path& folder) {
    if (IsInside(dit)) TakeWeights(initial, dit, folder);
    if (fs::is_directory(initial / kAdapterFolder)) TakeFiles(initial, kAdapterFolder, folder);
    WriteAdapter(folder / kAdapterFolder / name, adapter);
  };
}

// model.toml and what the parts write.
void Write(const fs::path& path, BundleConfig config,
           const std::vector<std::function<void(const fs::path&)>>& parts) {
  config.revision = Revision();
  config.Validate();
  WriteFolderAtomic(path, [&](const fs::path& folder) {
    for (const auto& write_part : parts) write_part(folder);
    WriteFileAtomic(folder / "model.toml", BundleConfigText(config));
  });
}

}  // namespace

void WriteBundle(const fs::path& path, BundleConfig config, const WeightMap& dit,
                 const WeightMap& autoencoder, at::ScalarType dit_storage) {
  config.dit_file = BundleConfig().dit_file;
  config.adapter.clear();  // it is in the weights
  const auto pca = PcaPart(config, autoencoder);
  Write(path, config, {DitPart(config, dit, dit_storage), pca});
}

void WriteBundle(const fs::path& path, BundleConfig config, const WeightMap& dit,
                 const fs::path& initial, at::ScalarType dit_storage) {
  config.dit_file = BundleConfig().dit_file;
  config.adapter.clear();
  const auto parts = PartsOf(initial, config);
  Write(path, config, {DitPart(config, dit, dit_storage), parts});
}

void WriteBundle(const fs::path& path, BundleConfig config, const Lora& adapter,
                 const std::string& name, const fs::path& initial) {
  CheckLora(config.dit, adapter, name);
  const auto parts = PartsOf(initial, config);
  const auto network = AdapterPart(initial, config, adapter, name);
  Write(path, config, {network, parts});
}

void WriteEncoders(const fs::path& path, BundleConfig config, const WeightMap& autoencoder) {
  const auto pca = PcaPart(config, autoencoder);
  Write(path, config, {pca});
}

void WriteEncoders(const fs::path& path, BundleConfig config, const fs::path& initial) {
  const auto parts = PartsOf(initial, config);
  Write(path, config, {parts});
}

}  // namespace aim
