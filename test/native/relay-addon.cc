// The addon with nothing but listeners and the relays, for a build with a sanitizer. One translation unit for all that needs
// Node's headers: they take longer to compile than everything else.
#include "../../native/src/common.cc"
#include "../../native/src/listeners.cc"
#include "../../native/src/relay-api.cc"
#include "../../native/src/relay-args.cc"
#include "../../native/src/relay-loop.cc"
#include "../../native/src/udp-api.cc"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  tandem::InitListeners(env, exports);
  tandem::InitRelay(env, exports);
  tandem::InitUdp(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(relay_addon, Init)
