#include "kernels/winograd.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <vector>

#include "aim/base/error.h"
#include "kernels/winograd_loops.h"

namespace aim {
namespace {

// Tiles and frames that go through one matrix product, so that scratch stays near the caches.
constexpr int64_t kTilesAtOnce = 256;
constexpr int64_t kFramesAtOnce = 4;

// U = G g G^T of every pair of channels: [9, K I, O] -> [16 or 9, K I, O].
at::Tensor TransformTaps(const at::Tensor& taps, bool doubled) {
  static constexpr float kG[4][3] = {{1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}};
  const std::vector<int> rows = doubled ? std::vector<int>{0, 1, 3} : std::vector<int>{0, 1, 2, 3};
  const auto side = static_cast<int64_t>(rows.size());
  at::Tensor matrix = at::empty({side * side, 9}, at::kFloat);
  float* out = matrix.data_ptr<float>();
  for (const int i : rows) {
    for (const int j : rows) {
      for (int tap = 0; tap < 9; ++tap) *out++ = kG[i][tap / 3] * kG[j][tap % 3];
    }
  }
  return at::mm(matrix, taps.flatten(1)).view({side * side, taps.size(1), taps.size(2)});
}

struct Problem {
  int64_t height, width;     // of the input
  int64_t in, out;           // channels
  int64_t kernel_frames;     // K
  int64_t tiles_y, tiles_x;  // of 2 x 2 result pixels
  int64_t components;        // 16 or 9
  bool doubled;

  int64_t num_tiles() const { return tiles_y * tiles_x; }
};

// Fewer tiles than this are not worth another thread.
int64_t TilesAThread(const Problem& p) {
  return std::max<int64_t>(1, 4096 / std::max(p.in, p.out));
}

// Input components of tiles [first, first + count) and `num_frames` frames from `frames` on:
// out [components, count, num_frames, in].
void TransformInput(const Problem& p, const float* frames, int64_t num_frames, int64_t first,
                    int64_t count, float* out) {
  const std::vector<float> zeros(static_cast<size_t>(p.in), 0.0f);
  const int64_t reach = p.doubled ? 3 : 4;
  const int64_t step = p.doubled ? 1 : 2;
  const int64_t stride = count * num_frames * p.in;
  at::parallel_for(0, count, TilesAThread(p), [&](int64_t begin, int64_t end) {
    std::array<const float*, 16> pixels{};
    for (int64_t tile = begin; tile < end; ++tile) {
      const int64_t top = (first + tile) / p.tiles_x * step - 1;
      const int64_t left = (first + tile) % p.tiles_x * step - 1;
      for (int64_t frame = 0; frame < num_frames; ++frame) {
        const float* const picture = frames + frame * p.height * p.width * p.in;
        for (int64_t k = 0; k < reach * reach; ++k) {
          const int64_t y = top + k / reach;
          const int64_t x = left + k % reach;
          const bool inside = y >= 0 && y < p.height && x >= 0 && x < p.width;
          pixels[static_cast<size_t>(k)] =
              inside ? picture + (y * p.width + x) * p.in : zeros.data();
        }
        float* const target = out + (tile * num_frames + frame) * p.in;
        (p.doubled ? rows::WinogradInputDoubled : rows::WinogradInput)(pixels.data(), target,
                                                                       stride, p.in);
      }
    }
  });
}

// in [components, count, out channels] -> the pixels of those tiles in one result frame.
void TransformOutput(const Problem& p, const float* in, const float* bias, int64_t first,
                     int64_t count, float* picture) {
  const int64_t height = p.doubled ? 2 * p.height : p.height;
  const int64_t width = p.doubled ? 2 * p.width : p.width;
  const int64_t stride = count * p.out;
  at::parallel_for(0, count, TilesAThread(p), [&](int64_t begin, int64_t end) {
    std::vector<float> outside(static_cast<size_t>(p.out));
    std::array<float*, 4> pixels{};
    for (int64_t tile = begin; tile < end; ++tile) {
      const int64_t top = (first + tile) / p.tiles_x * 2;
      const int64_t left = (first + tile) % p.tiles_x * 2;
      for (int64_t k = 0; k < 4; ++k) {
        const int64_t y = top + k / 2;
        const int64_t x = left + k % 2;
        pixels[static_cast<size_t>(k)] =
            y < height && x < width ? picture + (y * width + x) * p.out : outside.data();
      }
      (p.doubled ? rows::WinogradOutputDoubled : rows::WinogradOutput)(in + tile * p.out, stride,
                                                                       bias, pixels.data(), p.out);
    }
  });
}

// One batch item: frames [num_frames + K - 1, H, W, I] -> result [num_frames, ...].
void Convolve(const Problem& p, const float* frames, int64_t num_frames, const at::Tensor& weights,
              const float* bias, float* result) {
  const int64_t frame_size = p.height * p.width * p.in;
  const int64_t result_size = p.height * p.width * p.out * (p.doubled ? 4 : 1);
  const int64_t most_tiles = std::min(kTilesAtOnce, p.num_tiles());
  const int64_t most_frames = std::min(kFramesAtOnce, num_frames) + p.kernel_frames - 1;
  const at::Tensor v = at::empty({p.components * most_tiles * most_frames * p.in}, at::kFloat);
  const at::Tensor m = at::empty({p.components * most_tiles * p.out}, at::kFloat);
  for (int64_t frame = 0; frame < num_frames; frame += kFramesAtOnce) {
    const int64_t made = std::min(kFramesAtOnce, num_frames - frame);
    const int64_t read = made + p.kernel_frames - 1;
    for (int64_t first = 0; first < p.num_tiles(); first += kTilesAtOnce) {
      const int64_t count = std::min(kTilesAtOnce, p.num_tiles() - first);
      TransformInput(p, frames + frame * frame_size, read, first, count, v.data_ptr<float>());
      at::Tensor products =
          m.narrow(0, 0, p.components * count * p.out).view({p.components, count, p.out});
      for (int64_t i = 0; i < made; ++i) {
        // K frames of a tile lie one behind the other: one long row.
        const at::Tensor rows_of_frame =
            v.as_strided({p.components, count, p.kernel_frames * p.in},
                         {count * read * p.in, read * p.in, 1}, i * p.in);
        at::bmm_out(products, rows_of_frame, weights);
        TransformOutput(p, products.data_ptr<float>(), bias, first, count,
                        result + (frame + i) * result_size);
      }
    }
  }
}

at::Tensor Run(const at::Tensor& x, const at::Tensor& taps, const at::Tensor& bias, bool doubled) {
  AIM_CHECK(x.dim() == 5 && x.is_contiguous() && x.scalar_type() == at::kFloat && x.is_cpu());
  AIM_CHECK(taps.dim() == 3 && taps.size(0) == 9 && taps.size(1) % x.size(4) == 0);
  Problem p{.height = x.size(2),
            .width = x.size(3),
            .in = x.size(4),
            .out = taps.size(2),
            .kernel_frames = taps.size(1) / x.size(4),
            .tiles_y = doubled ? x.size(2) : (x.size(2) + 1) / 2,
            .tiles_x = doubled ? x.size(3) : (x.size(3) + 1) / 2,
            .components = doubled ? 9 : 16,
            .doubled = doubled};
  const int64_t scale = doubled ? 2 : 1;
  const int64_t num_frames = x.size(1) - p.kernel_frames + 1;
  const at::Tensor weights = TransformTaps(taps, doubled);
  const at::Tensor offsets = bias.contiguous();
  at::Tensor result =
      at::empty({x.size(0), num_frames, p.height * scale, p.width * scale, p.out}, x.options());
  for (int64_t item = 0; item < x.size(0); ++item) {
    Convolve(p, x[item].const_data_ptr<float>(), num_frames, weights,
             offsets.const_data_ptr<float>(), result[item].data_ptr<float>());
  }
  return result;
}

}  // namespace

at::Tensor WinogradTaps(const at::Tensor& weight) {
  AIM_CHECK(weight.dim() == 5 && weight.size(3) == 3 && weight.size(4) == 3);
  return weight.permute({3, 4, 2, 1, 0})
      .reshape({9, weight.size(2) * weight.size(1), weight.size(0)})
      .contiguous();
}

at::Tensor WinogradConv(const at::Tensor& x, const at::Tensor& taps, const at::Tensor& bias) {
  return Run(x, taps, bias, /*doubled=*/false);
}

at::Tensor WinogradUpsampleConv(const at::Tensor& x, const at::Tensor& taps,
                                const at::Tensor& bias) {
  AIM_CHECK(taps.size(1) == x.size(4));
  return Run(x, taps, bias, /*doubled=*/true);
}

int64_t WinogradScratchBytes(int64_t in, int64_t out, int64_t kernel_frames, int64_t num_frames,
                             int64_t num_tiles) {
  const int64_t tiles = std::min(kTilesAtOnce, num_tiles);
  const int64_t frames = std::min(kFramesAtOnce, num_frames) + kernel_frames - 1;
  const int64_t values = kernel_frames * in * out + tiles * (frames * in + out);
  return 16 * values * static_cast<int64_t>(sizeof(float));
}

}  // namespace aim
