#include "aim/eval/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/text.h"
#include "eval/small_trials.h"
#include "support/count_parts.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::CountParts;
using testing::ExpectThrowsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::SmallTrials;
using testing::TemporaryFolder;

ReportSubject Subject() {
  return {.title = "model <tiny> in tabletop",
          .policy = "model",
          .seed = 7,
          .replan = 3,
          .period_s = 0.1,
          .options = {{"first_seed", 100}},
          .run_record = {{"version", "0.1.0"}}};
}

RolloutReport SmallReport() { return MakeReport(Subject(), SmallTrials()); }

// The same scenes, played by the null policy and written by an earlier run.
TrialTable Older() {
  TrialTable table;
  table.policy = "older";
  for (const TrialRecord& trial : SmallTrials()) {
    table.rows.push_back({trial.spec, trial.references.at("null").success, true,
                          HexText(trial.result.first_frame_hash)});
  }
  return table;
}

// Trials of which nothing is known but that they failed.
std::vector<TrialRecord> BareTrials() {
  std::vector<TrialRecord> trials = SmallTrials();
  for (TrialRecord& trial : trials) {
    trial.references.clear();
    trial.distance.reset();
    trial.result.termination = Termination::kInvalid;
    trial.result.success = false;
  }
  return trials;
}

TEST(ReportTest, RatesAreThoseOfTheTable) {
  const RolloutReport report = SmallReport();
  EXPECT_EQ(report.num_trials, 6);
  EXPECT_EQ(report.num_reruns, 1);
  EXPECT_EQ(report.pooled.successes, 4);
  ASSERT_EQ(report.tasks.size(), 2U);
  const TaskReport& reach = report.tasks[0];
  const TaskReport& stay = report.tasks[1];
  EXPECT_EQ(reach.task, "reach");
  EXPECT_EQ(reach.success.n, 4);
  EXPECT_EQ(reach.success.rate, 0.75);
  // Wilson: (0.75 + z^2/8) / (1 + z^2/4) -+ z sqrt(0.75 0.25 / 4 + z^2/64) / (1 + z^2/4), z 1.96.
  EXPECT_NEAR(reach.success.interval.low, 0.3006, 5e-5);
  EXPECT_NEAR(reach.success.interval.high, 0.9544, 5e-5);
  EXPECT_EQ(stay.success.rate, 0.5);
  EXPECT_EQ(reach.gate->rate, 1.0);
  EXPECT_EQ(reach.null->rate, 0.25);
  EXPECT_FALSE(reach.still);
  EXPECT_TRUE(reach.IsGateOk());
  EXPECT_FALSE(stay.IsGateOk());
  // Tasks weigh the same, whatever their number of trials.
  EXPECT_EQ(report.mean_success, 0.625);
  EXPECT_EQ(report.mean_success_gated, 0.75);
  EXPECT_EQ(report.mean_gate, 0.75);
  EXPECT_EQ(report.mean_null, 0.125);
  EXPECT_FALSE(report.mean_still);
}

TEST(ReportTest, MeansAndMediansLeaveInvalidTrialsOut) {
  const RolloutReport report = SmallReport();
  const TaskReport& reach = report.tasks[0];
  const TaskReport& stay = report.tasks[1];
  EXPECT_EQ(reach.steps, 11.5);  // 10, 11, 12, 13
  EXPECT_EQ(stay.steps, 14);     // the other trial is invalid
  EXPECT_EQ(reach.replans, 1.5);
  EXPECT_EQ(reach.demo_frames, 11);
  EXPECT_EQ(reach.plan_s, 0.5);
  EXPECT_EQ(reach.tracking_mm, 2);
  EXPECT_EQ(reach.final_error_mm, 1);
  EXPECT_NEAR(*reach.confidence, 0.65, 1e-12);
  EXPECT_EQ(reach.undecodable, 0.25);
  EXPECT_EQ(reach.to_expert.position_mm, 2.5);  // of 1, 2, 3, 4
  EXPECT_EQ(reach.to_expert.rotation_deg, 3.5);
  EXPECT_EQ(report.to_expert.position_mm, 3);  // and 5
  EXPECT_EQ(reach.NumEndedBy(Termination::kSuccess), 3);
  EXPECT_EQ(reach.NumEndedBy(Termination::kTimeout), 1);
  EXPECT_EQ(reach.NumEndedBy(Termination::kInvalid), 0);
  EXPECT_EQ(reach.timeout_frac, 0.25);
  EXPECT_EQ(reach.ik_failures, 5);
  EXPECT_EQ(reach.ik_fail_rate, 5 / 46.0);
  ASSERT_EQ(report.invalid.size(), 1U);
  EXPECT_EQ(report.invalid[0].spec.seed, 105U);
  ASSERT_EQ(report.filmstrips.size(), 1U);
  EXPECT_EQ(report.filmstrips[0].file, "filmstrips/a.png");
}

// Successes alone: two in "reach" and one in "stay". Two pairs of two or fewer: p = 2 * 1/4 = 0.5,
// and 2 * 1/2 = 1; Holm doubles the first, pooled three of three are 2 * 1/8.
TEST(ReportTest, TestsAgainstTheNullPolicy) {
  const RolloutReport report = SmallReport();
  const NullTest& reach = *report.tasks[0].versus_null;
  EXPECT_EQ(reach.test.only_first, 2);
  EXPECT_EQ(reach.test.only_second, 0);
  EXPECT_NEAR(reach.test.p_value, 0.5, 1e-12);
  EXPECT_NEAR(reach.p_holm, 1.0, 1e-12);
  EXPECT_NEAR(report.tasks[1].versus_null->test.p_value, 1.0, 1e-12);
  EXPECT_EQ(report.versus_null->test.only_first, 3);
  EXPECT_NEAR(report.versus_null->test.p_value, 0.25, 1e-12);
  EXPECT_TRUE(report.versus_null->test.underpowered);
  EXPECT_NEAR(report.versus_null->difference.mean, 0.5, 1e-12);
  EXPECT_LE(report.versus_null->difference.interval.low, 0.5);
  EXPECT_GE(report.versus_null->difference.interval.high, 0.5);
}

// Without null policies in one task there is no test at all.
TEST(ReportTest, NoNullTestWithoutNullPolicies) {
  std::vector<TrialRecord> trials = SmallTrials();
  trials[4].references.erase("null");
  trials[5].references.erase("null");
  const RolloutReport report = MakeReport(Subject(), trials);
  EXPECT_FALSE(report.versus_null);
  EXPECT_FALSE(report.tasks[0].versus_null);
  EXPECT_EQ(report.mean_null, 0.25);  // of the task that has it
}

// Successes have .9 .8 .7 .6, the one valid failure .2. Ranks 5 4 3 2 1 against mid-ranks
// 3.5 3.5 3.5 3.5 1: correlation 5 / sqrt(10 * 5).
TEST(ReportTest, ConfidenceIsComparedWithSuccess) {
  const ConfidenceReport confidence = SmallReport().confidence;
  EXPECT_NEAR(*confidence.success_mean, 0.75, 1e-12);
  EXPECT_NEAR(*confidence.failure_mean, 0.2, 1e-12);
  EXPECT_NEAR(*confidence.spearman_with_success, 5 / std::sqrt(50.0), 1e-12);
}

TEST(ReportTest, WhatWasNotMeasuredIsAbsentAndNull) {
  const RolloutReport report = MakeReport(Subject(), BareTrials());
  EXPECT_EQ(report.mean_success, 0);
  EXPECT_FALSE(report.plan_s);
  EXPECT_FALSE(report.tasks[0].steps);
  EXPECT_FALSE(report.confidence.success_mean);
  EXPECT_FALSE(report.to_expert.position_mm);
  EXPECT_FALSE(report.versus_null);
  const nlohmann::json json = ToJson(report);
  EXPECT_TRUE(json["plan_s"].is_null());
  EXPECT_TRUE(json["tasks"][0]["steps"].is_null());
  EXPECT_FALSE(json.contains("mean_gate"));
  EXPECT_FALSE(json["tasks"][0].contains("gate_ok"));
  EXPECT_FALSE(json.contains("versus_null"));
  EXPECT_EQ(nlohmann::json::parse(DumpJson(json)), json);  // no NaN on the way
}

// report.json is read by others: keys and values as they were before the report was a type.
TEST(ReportTest, JsonKeepsItsContract) {
  RolloutReport report = SmallReport();
  report.compare.push_back(CompareRollouts(SmallTrials(), Older(), "out/<older>", 7));
  const nlohmann::json expected = nlohmann::json::parse(R"json({
    "confidence": {"bins": [
        {"low": 0.2, "high": 0.4, "success": {"interval": [0.0, 0.7934506856227626], "n": 1,
            "rate": 0.0, "successes": 0}},
        {"low": 0.6, "high": 0.8, "success": {"interval": [0.34238022750665303, 1.0], "n": 2,
            "rate": 1.0, "successes": 2}},
        {"low": 0.8, "high": 1.0, "success": {"interval": [0.34238022750665303, 1.0], "n": 2,
            "rate": 1.0, "successes": 2}}],
        "failure_mean": 0.2, "spearman_with_success": 0.7071067811865475,
        "success_mean": 0.7500000000000001},
    "controller": {"final_mm": 1.0, "final_mm_p95": 1.0, "tracking_mm": 2.0},
    "cameras": [],
    "execution": {"limited_by_speed": 0, "limited_by_workspace": 0, "plan_s": 0.5, "plan_steps": 5.0,
        "sim_s": 0.0, "stale_s": 0.0, "stale_steps": 0.0, "step_s": 0.0,
        "stages_s": {"denoise": 0.25}},
    "sensitivity": [],
    "filmstrips": [{"cameras": "as-trained", "confidence": 0.9, "file": "filmstrips/a.png", "prompt": "move, \"now\"",
        "replans": 0, "seed": 100, "steps": 10, "success": true, "task": "reach",
        "termination": "success", "variation": 0, "videos": ["videos/a_view0.mp4"]}],
    "format": "aim-rollout-1",
    "invalid": [{"cameras": "as-trained", "error": "simulator <gone> & lost", "seed": 105, "task": "stay",
        "variation": 1}],
    "mean_gate": 0.75,
    "mean_null": 0.125,
    "mean_success": 0.625,
    "mean_success_gated": 0.75,
    "mean_success_interval": [0.3223749445431378, 0.8520404760536203],
    "num_reruns": 1,
    "num_trials": 6,
    "options": {"first_seed": 100},
    "plan_s": 0.5,
    "policy": "model",
    "pooled": {"interval": [0.299993315138392, 0.9032285888942195], "n": 6,
        "rate": 0.6666666666666666, "successes": 4},
    "replan": 3,
    "run": {"version": "0.1.0"},
    "tasks": [
      {"confidence": 0.6500000000000001, "demo_frames": 11.0, "final_error_mm": 1.0,
          "gate": {"interval": [0.5101091635454027, 1.0], "n": 4, "rate": 1.0, "successes": 4},
          "gate_ok": true, "ik_fail_rate": 0.10869565217391304, "ik_failures": 5,
          "interval": [0.30064184258240184, 0.9544127391902995], "n": 4,
          "null": {"interval": [0.04558726080970055, 0.6993581574175981], "n": 4, "rate": 0.25,
          "successes": 1}, "plan_s": 0.5, "rate": 0.75, "refusals": {}, "replans": 1.5, "steps": 11.5,
          "successes": 3, "task": "reach", "terminations": {"success": 3, "timeout": 1},
          "timeout_frac": 0.25, "to_expert": {"gripper": 0.5, "position_mm": 2.5,
          "rotation_deg": 3.5}, "tracking_mm": 2.0, "undecodable": 0.25,
          "versus_null": {"only_first": 2, "only_second": 0, "p": 0.5, "p_holm": 1.0,
          "underpowered": true}},
      {"confidence": 0.6, "demo_frames": 11.0, "final_error_mm": 1.0,
          "gate": {"interval": [0.09453120573423074, 0.9054687942657693], "n": 2, "rate": 0.5,
          "successes": 1}, "gate_ok": false, "ik_fail_rate": 0.0, "ik_failures": 0,
          "interval": [0.09453120573423074, 0.9054687942657693], "n": 2,
          "null": {"interval": [0.0, 0.6576197724933469], "n": 2, "rate": 0.0, "successes": 0},
          "plan_s": 0.5, "rate": 0.5, "refusals": {}, "replans": 4.0, "steps": 14.0, "successes": 1,
          "task": "stay", "terminations": {"invalid": 1, "success": 1}, "timeout_frac": 0.0,
          "to_expert": {"gripper": 0.5, "position_mm": 5.0, "rotation_deg": 6.0},
          "tracking_mm": 2.0, "undecodable": 0.25, "versus_null": {"only_first": 1,
          "only_second": 0, "p": 1.0, "p_holm": 1.0, "underpowered": true}}],
    "title": "model <tiny> in tabletop",
    "to_expert": {"gripper": 0.5, "position_mm": 3.0, "rotation_deg": 4.0},
    "versus_null": {"difference": {"interval": [0.125, 0.875], "mean": 0.5}, "only_first": 3,
        "only_second": 0, "p": 0.25000000000000006, "underpowered": true},
    "compare": [{"difference": {"interval": [0.125, 0.875], "mean": 0.5}, "only_first": 3,
        "only_second": 0, "other": {"interval": [0.030053369748306635, 0.5635028221864702],
        "n": 6, "rate": 0.16666666666666666, "successes": 1}, "p": 0.25000000000000006,
        "policy": "older", "underpowered": true, "where": "out/<older>"}]
  })json");
  const nlohmann::json json = ToJson(report);
  EXPECT_EQ(json, expected) << nlohmann::json::diff(expected, json).dump(1);
}

TEST(CompareRolloutsTest, TestsTheSamePairs) {
  TrialTable older = Older();
  std::reverse(older.rows.begin(), older.rows.end());  // any order
  const Comparison comparison = CompareRollouts(SmallTrials(), older, "out/older", 7);
  EXPECT_EQ(comparison.where, "out/older");
  EXPECT_EQ(comparison.policy, "older");
  EXPECT_EQ(comparison.other.successes, 1);
  EXPECT_EQ(comparison.other.n, 6);
  EXPECT_EQ(comparison.paired.test.only_first, 3);
  EXPECT_EQ(comparison.paired.test.only_second, 0);
  EXPECT_NEAR(comparison.paired.difference.mean, 0.5, 1e-12);
}

TEST(CompareRolloutsTest, OtherScenesAreRefused) {
  const auto compare = [](const TrialTable& table) {
    CompareRollouts(SmallTrials(), table, "out/older", 7);
  };
  TrialTable fewer = Older();
  fewer.rows.pop_back();
  ExpectThrowsWith<InputError>([&] { compare(fewer); },
                               {"out/older", "5 trials", "6, the same scenes"});
  TrialTable other_seed = Older();
  other_seed.rows[2].spec.seed = 999;
  ExpectThrowsWith<InputError>([&] { compare(other_seed); },
                               {"out/older", "without reach variation 0 seed 102"});
  TrialTable other_variation = Older();
  other_variation.rows[2].spec.variation = 1;
  ExpectThrowsWith<InputError>([&] { compare(other_variation); }, {"reach variation 0 seed 102"});
  TrialTable twice = Older();
  twice.rows[2] = twice.rows[0];
  ExpectThrowsWith<InputError>([&] { compare(twice); }, {"5 trials"});
}

// The same scene must have looked the same; an invalid trial has seen nothing.
TEST(CompareRolloutsTest, OtherPicturesAreRefused) {
  TrialTable other = Older();
  other.rows[5].first_frame = HexText(1);  // invalid in SmallTrials
  EXPECT_EQ(CompareRollouts(SmallTrials(), other, "out/older", 7).other.n, 6);
  other.rows[1].first_frame = HexText(1);
  ExpectThrowsWith<InputError>([&] { CompareRollouts(SmallTrials(), other, "out/older", 7); },
                               {"out/older", "other pictures of reach variation 1 seed 101"});
  other.rows[1].valid = false;
  EXPECT_EQ(CompareRollouts(SmallTrials(), other, "out/older", 7).other.n, 6);
}

std::string PageOf(const RolloutReport& report) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "filmstrips/a.png", "abc");
  return ReportHtml(report, folder.path());
}

// The cells of its tables between bars: "|reach|4|".
std::string CellsOf(const std::string& page) {
  std::string cells = "|";
  for (size_t at = page.find("<td"); at != std::string::npos; at = page.find("<td", at + 1)) {
    const size_t begin = page.find('>', at) + 1;
    cells += page.substr(begin, page.find("</td>", begin) - begin) + "|";
  }
  return cells;
}

TEST(ReportHtmlTest, ShowsTheNumbers) {
  RolloutReport report = SmallReport();
  report.compare.push_back(CompareRollouts(SmallTrials(), Older(), "out/older", 7));
  const std::string page = PageOf(report), cells = CellsOf(page);
  EXPECT_THAT(page, HasSubstr("<div class=big>62<small> %</small>"));
  EXPECT_THAT(page, HasSubstr("mean success over 2 tasks"));
  EXPECT_THAT(cells, HasSubstr("|reach|4|<b>75 %</b>|30\u201395|100|25|"));
  EXPECT_THAT(cells, HasSubstr("|stay &#9888;|2|"));
  EXPECT_THAT(page, HasSubstr("data:image/png;base64,YWJj"));
  EXPECT_THAT(page, HasSubstr("<b>0.75 / 0.20</b>"));
  EXPECT_THAT(cells, HasSubstr("|out/older (older)|50.0|"));
}

// The first table has two tasks and their mean below its header.
TEST(ReportHtmlTest, EveryRowHasACellAColumn) {
  for (const auto& trials : {SmallTrials(), BareTrials()}) {
    const std::string page = PageOf(MakeReport(Subject(), trials));
    const size_t begin = page.find("<table>");
    const std::string table = page.substr(begin, page.find("</table>", begin) - begin);
    EXPECT_EQ(CountParts(table, "<tr"), 4U);
    EXPECT_EQ(CountParts(table, "<th"), 15U);
    EXPECT_EQ(CountParts(table, "<td"), 3 * 15U);
  }
}

// A page without compared rollouts, references and distances has dashes, not holes.
TEST(ReportHtmlTest, DashesStandForWhatIsAbsent) {
  const std::string page = PageOf(MakeReport(Subject(), BareTrials()));
  EXPECT_THAT(page, HasSubstr("<b>\u2013 %</b><span>gate: replayed demonstration"));
  EXPECT_THAT(page, Not(HasSubstr("nan")));
  EXPECT_THAT(page, Not(HasSubstr("null</td>")));
  EXPECT_THAT(page, Not(HasSubstr("Against others")));
}

// Words from simulators, prompts, file names and earlier runs are text on the page.
TEST(ReportHtmlTest, EscapesWhatComesFromOutside) {
  constexpr const char* kEvil = "<script src='http://evil'>\"&";
  std::vector<TrialRecord> trials = SmallTrials();
  for (TrialRecord& trial : trials) {
    trial.spec.task += kEvil;
    trial.result.prompt = trial.result.error = kEvil;
  }
  trials[0].videos = {std::string("videos/") + kEvil};
  ReportSubject subject = Subject();
  subject.title = subject.policy = kEvil;
  subject.options["model"] = kEvil;
  RolloutReport report = MakeReport(subject, trials);
  report.compare.push_back({.where = kEvil, .policy = kEvil, .other = {}, .paired = {}});
  const std::string page = PageOf(report);
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("'http")));
  EXPECT_THAT(page, HasSubstr("&lt;script"));
}

// Wilson's intervals of 3 of 4 and 1 of 2, joined over the two tasks.
TEST(ReportHtmlTest, FewEpisodesAreSaidAloud) {
  const std::string page = PageOf(SmallReport());
  EXPECT_THAT(page, HasSubstr(">6 episodes: anything from 32 to 85 %</div>"));
  EXPECT_THAT(page, HasSubstr("<div class=barnote>4 episodes: anything from 30 to 95 %</div>"));
  EXPECT_THAT(page, HasSubstr("<div class=barnote>2 episodes: anything from 9 to 91 %</div>"));
  RolloutReport many = SmallReport();
  many.mean_success_interval = {0.6, 0.7};
  many.confidence.bins.clear();
  for (TaskReport& task : many.tasks) task.success.interval = {0.6, 0.7};
  EXPECT_THAT(PageOf(many), Not(HasSubstr("anything from")));
}

// A small video is in the page, a large one beside it.
TEST(ReportHtmlTest, VideosCanBePlayed) {
  std::vector<TrialRecord> trials = SmallTrials();
  trials[0].videos = {"videos/a_view0.mp4", "videos/a_view1.mp4"};
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "filmstrips/a.png", "abc");
  WriteFileAtomic(folder / "videos/a_view0.mp4", "abc");
  WriteFileAtomic(folder / "videos/a_view1.mp4", std::string((size_t{1} << 20) + 1, 'x'));
  const std::string page = ReportHtml(MakeReport(Subject(), trials), folder.path());
  EXPECT_THAT(page, HasSubstr("src=\"data:video/mp4;base64,YWJj\"></video>"));
  EXPECT_EQ(CountParts(page, "<video"), 1U);
  EXPECT_THAT(page, HasSubstr("<a href=\"videos/a_view1.mp4\">video 1</a>"));
}

// Nothing is loaded from elsewhere.
TEST(ReportHtmlTest, HasNoExternalReference) {
  const std::string page = PageOf(SmallReport());
  for (const char* reference :
       {"http:", "https:", "//cdn", "@import", "url(", "<link", "<script"}) {
    EXPECT_THAT(page, Not(HasSubstr(reference))) << reference;
  }
  for (size_t at = page.find("src=\""); at != std::string::npos; at = page.find("src=\"", at + 1)) {
    EXPECT_EQ(page.compare(at + 5, 11, "data:image/"), 0);
  }
}

TEST(ReportTableTest, IsKnown) {
  EXPECT_EQ(
      ReportTable(SmallReport()),
      R"(task                         n  success  95 % interval     gate   null  still timeouts   IK
reach                        4    75.0%  [ 30.1, 95.4]    100.0   25.0      -        1    5
stay                         2    50.0%  [  9.5, 90.5]     50.0    0.0      -        0    0
mean over tasks              6    62.5%  [ 32.2, 85.2]     75.0   12.5      -
)");
}

}  // namespace
}  // namespace aim
