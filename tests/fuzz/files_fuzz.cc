// The readers of tests/fuzz/file_readers.h:
//   files_fuzz --reader=toml --seed=seeds/good    writes an undamaged file to begin with, and ends
//   files_fuzz --reader=toml -max_total_time=600 corpus seeds
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>

#include "aim/base/atomic_file.h"
#include "aim/base/log.h"
#include "fuzz/file_readers.h"
#include "support/temporary_folder.h"

namespace {

struct Fuzzed {
  const aim::testing::FileReader* reader = nullptr;
  aim::testing::TemporaryFolder folder;
};

Fuzzed& Current() {
  static Fuzzed fuzzed;
  return fuzzed;
}

// What follows `name` among the arguments; empty if it is not there. libFuzzer leaves flags with
// two dashes to the target.
std::string FlagValue(int argc, char** argv, std::string_view name) {
  for (int i = 1; i < argc; ++i) {
    if (const std::string_view argument = argv[i]; argument.starts_with(name))
      return std::string(argument.substr(name.size()));
  }
  return "";
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  const std::string name = FlagValue(*argc, *argv, "--reader=");
  std::string known;
  for (const aim::testing::FileReader& reader : aim::testing::FileReaders()) {
    known += " " + reader.name;
    if (reader.name == name) Current().reader = &reader;
  }
  if (Current().reader == nullptr) {
    std::cerr << "give --reader=NAME, one of" << known << "\n";
    std::exit(2);
  }
  aim::SetLogLevel(aim::LogLevel::kOff);
  const aim::testing::FileReader& reader = *Current().reader;
  reader.prepare(Current().folder.path());
  if (!aim::testing::ReadOrRefuse(reader, Current().folder.path(),
                                  aim::ReadFile(Current().folder / reader.file))) {
    std::cerr << "the undamaged " << reader.file << " is refused\n";
    std::exit(1);
  }
  if (const std::string seed = FlagValue(*argc, *argv, "--seed="); !seed.empty()) {
    aim::WriteFileAtomic(seed, aim::ReadFile(Current().folder / reader.file));
    std::exit(0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  aim::testing::ReadOrRefuse(*Current().reader, Current().folder.path(),
                             {reinterpret_cast<const char*>(data), size});
  return 0;
}
