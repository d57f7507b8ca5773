// Readers of files that people write, edit and copy about: a folder in which everything is right,
// and the one file of it whose bytes may be anything. What is thrown for them besides an InputError
// or a ConfigError, and every report of a sanitizer, is a bug.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace aim::testing {

struct FileReader {
  std::string name;
  std::function<void(const std::filesystem::path& folder)> prepare;
  std::string file;  // relative to the folder
  std::function<void(const std::filesystem::path& folder)> read;
};

const std::vector<FileReader>& FileReaders();

// Writes the bytes into the reader's file, as they are. Returns whether they were read.
bool ReadOrRefuse(const FileReader& reader, const std::filesystem::path& folder,
                  std::string_view bytes);

}  // namespace aim::testing
