#include "tensor/torch_zip.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "aim/base/error.h"
#include "aim/format/byte_reader.h"
#include "aim/format/pickle.h"

namespace aim {
namespace {

using Bytes = std::span<const std::byte>;

constexpr const char* kWrappers[] = {"state_dict", "module", "model", "model_state"};
constexpr int kMaxWrappers = 4;

struct StorageType {
  const char* name;
  at::ScalarType dtype;
};

constexpr StorageType kStorageTypes[] = {{"FloatStorage", at::kFloat},
                                         {"DoubleStorage", at::kDouble},
                                         {"HalfStorage", at::kHalf},
                                         {"BFloat16Storage", at::kBFloat16},
                                         {"LongStorage", at::kLong},
                                         {"IntStorage", at::kInt},
                                         {"ShortStorage", at::kShort},
                                         {"CharStorage", at::kChar},
                                         {"ByteStorage", at::kByte},
                                         {"BoolStorage", at::kBool},
                                         {"Float8_e4m3fnStorage", at::kFloat8_e4m3fn},
                                         {"Float8_e5m2Storage", at::kFloat8_e5m2}};

[[noreturn]] void Fail(const std::string& where, const std::string& got,
                       const std::string& expected) {
  throw FormatError({.where = where, .got = got, .expected = expected, .fix = ""});
}

class TorchZip {
 public:
  TorchZip(Bytes bytes, const std::string& file) : bytes_(bytes), file_(file) {
    for (ZipRecord& record : ParseZip(bytes, file)) {
      const std::string name = record.name;
      records_.emplace(name, std::move(record));
    }
    root_ = FindRoot();
    const auto order = records_.find(root_ + "byteorder");
    if (order != records_.end() && Text(order->second) != "little") {
      Fail(file_ + ": record " + order->first, "of another byte order", "little");
    }
    const ZipRecord& record = records_.at(root_ + "data.pkl");
    const std::string where = file_ + ": record " + record.name;
    const Bytes pickled = bytes_.subspan(record.begin, record.size_bytes);
    CheckCrc(pickled, record.crc, where);
    pickle_ = ParsePickle(pickled, where);
  }

  std::map<std::string, TorchZipTensor> Tensors() const {
    const PickleValue* dict = &pickle_[pickle_.root];
    for (int level = 0; level <= kMaxWrappers && dict != nullptr; ++level) {
      if (dict->kind != PickleKind::kDict) {
        Fail(file_, "holding another object than a dict", "a state dict: names and tensors");
      }
      std::map<std::string, TorchZipTensor> tensors = TensorsOf(*dict);
      if (!tensors.empty()) return tensors;
      dict = Unwrap(*dict);
    }
    Fail(file_, "without tensors",
         "a state dict, alone or under state_dict, module, model or model_state");
  }

 private:
  // "archive/" of the one record "archive/data.pkl".
  std::string FindRoot() const {
    std::string root;
    for (const auto& [name, record] : records_) {
      const size_t slash = name.find('/');
      if (slash == std::string::npos || name.substr(slash) != "/data.pkl") continue;
      if (!root.empty()) Fail(file_ + ": record " + name, "a second pickle", "one data.pkl");
      root = name.substr(0, slash + 1);
    }
    if (root.empty()) {
      Fail(file_, "a ZIP archive without a record data.pkl", "a file that torch.save wrote");
    }
    return root;
  }

  std::string_view Text(const ZipRecord& record) const {
    return {reinterpret_cast<const char*>(bytes_.data()) + record.begin, record.size_bytes};
  }

  std::map<std::string, TorchZipTensor> TensorsOf(const PickleValue& dict) const {
    std::map<std::string, TorchZipTensor> tensors;
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      const PickleValue& value = pickle_[dict.items[i + 1]];
      if (value.kind != PickleKind::kTensor) continue;
      const PickleValue& key = pickle_[dict.items[i]];
      if (key.kind != PickleKind::kText) Fail(file_, "holding a tensor without a name", "names");
      tensors[key.text] = Resolve(value, file_ + ": tensor " + key.text);
    }
    return tensors;
  }

  const PickleValue* Unwrap(const PickleValue& dict) const {
    for (const char* wrapper : kWrappers) {
      for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
        const PickleValue& key = pickle_[dict.items[i]];
        const PickleValue& value = pickle_[dict.items[i + 1]];
        if (key.kind == PickleKind::kText && key.text == wrapper &&
            value.kind == PickleKind::kDict) {
          return &value;
        }
      }
    }
    return nullptr;
  }

  TorchZipTensor Resolve(const PickleValue& value, const std::string& where) const {
    const PickleValue& storage = pickle_[value.items[0]];
    const StorageType* type = std::ranges::find_if(kStorageTypes, [&](const StorageType& known) {
      return known.name == storage.storage_type;
    });
    AIM_CHECK(type != std::end(kStorageTypes));
    const auto record = records_.find(root_ + "data/" + storage.text);
    if (record == records_.end()) {
      Fail(where, "stored in the missing record data/" + storage.text, "a record of the archive");
    }
    const size_t room = record->second.size_bytes / c10::elementSize(type->dtype);
    if (static_cast<uint64_t>(storage.number) > room) {
      Fail(where, "stored as " + std::to_string(storage.number) + " numbers",
           "at most " + std::to_string(room) + ", all that its record holds");
    }
    TorchZipTensor tensor{.record = record->second,
                          .layout = {.dtype = type->dtype,
                                     .shape = value.shape,
                                     .strides = value.strides,
                                     .offset = value.number}};
    const std::optional<int64_t> count = CountElements(value.shape);
    const std::optional<int64_t> span = SpannedElements(tensor.layout);
    const auto elements = static_cast<size_t>(storage.number);
    const auto offset = static_cast<size_t>(value.number);
    // More elements than spanned: one expanded number would become any amount of memory.
    if (!count || !span || *count > *span || !Fits(offset, static_cast<size_t>(*span), elements)) {
      Fail(where, "reaching beyond its storage, or using parts of it twice",
           "a view of its " + std::to_string(elements) + " numbers");
    }
    return tensor;
  }

  Bytes bytes_;
  const std::string& file_;
  std::map<std::string, ZipRecord> records_;
  std::string root_;
  Pickle pickle_;
};

}  // namespace

std::map<std::string, TorchZipTensor> ParseTorchZip(Bytes bytes, const std::string& file) {
  return TorchZip(bytes, file).Tensors();
}

WeightMap MapTorchZip(const std::shared_ptr<const MappedFile>& file, const std::string& name) {
  WeightMap tensors;
  for (const auto& [tensor, source] : ParseTorchZip(file->bytes(), name)) {
    const MappedPiece piece{.file = file,
                            .begin = source.record.begin,
                            .size_bytes = source.record.size_bytes,
                            .where = name + ": record " + source.record.name,
                            .crc = source.record.crc};
    tensors[tensor] = MapTensor(piece, source.layout);
  }
  return tensors;
}

}  // namespace aim
