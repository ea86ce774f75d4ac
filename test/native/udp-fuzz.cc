// The UDP relay without JavaScript against peers that do anything at any time: datagrams of every size, alone and in bursts,
// of clients that come and go, to backends that answer, stay silent, say more than they were asked, or are not there; with
// decisions and operations at random, also on handles that are stale or never were one. Every datagram is checked to be one
// that was sent by the client that gets it back. For sanitizers and valgrind.
//
//   udp-fuzz SEED STEPS
#include <netinet/udp.h>

#include <cstring>
#include <vector>

#include "../../native/src/udp-relay.h"
#include "fuzz.h"

namespace {

using tandem::EventType;
using tandem::RelayEvent;
using tandem::Route;
using tandem::Source;
using tandem::UdpRelay;
using tandem::UdpSession;
using tandem::UniqueFd;

constexpr size_t kLongest = 65'507;

enum Cell : uint32_t { kServiceIn, kBackendIn, kServiceOut, kBackendOut, kIn, kOut, kDropped, kCells };

UniqueFd Bind(sockaddr_in address, uint16_t* port) {
  UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int size = 4 << 20;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) Die("bind");
  socklen_t length = sizeof address;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length);
  *port = ntohs(address.sin_port);
  return fd;
}

sockaddr_in Anywhere() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  return address;
}

/// Byte `at` of a client's datagram of `size`: the first four say whose it is.
uint8_t ByteOf(uint32_t client, size_t size, size_t at) {
  if (at < 4) return static_cast<uint8_t>(client >> (8 * at));
  uint64_t mixed = (at + size * 65'537 + 1) * 0x9e3779b97f4a7c15ull + client * 0xd1342543de82ef95ull;
  return static_cast<uint8_t>(mixed >> 40);
}

struct Client {
  UniqueFd fd;
  uint32_t number;
};

class Fuzz : private tandem::EventSink {
 public:
  Fuzz() : relay_(totals_, kCells, this) {
    if (relay_.Open() != 0) Die("open");
    for (auto& backend : backends_) backend.fd = Bind(Loopback(0), &backend.port);
    UniqueFd gone = Bind(Loopback(0), &refusingPort_);
    gone.reset();
    AddGroup();
    if (relay_.AddListener(group_, -1, false) != -EBADF) Die("took what is no socket");
    UniqueFd stream(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (relay_.AddListener(group_, stream.get(), false) != -EINVAL) Die("took a socket of TCP");
    if (relay_.AddListener(group_ + 1, stream.get(), false) != -EBADF) Die("took a listener for nobody");
  }

  void Step() {
    if (clients_.size() < 60 && Chance(40)) NewClient();
    for (int i = 0; i < 6 && !clients_.empty(); ++i) Act(Random() % clients_.size());
    for (auto& backend : backends_) Answer(backend);
    if (Chance(30)) RandomOperation();
    if (Chance(1)) ChangeListeners();
    if (Chance(10)) relay_.Tick(now_ += 1);
    relay_.Turn();
    if (relay_.HasEvents() && Chance(90)) Deliver();
  }

  void Finish() {
    for (int i = 0; i < 50; ++i) relay_.Turn();
    std::printf("arrived %d, asked %d, answered %d, failed %d, got back %d, in %.0f, out %.0f, dropped %.0f\n", arrived_,
                asked_, answered_, failed_, gotBack_, totals_[kIn], totals_[kOut], totals_[kDropped]);
    bool some = arrived_ > 20 && asked_ > 20 && answered_ > 20 && failed_ > 2 && gotBack_ > 100;
    if (!some || totals_[kDropped] < 1 || relay_.trains() < 5) Die("that was no test");
    if (totals_[kServiceIn] != totals_[kBackendIn] || totals_[kServiceOut] != totals_[kBackendOut]) {
      Die("service and backend differ");
    }
    relay_.Shut();
    relay_.Shut();
    if (relay_.Find(0, 0) != nullptr || relay_.AddGroup(0, 0, 0) != -EBADF) Die("a relay outlived its end");
  }

 private:
  struct Backend {
    UniqueFd fd;
    uint16_t port = 0;
  };

  void AddGroup() {
    int64_t group = relay_.AddGroup(kIn, kOut, kDropped);
    if (group < 0) Die("AddGroup");
    group_ = static_cast<uint32_t>(group);
    for (bool wildcard : {false, true}) {
      UniqueFd fd = Bind(wildcard ? Anywhere() : Loopback(0), &ports_[wildcard]);
      int64_t id = relay_.AddListener(group_, fd.get(), wildcard);
      if (id < 0) Die("AddListener");
      (void)fd.release();
      listeners_[wildcard] = static_cast<uint32_t>(id);
    }
  }

  /// What clients have sent and backends have not answered goes nowhere; their clients are gone as well.
  void ChangeListeners() {
    if (Chance(50) && !(relay_.RemoveListener(listeners_[0]) && !relay_.RemoveListener(listeners_[0]))) {
      Die("RemoveListener");
    }
    if (!relay_.RemoveGroup(group_) || relay_.RemoveGroup(group_)) Die("RemoveGroup");
    if (relay_.Oldest(group_) != nullptr || relay_.AskAll(group_)) Die("a group that is gone");
    clients_.clear();
    AddGroup();
  }

  void NewClient() {
    bool wildcard = Chance(50);
    Client client;
    client.number = nextClient_++;
    client.fd = UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    // connected: the kernel takes replies from this address alone
    sockaddr_in to = Loopback(ports_[wildcard], wildcard ? Random() % 4 : 0);
    if (::connect(client.fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) Die("connect");
    clients_.push_back(std::move(client));
  }

  void Act(size_t at) {
    Client& client = clients_[at];
    if (Chance(3)) {
      std::swap(client, clients_.back());
      clients_.pop_back();
      return;
    }
    if (Chance(50)) {
      // of one size, which may become one message, or of many
      size_t size = SomeSize();
      for (uint32_t i = Chance(40) ? 1 + Random() % 20 : 1; i > 0; --i) {
        Send(client, size);
        if (Chance(20)) size = SomeSize();
      }
    }
    Receive(client);
  }

  static size_t SomeSize() {
    if (Chance(10)) return 0;
    if (Chance(5)) return kLongest;
    return 4 + Random() % (Chance(90) ? 1'400 : kLongest - 3);
  }

  void Send(const Client& client, size_t size) {
    for (size_t i = 0; i < size; ++i) bytes_[i] = ByteOf(client.number, size, i);
    (void)::send(client.fd.get(), bytes_, size, 0);
  }

  void Receive(const Client& client) {
    ssize_t got;
    while ((got = ::recv(client.fd.get(), bytes_, sizeof bytes_, 0)) >= 0 || errno == ECONNREFUSED) {
      if (got < 0) continue;
      for (ssize_t i = 0; i < got; ++i) {
        if (bytes_[i] != ByteOf(client.number, static_cast<size_t>(got), static_cast<size_t>(i))) {
          Die("a client got what it has not sent");
        }
      }
      ++gotBack_;
    }
  }

  void Answer(const Backend& backend) {
    if (Chance(20)) return;
    for (int i = 0; i < 50; ++i) {
      sockaddr_in from{};
      socklen_t size = sizeof from;
      ssize_t got = ::recvfrom(backend.fd.get(), bytes_, sizeof bytes_, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 0) return;
      if (Chance(10)) continue;
      if (got > 0 && got < 1'400 && Chance(10)) SendTrain(backend, static_cast<size_t>(got), from);
      for (uint32_t copies = Chance(5) ? 30 : 1; copies > 0; --copies) {
        (void)::sendto(backend.fd.get(), bytes_, static_cast<size_t>(got), 0, reinterpret_cast<sockaddr*>(&from), size);
      }
    }
  }

  /// The same datagram several times, as one.
  void SendTrain(const Backend& backend, size_t size, sockaddr_in to) {
    std::vector<uint8_t> train;
    for (uint32_t copies = 2 + Random() % 40; copies > 0; --copies) train.insert(train.end(), bytes_, bytes_ + size);
    const int segment = static_cast<int>(size);
    const int none = 0;
    ::setsockopt(backend.fd.get(), SOL_UDP, UDP_SEGMENT, &segment, sizeof segment);
    (void)::sendto(backend.fd.get(), train.data(), train.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
    ::setsockopt(backend.fd.get(), SOL_UDP, UDP_SEGMENT, &none, sizeof none);
  }

  Route SomeRoute() {
    Route route;
    sockaddr_in address = Loopback(Chance(85) ? backends_[Random() % 2].port : refusingPort_);
    // nobody's, where nothing leads to from 127.0.0.1
    if (Chance(3)) address.sin_addr.s_addr = htonl(0xc0000201);
    std::memcpy(&route.address, &address, sizeof address);
    route.length = sizeof address;
    route.cells = {kServiceIn, kBackendIn, kServiceOut, kBackendOut};
    return route;
  }

  void ConnectIt(UdpSession* session) {
    Source source;
    sockaddr_in from = Loopback(0, Random() % 8);
    if (Chance(10)) from.sin_addr.s_addr = htonl(0xc0000202);
    std::memcpy(&source.address, &from, sizeof from);
    source.length = sizeof from;
    bool given = Chance(30);
    int error = relay_.Connect(session, SomeRoute(), given ? &source : nullptr);
    if (error == 0 && !relay_.Keep(session)) Die("connected, and yet without a backend");
    if (error != 0 && relay_.Keep(session)) Die("a backend that could not be connected");
  }

  void RandomOperation() {
    if (Chance(20)) relay_.AskAll(Chance(90) ? group_ : Random());
    if (relay_.Find(Random(), Random()) != nullptr) Die("found a session that never was");
    if (seen_.empty()) return;
    auto [index, generation] = seen_[Random() % seen_.size()];
    UdpSession* session = Chance(30) ? relay_.Oldest(group_) : relay_.Find(index, generation);
    if (session == nullptr) return;
    switch (Random() % 4) {
      case 0:
        relay_.Drop(session);
        return;
      case 1:
        relay_.Keep(session);
        return;
      default:
        ConnectIt(session);
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
    UdpSession* session = relay_.Find(event.index, event.generation);
    switch (event.type) {
      case EventType::kArrived:
        ++arrived_;
        if (event.family != 4 || event.extra == 0 || event.peer[0] != 127) Die("no address");
        seen_.push_back({event.index, event.generation});
        break;
      case EventType::kAsked:
        ++asked_;
        break;
      case EventType::kAnswered:
        ++answered_;
        return;
      case EventType::kFailed:
        ++failed_;
        if (event.value == 0) Die("failed without an error");
        return;
      default:
        Die("an unknown event");
    }
    // an earlier event of the same batch may have ended it
    if (session == nullptr) return;
    bool wildcard = static_cast<uint32_t>(event.value) == listeners_[1];
    if (event.type == EventType::kArrived && (event.local[0] == 127) != wildcard) Die("not written to");
    if (Chance(5)) RandomOperation();
    if (Chance(1) && Chance(20)) {
      ChangeListeners();
      return;
    }
    session = relay_.Find(event.index, event.generation);
    if (session == nullptr || Chance(5)) return;
    if (Chance(5)) {
      relay_.Drop(session);
    } else if (!relay_.Keep(session) || Chance(20)) {
      ConnectIt(session);
    }
  }

  double totals_[kCells] = {};
  double now_ = 0;
  UdpRelay relay_;
  uint32_t group_ = 0;
  uint32_t listeners_[2] = {};
  uint16_t ports_[2] = {};
  Backend backends_[2];
  uint16_t refusingPort_ = 0;
  std::vector<Client> clients_;
  std::vector<std::pair<uint32_t, uint32_t>> seen_;
  uint32_t nextClient_ = 1;
  uint8_t bytes_[kLongest];
  int arrived_ = 0;
  int asked_ = 0;
  int answered_ = 0;
  int failed_ = 0;
  int gotBack_ = 0;
};

/// Thousands of sessions: the index grows, and each is found again. Then in the order of their use.
void ManySessions() {
  tandem::SessionIndex index;
  tandem::UdpSessionTable table;
  tandem::UdpGroup group;
  std::vector<UdpSession*> all;
  for (uint32_t i = 0; i < 5'000; ++i) {
    UdpSession* session = table.Take();
    session->state = UdpSession::State::kOpen;
    session->group = &group;
    session->key.port = i;
    index.Insert(session);
    ListNewest(session);
    all.push_back(session);
  }
  for (uint32_t i = 0; i < 5'000; i += 2) ListNewest(all[i]);
  for (uint32_t i = 0; i < 5'000; ++i) {
    tandem::SessionKey key;
    key.port = i;
    if (index.Find(key) != all[i]) Die("a session was not found");
    // those that were not used again come first
    UdpSession* oldest = all[i < 2'500 ? 2 * i + 1 : 2 * (i - 2'500)];
    if (group.oldest != oldest) Die("not the oldest");
    Unlist(oldest);
  }
  for (UdpSession* session : all) index.Erase(session);
  if (group.oldest != nullptr || group.newest != nullptr || index.Find(all[7]->key) != nullptr) Die("somebody is left");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  Seed(argv[1]);
  int before = CountDescriptors();
  ManySessions();
  {
    Fuzz fuzz;
    for (long steps = std::strtol(argv[2], nullptr, 10); steps > 0; --steps) fuzz.Step();
    fuzz.Finish();
  }
  if (CountDescriptors() != before) Die("descriptors are left");
  std::puts("ok");
  return 0;
}
