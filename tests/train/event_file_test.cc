#include "train/event_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "support/python.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// RFC 3720, B.4: the checksum of "123456789" is E3069283, of 32 zeros 8A9136AA.
uint32_t Mask(uint32_t crc) { return (crc >> 15 | crc << 17) + 0xA282EAD8U; }

TEST(EventFileTest, ChecksumsAreKnown) {
  EXPECT_EQ(MaskedCrc32c("123456789"), Mask(0xE3069283U));
  EXPECT_EQ(MaskedCrc32c(std::string(32, '\0')), Mask(0x8A9136AAU));
  EXPECT_EQ(MaskedCrc32c(""), 0xA282EAD8U);
}

std::string Hex(const std::string& bytes) {
  std::string hex;
  for (const char byte : bytes) {
    constexpr const char* kDigits = "0123456789abcdef";
    hex += kDigits[static_cast<uint8_t>(byte) >> 4];
    hex += kDigits[static_cast<uint8_t>(byte) & 15U];
  }
  return hex;
}

// Made by a few lines of Python with a bitwise CRC.
TEST(EventFileTest, ARecordIsFramed) {
  EXPECT_EQ(Hex(FrameRecord("abc")), "0300000000000000b099490e6162636e57f121");
}

// By hand from the messages' field numbers: wall_time 1 (double), step 2 (varint 300), summary 5 of
// one value 1 with tag 1 and simple_value 2 (float 0.5).
TEST(EventFileTest, AnEventIsEncoded) {
  const std::vector<Scalar> scalars = {{"a/b", 0.5}};
  EXPECT_EQ(Hex(ScalarEvent(1.0, 300, scalars)),
            "09000000000000f03f"
            "10ac02"
            "2a0c"
            "0a0a"
            "0a03612f62"
            "150000003f");
}

TEST(EventFileTest, TagsAreThoseOfTheLine) {
  const std::vector<Scalar> scalars = ScalarsOf(
      {{"train_step", 3},
       {"loss", 0.5},
       {"validation",
        {{"i2a", {{"clips", 4}, {"psnr_db", nullptr}, {"position_mm", {{"median", 2.5}}}}}}}});
  ASSERT_EQ(scalars.size(), 2U);
  EXPECT_EQ(scalars[0].tag, "train/loss");
  EXPECT_EQ(scalars[1].tag, "validation/i2a/position_mm/median");
  EXPECT_EQ(scalars[1].value, 2.5);
}

class EventRunTest : public ::testing::Test {
 protected:
  // One start of a run: it goes on at `first` and logs the steps up to `last`.
  fs::path Start(int64_t first, int64_t last) const {
    EventFile events(folder_.path(), first);
    for (int64_t step = first + 1; step <= last; ++step) {
      const std::vector<Scalar> scalars = {{"train/loss", 1.0 / static_cast<double>(step)}};
      events.Append(step, scalars);
    }
    return events.path();
  }

  std::vector<fs::path> Files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder_.path())) files.push_back(entry.path());
    return files;
  }

  // How often the file holds the value of a step.
  static int CountStep(const fs::path& file, int64_t step) {
    const std::string bytes = ReadFile(file);
    const std::vector<Scalar> scalars = {{"train/loss", 1.0 / static_cast<double>(step)}};
    const std::string event = ScalarEvent(0, step, scalars).substr(9);  // without the wall time
    int count = 0;
    for (size_t at = bytes.find(event); at != std::string::npos; at = bytes.find(event, at + 1))
      ++count;
    return count;
  }

  testing::TemporaryFolder folder_;
};

TEST_F(EventRunTest, AResumedRunHoldsEachStepOnce) {
  const fs::path first = Start(0, 5);
  EXPECT_THAT(first.filename().string(), HasSubstr("events.out.tfevents."));
  const fs::path second = Start(3, 7);  // cut off: the checkpoint is of step 3
  EXPECT_GT(second, first);
  EXPECT_THAT(Files(), ElementsAre(second));
  for (int64_t step = 1; step <= 7; ++step) EXPECT_EQ(CountStep(second, step), 1) << step;
  EXPECT_EQ(CountStep(second, 8), 0);
  const fs::path third = Start(0, 1);  // no checkpoint was left
  EXPECT_THAT(Files(), ElementsAre(third));
  EXPECT_EQ(CountStep(third, 1), 1);
  EXPECT_EQ(CountStep(third, 2), 0);
}

// The clock of an earlier start was a century ahead: the file still goes on, behind that one.
TEST_F(EventRunTest, AFileFromTheFutureIsGoneOnWith) {
  const fs::path ahead = folder_ / "events.out.tfevents.4900000000.aim";
  fs::rename(Start(0, 3), ahead);
  const fs::path next = Start(3, 5);
  EXPECT_EQ(next.filename(), "events.out.tfevents.4900000001.aim");
  EXPECT_THAT(Files(), ElementsAre(next));
  for (int64_t step = 1; step <= 5; ++step) EXPECT_EQ(CountStep(next, step), 1) << step;
}

// A kill in the middle of a record, a damaged byte: what is whole before it stays.
TEST_F(EventRunTest, ATornEndIsDropped) {
  const std::string whole = ReadFile(Start(0, 3));
  const std::string two = ReadFile(Start(2, 2));
  for (size_t size = two.size(); size < whole.size(); ++size) {
    WriteFileAtomic(Files().at(0), whole.substr(0, size));
    EXPECT_EQ(ReadFile(Start(9, 9)), two) << size;
  }
  std::string damaged = whole;
  damaged[damaged.size() - 9] = static_cast<char>(damaged[damaged.size() - 9] ^ 1);
  WriteFileAtomic(Files().at(0), damaged);
  EXPECT_EQ(ReadFile(Start(9, 9)), two);
}

TEST_F(EventRunTest, FilesOfOthersStay) {
  WriteFileAtomic(folder_ / "events.out.tfevents.1700000000.host", "mine");
  Start(0, 1);
  Start(1, 2);
  EXPECT_EQ(ReadFile(folder_ / "events.out.tfevents.1700000000.host"), "mine");
  EXPECT_EQ(Files().size(), 2U);
}

// What TensorBoard's own reader finds.
TEST_F(EventRunTest, TensorBoardReadsIt) {
  const std::string module = "tensorboard.backend.event_processing.event_accumulator";
  const std::string python = testing::PythonWith(module);
  if (python.empty()) GTEST_SKIP() << "no Python with tensorboard (requirements-dev.txt)";
  Start(0, 5);
  Start(3, 300);
  const testing::CommandResult read = testing::RunCommand(
      {python, "-c",
       "import json, sys\n"
       "from " +
           module +
           " import EventAccumulator\n"
           "events = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0})\n"
           "events.Reload()\n"
           "print(json.dumps({tag: [[e.step, e.value] for e in events.Scalars(tag)]\n"
           "                  for tag in events.Tags()['scalars']}))\n",
       folder_.path().string()});
  ASSERT_EQ(read.exit_code, 0) << read.err;
  const nlohmann::json found = nlohmann::json::parse(read.out);
  ASSERT_EQ(found.size(), 1U);
  const nlohmann::json& loss = found.at("train/loss");
  ASSERT_EQ(loss.size(), 300U);
  for (int64_t i = 0; i < 300; ++i) {
    EXPECT_EQ(loss.at(static_cast<size_t>(i)).at(0), i + 1);
    EXPECT_FLOAT_EQ(loss.at(static_cast<size_t>(i)).at(1).get<float>(),
                    static_cast<float>(1.0 / static_cast<double>(i + 1)));
  }
}

}  // namespace
}  // namespace aim
