#include "row_kernels_cases.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "aim/base/error.h"
#include "poisoned_memory.h"
#include "row_kernels.h"

namespace aim {
namespace {

using nlohmann::json;
using row_ops::kEps;
using Tensors = std::vector<at::Tensor>;

struct Case {
  std::string group;  // kernel and types: errors of a group are reported together
  std::string name;
  Tensors inputs;                                         // an undefined one is not there
  std::vector<at::ScalarType> out_dtypes;                 // of the outputs
  std::function<Tensors(const Tensors& inputs)> formula;  // of float64 inputs; differentiable
  // Outputs, then the gradient of each input that is there.
  std::function<Tensors(const Tensors& inputs, const Tensors& d_outs)> kernels;
  double tolerance = 0;
};

// --- Formulas ---

// [B, G, D] -> [B, N, D]; [1, 1, D] for all.
at::Tensor OfTokens(const at::Tensor& groups, const at::Tensor& x) {
  return groups.repeat_interleave(x.size(1) / groups.size(1), 1).expand(x.sizes());
}

// What is stored in `dtype`, with the gradient of what is not rounded.
at::Tensor Stored(const at::Tensor& x, at::ScalarType dtype) {
  const at::Tensor value = x.detach();
  return x + (value.to(dtype).to(x.scalar_type()) - value);
}

at::Tensor Normed(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                  const at::Tensor& camera) {
  const at::Tensor centred = x - x.mean(-1, true);
  const at::Tensor norm = centred / (centred.square().mean(-1, true) + kEps).sqrt();
  const at::Tensor out = norm * (1 + OfTokens(scale, x)) + OfTokens(shift, x);
  return camera.defined() ? out + OfTokens(camera, x) : out;
}

at::Tensor Turned(const at::Tensor& x, const at::Tensor& weight, const cuda::Rotation& rotation) {
  const at::Tensor norm = x / (x.square().mean(-1, true) + kEps).sqrt() * weight;
  if (!rotation.cos.defined()) return norm;
  const at::Tensor pairs = norm.view({x.size(0), x.size(1), rotation.num_heads, -1, 2});
  const at::Tensor re = pairs.select(-1, 0), im = pairs.select(-1, 1);
  const at::Tensor cos = rotation.cos.to(at::kCPU, at::kDouble).unsqueeze(1);
  const at::Tensor sin = rotation.sin.to(at::kCPU, at::kDouble).unsqueeze(1);
  return at::stack({re * cos - im * sin, re * sin + im * cos}, -1).view(x.sizes());
}

at::Tensor Gelu(const at::Tensor& x) {
  return 0.5 * x * (1 + (std::sqrt(2 / M_PI) * (x + 0.044715 * x.pow(3))).tanh());
}

// --- Comparing ---

struct Reference {
  Tensors d_outs;   // drawn for it, on the device and in the types of the outputs
  Tensors results;  // outputs, then the gradient of each input that is there
};

Reference ReferenceOf(const Case& test, c10::Device device) {
  Tensors inputs, leaves, wide_d_outs;
  for (const at::Tensor& input : test.inputs) {
    inputs.push_back(input);
    if (!input.defined()) continue;
    inputs.back() = input.to(at::kCPU, at::kDouble).detach().clone().set_requires_grad(true);
    leaves.push_back(inputs.back());
  }
  const Tensors outputs = test.formula(inputs);
  Reference reference;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const at::Tensor d_out = at::randn(outputs[i].sizes(), at::TensorOptions().device(device));
    reference.d_outs.push_back(d_out.to(test.out_dtypes[i]));
    wide_d_outs.push_back(reference.d_outs[i].to(at::kCPU, at::kDouble));
    reference.results.push_back(outputs[i].detach());
  }
  for (const at::Tensor& gradient : torch::autograd::grad(outputs, leaves, wide_d_outs))
    reference.results.push_back(gradient);
  return reference;
}

#ifdef AIM_ROW_KERNELS
constexpr bool kHasKernels = true;

Tensors ByKernels(const Case& test, const Reference& reference) {
  return test.kernels(test.inputs, reference.d_outs);
}
#else
constexpr bool kHasKernels = false;

// The formulas stand in: that this program works can be seen anywhere.
Tensors ByKernels(const Case&, const Reference& reference) {
  Tensors results;
  for (const at::Tensor& result : reference.results) results.push_back(result.to(at::kFloat));
  return results;
}
#endif

// Relative to the largest value; NaN where one of them is no number.
double ErrorOf(const at::Tensor& got, const at::Tensor& expected) {
  AIM_CHECK(got.sizes() == expected.sizes());
  const at::Tensor host = got.to(at::kCPU, at::kDouble);
  return ((host - expected).abs().max() / expected.abs().max().clamp_min(1e-3)).item<double>();
}

// In memory that starts one number behind a multiple of 16 bytes. Rows that lie apart stay there.
at::Tensor Unaligned(const at::Tensor& x) {
  if (!x.defined() || !x.is_contiguous()) return x;
  const at::Tensor flat = at::empty({x.numel() + 1}, x.options());
  return flat.narrow(0, 1, x.numel()).view(x.sizes()).copy_(x);
}

class Checker {
 public:
  Checker(c10::Device device, std::ostream& log) : device_(device), log_(log) {}

  // A kernel that crashes ends everything: says which it was.
  void Run(const Case& test) {
    try {
      Compare(test);
    } catch (const std::exception&) {
      log_ << "in " << test.name << '\n';
      throw;
    }
  }

  json Report() const {
    return {
        {"passed", failed_.empty()}, {"cases", cases_}, {"failed", failed_}, {"largest", largest_}};
  }

 private:
  void Compare(const Case& test) {
    const Reference reference = ReferenceOf(test, device_);
    const Tensors& expected = reference.results;
    const Tensors got = ByKernels(test, reference);
    AIM_CHECK(got.size() == expected.size());
    double largest = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      const double error = ErrorOf(got[i], expected[i]);
      largest = error <= largest ? largest : error;
      if (error <= test.tolerance) continue;
      log_ << "FAIL " << test.name << ", result " << i << ": " << error << '\n';
      failed_.push_back(test.name + ", result " + std::to_string(i));
    }
    ++cases_;
    double& of_group = largest_[test.group];
    of_group = largest <= of_group ? of_group : largest;
  }

  c10::Device device_;
  std::ostream& log_;
  int cases_ = 0;
  std::vector<std::string> failed_;
  std::map<std::string, double> largest_;
};

// --- Cases ---

struct Size {
  int64_t batch, tokens, width, num_heads;
  int64_t gate_groups, norm_groups, cameras;  // none: 0; of all samples together: norm_groups 0
};

// Those of many rows are more than there are blocks in a backward kernel.
const std::vector<Size>& Sizes() {
  static const std::vector<Size> sizes{
      {2, 15, 8, 1, 1, 1, 0},       {2, 15, 8, 2, 15, 15, 15},    {3, 15, 72, 2, 3, 5, 5},
      {2, 15, 72, 12, 3, 0, 0},     {1, 1, 72, 2, 1, 1, 1},       {2, 4122, 72, 2, 3, 1, 9},
      {3, 15, 256, 2, 15, 1, 3},    {1, 8209, 256, 2, 1, 0, 1},   {2, 15, 3072, 24, 5, 3, 15},
      {1, 1033, 3072, 24, 1, 1, 1}, {2, 15, 14336, 112, 1, 3, 3}, {1, 617, 5120, 40, 1, 0, 0}};
  return sizes;
}

std::string TypeName(at::ScalarType dtype) { return dtype == at::kFloat ? "f32" : "bf16"; }

class Cases {
 public:
  Cases(const Size& size, c10::Device device, bool aligned, Checker& checker)
      : size_(size), device_(device), aligned_(aligned), checker_(checker) {}

  void RunAll() {
    for (const at::ScalarType first : {at::kFloat, at::kBFloat16}) {
      for (const at::ScalarType second : {at::kFloat, at::kBFloat16}) {
        ModulatedNorm(first, second);
        GatedAdd(first, second);
        GatedAddNorm(first, second, true);
        GatedAddNorm(first, second, false);
      }
      for (const int64_t count : {1, 2}) {
        NormRope(first, count, true);
        NormRope(first, count, false);
      }
      Gelu(first);
    }
  }

 private:
  at::Tensor Random(at::IntArrayRef shape, at::ScalarType dtype) const {
    return at::randn(shape, at::TensorOptions().device(device_)).to(dtype);
  }
  at::Tensor Rows(at::ScalarType dtype) const {
    return Random({size_.batch, size_.tokens, size_.width}, dtype);
  }
  at::Tensor Groups(int64_t groups) const {
    if (groups == 0) return Random({1, 1, size_.width}, at::kFloat);
    return Random({size_.batch, groups, size_.width}, at::kFloat);
  }
  at::Tensor Camera(at::ScalarType dtype) const {
    if (size_.cameras == 0) return {};
    return Random({size_.batch, size_.cameras, size_.width}, dtype);
  }

  // float32 results to their last digits, bfloat16 ones to their last: half a unit, and where a
  // rounded number goes on into others, a whole one.
  static double Tolerance(std::initializer_list<at::ScalarType> dtypes) {
    for (const at::ScalarType dtype : dtypes) {
      if (dtype == at::kBFloat16) return 8e-3;
    }
    return 1e-5;
  }

  void Run(Case test, const std::string& kernel, std::initializer_list<at::ScalarType> dtypes) {
    test.group = kernel;
    for (const at::ScalarType dtype : dtypes) test.group.append(" ").append(TypeName(dtype));
    test.name = test.group + " [" + std::to_string(size_.batch) + ", " +
                std::to_string(size_.tokens) + ", " + std::to_string(size_.width) + "] groups " +
                std::to_string(size_.gate_groups) + " " + std::to_string(size_.norm_groups) +
                " cameras " + std::to_string(size_.cameras) + (aligned_ ? "" : " unaligned");
    test.tolerance = Tolerance(dtypes);
    if (!aligned_) {
      for (at::Tensor& input : test.inputs) input = Unaligned(input);
    }
    checker_.Run(test);
  }

  void ModulatedNorm(at::ScalarType x, at::ScalarType out) {
    Case test;
    test.inputs = {Rows(x) * 3 + 1, Groups(size_.norm_groups), Groups(size_.norm_groups),
                   Camera(out)};
    test.out_dtypes = {out};
    test.formula = [](const Tensors& in) { return Tensors{Normed(in[0], in[1], in[2], in[3])}; };
#ifdef AIM_ROW_KERNELS
    test.kernels = [out](const Tensors& in, const Tensors& d_outs) {
      const cuda::Modulation modulation{in[1], in[2], in[3]};
      const cuda::Normed normed = cuda::ModulatedNorm(in[0], modulation, out, kEps);
      const cuda::ModulatedNormGradients d =
          cuda::ModulatedNormBackward(d_outs[0], in[0], modulation, normed.stats);
      Tensors results{normed.rows, d.d_x, d.modulation.d_shift, d.modulation.d_scale};
      if (in[3].defined()) results.push_back(d.modulation.d_camera);
      return results;
    };
#endif
    Run(test, "ModulatedNorm", {x, out});
  }

  void GatedAdd(at::ScalarType x, at::ScalarType y) {
    Case test;
    test.inputs = {Rows(x), Rows(y), Groups(size_.gate_groups)};
    test.out_dtypes = {x};
    test.formula = [](const Tensors& in) {
      return Tensors{in[0] + in[1] * OfTokens(in[2], in[1])};
    };
#ifdef AIM_ROW_KERNELS
    test.kernels = [](const Tensors& in, const Tensors& d_outs) {
      const cuda::GatedAddGradients d = cuda::GatedAddBackward(d_outs[0], in[1], in[2]);
      return Tensors{cuda::GatedAdd(in[0], in[1], in[2]), d_outs[0], d.d_y, d.d_gate};
    };
#endif
    Run(test, "GatedAdd", {x, y});
  }

  void GatedAddNorm(at::ScalarType residual, at::ScalarType y, bool gated) {
    Case test;
    test.inputs = {Rows(residual),
                   Rows(y),
                   gated ? Groups(size_.gate_groups) : at::Tensor(),
                   Groups(size_.norm_groups),
                   Groups(size_.norm_groups),
                   Camera(y)};
    test.out_dtypes = {residual, y};
    test.formula = [residual](const Tensors& in) {
      const at::Tensor added = in[2].defined() ? in[1] * OfTokens(in[2], in[1]) : in[1];
      const at::Tensor sum = Stored(in[0] + added, residual);
      return Tensors{sum, Normed(sum, in[3], in[4], in[5])};
    };
#ifdef AIM_ROW_KERNELS
    test.kernels = [](const Tensors& in, const Tensors& d_outs) {
      const cuda::Modulation modulation{in[3], in[4], in[5]};
      const cuda::GatedAddNormed out = cuda::GatedAddNorm(in[0], in[1], in[2], modulation, kEps);
      const cuda::GatedAddNormGradients d = cuda::GatedAddNormBackward(
          d_outs[0], d_outs[1], {out.residual, out.normed.stats, in[1], in[2], modulation});
      Tensors results{out.residual, out.normed.rows, d.d_residual, d.d_y};
      if (in[2].defined()) results.push_back(d.d_gate);
      results.push_back(d.modulation.d_shift);
      results.push_back(d.modulation.d_scale);
      if (in[5].defined()) results.push_back(d.modulation.d_camera);
      return results;
    };
#endif
    Run(test, gated ? "GatedAddNorm" : "AddNorm", {residual, y});
  }

  // Two tensors are parts of the rows of one, as those of one matrix product are.
  void NormRope(at::ScalarType dtype, int64_t count, bool rotated) {
    cuda::Rotation rotation;
    rotation.num_heads = size_.num_heads;
    if (rotated) {
      const at::Tensor angle =
          Random({size_.tokens, size_.width / size_.num_heads / 2}, at::kFloat);
      rotation.cos = aligned_ ? angle.cos() : Unaligned(angle.cos());
      rotation.sin = angle.sin();
    }
    const int64_t row = 3 * size_.width + (aligned_ ? 0 : 1);
    const at::Tensor product = Random({size_.batch, size_.tokens, row}, dtype);
    Case test;
    for (int64_t i = 0; i < count; ++i) {
      test.inputs.push_back(count == 1 ? Rows(dtype)
                                       : product.narrow(2, i * size_.width, size_.width));
      test.inputs.push_back(Random({size_.width}, at::kFloat));
      test.out_dtypes.push_back(dtype);
    }
    test.formula = [rotation](const Tensors& in) {
      Tensors out;
      for (size_t i = 0; i < in.size(); i += 2) out.push_back(Turned(in[i], in[i + 1], rotation));
      return out;
    };
#ifdef AIM_ROW_KERNELS
    test.kernels = [rotation](const Tensors& in, const Tensors& d_outs) {
      std::vector<cuda::RopeInput> inputs;
      for (size_t i = 0; i < in.size(); i += 2) inputs.push_back({in[i], in[i + 1]});
      const std::vector<cuda::RopeOutput> outputs = cuda::NormRope(inputs, rotation, kEps);
      std::vector<cuda::RopeBackwardInput> saved;
      Tensors results;
      for (size_t i = 0; i < outputs.size(); ++i) {
        results.push_back(outputs[i].rows);
        saved.push_back({d_outs[i], inputs[i].x, inputs[i].weight, outputs[i].inv_rms});
      }
      for (const cuda::RopeGradients& d : cuda::NormRopeBackward(saved, rotation)) {
        results.push_back(d.d_x);
        results.push_back(d.d_weight);
      }
      return results;
    };
#endif
    Run(test, std::string(rotated ? "NormRope" : "Norm") + (count == 1 ? "" : " of two"), {dtype});
  }

  void Gelu(at::ScalarType dtype) {
    Case test;
    // Not a whole number of vectors.
    test.inputs = {Random({size_.batch * size_.tokens * size_.width + 3}, dtype) * 4};
    test.out_dtypes = {dtype};
    test.formula = [](const Tensors& in) { return Tensors{aim::Gelu(in[0])}; };
#ifdef AIM_ROW_KERNELS
    test.kernels = [](const Tensors& in, const Tensors& d_outs) {
      const at::Tensor out = cuda::GeluTanh(in[0]);
      at::Tensor in_place = in[0].clone();
      cuda::GeluTanhInPlace(in_place);
      AIM_CHECK(in_place.equal(out));
      return Tensors{out, cuda::GeluTanhBackward(d_outs[0], in[0])};
    };
#endif
    Run(test, "GeluTanh", {dtype});
  }

  Size size_;
  c10::Device device_;
  bool aligned_;
  Checker& checker_;
};

}  // namespace

json CheckRowKernels(c10::Device device, std::ostream& log) {
  const PoisonedMemory poisoned;
  AIM_CHECK(at::empty({1}, at::TensorOptions().device(device)).isnan().item<bool>());
  Checker checker(device, log);
  for (const Size& size : Sizes()) {
    if (!kHasKernels && size.tokens > 100) continue;
    log << "rows of " << size.width << " numbers, " << size.batch * size.tokens << " of them\n";
    Cases(size, device, true, checker).RunAll();
    if (size.tokens < 100) Cases(size, device, false, checker).RunAll();
  }
  return checker.Report();
}

}  // namespace aim
