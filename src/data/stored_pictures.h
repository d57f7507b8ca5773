// Pictures that are stored in the rows of a Parquet file, read as the frames of a video.
#pragma once

#include <filesystem>
#include <string>

#include "aim/media/frame_reader.h"
#include "data/parquet_bytes.h"

namespace aim {

// Rows [first_row, first_row + num_frames) of a column of PNG or JPEG files; frame k is shown at
// k / fps.
class StoredPictures : public FrameReader {
 public:
  // Throws what ParquetBytes does, and FormatError naming file, column and row if the first picture
  // is none; InputError if the file ends before the last row.
  StoredPictures(const std::filesystem::path& path, const std::string& column, int64_t first_row,
                 int num_frames, double fps);

  const VideoInfo& info() const override { return info_; }

  // Throws InputError too: a picture is of another size than the first.
  void VisitFrames(int begin, int end, int stride, const Visit& visit) override;

 private:
  std::string where_;
  ParquetBytes rows_;
  int64_t first_row_;
  VideoInfo info_;
};

}  // namespace aim
