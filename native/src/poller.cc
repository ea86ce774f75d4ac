#include "poller.h"

#include <utility>

namespace tandem {

Poller::Poller(Napi::Env env, UniqueFd fd, OnReadable onReadable)
    : env_(env), fd_(std::move(fd)), onReadable_(std::move(onReadable)) {}

std::shared_ptr<Poller> Poller::Open(Napi::Env env, UniqueFd fd, const Napi::Function& listener,
                                     OnReadable onReadable) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok || loop == nullptr) {
    throw Napi::Error::New(env, "no event loop");
  }
  std::shared_ptr<Poller> poller(new Poller(env, std::move(fd), std::move(onReadable)));
  poller->listener_ = Napi::Persistent(listener);
  poller->context_ = std::make_shared<Napi::AsyncContext>(env, "tandem:poller");

  int status = uv_poll_init(loop, &poller->poll_, poller->fd());
  if (status != 0) ThrowErrno(env, -status, "uv_poll_init");
  poller->poll_.data = poller.get();
  // From here on libuv holds the handle: only OnClosed may let go of it.
  poller->self_ = poller;
  poller->open_ = true;
  if (napi_add_async_cleanup_hook(env, OnEnvironmentEnd, poller.get(), &poller->hook_) != napi_ok) {
    poller->Close();
    throw Napi::Error::New(env, "the environment is ending");
  }
  status = uv_poll_start(&poller->poll_, UV_READABLE, OnPoll);
  if (status != 0) {
    poller->Close();
    ThrowErrno(env, -status, "uv_poll_start");
  }
  return poller;
}

void Poller::Close() {
  if (!open_) return;
  open_ = false;
  listener_.Reset();
  context_.reset();
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_), OnClosed);
  // uv_close has taken it out of epoll; the kernel's resources go now, not at the next turn of the loop.
  fd_.reset();
}

void Poller::Emit(napi_value argument) {
  if (!open_) return;
  // the listener may close the poller while it runs
  std::shared_ptr<Napi::AsyncContext> context = context_;
  try {
    listener_.MakeCallback(env_.Global(), {argument}, *context);
  } catch (const Napi::Error& error) {
    Report(error);
  }
}

void Poller::Report(const Napi::Error& error) {
  try {
    // a terminating worker has nobody to tell
    (void)napi_fatal_exception(env_, error.Value());
  } catch (const Napi::Error&) {
    // the environment is ending: not even the error's value can be had
  }
}

void Poller::OnPoll(uv_poll_t* handle, int status, int) {
  std::shared_ptr<Poller> self = static_cast<Poller*>(handle->data)->shared_from_this();
  Napi::HandleScope scope(self->env_);
  try {
    // Reading also takes the pending error of the socket (link down, overrun), which is what status < 0 means.
    self->onReadable_(*self);
  } catch (const Napi::Error& error) {
    self->Report(error);
  }
  // libuv stops a handle on POLLERR; the socket itself goes on.
  if (status < 0 && self->open_) uv_poll_start(&self->poll_, UV_READABLE, OnPoll);
}

void Poller::OnClosed(uv_handle_t* handle) {
  auto* poller = static_cast<Poller*>(handle->data);
  std::shared_ptr<Poller> last = std::move(poller->self_);
  if (last->hook_ != nullptr) napi_remove_async_cleanup_hook(std::exchange(last->hook_, nullptr));
}

void Poller::OnEnvironmentEnd(napi_async_cleanup_hook_handle, void* self) {
  // The environment waits until OnClosed removes the hook.
  static_cast<Poller*>(self)->Close();
}

Napi::Object HandleObject(Napi::Env env, const std::shared_ptr<Poller>& poller) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("close", Napi::Function::New(
                          env, [poller](const Napi::CallbackInfo&) { poller->Close(); }, "close"));
  return object;
}

}  // namespace tandem
