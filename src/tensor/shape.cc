#include "aim/tensor/shape.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "aim/base/error.h"

namespace aim {
namespace {

std::string ExpectedText(std::initializer_list<Dim> expected) {
  std::string text = "[";
  for (const Dim& dim : expected) {
    if (text.size() > 1) text += ", ";
    if (dim.letter != nullptr) {
      text += dim.letter;
    } else {
      text += dim.size < 0 ? "any" : std::to_string(dim.size);
    }
  }
  return text + "]";
}

bool Matches(at::IntArrayRef sizes, std::initializer_list<Dim> expected) {
  if (sizes.size() != expected.size()) return false;
  std::map<std::string, int64_t> letters;
  size_t axis = 0;
  for (const Dim& dim : expected) {
    const int64_t size = sizes[axis++];
    if (dim.letter != nullptr) {
      if (letters.emplace(dim.letter, size).first->second != size) return false;
    } else if (dim.size >= 0 && dim.size != size) {
      return false;
    }
  }
  return true;
}

// "Float" -> "float32" and so on, the names that users of tensors know.
std::string DtypeText(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return "float32";
    case at::kDouble:
      return "float64";
    case at::kHalf:
      return "float16";
    case at::kBFloat16:
      return "bfloat16";
    default: {
      std::string name = c10::toString(type);
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      return name;
    }
  }
}

}  // namespace

void CheckShape(const at::Tensor& tensor, std::initializer_list<Dim> expected,
                const std::string& name) {
  if (tensor.defined() && Matches(tensor.sizes(), expected)) return;
  throw InputError({.where = name,
                    .got = tensor.defined() ? ShapeText(tensor.sizes()) : "absent",
                    .expected = ExpectedText(expected),
                    .fix = ""});
}

void CheckDtype(const at::Tensor& tensor, at::ScalarType expected, const std::string& name) {
  if (tensor.defined() && tensor.scalar_type() == expected) return;
  throw InputError({.where = name,
                    .got = tensor.defined() ? DtypeText(tensor.scalar_type()) : "absent",
                    .expected = DtypeText(expected),
                    .fix = ""});
}

}  // namespace aim
