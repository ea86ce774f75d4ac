// Whole Ethernet frames on one interface (AF_PACKET): gratuitous ARP, unsolicited neighbour advertisements.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>

#include "poller.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

namespace tandem {
namespace {

constexpr size_t kMaxFrame = 16 * 1024;
/// Then the event loop gets its turn; the poll is level-triggered.
constexpr int kFramesPerTurn = 64;

void ReadFrames(Poller& poller) {
  uint8_t frame[kMaxFrame];
  for (int i = 0; i < kFramesPerTurn && poller.open(); i++) {
    ssize_t size = ::recv(poller.fd(), frame, sizeof frame, MSG_DONTWAIT | MSG_TRUNC);
    if (size < 0) {
      if (errno == EINTR) continue;
      return;  // EAGAIN, or the link's ENETDOWN which reading has now cleared
    }
    if (static_cast<size_t>(size) > sizeof frame) continue;
    Napi::HandleScope scope(poller.env());
    poller.Emit(CopyBytes(poller.env(), frame, static_cast<size_t>(size)));
  }
}

void Send(Napi::Env env, int fd, Bytes frame) {
  ssize_t sent;
  do {
    sent = ::send(fd, frame.data, frame.size, MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) ThrowErrno(env, errno, "send");
}

UniqueFd OpenBound(Napi::Env env, int ifindex, uint16_t etherType) {
  // Protocol 0 until the bind, so that nothing of other interfaces is ever queued.
  UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) ThrowErrno(env, errno, "socket", "AF_PACKET");
  // Best effort (Linux 4.20): a listener tolerates its own frames.
  int on = 1;
  (void)::setsockopt(fd.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(etherType);
  address.sll_ifindex = ifindex;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    ThrowErrno(env, errno, "bind", "AF_PACKET interface " + std::to_string(ifindex));
  }
  return fd;
}

/// `{ send(frame), close() }` over a descriptor that is not polled.
Napi::Object SendOnly(Napi::Env env, UniqueFd opened) {
  auto fd = std::make_shared<UniqueFd>(std::move(opened));
  Napi::Object object = Napi::Object::New(env);
  object.Set("send", Napi::Function::New(
                         env,
                         [fd](const Napi::CallbackInfo& info) {
                           if (fd->get() < 0) ThrowErrno(info.Env(), EBADF, "send");
                           Send(info.Env(), fd->get(), BytesOf(info[0], "frame"));
                         },
                         "send"));
  object.Set("close", Napi::Function::New(env, [fd](const Napi::CallbackInfo&) { fd->reset(); }, "close"));
  return object;
}

Napi::Value OpenPacketSocket(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int ifindex = static_cast<int>(IntegerArgument(info, 0, "ifindex", 1, INT32_MAX));
  auto etherType = static_cast<uint16_t>(IntegerArgument(info, 1, "etherType", 0, 0xffff));
  if (info[2].IsNull()) return SendOnly(env, OpenBound(env, ifindex, 0));
  Napi::Function listener = FunctionArgument(info, 2, "listener");
  std::shared_ptr<Poller> poller =
      Poller::Open(env, OpenBound(env, ifindex, etherType), listener, ReadFrames);
  Napi::Object object = HandleObject(env, poller);
  object.Set("send", Napi::Function::New(
                         env,
                         [poller](const Napi::CallbackInfo& call) {
                           if (!poller->open()) ThrowErrno(call.Env(), EBADF, "send");
                           Send(call.Env(), poller->fd(), BytesOf(call[0], "frame"));
                         },
                         "send"));
  return object;
}

}  // namespace

void InitPacket(Napi::Env env, Napi::Object exports) {
  exports.Set("openPacketSocket", Napi::Function::New(env, OpenPacketSocket, "openPacketSocket"));
}

}  // namespace tandem
