// Settings that jemalloc reads at start: freed pages stay with the process, for the next tensor.
// Where sizes vary for long, as in training, they are given back now and then (base/memory.h).
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "dirty_decay_ms:-1,muzzy_decay_ms:-1";
}
