#include "aim/media/image.h"

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/media/file_names.h"
#include "media/image_mat.h"

namespace aim {
namespace {

// Is the end there? OpenCV reads a JPEG that is cut short as a picture with a grey rest.
bool IsWhole(const std::string& bytes) {
  const bool png = bytes.starts_with("\x89PNG");
  const bool jpeg = bytes.starts_with("\xff\xd8");
  if (!png && !jpeg) return true;  // judged by the decoder
  const size_t end = bytes.rfind(png ? "IEND" : "\xff\xd9");
  constexpr size_t kMaxTrailer = 4096;  // some cameras append data of their own
  return end != std::string::npos && bytes.size() - end <= kMaxTrailer;
}

// Empty if the bytes are no picture (OpenCV throws on some of them, returns nothing on others).
cv::Mat DecodeBgr(const std::string& bytes) {
  if (bytes.empty() || !IsWhole(bytes)) return {};
  const cv::Mat encoded(1, static_cast<int>(bytes.size()), CV_8U,
                        const_cast<char*>(bytes.data()));  // imdecode only reads it
  try {
    return cv::imdecode(encoded, cv::IMREAD_COLOR);
  } catch (const cv::Exception&) {
    return {};
  }
}

std::string Encode(const Image& image, const std::string& extension, int jpeg_quality) {
  AIM_CHECK(image.width > 0 && image.height > 0 &&
            image.rgb.size() == Image(image.width, image.height).rgb.size());
  cv::Mat bgr;
  cv::cvtColor(MatOf(image), bgr, cv::COLOR_RGB2BGR);
  std::vector<uint8_t> encoded;
  AIM_CHECK(cv::imencode(extension, bgr, encoded, {cv::IMWRITE_JPEG_QUALITY, jpeg_quality}));
  return {encoded.begin(), encoded.end()};
}

}  // namespace

Image ReadImage(const std::filesystem::path& path) {
  return DecodeImage(ReadFile(path), path.string());
}

Image DecodeImage(const std::string& bytes, const std::string& where) {
  const cv::Mat bgr = DecodeBgr(bytes);
  if (bgr.empty()) {
    throw FormatError(
        {.where = where,
         .got = "of " + std::to_string(bytes.size()) + " bytes that are no whole picture",
         .expected = "a PNG or JPEG picture",
         .fix = "write or copy the file again"});
  }
  Image image(bgr.cols, bgr.rows);
  cv::Mat rgb = MatOf(image);
  cv::cvtColor(bgr, rgb, cv::COLOR_BGR2RGB);
  return image;
}

void WriteImage(const std::filesystem::path& path, const Image& image) {
  const std::string extension = LowerExtension(path);
  if (extension != ".png" && extension != ".jpg" && extension != ".jpeg") {
    throw ConfigError({.where = path.string(),
                       .got = "a picture name ending in \"" + extension + "\"",
                       .expected = ".png, .jpg or .jpeg",
                       .fix = "rename it"});
  }
  WriteFileAtomic(path, Encode(image, extension, 95));
}

std::string EncodeJpeg(const Image& image, int quality) { return Encode(image, ".jpg", quality); }

}  // namespace aim
