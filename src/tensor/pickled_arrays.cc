#include "aim/tensor/pickled_arrays.h"

#include <ATen/ops/from_blob.h>

#include <vector>

#include "aim/base/error.h"
#include "aim/format/mapped_file.h"
#include "aim/format/pickle.h"

namespace aim {
namespace {

constexpr int kMaxNesting = 32;

class ArrayCollector {
 public:
  ArrayCollector(const Pickle& pickle, std::string where)
      : pickle_(pickle), where_(std::move(where)) {}

  WeightMap Run() {
    CollectFrom(pickle_[pickle_.root], "", 0);
    return std::move(arrays_);
  }

 private:
  void CollectFrom(const PickleValue& value, const std::string& name, int nesting) {
    if (value.kind == PickleKind::kArray) {
      arrays_[name] = TensorOf(value, name);
      return;
    }
    if (value.kind != PickleKind::kDict) Fail(name, "neither a dictionary nor an array");
    if (nesting == kMaxNesting) Fail(name, "nested more than 32 times");
    for (size_t i = 0; i + 1 < value.items.size(); i += 2) {
      const PickleValue& key = pickle_[value.items[i]];
      if (key.kind != PickleKind::kText || key.text.empty())
        Fail(name, "with a key that is no text");
      // A dictionary may stand at several places; one that grows by that is no file of weights.
      if (++num_visited_ > pickle_.values.size())
        Fail(name, "of dictionaries that hold each other");
      const std::string below = name.empty() ? key.text : name + "/" + key.text;
      CollectFrom(pickle_[value.items[i + 1]], below, nesting + 1);
    }
  }

  at::Tensor TensorOf(const PickleValue& value, const std::string& name) const {
    std::vector<double> numbers = NumbersInPickle(pickle_, value, where_ + ": " + name);
    return at::from_blob(numbers.data(), value.shape, at::kDouble).to(at::kFloat);
  }

  [[noreturn]] void Fail(const std::string& name, const std::string& got) const {
    throw FormatError({.where = where_ + (name.empty() ? "" : ": " + name),
                       .got = got,
                       .expected = "nested dictionaries of NumPy arrays",
                       .fix = ""});
  }

  const Pickle& pickle_;
  std::string where_;
  WeightMap arrays_;
  size_t num_visited_ = 0;
};

}  // namespace

WeightMap ReadPickledArrays(const std::filesystem::path& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::Open(path);
  const Pickle pickle = ParsePickle(file->bytes(), path.string());
  return ArrayCollector(pickle, path.string()).Run();
}

}  // namespace aim
