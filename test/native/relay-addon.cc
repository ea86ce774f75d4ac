// The addon with nothing but listeners and the relay, for a build with a sanitizer.
#include "../../native/src/common.h"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  tandem::InitListeners(env, exports);
  tandem::InitRelay(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(relay_addon, Init)
