// Looking into a pickle.
#include "aim/base/error.h"
#include "aim/format/npy.h"
#include "aim/format/pickle.h"

namespace aim {
namespace {

// An array in column-major order, as one in row-major order.
std::vector<double> RowMajor(const std::vector<double>& columns,
                             const std::vector<int64_t>& shape) {
  std::vector<double> rows(columns.size());
  for (size_t i = 0; i < columns.size(); ++i) {
    size_t rest = i, at = 0;
    for (const int64_t extent : shape) {  // the first axis runs fastest
      at = at * static_cast<size_t>(extent) + rest % static_cast<size_t>(extent);
      rest /= static_cast<size_t>(extent);
    }
    rows[at] = columns[i];
  }
  return rows;
}

bool IsNumber(const PickleValue& value) {
  return value.kind == PickleKind::kInt || value.kind == PickleKind::kFloat ||
         value.kind == PickleKind::kBool;
}

double NumberOf(const PickleValue& value) {
  return value.kind == PickleKind::kFloat ? value.real : static_cast<double>(value.number);
}

}  // namespace

const PickleValue* FindInPickle(const Pickle& pickle, const PickleValue& dict,
                                std::string_view key) {
  if (dict.kind == PickleKind::kObject) {
    // A state is a dict; one that is an object again is of no use, and may be this object.
    if (dict.items.empty() || pickle[dict.items[0]].kind != PickleKind::kDict) return nullptr;
    return FindInPickle(pickle, pickle[dict.items[0]], key);
  }
  if (dict.kind != PickleKind::kDict) return nullptr;
  for (size_t i = dict.items.size(); i >= 2; i -= 2) {
    const PickleValue& name = pickle[dict.items[i - 2]];
    if (name.kind == PickleKind::kText && name.text == key) return &pickle[dict.items[i - 1]];
  }
  return nullptr;
}

std::vector<double> NumbersInPickle(const Pickle& pickle, const PickleValue& value,
                                    const std::string& where) {
  if (IsNumber(value)) return {NumberOf(value)};
  if (value.kind == PickleKind::kArray && !value.items.empty()) {
    const NpyArray array =
        MakeNpyArray(value.storage_type, value.shape, pickle[value.items[0]].text, where);
    const std::vector<double> numbers = ToDoubles(array);
    return value.number != 0 ? RowMajor(numbers, value.shape) : numbers;
  }
  std::vector<double> numbers;
  const bool is_list = value.kind == PickleKind::kList || value.kind == PickleKind::kTuple;
  for (const PickleId item : value.items) {
    if (!is_list || !IsNumber(pickle[item])) break;
    numbers.push_back(NumberOf(pickle[item]));
  }
  if (is_list && numbers.size() == value.items.size()) return numbers;
  throw FormatError(
      {.where = where, .got = "no numbers", .expected = "an array or list of them", .fix = ""});
}

}  // namespace aim
