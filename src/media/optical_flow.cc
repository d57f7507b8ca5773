#include "aim/media/optical_flow.h"

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/video/tracking.hpp>
#include <utility>

#include "aim/base/error.h"
#include "media/image_mat.h"

namespace aim {
namespace {

constexpr int kCellPx = 2;
constexpr int kLeastFlowPx = 32;  // the coarsest level of the search needs some patches

cv::Mat Grey(const Image& image) {
  cv::Mat grey;
  cv::cvtColor(MatOf(image), grey, cv::COLOR_RGB2GRAY);
  return grey;
}

}  // namespace

FlowField::FlowField(int rows, int columns, std::vector<float> cells)
    : rows_(rows), columns_(columns), cells_(std::move(cells)) {
  AIM_CHECK(rows > 0 && columns > 0 &&
            cells_.size() == 2 * static_cast<size_t>(rows) * static_cast<size_t>(columns));
}

Eigen::Vector2d FlowField::At(const Eigen::Vector2d& point) const {
  const int row = std::clamp(static_cast<int>(point.y() * rows_), 0, rows_ - 1);
  const int column = std::clamp(static_cast<int>(point.x() * columns_), 0, columns_ - 1);
  const size_t cell =
      2 * (static_cast<size_t>(row) * static_cast<size_t>(columns_) + static_cast<size_t>(column));
  return {static_cast<double>(cells_[cell]) / (kCellPx * columns_),
          static_cast<double>(cells_[cell + 1]) / (kCellPx * rows_)};
}

FlowField OpticalFlow(const Image& from, const Image& to) {
  AIM_CHECK(from.width == to.width && from.height == to.height);
  AIM_CHECK(std::min(from.width, from.height) >= kLeastFlowPx);
  const cv::Ptr<cv::DISOpticalFlow> search =
      cv::DISOpticalFlow::create(cv::DISOpticalFlow::PRESET_MEDIUM);
  search->setUseSpatialPropagation(false);
  cv::Mat flow;
  search->calc(Grey(from), Grey(to), flow);
  cv::Mat cells;
  cv::resize(flow, cells, {from.width / kCellPx, from.height / kCellPx}, 0, 0, cv::INTER_AREA);
  AIM_CHECK(cells.isContinuous() && cells.type() == CV_32FC2);
  const auto* begin = cells.ptr<float>();
  return {cells.rows, cells.cols, {begin, begin + 2 * cells.total()}};
}

}  // namespace aim
