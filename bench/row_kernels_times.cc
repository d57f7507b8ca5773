#include "row_kernels_times.h"

#include <ATen/ATen.h>
#include <ATen/DeviceAccelerator.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <string>
#include <tuple>
#include <vector>

#include "aim/kernels/rows_plain.h"
#include "row_kernels.h"

namespace aim {

double Milliseconds(c10::Device device, const std::function<void()>& work) {
  constexpr int kRuns = 5, kMostCalls = 10;
  constexpr double kRunMs = 20;
  const auto wait = [&] {
    if (!device.is_cpu()) at::accelerator::synchronizeDevice(device.index());
  };
  const auto run = [&](int calls) {
    wait();
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < calls; ++i) work();
    wait();
    return 1e3 * std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() /
           calls;
  };
  run(1);
  const int calls = static_cast<int>(std::clamp(kRunMs / run(1), 1.0, double{kMostCalls}));
  std::vector<double> times;
  for (int i = 0; i < kRuns; ++i) times.push_back(run(calls));
  std::nth_element(times.begin(), times.begin() + kRuns / 2, times.end());
  return times[kRuns / 2];
}

namespace {

using nlohmann::json;
using row_ops::kEps;

class Random {
 public:
  explicit Random(c10::Device device) : device_(device) {}
  at::Tensor operator()(at::IntArrayRef shape, at::ScalarType dtype, double scale = 1) const {
    return at::randn(shape, at::TensorOptions().device(device_)).mul_(scale).to(dtype);
  }
  at::Tensor Weight(int64_t outputs, int64_t inputs) const {
    return (*this)({outputs, inputs}, at::kBFloat16, 1 / std::sqrt(static_cast<double>(inputs)));
  }

 private:
  c10::Device device_;
};

// [B, N, heads * d] as [B, heads, N, d].
at::Tensor SplitHeads(const at::Tensor& x, int64_t num_heads) {
  return x.unflatten(2, {num_heads, -1}).transpose(1, 2);
}
at::Tensor JoinHeads(const at::Tensor& x) { return x.transpose(1, 2).flatten(2); }

at::Tensor AttendByCudnn(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  if (q.is_cpu()) return at::scaled_dot_product_attention(q, k, v);
  return std::get<0>(at::_scaled_dot_product_cudnn_attention(q, k, v, std::nullopt,
                                                             /*compute_log_sumexp=*/false));
}

cuda::Rotation RandomRotation(const Random& random, const RowKernelSizes& sizes) {
  const at::Tensor angle =
      random({sizes.tokens, sizes.width / sizes.num_heads / 2}, at::kFloat, 10);
  return {angle.cos(), angle.sin(), sizes.num_heads};
}

// Each row kernel at the sizes of a network, beside the plain operations where there are such.
class RowKernelTimes {
 public:
  RowKernelTimes(c10::Device device, const RowKernelSizes& sizes)
      : device_(device),
        num_heads_(sizes.num_heads),
        count_(static_cast<double>(sizes.tokens * sizes.width)) {
    const Random random(device);
    const std::vector<int64_t> rows{1, sizes.tokens, sizes.width};
    const auto group = [&] { return random({1, 1, sizes.width}, at::kFloat, 0.3); };
    x_ = random(rows, at::kFloat);
    rounded_ = x_.to(at::kBFloat16);
    y_ = random(rows, at::kBFloat16);
    gate_ = group();
    weight_ = group().flatten();
    next_ = {group(), group(), random({1, sizes.frames, sizes.width}, at::kBFloat16)};
    rotation_ = RandomRotation(random, sizes);
    const at::Tensor qkv = random({1, sizes.tokens, 3 * sizes.width}, at::kBFloat16);
    q_ = qkv.narrow(2, 0, sizes.width);
    k_ = qkv.narrow(2, sizes.width, sizes.width);
    wide_ = random({1, sizes.tokens, sizes.ffn_width}, at::kBFloat16);
    d_wide_ = random({1, sizes.tokens, sizes.ffn_width}, at::kBFloat16);
  }

  void Forward() {
    Time(
        "modulated_norm", 6 * count_, [&] { row_ops::ModulatedNorm(x_, next_, at::kBFloat16); },
        [&] { PlainNorm(x_); });
    Time(
        "gated_add", 10 * count_, [&] { row_ops::GatedAdd(x_, y_, gate_); },
        [&] { GatedAddPlain(x_, y_, gate_); });
    Time(
        "gated_add_norm", 12 * count_, [&] { row_ops::GatedAddNorm(x_, y_, gate_, next_); },
        [&] { PlainNorm(GatedAddPlain(x_, y_, gate_)); });
    Time(
        "add_norm", 12 * count_, [&] { row_ops::GatedAddNorm(x_, y_, {}, next_); },
        [&] { PlainNorm(x_ + y_); });
    Time(
        "gated_add_norm_bf16_residual", 8 * count_,
        [&] { row_ops::GatedAddNorm(rounded_, y_, gate_, next_); },
        [&] { PlainNorm(GatedAddPlain(rounded_, y_, gate_)); });
    Time(
        "norm_rope_q_and_k", 8 * count_,
        [&] {
          row_ops::NormRope({q_, k_}, {weight_, weight_}, rotation_);
        },
        [&] {
          PlainRope(q_);
          PlainRope(k_);
        });
    Time(
        "norm", 4 * count_, [&] { row_ops::NormRope({y_}, {weight_}, {}); },
        [&] { NormRopePlain(y_, weight_, {}, {}, num_heads_, kEps); });
    Time(
        "gelu_in_place", 4 * static_cast<double>(wide_.numel()),
        [&] { row_ops::GeluTanhInPlace(wide_); }, [&] { GeluTanhPlain(wide_); });
  }

#ifdef AIM_ROW_KERNELS
  void Backward() {
    const cuda::GatedAddNormed out = cuda::GatedAddNorm(x_, y_, gate_, next_, kEps);
    const std::vector<cuda::RopeOutput> turned =
        cuda::NormRope({{q_, weight_}, {k_, weight_}}, rotation_, kEps);
    Time("modulated_norm_backward", 12 * count_,
         [&] { cuda::ModulatedNormBackward(y_, x_, next_, out.normed.stats); });
    Time("gated_add_backward", 8 * count_, [&] { cuda::GatedAddBackward(x_, y_, gate_); });
    Time("gated_add_norm_backward", 20 * count_, [&] {
      cuda::GatedAddNormBackward(x_, y_, {out.residual, out.normed.stats, y_, gate_, next_});
    });
    Time("norm_rope_q_and_k_backward", 12 * count_, [&] {
      cuda::NormRopeBackward(
          {{y_, q_, weight_, turned[0].inv_rms}, {y_, k_, weight_, turned[1].inv_rms}}, rotation_);
    });
    Time("gelu_backward", 6 * static_cast<double>(wide_.numel()),
         [&] { cuda::GeluTanhBackward(d_wide_, wide_); });
  }
#endif

  void Copy() {  // what a pass over the rows costs at least
    const at::Tensor copy = at::empty_like(x_);
    Time("copy", 8 * count_, [&] { copy.copy_(x_); });
  }

  const json& result() const { return result_; }

 private:
  void Time(const char* name, double bytes, const std::function<void()>& work,
            const std::function<void()>& plain = {}) {
    json& found = result_[name];
    const double ms = Milliseconds(device_, work);
    found = {{"ms", ms}, {"gb_per_s", 1e-6 * bytes / ms}};
    if (!plain) return;
    const double plain_ms = Milliseconds(device_, plain);
    found["plain_ms"] = plain_ms;
    found["times_faster"] = plain_ms / ms;
  }
  at::Tensor PlainNorm(const at::Tensor& sum) const {
    return ModulatedNormPlain(sum, next_.shift, next_.scale, next_.camera, at::kBFloat16, kEps);
  }
  at::Tensor PlainRope(const at::Tensor& one) const {
    return NormRopePlain(one.contiguous(), weight_, rotation_.cos, rotation_.sin, num_heads_, kEps);
  }

  c10::Device device_;
  int64_t num_heads_;
  double count_;  // numbers in the rows
  at::Tensor x_, rounded_, y_, gate_, weight_, q_, k_, wide_, d_wide_;
  cuda::Modulation next_;
  cuda::Rotation rotation_;
  json result_ = json::object();
};

}  // namespace

json TimeRowKernels(c10::Device device, const RowKernelSizes& sizes) {
  RowKernelTimes times(device, sizes);
  times.Forward();
#ifdef AIM_ROW_KERNELS
  times.Backward();
#endif
  times.Copy();
  return times.result();
}

json TimeBuildingBlocks(c10::Device device, const RowKernelSizes& sizes) {
  const Random random(device);
  const auto ms = [&](const std::function<void()>& work) { return Milliseconds(device, work); };
  const auto bf16 = at::kBFloat16;
  const int64_t width = sizes.width;
  const at::Tensor x = random({sizes.tokens, width}, bf16);
  const at::Tensor up = random.Weight(sizes.ffn_width, width);
  const at::Tensor up_bias = random({sizes.ffn_width}, bf16);
  json times;
  times["up_ms"] = ms([&] { at::linear(x, up, up_bias); });
  times["up_then_gelu_ms"] = ms([&] {
    at::Tensor hidden = at::linear(x, up, up_bias);
    row_ops::GeluTanhInPlace(hidden);
  });
  times["up_with_gelu_ms"] =
      ms([&] { at::_addmm_activation(up_bias, x, up.t(), 1, 1, /*use_gelu=*/true); });
  {
    // Which GELU the product applies, in float32, where the two differ by 5e-4.
    const at::Tensor few = random({64, width}, at::kFloat),
                     weight = up.narrow(0, 0, 64).to(at::kFloat);
    const at::Tensor bias = random({64}, at::kFloat);
    const at::Tensor got = at::_addmm_activation(bias, few, weight.t(), 1, 1, true);
    const at::Tensor sum = at::addmm(bias, few, weight.t());
    const auto difference = [&](const char* form) {
      return (got - at::gelu(sum, form)).abs().max().item<double>();
    };
    times["gelu_in_product_from_tanh"] = difference("tanh");
    times["gelu_in_product_from_erf"] = difference("none");
  }
  const at::Tensor one = random.Weight(width, width), three = random.Weight(3 * width, width);
  times["three_products_ms"] = ms([&] {
    for (int i = 0; i < 3; ++i) at::linear(x, one);
  });
  times["qkv_product_ms"] = ms([&] { at::linear(x, three); });

  const auto heads = [&](int64_t rows) {
    return SplitHeads(random({1, rows, width}, bf16), sizes.num_heads);
  };
  const at::Tensor q = heads(sizes.tokens), k = heads(sizes.tokens), v = heads(sizes.tokens);
  const at::Tensor key = heads(sizes.text_length), value = heads(sizes.text_length);
  const at::Tensor strided_v = SplitHeads(
      random({1, sizes.tokens, 3 * width}, bf16).narrow(2, 2 * width, width), sizes.num_heads);
  times["attention_default_ms"] = ms([&] { at::scaled_dot_product_attention(q, k, v); });
  times["attention_cudnn_ms"] = ms([&] { AttendByCudnn(q, k, v); });
  times["attention_cudnn_strided_v_ms"] = ms([&] { AttendByCudnn(q, k, strided_v); });
  times["cross_default_ms"] = ms([&] { at::scaled_dot_product_attention(q, key, value); });
  times["cross_cudnn_ms"] = ms([&] { AttendByCudnn(q, key, value); });
  const at::Tensor attended = AttendByCudnn(q, k, v);
  times["attention_is_laid_out_as_rows"] = attended.transpose(1, 2).is_contiguous();
  times["attention_difference"] =
      (attended - at::scaled_dot_product_attention(q, k, v)).abs().max().item<double>();
  return times;
}

namespace {

struct Linear {
  at::Tensor weight, bias;
  at::Tensor operator()(const at::Tensor& x) const { return at::linear(x, weight, bias); }
};

struct BlockWeights {
  Linear q, k, v, qkv, o, projector, cross_q, cross_o, up, down;
  at::Tensor norm_q, norm_k, cross_norm_q;
  std::vector<at::Tensor> modulation;  // six [1, 1, D]
  at::Tensor norm3_shift, norm3_scale, camera, text_key, text_value;
  cuda::Rotation rotation;
};

BlockWeights RandomBlock(const Random& random, const RowKernelSizes& sizes) {
  const int64_t width = sizes.width;
  const auto linear = [&](int64_t outputs, int64_t inputs) {
    return Linear{random.Weight(outputs, inputs), random({outputs}, at::kBFloat16, 0.1)};
  };
  const auto scales = [&] { return random({width}, at::kFloat, 0.2).add_(1); };
  const auto group = [&] { return random({1, 1, width}, at::kFloat, 0.3); };
  BlockWeights w;
  w.qkv = linear(3 * width, width);
  const auto part = [&](int64_t i) {
    return Linear{w.qkv.weight.narrow(0, i * width, width), w.qkv.bias.narrow(0, i * width, width)};
  };
  w.q = part(0);
  w.k = part(1);
  w.v = part(2);
  w.o = linear(width, width);
  w.projector = linear(width, width);
  w.cross_q = linear(width, width);
  w.cross_o = linear(width, width);
  w.up = linear(sizes.ffn_width, width);
  w.down = linear(width, sizes.ffn_width);
  w.norm_q = scales();
  w.norm_k = scales();
  w.cross_norm_q = scales();
  for (int i = 0; i < 6; ++i) w.modulation.push_back(group());
  w.norm3_shift = group();
  w.norm3_scale = group();
  w.camera = random({1, sizes.frames, width}, at::kBFloat16);
  w.text_key = SplitHeads(random({1, sizes.text_length, width}, at::kBFloat16), sizes.num_heads);
  w.text_value = SplitHeads(random({1, sizes.text_length, width}, at::kBFloat16), sizes.num_heads);
  w.rotation = RandomRotation(random, sizes);
  return w;
}

// A residual stream and its normed rows, as the next block wants them.
row_ops::Added FusedBlock(const BlockWeights& w, const row_ops::Added& in, bool gelu_in_product) {
  const int64_t heads = w.rotation.num_heads, width = in.rows.size(2);
  const at::Tensor qkv = w.qkv(in.rows);
  const std::vector<at::Tensor> turned = row_ops::NormRope(
      {qkv.narrow(2, 0, width), qkv.narrow(2, width, width)}, {w.norm_q, w.norm_k}, w.rotation);
  const at::Tensor attended =
      AttendByCudnn(SplitHeads(turned[0], heads), SplitHeads(turned[1], heads),
                    SplitHeads(qkv.narrow(2, 2 * width, width), heads));
  const row_ops::Added a =
      row_ops::GatedAddNorm(in.residual, w.projector(w.o(JoinHeads(attended))), w.modulation[2],
                            {w.norm3_shift, w.norm3_scale, {}});
  const at::Tensor query =
      row_ops::NormRope({w.cross_q(a.rows)}, {w.cross_norm_q}, {{}, {}, heads})[0];
  const at::Tensor crossed = AttendByCudnn(SplitHeads(query, heads), w.text_key, w.text_value);
  const row_ops::Added b = row_ops::GatedAddNorm(a.residual, w.cross_o(JoinHeads(crossed)), {},
                                                 {w.modulation[3], w.modulation[4], {}});
  at::Tensor hidden;
  if (gelu_in_product) {
    hidden = at::_addmm_activation(w.up.bias, b.rows.flatten(0, 1), w.up.weight.t(), 1, 1, true)
                 .unsqueeze(0);
  } else {
    hidden = w.up(b.rows);
    row_ops::GeluTanhInPlace(hidden);
  }
  return row_ops::GatedAddNorm(b.residual, w.down(hidden), w.modulation[5],
                               {w.modulation[0], w.modulation[1], w.camera});
}

// The same as a build without our kernels runs it.
at::Tensor PlainBlock(const BlockWeights& w, const at::Tensor& residual) {
  const int64_t heads = w.rotation.num_heads;
  const auto norm = [&](const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                        const at::Tensor& camera) {
    return ModulatedNormPlain(x, shift, scale, camera, at::kBFloat16, kEps);
  };
  const auto turn = [&](const at::Tensor& x, const at::Tensor& weight) {
    return SplitHeads(NormRopePlain(x, weight, w.rotation.cos, w.rotation.sin, heads, kEps), heads);
  };
  const at::Tensor a = norm(residual, w.modulation[0], w.modulation[1], w.camera);
  const at::Tensor attended = at::scaled_dot_product_attention(
      turn(w.q(a), w.norm_q), turn(w.k(a), w.norm_k), SplitHeads(w.v(a), heads));
  at::Tensor x = GatedAddPlain(residual, w.projector(w.o(JoinHeads(attended))), w.modulation[2]);
  const at::Tensor query = NormRopePlain(w.cross_q(norm(x, w.norm3_shift, w.norm3_scale, {})),
                                         w.cross_norm_q, {}, {}, heads, kEps);
  const at::Tensor crossed =
      at::scaled_dot_product_attention(SplitHeads(query, heads), w.text_key, w.text_value);
  x = x + w.cross_o(JoinHeads(crossed));
  const at::Tensor b = norm(x, w.modulation[3], w.modulation[4], {});
  return GatedAddPlain(x, w.down(GeluTanhPlain(w.up(b))), w.modulation[5]);
}

}  // namespace

json TimeBlock(c10::Device device, const RowKernelSizes& sizes) {
  const Random random(device);
  const BlockWeights w = RandomBlock(random, sizes);
  const at::Tensor residual = random({1, sizes.tokens, sizes.width}, at::kFloat);
  const row_ops::Added in{
      residual, row_ops::ModulatedNorm(residual, {w.modulation[0], w.modulation[1], w.camera},
                                       at::kBFloat16)};
  const auto ms = [&](const std::function<void()>& work) { return Milliseconds(device, work); };
  const double fused = ms([&] { FusedBlock(w, in, false); });
  const double with_gelu = ms([&] { FusedBlock(w, in, true); });
  const double plain = ms([&] { PlainBlock(w, residual); });
  const at::Tensor expected = PlainBlock(w, residual);
  const at::Tensor got = FusedBlock(w, in, true).residual;
  const double error =
      ((got - expected).abs().max() / (expected - residual).abs().max()).item<double>();
  const double layers = static_cast<double>(sizes.num_layers);
  return {{"fused_ms", fused},
          {"fused_gelu_in_product_ms", with_gelu},
          {"plain_ms", plain},
          {"difference", error},
          {"forward_of_all_ms", layers * std::min(fused, with_gelu)},
          {"plain_forward_of_all_ms", layers * plain}};
}

}  // namespace aim
