#include "aim/model/inspect.h"

#include <c10/core/ScalarType.h>

#include <string>

#include "aim/base/error.h"
#include "aim/model/bundle.h"
#include "aim/tensor/safetensors.h"

namespace aim {
namespace {

int64_t CountParameters(const WeightMap& weights) {
  int64_t count = 0;
  for (const auto& [name, weight] : weights) count += weight.numel();
  return count;
}

nlohmann::json Totals(const std::filesystem::path& file, const WeightMap& weights) {
  return {{"bytes", std::filesystem::file_size(file)},
          {"parameters", CountParameters(weights)},
          {"fingerprint", Fingerprint(weights)}};
}

nlohmann::json InspectBundle(const std::filesystem::path& path) {
  const Bundle bundle = LoadBundle(path);  // checks every weight
  nlohmann::json report = {
      {"kind", "bundle"}, {"path", path.string()}, {"config", OptionsToJson(bundle.config)}};
  int64_t parameters = 0;
  for (const std::string& name : {bundle.config.dit_file, bundle.config.autoencoder.file}) {
    const WeightMap weights = ReadSafetensors(path / name);
    nlohmann::json& file = report["files"][name];
    file = Totals(path / name, weights);
    file["tensors"] = weights.size();
    parameters += CountParameters(weights);
  }
  report["parameters"] = parameters;
  return report;
}

nlohmann::json InspectFile(const std::filesystem::path& path) {
  const SafetensorsFile file = OpenSafetensors(path);
  nlohmann::json report = Totals(path, file.tensors);
  report["kind"] = "safetensors";
  report["path"] = path.string();
  report["metadata"] = file.metadata;
  report["tensors"] = nlohmann::json::array();
  for (const auto& [name, weight] : file.tensors) {
    report["tensors"].push_back({{"name", name},
                                 {"dtype", c10::toString(weight.scalar_type())},
                                 {"shape", weight.sizes().vec()}});
  }
  return report;
}

}  // namespace

nlohmann::json InspectModel(const std::filesystem::path& path) {
  return std::filesystem::is_directory(path) ? InspectBundle(path) : InspectFile(path);
}

}  // namespace aim
