#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/codec/pose_csv.h"
#include "aim/data/labels.h"
#include "data/layout_cases.h"
#include "support/case_name.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ExpectThrowsWith;
using testing::TemporaryFolder;

constexpr int kNumLabelled = 4;

// One labelled episode; the videos lie beside the labels.
class LabelsTest : public ::testing::Test {
 protected:
  LabelsTest() {
    Rng rng(5);
    episode_ = testing::MakeEpisode({.num_frames = kNumLabelled}, rng);
    testing::MakeLabels(root_, {episode_});
  }

  fs::path Folder() const { return OpenDataSet(root_).episodes().at(0).path; }
  Episode Read() const {
    const DataSet data = OpenDataSet(root_);
    return data.Read(data.episodes().at(0));
  }

  TemporaryFolder folder_;
  fs::path root_ = folder_ / "labels";
  Episode episode_;
};

// Frames that the model was not sure of are there; whoever reads them knows.
TEST_F(LabelsTest, ConfidenceComesWithThePoses) {
  const Episode read = Read();
  ASSERT_EQ(read.confidence.size(), static_cast<size_t>(kNumLabelled));
  for (size_t frame = 0; frame < read.confidence.size(); ++frame) {
    EXPECT_NEAR(read.confidence[frame], 1 - 0.1 * static_cast<double>(frame), 1e-12);
  }
}

// Labels of labels would be labels of the same videos.
TEST_F(LabelsTest, TheOriginIsWhereTheVideosLie) {
  const DataSet labels = OpenDataSet(root_);
  const EpisodeOrigin origin = labels.Origin(labels.episodes().at(0));
  EXPECT_EQ(origin.data, testing::LabelledData(root_));
  EXPECT_EQ(origin.layout, "action-images");
  EXPECT_EQ(origin.episode, "reach_target/variation3/episode0");
  const DataSet videos = OpenDataSet(origin.data);
  EXPECT_EQ(videos.Origin(videos.episodes().at(0)).data, origin.data);
}

// Their stamp changes with the videos that were labelled, which lie elsewhere.
TEST_F(LabelsTest, TheStampIsAlsoThatOfTheVideos) {
  const auto stamp = [&] {
    const DataSet labels = OpenDataSet(root_);
    return labels.Stamp(labels.episodes().at(0));
  };
  const std::string before = stamp();
  EXPECT_EQ(stamp(), before);
  const DataSet videos = OpenDataSet(testing::LabelledData(root_));
  const fs::path meta = videos.episodes().at(0).path / "meta.json";
  WriteFileAtomic(meta, ReadFile(meta) + "\n");
  const std::string after = stamp();
  EXPECT_NE(after, before);
  fs::remove_all(testing::LabelledData(root_));
  EXPECT_NE(stamp(), after) << "damaged ones have a stamp, too";
}

void EditRecord(const fs::path& folder, const std::function<void(json&)>& edit) {
  json record = json::parse(ReadFile(folder / "label.json"));
  edit(record);
  WriteFileAtomic(folder / "label.json", record.dump());
}

// Labels of `num_frames` frames, none of them decoded.
void LoseAll(const fs::path& folder, int num_frames) {
  Plan lost{.period_s = 0.1, .frames = std::vector<DecodedPose>(static_cast<size_t>(num_frames))};
  WritePosesCsv(folder / "poses.csv", lost);
}

struct LabelDamage {
  std::string name;
  std::function<void(const fs::path& folder, const fs::path& root)> break_it;
  std::vector<std::string> words;
};
class DamagedLabels : public LabelsTest, public ::testing::WithParamInterface<LabelDamage> {};

TEST_P(DamagedLabels, AreNamed) {
  GetParam().break_it(Folder(), root_);
  ExpectThrowsWith<InputError>([&] { Read(); }, GetParam().words);
}

INSTANTIATE_TEST_SUITE_P(
    Table, DamagedLabels,
    ::testing::Values(
        LabelDamage{"videos_are_gone",
                    [](const fs::path&, const fs::path& root) {
                      fs::remove_all(testing::LabelledData(root));
                    },
                    {"label.json origin.data", "labels videos, which is missing", "put it back"}},
        LabelDamage{"episode_is_gone",
                    [](const fs::path& folder, const fs::path&) {
                      EditRecord(folder, [](json& r) { r["origin"]["episode"] = "reach/other"; });
                    },
                    {"label.json origin.episode is reach/other", "an episode of"}},
        LabelDamage{"unknown_layout",
                    [](const fs::path& folder, const fs::path&) {
                      EditRecord(folder, [](json& r) { r["origin"]["layout"] = "tapes"; });
                    },
                    {"label.json origin.layout", "tapes", "action-images"}},
        LabelDamage{
            "labels_of_labels",
            [](const fs::path& folder, const fs::path& root) {
              EditRecord(folder, [&](json& r) {
                r["origin"] = {{"data", root.string()}, {"layout", "labels"}, {"episode", "x"}};
              });
            },
            {"label.json origin.layout", "labels themselves"}},
        LabelDamage{"no_origin",
                    [](const fs::path& folder, const fs::path&) {
                      EditRecord(folder, [](json& r) { r.erase("origin"); });
                    },
                    {"label.json origin is missing", "aim-label"}},
        LabelDamage{"count_of_words",
                    [](const fs::path& folder, const fs::path&) {
                      EditRecord(folder, [](json& r) { r["frames"] = "four"; });
                    },
                    {"label.json frames is \"four\""}},
        LabelDamage{
            "fewer_rows",
            [](const fs::path& folder, const fs::path&) { LoseAll(folder, kNumLabelled - 1); },
            {"poses.csv is with 3 rows", "one for each of 4 frames"}},
        LabelDamage{"nothing_was_decoded",
                    [](const fs::path& folder, const fs::path&) {
                      LoseAll(folder, kNumLabelled);
                      EditRecord(folder, [](json& r) { r["low_confidence"] = kNumLabelled; });
                    },
                    {"poses.csv is without confidence in any of 4 frames", "another model"}}),
    testing::CaseName());

TEST_F(LabelsTest, ATruncatedRecordIsRefused) {
  const fs::path path = Folder() / "label.json";
  const std::string bytes = ReadFile(path);
  for (size_t keep = 0; keep + 2 < bytes.size(); ++keep) {
    std::ofstream(path, std::ios::binary) << bytes.substr(0, keep);
    EXPECT_THROW(Read(), InputError) << "cut at " << keep;
  }
}

}  // namespace
}  // namespace aim
