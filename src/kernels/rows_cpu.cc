// The operations of rows.h on a CPU: loops that touch memory once.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <vector>

#include "aim/base/error.h"
#include "kernels/row_backend.h"
#include "kernels/row_loops.h"

namespace aim {
namespace {

// Rows of a contiguous f32 or bf16 tensor, seen as floats.
class RowReader {
 public:
  RowReader(const at::Tensor& tensor, int64_t width)
      : is_float_(tensor.scalar_type() == at::kFloat),
        data_(tensor.const_data_ptr()),
        width_(width) {
    AIM_CHECK(tensor.is_contiguous());
    AIM_CHECK(is_float_ || tensor.scalar_type() == at::kBFloat16);
  }

  // Valid until the buffer is used again.
  const float* Row(int64_t row, float* buffer) const {
    if (is_float_) return static_cast<const float*>(data_) + row * width_;
    rows::FromBf16(static_cast<const uint16_t*>(data_) + row * width_, buffer, width_);
    return buffer;
  }

 private:
  bool is_float_;
  const void* data_;
  int64_t width_;
};

class RowWriter {
 public:
  RowWriter(const at::Tensor& tensor, int64_t width)
      : is_float_(tensor.scalar_type() == at::kFloat), data_(tensor.data_ptr()), width_(width) {
    AIM_CHECK(tensor.is_contiguous());
  }

  // Where to compute the row: the tensor itself or `buffer`. Commit it afterwards.
  float* Target(int64_t row, float* buffer) const {
    return is_float_ ? static_cast<float*>(data_) + row * width_ : buffer;
  }
  void Commit(int64_t row, const float* values) const {
    if (!is_float_) rows::ToBf16(values, static_cast<uint16_t*>(data_) + row * width_, width_);
  }

 private:
  bool is_float_;
  void* data_;
  int64_t width_;
};

// Rows are handled in groups: group i holds rows [i * size, (i + 1) * size).
struct Groups {
  int64_t count;
  int64_t size;
  int64_t width;
};

Groups GroupsOf(const at::Tensor& x, const at::Tensor& modulation) {
  AIM_CHECK(x.dim() == 3 && modulation.dim() == 3 && modulation.size(0) == x.size(0));
  AIM_CHECK(modulation.size(2) == x.size(2) && x.size(1) % modulation.size(1) == 0);
  return {modulation.size(0) * modulation.size(1), x.size(1) / modulation.size(1), x.size(2)};
}

void ForEachGroup(const Groups& groups, const std::function<void(int64_t)>& body) {
  const int64_t grain =
      std::max<int64_t>(1, 16384 / std::max<int64_t>(1, groups.size * groups.width));
  at::parallel_for(0, groups.count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; ++group) body(group);
  });
}

// body(first row, one past the last): rows that need nothing of each other.
void ForEachRowRange(int64_t num_rows, int64_t width,
                     const std::function<void(int64_t, int64_t)>& body) {
  at::parallel_for(0, num_rows, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, width)), body);
}

struct NormStats {
  float mean;
  float inv_std;
};

NormStats StatsOf(const float* x, int64_t width, double eps) {
  const float n = static_cast<float>(width);
  const float mean = rows::Sum(x, width) / n;
  const float variance = rows::SquaredDistance(x, mean, width) / n;
  return {mean, 1.0f / std::sqrt(variance + static_cast<float>(eps))};
}

// LN, modulation and camera of single rows; statistics go to `stats` [rows, 2].
class NormRow {
 public:
  NormRow(const Groups& groups, const at::Tensor& shift, const at::Tensor& scale,
          const at::Tensor& camera, const at::Tensor& stats, double eps)
      : groups_(groups),
        shifts_(shift.const_data_ptr<float>()),
        scales_(scale.const_data_ptr<float>()),
        stats_(stats.data_ptr<float>()),
        eps_(eps) {
    if (!camera.defined()) return;
    camera_.emplace(camera, groups.width);
    rows_per_camera_ = groups.count * groups.size / (camera.size(0) * camera.size(1));
  }

  // `buffer` holds a row.
  void Write(int64_t row, const float* values, float* target, float* buffer) const {
    const int64_t width = groups_.width;
    const int64_t offset = row / groups_.size * width;
    const NormStats norm = StatsOf(values, width, eps_);
    stats_[2 * row] = norm.mean;
    stats_[2 * row + 1] = norm.inv_std;
    rows::Modulate(values, norm.mean, norm.inv_std, shifts_ + offset, scales_ + offset, target,
                   width);
    if (camera_) rows::AddInPlace(camera_->Row(row / rows_per_camera_, buffer), target, width);
  }

 private:
  Groups groups_;
  const float* shifts_;
  const float* scales_;
  float* stats_;
  double eps_;
  std::optional<RowReader> camera_;
  int64_t rows_per_camera_ = 1;
};

// x + y * gate of single rows; x + y without a gate.
class SumRow {
 public:
  SumRow(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate)
      : width_(x.size(2)), x_(x, width_), y_(y, width_) {
    if (!gate.defined()) return;
    gates_ = gate.const_data_ptr<float>();
    rows_per_gate_ = GroupsOf(x, gate).size;
  }

  // `buffer` holds two rows.
  void Write(int64_t row, float* target, float* buffer) const {
    const float* x = x_.Row(row, buffer);
    const float* y = y_.Row(row, buffer + width_);
    if (gates_ == nullptr) {
      rows::Add(x, y, target, width_);
    } else {
      rows::MultiplyAdd(x, y, gates_ + row / rows_per_gate_ * width_, target, width_);
    }
  }

 private:
  int64_t width_;
  RowReader x_;
  RowReader y_;
  const float* gates_ = nullptr;
  int64_t rows_per_gate_ = 1;
};

NormForward ModulatedNormCpu(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                             const at::Tensor& camera, at::ScalarType out_dtype, double eps) {
  const Groups groups = GroupsOf(x, shift);
  const int64_t num_rows = groups.count * groups.size;
  NormForward result;
  result.out = at::empty(x.sizes(), x.options().dtype(out_dtype));
  result.stats = at::empty({num_rows, 2}, shift.options());
  const RowReader reader(x, groups.width);
  const NormRow norm(groups, shift, scale, camera, result.stats, eps);
  const RowWriter writer(result.out, groups.width);
  ForEachRowRange(num_rows, groups.width, [&](int64_t begin, int64_t end) {
    std::vector<float> buffer(static_cast<size_t>(3 * groups.width));
    for (int64_t row = begin; row < end; ++row) {
      float* target = writer.Target(row, buffer.data() + groups.width);
      norm.Write(row, reader.Row(row, buffer.data()), target, buffer.data() + 2 * groups.width);
      writer.Commit(row, target);
    }
  });
  return result;
}

NormBackward ModulatedNormBackwardCpu(const at::Tensor& x, const at::Tensor& scale,
                                      const at::Tensor& stats, const at::Tensor& d_out) {
  const Groups groups = GroupsOf(x, scale);
  const NormBackward d{at::empty_like(x), at::zeros_like(scale), at::zeros_like(scale)};
  const RowReader x_reader(x, groups.width);
  const RowReader d_out_reader(d_out, groups.width);
  const RowWriter writer(d.d_x, groups.width);
  const float* saved = stats.const_data_ptr<float>();
  const float* scales = scale.const_data_ptr<float>();
  float* d_shifts = d.d_shift.data_ptr<float>();
  float* d_scales = d.d_scale.data_ptr<float>();
  ForEachGroup(groups, [&](int64_t group) {
    const int64_t width = groups.width;
    std::vector<float> buffer(static_cast<size_t>(4 * width));
    for (int64_t row = group * groups.size; row < (group + 1) * groups.size; ++row) {
      const float* values = x_reader.Row(row, buffer.data());
      const float* gradient = d_out_reader.Row(row, buffer.data() + width);
      float* d_xhat = buffer.data() + 2 * width;
      const float mean = saved[2 * row];
      const float inv_std = saved[2 * row + 1];
      const rows::NormSums sums =
          rows::ModulateBackward(values, mean, inv_std, scales + group * width, gradient,
                                 d_shifts + group * width, d_scales + group * width, d_xhat, width);
      float* target = writer.Target(row, buffer.data() + 3 * width);
      rows::NormBackward(values, mean, inv_std, d_xhat, sums, target, width);
      writer.Commit(row, target);
    }
  });
  return d;
}

at::Tensor GatedAddCpu(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate) {
  const int64_t width = x.size(2);
  const int64_t num_rows = x.size(0) * x.size(1);
  const at::Tensor out = at::empty_like(x);
  const SumRow sum(x, y, gate);
  const RowWriter writer(out, width);
  ForEachRowRange(num_rows, width, [&](int64_t begin, int64_t end) {
    std::vector<float> buffer(static_cast<size_t>(3 * width));
    for (int64_t row = begin; row < end; ++row) {
      float* target = writer.Target(row, buffer.data() + 2 * width);
      sum.Write(row, target, buffer.data());
      writer.Commit(row, target);
    }
  });
  return out;
}

GatedAddBackward GatedAddBackwardCpu(const at::Tensor& y, const at::Tensor& gate,
                                     const at::Tensor& d_out) {
  if (!gate.defined()) return {d_out.to(y.scalar_type()), {}};
  const Groups groups = GroupsOf(y, gate);
  const GatedAddBackward d{at::empty_like(y), at::zeros_like(gate)};
  const RowReader y_reader(y, groups.width);
  const RowReader d_out_reader(d_out, groups.width);
  const RowWriter writer(d.d_y, groups.width);
  const float* gates = gate.const_data_ptr<float>();
  float* d_gates = d.d_gate.data_ptr<float>();
  ForEachGroup(groups, [&](int64_t group) {
    std::vector<float> buffer(static_cast<size_t>(3 * groups.width));
    for (int64_t row = group * groups.size; row < (group + 1) * groups.size; ++row) {
      float* target = writer.Target(row, buffer.data() + 2 * groups.width);
      rows::GateBackward(
          d_out_reader.Row(row, buffer.data()), y_reader.Row(row, buffer.data() + groups.width),
          gates + group * groups.width, target, d_gates + group * groups.width, groups.width);
      writer.Commit(row, target);
    }
  });
  return d;
}

GatedAddNormForward GatedAddNormCpu(const at::Tensor& x, const at::Tensor& y,
                                    const at::Tensor& gate, const at::Tensor& shift,
                                    const at::Tensor& scale, const at::Tensor& camera,
                                    at::ScalarType out_dtype, double eps) {
  const Groups groups = GroupsOf(x, shift);
  const int64_t width = groups.width;
  const int64_t num_rows = groups.count * groups.size;
  GatedAddNormForward result;
  result.residual = at::empty_like(x);
  result.normed = at::empty(x.sizes(), x.options().dtype(out_dtype));
  result.stats = at::empty({num_rows, 2}, shift.options());
  const SumRow sum(x, y, gate);
  const NormRow norm(groups, shift, scale, camera, result.stats, eps);
  const RowWriter residual_writer(result.residual, width);
  const RowReader residual_reader(result.residual, width);
  const RowWriter normed_writer(result.normed, width);
  ForEachRowRange(num_rows, width, [&](int64_t begin, int64_t end) {
    std::vector<float> buffer(static_cast<size_t>(4 * width));
    for (int64_t row = begin; row < end; ++row) {
      float* residual = residual_writer.Target(row, buffer.data() + 2 * width);
      sum.Write(row, residual, buffer.data());
      residual_writer.Commit(row, residual);
      // What was rounded is what is normed.
      const float* values = residual_reader.Row(row, buffer.data());
      float* normed = normed_writer.Target(row, buffer.data() + 3 * width);
      norm.Write(row, values, normed, buffer.data() + width);
      normed_writer.Commit(row, normed);
    }
  });
  return result;
}

// One head's rotation tables for token `row % tokens`.
struct RopeTables {
  const float* cos = nullptr;
  const float* sin = nullptr;
  int64_t tokens = 1;
  int64_t pairs = 0;

  void Turn(float* values, int64_t row, int64_t num_heads, float sign) const {
    if (cos == nullptr) return;
    const int64_t offset = (row % tokens) * pairs;
    for (int64_t head = 0; head < num_heads; ++head) {
      rows::Rotate(values + head * 2 * pairs, cos + offset, sin + offset, sign, pairs);
    }
  }
};

RopeTables TablesOf(const at::Tensor& cos, const at::Tensor& sin) {
  if (!cos.defined()) return {};
  return {cos.const_data_ptr<float>(), sin.const_data_ptr<float>(), cos.size(0), cos.size(1)};
}

NormRopeForward NormRopeCpu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& cos,
                            const at::Tensor& sin, int64_t num_heads, double eps) {
  const int64_t width = x.size(2);
  const Groups groups{x.size(0) * x.size(1), 1, width};
  const NormRopeForward result{at::empty_like(x), at::empty({groups.count}, weight.options())};
  float* saved = result.inv_rms.data_ptr<float>();
  const RopeTables tables = TablesOf(cos, sin);
  const RowReader reader(x, width);
  const RowWriter writer(result.out, width);
  const float* weights = weight.const_data_ptr<float>();
  ForEachGroup(groups, [&](int64_t row) {
    thread_local std::vector<float> buffer;
    buffer.resize(static_cast<size_t>(2 * width));
    const float* values = reader.Row(row, buffer.data());
    const float mean_square = rows::Dot(values, values, width) / static_cast<float>(width);
    saved[row] = 1.0f / std::sqrt(mean_square + static_cast<float>(eps));
    float* target = writer.Target(row, buffer.data() + width);
    rows::ScaleByWeight(values, saved[row], weights, target, width);
    tables.Turn(target, row, num_heads, 1.0f);
    writer.Commit(row, target);
  });
  return result;
}

NormRopeBackward NormRopeBackwardCpu(const at::Tensor& x, const at::Tensor& weight,
                                     const at::Tensor& cos, const at::Tensor& sin,
                                     const at::Tensor& inv_rms, int64_t num_heads,
                                     const at::Tensor& d_out) {
  const RopeTables tables = TablesOf(cos, sin);
  const int64_t width = x.size(2);
  const int64_t num_rows = x.size(0) * x.size(1);
  // A fixed number of partial sums, so that the number of threads changes nothing.
  const int64_t num_parts = std::min<int64_t>(16, num_rows);
  const at::Tensor d_weights = at::zeros({num_parts, width}, weight.options());
  const at::Tensor d_x = at::empty_like(x);
  const RowReader x_reader(x, width);
  const RowReader d_out_reader(d_out, width);
  const RowWriter writer(d_x, width);
  const float* weights = weight.const_data_ptr<float>();
  const float* saved = inv_rms.const_data_ptr<float>();
  float* parts = d_weights.data_ptr<float>();
  ForEachGroup({num_parts, num_rows / num_parts, width}, [&](int64_t part) {
    std::vector<float> buffer(static_cast<size_t>(3 * width));
    const int64_t end = (part + 1) * num_rows / num_parts;
    for (int64_t row = part * num_rows / num_parts; row < end; ++row) {
      const float* values = x_reader.Row(row, buffer.data());
      float* gradient = buffer.data() + width;
      const float* incoming = d_out_reader.Row(row, gradient);
      if (incoming != gradient) std::copy(incoming, incoming + width, gradient);
      tables.Turn(gradient, row, num_heads, -1.0f);
      float* target = writer.Target(row, buffer.data() + 2 * width);
      rows::RmsBackward(values, saved[row], weights, gradient, parts + part * width, target, width);
      writer.Commit(row, target);
    }
  });
  return {d_x, d_weights.sum(0)};
}

// Chunks of a flat tensor: kChunk elements, the last may be shorter.
constexpr int64_t kChunk = 1024;

template <class Body>
void ForEachChunk(int64_t count, const Body& body) {
  at::parallel_for(0, (count + kChunk - 1) / kChunk, 16, [&](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      body(chunk * kChunk, std::min(kChunk, count - chunk * kChunk));
    }
  });
}

at::Tensor GeluTanhCpu(const at::Tensor& x) {
  const at::Tensor out = at::empty_like(x);
  ForEachChunk(x.numel(), [&](int64_t begin, int64_t size) {
    if (x.scalar_type() == at::kFloat) {
      rows::Gelu(x.const_data_ptr<float>() + begin, out.data_ptr<float>() + begin, size);
      return;
    }
    float buffer[2][kChunk];
    rows::FromBf16(static_cast<const uint16_t*>(x.const_data_ptr()) + begin, buffer[0], size);
    rows::Gelu(buffer[0], buffer[1], size);
    rows::ToBf16(buffer[1], static_cast<uint16_t*>(out.data_ptr()) + begin, size);
  });
  return out;
}

at::Tensor GeluTanhBackwardCpu(const at::Tensor& x, const at::Tensor& d_out) {
  const at::Tensor d_x = at::empty_like(x);
  ForEachChunk(x.numel(), [&](int64_t begin, int64_t size) {
    if (x.scalar_type() == at::kFloat) {
      rows::GeluBackward(x.const_data_ptr<float>() + begin, d_out.const_data_ptr<float>() + begin,
                         d_x.data_ptr<float>() + begin, size);
      return;
    }
    float buffer[3][kChunk];
    rows::FromBf16(static_cast<const uint16_t*>(x.const_data_ptr()) + begin, buffer[0], size);
    rows::FromBf16(static_cast<const uint16_t*>(d_out.const_data_ptr()) + begin, buffer[1], size);
    rows::GeluBackward(buffer[0], buffer[1], buffer[2], size);
    rows::ToBf16(buffer[2], static_cast<uint16_t*>(d_x.data_ptr()) + begin, size);
  });
  return d_x;
}

}  // namespace

const RowBackend kCpuRows = {
    .modulated_norm = ModulatedNormCpu,
    .modulated_norm_backward = ModulatedNormBackwardCpu,
    .gated_add = GatedAddCpu,
    .gated_add_backward = GatedAddBackwardCpu,
    .gated_add_norm = GatedAddNormCpu,
    .norm_rope = NormRopeCpu,
    .norm_rope_backward = NormRopeBackwardCpu,
    .gelu_tanh = GeluTanhCpu,
    .gelu_tanh_backward = GeluTanhBackwardCpu,
};

}  // namespace aim
