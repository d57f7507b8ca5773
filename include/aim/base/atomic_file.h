// Files that are whole or absent: temporary file, fsync, rename.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace aim {

// Replaces `path` by `bytes`; makes its folders. Throws IoError and leaves no temporary file
// behind.
void WriteFileAtomic(const std::filesystem::path& path, std::string_view bytes);

// The same for writers that need a path: `write` gets a temporary name in the same folder (same
// extension). Synced and renamed when it returns, removed when it throws.
void WriteFileAtomic(const std::filesystem::path& path,
                     const std::function<void(const std::filesystem::path&)>& write);

// Fills a temporary folder beside `path`, syncs it and renames it into place. If `path` exists it
// is replaced.
void WriteFolderAtomic(const std::filesystem::path& path,
                       const std::function<void(const std::filesystem::path&)>& write);

// Whole file as bytes. Throws InputError if it is missing or unreadable.
std::string ReadFile(const std::filesystem::path& path);

}  // namespace aim
