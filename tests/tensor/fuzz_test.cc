// The entry points of the fuzz targets on a seed corpus and thousands of its mutations, so that
// what fuzzing relies on runs with every compiler. Bytes that once broke a reader are kept here.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/base/rng.h"
#include "fuzz/weight_bytes.h"
#include "support/corpus.h"
#include "tensor/torch_zip_writer.h"

namespace aim {
namespace {

using testing::AsBytes;
using Entry = std::function<bool(std::span<const std::byte>)>;

constexpr int kMutationsOfASeed = 1500;

std::vector<std::string> Archives() {
  const char* source = std::getenv("AIM_SOURCE_DIR");
  const auto folder =
      std::filesystem::path(source == nullptr ? "." : source) / "tests/data/torch_zip";
  std::vector<std::string> archives;
  for (const char* name : {"plain", "module", "views", "nested", "protocol4"}) {
    archives.push_back(ReadFile(folder / (std::string(name) + ".pth")));
  }
  return archives;
}

std::vector<std::string> Pickles() {
  std::vector<std::string> pickles;
  for (const std::string& archive : Archives()) {
    for (const ZipRecord& record : ParseZip(AsBytes(archive), "seed")) {
      if (!record.name.ends_with("data.pkl")) continue;
      pickles.push_back(archive.substr(record.begin, record.size_bytes));
    }
  }
  return pickles;
}

std::vector<std::string> SafetensorsFiles() {
  std::vector<std::string> files;
  for (const std::string& header :
       {std::string(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})"),
        std::string(R"({"__metadata__":{"k":"v"},"a":{"dtype":"BF16","shape":[1,2],)") +
            R"("data_offsets":[0,4]},"b":{"dtype":"I8","shape":[],"data_offsets":[4,5]}})"}) {
    files.push_back(testing::Number<uint64_t>(header.size()) + header + "abcd");
  }
  files.back() += "e";
  return files;
}

size_t Below(Rng& rng, size_t bound) {
  return static_cast<size_t>(rng.Uniform() * static_cast<double>(bound));
}

// One to four changes: a bit, a byte of an edge value, an eight-byte number, a removed, doubled or
// exchanged piece.
std::string Mutate(std::string bytes, Rng& rng) {
  constexpr std::string_view kEdges("\x00\x01\x7f\x80\xff(.]}Rbt", 12);
  for (size_t change = 1 + Below(rng, 4); change-- > 0 && !bytes.empty();) {
    const size_t at = Below(rng, bytes.size());
    const size_t length = 1 + Below(rng, std::min<size_t>(16, bytes.size() - at));
    switch (Below(rng, 6)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << Below(rng, 8)));
        break;
      case 1:
        bytes[at] = kEdges[Below(rng, kEdges.size())];
        break;
      case 2:
        bytes.replace(at, length, length, kEdges[Below(rng, 5)]);
        break;
      case 3:
        bytes.erase(at, length);
        break;
      case 4:
        bytes.insert(Below(rng, bytes.size()), bytes.substr(at, length));
        break;
      default:
        bytes.resize(at);
    }
  }
  return bytes;
}

// Seeds are read; whatever becomes of them is read or refused.
void ExpectReadOrRefused(const std::vector<std::string>& seeds, const Entry& entry) {
  Rng rng(3);
  for (const std::string& seed : seeds) {
    EXPECT_TRUE(entry(AsBytes(seed)));
    int refused = 0;
    for (int i = 0; i < kMutationsOfASeed; ++i) {
      const std::string mutated = Mutate(seed, rng);
      ASSERT_NO_THROW(refused += entry(AsBytes(mutated)) ? 0 : 1) << "mutation " << i;
    }
    EXPECT_GT(refused, kMutationsOfASeed / 10);
  }
}

TEST(FuzzTest, Safetensors) { ExpectReadOrRefused(SafetensorsFiles(), testing::FuzzSafetensors); }

TEST(FuzzTest, Pickle) { ExpectReadOrRefused(Pickles(), testing::FuzzPickle); }

TEST(FuzzTest, PicklesThatFuzzingFound) {
  for (const std::string& bytes : testing::ReadCorpus("pickle"))
    EXPECT_NO_THROW(testing::FuzzPickle(AsBytes(bytes)));
}

TEST(FuzzTest, Zip) { ExpectReadOrRefused(Archives(), testing::FuzzZip); }

}  // namespace
}  // namespace aim
