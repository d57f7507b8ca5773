// A loop over independent items on several threads.
#pragma once

#include <cstdint>
#include <functional>

namespace aim {

// Calls body(i) once for every i in [0, count), in rising order of start, on up to `num_threads`
// threads. An exception in one item lets the items under way finish and is rethrown here; items not
// yet begun are left out.
void ParallelFor(int64_t count, int num_threads, const std::function<void(int64_t)>& body);

// Threads this process may use, at least 1: what LimitThreads said, else one a processor that it
// may run on.
int NumProcessors();

// 0 = no limit. For the start of a program: work under way keeps the threads it has.
void LimitThreads(int num_threads);

}  // namespace aim
