// Settings that jemalloc reads at start: freed pages stay with the process for ten seconds, for the
// next tensor, large ones too. Not for ever: threads that come and go are given other arenas, and
// each would keep as much as one ever held.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf =
    "background_thread:true,dirty_decay_ms:10000,muzzy_decay_ms:0,oversize_threshold:0";
}
