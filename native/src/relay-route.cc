#include "relay-route.h"

#include <netinet/in.h>

#include <cerrno>
#include <cstring>

namespace tandem {

int BindSource(int fd, const Source& source) {
  const int on = 1;
  if (source.transparent) {
    bool v6 = source.address.ss_family == AF_INET6;
    int status = v6 ? ::setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof on)
                    : ::setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on);
    if (status != 0) return errno;
  }
  // connect(2) then chooses the port: it may be one that goes to another backend already. Linux 4.2 and later;
  // without it there are fewer ports, which is no reason to fail
  (void)::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  int status = ::bind(fd, reinterpret_cast<const sockaddr*>(&source.address), source.length);
  return status == 0 ? 0 : errno;
}

int SocketError(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

int32_t ReadAddress(const sockaddr_storage& from, uint8_t* bytes, int32_t* port) {
  if (from.ss_family == AF_INET) {
    const auto* address = reinterpret_cast<const sockaddr_in*>(&from);
    std::memcpy(bytes, &address->sin_addr, 4);
    *port = ntohs(address->sin_port);
    return 4;
  }
  if (from.ss_family == AF_INET6) {
    const auto* address = reinterpret_cast<const sockaddr_in6*>(&from);
    std::memcpy(bytes, &address->sin6_addr, 16);
    *port = ntohs(address->sin6_port);
    return 6;
  }
  return 0;
}

}  // namespace tandem
