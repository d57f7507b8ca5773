#include "aim/tensor/weight_file.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/format/strict_json.h"
#include "tensor/torch_zip.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr char kIndexSuffix[] = ".index.json";

enum class Content { kSafetensors, kTorchZip, kIndex };

// What people have at hand in place of weights, by its first bytes.
struct ForeignFormat {
  std::string_view head;
  const char* what;
  const char* fix;
};

constexpr ForeignFormat kForeignFormats[] = {
    {"GGUF", "a GGUF file, of quantised weights for other programs",
     "take the safetensors or .pth files of the same model"},
    {"\x80\x02", "in the format of torch before 1.6",
     "load it with a newer torch and save it again"},
    {"\x80", "a pickle that torch.save did not write",
     "save the weights in it with torch.save or as safetensors"},
    {"version https://", "a Git LFS pointer",
     "fetch the file itself, for example with git lfs pull"},
    {"<", "a web page", "download the file itself; the page may ask for a login"},
    {"\x1f\x8b", "compressed with gzip", "unpack it first"},
    {"\x89HDF", "an HDF5 file", "take the safetensors or .pth files of the same model"},
    {"\x93NUMPY", "a NumPy array", "save the weights, with their names, as safetensors"}};

// What a file is by its first bytes.
Content Recognise(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    throw InputError({.where = path.string(),
                      .got = fs::exists(path) ? "unreadable" : "missing",
                      .expected = "a weight file or a folder of them",
                      .fix = ""});
  }
  std::string head(16, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(in.gcount()));
  if (head.starts_with("PK")) return Content::kTorchZip;
  // A GGUF file of 123 tensors has the same byte there.
  if (head.size() > 8 && head[8] == '{' && !head.starts_with("GGUF")) return Content::kSafetensors;
  if (head.starts_with("{")) return Content::kIndex;
  std::string got = "of an unknown format";
  std::string fix;
  for (const ForeignFormat& foreign : kForeignFormats) {
    if (!head.starts_with(foreign.head)) continue;
    got = foreign.what;
    fix = foreign.fix;
    break;
  }
  if (fix.empty() && head.size() < 9)
    got = "truncated at " + std::to_string(head.size()) + " bytes";
  throw FormatError({.where = path.string(),
                     .got = got,
                     .expected = "safetensors, a torch.save file, or the index of shards",
                     .fix = fix});
}

WeightFile OpenOne(const fs::path& path, Content content, const std::string& key = "") {
  WeightFile opened{.tensors = {}, .metadata = {}, .format = "torch zip", .files = {path}};
  if (content == Content::kTorchZip) {
    const std::shared_ptr<const MappedFile> file = MappedFile::Open(path);
    const TorchZipWeights weights = ParseTorchZip(file->bytes(), path.string(), key);
    opened.tensors = MapTensors(weights, file, path.string());
    opened.key = weights.key;
    opened.other_keys = weights.other_keys;
    return opened;
  }
  SafetensorsFile file = OpenSafetensors(path);
  opened.tensors = std::move(file.tensors);
  opened.metadata = std::move(file.metadata);
  opened.format = "safetensors";
  return opened;
}

// Opens the shards one after the other; a name may stand in one of them alone.
WeightFile OpenShards(const std::vector<fs::path>& paths, const std::string& where) {
  WeightFile merged{.tensors = {}, .metadata = {}, .format = "safetensors shards", .files = paths};
  std::vector<std::string> doubled;
  for (const fs::path& path : paths) {
    const Content content = Recognise(path);
    if (content == Content::kIndex) {
      throw FormatError({.where = where,
                         .got = "naming " + path.filename().string() + ", itself an index",
                         .expected = "files that hold tensors",
                         .fix = ""});
    }
    if (content == Content::kTorchZip) merged.format = "torch zip";
    WeightFile shard = OpenOne(path, content);
    merged.metadata.merge(shard.metadata);
    merged.tensors.merge(shard.tensors);
    for (const auto& [name, tensor] : shard.tensors) doubled.push_back(name);
  }
  if (doubled.empty()) return merged;
  throw FormatError({.where = where,
                     .got = "holding " + Join(doubled) + " in two shards",
                     .expected = "each tensor in one of them",
                     .fix = ""});
}

[[noreturn]] void FailMissing(const std::string& where, const std::vector<std::string>& missing) {
  throw InputError(
      {.where = where,
       .got = "missing " + std::to_string(missing.size()) + " shards (" + Join(missing) + ")",
       .expected = "all the files beside it",
       .fix = "download the missing ones"});
}

// Tensor -> file name, as the index says.
std::map<std::string, std::string> ReadIndex(const fs::path& path) {
  const std::string where = path.string();
  const json index = ParseJsonObject(ReadFile(path), where);
  const auto found = index.find("weight_map");
  if (found == index.end() || !found->is_object() || found->empty()) {
    throw FormatError({.where = where,
                       .got = "without weight_map",
                       .expected = "an index that gives each tensor its file",
                       .fix = ""});
  }
  std::map<std::string, std::string> files;
  for (const auto& [name, value] : found->items()) {
    const std::string file = value.is_string() ? value.get<std::string>() : "";
    if (file.empty() || file == "." || file == ".." ||
        file.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) {
      throw FormatError(
          {.where = where + ": weight_map." + name,
           .got = value.dump(-1, ' ', true, json::error_handler_t::replace).substr(0, 100),
           .expected = "the name of a file in the same folder",
           .fix = ""});
    }
    files[name] = file;
  }
  return files;
}

WeightFile OpenIndex(const fs::path& path) {
  const std::map<std::string, std::string> index = ReadIndex(path);
  std::set<std::string> names;
  for (const auto& [tensor, file] : index) names.insert(file);
  std::vector<fs::path> paths;
  std::vector<std::string> missing;
  for (const std::string& name : names) {
    paths.push_back(path.parent_path() / name);
    if (!fs::exists(paths.back())) missing.push_back(name);
  }
  if (!missing.empty()) FailMissing(path.string(), missing);
  WeightFile opened = OpenShards(paths, path.string());

  std::vector<std::string> absent;
  std::vector<std::string> unlisted;
  for (const auto& [tensor, file] : index) {
    const auto found = opened.tensors.find(tensor);
    if (found == opened.tensors.end()) {
      absent.push_back(tensor + " (" + file + ")");
      continue;
    }
    const MappedPiece* piece = PieceOf(found->second);
    if (piece != nullptr && !piece->where.starts_with((path.parent_path() / file).string() + ":")) {
      absent.push_back(tensor + " (" + file + ", but found elsewhere)");
    }
  }
  for (const auto& [tensor, value] : opened.tensors) {
    if (!index.contains(tensor)) unlisted.push_back(tensor);
  }
  if (absent.empty() && unlisted.empty()) return opened;
  std::string got;
  if (!absent.empty()) got = "naming tensors that their shards lack: " + Join(absent);
  if (!unlisted.empty()) {
    got += (got.empty() ? "" : ", and ") + ("leaving out what its shards hold: " + Join(unlisted));
  }
  throw FormatError({.where = path.string(),
                     .got = got,
                     .expected = "an index of exactly what its shards hold",
                     .fix = "take index and shards from one release"});
}

constexpr size_t kShardDigits = 5;

// "model-00002-of-00003.safetensors" is {"model", 3, ".safetensors"}.
struct ShardName {
  std::string stem;
  int count = 0;
  std::string extension;
};

std::optional<ShardName> ParseShardName(const fs::path& path) {
  const std::string stem = path.stem().string();
  constexpr size_t kTail = std::string_view("-00002-of-00003").size();
  if (stem.size() < kTail) return std::nullopt;
  const std::string tail = stem.substr(stem.size() - kTail);
  const std::string number = tail.substr(1, kShardDigits);
  const std::string count = tail.substr(kTail - kShardDigits);
  const bool are_digits = (number + count).find_first_not_of("0123456789") == std::string::npos;
  if (!are_digits || tail != "-" + number + "-of-" + count) return std::nullopt;
  return ShardName{stem.substr(0, stem.size() - kTail), std::stoi(count),
                   path.extension().string()};
}

bool IsLoneShard(const fs::path& path) {
  const std::optional<ShardName> name = ParseShardName(path);
  return name && name->count > 1;
}

// A shard belongs to a set; all of it must be there.
void CheckSetComplete(const std::vector<fs::path>& paths, const std::string& where) {
  const auto padded = [](int number) {
    const std::string digits = std::to_string(number);
    return std::string(kShardDigits - digits.size(), '0') + digits;
  };
  std::set<std::string> present;
  for (const fs::path& path : paths) present.insert(path.filename().string());
  std::set<std::string> missing;
  for (const fs::path& path : paths) {
    const std::optional<ShardName> name = ParseShardName(path);
    if (!name) continue;
    for (int i = 1; i <= name->count; ++i) {
      const std::string expected =
          name->stem + "-" + padded(i) + "-of-" + padded(name->count) + name->extension;
      if (!present.contains(expected)) missing.insert(expected);
    }
  }
  if (!missing.empty()) FailMissing(where, {missing.begin(), missing.end()});
}

WeightFile OpenFolder(const fs::path& folder, const std::string& key) {
  std::vector<fs::path> indices;
  std::vector<fs::path> safetensors;
  std::vector<fs::path> others;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const std::string extension = entry.path().extension().string();
    if (name.starts_with(".") || entry.is_directory()) continue;
    if (name.ends_with(kIndexSuffix)) indices.push_back(entry.path());
    if (extension == ".safetensors") safetensors.push_back(entry.path());
    if (extension == ".pth" || extension == ".pt" || extension == ".ckpt" || extension == ".bin") {
      others.push_back(entry.path());
    }
  }
  for (std::vector<fs::path>* list : {&indices, &safetensors, &others}) std::ranges::sort(*list);
  if (indices.size() == 1) return OpenIndex(indices.front());
  std::vector<fs::path>& candidates =
      !indices.empty() ? indices : (safetensors.empty() ? others : safetensors);
  if (indices.empty()) {
    CheckSetComplete(candidates, folder.string());
    const bool is_set = std::ranges::all_of(candidates, IsLoneShard);
    if (candidates.size() > 1 && (is_set || !safetensors.empty())) {
      return OpenShards(candidates, folder.string());
    }
  }
  if (candidates.size() == 1)
    return OpenOne(candidates.front(), Recognise(candidates.front()), key);
  std::vector<std::string> names;
  names.reserve(candidates.size());
  for (const fs::path& path : candidates) names.push_back(path.filename().string());
  throw InputError({.where = folder.string(),
                    .got = names.empty() ? "a folder without weights"
                                         : "a folder of several weight files (" + Join(names) + ")",
                    .expected = "one weight file, or an index and its shards",
                    .fix = names.empty() ? "" : "name the file itself"});
}

// The tensors below `key`, their names without it.
WeightFile Below(WeightFile file, const std::string& key, const std::string& where) {
  const std::string head = key + ".";
  WeightMap tensors;
  for (const auto& [name, tensor] : file.tensors) {
    if (name.starts_with(head) && name != head) tensors[name.substr(head.size())] = tensor;
  }
  if (tensors.empty()) {
    std::vector<std::string> known = FirstParts(file.tensors);
    if (!file.key.empty()) known.push_back(file.key);
    known.insert(known.end(), file.other_keys.begin(), file.other_keys.end());
    if (known.size() > 20) known.resize(20);
    throw InputError({.where = where,
                      .got = "without anything under the key " + Excerpt(key),
                      .expected = "a key that it holds, such as " + Join(known),
                      .fix = ""});
  }
  file.tensors = std::move(tensors);
  file.key = file.key.empty() ? key : file.key + "." + key;
  return file;
}

WeightFile OpenAny(const fs::path& path, const std::string& key) {
  if (fs::is_directory(path)) return OpenFolder(path, key);
  const Content content = Recognise(path);
  if (content == Content::kIndex) return OpenIndex(path);
  WeightFile opened = OpenOne(path, content, key);
  opened.is_lone_shard = IsLoneShard(path);
  return opened;
}

}  // namespace

std::vector<std::string> FirstParts(const WeightMap& tensors) {
  std::set<std::string> parts;
  for (const auto& [name, tensor] : tensors) parts.insert(name.substr(0, name.find('.')));
  return {parts.begin(), parts.end()};
}

WeightFile OpenWeights(const fs::path& path, const std::string& key) {
  WeightFile opened = OpenAny(path, key);
  if (key.empty() || opened.key == key || opened.key.starts_with(key + ".")) return opened;
  return Below(std::move(opened), key, path.string());
}

}  // namespace aim
