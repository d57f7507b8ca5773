// The key that clients of a policy server have to know.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace aim {

// The one line of a file. Throws InputError if it is missing, or no key of 8 or more printable
// characters without spaces.
std::string ReadApiKey(const std::filesystem::path& path);

// Of the header "Authorization: Api-Key <key>". How long it takes tells nothing of the key but its
// length.
bool IsAuthorized(std::string_view header, std::string_view key);

}  // namespace aim
