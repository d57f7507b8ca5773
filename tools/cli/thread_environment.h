// How the threads of OpenMP wait and how many there are: environment variables that its runtime
// reads while the program is loaded, before main.
#pragma once

namespace aim::cli {

// Starts this program again, once, with OMP_WAIT_POLICY=passive unless the user set it, and with
// OMP_NUM_THREADS as --threads says. Threads that spin while they wait take the processors that
// other programs, or our own other threads, could use: beside other work aim-train ran 4.6 times as
// long. Does nothing where all is set already, or where the program cannot be found.
void SetThreadEnvironment(int argc, char** argv);

// OMP_NUM_THREADS, or 0 if it is not a number.
int ThreadsOfEnvironment();

}  // namespace aim::cli
