#include "relay-loop.h"

#include <algorithm>
#include <utility>

namespace tandem {
namespace {

constexpr size_t kWordsAnEvent = sizeof(RelayEvent) / sizeof(int32_t);

}  // namespace

template <typename Engine>
EngineLoop<Engine>::EngineLoop(Napi::Env env, double* totals, size_t totalsSize)
    : env_(env), relay_(totals, totalsSize, this) {}

template <typename Engine>
std::shared_ptr<EngineLoop<Engine>> EngineLoop<Engine>::Open(Napi::Env env, const Napi::Float64Array& totals,
                                           const Napi::Int32Array& events, const Napi::Function& listener) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok || loop == nullptr) {
    throw Napi::Error::New(env, "no event loop");
  }
  double* cells = const_cast<Napi::Float64Array&>(totals).Data();
  std::shared_ptr<EngineLoop> self(new EngineLoop(env, cells, totals.ElementLength()));
  int error = self->relay_.Open();
  if (error != 0) ThrowErrno(env, error, "epoll_create1");
  self->totals_ = Napi::Reference<Napi::Float64Array>::New(totals, 1);
  self->events_ = Napi::Reference<Napi::Int32Array>::New(events, 1);
  self->listener_ = Napi::Persistent(listener);
  self->context_ = std::make_shared<Napi::AsyncContext>(env, "tandem:relay");

  int status = uv_poll_init(loop, &self->poll_, self->relay_.fd());
  if (status != 0) ThrowErrno(env, -status, "uv_poll_init");
  uv_idle_init(loop, &self->idle_);
  self->poll_.data = self->idle_.data = self.get();
  // From here on libuv holds the handles: only OnClosed may let go of them.
  self->handles_ = 2;
  self->self_ = self;
  if (napi_add_async_cleanup_hook(env, OnEnvironmentEnd, self.get(), &self->hook_) != napi_ok) {
    self->Close();
    throw Napi::Error::New(env, "the environment is ending");
  }
  status = uv_poll_start(&self->poll_, UV_READABLE, OnPoll);
  if (status != 0) {
    self->Close();
    ThrowErrno(env, -status, "uv_poll_start");
  }
  return self;
}

template <typename Engine>
void EngineLoop<Engine>::Close() {
  if (!open()) return;
  // uv_close takes the descriptor out of libuv's epoll, so it comes before the descriptor's own end
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_), OnClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&idle_), OnClosed);
  relay_.Shut();
  listener_.Reset();
  context_.reset();
}

template <typename Engine>
void EngineLoop<Engine>::OnClosed(uv_handle_t* handle) {
  auto* loop = static_cast<EngineLoop*>(handle->data);
  if (--loop->handles_ > 0) return;
  std::shared_ptr<EngineLoop> last = std::move(loop->self_);
  last->totals_.Reset();
  last->events_.Reset();
  if (last->hook_ != nullptr) napi_remove_async_cleanup_hook(std::exchange(last->hook_, nullptr));
}

template <typename Engine>
void EngineLoop<Engine>::OnEnvironmentEnd(napi_async_cleanup_hook_handle, void* self) {
  // The environment waits until OnClosed removes the hook.
  static_cast<EngineLoop*>(self)->Close();
}

template <typename Engine>
void EngineLoop<Engine>::OnPoll(uv_poll_t* handle, int, int) {
  // an epoll descriptor has no errors of its own
  static_cast<EngineLoop*>(handle->data)->Run();
}

template <typename Engine>
void EngineLoop<Engine>::OnIdle(uv_idle_t* handle) { static_cast<EngineLoop*>(handle->data)->Run(); }

template <typename Engine>
void EngineLoop<Engine>::Run() {
  std::shared_ptr<EngineLoop> self = this->shared_from_this();
  Napi::HandleScope scope(env_);
  relay_.Turn();
  if (!open()) return;
  if (relay_.Restless()) {
    uv_idle_start(&idle_, OnIdle);
  } else {
    uv_idle_stop(&idle_);
  }
}

template <typename Engine>
void EngineLoop<Engine>::Stir() {
  if (open() && !delivering_ && relay_.Restless()) uv_idle_start(&idle_, OnIdle);
}

/// The view is looked up each time: JavaScript could have detached its memory.
template <typename Engine>
size_t EngineLoop<Engine>::FillEvents() {
  Napi::Int32Array events = events_.Value();
  size_t room = events.ElementLength() / kWordsAnEvent;
  if (room == 0) throw Napi::Error::New(env_, "the memory for events is gone");
  return relay_.TakeEvents(reinterpret_cast<RelayEvent*>(events.Data()), room);
}

template <typename Engine>
void EngineLoop<Engine>::Report(const Napi::Error& error) {
  try {
    (void)napi_fatal_exception(env_, error.Value());
  } catch (const Napi::Error&) {
    // the environment is ending: not even the error's value can be had
  }
}

/// Also what the listener's own calls lead to, as long as that comes to an end soon.
template <typename Engine>
void EngineLoop<Engine>::Deliver() {
  constexpr int kBatches = 64;
  delivering_ = true;
  for (int i = 0; i < kBatches && relay_.HasEvents(); ++i) {
    Napi::HandleScope scope(env_);
    // the listener may close all of this while it runs
    std::shared_ptr<Napi::AsyncContext> context = context_;
    try {
      Napi::Value count = Napi::Number::New(env_, static_cast<double>(FillEvents()));
      listener_.MakeCallback(env_.Global(), {count}, *context);
    } catch (const Napi::Error& error) {
      // what it throws becomes an uncaught exception, as for any event; a terminating worker has nobody to tell
      Report(error);
      break;
    }
  }
  delivering_ = false;
}

template class EngineLoop<Relay>;
template class EngineLoop<UdpRelay>;

}  // namespace tandem
