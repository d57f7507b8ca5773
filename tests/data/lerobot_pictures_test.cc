// LeRobot data sets with pictures in their rows (use_videos=False), as the datasets package stores
// them: { bytes, path }.
#include <arrow/builder.h>
#include <arrow/io/file.h>
#include <arrow/table.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>

#include "aim/media/image.h"
#include "data/lerobot_files.h"
#include "data/parquet_bytes.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ExpectThrowsWith;
using testing::kData;
using testing::LeRobotTest;
using testing::MakeLeRobotEpisodes;
using testing::ReadMeta;
using testing::TemporaryFolder;
using testing::WriteSet;

constexpr const char* kPictureColumn = "observation.images.view1";

void RequireOk(const arrow::Status& status) { ASSERT_TRUE(status.ok()) << status.ToString(); }

std::string PngOf(const Clip& clip, size_t view, size_t frame) {
  Image picture(clip.width, clip.height);
  const auto begin =
      clip.views[view].rgb.begin() + static_cast<ptrdiff_t>(frame * picture.rgb.size());
  std::copy_n(begin, picture.rgb.size(), picture.rgb.begin());
  const TemporaryFolder folder;
  WriteImage(folder / "a.png", picture);
  return ReadFile(folder / "a.png");
}

// Null where there are no bytes.
std::shared_ptr<arrow::Array> PictureArray(const std::vector<std::string>& pictures) {
  auto bytes = std::make_shared<arrow::BinaryBuilder>();
  auto path = std::make_shared<arrow::StringBuilder>();
  const auto type =
      arrow::struct_({arrow::field("bytes", arrow::binary()), arrow::field("path", arrow::utf8())});
  arrow::StructBuilder rows(type, arrow::default_memory_pool(), {bytes, path});
  for (const std::string& picture : pictures) {
    RequireOk(rows.Append());
    RequireOk(picture.empty() ? bytes->AppendNull() : bytes->Append(picture));
    RequireOk(path->Append("frame.png"));
  }
  return rows.Finish().ValueOrDie();
}

// The table at `path` with a column of pictures more, in groups of three rows.
void AddPictures(const fs::path& path, const std::vector<std::string>& pictures) {
  std::shared_ptr<arrow::Table> table;
  {
    const auto file = arrow::io::ReadableFile::Open(path.string()).ValueOrDie();
    const auto reader = parquet::arrow::OpenFile(file, arrow::default_memory_pool()).ValueOrDie();
    table = reader->ReadTable().ValueOrDie();
  }
  const auto column = std::make_shared<arrow::ChunkedArray>(PictureArray(pictures));
  table = table->AddColumn(0, arrow::field(kPictureColumn, column->type()), column).ValueOrDie();
  const auto stream = arrow::io::FileOutputStream::Open(path.string()).ValueOrDie();
  constexpr int64_t kGroupRows = 3;
  RequireOk(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), stream, kGroupRows));
  RequireOk(stream->Close());
}

// view0 stays a video, view1 moves into the rows.
class LeRobotPicturesTest : public LeRobotTest {
 protected:
  LeRobotPicturesTest() : episodes_(MakeLeRobotEpisodes(3)) {
    WriteSet(root_, episodes_);
    for (const Episode& episode : episodes_) {
      for (size_t frame = 0; frame < episode.clip.poses.size(); ++frame) {
        pictures_.push_back(PngOf(episode.clip, 1, frame));
      }
    }
    json info = ReadMeta(root_, "info.json");
    info["features"][kPictureColumn]["dtype"] = "image";
    WriteFileAtomic(root_ / "meta/info.json", info.dump());
    fs::remove_all(root_ / "videos" / kPictureColumn);
    rows_ = ReadFile(root_ / kData);
    Store(pictures_);
  }

  void Store(const std::vector<std::string>& pictures) {
    WriteFileAtomic(root_ / kData, rows_);
    AddPictures(root_ / kData, pictures);
  }

  std::vector<Episode> episodes_;
  std::vector<std::string> pictures_;
  std::string rows_;  // the bytes of the data file without pictures
};

TEST_F(LeRobotPicturesTest, PicturesInRowsAreReadBesideVideos) {
  const DataSet data = OpenDataSet(root_);
  ASSERT_EQ(data.episodes().size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const Clip read = data.Read(data.episodes()[i]).clip;
    EXPECT_TRUE(read.views[0].rgb == episodes_[i].clip.views[0].rgb) << i;
    EXPECT_TRUE(read.views[1].rgb == episodes_[i].clip.views[1].rgb) << i;
    EXPECT_EQ(read.views[1].camera.name, "view1");
    EXPECT_EQ(read.poses.size(), episodes_[i].clip.poses.size());
  }
  const Clip part = data.Read(data.episodes()[2], {1, 4}).clip;
  const std::vector<uint8_t>& whole = episodes_[2].clip.views[1].rgb;
  const size_t frame_bytes = whole.size() / episodes_[2].clip.poses.size();
  EXPECT_TRUE(std::equal(part.views[1].rgb.begin(), part.views[1].rgb.end(),
                         whole.begin() + static_cast<ptrdiff_t>(frame_bytes)));
}

// Without a video in the whole set info.json has none to name.
TEST_F(LeRobotPicturesTest, ASetWithoutVideosNeedsNoPathOfVideos) {
  json info = ReadMeta(root_, "info.json");
  info["features"].erase("observation.images.view0");
  info["video_path"] = nullptr;
  WriteFileAtomic(root_ / "meta/info.json", info.dump());
  fs::remove_all(root_ / "videos");
  const DataSet data = OpenDataSet(root_);
  const Clip read = data.Read(data.episodes()[1]).clip;
  ASSERT_EQ(read.views.size(), 1u);
  EXPECT_TRUE(read.views[0].rgb == episodes_[1].clip.views[1].rgb);
}

TEST_F(LeRobotPicturesTest, RowsComeInAnyOrder) {
  ParquetBytes bytes(root_ / kData, kPictureColumn);
  ASSERT_EQ(bytes.num_rows(), 4 + 5 + 6);
  for (const int64_t row : {0, 1, 2, 3, 7, 4, 14, 14, 13, 0}) {
    EXPECT_TRUE(bytes.Row(row) == pictures_[static_cast<size_t>(row)]) << row;
  }
  ExpectThrowsWith<InputError>([&] { ParquetBytes(root_ / kData, "action"); },
                               {"action", "of another kind", "bytes"});
  ExpectThrowsWith<InputError>([&] { ParquetBytes(root_ / kData, "none"); }, {"none", "missing"});
}

TEST_F(LeRobotPicturesTest, WhatIsNoPictureIsNamedWithItsRow) {
  const auto expect = [&](const std::string& picture, const std::vector<std::string>& words) {
    std::vector<std::string> pictures = pictures_;
    pictures[6] = picture;  // of the second episode
    Store(pictures);
    const DataSet data = OpenDataSet(root_);
    EXPECT_NO_THROW(data.Read(data.episodes()[0]));
    ExpectThrowsWith<InputError>([&] { data.Read(data.episodes()[1]); }, words);
  };
  expect("", {std::string("file-000.parquet: ") + kPictureColumn, "empty in row 6"});
  expect(pictures_[6].substr(0, 100), {kPictureColumn, "row 6", "no whole picture"});
  expect("text", {kPictureColumn, "row 6", "no whole picture"});
  const TemporaryFolder folder;
  WriteImage(folder / "small.png", Image(8, 8));
  expect(ReadFile(folder / "small.png"), {"row 6", "8x8", "16x16"});
}

// A data file that is cut or has a wrong bit is named, never read past its end.
TEST_F(LeRobotPicturesTest, DamagedFilesAreNamed) {
  const std::string whole = ReadFile(root_ / kData);
  const auto read_all = [&](const std::string& bytes) {
    WriteFileAtomic(folder_ / "data.parquet", bytes);
    ParquetBytes rows(folder_ / "data.parquet", kPictureColumn);
    for (int64_t row = 0; row < rows.num_rows(); ++row) rows.Row(row);
  };
  read_all(whole);
  for (size_t size = 0; size < whole.size(); size += 1 + whole.size() / 50) {
    EXPECT_THROW(read_all(whole.substr(0, size)), InputError) << size;
  }
  Rng rng(8);
  for (int i = 0; i < 300; ++i) {
    std::string flipped = whole;
    flipped[rng.UniformInt(whole.size())] ^= static_cast<char>(1 << rng.UniformInt(8));
    try {
      read_all(flipped);
    } catch (const InputError&) {
    }
  }
}

}  // namespace
}  // namespace aim
