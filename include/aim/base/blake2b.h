// A hash that other languages have in their standard library.
#pragma once

#include <cstdint>
#include <string_view>

namespace aim {

// The first eight bytes of a BLAKE2b digest of that length (RFC 7693), most significant first:
// int(hashlib.blake2b(text.encode(), digest_size=8).hexdigest(), 16) in Python.
uint64_t Blake2b64(std::string_view bytes);

}  // namespace aim
