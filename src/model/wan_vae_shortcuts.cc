#include "model/wan_vae_shortcuts.h"

#include <ATen/ATen.h>

#include "aim/base/error.h"

namespace aim {
namespace {

constexpr int64_t kPixels = 2;

// Cells whose frame index runs over [begin, frames): [B, T, H, W, I] into
// [B, T (frames - begin), 2 H, 2 W, O].
void AddCells(const at::Tensor& x, int64_t frames, int64_t begin, const at::Tensor& sum) {
  const int64_t out = sum.size(4);
  const int64_t cell = frames * kPixels * kPixels;
  const int64_t repeats = out * cell / x.size(4);
  const at::Tensor cells = sum.unflatten(3, {-1, kPixels})
                               .unflatten(2, {-1, kPixels})
                               .unflatten(1, {-1, frames - begin});  // [B, T, f, H, 2, W, 2, O]
  for (int64_t place = begin * kPixels * kPixels; place < cell; ++place) {
    const int64_t frame = place / (kPixels * kPixels);
    const int64_t row = place / kPixels % kPixels;
    const int64_t column = place % kPixels;
    const at::Tensor channels =
        (at::arange(out, x.options().dtype(at::kLong)) * cell + place).floor_divide(repeats);
    cells.select(6, column)
        .select(4, row)
        .select(2, frame - begin)
        .add_(repeats == cell ? x : x.index_select(4, channels));
  }
}

}  // namespace

at::Tensor AverageCells(const at::Tensor& x, int64_t out, int64_t frames, int64_t pixels) {
  const int64_t missing = (frames - x.size(1) % frames) % frames;
  const at::Tensor padded =
      missing == 0 ? x : at::constant_pad_nd(x, {0, 0, 0, 0, 0, 0, missing, 0});
  const at::Tensor cells = padded.unflatten(3, {-1, pixels})
                               .unflatten(2, {-1, pixels})
                               .unflatten(1, {-1, frames})  // [B, T, f, H, p, W, p, C]
                               .permute({0, 1, 3, 5, 7, 2, 4, 6})
                               .flatten(4);
  return cells.unflatten(4, {out, -1}).mean(-1);
}

void AddRepeated(const at::Tensor& x, int64_t frames, bool first, const at::Tensor& sum) {
  if (!first) {
    AddCells(x, frames, 0, sum);
    return;
  }
  AddCells(x.narrow(1, 0, 1), frames, frames - 1, sum.narrow(1, 0, 1));
  if (x.size(1) == 1) return;
  AddCells(x.narrow(1, 1, x.size(1) - 1), frames, 0, sum.narrow(1, 1, sum.size(1) - 1));
}

}  // namespace aim
