#include "aim/format/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aim/base/error.h"
#include "support/case_name.h"
#include "support/throws.h"
#include "tensor/torch_zip.h"
#include "tensor/torch_zip_writer.h"

namespace aim {
namespace {

using namespace std::string_literals;
using testing::AsBytes;
using testing::ExpectThrowsWith;
using testing::FakeTensor;
using testing::PickledDict;
using testing::PickledText;

TEST(PickleTest, ReadsNumbersOfAnyLength) {
  const std::string bytes(
      "\x80\x02(K\xffM\x01\x02J\xfe\xff\xff\xff\x8a\x05\x00\x00\x00\x80\x00"
      "\x8a\x01\xff\x8a\x00t.",
      28);
  const Pickle pickle = ParsePickle(AsBytes(bytes), "p");
  std::vector<int64_t> numbers;
  for (const PickleId id : pickle[pickle.root].items) numbers.push_back(pickle[id].number);
  EXPECT_THAT(numbers, ::testing::ElementsAre(255, 0x201, -2, int64_t{1} << 31, -1, 0));
}

struct BadPickle {
  std::string name;
  std::string bytes;
  std::string words;
};

class BadPickleTest : public ::testing::TestWithParam<BadPickle> {};

TEST_P(BadPickleTest, IsRefused) {
  const std::string zip = testing::MakeZip(testing::FakeTorchRecords(GetParam().bytes));
  ExpectThrowsWith<FormatError>([&] { ParseTorchZip(AsBytes(zip), "w.pth"); },
                                {"w.pth", GetParam().words});
}

std::string Tensor(const FakeTensor& tensor) { return PickledDict(testing::PickledTensor(tensor)); }

// {"w": tensor of four numbers of `type` in an untyped storage of `num_bytes`}.
std::string Untyped(const std::string& type, int64_t num_bytes) {
  return PickledDict("ctorch._utils\n_rebuild_tensor_v3\n((" + PickledText("storage") +
                     "ctorch.storage\nUntypedStorage\n" + PickledText("0") + PickledText("cpu") +
                     testing::PickledInt(num_bytes) + "tQK\0"s + testing::PickledTuple({2, 2}) +
                     testing::PickledTuple({2, 1}) + "\x89" + "ccollections\nOrderedDict\n)R" +
                     "ctorch\n" + type + "\ntR");
}

constexpr int64_t kHuge = int64_t{1} << 62;

INSTANTIATE_TEST_SUITE_P(
    Pickle, BadPickleTest,
    ::testing::Values(
        BadPickle{"os_system",
                  "\x80\x02"
                  "cos\nsystem\n(" +
                      PickledText("touch x") + "tR.",
                  "asking for the Python object os.system"},
        BadPickle{"os_system_4",
                  "\x80\x04" + PickledText("os") + PickledText("system") + "\x93" +
                      PickledText("touch x") + "\x85R.",
                  "asking for the Python object os.system"},
        BadPickle{"eval_below_builtins",
                  "\x80\x02"
                  "cbuiltins\neval\n.",
                  "builtins.eval"},
        BadPickle{"getattr", PickledDict("cbuiltins\ngetattr\n"), "builtins.getattr"},
        BadPickle{"state_of_dict",
                  "\x80\x02}"
                  "cposix\nsystem\nb.",
                  "posix.system"},
        BadPickle{"control_in_name",
                  "\x80\x02"
                  "cos\x1b[2J\nx\n.",
                  "os?[2J.x"},
        BadPickle{"sparse", PickledDict("ctorch._utils\n_rebuild_sparse_tensor\n"),
                  "this kind of torch tensor is not read"},
        BadPickle{"tensor_v3_without_type", PickledDict("ctorch._utils\n_rebuild_tensor_v3\n)R"),
                  "wrong parts, shape or strides; expected a storage, an offset, a shape, as many "
                  "strides, and a torch type"},
        BadPickle{"type_unknown", Untyped("bits8", 4),
                  "of the type bits8; expected one of float32"},
        BadPickle{"untyped_beyond_record", Untyped("uint16", 17), "stored as 17 bytes"},
        BadPickle{"untyped_beyond_storage", Untyped("uint16", 7), "a view of its 3 numbers"},
        BadPickle{"no_type", PickledDict("ctorch\nevil8\n"), "torch.evil8"},
        BadPickle{"name_not_utf8",
                  "\x80\x02}(" + PickledText("w\xff") + testing::PickledTensor({}) + "u.",
                  "named with bytes that are no UTF-8"},
        BadPickle{"several_unusual",
                  "\x80\x02}(" + PickledText("a") + "}(" + PickledText("w") +
                      testing::PickledTensor({}) + "u" + PickledText("b") + "}(" +
                      PickledText("w") + testing::PickledTensor({}) + "uu.",
                  "several state dicts: a (1 tensors), b (1 tensors)"},
        BadPickle{"from_type", PickledDict("ctorch._tensor\n_rebuild_from_type_v2\n"),
                  "_rebuild_from_type_v2"},
        BadPickle{"inst", "\x80\x02(ios\nsystem\n.", "using opcode 0x69"},
        BadPickle{"extension", "\x80\x02\x82\x01.", "using opcode 0x82"},
        BadPickle{"protocol_1", "\x80\x01}.", "pickle protocol 1"},
        BadPickle{"call_a_dict", "\x80\x02})R.", "calling a value that is no function"},
        BadPickle{"call_a_storage_type",
                  "\x80\x02"
                  "ctorch\nFloatStorage\n)R.",
                  "calling torch.FloatStorage"},
        BadPickle{"text_bomb",
                  "\x80\x02X\xff\xff\xff\xff"
                  "a.",
                  "asking for 4294967295 bytes"},
        BadPickle{"text_bomb_8", "\x80\x04\x8d" + testing::Number<uint64_t>(~uint64_t{0}) + "a.",
                  "asking for 18446744073709551615 bytes"},
        BadPickle{"frame", "\x80\x04\x95" + testing::Number<uint64_t>(1 << 20) + "}.",
                  "with a frame beyond its end"},
        BadPickle{"empty_stack", "\x80\x02.", "from an empty stack"},
        BadPickle{"below_mark", "\x80\x02}(0.", "from an empty stack"},
        BadPickle{"no_mark", "\x80\x02t.", "a group that never began"},
        BadPickle{"no_memo", "\x80\x02h\x07.", "recalling value 7"},
        BadPickle{"odd_items", "\x80\x02}(K\x01u.", "a key without a value"},
        BadPickle{"append_to_int",
                  "\x80\x02K\x01K\x02"
                  "a.",
                  "holds none"},
        BadPickle{"no_stop", "\x80\x02}", "asking for 1 bytes"},
        BadPickle{"not_a_dict", "\x80\x02].", "holding another object than a dict"},
        BadPickle{"no_tensors", "\x80\x02}.", "without tensors"},
        BadPickle{"holds_itself", "\x80\x02}q\x01(" + PickledText("model") + "h\x01u.",
                  "without tensors"},
        BadPickle{"persistent_id", "\x80\x02K\x01Q.", "no storage"},
        BadPickle{"missing_record", Tensor({.key = "7"}), "missing record data/7"},
        BadPickle{"storage_beyond_record", Tensor({.numel = 5}), "stored as 5 numbers"},
        BadPickle{"huge_storage", Tensor({.numel = kHuge}), "stored as 4611686018427387904"},
        BadPickle{"beyond_storage", Tensor({.shape = {3, 2}}), "tensor w is reaching beyond"},
        BadPickle{"offset_beyond", Tensor({.offset = 1}), "tensor w is reaching beyond"},
        BadPickle{"huge_offset", Tensor({.offset = INT64_MAX}), "tensor w is reaching beyond"},
        BadPickle{"huge_shape", Tensor({.shape = {kHuge, 4}}), "tensor w is reaching beyond"},
        BadPickle{"huge_stride", Tensor({.strides = {kHuge, kHuge}}), "reaching beyond"},
        BadPickle{"expanded", Tensor({.shape = {kHuge}, .strides = {0}}), "repeats its numbers"},
        BadPickle{"expanded_much", Tensor({.shape = {1 << 20, 65}, .strides = {0, 0}}),
                  "a view that repeats its numbers, to 68157440 in all"},
        BadPickle{"negative_stride", Tensor({.strides = {-2, 1}}), "wrong parts, shape or strides"},
        BadPickle{"negative_offset", Tensor({.offset = -1}), "wrong parts"},
        BadPickle{"strides_missing", Tensor({.strides = {1}}), "wrong parts"},
        BadPickle{"double_storage", Tensor({.storage = "DoubleStorage"}), "stored as 4 numbers"}),
    testing::CaseName());

// Types, formats and arrays are data, whichever torch or NumPy wrote them.
TEST(PickleTest, WhatStandsBesideTheWeights) {
  for (const char* name :
       {"ctorch\nuint8\n", "ctorch\nbool\n", "ctorch\nfloat8_e8m0fnu\n", "ctorch\nqint32\n",
        "ctorch\ncomplex64\n", "ctorch\nuint4\n", "ctorch\nchannels_last\n",
        "ccollections\nCounter\n)R", "cnumpy.core.multiarray\n_reconstruct\n)R"}) {
    const std::string pickle = testing::PickledFile(
        testing::PickledItems({{"beside", name}, {"w", testing::PickledTensor({})}}));
    const std::string zip = testing::MakeZip(testing::FakeTorchRecords(pickle));
    EXPECT_EQ(ParseTorchZip(AsBytes(zip), "w.pth").tensors.size(), 1u) << name;
  }
}

TEST(PickleTest, ReadsUntypedStorages) {
  const std::string zip = testing::MakeZip(testing::FakeTorchRecords(Untyped("uint16", 16)));
  const TorchZipTensor tensor = ParseTorchZip(AsBytes(zip), "w.pth").tensors.at("w");
  EXPECT_EQ(tensor.layout.dtype, at::kUInt16);
  EXPECT_THAT(tensor.layout.shape, ::testing::ElementsAre(2, 2));
}

TEST(PickleTest, TruncatedAtEveryByte) {
  const std::string bytes = Tensor({});
  EXPECT_NO_THROW(ParsePickle(AsBytes(bytes), "p"));
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(ParsePickle(AsBytes(bytes.substr(0, size)), "p"), FormatError) << size;
  }
}

// Work stays bounded by the bytes: many dicts of one long list are refused, not built.
TEST(PickleTest, ListsCannotBeMultiplied) {
  std::string bytes = "\x80\x02(](";
  for (int i = 0; i < 5000; ++i) bytes += "K\x01K\x02\x86";
  bytes +=
      "e\x85q\x01"
      "0";
  for (int i = 0; i < 5000; ++i) bytes += "ccollections\nOrderedDict\nh\x01R";
  ExpectThrowsWith<FormatError>([&] { ParsePickle(AsBytes(bytes + "t."), "p"); },
                                {"holding more than 1000000 values"});
}

TEST(PickleTest, NestingCostsNoStack) {
  const std::string bytes = "\x80\x02" + std::string(400'000, ']') + std::string(399'999, 'a');
  EXPECT_NO_THROW(ParsePickle(AsBytes(bytes + "."), "p"));
}

}  // namespace
}  // namespace aim
