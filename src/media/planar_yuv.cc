#include "media/planar_yuv.h"

#include <zimg.h>

#include <algorithm>
#include <array>
#include <bit>
#include <new>

#include "aim/base/error.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace aim {
namespace {

constexpr size_t kAlignment = 32;  // bytes, of zimg's rows and planes

const AVPixFmtDescriptor* Described(const AVFrame& frame) {
  return av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
}

bool KnowsMatrix(AVColorSpace space) {
  switch (space) {
    case AVCOL_SPC_UNSPECIFIED:
    case AVCOL_SPC_BT709:
    case AVCOL_SPC_FCC:
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
    case AVCOL_SPC_SMPTE240M:
    case AVCOL_SPC_BT2020_NCL:
      return true;
    default:
      return false;
  }
}

// Both number them as H.273 does. What is untagged is read as BT.601, as OpenCV and libav's own
// tools do.
zimg_matrix_coefficients_e MatrixOf(AVColorSpace space) {
  if (space == AVCOL_SPC_UNSPECIFIED) return ZIMG_MATRIX_BT470_BG;
  return static_cast<zimg_matrix_coefficients_e>(space);
}

// Only the matrix is changed: light and primaries stay what they are.
zimg_image_format FormatOf(const AVFrame& frame) {
  zimg_image_format format;
  zimg_image_format_default(&format, ZIMG_API_VERSION);
  format.width = static_cast<unsigned>(frame.width);
  format.height = static_cast<unsigned>(frame.height);
  format.transfer_characteristics = ZIMG_TRANSFER_BT709;
  format.color_primaries = ZIMG_PRIMARIES_BT709;
  return format;
}

zimg_image_format YuvFormat(const AVFrame& frame) {
  const AVPixFmtDescriptor& described = *Described(frame);
  zimg_image_format format = FormatOf(frame);
  format.color_family = ZIMG_COLOR_YUV;
  format.depth = static_cast<unsigned>(described.comp[0].depth);
  format.pixel_type = format.depth == 8 ? ZIMG_PIXEL_BYTE : ZIMG_PIXEL_WORD;
  format.subsample_w = described.log2_chroma_w;
  format.subsample_h = described.log2_chroma_h;
  format.matrix_coefficients = MatrixOf(frame.colorspace);
  format.pixel_range = HasFullRange(frame) ? ZIMG_RANGE_FULL : ZIMG_RANGE_LIMITED;
  // Encoders that swscale feeds with RGB (libav's tools, PyAV, and so LeRobot) put chroma in the
  // middle of its pixels and do not say so; libav's tools show it there whatever a stream says.
  format.chroma_location = ZIMG_CHROMA_CENTER;
  return format;
}

zimg_image_format RgbFormat(const AVFrame& frame) {
  zimg_image_format format = FormatOf(frame);
  format.color_family = ZIMG_COLOR_RGB;
  format.pixel_type = ZIMG_PIXEL_BYTE;
  format.depth = 8;
  format.matrix_coefficients = ZIMG_MATRIX_RGB;
  format.pixel_range = ZIMG_RANGE_FULL;
  return format;
}

bool IsAligned(const AVFrame& frame) {
  for (size_t plane = 0; plane < 3; ++plane) {
    if (std::bit_cast<uintptr_t>(frame.data[plane]) % kAlignment != 0) return false;
    if (frame.linesize[plane] <= 0) return false;  // from the bottom up
    if (static_cast<size_t>(frame.linesize[plane]) % kAlignment != 0) return false;
  }
  return true;
}

struct AlignedDelete {
  void operator()(uint8_t* bytes) const {
    ::operator delete[](bytes, std::align_val_t{kAlignment});
  }
};
using AlignedBytes = std::unique_ptr<uint8_t[], AlignedDelete>;

AlignedBytes MakeAligned(size_t count) {
  return AlignedBytes(new (std::align_val_t{kAlignment}) uint8_t[count]);
}

}  // namespace

bool HasFullRange(const AVFrame& frame) {
  switch (frame.format) {
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_YUVJ440P:
    case AV_PIX_FMT_YUVJ411P:
      return true;
    default:
      return frame.color_range == AVCOL_RANGE_JPEG;
  }
}

class PlanarYuv::Graph {
 public:
  explicit Graph(const AVFrame& like)
      : stride_((static_cast<size_t>(like.width) + kAlignment - 1) / kAlignment * kAlignment),
        plane_bytes_(stride_ * static_cast<size_t>(like.height)) {
    const zimg_image_format from = YuvFormat(like);
    const zimg_image_format to = RgbFormat(like);
    zimg_graph_builder_params params;
    zimg_graph_builder_params_default(&params, ZIMG_API_VERSION);
    params.resample_filter_uv = ZIMG_RESIZE_BICUBIC;
    params.filter_param_a_uv = 0;  // libav's cubic
    params.filter_param_b_uv = 0.6;
    params.cpu_type = ZIMG_CPU_AUTO;
    graph_.reset(zimg_filter_graph_build(&from, &to, &params));
    if (graph_ == nullptr) return;
    size_t scratch_bytes = 0;
    zimg_filter_graph_get_tmp_size(graph_.get(), &scratch_bytes);
    scratch_ = MakeAligned(scratch_bytes);
    planes_ = MakeAligned(3 * plane_bytes_);
  }

  // Returns false if zimg refuses it.
  bool Run(const AVFrame& frame) {
    if (graph_ == nullptr) return false;
    zimg_image_buffer_const from = {.version = ZIMG_API_VERSION, .plane = {}};
    zimg_image_buffer to = {.version = ZIMG_API_VERSION, .plane = {}};
    for (size_t plane = 0; plane < 3; ++plane) {
      from.plane[plane] = {frame.data[plane], frame.linesize[plane], ZIMG_BUFFER_MAX};
      to.plane[plane] = {planes_.get() + plane * plane_bytes_, static_cast<ptrdiff_t>(stride_),
                         ZIMG_BUFFER_MAX};
    }
    return zimg_filter_graph_process(graph_.get(), &from, &to, scratch_.get(), nullptr, nullptr,
                                     nullptr, nullptr) == ZIMG_ERROR_SUCCESS;
  }

  void Interleave(int width, int height, uint8_t* rgb, ptrdiff_t stride) const {
    for (int row = 0; row < height; ++row) {
      const uint8_t* red = planes_.get() + static_cast<size_t>(row) * stride_;
      const uint8_t* green = red + plane_bytes_;
      const uint8_t* blue = green + plane_bytes_;
      uint8_t* out = rgb + row * stride;
      for (int col = 0; col < width; ++col) {
        out[3 * col] = red[col];
        out[3 * col + 1] = green[col];
        out[3 * col + 2] = blue[col];
      }
    }
  }

 private:
  struct FreeGraph {
    void operator()(zimg_filter_graph* graph) const { zimg_filter_graph_free(graph); }
  };

  size_t stride_;
  size_t plane_bytes_;
  std::unique_ptr<zimg_filter_graph, FreeGraph> graph_;
  AlignedBytes scratch_;
  AlignedBytes planes_;
};

bool PlanarYuv::Takes(const AVFrame& frame) {
  const AVPixFmtDescriptor* described = Described(frame);
  if (described == nullptr || described->nb_components != 3) return false;
  constexpr uint64_t kOthers = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_BE | AV_PIX_FMT_FLAG_PAL |
                               AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_HWACCEL |
                               AV_PIX_FMT_FLAG_FLOAT;
  if ((described->flags & kOthers) != 0) return false;
  for (int i = 0; i < 3; ++i) {
    const AVComponentDescriptor& component = described->comp[i];
    const int bytes = component.depth == 8 ? 1 : 2;
    if (component.plane != i || component.step != bytes || component.shift != 0) return false;
  }
  const int chroma_w = described->log2_chroma_w;
  const int chroma_h = described->log2_chroma_h;
  const bool is_whole = frame.width % (1 << chroma_w) == 0 && frame.height % (1 << chroma_h) == 0;
  return chroma_w <= 2 && chroma_h <= 2 && is_whole && KnowsMatrix(frame.colorspace);
}

PlanarYuv::PlanarYuv(const AVFrame& like) : graph_(std::make_unique<Graph>(like)) {
  AIM_CHECK(Takes(like));
}

PlanarYuv::~PlanarYuv() = default;

bool PlanarYuv::Convert(const AVFrame& frame, uint8_t* rgb, ptrdiff_t stride) {
  const AVFrame* source = &frame;
  if (!IsAligned(frame)) {
    if (aligned_ == nullptr) {
      aligned_.reset(av_frame_alloc());
      AIM_CHECK(aligned_ != nullptr);
      aligned_->format = frame.format;
      aligned_->width = frame.width;
      aligned_->height = frame.height;
      if (av_frame_get_buffer(aligned_.get(), kAlignment) < 0) return false;
    }
    if (av_frame_copy(aligned_.get(), &frame) < 0) return false;
    source = aligned_.get();
  }
  if (!graph_->Run(*source)) return false;
  graph_->Interleave(frame.width, frame.height, rgb, stride);
  return true;
}

}  // namespace aim
