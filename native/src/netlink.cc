// rtnetlink: addresses with a lifetime, lists of links and addresses, and the monitor of their changes.
//
// Every request opens a socket of its own (about 10 microseconds): no state between calls, nothing to
// resynchronise after an error. The kernel works a request off inside send(), so the answer is already
// queued when we read; the receive time-out is a bound, not a wait.
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "netlink.h"
#include "poller.h"

namespace tandem {
namespace {

constexpr size_t kReceiveBuffer = 64 * 1024;
constexpr int kMonitorBuffer = 1024 * 1024;
constexpr int kMessagesPerTurn = 64;
constexpr int kMaxDumpAttempts = 5;
constexpr int kMaxDumpParts = 4096;
constexpr uint32_t kSequence = 1;


/// The error inside NLMSG_ERROR as a positive errno; 0 is an acknowledgement.
int ErrorOf(const nlmsghdr* message) {
  if (message->nlmsg_len < NLMSG_LENGTH(sizeof(nlmsgerr))) return EBADMSG;
  return -static_cast<const nlmsgerr*>(NLMSG_DATA(message))->error;
}

void SendRequest(Napi::Env env, int fd, Request& request, const char* what) {
  // A bound on the wait for an answer that the kernel should have given long ago.
  timeval timeout{2, 0};
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0) {
    ThrowErrno(env, errno, "setsockopt", "SO_RCVTIMEO");
  }
  request.header.nlmsg_seq = kSequence;
  ssize_t sent;
  do {
    sent = ::send(fd, &request, request.header.nlmsg_len, 0);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) ThrowErrno(env, errno, "send", what);
}

}  // namespace

void AddAttribute(Request& request, uint16_t type, const void* data, size_t size) {
  size_t offset = NLMSG_ALIGN(request.header.nlmsg_len);
  if (offset + RTA_SPACE(size) > sizeof request) throw std::length_error("netlink request too long");
  auto* attribute = reinterpret_cast<rtattr*>(reinterpret_cast<char*>(&request) + offset);
  attribute->rta_type = type;
  attribute->rta_len = static_cast<uint16_t>(RTA_LENGTH(size));
  if (size > 0) std::memcpy(RTA_DATA(attribute), data, size);
  request.header.nlmsg_len = static_cast<uint32_t>(offset + RTA_SPACE(size));
}

UniqueFd OpenNetlink(Napi::Env env, uint32_t groups) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (fd.get() < 0) ThrowErrno(env, errno, "socket", "AF_NETLINK");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    ThrowErrno(env, errno, "bind", "AF_NETLINK");
  }
  return fd;
}

/// One datagram from the kernel; its length, or -errno. Datagrams of other processes are skipped.
ssize_t Receive(int fd, void* buffer, size_t capacity, int flags) {
  for (;;) {
    sockaddr_nl sender{};
    iovec vector{buffer, capacity};
    msghdr header{};
    header.msg_name = &sender;
    header.msg_namelen = sizeof sender;
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    ssize_t size = ::recvmsg(fd, &header, flags);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return -errno;
    if (sender.nl_pid != 0) continue;
    if ((header.msg_flags & MSG_TRUNC) != 0) return -EMSGSIZE;
    return size;
  }
}

/// Sends a request and waits for its acknowledgement; the kernel's errno, 0 when it agreed.
int Acknowledged(Napi::Env env, Request& request, const char* what) {
  UniqueFd fd = OpenNetlink(env, 0);
  request.header.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  SendRequest(env, fd.get(), request, what);
  alignas(nlmsghdr) char buffer[8 * 1024];
  for (int part = 0; part < kMaxDumpParts; part++) {
    ssize_t received = Receive(fd.get(), buffer, sizeof buffer, 0);
    if (received < 0) {
      int error = static_cast<int>(-received);
      ThrowErrno(env, error == EAGAIN ? ETIMEDOUT : error, "recvmsg", what);
    }
    int size = static_cast<int>(received);
    for (auto* item = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(item, static_cast<uint32_t>(size));
         item = NLMSG_NEXT(item, size)) {
      if (item->nlmsg_seq == kSequence && item->nlmsg_type == NLMSG_ERROR) return ErrorOf(item);
    }
  }
  ThrowErrno(env, ETIMEDOUT, "recvmsg", what);
}

/// One pass over a dump; false when the kernel changed the list meanwhile and it must be asked again.
bool DumpOnce(Napi::Env env, Request request, const char* what, const OnMessage& onMessage) {
  UniqueFd fd = OpenNetlink(env, 0);
  // Best effort (Linux 4.20): the kernel leaves out what the request's header does not ask for.
  int on = 1;
  (void)::setsockopt(fd.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  SendRequest(env, fd.get(), request, what);
  auto buffer = std::make_unique<uint64_t[]>(kReceiveBuffer / sizeof(uint64_t));
  bool consistent = true;
  for (int part = 0; part < kMaxDumpParts; part++) {
    ssize_t received = Receive(fd.get(), buffer.get(), kReceiveBuffer, 0);
    if (received == -ENOBUFS) return false;
    if (received < 0) {
      int error = static_cast<int>(-received);
      ThrowErrno(env, error == EAGAIN ? ETIMEDOUT : error, "recvmsg", what);
    }
    int size = static_cast<int>(received);
    for (auto* item = reinterpret_cast<nlmsghdr*>(buffer.get()); NLMSG_OK(item, static_cast<uint32_t>(size));
         item = NLMSG_NEXT(item, size)) {
      if (item->nlmsg_seq != kSequence) continue;
      if ((item->nlmsg_flags & NLM_F_DUMP_INTR) != 0) consistent = false;
      if (item->nlmsg_type == NLMSG_DONE) return consistent;
      if (item->nlmsg_type == NLMSG_ERROR) ThrowErrno(env, ErrorOf(item), "netlink", what);
      onMessage(item);
    }
  }
  return false;
}

/// Every attribute of a message, bounds-checked; unknown ones are skipped.
void ForEachAttribute(const void* first, int size, const std::function<void(const rtattr*)>& visit) {
  for (auto* item = static_cast<const rtattr*>(first); RTA_OK(item, size); item = RTA_NEXT(item, size)) {
    visit(item);
  }
}

uint32_t U32(const rtattr* item, uint32_t otherwise) {
  if (RTA_PAYLOAD(item) < sizeof(uint32_t)) return otherwise;
  uint32_t value;
  std::memcpy(&value, RTA_DATA(item), sizeof value);
  return value;
}

Request DumpRequest(uint16_t type, size_t headerSize) {
  Request request{};
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.header.nlmsg_len = NLMSG_LENGTH(static_cast<uint32_t>(headerSize));
  return request;
}

Napi::Value ListAll(Napi::Env env, const Request& request, const char* what, Parse parse) {
  for (int attempt = 0; attempt < kMaxDumpAttempts; attempt++) {
    Napi::Array list = Napi::Array::New(env);
    bool consistent = DumpOnce(env, request, what, [&](const nlmsghdr* message) {
      if (auto item = parse(env, message)) list.Set(list.Length(), *item);
    });
    if (consistent) return list;
  }
  ThrowErrno(env, EAGAIN, "netlink", what);
}

void EmitOverrun(Poller& poller) {
  Napi::HandleScope scope(poller.env());
  Napi::Object event = Napi::Object::New(poller.env());
  event.Set("type", Napi::String::New(poller.env(), "overrun"));
  poller.Emit(event);
}

void ReadEvents(Poller& poller, Parse eventOf) {
  alignas(nlmsghdr) char buffer[kReceiveBuffer];
  for (int i = 0; i < kMessagesPerTurn && poller.open(); i++) {
    ssize_t received = Receive(poller.fd(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (received == -ENOBUFS || received == -EMSGSIZE) {
      EmitOverrun(poller);
      continue;
    }
    if (received < 0) return;
    int size = static_cast<int>(received);
    for (auto* item = reinterpret_cast<nlmsghdr*>(buffer);
         NLMSG_OK(item, static_cast<uint32_t>(size)) && poller.open(); item = NLMSG_NEXT(item, size)) {
      Napi::HandleScope scope(poller.env());
      if (auto event = eventOf(poller.env(), item)) poller.Emit(*event);
    }
  }
}

Napi::Value OpenMonitor(Napi::Env env, uint32_t groups, const Napi::Function& listener, Parse eventOf) {
  UniqueFd fd = OpenNetlink(env, groups);
  // Room for a burst while the loop is busy; what does not fit is told as an overrun.
  SetOption(env, fd.get(), SOL_SOCKET, SO_RCVBUF, kMonitorBuffer, "SO_RCVBUF");
  auto read = [eventOf](Poller& poller) { ReadEvents(poller, eventOf); };
  return HandleObject(env, Poller::Open(env, std::move(fd), listener, read));
}


namespace {

/// IFLA_INFO_KIND of an IFLA_LINKINFO: "macvlan"; empty for a device without one.
std::string KindOf(const rtattr* info) {
  std::string kind;
  ForEachAttribute(RTA_DATA(info), static_cast<int>(RTA_PAYLOAD(info)), [&](const rtattr* item) {
    auto* text = static_cast<const char*>(RTA_DATA(item));
    if (item->rta_type == IFLA_INFO_KIND) kind.assign(text, strnlen(text, RTA_PAYLOAD(item)));
  });
  return kind;
}

/// A LinkInfo, or nothing for a message that is too short or not about a whole link.
std::optional<Napi::Object> LinkOf(Napi::Env env, const nlmsghdr* message) {
  if (message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK) return std::nullopt;
  if (message->nlmsg_len < NLMSG_LENGTH(sizeof(ifinfomsg))) return std::nullopt;
  auto* info = static_cast<const ifinfomsg*>(NLMSG_DATA(message));
  // AF_BRIDGE and others repeat a link as one of their ports.
  if (info->ifi_family != AF_UNSPEC) return std::nullopt;
  std::string name;
  const void* mac = nullptr;
  size_t macSize = 0;
  uint32_t mtu = 0;
  uint32_t lower = 0;
  std::string alias;
  std::string kind;
  ForEachAttribute(IFLA_RTA(info), static_cast<int>(IFLA_PAYLOAD(message)), [&](const rtattr* item) {
    auto* text = static_cast<const char*>(RTA_DATA(item));
    if (item->rta_type == IFLA_IFNAME) name.assign(text, strnlen(text, RTA_PAYLOAD(item)));
    if (item->rta_type == IFLA_MTU) mtu = U32(item, 0);
    if (item->rta_type == IFLA_LINK) lower = U32(item, 0);
    if (item->rta_type == IFLA_IFALIAS) alias.assign(text, strnlen(text, RTA_PAYLOAD(item)));
    if (item->rta_type == IFLA_LINKINFO) kind = KindOf(item);
    if (item->rta_type == IFLA_ADDRESS) {
      mac = RTA_DATA(item);
      macSize = RTA_PAYLOAD(item);
    }
  });
  Napi::Object link = Napi::Object::New(env);
  link.Set("index", Napi::Number::New(env, info->ifi_index));
  link.Set("name", Napi::String::New(env, name));
  link.Set("mac", macSize == 6 ? CopyBytes(env, mac, 6) : CopyBytes(env, nullptr, 0));
  link.Set("up", Napi::Boolean::New(env, (info->ifi_flags & IFF_UP) != 0));
  link.Set("carrier", Napi::Boolean::New(env, (info->ifi_flags & 0x10000 /* IFF_LOWER_UP */) != 0));
  link.Set("mtu", Napi::Number::New(env, mtu));
  link.Set("lower", Napi::Number::New(env, lower));
  link.Set("alias", Napi::String::New(env, alias));
  link.Set("kind", Napi::String::New(env, kind));
  return link;
}

struct AddressFields {
  const void* local = nullptr;
  const void* peer = nullptr;
  uint32_t flags = 0;
  uint32_t valid = 0xffffffff;
  uint32_t preferred = 0xffffffff;
};

AddressFields ReadAddress(const nlmsghdr* message, const ifaddrmsg* info, size_t size) {
  AddressFields fields;
  fields.flags = info->ifa_flags;
  ForEachAttribute(IFA_RTA(info), static_cast<int>(IFA_PAYLOAD(message)), [&](const rtattr* item) {
    if (item->rta_type == IFA_LOCAL && RTA_PAYLOAD(item) >= size) fields.local = RTA_DATA(item);
    if (item->rta_type == IFA_ADDRESS && RTA_PAYLOAD(item) >= size) fields.peer = RTA_DATA(item);
    if (item->rta_type == IFA_FLAGS) fields.flags = U32(item, fields.flags);
    if (item->rta_type == IFA_CACHEINFO && RTA_PAYLOAD(item) >= sizeof(ifa_cacheinfo)) {
      ifa_cacheinfo cache;
      std::memcpy(&cache, RTA_DATA(item), sizeof cache);
      fields.valid = cache.ifa_valid;
      fields.preferred = cache.ifa_prefered;
    }
  });
  return fields;
}

/// An AddressInfo, or nothing for another family or a message that is too short.
std::optional<Napi::Object> AddressOf(Napi::Env env, const nlmsghdr* message) {
  if (message->nlmsg_type != RTM_NEWADDR && message->nlmsg_type != RTM_DELADDR) return std::nullopt;
  if (message->nlmsg_len < NLMSG_LENGTH(sizeof(ifaddrmsg))) return std::nullopt;
  auto* info = static_cast<const ifaddrmsg*>(NLMSG_DATA(message));
  if (info->ifa_family != AF_INET && info->ifa_family != AF_INET6) return std::nullopt;
  size_t size = info->ifa_family == AF_INET ? 4 : 16;
  AddressFields fields = ReadAddress(message, info, size);
  // On a point-to-point link IFA_ADDRESS is the far end; IPv6 leaves IFA_LOCAL out otherwise.
  const void* own = fields.local != nullptr ? fields.local : fields.peer;
  if (own == nullptr) return std::nullopt;
  Napi::Object address = Napi::Object::New(env);
  address.Set("ifindex", Napi::Number::New(env, info->ifa_index));
  address.Set("address", CopyBytes(env, own, size));
  address.Set("prefixLength", Napi::Number::New(env, info->ifa_prefixlen));
  address.Set("scope", Napi::Number::New(env, info->ifa_scope));
  address.Set("flags", Napi::Number::New(env, fields.flags));
  address.Set("validLifetime", Napi::Number::New(env, fields.valid));
  address.Set("preferredLifetime", Napi::Number::New(env, fields.preferred));
  return address;
}

Napi::Value ListLinks(const Napi::CallbackInfo& info) {
  return ListAll(info.Env(), DumpRequest(RTM_GETLINK, sizeof(ifinfomsg)), "RTM_GETLINK", LinkOf);
}

Napi::Value ListAddresses(const Napi::CallbackInfo& info) {
  return ListAll(info.Env(), DumpRequest(RTM_GETADDR, sizeof(ifaddrmsg)), "RTM_GETADDR", AddressOf);
}

Request AddressRequest(const Napi::Object& lease, uint16_t type) {
  Bytes address = AddressProperty(lease, "address");
  Request request{};
  request.header.nlmsg_type = type;
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof(ifaddrmsg));
  request.address.ifa_family = address.size == 4 ? AF_INET : AF_INET6;
  request.address.ifa_prefixlen = static_cast<uint8_t>(
      IntegerProperty(lease, "prefixLength", 0, static_cast<int64_t>(address.size) * 8));
  request.address.ifa_index = static_cast<uint32_t>(IntegerProperty(lease, "ifindex", 1, INT32_MAX));
  request.address.ifa_scope = RT_SCOPE_UNIVERSE;
  AddAttribute(request, IFA_LOCAL, address.data, address.size);
  AddAttribute(request, IFA_ADDRESS, address.data, address.size);
  return request;
}

std::string Describe(const Napi::Object& lease) {
  return "interface " + std::to_string(IntegerProperty(lease, "ifindex", 1, INT32_MAX));
}

Napi::Value PutAddress(const Napi::CallbackInfo& info) {
  Napi::Object lease = ObjectArgument(info, 0, "lease");
  auto lifetime = static_cast<uint32_t>(IntegerProperty(lease, "lifetime", 1, 0xffffffff));
  auto preferred = static_cast<uint32_t>(IntegerProperty(lease, "preferred", 0, lifetime));
  Request request = AddressRequest(lease, RTM_NEWADDR);
  request.header.nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
  // Duplicate address detection would keep the address unusable for a second, and the old Active may still
  // be answering for it.
  uint32_t flags = request.address.ifa_family == AF_INET6 ? IFA_F_NODAD : 0;
  // A prefix of one host needs no route, and IPv6 would leave it behind when a leased address goes.
  bool noRoute = lease.Get("prefixRoute").IsBoolean() && !BooleanProperty(lease, "prefixRoute");
  if (noRoute || request.address.ifa_prefixlen == (request.address.ifa_family == AF_INET6 ? 128 : 32)) {
    flags |= IFA_F_NOPREFIXROUTE;
  }
  AddAttribute(request, IFA_FLAGS, &flags, sizeof flags);
  ifa_cacheinfo cache{};
  cache.ifa_valid = lifetime;
  cache.ifa_prefered = preferred;
  AddAttribute(request, IFA_CACHEINFO, &cache, sizeof cache);
  int error = Acknowledged(info.Env(), request, "RTM_NEWADDR");
  if (error != 0) ThrowErrno(info.Env(), error, "RTM_NEWADDR", Describe(lease));
  return info.Env().Undefined();
}

Napi::Value RemoveAddress(const Napi::CallbackInfo& info) {
  Napi::Object lease = ObjectArgument(info, 0, "lease");
  Request request = AddressRequest(lease, RTM_DELADDR);
  int error = Acknowledged(info.Env(), request, "RTM_DELADDR");
  if (error == EADDRNOTAVAIL) return Napi::Boolean::New(info.Env(), false);
  if (error != 0) ThrowErrno(info.Env(), error, "RTM_DELADDR", Describe(lease));
  return Napi::Boolean::New(info.Env(), true);
}

/// The NetlinkEvent of a message, or nothing when it is of no interest.
std::optional<Napi::Object> EventOf(Napi::Env env, const nlmsghdr* message) {
  uint16_t type = message->nlmsg_type;
  bool link = type == RTM_NEWLINK || type == RTM_DELLINK;
  if (!link && type != RTM_NEWADDR && type != RTM_DELADDR) return std::nullopt;
  std::optional<Napi::Object> subject = link ? LinkOf(env, message) : AddressOf(env, message);
  if (!subject) return std::nullopt;
  Napi::Object event = Napi::Object::New(env);
  event.Set("type", Napi::String::New(env, link ? "link" : "address"));
  event.Set(link ? "link" : "address", *subject);
  event.Set("removed", Napi::Boolean::New(env, type == RTM_DELLINK || type == RTM_DELADDR));
  return event;
}

Napi::Value Monitor(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Function listener = FunctionArgument(info, 0, "listener");
  return OpenMonitor(env, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, listener, EventOf);
}

}  // namespace

void InitNetlink(Napi::Env env, Napi::Object exports) {
  exports.Set("putAddress", Napi::Function::New(env, PutAddress, "putAddress"));
  exports.Set("removeAddress", Napi::Function::New(env, RemoveAddress, "removeAddress"));
  exports.Set("listAddresses", Napi::Function::New(env, ListAddresses, "listAddresses"));
  exports.Set("listLinks", Napi::Function::New(env, ListLinks, "listLinks"));
  exports.Set("monitor", Napi::Function::New(env, Monitor, "monitor"));
}

}  // namespace tandem
