#include "row_kernels_scaled.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "aim/kernels/rows_plain.h"
#include "aim/kernels/scaled_rows.h"
#include "poisoned_memory.h"
#include "row_kernels.h"

namespace aim {
namespace {

using nlohmann::json;
using row_ops::kEps;

struct Size {
  int64_t batch, tokens, width, groups, cameras;  // cameras 0: none
};

constexpr Size kSizes[] = {{2, 15, 8, 15, 15},    {3, 15, 72, 5, 5},    {1, 1, 72, 1, 1},
                           {2, 4123, 72, 1, 0},   {1, 1033, 256, 1, 0}, {2, 15, 3072, 3, 15},
                           {1, 517, 3072, 1, 11}, {2, 15, 14336, 3, 3}, {1, 61, 16384, 1, 0}};

// In memory that starts one number behind a multiple of 16 bytes.
at::Tensor Unaligned(const at::Tensor& x) {
  const at::Tensor flat = at::empty({x.numel() + 1}, x.options());
  return flat.narrow(0, 1, x.numel()).view(x.sizes()).copy_(x);
}

// The largest error of a number in parts of what rounding to eight bits allows: half of the last of
// its four bits, half of the smallest number of its row, and the last digits of float32.
double ErrorOf(const ScaledRows& got, const at::Tensor& expected) {
  const at::Tensor exact = expected.to(at::kDouble);
  const at::Tensor largest = exact.abs().amax(-1, true);
  const at::Tensor allowed =
      at::maximum(exact.abs() * 0x1p-4, largest * (0x1p-10 / 448)) + largest * 2e-5;
  const at::Tensor values = got.values.to(at::kFloat).to(at::kDouble);
  const at::Tensor error = (values * got.scale.to(at::kDouble).unsqueeze(-1) - exact).abs();
  return (error / allowed).max().item<double>();
}

class ScaledCases {
 public:
  ScaledCases(c10::Device device, std::ostream& log) : device_(device), log_(log) {}

  void Run(const Size& size, at::ScalarType dtype, bool aligned) {
    const auto rows = [&](at::ScalarType type, double scale) {
      const at::Tensor x =
          (at::randn({size.batch, size.tokens, size.width}, Options()) * scale).to(type);
      return aligned ? x : Unaligned(x);
    };
    const auto group = [&] { return at::randn({size.batch, size.groups, size.width}, Options()); };
    const at::Tensor x = rows(dtype, 3), y = rows(at::kBFloat16, 1);
    const at::Tensor gate = group(), shift = group(), scale = group();
    at::Tensor camera;
    if (size.cameras > 0)
      camera = at::randn({size.batch, size.cameras, size.width}, Options()).to(at::kBFloat16);
    const std::string name = " [" + std::to_string(size.batch * size.tokens) + ", " +
                             std::to_string(size.width) + "] " + c10::toString(dtype) +
                             (aligned ? "" : " unaligned");
    Expect("quantise" + name, ErrorOf(QuantiseRows(x), x.to(at::kFloat)));
    Expect("gelu" + name, ErrorOf(ScaledGeluTanh(x), GeluTanhPlain(x.to(at::kFloat))));
    Expect("norm" + name, ErrorOf(ScaledModulatedNorm(x, shift, scale, camera, kEps),
                                  ModulatedNormPlain(x, shift, scale, camera, at::kFloat, kEps)));
    for (const at::Tensor& used : {gate, at::Tensor()}) {
      const ResidualAndScaledNorm got = ScaledGatedAddNorm(x, y, used, shift, scale, camera, kEps);
      const at::Tensor sum = GatedAddPlain(x, y, used);
      const std::string which = (used.defined() ? "gated add norm" : "add norm") + name;
      const at::Tensor off = (got.residual - sum).abs().max() / sum.abs().max();
      Expect(which + ", residual", off.item<double>() / (dtype == at::kFloat ? 1e-5 : 8e-3));
      // Of the residual as it was rounded.
      Expect(which, ErrorOf(got.normed, ModulatedNormPlain(got.residual, shift, scale, camera,
                                                           at::kFloat, kEps)));
    }
  }

  json Report() const {
    return {
        {"passed", failed_.empty()}, {"cases", cases_}, {"failed", failed_}, {"largest", largest_}};
  }

 private:
  at::TensorOptions Options() const { return at::TensorOptions().device(device_); }

  void Expect(const std::string& name, double error) {
    ++cases_;
    largest_ = error <= largest_ ? largest_ : error;
    if (error <= 1) return;
    log_ << "FAIL " << name << ": " << error << '\n';
    failed_.push_back(name);
  }

  c10::Device device_;
  std::ostream& log_;
  int cases_ = 0;
  double largest_ = 0;
  std::vector<std::string> failed_;
};

// Of a product with `rows` rows against float64 of the same eight-bit numbers, root of mean
// squares.
json ProductErrors(c10::Device device, int64_t inputs) {
  const auto options = at::TensorOptions().device(device);
  const ScaledRows x = QuantiseRows(at::randn({64, inputs}, options));
  const ScaledRows weight = QuantiseRows(at::randn({64, inputs}, options));
  const at::Tensor bias = at::zeros({64}, options.dtype(at::kBFloat16));
  const at::Tensor exact =
      at::mm(Dequantise(x).to(at::kDouble), Dequantise(weight).to(at::kDouble).t());
  const auto error = [&](const at::Tensor& got) {
    return ((got.to(at::kDouble) - exact).square().mean() / exact.square().mean())
        .sqrt()
        .item<double>();
  };
  json errors{{"product", error(ScaledProduct(x, weight, bias))}};
  if (HasScaledUnits(device)) {
    errors["slower_sums"] = error(at::_scaled_mm(x.values, weight.values.t(), x.scale.unsqueeze(1),
                                                 weight.scale.unsqueeze(0), bias, std::nullopt,
                                                 at::kBFloat16, /*use_fast_accum=*/false));
  }
  return errors;
}

}  // namespace

json CheckScaledRows(c10::Device device, std::ostream& log) {
  const PoisonedMemory poisoned;
  ScaledCases cases(device, log);
  for (const Size& size : kSizes) {
    if (device.is_cpu() && size.tokens > 100) continue;
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      cases.Run(size, dtype, true);
      cases.Run(size, dtype, false);
    }
  }
  return cases.Report();
}

json TimeScaledRows(c10::Device device, const RowKernelSizes& sizes) {
  const auto options = at::TensorOptions().device(device);
  const auto random = [&](at::IntArrayRef shape, at::ScalarType dtype) {
    return at::randn(shape, options).to(dtype);
  };
  const int64_t width = sizes.width;
  const at::Tensor residual = random({1, sizes.tokens, width}, at::kFloat);
  const at::Tensor x = random({1, sizes.tokens, width}, at::kBFloat16);
  const at::Tensor wide = random({1, sizes.tokens, sizes.ffn_width}, at::kBFloat16);
  const at::Tensor group = random({1, 1, width}, at::kFloat);
  const auto ms = [&](const std::function<void()>& work) { return Milliseconds(device, work); };
  json times;
  times["quantise_ms"] = ms([&] { QuantiseRows(x); });
  times["gelu_ms"] = ms([&] { ScaledGeluTanh(wide); });
  times["modulated_norm_ms"] = ms([&] { ScaledModulatedNorm(residual, group, group, {}, kEps); });
  times["gated_add_norm_ms"] =
      ms([&] { ScaledGatedAddNorm(residual, x, group, group, group, {}, kEps); });
  for (const auto& [name, outputs, inputs] : {std::tuple{"square", width, width},
                                              {"up", sizes.ffn_width, width},
                                              {"down", width, sizes.ffn_width}}) {
    const at::Tensor plain = inputs == width ? x : wide;
    const at::Tensor weight = random({outputs, inputs}, at::kBFloat16);
    const at::Tensor bias = random({outputs}, at::kBFloat16);
    const ScaledRows left = QuantiseRows(plain), right = QuantiseRows(weight);
    const std::string key = name;
    times[key + "_ms"] = ms([&] { ScaledProduct(left, right, bias); });
    times[key + "_bf16_ms"] = ms([&] { at::linear(plain, weight, bias); });
    times[key + "_error"] = ProductErrors(device, inputs);
    if (!HasScaledUnits(device)) continue;
    times[key + "_slower_sums_ms"] = ms([&] {
      at::_scaled_mm(left.values.flatten(0, 1), right.values.t(), left.scale.view({-1, 1}),
                     right.scale.view({1, -1}), bias, std::nullopt, at::kBFloat16,
                     /*use_fast_accum=*/false);
    });
  }
  return times;
}

}  // namespace aim
