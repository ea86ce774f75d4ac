// The relay without JavaScript against peers that do anything at any time: connections that open, talk, stall, half-close
// and reset at random, and whose first bytes are looked at and taken at random; operations on handles that are stale or never were one. Every byte that arrives is checked to be the
// next one of its own connection, every event to be one that may come now. For sanitizers and valgrind.
//
//   relay-fuzz SEED STEPS
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "../../native/src/relay.h"
#include "fuzz.h"

namespace {

using tandem::Connection;
using tandem::EventType;
using tandem::PeekState;
using tandem::Relay;
using tandem::RelayEvent;
using tandem::Route;
using tandem::Source;
using tandem::UniqueFd;

UniqueFd Listen(int backlog, uint16_t* port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_in address = Loopback(0);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) Die("bind");
  if (::listen(fd.get(), backlog) != 0) Die("listen");
  socklen_t size = sizeof address;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  *port = ntohs(address.sin_port);
  return fd;
}

/// Byte `offset` of a stream. A stream begins with its number, from which the other side knows what to expect.
uint8_t StreamByte(uint32_t stream, uint64_t offset) {
  if (offset < 4) return static_cast<uint8_t>(stream >> (8 * offset));
  uint64_t mixed = (offset + 1) * 0x9e3779b97f4a7c15ull + stream * 0xd1342543de82ef95ull;
  return static_cast<uint8_t>(mixed >> 40);
}

/// What the relay puts before a client's bytes: 0xff, which is no stream's first byte, how many of the client's bytes were
/// taken, how long the rest of the head is, and whose stream goes on behind it.
constexpr uint8_t kHeadMark = 0xff;
constexpr size_t kHeadSize = 9;

std::vector<uint8_t> MakeHead(uint32_t stream, size_t taken, size_t rest) {
  std::vector<uint8_t> head(kHeadSize + rest, kHeadMark);
  for (size_t i = 0; i < 2; ++i) {
    head[1 + i] = static_cast<uint8_t>(taken >> (8 * i));
    head[3 + i] = static_cast<uint8_t>(rest >> (8 * i));
  }
  for (size_t i = 0; i < 4; ++i) head[5 + i] = static_cast<uint8_t>(stream >> (8 * i));
  return head;
}

/// A raw socket of a client or a backend.
struct Peer {
  UniqueFd fd;
  uint32_t stream;
  uint64_t sent = 0;
  uint64_t got = 0;
  uint32_t from = 0;
  bool shut = false;
  bool urgent = false;
  std::vector<uint8_t> head;
  bool headDone = false;

  void Consume(uint8_t byte) {
    if (!headDone && got == 0 && (!head.empty() || byte == kHeadMark)) {
      ConsumeHead(byte);
      return;
    }
    headDone = true;
    if (got < 4) from |= static_cast<uint32_t>(byte) << (8 * got);
    if (byte != StreamByte(from, got)) Die("a byte of another place or another connection");
    ++got;
  }

  void ConsumeHead(uint8_t byte) {
    head.push_back(byte);
    if (head.size() < kHeadSize) return;
    if (head.size() > kHeadSize && byte != kHeadMark) Die("a byte within the head");
    if (head.size() < kHeadSize + (head[3] | head[4] << 8)) return;
    headDone = true;
    got = head[1] | head[2] << 8;
    for (size_t i = 0; got > 0 && i < 4; ++i) from |= static_cast<uint32_t>(head[5 + i]) << (8 * i);
  }
};

class Fuzz : private Relay::Sink {
 public:
  Fuzz() : relay_(totals_, 8, this) {
    if (relay_.Open() != 0) Die("open");
    backends_ = Listen(64, &backendPort_);
    full_ = Listen(1, &fullPort_);
    UniqueFd gone = Listen(1, &refusingPort_);
    AddListener();
  }

  void Step() {
    if (peers_.size() < 300 && Chance(30)) NewClient();
    AcceptAtBackends();
    for (int i = 0; i < 8 && !peers_.empty(); ++i) Act(Random() % peers_.size());
    if (Chance(20)) RandomOperation();
    if (Chance(2)) ChangeListener();
    if (Chance(10)) relay_.Tick(now_ += 1);
    relay_.Turn();
    if (relay_.HasEvents() && Chance(90)) Deliver();
  }

  void Finish() {
    peers_.clear();
    for (int i = 0; i < 200; ++i) relay_.Turn();
    std::printf("accepted %d, connected %d, failed %d, closed %d, dropped %d, taken %d, bytes %.0f, spliced %.0f\n",
                accepted_, connected_, failed_, closed_, dropped_, taken_, totals_[0] + totals_[2], relay_.spliced());
    if (relay_.spliced() < 1e6) Die("nothing was spliced");
    if (accepted_ < 20 || connected_ < 20 || failed_ < 5 || closed_ < 20 || taken_ < 5) Die("that was no test");
    if (totals_[0] != totals_[1] || totals_[2] != totals_[3]) Die("service and backend differ");
    relay_.Shut();
    relay_.Shut();
    if (relay_.Find(0, 0) != nullptr) Die("a connection outlived the relay");
  }

 private:
  enum class Phase { kHeld, kPeeking, kConnecting, kOpen };
  struct Known {
    uint32_t index;
    uint32_t generation;
    Phase phase;
    uint32_t stream = 0;
    size_t taken = 0;
  };

  void AddListener() {
    UniqueFd fd = Listen(128, &port_);
    int64_t id = relay_.AddListener(fd.get(), Chance(50));
    if (id < 0) Die("AddListener");
    (void)fd.release();
    listener_ = static_cast<uint32_t>(id);
  }

  void ChangeListener() {
    if (Chance(70)) {
      relay_.SetAccepting(Chance(90) ? listener_ : Random(), Chance(80));
    } else {
      if (!relay_.RemoveListener(listener_) || relay_.RemoveListener(listener_)) Die("RemoveListener");
      AddListener();
    }
    UniqueFd noListener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (relay_.AddListener(noListener.get(), false) != -EINVAL || relay_.AddListener(-1, false) != -EBADF) {
      Die("took what is no listener");
    }
  }

  void NewClient() {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in address = Loopback(port_);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS) return;
    AddPeer(std::move(fd));
  }

  void AddPeer(UniqueFd fd) {
    Peer peer;
    peer.fd = std::move(fd);
    // even, so that its first byte is not kHeadMark
    peer.stream = nextStream_ += 2;
    peers_.push_back(std::move(peer));
  }

  void AcceptAtBackends() {
    if (Chance(30)) return;
    int fd = ::accept4(backends_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) AddPeer(UniqueFd(fd));
  }

  void Act(size_t at) {
    Peer& peer = peers_[at];
    switch (Random() % 16) {
      case 0:
        Remove(at, true);
        return;
      case 1:
        Remove(at, false);
        return;
      case 2:
        if (Chance(30)) {
          ::shutdown(peer.fd.get(), SHUT_WR);
          peer.shut = true;
        }
        return;
      case 3:
      case 4:
      case 5:
      case 6:
        Send(peer);
        return;
      default:
        Receive(peer);
    }
  }

  void Remove(size_t at, bool reset) {
    linger now{1, 0};
    if (reset) ::setsockopt(peers_[at].fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    std::swap(peers_[at], peers_.back());
    peers_.pop_back();
  }

  void Send(Peer& peer) {
    if (peer.shut) return;
    size_t size = Chance(80) ? 1 + Random() % 2000 : 1 + Random() % 600000;
    std::vector<uint8_t> bytes(size);
    for (size_t i = 0; i < size; ++i) bytes[i] = StreamByte(peer.stream, peer.sent + i);
    ssize_t sent = ::send(peer.fd.get(), bytes.data(), size, MSG_NOSIGNAL);
    if (sent > 0) peer.sent += static_cast<uint64_t>(sent);
    // an urgent byte is no part of the stream: it stops splice(2), and read(2) passes over it. One alone, for the next one would
    // make it a byte like others
    if (peer.sent > 100'000 && !peer.urgent && Chance(30)) peer.urgent = ::send(peer.fd.get(), "!", 1, MSG_OOB) == 1;
  }

  void Receive(Peer& peer) {
    static uint8_t bytes[200000];
    ssize_t got = ::recv(peer.fd.get(), bytes, 1 + Random() % sizeof bytes, 0);
    for (ssize_t i = 0; i < got; ++i) peer.Consume(bytes[i]);
  }

  Route RouteTo(uint16_t port) {
    Route route;
    sockaddr_in address = Loopback(port);
    std::memcpy(&route.address, &address, sizeof address);
    route.length = sizeof address;
    route.noDelay = Chance(50);
    route.keepAlive = Chance(50);
    route.cells = {0, 1, 2, 3};
    return route;
  }

  static uint64_t Key(uint32_t index, uint32_t generation) { return static_cast<uint64_t>(generation) << 32 | index; }

  void ConnectIt(Known& known) {
    Connection* connection = relay_.Find(known.index, known.generation);
    uint16_t ports[] = {backendPort_, backendPort_, backendPort_, refusingPort_, fullPort_};
    if (connection == nullptr) return;
    std::vector<uint8_t> head;
    if (known.taken > 0 || Chance(30)) head = MakeHead(known.stream, known.taken, Random() % 3000);
    // one of loopback's many addresses, or one that nobody has
    Source source;
    sockaddr_in from = Loopback(0);
    from.sin_addr.s_addr = htonl(Chance(80) ? INADDR_LOOPBACK + Random() % 8 : 0xc0000201);
    std::memcpy(&source.address, &from, sizeof from);
    source.length = sizeof from;
    const Source* leaveFrom = Chance(30) ? &source : nullptr;
    bool begun = relay_.Connect(connection, RouteTo(ports[Random() % 5]), head.data(), head.size(), leaveFrom);
    if (begun) known.phase = Phase::kConnecting;
  }

  void PeekIt(Known& known) {
    Connection* connection = relay_.Find(known.index, known.generation);
    if (connection == nullptr || relay_.Take(connection, 1)) Die("took what was not looked at");
    uint8_t none[1];
    if (relay_.Look(connection, none, 1) != -EINVAL) Die("looked at a client that is not looked at");
    if (!relay_.Peek(connection) || relay_.Peek(connection)) Die("Peek");
    known.phase = Phase::kPeeking;
  }

  /// Looks at some of what is there and takes some of that, or waits for more.
  void OnPeekable(Known& known, PeekState state) {
    Connection* connection = relay_.Find(known.index, known.generation);
    // told after its end
    if (known.phase != Phase::kPeeking || connection == nullptr) return;
    uint8_t seen[2000];
    ssize_t got = relay_.Look(connection, seen, 1 + Random() % sizeof seen);
    if (state == PeekState::kReset || (got < 0 && got != -EAGAIN)) {
      relay_.Close(connection, true);
      return;
    }
    if (got >= 4) {
      for (size_t i = 0; i < 4; ++i) known.stream |= static_cast<uint32_t>(seen[i]) << (8 * i);
      for (ssize_t i = 0; i < got; ++i) {
        if (seen[i] != StreamByte(known.stream, static_cast<uint64_t>(i))) Die("saw a byte of another place");
      }
      known.taken = Random() % static_cast<uint32_t>(got + 1);
      if (known.taken > 0) ++taken_;
    } else if (state != PeekState::kEnded && Chance(80)) {
      return;
    }
    if (!relay_.Take(connection, known.taken) || relay_.Take(connection, 0)) Die("Take");
    known.phase = Phase::kHeld;
    ConnectIt(known);
  }

  /// Anything on any connection, also on one that is gone with its event on the way, or on a made-up handle.
  void RandomOperation() {
    if (known_.empty() || Chance(10)) {
      if (relay_.Find(Random(), Random()) != nullptr) Die("found a connection that never was");
      return;
    }
    auto at = known_.begin();
    std::advance(at, Random() % known_.size());
    Known& known = at->second;
    Connection* connection = relay_.Find(known.index, known.generation);
    if (connection == nullptr) return;
    switch (Random() % 6) {
      case 0:
        relay_.Close(connection, Chance(50));
        return;
      case 1:
        if (relay_.Abandon(connection)) known.phase = Phase::kHeld;
        return;
      case 2:
        if (known.phase == Phase::kHeld || known.phase == Phase::kPeeking) {
          relay_.Drop(connection);
          ++dropped_;
          known_.erase(at);
        }
        return;
      default:
        ConnectIt(known);
    }
  }

  void Deliver() override {
    RelayEvent events[7];
    while (relay_.HasEvents()) {
      size_t count = relay_.TakeEvents(events, 7);
      for (size_t i = 0; i < count; ++i) OnEvent(events[i]);
    }
  }

  void OnEvent(const RelayEvent& event) {
    if (event.type == EventType::kAcceptFailed) return;
    uint64_t key = Key(event.index, event.generation);
    auto found = known_.find(key);
    if (event.type == EventType::kAccepted) {
      if (found != known_.end()) Die("accepted twice");
      if (event.family != 4 || event.extra == 0) Die("no address");
      ++accepted_;
      Known& known = known_[key] = {event.index, event.generation, Phase::kHeld};
      if (Chance(30)) {
        PeekIt(known);
      } else if (Chance(90)) {
        ConnectIt(known);
      }
      return;
    }
    if (found == known_.end()) Die("an event of a connection that is not there");
    Known& known = found->second;
    switch (event.type) {
      case EventType::kPeekable:
        OnPeekable(known, static_cast<PeekState>(event.value));
        return;
      case EventType::kConnected:
        if (known.phase != Phase::kConnecting) Die("connected out of turn");
        known.phase = Phase::kOpen;
        ++connected_;
        return;
      case EventType::kConnectFailed:
        if (known.phase != Phase::kConnecting) Die("failed out of turn");
        known.phase = Phase::kHeld;
        ++failed_;
        if (Chance(70)) ConnectIt(known);
        return;
      case EventType::kEnded:
        if (known.phase != Phase::kOpen) Die("ended out of turn");
        return;
      case EventType::kClosed:
        ++closed_;
        if (relay_.Find(event.index, event.generation) != nullptr) Die("closed and yet there");
        known_.erase(found);
        return;
      default:
        Die("an unknown event");
    }
  }

  double totals_[8] = {};
  double now_ = 0;
  Relay relay_;
  UniqueFd backends_;
  UniqueFd full_;
  uint16_t port_ = 0;
  uint16_t backendPort_ = 0;
  uint16_t fullPort_ = 0;
  uint16_t refusingPort_ = 0;
  uint32_t listener_ = 0;
  uint32_t nextStream_ = 0;
  std::vector<Peer> peers_;
  std::map<uint64_t, Known> known_;
  int accepted_ = 0;
  int connected_ = 0;
  int failed_ = 0;
  int closed_ = 0;
  int dropped_ = 0;
  int taken_ = 0;
};

/// The supervisor keeps every listening socket open, so closing ours does not take it out of epoll by itself.
void RemovedListenerIsSilent() {
  struct Nobody : Relay::Sink {
    void Deliver() override { Die("a client of a listener that was removed"); }
  } nobody;
  double totals[8] = {};
  Relay relay(totals, 8, &nobody);
  if (relay.Open() != 0) Die("open");
  uint16_t port = 0;
  UniqueFd kept = Listen(8, &port);
  UniqueFd ours(::dup(kept.get()));
  int64_t id = relay.AddListener(ours.release(), false);
  if (id < 0 || !relay.RemoveListener(static_cast<uint32_t>(id))) Die("RemoveListener");
  UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = Loopback(port);
  if (::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) Die("connect");
  pollfd readable{relay.fd(), POLLIN, 0};
  if (::poll(&readable, 1, 50) != 0) Die("a removed listener still wakes the relay");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  Seed(argv[1]);
  // as Node does: splice(2) has no MSG_NOSIGNAL
  ::signal(SIGPIPE, SIG_IGN);
  int before = CountDescriptors();
  RemovedListenerIsSilent();
  {
    Fuzz fuzz;
    for (long steps = std::strtol(argv[2], nullptr, 10); steps > 0; --steps) fuzz.Step();
    fuzz.Finish();
  }
  if (CountDescriptors() != before) Die("descriptors are left");
  std::puts("ok");
  return 0;
}
