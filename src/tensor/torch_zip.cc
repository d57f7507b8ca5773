#include "tensor/torch_zip.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/base/utf8.h"
#include "aim/format/byte_reader.h"
#include "aim/format/pickle.h"

namespace aim {
namespace {

using Bytes = std::span<const std::byte>;

// Where trainers put the weights, from the likeliest on; averages of them come last.
constexpr std::string_view kUsualKeys[] = {
    "state_dict", "module",         "model",     "model_state", "model_state_dict", "net",
    "network",    "generator",      "dit",       "transformer", "params",           "weights",
    "ema",        "ema_state_dict", "ema_model", "model_ema",   "generator_ema",    "ema_params",
    "params_ema", "state_dict_ema"};
constexpr size_t kMaxLevels = 4;  // of dicts in dicts that are looked at

// Numbers that views which repeat those of their storage may have in all: they cost no bytes of the
// file, but memory when they are used.
constexpr int64_t kMaxRepeated = int64_t{1} << 26;

struct TorchType {
  std::string_view storage;  // empty: stored untyped
  std::string_view name;     // of torch
  at::ScalarType dtype;
};

constexpr TorchType kTypes[] = {{"FloatStorage", "float32", at::kFloat},
                                {"DoubleStorage", "float64", at::kDouble},
                                {"HalfStorage", "float16", at::kHalf},
                                {"BFloat16Storage", "bfloat16", at::kBFloat16},
                                {"LongStorage", "int64", at::kLong},
                                {"IntStorage", "int32", at::kInt},
                                {"ShortStorage", "int16", at::kShort},
                                {"CharStorage", "int8", at::kChar},
                                {"ByteStorage", "uint8", at::kByte},
                                {"BoolStorage", "bool", at::kBool},
                                {"ComplexFloatStorage", "complex64", at::kComplexFloat},
                                {"ComplexDoubleStorage", "complex128", at::kComplexDouble},
                                {"Float8_e4m3fnStorage", "float8_e4m3fn", at::kFloat8_e4m3fn},
                                {"Float8_e5m2Storage", "float8_e5m2", at::kFloat8_e5m2},
                                {"", "float8_e4m3fnuz", at::kFloat8_e4m3fnuz},
                                {"", "float8_e5m2fnuz", at::kFloat8_e5m2fnuz},
                                {"", "float8_e8m0fnu", at::kFloat8_e8m0fnu},
                                {"", "complex32", at::kComplexHalf},
                                {"", "uint16", at::kUInt16},
                                {"", "uint32", at::kUInt32},
                                {"", "uint64", at::kUInt64}};
constexpr std::string_view kUntyped = "UntypedStorage";

// The numbers that a tensor rebuilt from `storage` holds.
at::ScalarType TypeOf(const PickleValue& tensor, const PickleValue& storage,
                      const std::string& where) {
  const bool is_untyped = storage.storage_type == kUntyped;
  const std::string_view name = is_untyped ? tensor.storage_type : storage.storage_type;
  for (const TorchType& type : kTypes) {
    if (name == (is_untyped ? type.name : type.storage)) return type.dtype;
  }
  std::vector<std::string> known;
  for (const TorchType& type : kTypes) known.emplace_back(type.name);
  ThrowFormatError(where,
                   "of the type " + (name.empty() ? std::string(kUntyped) : std::string(name)),
                   "one of " + Join(known));
}

// A dict below the object, or the object, that holds tensors.
struct StateDict {
  const PickleValue* dict = nullptr;
  std::vector<std::string> path = {};
  size_t num_tensors = 0;

  // The place in kUsualKeys of its least usual key; their number if one is not there.
  size_t rank() const {
    size_t worst = 0;
    for (const std::string& key : path) {
      const auto* found = std::ranges::find(kUsualKeys, key);
      worst = std::max(worst, static_cast<size_t>(found - std::begin(kUsualKeys)));
    }
    return worst;
  }
  bool is_usual() const { return !path.empty() && rank() < std::size(kUsualKeys); }
};

bool IsOptimizer(std::string_view key) { return key.find("optim") != std::string_view::npos; }

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
      ThrowFormatError(file_ + ": record " + order->first, "of another byte order", "little");
    }
    const ZipRecord& record = records_.at(root_ + "data.pkl");
    const std::string where = file_ + ": record " + record.name;
    const Bytes pickled = bytes_.subspan(record.begin, record.size_bytes);
    CheckCrc(pickled, record.crc, where);
    pickle_ = ParsePickle(pickled, where);
  }

  TorchZipWeights Read(const std::string& key) const {
    const PickleValue* root = &pickle_[pickle_.root];
    if (root->kind != PickleKind::kDict) {
      ThrowFormatError(file_, "holding another object than a dict",
                       "a state dict: names and tensors");
    }
    std::vector<std::string> outside;
    if (!key.empty()) root = Follow(*root, key, outside);
    std::vector<StateDict> found;
    std::set<const PickleValue*> seen;
    Collect(*root, {}, found, seen);
    const StateDict& chosen = Choose(found);
    const auto full_key = [&](const StateDict& state) {
      std::vector<std::string> path = outside;
      path.insert(path.end(), state.path.begin(), state.path.end());
      return Join(path, ".");
    };
    TorchZipWeights weights{.tensors = TensorsOf(*chosen.dict), .key = full_key(chosen)};
    for (const StateDict& other : found) {
      const bool is_like = !other.path.empty() && other.num_tensors * 2 >= chosen.num_tensors;
      if (other.dict != chosen.dict && is_like) weights.other_keys.push_back(full_key(other));
    }
    return weights;
  }

 private:
  // "archive/" of the one record "archive/data.pkl".
  std::string FindRoot() const {
    std::string root;
    for (const auto& [name, record] : records_) {
      const size_t slash = name.find('/');
      if (slash == std::string::npos || name.substr(slash) != "/data.pkl") continue;
      if (!root.empty())
        ThrowFormatError(file_ + ": record " + name, "a second pickle", "one data.pkl");
      root = name.substr(0, slash + 1);
    }
    if (root.empty()) {
      ThrowFormatError(file_, "a ZIP archive without a record data.pkl",
                       "a file that torch.save wrote");
    }
    return root;
  }

  std::string_view Text(const ZipRecord& record) const {
    return {reinterpret_cast<const char*>(bytes_.data()) + record.begin, record.size_bytes};
  }

  std::map<std::string, TorchZipTensor> TensorsOf(const PickleValue& dict) const {
    std::map<std::string, TorchZipTensor> tensors;
    int64_t num_repeated = 0;
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      const PickleValue& value = pickle_[dict.items[i + 1]];
      if (value.kind != PickleKind::kTensor) continue;
      const PickleValue& key = pickle_[dict.items[i]];
      if (key.kind != PickleKind::kText)
        ThrowFormatError(file_, "holding a tensor without a name", "names");
      if (!IsValidUtf8(key.text)) {
        ThrowFormatError(file_ + ": tensor " + Excerpt(key.text),
                         "named with bytes that are no UTF-8", "text");
      }
      const std::string where = file_ + ": tensor " + key.text;
      const TorchZipTensor& tensor = tensors[key.text] = Resolve(value, where);
      // More numbers than spanned: one that is expanded would become any amount of memory.
      const int64_t count = *CountElements(tensor.layout.shape);
      if (count > *SpannedElements(tensor.layout))
        num_repeated += std::min(count, kMaxRepeated + 1);
      if (num_repeated > kMaxRepeated) {
        ThrowFormatError(where,
                         "a view that repeats its numbers, to " + std::to_string(count) + " in all",
                         "at most " + std::to_string(kMaxRepeated) + " such numbers in a file");
      }
    }
    return tensors;
  }

  // The dict under `name`; nullptr if there is none.
  const PickleValue* Child(const PickleValue& dict, std::string_view name) const {
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      const PickleValue& key = pickle_[dict.items[i]];
      const PickleValue& value = pickle_[dict.items[i + 1]];
      const bool is_named = key.kind == PickleKind::kText && key.text == name;
      if (is_named && value.kind == PickleKind::kDict) return &value;
    }
    return nullptr;
  }

  // The dict that `key` names, its parts joined by dots; `dict` itself, and no path, if there is
  // none: it may be the beginning of names.
  const PickleValue* Follow(const PickleValue& dict, const std::string& key,
                            std::vector<std::string>& path) const {
    const PickleValue* at = &dict;
    for (size_t begin = 0; begin <= key.size();) {
      size_t end = key.size();
      const PickleValue* child = Child(*at, key.substr(begin));
      while (child == nullptr) {
        end = end == begin ? std::string::npos : key.rfind('.', end - 1);
        if (end == std::string::npos || end <= begin) {
          path.clear();
          return &dict;
        }
        child = Child(*at, key.substr(begin, end - begin));
      }
      path.push_back(key.substr(begin, end - begin));
      at = child;
      begin = end + 1;
    }
    return at;
  }

  // All dicts that hold tensors, from the outside in; each once, however often it is named.
  void Collect(const PickleValue& dict, const std::vector<std::string>& path,
               std::vector<StateDict>& found, std::set<const PickleValue*>& seen) const {
    if (path.size() > kMaxLevels || !seen.insert(&dict).second) return;
    StateDict here{.dict = &dict, .path = path};
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      here.num_tensors += pickle_[dict.items[i + 1]].kind == PickleKind::kTensor ? 1 : 0;
    }
    if (here.num_tensors > 0) found.push_back(here);
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      const PickleValue& key = pickle_[dict.items[i]];
      const PickleValue& value = pickle_[dict.items[i + 1]];
      if (key.kind != PickleKind::kText || value.kind != PickleKind::kDict) continue;
      if (IsOptimizer(key.text)) continue;
      std::vector<std::string> below = path;
      below.push_back(key.text);
      Collect(value, below, found, seen);
    }
  }

  const StateDict& Choose(const std::vector<StateDict>& found) const {
    if (found.empty()) {
      ThrowFormatError(file_, "without tensors",
                       "a state dict, alone or under a key such as state_dict, model or ema");
    }
    const StateDict& outermost = found.front();
    const auto order = [](const StateDict& state) {
      return std::tuple(!state.is_usual(), state.path.size(), state.rank());
    };
    const auto inner = std::span(found).subspan(outermost.path.empty() ? 1 : 0);
    if (inner.empty()) return outermost;
    const StateDict& usual = *std::ranges::min_element(
        inner, [&](const StateDict& a, const StateDict& b) { return order(a) < order(b); });
    const StateDict& largest = *std::ranges::max_element(inner, {}, &StateDict::num_tensors);
    const StateDict& best = usual.is_usual() ? usual : largest;
    if (outermost.path.empty() && outermost.num_tensors >= best.num_tensors) return outermost;
    if (best.is_usual() || inner.size() == 1) return best;
    std::vector<std::string> keys;
    for (const StateDict& state : inner) {
      keys.push_back(Join(state.path, ".") + " (" + std::to_string(state.num_tensors) +
                     " tensors)");
    }
    throw FormatError({.where = file_,
                       .got = "holding several state dicts: " + Join(keys),
                       .expected = "one, or one under a usual name such as model",
                       .fix = "choose one with --key"});
  }

  TorchZipTensor Resolve(const PickleValue& value, const std::string& where) const {
    const PickleValue& storage = pickle_[value.items[0]];
    const at::ScalarType dtype = TypeOf(value, storage, where);
    const auto record = records_.find(root_ + "data/" + storage.text);
    if (record == records_.end()) {
      ThrowFormatError(where, "stored in the missing record data/" + storage.text,
                       "a record of the archive");
    }
    const size_t item_bytes = c10::elementSize(dtype);
    const bool is_untyped = storage.storage_type == kUntyped;
    const size_t room = record->second.size_bytes / (is_untyped ? 1 : item_bytes);
    if (static_cast<uint64_t>(storage.number) > room) {
      ThrowFormatError(
          where,
          "stored as " + std::to_string(storage.number) + (is_untyped ? " bytes" : " numbers"),
          "at most " + std::to_string(room) + ", all that its record holds");
    }
    const size_t elements = static_cast<size_t>(storage.number) / (is_untyped ? item_bytes : 1);
    TorchZipTensor tensor{.record = record->second,
                          .layout = {.dtype = dtype,
                                     .shape = value.shape,
                                     .strides = value.strides,
                                     .offset = value.number}};
    const std::optional<int64_t> count = CountElements(value.shape);
    const std::optional<int64_t> span = SpannedElements(tensor.layout);
    const auto offset = static_cast<size_t>(value.number);
    if (!count || !span || !Fits(offset, static_cast<size_t>(*span), elements)) {
      ThrowFormatError(where, "reaching beyond its storage",
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

TorchZipWeights ParseTorchZip(Bytes bytes, const std::string& file, const std::string& key) {
  return TorchZip(bytes, file).Read(key);
}

WeightMap MapTensors(const TorchZipWeights& weights, const std::shared_ptr<const MappedFile>& file,
                     const std::string& name) {
  WeightMap tensors;
  for (const auto& [tensor, source] : weights.tensors) {
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
