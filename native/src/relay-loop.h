// Relays on the event loop of the environment that opened it.
#pragma once

#include <node_api.h>
#include <uv.h>

#include <memory>

#include "common.h"
#include "relay.h"
#include "udp-relay.h"

namespace tandem {

/// libuv watches the relay's epoll descriptor, so that a turn of the loop costs one callback whatever the number of
/// sockets; what happened goes to JavaScript in one call a batch. Lives until `Close` or the end of the environment
/// (a terminated worker thread leaks no descriptor), and while open it keeps itself alive.
template <typename Engine>
class EngineLoop : public std::enable_shared_from_this<EngineLoop<Engine>>, private EventSink {
 public:
  /// The relay's bytes are counted in `totals`; `listener` is called with the number of events that are in `events`.
  static std::shared_ptr<EngineLoop> Open(Napi::Env env, const Napi::Float64Array& totals,
                                         const Napi::Int32Array& events, const Napi::Function& listener);

  Engine& relay() { return relay_; }
  bool open() const { return relay_.open(); }
  /// After an operation: what it left to tell must not wait for a socket.
  void Stir();
  /// Idempotent; allowed inside the listener.
  void Close();

 private:
  EngineLoop(Napi::Env env, double* totals, size_t totalsSize);
  void Deliver() override;
  size_t FillEvents();
  void Report(const Napi::Error& error);
  void Run();
  static void OnPoll(uv_poll_t* handle, int status, int events);
  static void OnIdle(uv_idle_t* handle);
  static void OnClosed(uv_handle_t* handle);
  static void OnEnvironmentEnd(napi_async_cleanup_hook_handle hook, void* self);

  Napi::Env env_;
  Engine relay_;
  /// Keep the memory behind them.
  Napi::Reference<Napi::Float64Array> totals_;
  Napi::Reference<Napi::Int32Array> events_;
  Napi::FunctionReference listener_;
  std::shared_ptr<Napi::AsyncContext> context_;
  napi_async_cleanup_hook_handle hook_ = nullptr;
  uv_poll_t poll_{};
  uv_idle_t idle_{};
  int handles_ = 0;
  bool delivering_ = false;
  std::shared_ptr<EngineLoop> self_;
};

using RelayLoop = EngineLoop<Relay>;
using UdpLoop = EngineLoop<UdpRelay>;

}  // namespace tandem
