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

// Fills a temporary folder inside `path`, which exists, syncs it and moves its entries up one by
// one, the one called `last` at the end: until it is there, nothing is whole.
void FillFolderAtomic(const std::filesystem::path& path, const std::string& last,
                      const std::function<void(const std::filesystem::path&)>& write);

// A name beside `path` that no other process or thread uses: hidden, with the same extension.
std::filesystem::path TemporaryPath(const std::filesystem::path& path);
// Removes what killed processes left under such names of `path`; its writer must hold its claim.
void RemoveTemporaries(const std::filesystem::path& path);

// The folder `temporary` takes the place of the folder `path`, in one step where the file system
// can, and the old one is removed.
void ReplaceFolderAtomic(const std::filesystem::path& temporary, const std::filesystem::path& path);

// Whole file as bytes. Throws InputError if it is missing or unreadable.
std::string ReadFile(const std::filesystem::path& path);

}  // namespace aim
