#include "aim/base/options.h"

#include <gmock/gmock.h>

#include <fstream>
#include <limits>

#include "support/case_name.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using nlohmann::json;
using testing::ExpectThrowsWith;
using testing::TemporaryFolder;

enum class Shade { kLight, kDark };
constexpr auto WordsOf(Shade) {
  return WordTable<Shade, 2>{{{Shade::kLight, "light"}, {Shade::kDark, "dark"}}};
}

struct OptimizerOptions {
  double lr = 1e-4;
  int batch_size = 8;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("lr", self.lr, Range{0, 1}, "learning rate");
    visit("batch_size", self.batch_size, Range{1, 4096}, "clips a step");
  }
};

struct JobOptions {
  bool fast = false;
  int num_steps = 50;
  int64_t offset = 0;
  uint64_t seed = 0;
  double guidance = 5;
  std::string sampler = "euler";
  Shade shade = Shade::kLight;
  std::string name;
  std::vector<std::string> task;
  std::vector<int> widths = {1, 2};
  std::vector<double> scales;
  std::vector<bool> masks;
  OptimizerOptions train;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("fast", self.fast, Any{}, "take short cuts");
    visit("num_steps", self.num_steps, Range{1, 1000}, "denoising steps");
    visit("offset", self.offset, Any{}, "any whole number");
    visit("seed", self.seed, Any{}, "seed");
    visit("guidance", self.guidance, Range{1, 30}, "weight");
    visit("sampler", self.sampler, Limits({"euler", "unipc"}), "sampler");
    visit("shade", self.shade, Any{}, "how it looks");
    visit("name", self.name, Any{}, "a name");
    visit("task", self.task, Any{}, "tasks");
    visit("widths", self.widths, Range{1, 64}, "widths");
    visit("scales", self.scales, Range{0, 2}, "scales");
    visit("masks", self.masks, Any{}, "masks");
    visit("train", self.train, Any{}, "training");
  }
};

JobOptions FarFromDefaults() {
  JobOptions options;
  options.fast = true;
  options.num_steps = 7;
  options.offset = std::numeric_limits<int64_t>::min();
  options.seed = 9007199254740993;  // not a double
  options.guidance = 0.1 + 0.2 + 1;
  options.sampler = "unipc";
  options.shade = Shade::kDark;
  options.name = "a \"b\" \\ \n\t# = [x] \xc3\xa9";
  options.task = {"reach, push", "", "it's"};
  options.widths = {};
  options.scales = {0.1 + 0.2, 2, 1e-9};
  options.masks = {false, true, false};
  options.train = {1e-5, 3};
  return options;
}

TEST(OptionsTest, JsonHoldsEveryFieldAndRestoresIt) {
  const JobOptions options = FarFromDefaults();
  JobOptions restored;
  ApplyOptions(restored, OptionsToJson(options), "test");
  EXPECT_EQ(OptionsToJson(restored), OptionsToJson(options));
  EXPECT_EQ(restored.offset, options.offset);
  EXPECT_EQ(restored.seed, options.seed);
  EXPECT_EQ(restored.name, options.name);
  EXPECT_EQ(restored.shade, Shade::kDark);
  EXPECT_EQ(restored.train.lr, options.train.lr);
}

TEST(OptionsTest, TomlRestoresEveryField) {
  const TemporaryFolder folder;
  const JobOptions options = FarFromDefaults();
  std::ofstream(folder / "o.toml") << ToToml(OptionsToJson(options));
  JobOptions restored;
  ApplyOptions(restored, ReadToml(folder / "o.toml"), "o.toml");
  EXPECT_EQ(OptionsToJson(restored), OptionsToJson(options));
}

TEST(OptionsTest, KeysJoinWithDots) {
  EXPECT_THAT(OptionKeys(JobOptions{}),
              ::testing::ElementsAre("fast", "num_steps", "offset", "seed", "guidance", "sampler",
                                     "shade", "name", "task", "widths", "scales", "masks",
                                     "train.lr", "train.batch_size"));
}

TEST(OptionsTest, TextOfACommandLineTakesTheFieldsType) {
  JobOptions options;
  SetOptionText(options, "name", "007");
  SetOptionText(options, "task", "true");
  SetOptionText(options, "guidance", "+2.5");
  SetOptionText(options, "train.lr", ".25");
  SetOptionText(options, "offset", "1e3");
  SetOptionText(options, "seed", "18446744073709551615");
  EXPECT_EQ(options.name, "007");
  EXPECT_THAT(options.task, ::testing::ElementsAre("true"));
  EXPECT_EQ(options.guidance, 2.5);
  EXPECT_EQ(options.train.lr, 0.25);
  EXPECT_EQ(options.offset, 1000);
  EXPECT_EQ(options.seed, std::numeric_limits<uint64_t>::max());
  SetOptionText(options, "task", "[\"a\", \"b\"]");
  EXPECT_THAT(options.task, ::testing::ElementsAre("a", "b"));
  SetOptionText(options, "widths", "[4, 8, 8]");
  SetOptionText(options, "scales", "0.5");
  SetOptionText(options, "masks", "true");
  EXPECT_THAT(options.widths, ::testing::ElementsAre(4, 8, 8));
  EXPECT_THAT(options.scales, ::testing::ElementsAre(0.5));
  EXPECT_THAT(options.masks, ::testing::ElementsAre(true));
}

TEST(OptionsTest, DefaultsLieWithinTheirLimits) { EXPECT_NO_THROW(CheckRanges(JobOptions{})); }

TEST(OptionsTest, AWordOfAnEnumIsReadFromItsTable) {
  JobOptions options;
  SetOptionText(options, "shade", "dark");
  EXPECT_EQ(options.shade, Shade::kDark);
  EXPECT_EQ(OptionsToJson(options)["shade"], "dark");
  ExpectThrowsWith<ConfigError>([&] { SetOptionText(options, "shade", "drak"); },
                                {"shade is \"drak\"", "light|dark", "did you mean dark?"});
  ExpectThrowsWith<ConfigError>([&] { SetOption(options, "shade", 1); }, {"shade is 1", "text"});
  EXPECT_EQ(options.shade, Shade::kDark);
  std::string limits;
  for (const OptionLeaf& leaf : LeavesOf(options)) {
    if (leaf.key == "shade") limits = DescribeLimits(leaf.limits);
  }
  EXPECT_EQ(limits, "light|dark");
}

TEST(OptionsTest, CheckRangesNamesSectionAndKey) {
  JobOptions options;
  options.num_steps = 0;
  ExpectThrowsWith<ConfigError>([&] { CheckRanges(options, "sampler"); },
                                {"sampler.num_steps is 0; expected [1, 1000]"});
  options = {};
  options.train.lr = std::numeric_limits<double>::quiet_NaN();
  ExpectThrowsWith<ConfigError>([&] { CheckRanges(options); }, {"train.lr is nan", "[0, 1]"});
}

struct BadValue {
  const char* name;
  const char* key;
  json value;
  std::vector<std::string> words;
};

class BadValueTest : public ::testing::TestWithParam<BadValue> {};

TEST_P(BadValueTest, IsRefusedInOneSentence) {
  JobOptions options;
  ExpectThrowsWith<ConfigError>(
      [&] { SetOption(options, GetParam().key, GetParam().value, "job.toml"); }, GetParam().words);
}

INSTANTIATE_TEST_SUITE_P(
    Values, BadValueTest,
    ::testing::Values(
        BadValue{"BoolFromNumber", "fast", 1, {"job.toml: fast is 1", "true or false"}},
        BadValue{"BoolFromText", "fast", "yes", {"fast is \"yes\"", "true or false"}},
        BadValue{"IntFromFraction", "num_steps", 1.5, {"num_steps is 1.5", "whole number"}},
        BadValue{"IntTooLarge", "num_steps", 3e9, {"num_steps is 3000000000", "2147483647"}},
        BadValue{"IntFromText", "num_steps", "5", {"num_steps is \"5\"", "whole number"}},
        BadValue{"IntBelowRange", "num_steps", -3, {"num_steps is -3", "[1, 1000]"}},
        BadValue{"SeedNegative", "seed", -1, {"seed is -1", "whole number in [0,"}},
        BadValue{"SeedTooLarge", "seed", 2e19, {"seed is 2e+19", "whole number"}},
        BadValue{
            "Int64TooLarge", "offset", 18446744073709551615u, {"offset is 18446744073709551615"}},
        BadValue{"NumberNan",
                 "guidance",
                 std::numeric_limits<double>::quiet_NaN(),
                 {"guidance is nan", "finite number"}},
        BadValue{"NumberInf",
                 "guidance",
                 std::numeric_limits<double>::infinity(),
                 {"guidance is inf", "finite number"}},
        BadValue{"NumberFromNull", "guidance", nullptr, {"guidance is null"}},
        BadValue{"AboveRange", "guidance", 31, {"guidance is 31", "[1, 30]"}},
        BadValue{"NotAChoice",
                 "sampler",
                 "unipv",
                 {"sampler is \"unipv\"", "euler|unipc", "did you mean unipc?"}},
        BadValue{"TextFromNumber", "name", 3, {"name is 3", "text"}},
        BadValue{"ListFromText", "task", "a", {"task is \"a\"", "list of texts"}},
        BadValue{"ListOfNumbers", "task", json::array({1}), {"task is [1]", "list of texts"}},
        BadValue{"ListOfWidthsFromText", "widths", "4", {"widths is \"4\"", "list of whole"}},
        BadValue{"ListItemFraction", "widths", json::array({1, 1.5}), {"widths[1] is 1.5"}},
        BadValue{"ListItemOutOfRange", "widths", json::array({1, 65}), {"widths is 65", "[1, 64]"}},
        BadValue{"ListItemNull", "scales", json::array({nullptr}), {"scales[0] is null"}},
        BadValue{"ListOfFlagsFromNumbers", "masks", json::array({1}), {"masks[0] is 1", "true or"}},
        BadValue{"UnknownKey", "num_step", 3, {"job.toml: num_step", "did you mean num_steps?"}},
        BadValue{"WrongSection", "trian.lr", 3, {"trian.lr", "did you mean train.lr?"}},
        BadValue{"NoSection", "batch_size", 3, {"batch_size", "did you mean train.batch_size?"}}),
    testing::CaseName());

TEST(OptionsTest, RefusedValueLeavesOtherFieldsAlone) {
  JobOptions options;
  EXPECT_THROW(SetOption(options, "num_steps", 1.5), ConfigError);
  EXPECT_EQ(OptionsToJson(options), OptionsToJson(JobOptions{}));
}

TEST(OptionsTest, UnknownSectionIsAnErrorEvenWhenEmpty) {
  JobOptions options;
  ExpectThrowsWith<ConfigError>(
      [&] {
        ApplyOptions(options, {{"trian", json::object()}}, "job.toml");
      },
      {"trian"});
  EXPECT_NO_THROW(ApplyOptions(options, {{"train", json::object()}}, "job.toml"));
}

// A path may be of any bytes, TOML is UTF-8.
TEST(ToTomlTest, BytesThatAreNoUtf8AreNamed) {
  ExpectThrowsWith<ConfigError>(
      [] {
        ToToml({{"text", {{"file", "mod\xE8les/x"}}}});
      },
      {"file is \"mod?les/x\"", "no UTF-8"});
}

TEST(ReadTomlTest, ReadsEveryKindOfValue) {
  const TemporaryFolder folder;
  std::ofstream(folder / "a.toml") << "i = -3\nf = 1.5\nb = true\ns = \"x\"\nl = [1, [2]]\n"
                                      "d = 2024-05-06\n[t.u]\nk = 'v'\n";
  EXPECT_EQ(ReadToml(folder / "a.toml"),
            json::parse(R"({"i": -3, "f": 1.5, "b": true, "s": "x", "l": [1, [2]],
                            "d": "2024-05-06", "t": {"u": {"k": "v"}}})"));
}

TEST(ReadTomlTest, BrokenFileNamesFileAndLine) {
  const TemporaryFolder folder;
  std::ofstream(folder / "bad.toml") << "a = 1\nb = [1,\n";
  ExpectThrowsWith<FormatError>([&] { ReadToml(folder / "bad.toml"); },
                                {"bad.toml, line 2", "not valid TOML"});
  std::ofstream(folder / "twice.toml") << "a = 1\na = 2\n";
  ExpectThrowsWith<FormatError>([&] { ReadToml(folder / "twice.toml"); }, {"twice.toml, line 2"});
  ExpectThrowsWith<InputError>([&] { ReadToml(folder / "none.toml"); }, {"none.toml", "missing"});
  ExpectThrowsWith<InputError>([&] { ReadToml(folder.path()); }, {"a folder"});
}

// Tables in one another recurse, in the parser already: refused before it reads.
TEST(ReadTomlTest, DeepNestingIsRefused) {
  const TemporaryFolder folder;
  std::string key = "a";
  for (int i = 0; i < 200'000; ++i) key += ".a";
  for (const std::string& text :
       {key + " = 1\n", "[" + key + "]\n", "a = {" + key + " = 1}\n",
        "a = " + std::string(200'000, '[') + "\n", "a = \"\"\"\n\"\"\"\n" + key + " = 1\n"}) {
    std::ofstream(folder / "deep.toml") << text;
    ExpectThrowsWith<FormatError>([&] { ReadToml(folder / "deep.toml"); },
                                  {"deep.toml is nested deeper than 16 levels"});
  }
}

// toml++ runs into undefined behaviour on some of these; none is TOML. In quotes all is well.
TEST(ReadTomlTest, CharactersOutsideQuotesAreAscii) {
  const TemporaryFolder folder;
  const auto expect = [&](const char* text, const char* what) {
    std::ofstream(folder / "a.toml") << text;
    ExpectThrowsWith<FormatError>([&] { ReadToml(folder / "a.toml"); }, {"a.toml, line 2", what});
  };
  expect("a = 1\n\u2dfe-", "not ASCII");
  expect("a = \"\"\"x\"\"\"\"\n\u2dfe", "not ASCII");
  for (const char* text :
       {"a = 1\nz=+Z'7\u02b988", "a = 1\no=2E9\"'.'\u0481", "a = 1\n[b\"\u2dfe\"]"}) {
    expect(text, "a quote in the middle of a word");
  }
  std::ofstream(folder / "b.toml") << "# \u2dfe\n\"\u2dfe\" = '\u2dfe'\n";
  EXPECT_EQ(ReadToml(folder / "b.toml"), (nlohmann::json{{"\u2dfe", "\u2dfe"}}));
}

// Dots and brackets in texts and comments are no nesting.
TEST(ReadTomlTest, TextsAndCommentsMayHoldAnything) {
  const TemporaryFolder folder;
  const std::string dots(40, '.');
  const std::string brackets(40, '[');
  std::ofstream(folder / "a.toml")
      << "# " << dots << brackets << "\na = \"\\\"" << dots << brackets << "\"\nb = '" << dots
      << "'\nc = \"\"\"" << dots << "\n\"" << brackets << "\"\"\"\nd = [1.5, 2.5]\ne.f.g = 1.0";
  const json read = ReadToml(folder / "a.toml");
  EXPECT_EQ(read["a"], "\"" + dots + brackets);
  EXPECT_EQ(read["b"], dots);
  EXPECT_EQ(read["c"], dots + "\n\"" + brackets);
  EXPECT_EQ(read["e"]["f"]["g"], 1.0);
}

TEST(ReadTomlTest, ByteOrderMarksArePassedOver) {
  const TemporaryFolder folder;
  std::ofstream(folder / "a.toml") << "\xEF\xBB\xBF"
                                   << "a = 1\n";
  EXPECT_EQ(ReadToml(folder / "a.toml")["a"], 1);
  std::ofstream(folder / "b.toml") << std::string(
      "\xFF\xFE"
      "a\0=\0002\0\n\0",
      10);
  EXPECT_EQ(ReadToml(folder / "b.toml")["a"], 2);
}

TEST(ParseOptionTextTest, TellsNumbersFlagsListsAndTextApart) {
  EXPECT_EQ(ParseOptionText("3"), json(3));
  EXPECT_EQ(ParseOptionText("-0.5"), json(-0.5));
  EXPECT_EQ(ParseOptionText("true"), json(true));
  EXPECT_EQ(ParseOptionText("[\"a\"]"), json::array({"a"}));
  for (const char* text : {"", "abc", "null", "{}", "1e999", "nan", "inf", "1 2", "+", "0x10"}) {
    EXPECT_EQ(ParseOptionText(text), json(text));
  }
}

TEST(NearestKeyTest, PrefersFewEditsThenBeginnings) {
  const std::vector<std::string> known = {"out", "num_steps", "train.lr", "train.checkpoint_every"};
  EXPECT_EQ(NearestKey("num_stesp", known), "num_steps");
  EXPECT_EQ(NearestKey("modle", {"mode", "model"}), "model");
  EXPECT_EQ(NearestKey("lr", known), "train.lr");
  EXPECT_EQ(NearestKey("checkpoint", known), "train.checkpoint_every");
  EXPECT_EQ(NearestKey("x", {}), "");
}

TEST(ToTextTest, HasNoNeedlessDigits) {
  EXPECT_EQ(ToText(1000), "1000");
  EXPECT_EQ(ToText(-612.4), "-612.4");
  EXPECT_EQ(ToText(1e-5), "1e-05");
  EXPECT_EQ(ToText(1e300), "1e+300");
}

}  // namespace
}  // namespace aim
