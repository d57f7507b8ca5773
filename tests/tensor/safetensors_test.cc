#include "aim/tensor/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class SafetensorsTest : public ::testing::Test {
 protected:
  std::filesystem::path Put(const std::string& bytes) const {
    const std::filesystem::path path = folder_ / "w.safetensors";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  // The message of the FormatError that reading `bytes` throws; empty if it reads.
  std::string Message(const std::string& bytes) const {
    try {
      OpenSafetensors(Put(bytes));
    } catch (const FormatError& error) {
      return error.what();
    }
    return "";
  }

  testing::TemporaryFolder folder_;
};

std::string WithHeader(const std::string& header, const std::string& data) {
  std::string length(8, '\0');
  const uint64_t size = header.size();
  std::memcpy(length.data(), &size, 8);
  return length + header + data;
}

WeightMap EveryDtype() {
  const at::Tensor base = at::arange(5, at::kFloat);
  WeightMap tensors;
  int index = 0;
  for (const at::ScalarType type :
       {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kFloat8_e4m3fn, at::kFloat8_e5m2,
        at::kLong, at::kInt, at::kShort, at::kChar, at::kUInt64, at::kUInt32, at::kUInt16,
        at::kByte, at::kBool, at::kFloat8_e8m0fnu, at::kFloat8_e4m3fnuz, at::kFloat8_e5m2fnuz,
        at::kComplexFloat}) {
    tensors["t" + std::to_string(index++)] = base.to(type);
  }
  tensors["scalar"] = at::scalar_tensor(2.5, at::kFloat);
  tensors["empty"] = at::empty({0, 3}, at::kFloat);
  tensors["transposed"] = at::arange(6, at::kFloat).reshape({2, 3}).t();
  return tensors;
}

TEST_F(SafetensorsTest, RoundTripOfEveryDtype) {
  const WeightMap tensors = EveryDtype();
  const Metadata metadata = {{"format", "pt"}, {"note", "a \"quoted\" line\nand \xc3\xa9"}};
  WriteSafetensors(folder_ / "w.safetensors", tensors, metadata);
  const SafetensorsFile read = OpenSafetensors(folder_ / "w.safetensors");
  EXPECT_EQ(read.metadata, metadata);
  ASSERT_EQ(read.tensors.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(read.tensors.at(name).sizes(), tensor.sizes()) << name;
  }
  EXPECT_EQ(Fingerprint(read.tensors), Fingerprint(tensors));
}

// One tensor at a time gives the same bytes; a writer that fails leaves nothing behind.
TEST_F(SafetensorsTest, StreamsTensorByTensor) {
  const WeightMap tensors = EveryDtype();
  std::map<std::string, TensorInfo> infos;
  for (const auto& [name, tensor] : tensors) {
    infos[name] = {tensor.scalar_type(), tensor.sizes().vec()};
  }
  WriteSafetensors(folder_ / "whole.safetensors", tensors, {{"k", "v"}});
  size_t calls = 0;
  const auto load = [&](const std::string& name) {
    ++calls;
    return tensors.at(name);
  };
  StreamSafetensors(folder_ / "streamed.safetensors", infos, load, {{"k", "v"}});
  EXPECT_EQ(calls, tensors.size());
  EXPECT_EQ(ReadFile(folder_ / "streamed.safetensors"), ReadFile(folder_ / "whole.safetensors"));

  const auto fail = [&](const std::string& name) -> at::Tensor {
    if (name != tensors.begin()->first) return tensors.at(name);
    throw InputError({.where = name, .got = "bad", .expected = "good", .fix = ""});
  };
  std::filesystem::remove(folder_ / "streamed.safetensors");
  EXPECT_THROW(StreamSafetensors(folder_ / "streamed.safetensors", infos, fail), InputError);
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    files += entry.is_regular_file() ? 1 : 0;
  }
  EXPECT_EQ(files, 1u) << "the whole file alone";
}

TEST_F(SafetensorsTest, DataStartsAtEightBytes) {
  WriteSafetensors(folder_ / "w.safetensors", {{"a", at::ones({3})}});
  const std::string bytes = ReadFile(folder_ / "w.safetensors");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  EXPECT_EQ(bytes.size(), 8 + length + 12);
}

// Tensors outlive the call, and writing to one changes neither the file nor a second reading.
TEST_F(SafetensorsTest, MappingIsPrivateAndOutlivesTheCall) {
  const std::filesystem::path path = folder_ / "w.safetensors";
  WriteSafetensors(path, {{"a", at::ones({3})}, {"b", at::zeros({2})}});
  at::Tensor kept = ReadSafetensors(path).at("a");
  kept.fill_(7);
  EXPECT_EQ(kept.sum().item<float>(), 21);
  EXPECT_EQ(ReadSafetensors(path).at("a").sum().item<float>(), 3);
}

TEST_F(SafetensorsTest, ReadsUnalignedData) {
  const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  for (size_t spaces = 0; spaces < 8; ++spaces) {
    const float value = 1.5f;
    std::string data(4, '\0');
    std::memcpy(data.data(), &value, 4);
    const auto path = Put(WithHeader(header + std::string(spaces, ' '), data));
    EXPECT_EQ(ReadSafetensors(path).at("a").item<float>(), 1.5f);
  }
}

TEST_F(SafetensorsTest, TruncatedAtEveryByte) {
  WriteSafetensors(folder_ / "whole.safetensors",
                   {{"a", at::ones({3})}, {"b", at::zeros({2, 2}, at::kHalf)}}, {{"k", "v"}});
  const std::string bytes = ReadFile(folder_ / "whole.safetensors");
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THAT(Message(bytes.substr(0, size)), HasSubstr("w.safetensors")) << size;
  }
  EXPECT_NE(Message(bytes + '\0'), "") << "a byte too many";
}

// Damage anywhere either reads as some other file or is reported; nothing else may happen.
TEST_F(SafetensorsTest, FlippedBytes) {
  WriteSafetensors(folder_ / "whole.safetensors", {{"a", at::ones({3})}}, {{"k", "v"}});
  const std::string bytes = ReadFile(folder_ / "whole.safetensors");
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const int flip : {0x01, 0x20, 0x80, 0xff}) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      try {
        Fingerprint(ReadSafetensors(Put(damaged)));
      } catch (const FormatError&) {
      }
    }
  }
}

TEST_F(SafetensorsTest, MissingFileAndFolder) {
  EXPECT_THROW(ReadSafetensors(folder_ / "none.safetensors"), InputError);
  EXPECT_THROW(ReadSafetensors(folder_.path()), InputError);
}

TEST_F(SafetensorsTest, WriterRefusesForeignDtypes) {
  const WeightMap complex = {{"c", at::zeros({2}, at::kComplexDouble)}};
  EXPECT_THROW(WriteSafetensors(folder_ / "w.safetensors", complex), InputError);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

// A header's keys are compared in time that its size sets: this one took minutes.
TEST_F(SafetensorsTest, ReadsManyTensors) {
  constexpr size_t kTensors = 200'000;
  std::string header = "{";
  for (size_t i = 0; i < kTensors; ++i) {
    header += (i == 0 ? "\"t" : ",\"t") + std::to_string(i) +
              R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  }
  EXPECT_EQ(ReadSafetensors(Put(WithHeader(header + "}", ""))).size(), kTensors);
}

struct BadFile {
  const char* name;
  std::string bytes;
  const char* words;
};

std::vector<BadFile> BadFiles() {
  const std::string data(16, '\0');
  const auto with = [&](const std::string& header) { return WithHeader(header, data); };
  return {
      {"empty", "", "0 bytes long"},
      {"length_beyond_file", std::string("\xff\0\0\0\0\0\0\0{}", 10), "header length is 255"},
      {"huge_length", std::string("\0\0\0\0\0\0\0\x7f{}", 10), "header length"},
      {"length_over_limit", std::string("\x01\xe1\xf5\x05\0\0\0\0{}", 10), "100000001"},
      {"zero_length", WithHeader("", data), "not a JSON object"},
      {"no_brace", with(" {}"), "begins with {"},
      {"array", with("[]"), "begins with {"},
      {"broken_json", with("{\"a\":"), "not a JSON object"},
      {"deep", with("{\"a\":" + std::string(100, '[')), "deeper than 8"},
      {"trailing", with("{}x"), "not a JSON object"},
      {"duplicate",
       with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
            R"("a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})"),
       "header: key a is named twice"},
      {"duplicate_field",
       with(R"({"a":{"dtype":"F32","dtype":"F32","shape":[4],"data_offsets":[0,16]}})"),
       "named twice"},
      {"entry_no_object", with(R"({"a":3})"), "tensor a is described by 3"},
      {"entry_without_shape", with(R"({"a":{"dtype":"F32","data_offsets":[0,16],"x":1}})"),
       "dtype, shape and data_offsets"},
      {"dtype_unknown", with(R"({"a":{"dtype":"F31","shape":[4],"data_offsets":[0,16]}})"),
       "tensor a: dtype is \"F31\"; expected one of F64, F32,"},
      {"dtype_of_half_bytes", with(R"({"a":{"dtype":"F4","shape":[32],"data_offsets":[0,16]}})"),
       "tensor a: dtype is \"F4\"; expected one of F64, F32, F16, BF16, F8_E4M3, F8_E5M2, "
       "F8_E8M0,"},
      {"dtype_number", with(R"({"a":{"dtype":3,"shape":[4],"data_offsets":[0,16]}})"),
       "dtype is 3"},
      {"shape_negative", with(R"({"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}})"),
       "shape is [-4]"},
      {"shape_fraction", with(R"({"a":{"dtype":"F32","shape":[4.0],"data_offsets":[0,16]}})"),
       "shape is [4.0]"},
      {"shape_text", with(R"({"a":{"dtype":"F32","shape":"4","data_offsets":[0,16]}})"),
       "shape is \"4\""},
      {"shape_overflow",
       with(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]}})"),
       "2^63"},
      {"shape_beyond_int64",
       with(R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,16]}})"),
       "shape is [18446744073709551615]"},
      {"shape_against_offsets", with(R"({"a":{"dtype":"F32","shape":[5],"data_offsets":[0,16]}})"),
       "16 bytes long; expected 20"},
      {"offsets_backwards", with(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}})"),
       "begin <= end"},
      {"offsets_one", with(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[16]}})"),
       "data_offsets is [16]"},
      {"offsets_beyond", with(R"({"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]}})"),
       "at most 16"},
      {"overlap",
       with(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},)"
            R"("b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})"),
       "tensor b is starting at byte 8"},
      {"hole",
       with(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
            R"("b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})"),
       "tensor b is starting at byte 8; expected 4"},
      {"late_start", with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})"),
       "expected 0"},
      {"rest_unused", with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"),
       "8 bytes longer"},
      {"no_tensor", with("{}"), "16 bytes longer"},
      {"metadata_number",
       with(R"({"__metadata__":{"k":1},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})"),
       "__metadata__.k is 1"},
      {"metadata_list", with(R"({"__metadata__":[]})"), "__metadata__ is []"},
      {"bad_utf8", with("{\"\xff\":1}"), "not a JSON object"},
  };
}

TEST_F(SafetensorsTest, BadFilesAreNamed) {
  for (const BadFile& bad : BadFiles()) {
    EXPECT_THAT(Message(bad.bytes), AllOf(HasSubstr("w.safetensors"), HasSubstr(bad.words)))
        << bad.name;
  }
}

}  // namespace
}  // namespace aim
