#include "data/stored_pictures.h"

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/media/image.h"
#include "aim/media/picture_folder.h"

namespace aim {

StoredPictures::StoredPictures(const std::filesystem::path& path, const std::string& column,
                               int64_t first_row, int num_frames, double fps)
    : where_(path.string() + ": " + column), rows_(path, column), first_row_(first_row) {
  AIM_CHECK(first_row >= 0 && num_frames > 0 && fps > 0);
  if (first_row + num_frames > rows_.num_rows()) {
    throw InputError({.where = where_,
                      .got = "with " + CountText(rows_.num_rows(), "row"),
                      .expected = std::to_string(first_row + num_frames) + " for the episode",
                      .fix = "copy or write the data set again"});
  }
  const Image first =
      DecodeImage(rows_.Row(first_row), where_ + " in row " + std::to_string(first_row));
  info_.format = {first.width, first.height, fps};
  info_.num_frames = num_frames;
  for (int k = 0; k < num_frames; ++k) info_.times_s.push_back(k / fps);
}

void StoredPictures::VisitFrames(int begin, int end, int stride, const Visit& visit) {
  AIM_CHECK(begin >= 0 && end > begin && end <= info_.num_frames && stride > 0);
  for (int frame = begin; frame < end; frame += stride) {
    const int64_t row = first_row_ + frame;
    const std::string where = where_ + " in row " + std::to_string(row);
    const Image image = DecodeImage(rows_.Row(row), where);
    RequireFrameSize(image, info_.format, where);
    visit(frame, image.rgb);
  }
}

}  // namespace aim
