// NumPy's arrays and numbers inside of msgpack messages: maps with the keys __ndarray__ (or
// __npgeneric__), data, dtype and shape, which openpi writes as bytes and others as text.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "aim/format/msgpack.h"
#include "aim/format/npy.h"
#include "aim/geometry/camera.h"

namespace aim {

// The array, or nothing if the value is none; vla-eval's raw pictures are arrays, too. Throws
// InputError naming `where` for an array of another type than float32, float64 and uint8, or whose
// bytes are not as many as its shape needs.
std::optional<NpyArray> NumpyArrayOf(const MsgpackValue& value, const std::string& where);

// Finite numbers in row-major order, out of an array, a number or lists of those. Throws InputError
// naming `where` unless there are `count` of them.
std::vector<double> FiniteNumbersOf(const MsgpackValue& value, size_t count,
                                    const std::string& where);

// A whole number in [0, largest], NumPy's own numbers too. Throws InputError naming `where`.
uint64_t WholeNumberOf(const MsgpackValue& value, uint64_t largest, const std::string& where);

// Arrays as openpi writes them: keys that are bytes.
MsgpackValue NumpyArray(const std::vector<int64_t>& shape, std::span<const double> values);
MsgpackValue NumpyArray(const std::vector<int64_t>& shape, std::span<const float> values);
MsgpackValue NumpyArray(const std::vector<int64_t>& shape, std::span<const uint8_t> values);
MsgpackValue NumpyMatrix(const Eigen::MatrixXd& matrix);  // float64
// fx 0 cx; 0 fy cy; 0 0 1.
MsgpackValue NumpyIntrinsics(const Camera& camera);

}  // namespace aim
