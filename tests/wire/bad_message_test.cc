// What clients may send by mistake or on purpose, and URLs that are none.
#include <gmock/gmock.h>

#include <limits>

#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "aim/wire/wire.h"
#include "support/case_name.h"
#include "support/corpus.h"
#include "support/throws.h"
#include "wire/sample_messages.h"
#include "wire/socket_connection.h"
#include "wire/url_host.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::NumbersValue;
using testing::ReadBy;
using testing::SampleMessage;
using testing::SampleObservation;
using testing::With;

struct BadObservation {
  std::string name;
  std::string key;
  MsgpackValue value;  // nil: left out
  std::vector<std::string> words;
};

MsgpackValue NumpyOf(const char* dtype, MsgpackValue::List shape, const std::string& data) {
  return MsgpackValue::Map{{"__ndarray__", true, true},
                           {"data", MsgpackBin{data}, true},
                           {"dtype", dtype, true},
                           {"shape", std::move(shape), true}};
}

std::vector<BadObservation> BadPictures() {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  const std::string image = "observation/image/front";
  const std::string k = "camera/front/intrinsics";
  const std::string e = "camera/front/extrinsics_c2w";
  Eigen::Matrix3d skewed = Eigen::Matrix3d::Identity() * 20;
  skewed(2, 2) = 1;
  skewed(0, 1) = 3;
  Eigen::Matrix3d negative = skewed;
  negative(0, 1) = 0;
  negative(0, 0) = -20;
  Eigen::Matrix3d far = Eigen::Matrix3d::Identity() * 20;
  far(2, 2) = 1;
  far(0, 2) = 500;
  Eigen::Matrix4d mirrored = Eigen::Matrix4d::Identity();
  mirrored(0, 0) = -1;
  return {
      {"no_prompt", "prompt", {}, {"prompt is missing"}},
      {"prompt_no_text", "prompt", 7, {"prompt is 7", "text"}},
      {"prompt_too_long", "prompt", std::string(5000, 'a'), {"prompt", "at most 4096 bytes"}},
      {"image_floats", image, NumbersValue({1, 2, 3}), {image, "uint8 [height, width, 3]"}},
      {"image_int64", image, NumpyOf("<i8", {1, 1, 3}, std::string(24, 'a')), {image, "<i8"}},
      {"image_objects", image, NumpyOf("|O", {1, 1, 3}, "abc"), {image, "|O"}},
      {"image_grey", image, NumpyOf("|u1", {4, 4}, std::string(16, 'a')), {image, "[4, 4]"}},
      {"image_four_channels",
       image,
       NumpyOf("|u1", {2, 2, 4}, std::string(16, 'a')),
       {image, "[2, 2, 4]"}},
      {"image_short", image, NumpyOf("|u1", {4, 4, 3}, "abc"), {image, "3 bytes"}},
      {"image_declared_huge", image, NumpyOf("|u1", {65536, 65536, 3}, "abc"), {image, "3 bytes"}},
      {"image_overflow",
       image,
       NumpyOf("|u1", {int64_t{1} << 31, int64_t{1} << 31, int64_t{1} << 31}, "abc"),
       {image, "shape"}},
      {"video_of_no_frames", image, NumpyOf("|u1", {0, 2, 2, 3}, ""), {image, "[0, 2, 2, 3]"}},
      {"image_five_axes",
       image,
       NumpyOf("|u1", {1, 1, 2, 2, 3}, std::string(12, 'a')),
       {image, "[1, 1, 2, 2, 3]"}},
      {"image_negative", image, NumpyOf("|u1", {-1, 4, 3}, "abc"), {image, "shape is -1"}},
      {"image_empty", image, NumpyOf("|u1", {0, 4, 3}, ""), {image, "[0, 4, 3]"}},
      {"image_no_array", image, 7, {image + " is 7"}},
      {"intrinsics_missing", k, {}, {k + " is missing", "both"}},
      {"extrinsics_missing", e, {}, {e + " is missing", "both"}},
      {"intrinsics_nan", k, NumbersValue({nan, 0, 8, 0, 20, 8, 0, 0, 1}), {k, "nan", "finite"}},
      {"intrinsics_eight",
       k,
       NumbersValue({20, 0, 8, 0, 20, 8, 0, 0}),
       {k + " is of 8 numbers", "9"}},
      {"intrinsics_skew", k, NumpyMatrix(skewed), {k, "skew"}},
      {"focal_negative", k, NumpyMatrix(negative), {k, "-20", "\"opencv\""}},
      {"principal_point_far", k, NumpyMatrix(far), {k, "principal point"}},
      {"extrinsics_mirrored", e, NumpyMatrix(mirrored), {e}},
      {"extrinsics_scaled", e, NumpyMatrix(Eigen::Matrix4d::Identity() * 2), {e}},
      {"extrinsics_inf", e, NumpyMatrix(Eigen::Matrix4d::Identity() * inf), {e, "finite"}},
      {"convention_unknown", "camera_convention", "opengl", {"\"opengl\"", "\"rlbench\""}},
      {"convention_contradicts", "camera_convention", "rlbench", {"focal lengths", "negative"}},
      {"pixel_origin", "pixel_origin", "center", {"pixel_origin", "half a pixel"}},
  };
}

constexpr double kNotUnit[] = {0, 0, 0, 0, 0, 0, 2, 1};

std::vector<BadObservation> BadStates() {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  return {
      {"pose_six",
       "observation/gripper_pose",
       NumbersValue({0, 0, 0, 0, 0, 1}),
       {"observation/gripper_pose is of 6 numbers"}},
      {"pose_not_unit",
       "observation/gripper_pose",
       NumbersValue({0, 0, 0, 0, 0, 0, 2}),
       {"observation/gripper_pose"}},
      {"pose_nan", "observation/gripper_pose", NumbersValue({nan, 0, 0, 0, 0, 0, 1}), {"finite"}},
      {"openness_missing", "observation/gripper_open", {}, {"observation/gripper_open is missing"}},
      {"openness_many",
       "observation/gripper_open",
       NumpyArray({1000}, std::vector<double>(1000)),
       {"observation/gripper_open is an array of shape [1000]", "1"}},
      // The product of its sizes passes 2^64 on the way to 0.
      {"openness_of_nothing",
       "observation/gripper_open",
       NumpyOf("<f8", {INT32_MAX, INT32_MAX, INT32_MAX, 0}, ""),
       {"observation/gripper_open is of 0 numbers"}},
      {"key_too_long",
       "observation/image/" + std::string(200, 'x'),
       1,
       {"the key \"observation/image/xxx", "218 bytes long", "128"}},
      {"key_unprintable", "observation/image/a\nb", 1, {"a?b", "printable"}},
      {"openness_two", "observation/gripper_open", 2, {"observation/gripper_open is 2", "[0, 1]"}},
      {"seed_negative", "seed", -1, {"seed is -1"}},
      {"seed_fraction", "seed", 0.5, {"seed is 0.5"}},
      {"step_huge", "step", int64_t{1} << 40, {"step is 1099511627776"}},
      {"id_no_text", "request_id", 7, {"request_id is 7"}},
      {"job_no_text", "job", 7, {"job is 7", "text"}},
      {"poses_flat",
       "poses",
       NumbersValue({1, 2, 3}),
       {"poses is an array of shape [3]", "[T, 8]"}},
      {"poses_no_array", "poses", 7, {"poses is 7", "[T, 8]"}},
      {"poses_not_unit",
       "poses",
       NumpyArray({1, 8}, std::span<const double>(kNotUnit)),
       {"poses[0]"}},
      {"op_unknown", "op", "fly", {"op is \"fly\"", "\"reset\""}},
  };
}

class BadObservationTest : public ::testing::TestWithParam<BadObservation> {};

TEST_P(BadObservationTest, IsRefusedInWords) {
  const BadObservation& bad = GetParam();
  ASSERT_EQ(ReadBy("openpi", SampleObservation()).pictures.size(), 2u);
  ExpectThrowsWith<InputError>(
      [&] { ReadBy("openpi", With(SampleObservation(), bad.key, bad.value)); }, bad.words);
}

INSTANTIATE_TEST_SUITE_P(Pictures, BadObservationTest, ::testing::ValuesIn(BadPictures()),
                         testing::CaseName());
INSTANTIATE_TEST_SUITE_P(States, BadObservationTest, ::testing::ValuesIn(BadStates()),
                         testing::CaseName());

TEST(BadMessageTest, EveryWireRefusesAnObservationCutAnywhere) {
  for (const Wire& wire : AllWires()) {
    const std::string message = SampleMessage(wire, 4);
    PolicyRequest whole;
    wire.read(message, whole);
    EXPECT_EQ(whole.pictures.size(), 2u) << wire.name;
    for (size_t size = 0; size < message.size(); ++size) {
      PolicyRequest request;
      EXPECT_THROW(wire.read(std::string_view(message).substr(0, size), request), InputError)
          << wire.name << " " << size;
    }
  }
}

// Bytes changed, taken away and repeated anywhere: what is read has passed every check, what is not
// is refused as an InputError (tests/fuzz/wire_fuzz.cc searches on from here).
TEST(BadMessageTest, MutatedObservationsAreReadOrRefused) {
  Rng rng(23);
  int num_read = 0;
  for (int i = 0; i < 3000; ++i) {
    const Wire& wire = AllWires()[static_cast<size_t>(i) % AllWires().size()];
    const std::string message = SampleMessage(wire, 2);
    const auto place = [&] {
      return static_cast<size_t>(rng.UniformInt(static_cast<int64_t>(message.size())));
    };
    std::string mutated = message;
    switch (rng.UniformInt(3)) {
      case 0:
        mutated[place()] = static_cast<char>(rng.UniformInt(256));
        break;
      case 1:
        mutated.erase(place(), 1 + static_cast<size_t>(rng.UniformInt(9)));
        break;
      default:
        mutated.insert(place(), message.substr(place(), 9));
    }
    PolicyRequest request;
    try {
      wire.read(mutated, request);
      ++num_read;
    } catch (const InputError&) {
    }
    for (const SentPicture& picture : request.pictures) {
      if (!picture.encoded.empty()) continue;
      EXPECT_EQ(picture.rgb.size(),
                static_cast<size_t>(picture.num_frames * picture.width * picture.height * 3));
    }
  }
  EXPECT_GT(num_read, 100);
  EXPECT_LT(num_read, 2000);
}

struct UrlCase {
  std::string url;
  std::string host;  // empty: refused
  std::string port;
  std::string path;
};

// The brackets of IPv6 addresses are the URL's, not the address's.
TEST(WebSocketUrlTest, HostsAreNamesOrAddresses) {
  const UrlCase cases[] = {
      {"ws://localhost:8000", "localhost", "8000", "/"},
      {"ws://10.0.0.7:80/openpi", "10.0.0.7", "80", "/openpi"},
      {"ws://[::1]:8000", "::1", "8000", "/"},
      {"ws://[fe80::1]:8000/a/b", "fe80::1", "8000", "/a/b"},
      {"ws://::1:8000", "", "", ""},
      {"ws://[::1]", "", "", ""},
      {"ws://[]:8000", "", "", ""},
  };
  for (const UrlCase& each : cases) {
    if (each.host.empty()) {
      ExpectThrowsWith<ConfigError>([&] { ParseWebSocketUrl(each.url, "--policy"); },
                                    {"--policy is", each.url, "in brackets"});
      continue;
    }
    const WebSocketUrl url = ParseWebSocketUrl(each.url, "--policy");
    EXPECT_EQ(url.host, each.host);
    EXPECT_EQ(url.port, each.port);
    EXPECT_EQ(url.path, each.path);
    EXPECT_EQ(UrlHost(url.host), each.url.substr(5, each.url.find(':' + each.port) - 5));
  }
}

// Each on the wire that its first byte chooses, as tests/fuzz/wire_fuzz.cc has it.
TEST(BadMessageTest, WhatFuzzingFoundIsReadOrRefused) {
  const auto& wires = AllWires();
  for (const std::string& bytes : testing::ReadCorpus("wire")) {
    PolicyRequest request;
    try {
      wires[static_cast<uint8_t>(bytes[0]) % wires.size()].read(bytes.substr(1), request);
    } catch (const InputError&) {
    }
  }
}

}  // namespace
}  // namespace aim
