// How much memory there is: said before work starts, not by being killed in the middle of it.
#pragma once

#include <cstdint>
#include <string>

namespace aim {

// Bytes that programs can still take without swapping, as the system estimates them, bounded by the
// limit of this process's control group. Throws IoError if the system does not say.
int64_t AvailableMemoryBytes();

// "12.3 GiB", "512 MiB".
std::string MemoryText(int64_t size_bytes);

// Throws ConfigError "<where> needs 20.1 GiB; expected at most the 18.0 GiB that are free; <fix>".
void CheckMemory(int64_t needed_bytes, const std::string& where, const std::string& fix,
                 int64_t free_bytes = AvailableMemoryBytes());

// Gives freed memory that an allocator keeps (jemalloc, as the tools are linked) back to the
// system; nothing with another one. Costs new pages for what is allocated next.
void ReturnFreedMemory();

}  // namespace aim
