#include "aim/tensor/weight_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "tensor/mapped_tensor.h"
#include "tensor/torch_zip_writer.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::TemporaryFolder;

std::filesystem::path Fixtures() {
  const char* source = std::getenv("AIM_SOURCE_DIR");
  return std::filesystem::path(source == nullptr ? "." : source) / "tests/data/torch_zip";
}

void ExpectSame(const at::Tensor& got, const at::Tensor& expected, const std::string& name) {
  EXPECT_EQ(got.scalar_type(), expected.scalar_type()) << name;
  EXPECT_TRUE(got.equal(expected)) << name;
}

// What torch 2.11 saved (scripts/make_torch_zip_fixtures.py): plain dicts, a state_dict with
// _metadata, Parameters, ten dtypes, views and transposed views of one storage, wrapped dicts with
// values of other kinds, protocol 4.
TEST(TorchZipFixturesTest, ReadWhatTorchSaved) {
  WeightMap expected = ReadSafetensors(Fixtures() / "values.safetensors");
  for (const std::string name :
       {"plain", "module", "parameters", "dtypes", "views", "nested", "protocol4"}) {
    const WeightFile file = OpenWeights(Fixtures() / (name + ".pth"));
    EXPECT_EQ(file.format, "torch zip");
    EXPECT_NO_THROW(CheckRecords(file.tensors)) << name;
    for (const auto& [key, tensor] : file.tensors) {
      const auto found = expected.find(name + "/" + key);
      ASSERT_NE(found, expected.end()) << name << " " << key;
      ExpectSame(tensor, found->second, found->first);
      EXPECT_TRUE(tensor.numel() == 0 || PieceOf(tensor) != nullptr) << "zero-copy: " << key;
      expected.erase(found);
    }
  }
  EXPECT_TRUE(expected.empty()) << expected.begin()->first << " was not read";
}

TEST(TorchZipTest, ReadsZip64) {
  TemporaryFolder folder;
  const std::string pickle = testing::PickledDict(testing::PickledTensor({}));
  WriteFileAtomic(folder / "w.ckpt", testing::MakeZip(testing::FakeTorchRecords(pickle), true));
  const WeightMap loaded =
      LoadWeights(OpenWeights(folder / "w.ckpt").tensors, at::kDouble, at::kCPU, "w");
  ExpectSame(loaded.at("w"), at::tensor({1.0, 2.0, 3.0, 4.0}, at::kDouble).view({2, 2}), "w");
}

TEST(TorchZipTest, WrongCrcOfARecordIsSeenWhenItIsRead) {
  TemporaryFolder folder;
  auto records = testing::FakeTorchRecords(testing::PickledDict(testing::PickledTensor({})));
  records[1].crc ^= 1;
  WriteFileAtomic(folder / "w.pth", testing::MakeZip(records));
  const WeightMap mapped = OpenWeights(folder / "w.pth").tensors;
  const std::vector<std::string> words = {"w.pth: record archive/data/0 is damaged", "CRC"};
  ExpectThrowsWith<FormatError>([&] { CheckRecords(mapped); }, words);
  ExpectThrowsWith<FormatError>([&] { LoadWeights(mapped, at::kHalf, at::kCPU, "w"); }, words);
}

// torch.serialization.set_crc32_options(False): nothing to compare with.
TEST(TorchZipTest, CrcOfZeroWasNotComputed) {
  TemporaryFolder folder;
  auto records = testing::FakeTorchRecords(testing::PickledDict(testing::PickledTensor({})));
  for (auto& record : records) record.crc = 0;
  WriteFileAtomic(folder / "w.pth", testing::MakeZip(records));
  const WeightMap mapped = OpenWeights(folder / "w.pth").tensors;
  EXPECT_NO_THROW(CheckRecords(mapped));
  ExpectSame(mapped.at("w"), at::tensor({1.0f, 2.0f, 3.0f, 4.0f}).view({2, 2}), "w");
}

// What expand() and unfold() make: views that repeat the numbers of their storage.
TEST(TorchZipTest, ViewsThatRepeatNumbers) {
  TemporaryFolder folder;
  const auto read = [&](const testing::FakeTensor& tensor) {
    const std::string pickle = testing::PickledDict(testing::PickledTensor(tensor));
    WriteFileAtomic(folder / "w.pth", testing::MakeZip(testing::FakeTorchRecords(pickle)));
    const WeightMap mapped = OpenWeights(folder / "w.pth").tensors;
    EXPECT_EQ(Fingerprint(mapped), Fingerprint({{"w", mapped.at("w").clone()}}));
    return LoadWeights(mapped, at::kFloat, at::kCPU, "w").at("w");
  };
  const at::Tensor numbers = at::tensor({1.0f, 2.0f, 3.0f, 4.0f});
  ExpectSame(read({.shape = {3, 2}, .strides = {0, 1}}),
             numbers.slice(0, 0, 2).expand({3, 2}).contiguous(), "rows");
  ExpectSame(read({.offset = 2, .shape = {2, 3}, .strides = {0, 0}}), at::full({2, 3}, 3.0f),
             "one");
  ExpectSame(read({.shape = {3, 2}, .strides = {1, 1}}), numbers.unfold(0, 2, 1).contiguous(),
             "windows");
}

// A dict of `count` tensors w0, w1, ... that begin at the number `offset`.
std::string Dict(int count, int64_t offset = 0) {
  std::vector<std::pair<std::string, std::string>> items;
  for (int i = 0; i < count; ++i) {
    items.emplace_back("w" + std::to_string(i),
                       testing::PickledTensor({.offset = offset, .shape = {1}, .strides = {1}}));
  }
  return testing::PickledItems(items);
}

const std::string kOne = testing::PickledTensor({.shape = {1}, .strides = {1}});

struct WrapperCase {
  const char* name;
  std::vector<std::pair<std::string, std::string>> items;
  std::string key;
  std::vector<std::string> others;
};

// The one that was taken has three tensors, of the number 2.
TEST(TorchZipTest, TheUsualStateDictIsTaken) {
  const std::string optimizer = testing::PickledItems({{"state", Dict(9)}});
  const std::string inner = testing::PickledItems({{"state_dict", Dict(3, 1)}});
  const WrapperCase table[] = {
      {"alone", {{"model", Dict(3, 1)}}, "model", {}},
      {"beside a tensor", {{"step", kOne}, {"model", Dict(3, 1)}}, "model", {}},
      {"behind a tensor",
       {{"model_state_dict", Dict(3, 1)}, {"step", kOne}},
       "model_state_dict",
       {}},
      {"two levels", {{"ema", inner}, {"step", kOne}}, "ema.state_dict", {}},
      {"unusual name", {{"step", kOne}, {"student", Dict(3, 1)}}, "student", {}},
      {"with its average", {{"ema", Dict(3)}, {"model", Dict(3, 1)}}, "model", {"ema"}},
      {"averages alone", {{"generator_ema", Dict(3, 1)}, {"step", kOne}}, "generator_ema", {}},
      {"generator", {{"critic", Dict(4)}, {"generator", Dict(3, 1)}}, "generator", {"critic"}},
      {"with an optimizer", {{"optimizer", optimizer}, {"net", Dict(3, 1)}}, "net", {}},
      {"with little else", {{"model", Dict(3, 1)}, {"buffers", Dict(1)}}, "model", {}}};
  TemporaryFolder folder;
  for (const WrapperCase& line : table) {
    const std::string pickle = testing::PickledFile(testing::PickledItems(line.items));
    WriteFileAtomic(folder / "w.pth", testing::MakeZip(testing::FakeTorchRecords(pickle)));
    const WeightFile file = OpenWeights(folder / "w.pth");
    EXPECT_EQ(file.key, line.key) << line.name;
    EXPECT_EQ(file.other_keys, line.others) << line.name;
    EXPECT_EQ(file.tensors.size(), 3u) << line.name;
    EXPECT_EQ(file.tensors.at("w0").item<float>(), 2.0f) << line.name;
  }
}

// A state dict that has a smaller one below it is taken itself.
TEST(TorchZipTest, TheObjectItselfIsTakenWhereItHoldsMost) {
  TemporaryFolder folder;
  const std::string pickle = testing::PickledFile(testing::PickledItems(
      {{"a", kOne}, {"b", kOne}, {"c", kOne}, {"model", Dict(2)}, {"x.y", kOne}}));
  WriteFileAtomic(folder / "w.pth", testing::MakeZip(testing::FakeTorchRecords(pickle)));
  const WeightFile file = OpenWeights(folder / "w.pth");
  EXPECT_EQ(file.key, "");
  EXPECT_EQ(file.tensors.size(), 4u);
}

TEST(TorchZipTest, KeyNamesTheStateDict) {
  TemporaryFolder folder;
  const std::string inner = testing::PickledItems({{"state_dict", Dict(2, 3)}, {"decay", kOne}});
  const std::string pickle = testing::PickledFile(testing::PickledItems(
      {{"model", Dict(3)}, {"ema", inner}, {"optimizer", Dict(4, 2)}, {"a.b", Dict(1, 1)}}));
  WriteFileAtomic(folder / "w.pth", testing::MakeZip(testing::FakeTorchRecords(pickle)));
  const auto read = [&](const std::string& key) { return OpenWeights(folder / "w.pth", key); };
  EXPECT_EQ(read("ema").key, "ema.state_dict");
  EXPECT_EQ(read("ema").tensors.at("w1").item<float>(), 4.0f);
  EXPECT_EQ(read("ema.state_dict").tensors.size(), 2u);
  EXPECT_EQ(read("optimizer").tensors.at("w3").item<float>(), 3.0f);
  EXPECT_EQ(read("a.b").tensors.at("w0").item<float>(), 2.0f);
  EXPECT_EQ(read("model").tensors.size(), 3u);
  ExpectThrowsWith<InputError>(
      [&] { read("emma"); }, {"w.pth is without anything under the key \"emma\"", "model", "ema"});
  ExpectThrowsWith<InputError>([&] { read("ema.x"); }, {"under the key \"ema.x\""});
}

TEST(OpenWeightsTest, KeyIsTheBeginningOfNames) {
  TemporaryFolder folder;
  WriteSafetensors(folder / "all.safetensors", {{"vae.conv1.weight", at::ones({1})},
                                                {"vae.conv2.weight", at::ones({2})},
                                                {"vaerious.weight", at::ones({3})},
                                                {"model.dit.head.weight", at::ones({4})}});
  const WeightFile part = OpenWeights(folder / "all.safetensors", "vae");
  EXPECT_EQ(part.key, "vae");
  EXPECT_EQ(part.tensors.size(), 2u);
  EXPECT_TRUE(part.tensors.contains("conv2.weight"));
  EXPECT_TRUE(OpenWeights(folder / "all.safetensors", "model.dit").tensors.contains("head.weight"));
  ExpectThrowsWith<InputError>([&] { OpenWeights(folder / "all.safetensors", "text"); },
                               {"all.safetensors", "\"text\"", "model, vae, vaerious"});
}

TEST(TorchZipTest, DamagedPickleIsSeenAtOnce) {
  TemporaryFolder folder;
  auto records = testing::FakeTorchRecords(testing::PickledDict(testing::PickledTensor({})));
  records[0].crc ^= 1;
  WriteFileAtomic(folder / "w.pth", testing::MakeZip(records));
  ExpectThrowsWith<FormatError>([&] { OpenWeights(folder / "w.pth"); },
                                {"w.pth: record archive/data.pkl is damaged"});
  records[0].crc ^= 1;
  records.emplace_back("archive/byteorder", "big");
  WriteFileAtomic(folder / "w.pth", testing::MakeZip(records));
  ExpectThrowsWith<FormatError>([&] { OpenWeights(folder / "w.pth"); },
                                {"archive/byteorder is of another byte order"});
}

// a in the first shard, b in the second.
void WriteShards(const TemporaryFolder& folder, const std::string& map) {
  WriteSafetensors(folder / "m-00001-of-00002.safetensors", {{"a", at::ones({2})}});
  WriteSafetensors(folder / "m-00002-of-00002.safetensors", {{"b", at::zeros({3})}});
  WriteFileAtomic(folder / "m.safetensors.index.json", "{\"weight_map\":{" + map + "}}");
}

constexpr char kMap[] = R"("a":"m-00001-of-00002.safetensors","b":"m-00002-of-00002.safetensors")";

TEST(ShardsTest, ReadsFolderIndexAndShardsWithoutIndex) {
  TemporaryFolder folder;
  WriteShards(folder, kMap);
  for (const auto& path : {folder.path(), folder / "m.safetensors.index.json"}) {
    const WeightFile file = OpenWeights(path);
    EXPECT_EQ(file.format, "safetensors shards");
    EXPECT_EQ(file.files.size(), 2u);
    EXPECT_EQ(file.tensors.size(), 2u);
  }
  std::filesystem::remove(folder / "m.safetensors.index.json");
  EXPECT_EQ(OpenWeights(folder.path()).tensors.size(), 2u);
  std::filesystem::remove(folder / "m-00002-of-00002.safetensors");
  // One left: a set of which it is the first part.
  WriteSafetensors(folder / "n.safetensors", {{"c", at::ones({2})}});
  ExpectThrowsWith<InputError>([&] { OpenWeights(folder.path()); },
                               {"missing 1 shards (m-00002-of-00002.safetensors)"});
}

// What Transformers writes: pytorch_model.bin in pieces, with an index or without.
TEST(ShardsTest, ReadsShardsOfTorch) {
  TemporaryFolder folder;
  for (const std::string number : {"1", "2"}) {
    const std::string pickle = testing::PickledFile(testing::PickledItems({{"w" + number, kOne}}));
    WriteFileAtomic(folder / ("pytorch_model-0000" + number + "-of-00002.bin"),
                    testing::MakeZip(testing::FakeTorchRecords(pickle)));
  }
  EXPECT_EQ(OpenWeights(folder.path()).tensors.size(), 2u);
  const auto lone = OpenWeights(folder / "pytorch_model-00001-of-00002.bin");
  EXPECT_TRUE(lone.is_lone_shard);
  EXPECT_EQ(lone.tensors.size(), 1u);
  WriteFileAtomic(folder / "pytorch_model.bin.index.json",
                  R"({"weight_map":{"w1":"pytorch_model-00001-of-00002.bin",)"
                  R"("w2":"pytorch_model-00002-of-00002.bin"}})");
  EXPECT_EQ(OpenWeights(folder.path()).tensors.size(), 2u);
  EXPECT_FALSE(OpenWeights(folder.path()).is_lone_shard);
  std::filesystem::remove(folder / "pytorch_model.bin.index.json");
  std::filesystem::remove(folder / "pytorch_model-00001-of-00002.bin");
  ExpectThrowsWith<InputError>([&] { OpenWeights(folder.path()); },
                               {"missing 1 shards (pytorch_model-00001-of-00002.bin)"});
}

TEST(ShardsTest, MissingShardsAreListed) {
  TemporaryFolder folder;
  WriteFileAtomic(folder / "m.safetensors.index.json",
                  R"({"weight_map":{"a":"x.safetensors","b":"y.safetensors"}})");
  ExpectThrowsWith<InputError>([&] { OpenWeights(folder.path()); },
                               {"index.json", "missing 2 shards (x.safetensors, y.safetensors)"});
}

TEST(ShardsTest, BadIndicesAreNamed) {
  const std::string first = "m-00001-of-00002.safetensors";
  const std::string second = "m-00002-of-00002.safetensors";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "without weight_map"},
      {R"("a":"../x")", "../x"},
      {R"("a":1)", "weight_map.a is 1"},
      {R"("a":")" + first + R"(","a":")" + first + "\"", "key a is named twice"},
      {R"("a":")" + first + R"(","b":")" + first + "\"", "b (" + first},
      {R"("a":")" + first + R"(","b":")" + second + R"(","c":")" + second + "\"", "lack: c ("},
      {R"("a":")" + first + R"(","c":")" + second + "\"", "leaving out what its shards hold: b"}};
  for (const auto& [map, words] : cases) {
    TemporaryFolder folder;
    WriteShards(folder, map);
    ExpectThrowsWith<FormatError>([&] { OpenWeights(folder.path()); }, {"index.json", words});
  }
  TemporaryFolder folder;
  WriteShards(folder, kMap);
  WriteSafetensors(folder / second, {{"a", at::ones({2})}, {"b", at::ones({2})}});
  ExpectThrowsWith<FormatError>([&] { OpenWeights(folder.path()); }, {"holding a in two shards"});
}

TEST(OpenWeightsTest, OtherFilesAreNamed) {
  TemporaryFolder folder;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "truncated at 0 bytes"},
      {"\x80\x02\x8a\nl\xfc\x9c"
       "F\xf9 j\xa8P\x19.",
       "format of torch before 1.6"},
      {"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"},
      {"\x80\x04\x95\x10\x00", "a pickle that torch.save did not write"},
      {"GGUF\x03\x00\x00\x00{", "a GGUF file"},
      {std::string("GGUF\x03\0\0\0\x7b\0\0\0\0\0\0\0", 16), "take the safetensors or .pth files"},
      {"<!DOCTYPE html>", "a web page"},
      {"\x1f\x8b\x08 and so on", "compressed with gzip"},
      {"GIF89a and so on", "of an unknown format"}};
  for (const auto& [bytes, words] : cases) {
    WriteFileAtomic(folder / "w.pth", bytes);
    ExpectThrowsWith<FormatError>([&] { OpenWeights(folder / "w.pth"); }, {"w.pth", words});
  }
  ExpectThrowsWith<InputError>([&] { OpenWeights(folder / "no.pth"); }, {"no.pth is missing"});
  std::filesystem::create_directory(folder / "empty");
  ExpectThrowsWith<InputError>([&] { OpenWeights(folder / "empty"); }, {"without weights"});
  std::filesystem::copy(folder / "w.pth", folder / "x.pth");
  ExpectThrowsWith<InputError>([&] { OpenWeights(folder.path()); },
                               {"several weight files (w.pth, x.pth)"});
}

TEST(LoadWeightsTest, CastsSharesWhatFitsAndCopiesWhatIsStrided) {
  const at::Tensor fits = at::arange(6, at::kFloat);
  const WeightMap mapped = {{"fits", fits},
                            {"strided", fits.view({2, 3}).t()},
                            {"half", fits.to(at::kHalf)},
                            {"count", at::arange(3, at::kLong)}};
  const WeightMap loaded = LoadWeights(mapped, at::kFloat, at::kCPU, "w");
  EXPECT_EQ(loaded.at("fits").const_data_ptr(), fits.const_data_ptr());
  EXPECT_TRUE(loaded.at("strided").is_contiguous());
  ExpectSame(loaded.at("strided"), fits.view({2, 3}).t().contiguous(), "strided");
  ExpectSame(loaded.at("half"), fits, "half");
  EXPECT_EQ(loaded.at("count").scalar_type(), at::kLong);
}

// NaN and both infinities, of every floating type, are seen; the largest numbers are not mistaken.
TEST(LoadWeightsTest, FindsWhatIsNotFiniteInEveryType) {
  for (const at::ScalarType type :
       {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kFloat8_e5m2}) {
    const at::Tensor largest = at::tensor({1.0, -4e4, 0.0, -0.0, 1e-7}, at::kDouble).to(type);
    EXPECT_NO_THROW(LoadWeights({{"w", largest}}, at::kDouble, at::kCPU, "w")) << type;
    for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
      at::Tensor broken = at::zeros({5000}, at::kDouble);
      broken[4999] = value;
      EXPECT_THROW(LoadWeights({{"w", broken.to(type)}}, at::kDouble, at::kCPU, "w"), InputError)
          << type << " " << value;
    }
  }
}

TEST(LoadWeightsTest, EveryBrokenWeightIsListed) {
  at::Tensor late = at::zeros({600'000});
  late[599'999] = std::numeric_limits<float>::infinity();
  const WeightMap mapped = {{"fine", at::ones({2})},
                            {"nan", at::full({2}, std::nan(""))},
                            {"late", late},
                            {"large", at::full({2}, 1e6)}};
  ExpectThrowsWith<InputError>([&] { LoadWeights(mapped, at::kBFloat16, at::kCPU, "w.pth"); },
                               {"w.pth is holding NaN or Inf in late, nan"});
  ExpectThrowsWith<InputError>(
      [&] {
        LoadWeights({{"large", mapped.at("large")}}, at::kHalf, at::kCPU, "w.pth");
      },
      {"w.pth", "large"});
}

// Kilobytes of a field of /proc/self/status, 0 where there is none.
size_t StatusKilobytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field + ":")) return std::stoul(line.substr(field.size() + 1));
  }
  return 0;
}

// 12 tensors of 25 MB of a sparse file: the peak is the result (half of it) plus one tensor.
TEST(LoadWeightsTest, PeakIsTheModelAndOneTensor) {
  constexpr size_t kTensorBytes = 25'000'000;
  constexpr size_t kTensors = 12;
  TemporaryFolder folder;
  std::string header = "{";
  for (size_t i = 0; i < kTensors; ++i) {
    header += (i == 0 ? "\"t" : ",\"t") + std::to_string(i) + "\":{\"dtype\":\"F32\",\"shape\":[" +
              std::to_string(kTensorBytes / 4) + "],\"data_offsets\":[" +
              std::to_string(i * kTensorBytes) + "," + std::to_string((i + 1) * kTensorBytes) +
              "]}";
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const auto path = folder / "w.safetensors";
  WriteFileAtomic(path, testing::Number<uint64_t>(header.size()) + header);
  std::filesystem::resize_file(path, 8 + header.size() + kTensors * kTensorBytes);

  LoadWeights({{"warm", at::ones({1000})}}, at::kBFloat16, at::kCPU, "warm up");
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak starts again from here
  const size_t before = StatusKilobytes("VmRSS");
  const size_t peak_before = StatusKilobytes("VmHWM");
  if (before == 0 || peak_before > before + 4000) GTEST_SKIP() << "no peak memory on this system";
  const WeightMap loaded = LoadWeights(OpenWeights(path).tensors, at::kBFloat16, at::kCPU, "w");
  const size_t growth = StatusKilobytes("VmHWM") - before;
  constexpr size_t kAllowed = (kTensors * kTensorBytes / 2 + kTensorBytes) / 1000 + 16'000;
  EXPECT_LE(growth, kAllowed) << "kilobytes";
  EXPECT_EQ(loaded.size(), kTensors);
  RecordProperty("growth_kb", static_cast<int>(growth));
}

}  // namespace
}  // namespace aim
