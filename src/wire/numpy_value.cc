#include "wire/numpy_value.h"

#include <cmath>

#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/text.h"
#include "aim/geometry/checked_camera.h"

namespace aim {
namespace {

[[noreturn]] void RefuseValue(const std::string& where, const std::string& got,
                              const std::string& expected, const std::string& fix = "") {
  throw InputError({.where = where, .got = got, .expected = expected, .fix = fix});
}

std::vector<int64_t> ShapeOf(const MsgpackValue& array, const std::string& where) {
  const MsgpackValue* shape = Find(array, "shape");
  const auto* sizes = shape == nullptr ? nullptr : shape->As<MsgpackValue::List>();
  constexpr size_t kMaxAxes = 8;
  if (sizes == nullptr || sizes->size() > kMaxAxes) {
    RefuseValue(where + ": shape", shape == nullptr ? "missing" : ShownMsgpack(*shape),
                "a list of at most 8 sizes");
  }
  std::vector<int64_t> result;
  for (const MsgpackValue& size : *sizes) {
    result.push_back(static_cast<int64_t>(WholeNumberOf(size, INT32_MAX, where + ": shape")));
  }
  return result;
}

// The number inside of NumPy's scalar, or the value itself.
const MsgpackValue& WithoutScalar(const MsgpackValue& value) {
  if (Find(value, "__npgeneric__") == nullptr) return value;
  const MsgpackValue* data = Find(value, "data");
  return data == nullptr ? value : *data;
}

// How vla-eval writes a picture that it leaves as it is.
bool IsRawPicture(const MsgpackValue& value) {
  const MsgpackValue* format = Find(value, "format");
  const auto* word = format == nullptr ? nullptr : format->As<std::string>();
  return Find(value, "__image__") != nullptr && word != nullptr && *word == "raw";
}

// Stops beyond `most` numbers, whatever a message holds.
void AppendNumbers(const MsgpackValue& value, size_t most, const std::string& where,
                   std::vector<double>& numbers) {
  const MsgpackValue& plain = WithoutScalar(value);
  if (const auto array = NumpyArrayOf(plain, where)) {
    // Of the bytes: the sizes of an empty array may have any product on the way to 0.
    const size_t count = array->bytes.size() / ItemBytes(array->type);
    if (count > most - numbers.size()) {
      RefuseValue(where, "an array of shape " + ShapeText(array->shape),
                  CountText(static_cast<int64_t>(most), "number"));
    }
    const std::vector<double> more = ToDoubles(*array);
    numbers.insert(numbers.end(), more.begin(), more.end());
  } else if (const auto* list = plain.As<MsgpackValue::List>()) {
    if (list->size() > most)
      RefuseValue(where, "of " + CountText(static_cast<int64_t>(list->size()), "number"),
                  std::to_string(most));
    for (const MsgpackValue& item : *list) {
      AppendNumbers(item, most, where, numbers);
      if (numbers.size() > most) break;
    }
  } else if (const auto* number = plain.As<double>()) {
    numbers.push_back(*number);
  } else if (const auto* whole = plain.As<int64_t>()) {
    numbers.push_back(static_cast<double>(*whole));
  } else {
    RefuseValue(where, ShownMsgpack(plain), "numbers");
  }
}

MsgpackValue MakeNumpyArray(const std::vector<int64_t>& shape, const char* dtype,
                            std::span<const std::byte> bytes) {
  MsgpackValue::List sizes;
  for (const int64_t size : shape) sizes.emplace_back(size);
  return MsgpackValue::Map{
      {"__ndarray__", true, true},
      {"data", MsgpackBin{{reinterpret_cast<const char*>(bytes.data()), bytes.size()}}, true},
      {"dtype", dtype, true},
      {"shape", std::move(sizes), true}};
}

}  // namespace

std::optional<NpyArray> NumpyArrayOf(const MsgpackValue& value, const std::string& where) {
  if (Find(value, "__ndarray__") == nullptr && !IsRawPicture(value)) return std::nullopt;
  const MsgpackValue* dtype = Find(value, "dtype");
  const MsgpackValue* data = Find(value, "data");
  const auto* type_name = dtype == nullptr ? nullptr : dtype->As<std::string>();
  const auto* bytes = data == nullptr ? nullptr : data->As<MsgpackBin>();
  if (type_name == nullptr || bytes == nullptr) {
    RefuseValue(where, "an array without dtype (text) or data (bytes)",
                "__ndarray__, data, dtype and shape");
  }
  return MakeNpyArray(*type_name, ShapeOf(value, where), bytes->bytes, where);
}

std::vector<double> FiniteNumbersOf(const MsgpackValue& value, size_t count,
                                    const std::string& where) {
  std::vector<double> numbers;
  AppendNumbers(value, count, where, numbers);
  if (numbers.size() != count) {
    RefuseValue(where, "of " + CountText(std::ssize(numbers), "number"), std::to_string(count));
  }
  for (const double number : numbers) {
    if (!std::isfinite(number)) RefuseValue(where, ToText(number), "finite numbers");
  }
  return numbers;
}

uint64_t WholeNumberOf(const MsgpackValue& value, uint64_t largest, const std::string& where) {
  const MsgpackValue& plain = WithoutScalar(value);
  std::optional<uint64_t> number;
  if (const auto* whole = plain.As<int64_t>(); whole != nullptr && *whole >= 0) {
    number = static_cast<uint64_t>(*whole);
  }
  if (const auto* whole = plain.As<uint64_t>()) number = *whole;
  if (number && *number <= largest) return *number;
  RefuseValue(where, ShownMsgpack(plain), "a whole number in [0, " + std::to_string(largest) + "]");
}

MsgpackValue NumpyArray(const std::vector<int64_t>& shape, std::span<const double> values) {
  return MakeNumpyArray(shape, "<f8", std::as_bytes(values));
}

MsgpackValue NumpyArray(const std::vector<int64_t>& shape, std::span<const float> values) {
  return MakeNumpyArray(shape, "<f4", std::as_bytes(values));
}

MsgpackValue NumpyArray(const std::vector<int64_t>& shape, std::span<const uint8_t> values) {
  return MakeNumpyArray(shape, "|u1", std::as_bytes(values));
}

MsgpackValue NumpyMatrix(const Eigen::MatrixXd& matrix) {
  const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows = matrix;
  return NumpyArray({rows.rows(), rows.cols()},
                    std::span<const double>(rows.data(), static_cast<size_t>(rows.size())));
}

MsgpackValue NumpyIntrinsics(const Camera& camera) { return NumpyMatrix(PinholeMatrix(camera)); }

}  // namespace aim
