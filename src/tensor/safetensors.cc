#include "aim/tensor/safetensors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/format/mapped_file.h"
#include "tensor/mapped_tensor.h"
#include "tensor/safetensors_format.h"

namespace aim {
namespace {

using nlohmann::json;

const char* DtypeOf(at::ScalarType type, const std::string& tensor) {
  const char* name = SafetensorsDtypeName(type);
  if (name != nullptr) return name;
  throw InputError({.where = "tensor " + tensor,
                    .got = c10::toString(type),
                    .expected = "a dtype that safetensors files can hold",
                    .fix = ""});
}

std::string LengthBytes(uint64_t length) {
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes;
}

}  // namespace

SafetensorsFile OpenSafetensors(const std::filesystem::path& path) {
  const std::string name = path.string();
  const std::shared_ptr<const MappedFile> file = MappedFile::Open(path);
  SafetensorsHeader header = ParseSafetensors(file->bytes(), name);
  SafetensorsFile result;
  result.metadata = std::move(header.metadata);
  for (const SafetensorsEntry& entry : header.entries) {
    const MappedPiece piece{.file = file,
                            .begin = entry.begin,
                            .size_bytes = entry.end - entry.begin,
                            .where = name + ": tensor " + entry.name};
    result.tensors[entry.name] = MapTensor(
        piece,
        {.dtype = entry.type, .shape = entry.shape, .strides = ContiguousStrides(entry.shape)});
  }
  return result;
}

WeightMap ReadSafetensors(const std::filesystem::path& path) {
  return OpenSafetensors(path).tensors;
}

std::map<std::string, TensorInfo> InfosOf(const WeightMap& tensors) {
  std::map<std::string, TensorInfo> infos;
  for (const auto& [name, tensor] : tensors)
    infos[name] = {tensor.scalar_type(), tensor.sizes().vec()};
  return infos;
}

void WriteSafetensors(const std::filesystem::path& path, const WeightMap& tensors,
                      const Metadata& metadata) {
  StreamSafetensors(
      path, InfosOf(tensors), [&](const std::string& name) { return tensors.at(name); }, metadata);
}

// Falling element size keeps every tensor aligned to its own.
std::vector<std::string> OrderInFile(const std::map<std::string, TensorInfo>& tensors) {
  std::vector<std::string> order;
  order.reserve(tensors.size());
  for (const auto& [name, info] : tensors) order.push_back(name);
  std::stable_sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
    return c10::elementSize(tensors.at(a).dtype) > c10::elementSize(tensors.at(b).dtype);
  });
  return order;
}

void StreamSafetensors(const std::filesystem::path& path,
                       const std::map<std::string, TensorInfo>& tensors,
                       const std::function<at::Tensor(const std::string&)>& load,
                       const Metadata& metadata) {
  const std::vector<std::string> order = OrderInFile(tensors);
  json header = json::object();
  if (!metadata.empty()) header[kSafetensorsMetadataKey] = metadata;
  size_t position = 0;
  for (const std::string& name : order) {
    const TensorInfo& info = tensors.at(name);
    const std::optional<size_t> bytes = ShapeBytes(info.shape, info.dtype);
    AIM_CHECK(bytes.has_value());
    header[name] = {{"dtype", DtypeOf(info.dtype, name)},
                    {"shape", info.shape},
                    {"data_offsets", {position, position + *bytes}}};
    position += *bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');

  WriteFileAtomic(path, [&](const std::filesystem::path& temporary) {
    std::ofstream out(temporary, std::ios::binary);
    out << LengthBytes(text.size()) << text;
    for (const std::string& name : order) {
      if (!out) break;
      const TensorInfo& info = tensors.at(name);
      const at::Tensor bytes = load(name).detach().cpu().contiguous();
      AIM_CHECK(bytes.scalar_type() == info.dtype && bytes.sizes() == at::IntArrayRef(info.shape));
      out.write(static_cast<const char*>(bytes.const_data_ptr()),
                static_cast<std::streamsize>(bytes.nbytes()));
    }
    out.close();
    if (!out) {
      throw IoError({.where = path.string(),
                     .got = "not written completely",
                     .expected = "enough space on the disk",
                     .fix = "free some and run again"});
    }
  });
}

}  // namespace aim
