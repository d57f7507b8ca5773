// NumPy's .npy files: little-endian, C order, any number of axes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace aim {

enum class NpyType { kFloat32, kFloat64, kUint8 };

struct NpyArray {
  NpyType type = NpyType::kFloat32;
  std::vector<int64_t> shape;    // empty for a scalar
  std::vector<std::byte> bytes;  // row-major, little-endian
};

// Bytes of one element: 4, 8 or 1.
size_t ItemBytes(NpyType type);

// Throws FormatError naming `path` if the file is cut short, has bytes left over, is in Fortran
// order, big-endian, or of another type; InputError if it is missing. Never allocates more than
// the file holds.
NpyArray ReadNpy(const std::filesystem::path& path);
NpyArray ParseNpy(std::string_view bytes, const std::string& where);

// An array of NumPy's type `type_name` ("<f8") whose shape and bytes stand elsewhere. Throws as
// ReadNpy.
NpyArray MakeNpyArray(std::string_view type_name, std::vector<int64_t> shape,
                      std::string_view bytes, const std::string& where);

// Elements as they are, converted to float or double (bytes stay 0..255).
std::vector<float> ToFloats(const NpyArray& array);
std::vector<double> ToDoubles(const NpyArray& array);

// Atomic. The product of `shape` must be the number of values. Format version 1.0.
void WriteNpy(const std::filesystem::path& path, const std::vector<int64_t>& shape,
              std::span<const float> values);
void WriteNpy(const std::filesystem::path& path, const std::vector<int64_t>& shape,
              std::span<const double> values);
void WriteNpy(const std::filesystem::path& path, const std::vector<int64_t>& shape,
              std::span<const uint8_t> values);

}  // namespace aim
