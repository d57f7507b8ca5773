#include "aim/base/progress.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <sstream>
#include <thread>
#include <vector>

namespace aim {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ProgressTest, TerminalRedrawsOneLineAndEndsIt) {
  std::ostringstream stream;
  Progress progress(&stream, true);
  progress.Start("episodes", 4);
  progress.Advance(4, "push_button");
  progress.Finish();
  const std::string text = stream.str();
  EXPECT_THAT(text, HasSubstr("\r"));
  EXPECT_THAT(text, HasSubstr("episodes ["));
  EXPECT_THAT(text, HasSubstr("0/4"));
  EXPECT_THAT(text, HasSubstr("4/4"));
  EXPECT_THAT(text, HasSubstr("push_button"));
  EXPECT_EQ(text.back(), '\n');
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST(ProgressTest, FileGetsPlainLinesAndOnlyTheLastOfAShortJob) {
  std::ostringstream stream;
  Progress progress(&stream, false);
  progress.Start("clips", 1000);
  for (int i = 0; i < 1000; ++i) progress.Advance(1);
  progress.Finish();
  EXPECT_THAT(stream.str(), HasSubstr("clips 1000/1000"));
  EXPECT_THAT(stream.str(), Not(HasSubstr("\r")));
  const std::string text = stream.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST(ProgressTest, UnknownTotalCountsWithoutABar) {
  std::ostringstream stream;
  Progress progress(&stream, true);
  progress.Start("frames", 0);
  progress.Advance(7);
  progress.Finish();
  EXPECT_THAT(stream.str(), HasSubstr("frames 7"));
  EXPECT_THAT(stream.str(), Not(HasSubstr("/")));
}

TEST(ProgressTest, StartForgetsTheJobBefore) {
  std::ostringstream stream;
  Progress progress(&stream, false);
  progress.Start("first", 2);
  progress.Advance(2, "note");
  progress.Start("second", 3);
  progress.Finish();
  EXPECT_THAT(stream.str(), HasSubstr("second 0/3"));
  EXPECT_THAT(stream.str(), Not(HasSubstr("note")));
}

TEST(ProgressTest, MoreThanTheTotalDoesNotBreakTheBar) {
  std::ostringstream stream;
  Progress progress(&stream, true);
  progress.Start("x", 2);
  progress.Advance(5);
  progress.Finish();
  EXPECT_THAT(stream.str(), HasSubstr("5/2"));
}

TEST(ProgressTest, ASinkSeesEveryStep) {
  std::vector<std::string> seen;
  Progress progress([&](const ProgressState& state) {
    seen.push_back(state.label + " " + std::to_string(state.done) + "/" +
                   std::to_string(state.total) + (state.begins ? " begins" : "") +
                   (state.ends ? " ends" : "") + " " + state.note);
  });
  progress.Start("clips", 3);
  progress.Advance(2, "loss 1");
  progress.Advance(1);
  progress.Finish();
  EXPECT_THAT(seen, ::testing::ElementsAre("clips 0/3 begins ", "clips 2/3 loss 1",
                                           "clips 3/3 loss 1", "clips 3/3 ends loss 1"));
}

TEST(ProgressTest, SilentWithoutAStream) {
  Progress progress;
  progress.Start("x", 2);
  progress.Advance(1);
  progress.Finish();
}

TEST(ProgressTest, ThreadsAddUp) {
  std::ostringstream stream;
  Progress progress(&stream, false);
  progress.Start("x", 400);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) progress.Advance(1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  progress.Finish();
  EXPECT_THAT(stream.str(), HasSubstr("400/400"));
}

}  // namespace
}  // namespace aim
