// Settings that jemalloc reads at start: freed pages stay with the process, for the next tensor.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "dirty_decay_ms:-1,muzzy_decay_ms:-1";
}
