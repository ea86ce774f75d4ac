#include "common.h"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  tandem::InitListeners(env, exports);
  tandem::InitNetlink(env, exports);
  tandem::InitRoutes(env, exports);
  tandem::InitMacvlan(env, exports);
  tandem::InitPacket(env, exports);
  tandem::InitRaw6(env, exports);
  tandem::InitProcess(env, exports);
  tandem::InitUnixDatagram(env, exports);
  tandem::InitRelay(env, exports);
  tandem::InitUdp(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(tandem_native, Init)
