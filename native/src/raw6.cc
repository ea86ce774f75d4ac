// Raw IPv6 messages of one protocol with what recvmsg alone tells: hop limit, destination, interface.
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "poller.h"

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif
#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

namespace tandem {
namespace {

/// VRRP over IPv6 has at most 8 + 255 * 16 bytes.
constexpr size_t kMaxMessage = 8 * 1024;
constexpr int kMessagesPerTurn = 64;

struct Ancillary {
  int hopLimit = -1;
  in6_pktinfo info{};
  bool hasInfo = false;
};

Ancillary ReadAncillary(msghdr& header) {
  Ancillary found;
  for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr; item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level != IPPROTO_IPV6) continue;
    if (item->cmsg_type == IPV6_HOPLIMIT && item->cmsg_len >= CMSG_LEN(sizeof(int))) {
      std::memcpy(&found.hopLimit, CMSG_DATA(item), sizeof(int));
    } else if (item->cmsg_type == IPV6_PKTINFO && item->cmsg_len >= CMSG_LEN(sizeof found.info)) {
      std::memcpy(&found.info, CMSG_DATA(item), sizeof found.info);
      found.hasInfo = true;
    }
  }
  return found;
}

Napi::Object MessageObject(Napi::Env env, const uint8_t* payload, size_t size, const sockaddr_in6& source,
                           const Ancillary& ancillary) {
  Napi::Object message = Napi::Object::New(env);
  message.Set("payload", CopyBytes(env, payload, size));
  message.Set("source", CopyBytes(env, &source.sin6_addr, 16));
  message.Set("destination", CopyBytes(env, &ancillary.info.ipi6_addr, 16));
  message.Set("hopLimit", Napi::Number::New(env, ancillary.hopLimit));
  message.Set("ifindex", Napi::Number::New(env, ancillary.info.ipi6_ifindex));
  return message;
}

void ReadMessages(Poller& poller) {
  uint8_t payload[kMaxMessage];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(in6_pktinfo)) + 64];
  for (int i = 0; i < kMessagesPerTurn && poller.open(); i++) {
    sockaddr_in6 source{};
    iovec vector{payload, sizeof payload};
    msghdr header{};
    header.msg_name = &source;
    header.msg_namelen = sizeof source;
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    ssize_t size = ::recvmsg(poller.fd(), &header, MSG_DONTWAIT);
    if (size < 0) {
      if (errno == EINTR) continue;
      return;
    }
    if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) continue;
    Ancillary ancillary = ReadAncillary(header);
    // Without both nobody could check the message; the kernel always sends them once asked to.
    if (!ancillary.hasInfo || ancillary.hopLimit < 0) continue;
    Napi::HandleScope scope(poller.env());
    poller.Emit(MessageObject(poller.env(), payload, static_cast<size_t>(size), source, ancillary));
  }
}

void Join(Napi::Env env, int fd, int ifindex, const Napi::Value& group) {
  Bytes bytes = BytesOf(group, "group");
  if (bytes.size != 16) throw Napi::RangeError::New(env, "group must have 16 bytes");
  ipv6_mreq request{};
  std::memcpy(&request.ipv6mr_multiaddr, bytes.data, 16);
  request.ipv6mr_interface = static_cast<unsigned>(ifindex);
  if (::setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &request, sizeof request) != 0) {
    ThrowErrno(env, errno, "setsockopt", "IPV6_ADD_MEMBERSHIP");
  }
}

/// Of ICMPv6 this type alone: the rest, every ping among it, stays in the kernel.
void FilterIcmp(Napi::Env env, int fd, int type) {
  icmp6_filter filter;
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(type, &filter);
  if (::setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) != 0) {
    ThrowErrno(env, errno, "setsockopt", "ICMP6_FILTER");
  }
}

Napi::Value OpenRaw6Receiver(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Object options = ObjectArgument(info, 0, "options");
  int protocol = static_cast<int>(IntegerProperty(options, "protocol", 1, 255));
  int ifindex = static_cast<int>(IntegerProperty(options, "ifindex", 1, INT32_MAX));
  Napi::Value group = options.Get("group");
  bool filters = !options.Get("icmpType").IsUndefined();
  int icmpType = filters ? static_cast<int>(IntegerProperty(options, "icmpType", 0, 255)) : 0;
  Napi::Function listener = FunctionArgument(info, 1, "listener");

  UniqueFd fd(::socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (fd.get() < 0) ThrowErrno(env, errno, "socket", "AF_INET6 raw");
  // before anything can be queued
  if (filters) FilterIcmp(env, fd.get(), icmpType);
  SetOption(env, fd.get(), SOL_SOCKET, SO_BINDTOIFINDEX, ifindex, "SO_BINDTOIFINDEX");
  SetOption(env, fd.get(), IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, "IPV6_RECVHOPLIMIT");
  SetOption(env, fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO");
  // Only groups joined here, not every group that somebody on this host has joined.
  SetOption(env, fd.get(), IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0, "IPV6_MULTICAST_ALL");
  if (!group.IsNull()) Join(env, fd.get(), ifindex, group);
  return HandleObject(env, Poller::Open(env, std::move(fd), listener, ReadMessages));
}

}  // namespace

void InitRaw6(Napi::Env env, Napi::Object exports) {
  exports.Set("openRaw6Receiver", Napi::Function::New(env, OpenRaw6Receiver, "openRaw6Receiver"));
}

}  // namespace tandem
