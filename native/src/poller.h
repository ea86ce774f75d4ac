// A descriptor on the event loop of the environment that opened it.
#pragma once

#include <node_api.h>
#include <uv.h>

#include <functional>
#include <memory>

#include "common.h"

namespace tandem {

/// Calls `onReadable` whenever the descriptor can be read, until `Close` or the end of the environment
/// (a terminated worker thread leaks nothing). Owns the descriptor. While open it keeps itself alive, so
/// that the JavaScript object may be collected at any time.
class Poller : public std::enable_shared_from_this<Poller> {
 public:
  using OnReadable = std::function<void(Poller&)>;

  static std::shared_ptr<Poller> Open(Napi::Env env, UniqueFd fd, const Napi::Function& listener,
                                      OnReadable onReadable);

  int fd() const { return fd_.get(); }
  bool open() const { return open_; }
  /// Idempotent; allowed inside a callback.
  void Close();
  /// Calls the JavaScript listener; what it throws becomes an uncaught exception, as for any event.
  void Emit(napi_value argument);
  Napi::Env env() const { return env_; }

 private:
  Poller(Napi::Env env, UniqueFd fd, OnReadable onReadable);
  void Report(const Napi::Error& error);
  static void OnPoll(uv_poll_t* handle, int status, int events);
  static void OnClosed(uv_handle_t* handle);
  static void OnEnvironmentEnd(napi_async_cleanup_hook_handle hook, void* self);

  Napi::Env env_;
  UniqueFd fd_;
  OnReadable onReadable_;
  Napi::FunctionReference listener_;
  std::shared_ptr<Napi::AsyncContext> context_;
  napi_async_cleanup_hook_handle hook_ = nullptr;
  uv_poll_t poll_{};
  bool open_ = false;
  std::shared_ptr<Poller> self_;
};

/// `{ close() }` for JavaScript.
Napi::Object HandleObject(Napi::Env env, const std::shared_ptr<Poller>& poller);

}  // namespace tandem
