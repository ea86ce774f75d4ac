// Listeners that Node cannot open: IP_FREEBIND, so that the standby binds an address that it does not hold
// yet, and SO_REUSEPORT, so that every worker has a queue of its own.
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "common.h"

namespace tandem {
namespace {

using AddrInfo = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

AddrInfo Numeric(Napi::Env env, const std::string& address, int64_t port, int type) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = type;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  addrinfo* found = nullptr;
  int status = ::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (status == EAI_SYSTEM) ThrowErrno(env, errno, "getaddrinfo", address);
  if (status != 0) ThrowErrno(env, EINVAL, "getaddrinfo", address);
  return AddrInfo(found, &::freeaddrinfo);
}

/// Sockets of addresses that this host does not have, to speak in a client's name.
void SetTransparent(Napi::Env env, int fd, int family, const Napi::Object& options) {
  if (!options.Has("transparent") || !BooleanProperty(options, "transparent")) return;
  if (family == AF_INET6) {
    SetOption(env, fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1, "IPV6_TRANSPARENT");
  } else {
    SetOption(env, fd, IPPROTO_IP, IP_TRANSPARENT, 1, "IP_TRANSPARENT");
  }
}

void SetBindOptions(Napi::Env env, int fd, int family, const Napi::Object& options) {
  if (family == AF_INET6) SetOption(env, fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY");
  if (BooleanProperty(options, "reusePort")) SetOption(env, fd, SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
  SetTransparent(env, fd, family, options);
  if (!BooleanProperty(options, "freebind")) return;
  // On Linux the IPv4 option also works on IPv6 sockets, and on kernels before IPV6_FREEBIND (4.15).
  SetOption(env, fd, IPPROTO_IP, IP_FREEBIND, 1, "IP_FREEBIND");
}

UniqueFd OpenBound(Napi::Env env, const Napi::Object& options, int type) {
  std::string address = StringProperty(options, "address");
  int64_t port = IntegerProperty(options, "port", 0, 65535);
  AddrInfo target = Numeric(env, address, port, type);
  std::string where = target->ai_family == AF_INET6 ? "[" + address + "]:" : address + ":";
  where += std::to_string(port);

  UniqueFd fd(::socket(target->ai_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) ThrowErrno(env, errno, "socket", where);
  // TCP: restart while old connections are in TIME_WAIT. UDP: never, it would steal datagrams.
  if (type == SOCK_STREAM) SetOption(env, fd.get(), SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  SetBindOptions(env, fd.get(), target->ai_family, options);
  if (::bind(fd.get(), target->ai_addr, target->ai_addrlen) != 0) ThrowErrno(env, errno, "bind", where);
  return fd;
}

Napi::Value OpenTcpListener(const Napi::CallbackInfo& info) {
  Napi::Object options = ObjectArgument(info, 0, "options");
  int backlog = static_cast<int>(IntegerProperty(options, "backlog", 1, INT32_MAX));
  UniqueFd fd = OpenBound(info.Env(), options, SOCK_STREAM);
  if (::listen(fd.get(), backlog) != 0) {
    ThrowErrno(info.Env(), errno, "listen", StringProperty(options, "address"));
  }
  return Napi::Number::New(info.Env(), fd.release());
}

/// The FORCE variants pass net.core.{r,w}mem_max and need CAP_NET_ADMIN; without it the limit applies.
void SetBuffer(Napi::Env env, int fd, int force, int plain, int size, const char* name) {
  if (::setsockopt(fd, SOL_SOCKET, force, &size, sizeof size) == 0) return;
  SetOption(env, fd, SOL_SOCKET, plain, size, name);
}

Napi::Value OpenUdpSocket(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Object options = ObjectArgument(info, 0, "options");
  int size = static_cast<int>(IntegerProperty(options, "bufferSize", 0, INT32_MAX / 2));
  UniqueFd fd = OpenBound(env, options, SOCK_DGRAM);
  if (size > 0) {
    SetBuffer(env, fd.get(), SO_RCVBUFFORCE, SO_RCVBUF, size, "SO_RCVBUF");
    SetBuffer(env, fd.get(), SO_SNDBUFFORCE, SO_SNDBUF, size, "SO_SNDBUF");
  }
  return Napi::Number::New(env, fd.release());
}

Napi::Value CloseFd(const Napi::CallbackInfo& info) {
  // 0 to 2 are never ours.
  int fd = static_cast<int>(IntegerArgument(info, 0, "fd", 3, INT32_MAX));
  if (::close(fd) != 0 && errno != EINTR) ThrowErrno(info.Env(), errno, "close");
  return info.Env().Undefined();
}

Napi::Value SetTcpOptions(const Napi::CallbackInfo& info) {
  int fd = static_cast<int>(IntegerArgument(info, 0, "fd", 0, INT32_MAX));
  Napi::Object options = ObjectArgument(info, 1, "options");
  SetOption(info.Env(), fd, IPPROTO_TCP, TCP_NODELAY, BooleanProperty(options, "noDelay"), "TCP_NODELAY");
  SetOption(info.Env(), fd, SOL_SOCKET, SO_KEEPALIVE, BooleanProperty(options, "keepAlive"), "SO_KEEPALIVE");
  return info.Env().Undefined();
}

Napi::Value DupFd(const Napi::CallbackInfo& info) {
  int fd = static_cast<int>(IntegerArgument(info, 0, "fd", 0, INT32_MAX));
  int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) ThrowErrno(info.Env(), errno, "fcntl");
  return Napi::Number::New(info.Env(), copy);
}

Napi::Value LocalPort(const Napi::CallbackInfo& info) {
  int fd = static_cast<int>(IntegerArgument(info, 0, "fd", 0, INT32_MAX));
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    ThrowErrno(info.Env(), errno, "getsockname");
  }
  if (address.ss_family == AF_INET) {
    return Napi::Number::New(info.Env(), ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port));
  }
  if (address.ss_family == AF_INET6) {
    return Napi::Number::New(info.Env(), ntohs(reinterpret_cast<sockaddr_in6*>(&address)->sin6_port));
  }
  ThrowErrno(info.Env(), EAFNOSUPPORT, "getsockname");
}

}  // namespace

void InitListeners(Napi::Env env, Napi::Object exports) {
  exports.Set("openTcpListener", Napi::Function::New(env, OpenTcpListener, "openTcpListener"));
  exports.Set("openUdpSocket", Napi::Function::New(env, OpenUdpSocket, "openUdpSocket"));
  exports.Set("closeFd", Napi::Function::New(env, CloseFd, "closeFd"));
  exports.Set("setTcpOptions", Napi::Function::New(env, SetTcpOptions, "setTcpOptions"));
  exports.Set("dupFd", Napi::Function::New(env, DupFd, "dupFd"));
  exports.Set("localPort", Napi::Function::New(env, LocalPort, "localPort"));
}

}  // namespace tandem
