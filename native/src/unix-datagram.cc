// One datagram to a unix socket: what sd_notify(3) speaks, and Node's dgram does not.
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "common.h"

namespace tandem {
namespace {

// "/path", or "@name" for the abstract namespace, whose names begin with a zero byte and do not end with one.
socklen_t FillAddress(Napi::Env env, const std::string& path, sockaddr_un* address) {
  const bool abstract = !path.empty() && path[0] == '@';
  if (!abstract && (path.empty() || path[0] != '/')) ThrowErrno(env, EAFNOSUPPORT, "sendto", path);
  const size_t size = path.size() + (abstract ? 0 : 1);
  if (size > sizeof(address->sun_path)) ThrowErrno(env, ENAMETOOLONG, "sendto", path);
  address->sun_family = AF_UNIX;
  std::memcpy(address->sun_path, path.data(), path.size());
  if (abstract) address->sun_path[0] = '\0';
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
}

Napi::Value SendUnixDatagram(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (!info[0].IsString()) throw Napi::TypeError::New(env, "path must be a string");
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  const Bytes message = BytesOf(info[1], "message");
  sockaddr_un address{};
  const socklen_t length = FillAddress(env, path, &address);
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) ThrowErrno(env, errno, "socket");
  // never waits: a manager that does not read must not stop the event loop
  if (::sendto(fd.get(), message.data, message.size, MSG_NOSIGNAL | MSG_DONTWAIT,
               reinterpret_cast<const sockaddr*>(&address), length) < 0) {
    ThrowErrno(env, errno, "sendto", path);
  }
  return env.Undefined();
}

}  // namespace

void InitUnixDatagram(Napi::Env env, Napi::Object exports) {
  exports.Set("sendUnixDatagram", Napi::Function::New(env, SendUnixDatagram, "sendUnixDatagram"));
}

}  // namespace tandem
