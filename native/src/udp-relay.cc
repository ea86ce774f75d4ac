#include "udp-relay.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tandem {
namespace {

/// What one turn may move before the event loop has its timers: some milliseconds.
constexpr int kTurnBudget = 1'024;
/// Batches of one listener before others have their turn.
constexpr int kBatchesInARow = 4;
/// Replies of one session before others have their turn.
constexpr int kRepliesInARow = 16;
/// So many at once are a burst.
constexpr int kBurst = 8;
constexpr int kEventsATurn = 256;

/// Nobody is to decide about these: the datagram did not fit into a buffer or a packet, which says nothing of the backend.
bool IsOfOneDatagram(int error) { return error == EAGAIN || error == ENOBUFS || error == EMSGSIZE; }

}  // namespace

UdpRelay::UdpRelay(double* totals, size_t totalsSize, EventSink* sink)
    : totals_(totals), totalsSize_(totalsSize), sink_(sink) {
  waiting_.reserve(DatagramBatch::kSlots);
}

UdpRelay::~UdpRelay() { Shut(); }

int UdpRelay::Open() {
  epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  return epoll_.get() < 0 ? errno : 0;
}

void UdpRelay::Shut() {
  table_.ForEach([this](UdpSession* session) {
    Disconnect(session);
    table_.Release(session);
  });
  index_.Clear();
  waiting_.clear();
  replies_ = 0;
  outbox_.Clear();
  listeners_.clear();
  groups_.clear();
  events_.Clear();
  epoll_.reset();
}

// One turn

/// Level-triggered: whoever is cut short shows again at the next turn, behind all others that are ready.
void UdpRelay::Turn() {
  if (!open()) return;
  budget_ = kTurnBudget;
  epoll_event found[kEventsATurn];
  int count = ::epoll_wait(epoll_.get(), found, kEventsATurn, 0);
  // a failure can only be EINTR: what is there shows at the next turn
  for (int i = 0; i < count && open() && budget_ > 0; ++i) Dispatch(found[i]);
  ToClients();
  if (open() && HasEvents()) sink_->Deliver();
}

void UdpRelay::Dispatch(const epoll_event& event) {
  uint64_t data = event.data.u64;
  if ((data & kListenerBit) != 0) {
    OnListener(static_cast<uint32_t>(data));
    return;
  }
  uint32_t generation = static_cast<uint32_t>(data >> 32) & UdpSessionTable::kGenerationMask;
  // an earlier event of this turn may have ended it
  UdpSession* session = table_.Find(static_cast<uint32_t>(data), generation);
  if (session != nullptr && session->fd >= 0) OnBackend(session);
}

bool UdpRelay::Watch(int fd, uint64_t data) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = data;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

RelayEvent& UdpRelay::Push(EventType type, const UdpSession* session, int32_t value) {
  RelayEvent event{};
  event.type = type;
  event.index = session->index;
  event.generation = session->generation;
  event.value = value;
  return events_.Push(event);
}

void UdpRelay::Touch(UdpSession* session) {
  session->activity = now_;
  ListNewest(session);
}

void UdpRelay::Failed(UdpSession* session, int error) {
  session->ask = true;
  session->answered = false;
  Push(EventType::kFailed, session, error);
}

// From clients

void UdpRelay::OnListener(uint32_t id) {
  for (int batches = 0; batches < kBatchesInARow && budget_ > 0; ++batches) {
    Listener* listener = FindListener(id);
    if (listener == nullptr) return;
    int wanted = std::min(budget_, DatagramBatch::kSlots);
    int got = in_.Receive(listener->fd.get(), 0, wanted, listener->wildcard);
    // nothing there, or no memory for it: it shows again
    if (got <= 0) return;
    budget_ -= got;
    if (!Distribute(id, got) || got < wanted) return;
  }
}

/// Sends what came from known clients to their backends, and has somebody decide about the others. A client's datagrams
/// stay in their order. False when the listener has gone meanwhile.
bool UdpRelay::Distribute(uint32_t id, int count) {
  UdpSession* run = nullptr;
  int begin = 0;
  for (int slot = 0; slot < count; ++slot) {
    // not kept: `Decide` may close it
    Listener* listener = FindListener(id);
    if (listener == nullptr) return false;
    UdpSession* session = SessionOf(id, *listener, slot);
    if (run != nullptr && session != run) {
      ToBackend(run, begin, slot);
      run = nullptr;
    }
    if (session != nullptr && session->waiting) {
      // an earlier one of this batch still waits
      if (!Decide() || (listener = FindListener(id)) == nullptr) return false;
      session = SessionOf(id, *listener, slot);
    }
    if (session == nullptr) continue;
    if (MustAsk(session)) {
      Wait(session, slot);
    } else if (run == nullptr) {
      run = session;
      begin = slot;
    }
  }
  if (run != nullptr) ToBackend(run, begin, count);
  return Decide();
}

bool UdpRelay::MustAsk(const UdpSession* session) const {
  return session->state == UdpSession::State::kNew || session->ask || session->epoch != session->group->epoch;
}

/// The session that a datagram belongs to, a new one if need be; null for one that is dropped.
UdpSession* UdpRelay::SessionOf(uint32_t id, const Listener& listener, int slot) {
  SessionKey key;
  key.listener = id;
  int32_t port = 0;
  const sockaddr_storage& peer = in_.peer(slot);
  key.family = static_cast<uint32_t>(ReadAddress(peer, key.client, &port));
  key.port = static_cast<uint32_t>(port);
  if (key.family == 6) key.scope = reinterpret_cast<const sockaddr_in6&>(peer).sin6_scope_id;
  // nobody can be answered at port 0
  bool good = !in_.damaged(slot) && key.family != 0 && port != 0;
  if (good && listener.wildcard) good = in_.Local(slot, key.local);
  if (!good) {
    Dropped(listener.group, 1);
    return nullptr;
  }
  UdpSession* known = index_.Find(key);
  return known != nullptr ? known : NewSession(id, listener, key, slot);
}

UdpSession* UdpRelay::NewSession(uint32_t id, const Listener& listener, const SessionKey& key, int slot) {
  UdpSession* session = table_.Take();
  if (session == nullptr) {
    Dropped(listener.group, 1);
    return nullptr;
  }
  session->state = UdpSession::State::kNew;
  session->group = listener.group;
  session->key = key;
  session->fromLocal = listener.wildcard;
  session->peerSize = key.family == 6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  std::memcpy(&session->peer, &in_.peer(slot), session->peerSize);
  index_.Insert(session);
  RelayEvent& event = Push(EventType::kArrived, session, static_cast<int32_t>(id));
  event.family = static_cast<int32_t>(key.family);
  event.extra = static_cast<int32_t>(key.port);
  std::memcpy(event.peer, key.client, sizeof event.peer);
  std::memcpy(event.local, key.local, sizeof event.local);
  return session;
}

void UdpRelay::Wait(UdpSession* session, int slot) {
  if (session->state == UdpSession::State::kOpen) Push(EventType::kAsked, session, 0);
  session->waiting = true;
  waiting_.push_back({session->index, session->generation, slot});
}

/// Has the datagrams that wait decided about. Whatever may be closed meanwhile: false when all of it is.
bool UdpRelay::Decide() {
  if (waiting_.empty()) return true;
  ToClients();
  sink_->Deliver();
  if (!open()) return false;
  for (const Waiting& entry : waiting_) {
    UdpSession* session = table_.Find(entry.index, entry.generation);
    // who ended it has counted the datagram
    if (session == nullptr) continue;
    session->waiting = false;
    if (session->state == UdpSession::State::kNew) {
      Dropped(session->group, 1);
      Drop(session);
    } else if (session->fd < 0) {
      // who was told that it could not be connected has counted the datagram
    } else if (MustAsk(session)) {
      Dropped(session->group, 1);
    } else {
      ToBackend(session, entry.slot, entry.slot + 1);
    }
  }
  waiting_.clear();
  return true;
}

void UdpRelay::ToBackend(UdpSession* session, int from, int to) {
  size_t bytes = 0;
  for (int slot = from; slot < to;) {
    int alike = session->apartIn ? 1 : in_.Alike(slot, to);
    outbox_.Add(in_, slot, alike, Envelope{});
    for (int end = slot + alike; slot < end; ++slot) bytes += in_.size(slot);
  }
  totals_[session->group->datagramsIn] += to - from;
  totals_[session->cells.serviceIn] += static_cast<double>(bytes);
  totals_[session->cells.backendIn] += static_cast<double>(bytes);
  Touch(session);
  int retried = -1;
  outbox_.Send(session->fd, [&](int message, int error) { return SendFailed(session, message, error, &retried); });
  outbox_.Clear();
}

/// True when the message is worth another try.
bool UdpRelay::SendFailed(UdpSession* session, int message, int error, int* retried) {
  if (outbox_.Uncut(message, error)) {
    session->apartIn = true;
    Dropped(session->group, outbox_.SendApart(session->fd, message));
    return false;
  }
  const int datagrams = outbox_.datagrams(message);
  if (IsOfOneDatagram(error)) {
    Dropped(session->group, datagrams);
    return false;
  }
  // whoever is told counts one datagram
  Failed(session, error);
  // an earlier datagram has come back as an ICMP message: that is the one, and this one has not been sent
  if (error == ECONNREFUSED && *retried != message) {
    *retried = message;
    return true;
  }
  Dropped(session->group, datagrams - 1);
  return false;
}

// From backends

void UdpRelay::OnBackend(UdpSession* session) {
  if (replies_ + kRepliesInARow > DatagramBatch::kSlots) ToClients();
  int wanted = std::min(budget_, kRepliesInARow);
  int got = out_.Receive(session->fd, replies_, wanted, session->trains);
  if (got <= 0) {
    if (got < 0 && got != -EAGAIN) Failed(session, -got);
    return;
  }
  size_t bytes = 0;
  int damaged = 0;
  int datagrams = 0;
  for (int i = 0; i < got; ++i, ++replies_) {
    bool good = !out_.damaged(replies_);
    repliesOf_[replies_] = good ? session : nullptr;
    if (good) {
      bytes += out_.size(replies_);
      datagrams += out_.datagrams(replies_);
      if (out_.segment(replies_) > 0) ++trains_;
    } else {
      ++damaged;
    }
  }
  budget_ = std::max(0, budget_ - datagrams - damaged);
  if (got >= kBurst && !session->trains) TakeTrains(session);
  totals_[session->group->datagramsOut] += datagrams;
  totals_[session->cells.serviceOut] += static_cast<double>(bytes);
  totals_[session->cells.backendOut] += static_cast<double>(bytes);
  Dropped(session->group, damaged);
  Touch(session);
  if (session->answered) return;
  session->answered = true;
  Push(EventType::kAnswered, session, 0);
}

/// From now on the kernel hands over as one what came, or was sent, as one. Only for those who send in bursts: it costs a
/// system call, and the first socket that has it makes every one on the host a little slower.
void UdpRelay::TakeTrains(UdpSession* session) {
  const int on = 1;
  // before Linux 5.0 there is none, and they come one by one
  session->trains = ::setsockopt(session->fd, SOL_UDP, UDP_GRO, &on, sizeof on) == 0;
}

/// Sends the replies that have gathered; those of one listener together.
void UdpRelay::ToClients() {
  uint32_t listener = 0;
  for (int slot = 0; slot < replies_;) {
    UdpSession* session = repliesOf_[slot];
    if (session == nullptr) {
      ++slot;
      continue;
    }
    if (session->key.listener != listener) SendReplies(listener);
    listener = session->key.listener;
    int end = slot;
    while (end < replies_ && repliesOf_[end] == session) ++end;
    Envelope envelope{reinterpret_cast<const sockaddr*>(&session->peer), session->peerSize,
                      session->fromLocal ? session->key.local : nullptr};
    while (slot < end) {
      int alike = session->apartOut ? 1 : out_.Alike(slot, end);
      outbox_.Add(out_, slot, alike, envelope);
      slot += alike;
    }
  }
  SendReplies(listener);
  replies_ = 0;
}

void UdpRelay::SendReplies(uint32_t id) {
  if (outbox_.empty()) return;
  Listener* listener = FindListener(id);
  // with a closed one every message fails
  int fd = listener == nullptr ? -1 : listener->fd.get();
  outbox_.Send(fd, [&](int message, int error) {
    UdpSession* session = repliesOf_[outbox_.slot(message)];
    int lost = outbox_.datagrams(message);
    if (outbox_.Uncut(message, error)) {
      session->apartOut = true;
      lost = outbox_.SendApart(fd, message);
    }
    Dropped(session->group, lost);
    return false;
  });
  outbox_.Clear();
}

// What somebody decides

int UdpRelay::Connect(UdpSession* session, const Route& route, const Source* source) {
  Disconnect(session);
  session->state = UdpSession::State::kOpen;
  session->ask = true;
  session->answered = session->apartIn = session->apartOut = session->trains = false;
  session->epoch = session->group->epoch;
  session->cells = route.cells;
  Touch(session);
  UniqueFd fd(::socket(route.address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return errno;
  if (source != nullptr) {
    int error = BindSource(fd.get(), *source);
    if (error != 0) return error;
  }
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&route.address), route.length) != 0) return errno;
  if (!Watch(fd.get(), (static_cast<uint64_t>(session->generation) << 32) | session->index)) return errno;
  session->fd = fd.release();
  session->ask = false;
  return 0;
}

bool UdpRelay::Keep(UdpSession* session) {
  if (session->fd < 0) return false;
  session->ask = false;
  session->epoch = session->group->epoch;
  return true;
}

void UdpRelay::Drop(UdpSession* session) {
  Disconnect(session);
  index_.Erase(session);
  Unlist(session);
  // replies that have been received and not sent: only a group that ends finds any
  for (int slot = 0; slot < replies_; ++slot) {
    if (repliesOf_[slot] == session) repliesOf_[slot] = nullptr;
  }
  table_.Release(session);
}

void UdpRelay::Disconnect(UdpSession* session) {
  // takes it out of epoll as well: there is no second descriptor of it
  if (session->fd >= 0) ::close(session->fd);
  session->fd = -1;
}

int64_t UdpRelay::AddGroup(uint32_t datagramsIn, uint32_t datagramsOut, uint32_t dropped) {
  if (!open()) return -EBADF;
  uint32_t id = nextGroup_;
  nextGroup_ = (nextGroup_ + 1) & INT32_MAX;
  UdpGroup group;
  group.datagramsIn = datagramsIn;
  group.datagramsOut = datagramsOut;
  group.dropped = dropped;
  groups_[id] = group;
  return id;
}

bool UdpRelay::RemoveGroup(uint32_t id) {
  auto found = groups_.find(id);
  if (found == groups_.end()) return false;
  UdpGroup* group = &found->second;
  for (auto each = listeners_.begin(); each != listeners_.end();) {
    auto next = std::next(each);
    if (each->second.group == group) RemoveListener(each->first);
    each = next;
  }
  table_.ForEach([&](UdpSession* session) {
    if (session->group == group) Drop(session);
  });
  groups_.erase(found);
  return true;
}

bool UdpRelay::AskAll(uint32_t id) {
  auto found = groups_.find(id);
  if (found == groups_.end()) return false;
  ++found->second.epoch;
  return true;
}

UdpSession* UdpRelay::Oldest(uint32_t id) {
  auto found = groups_.find(id);
  return found == groups_.end() ? nullptr : found->second.oldest;
}

// Listeners

UdpRelay::Listener* UdpRelay::FindListener(uint32_t id) {
  auto found = listeners_.find(id);
  return found == listeners_.end() ? nullptr : &found->second;
}

int64_t UdpRelay::AddListener(uint32_t group, int fd, bool wildcard) {
  auto found = groups_.find(group);
  if (!open() || found == groups_.end()) return -EBADF;
  int type = 0;
  int family = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return -errno;
  size = sizeof family;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0) return -errno;
  if (type != SOCK_DGRAM || (family != AF_INET && family != AF_INET6)) return -EINVAL;
  const int on = 1;
  if (wildcard) {
    int status = family == AF_INET6 ? ::setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on)
                                    : ::setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    if (status != 0) return -errno;
  }
  uint32_t id = nextListener_;
  if (!Watch(fd, kListenerBit | id)) return -errno;
  nextListener_ = (nextListener_ + 1) & INT32_MAX;
  Listener listener;
  listener.fd = UniqueFd(fd);
  listener.group = &found->second;
  listener.wildcard = wildcard;
  listeners_[id] = std::move(listener);
  return id;
}

bool UdpRelay::RemoveListener(uint32_t id) {
  auto found = listeners_.find(id);
  if (found == listeners_.end()) return false;
  // the supervisor keeps the socket open, so that closing our descriptor does not take it out of epoll
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.fd.get(), nullptr);
  listeners_.erase(found);
  return true;
}

}  // namespace tandem
