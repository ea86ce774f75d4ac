#include "relay.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace tandem {
namespace {

/// What one direction of one connection may move before others have their turn, in reads.
constexpr int kReadsInARow = 2;
/// What one turn may move before the event loop has its timers: some milliseconds of copying.
constexpr size_t kTurnBudget = 8 * 1024 * 1024;
/// With so much waiting for slow readers, reads are small: at most this and kSmallRead for each direction.
constexpr size_t kPendingSoftLimit = 64 * 1024 * 1024;
constexpr size_t kSmallRead = 16 * 1024;
/// After a read of so much, what comes next is spliced.
constexpr size_t kBulkRead = 64 * 1024;
constexpr int kEventsATurn = 512;

/// EPIPE: the reset was noticed by a write.
bool IsReset(int error) { return error == ECONNRESET || error == EPIPE; }

CloseCode CodeOf(Side side, int error) {
  if (side == kClient) return IsReset(error) ? CloseCode::kClientReset : CloseCode::kClientError;
  return IsReset(error) ? CloseCode::kBackendReset : CloseCode::kBackendError;
}

void CloseWithReset(int fd) {
  linger now{1, 0};
  // if it cannot be set the close is an orderly one, which the peer survives
  (void)::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(fd);
}

}  // namespace

Relay::Relay(double* totals, size_t totalsSize, Sink* sink)
    : totals_(totals), totalsSize_(totalsSize), sink_(sink) {}

Relay::~Relay() { Shut(); }

int Relay::Open() {
  buffer_ = std::make_unique<uint8_t[]>(kBufferSize);
  epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  if (epoll_.get() < 0) return errno;
  return 0;
}

void Relay::Shut() {
  table_.ForEach([this](Connection* connection) {
    CloseEnds(connection, true);
    table_.Release(connection);
  });
  listeners_.clear();
  ready_.clear();
  events_.Clear();
  pipes_.Clear();
  reserve_.reset();
  epoll_.reset();
}

void Relay::Tick(double now) {
  now_ = now;
  for (auto& [id, listener] : listeners_) {
    if (!listener.suspended) continue;
    listener.suspended = false;
    if (listener.accepting) WatchListener(id, listener);
  }
}

// One turn

void Relay::Turn() {
  if (!open()) return;
  budget_ = kTurnBudget;
  // first those that were cut short: with the budget spent, whoever comes now queues up behind them
  RunReady();
  epoll_event found[kEventsATurn];
  int count = ::epoll_wait(epoll_.get(), found, kEventsATurn, 0);
  // a failure can only be EINTR: what is there shows at the next turn
  for (int i = 0; i < count && open(); ++i) Dispatch(found[i]);
  if (open() && HasEvents()) sink_->Deliver();
}

void Relay::Dispatch(const epoll_event& event) {
  uint64_t data = event.data.u64;
  if ((data & kListenerBit) != 0) {
    OnListener(static_cast<uint32_t>(data));
    return;
  }
  uint32_t generation = static_cast<uint32_t>(data >> 32) & ConnectionTable::kGenerationMask;
  // an earlier event of this turn may have closed it
  Connection* connection = table_.Find(static_cast<uint32_t>(data), generation);
  if (connection == nullptr) return;
  Side side = (data & kBackendBit) != 0 ? kBackend : kClient;
  if (connection->state == State::kOpen) {
    OnOpen(connection, side, event.events);
  } else if (connection->state == State::kConnecting && side == kBackend) {
    OnConnecting(connection, event.events);
  } else if (connection->state == State::kPeeking && side == kClient) {
    OnPeeking(connection, event.events);
  }
}

void Relay::RunReady() {
  // those who become ready meanwhile have the next turn
  std::vector<ReadyEntry> now;
  now.swap(ready_);
  for (const ReadyEntry& entry : now) {
    Connection* connection = table_.Find(entry.index, entry.generation);
    if (connection == nullptr || connection->state != State::kOpen) continue;
    connection->ends[entry.side].ready = false;
    Pump(connection, entry.side);
  }
}

void Relay::MakeReady(Connection* connection, Side side) {
  if (connection->ends[side].ready) return;
  connection->ends[side].ready = true;
  ready_.push_back({connection->index, connection->generation, side});
}

RelayEvent& Relay::Push(EventType type, const Connection* connection, int32_t value) {
  RelayEvent event{};
  event.type = type;
  event.value = value;
  if (connection != nullptr) {
    event.index = connection->index;
    event.generation = connection->generation;
  }
  return events_.Push(event);
}

bool Relay::Watch(int fd, uint32_t events, uint64_t data) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = data;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

// Moving bytes

void Relay::OnOpen(Connection* connection, Side side, uint32_t events) {
  const uint32_t generation = connection->generation;
  End& end = connection->ends[side];
  if ((events & kReadOn) != 0) end.readOn = true;
  if ((events & EPOLLERR) != 0 && end.eof) {
    // a reset after FIN: nothing is read from it any more, so this alone shows it
    int error = SocketError(end.fd);
    if (error != 0) {
      Fail(connection, side, error);
      return;
    }
  }
  if (end.owed() && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
    if (!WriteOwed(connection, side)) return;
    if (!end.owed()) Pump(connection, Other(side));
    if (connection->generation != generation) return;
  }
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) Pump(connection, side);
}

/// Reads until there is no more (the edge will not come again), until the other end does not take it, or until
/// this direction has had its share.
void Relay::Pump(Connection* connection, Side from) {
  End& source = connection->ends[from];
  const Side to = Other(from);
  if (source.eof) return;
  for (int reads = 0;; ++reads) {
    // its EPOLLOUT comes back here
    if (connection->ends[to].owed()) return;
    if (reads == kReadsInARow || budget_ == 0) {
      MakeReady(connection, from);
      return;
    }
    if (source.bulk) {
      Spliced spliced = Splice(connection, from);
      if (spliced == Spliced::kGone) return;
      if (spliced == Spliced::kMoved) continue;
    }
    size_t limit = ReadLimit();
    ssize_t got = ::read(source.fd, buffer_.get(), limit);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) Fail(connection, from, errno);
      return;
    }
    if (got == 0) {
      EndOfStream(connection, from);
      return;
    }
    size_t size = static_cast<size_t>(got);
    source.bulk = size >= kBulkRead;
    Count(connection, from, size);
    if (!Write(connection, to, buffer_.get(), size)) return;
    // epoll(7): a short read from a stream has drained it, unless something else than bytes is in it
    if (size < limit && !source.readOn) return;
  }
}

size_t Relay::ReadLimit() const { return pendingBytes_ < kPendingSoftLimit ? kBufferSize : kSmallRead; }

void Relay::Count(Connection* connection, Side from, size_t bytes) {
  const ByteCells& cells = connection->cells;
  double amount = static_cast<double>(bytes);
  budget_ -= std::min(budget_, bytes);
  connection->activity = now_;
  if (from == kClient) {
    totals_[cells.serviceIn] += amount;
    totals_[cells.backendIn] += amount;
  } else {
    connection->answered = true;
    totals_[cells.serviceOut] += amount;
    totals_[cells.backendOut] += amount;
  }
}

/// False when the connection is gone.
bool Relay::Write(Connection* connection, Side to, const uint8_t* data, size_t size) {
  End& end = connection->ends[to];
  ssize_t sent;
  do {
    sent = ::send(end.fd, data, size, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && errno != EAGAIN) {
    Fail(connection, to, errno);
    return false;
  }
  size_t done = sent < 0 ? 0 : static_cast<size_t>(sent);
  if (done == size) return true;
  if (Hold(end, data + done, size - done)) return true;
  Fail(connection, to, ENOMEM);
  return false;
}

/// False without memory for it.
bool Relay::Hold(End& end, const uint8_t* data, size_t size) {
  auto* pending = static_cast<Pending*>(std::malloc(sizeof(Pending) + size));
  if (pending == nullptr) return false;
  pending->begin = 0;
  pending->end = static_cast<uint32_t>(size);
  std::memcpy(pending->data, data, size);
  end.pending = pending;
  pendingBytes_ += size;
  return true;
}

/// False when the connection is gone.
bool Relay::WritePending(Connection* connection, Side to) {
  End& end = connection->ends[to];
  Pending* pending = end.pending;
  ssize_t sent;
  do {
    sent = ::send(end.fd, pending->data + pending->begin, pending->end - pending->begin, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    if (errno == EAGAIN) return true;
    Fail(connection, to, errno);
    return false;
  }
  connection->activity = now_;
  pendingBytes_ -= static_cast<size_t>(sent);
  pending->begin += static_cast<uint32_t>(sent);
  if (pending->begin == pending->end) DropPending(end);
  return true;
}

/// False when the connection is gone.
bool Relay::WriteOwed(Connection* connection, Side to) {
  End& end = connection->ends[to];
  if (end.pending != nullptr && !WritePending(connection, to)) return false;
  if (end.pending != nullptr || end.pipe == nullptr) return true;
  return WritePipe(connection, to);
}

void Relay::DropPending(End& end) {
  if (end.pending == nullptr) return;
  pendingBytes_ -= end.pending->end - end.pending->begin;
  std::free(end.pending);
  end.pending = nullptr;
}

// Ends

/// Nothing is pending for `to` here: it would not have been read from `from`.
void Relay::EndOfStream(Connection* connection, Side from) {
  const Side to = Other(from);
  connection->ends[from].eof = true;
  if (connection->ends[to].eof) {
    // close(2) says FIN too, and saves the shutdown(2)
    Finish(connection, CloseCode::kDone, false);
    return;
  }
  connection->activity = now_;
  if (::shutdown(connection->ends[to].fd, SHUT_WR) != 0) {
    // ENOTCONN: it was reset, and nothing has told us yet
    int error = SocketError(connection->ends[to].fd);
    Fail(connection, to, error != 0 ? error : ECONNRESET);
    return;
  }
  Push(EventType::kEnded, connection, from);
}

void Relay::Fail(Connection* connection, Side side, int error) {
  Finish(connection, CodeOf(side, error), true);
}

void Relay::Close(Connection* connection, bool reset) {
  bool cutShort = connection->ends[kClient].owed() || connection->ends[kBackend].owed();
  Finish(connection, CloseCode::kTold, reset || cutShort);
}

void Relay::Drop(Connection* connection) {
  CloseEnds(connection, true);
  table_.Release(connection);
}

void Relay::Finish(Connection* connection, CloseCode code, bool reset) {
  Push(EventType::kClosed, connection, static_cast<int32_t>(code)).extra = connection->answered ? 1 : 0;
  CloseEnds(connection, reset);
  table_.Release(connection);
}

void Relay::CloseEnds(Connection* connection, bool reset) {
  for (End& end : connection->ends) {
    DropPending(end);
    if (end.pipe != nullptr) pipes_.Return(std::move(end.pipe));
    if (end.fd < 0) continue;
    if (reset) {
      CloseWithReset(end.fd);
    } else {
      ::close(end.fd);
    }
    end.fd = -1;
  }
}

}  // namespace tandem
