#include "train/metrics_file.h"

#include <gtest/gtest.h>

#include "aim/base/atomic_file.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

class MetricsFileTest : public ::testing::Test {
 protected:
  std::filesystem::path path() const { return folder_ / "metrics.jsonl"; }
  std::string text() const { return ReadFile(path()); }

  testing::TemporaryFolder folder_;
};

TEST_F(MetricsFileTest, ANewRunWritesItsLinesAlone) {
  MetricsFile metrics(path(), 0);
  EXPECT_EQ(text(), "");
  metrics.Append({{"train_step", 1}, {"loss", 0.5}});
  metrics.Append({{"train_step", 1}, {"validation", {{"i2a", 1}}}});
  metrics.Append({{"train_step", 2}, {"loss", 0.25}});
  EXPECT_EQ(text(),
            "{\"loss\":0.5,\"train_step\":1}\n{\"train_step\":1,\"validation\":{\"i2a\":1}}\n"
            "{\"loss\":0.25,\"train_step\":2}\n");
  EXPECT_EQ(metrics.Last("loss")["train_step"], 2);
  EXPECT_EQ(metrics.Last("validation")["train_step"], 1);
  EXPECT_TRUE(metrics.Last("accuracy").is_null());
}

// Also where there is no checkpoint (step 0) and where the lines go beyond it.
TEST_F(MetricsFileTest, NoLineIsEverLost) {
  const std::string before = "{\"loss\":3,\"train_step\":1}\n{\"loss\":2,\"train_step\":2}\n";
  for (const int64_t step : {0, 1, 2, 9}) {
    WriteFileAtomic(path(), before);
    MetricsFile metrics(path(), step);
    const std::string marker = "{\"resumed_at_step\":" + std::to_string(step) + "}\n";
    EXPECT_EQ(text(), before + marker);
    metrics.Append({{"train_step", step + 1}});
    EXPECT_EQ(text(), before + marker + "{\"train_step\":" + std::to_string(step + 1) + "}\n");
  }
}

TEST_F(MetricsFileTest, LinesBeyondTheCheckpointAreNotTheLast) {
  WriteFileAtomic(path(), "{\"loss\":3,\"train_step\":1}\n{\"loss\":2,\"train_step\":2}\n");
  EXPECT_EQ(MetricsFile(path(), 2).Last("loss")["loss"], 2);
  EXPECT_EQ(MetricsFile(path(), 1).Last("loss")["loss"], 3);
  EXPECT_TRUE(MetricsFile(path(), 0).Last("loss").is_null());
}

// What a kill in the middle of a line leaves, and lines that are no metrics at all.
TEST_F(MetricsFileTest, OnlyATornLastLineIsDropped) {
  const std::string whole = "{\"train_step\":1}\nnot json\n[1]\n{\"train_step\":\"x\"}\n";
  for (const std::string torn : {"", "{", "{\"train_step\":2,\"lo", "{\"train_step\":2}"}) {
    WriteFileAtomic(path(), whole + torn);
    MetricsFile metrics(path(), 1);
    EXPECT_EQ(text(), whole + "{\"resumed_at_step\":1}\n") << torn;
  }
  WriteFileAtomic(path(), "{\"tr");
  MetricsFile nothing(path(), 0);
  EXPECT_EQ(text(), "");
}

}  // namespace
}  // namespace aim
