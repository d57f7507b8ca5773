#include "aim/kernels/fused.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "aim/base/error.h"
#include "aim/kernels/row_kernels.h"

namespace aim {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

bool HasKernels(const at::Tensor& x) {
  return x.is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

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

// [B, N, D] as [B, G, N / G, D]: the tokens of each of G equal runs.
at::Tensor Runs(const at::Tensor& x, int64_t num_runs) {
  return x.reshape({x.size(0), num_runs, x.size(1) / num_runs, x.size(2)});
}

// [B, N, D] -> [B, G, D], added up in float32.
at::Tensor SumRuns(const at::Tensor& x, int64_t num_runs) {
  return Runs(x, num_runs).sum(2, /*keepdim=*/false, at::kFloat);
}

struct ModulatedNormFunction : public Function<ModulatedNormFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& shift,
                            const at::Tensor& scale, const at::Tensor& camera, int64_t out_dtype,
                            double eps) {
    const Groups groups = GroupsOf(x, shift);
    const at::Tensor out =
        at::empty(x.sizes(), x.options().dtype(static_cast<at::ScalarType>(out_dtype)));
    const RowReader reader(x, groups.width);
    const RowWriter writer(out, groups.width);
    const bool has_camera = camera.defined() && camera.numel() > 0;
    const RowReader camera_reader(has_camera ? camera : x, groups.width);
    const float* shifts = shift.const_data_ptr<float>();
    const float* scales = scale.const_data_ptr<float>();
    const int64_t num_rows = groups.count * groups.size;
    const int64_t rows_per_camera = has_camera ? num_rows / (camera.size(0) * camera.size(1)) : 1;
    const at::Tensor stats = at::empty({num_rows, 2}, shift.options());
    float* saved = stats.data_ptr<float>();
    ForEachRowRange(num_rows, groups.width, [&](int64_t begin, int64_t end) {
      std::vector<float> buffer(static_cast<size_t>(3 * groups.width));
      for (int64_t row = begin; row < end; ++row) {
        const int64_t offset = row / groups.size * groups.width;
        const float* values = reader.Row(row, buffer.data());
        const NormStats norm = StatsOf(values, groups.width, eps);
        saved[2 * row] = norm.mean;
        saved[2 * row + 1] = norm.inv_std;
        float* target = writer.Target(row, buffer.data() + groups.width);
        rows::Modulate(values, norm.mean, norm.inv_std, shifts + offset, scales + offset, target,
                       groups.width);
        if (has_camera) {
          rows::AddInPlace(
              camera_reader.Row(row / rows_per_camera, buffer.data() + 2 * groups.width), target,
              groups.width);
        }
        writer.Commit(row, target);
      }
    });
    context->save_for_backward({x, scale, stats});
    context->saved_data["has_camera"] = has_camera;
    if (has_camera) {
      context->saved_data["camera_dtype"] = static_cast<int64_t>(camera.scalar_type());
      context->saved_data["camera_rows"] = camera.size(1);
    }
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list d_outs) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& scale = saved[1];
    const at::Tensor d_out = d_outs[0].contiguous();
    const Groups groups = GroupsOf(x, scale);
    const at::Tensor d_x = at::empty_like(x);
    const at::Tensor d_shift = at::zeros_like(scale);
    const at::Tensor d_scale = at::zeros_like(scale);
    const RowReader x_reader(x, groups.width);
    const RowReader d_out_reader(d_out, groups.width);
    const RowWriter writer(d_x, groups.width);
    const float* stats = saved[2].const_data_ptr<float>();
    const float* scales = scale.const_data_ptr<float>();
    float* d_shifts = d_shift.data_ptr<float>();
    float* d_scales = d_scale.data_ptr<float>();
    ForEachGroup(groups, [&](int64_t group) {
      const int64_t width = groups.width;
      std::vector<float> buffer(static_cast<size_t>(4 * width));
      for (int64_t row = group * groups.size; row < (group + 1) * groups.size; ++row) {
        const float* values = x_reader.Row(row, buffer.data());
        const float* gradient = d_out_reader.Row(row, buffer.data() + width);
        float* d_xhat = buffer.data() + 2 * width;
        const float mean = stats[2 * row];
        const float inv_std = stats[2 * row + 1];
        const rows::NormSums sums = rows::ModulateBackward(
            values, mean, inv_std, scales + group * width, gradient, d_shifts + group * width,
            d_scales + group * width, d_xhat, width);
        float* target = writer.Target(row, buffer.data() + 3 * width);
        rows::NormBackward(values, mean, inv_std, d_xhat, sums, target, width);
        writer.Commit(row, target);
      }
    });
    at::Tensor d_camera;
    if (context->saved_data["has_camera"].toBool()) {
      const int64_t camera_rows = context->saved_data["camera_rows"].toInt();
      d_camera = camera_rows == d_out.size(1) ? d_out : SumRuns(d_out, camera_rows);
      d_camera =
          d_camera.to(static_cast<at::ScalarType>(context->saved_data["camera_dtype"].toInt()));
    }
    return {d_x, d_shift, d_scale, d_camera, {}, {}};
  }
};

struct GatedAddFunction : public Function<GatedAddFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& y,
                            const at::Tensor& gate) {
    const Groups groups = GroupsOf(x, gate);
    const at::Tensor out = at::empty_like(x);
    const RowReader x_reader(x, groups.width);
    const RowReader y_reader(y, groups.width);
    const RowWriter writer(out, groups.width);
    const float* gates = gate.const_data_ptr<float>();
    ForEachRowRange(groups.count * groups.size, groups.width, [&](int64_t begin, int64_t end) {
      std::vector<float> buffer(static_cast<size_t>(3 * groups.width));
      for (int64_t row = begin; row < end; ++row) {
        float* target = writer.Target(row, buffer.data() + 2 * groups.width);
        rows::MultiplyAdd(x_reader.Row(row, buffer.data()),
                          y_reader.Row(row, buffer.data() + groups.width),
                          gates + row / groups.size * groups.width, target, groups.width);
        writer.Commit(row, target);
      }
    });
    context->save_for_backward({y, gate});
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list d_outs) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& y = saved[0];
    const at::Tensor& gate = saved[1];
    const at::Tensor d_out = d_outs[0].contiguous();
    const Groups groups = GroupsOf(y, gate);
    const at::Tensor d_y = at::empty_like(y);
    const at::Tensor d_gate = at::zeros_like(gate);
    const RowReader y_reader(y, groups.width);
    const RowReader d_out_reader(d_out, groups.width);
    const RowWriter writer(d_y, groups.width);
    const float* gates = gate.const_data_ptr<float>();
    float* d_gates = d_gate.data_ptr<float>();
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
    return {d_out, d_y, d_gate};
  }
};

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
  if (!cos.defined() || cos.numel() == 0) return {};
  return {cos.const_data_ptr<float>(), sin.const_data_ptr<float>(), cos.size(0), cos.size(1)};
}

struct NormRopeFunction : public Function<NormRopeFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& cos, const at::Tensor& sin, int64_t num_heads,
                            double eps) {
    const int64_t width = x.size(2);
    const Groups groups{x.size(0) * x.size(1), 1, width};
    const at::Tensor out = at::empty_like(x);
    const at::Tensor inv_rms = at::empty({groups.count}, weight.options());
    float* saved = inv_rms.data_ptr<float>();
    const RopeTables tables = TablesOf(cos, sin);
    const RowReader reader(x, width);
    const RowWriter writer(out, width);
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
    context->save_for_backward({x, weight, cos, sin, inv_rms});
    context->saved_data["num_heads"] = num_heads;
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list d_outs) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& weight = saved[1];
    const RopeTables tables = TablesOf(saved[2], saved[3]);
    const int64_t num_heads = context->saved_data["num_heads"].toInt();
    const at::Tensor d_out = d_outs[0].contiguous();
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
    const float* inv_rms = saved[4].const_data_ptr<float>();
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
        rows::RmsBackward(values, inv_rms[row], weights, gradient, parts + part * width, target,
                          width);
        writer.Commit(row, target);
      }
    });
    return {d_x, d_weights.sum(0), {}, {}, {}, {}};
  }
};

struct GeluFunction : public Function<GeluFunction> {
  static constexpr int64_t kChunk = 1024;

  // Chunks of kChunk elements; the last may be shorter.
  template <class Body>
  static void ForEachChunk(int64_t count, const Body& body) {
    at::parallel_for(0, (count + kChunk - 1) / kChunk, 16, [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; ++chunk) {
        body(chunk * kChunk, std::min(kChunk, count - chunk * kChunk));
      }
    });
  }

  static at::Tensor forward(AutogradContext* context, const at::Tensor& x) {
    context->save_for_backward({x});
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

  static variable_list backward(AutogradContext* context, variable_list d_outs) {
    const at::Tensor x = context->get_saved_variables()[0];
    const at::Tensor d_out = d_outs[0].contiguous();
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
    return {d_x};
  }
};

// a + b * c of any mix of floating types, computed in the widest and rounded once. Without
// gradients a single pass on a GPU: nothing is stored in between.
at::Tensor MultiplyAddTo(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c,
                         at::ScalarType dtype) {
  if (c10::GradMode::is_enabled()) return at::addcmul(a, b, c).to(dtype);
  at::Tensor out = at::empty(b.sizes(), b.options().dtype(dtype));
  return at::addcmul_out(out, a, b, c);
}

}  // namespace

at::Tensor ModulatedNormPlain(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                              const at::Tensor& camera, at::ScalarType out_dtype, double eps) {
  const at::Tensor norm = at::layer_norm(x.to(at::kFloat), {x.size(2)}, {}, {}, eps);
  const int64_t runs = camera.defined() ? std::lcm(shift.size(1), camera.size(1)) : shift.size(1);
  // [B, G, D] -> [B, runs, 1, D]
  const auto for_runs = [&](const at::Tensor& rows) {
    return rows.repeat_interleave(runs / rows.size(1), 1).unsqueeze(2);
  };
  const at::Tensor addend =
      camera.defined() ? for_runs(shift) + for_runs(camera.to(at::kFloat)) : for_runs(shift);
  return MultiplyAddTo(addend, Runs(norm, runs), for_runs(1 + scale), out_dtype).view(x.sizes());
}

at::Tensor GatedAddPlain(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate) {
  const int64_t runs = gate.size(1);
  return MultiplyAddTo(Runs(x, runs), Runs(y, runs), gate.unsqueeze(2), x.scalar_type())
      .view(x.sizes());
}

at::Tensor NormRopePlain(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& cos,
                         const at::Tensor& sin, int64_t num_heads, double eps) {
  const at::Tensor norm = at::rms_norm(x.to(at::kFloat), {x.size(2)}, weight.to(at::kFloat), eps);
  if (!cos.defined()) return norm.to(x.scalar_type());
  return RotatePairs(norm, cos, sin, num_heads).to(x.scalar_type());
}

at::Tensor RotatePairs(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin,
                       int64_t num_heads) {
  const at::Tensor pairs = at::view_as_complex(x.view({x.size(0), x.size(1), num_heads, -1, 2}));
  return at::view_as_real(pairs * at::complex(cos, sin).unsqueeze(1)).view(x.sizes());
}

at::Tensor GeluTanhPlain(const at::Tensor& x) { return at::gelu(x, "tanh"); }

at::Tensor GeluTanh(const at::Tensor& x) {
  return HasKernels(x) ? GeluFunction::apply(x.contiguous()) : GeluTanhPlain(x);
}

at::Tensor ModulatedNorm(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                         const at::Tensor& camera, at::ScalarType out_dtype, double eps) {
  const bool out_has_kernel = out_dtype == at::kFloat || out_dtype == at::kBFloat16;
  if (!HasKernels(x) || !out_has_kernel)
    return ModulatedNormPlain(x, shift, scale, camera, out_dtype, eps);
  return ModulatedNormFunction::apply(
      x.contiguous(), shift.contiguous(), scale.contiguous(),
      camera.defined() ? camera.contiguous() : at::empty({0}, x.options()),
      static_cast<int64_t>(out_dtype), eps);
}

at::Tensor GatedAdd(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate) {
  if (!HasKernels(x) || !HasKernels(y)) return GatedAddPlain(x, y, gate);
  return GatedAddFunction::apply(x.contiguous(), y.contiguous(), gate.contiguous());
}

at::Tensor NormRope(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& cos,
                    const at::Tensor& sin, int64_t num_heads, double eps) {
  if (!HasKernels(x)) return NormRopePlain(x, weight, cos, sin, num_heads, eps);
  const at::Tensor none = at::empty({0}, weight.options());
  return NormRopeFunction::apply(x.contiguous(), weight.contiguous(), cos.defined() ? cos : none,
                                 sin.defined() ? sin : none, num_heads, eps);
}

}  // namespace aim
